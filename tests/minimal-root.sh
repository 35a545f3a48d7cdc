#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves that a fresh machine needs nothing but this repository: makes a minimal
# Debian 12 (minbase, make and ca-certificates), clones the project into it, and
# runs there by chroot what a newcomer would run.
#
# Usage: tests/minimal-root.sh [OPTION...] [-- COMMAND...]
#   COMMAND...     shell commands, each run in the clone in turn; default:
#                  "make run SECONDS=60" "make test"
#   --worktree     the working tree as it is, not the last commit
#   --seed-cache   copy this machine's CH_CACHE in: quicker, proves less
#   --user         run as a user with sudo instead of root
#   --keep         leave the root file system (its path is printed)
#
# Nothing of this machine is used but what stands for its network: package
# mirror, apt's and Maven's proxy settings, DNS, CA certificates. Everything runs
# in mount and PID namespaces of its own: when this script ends, however it ends,
# the kernel unmounts and kills all that was started in them.
# Needs root, mmdebstrap, and about 5 GB in TMPDIR (default /var/tmp).
#
# Exit status: 0 when every command succeeded.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/local/lib.sh"

IMAGES=$CH_CACHE/minimal-root
SHARED=$(dirname "$CH_ROOT")/shared
WORKTREE='' SEED='' SUDO_USER_MODE='' KEEP=''
COMMANDS=()

# --- outside: making the root -----------------------------------------------

need_tools()
{
	((EUID == 0)) ||
	    die "minimal root" "chroot and mounts need root" "run it with sudo"
	command -v mmdebstrap >/dev/null ||
	    die "minimal root" "no mmdebstrap" "apt-get install mmdebstrap"
}

# This machine's Debian archives as one-line sources, third parties left out.
debian_sources()
{
	# shellcheck disable=SC2016	# apt's own variables
	apt-get indextargets --format \
	    '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	    'Created-By: Packages' | sed -n 's/^Debian //p' | sort -u
}

network_settings_of_apt()
{
	grep -lrE 'Acquire::(http|https|ftp|Check|Retries|ForceIPv)' \
	    /etc/apt/apt.conf /etc/apt/apt.conf.d 2>/dev/null || true
}

make_image()
{
	debian_sources >"$IMAGES/sources.list"
	mmdebstrap --variant=minbase --include=make,ca-certificates \
	    --aptopt='Acquire::Check-Valid-Until "false"' \
	    bookworm "$1.new.tar" "$IMAGES/sources.list" &&
	    mv "$1.new.tar" "$1"
}

image()
{
	local image=$IMAGES/bookworm.tar

	mkdir -p "$IMAGES"
	[[ -s $image ]] ||
	    run_step "make a minimal Debian 12" "$CH_CACHE/log/mmdebstrap.log" \
	    "see the log" make_image "$image"
}

copy_network_settings()
{
	local f

	install -D -m 0644 "$IMAGES/sources.list" "$NEWROOT/etc/apt/sources.list"
	rm -f "$NEWROOT"/etc/apt/sources.list.d/*
	for f in $(network_settings_of_apt); do
		install -D -m 0644 "$f" "$NEWROOT/etc/apt/apt.conf.d/$(basename "$f")"
	done
	for f in /etc/resolv.conf /etc/hosts; do
		install -m 0644 "$f" "$NEWROOT$f"
	done
	for f in /usr/local/share/ca-certificates/*.crt; do
		[[ ! -f $f ]] || install -m 0644 "$f" "$NEWROOT$f"
	done
	[[ ! -f ${HOME:-/root}/.m2/settings.xml ]] ||
	    install -D -m 0644 "${HOME:-/root}/.m2/settings.xml" \
	    "$NEWROOT/root/.m2/settings.xml"
}

present_files()
{
	local f

	git ls-files -coz --exclude-standard | while IFS= read -r -d '' f; do
		[[ ! -e $f ]] || printf '%s\0' "$f"
	done
}

copy_project()
{
	local to=$NEWROOT/work/countinghouse

	mkdir -p "$NEWROOT/work"
	if [[ -n $WORKTREE ]]; then
		mkdir "$to"
		(cd "$CH_ROOT" && present_files |
		    tar --null -T - -cf -) | tar -xf - -C "$to"
		cp -r "$CH_ROOT/.git" "$to/.git"
	else
		git clone -q --no-hardlinks "$CH_ROOT" "$to"
	fi
	[[ ! -d $SHARED ]] || mkdir "$NEWROOT/work/shared"
}

seed_cache()
{
	local to=$NEWROOT/root/.cache/countinghouse part

	mkdir -p "$to"
	for part in deps kafka tools stamps bin; do
		[[ ! -d $CH_CACHE/$part ]] || cp -a "$CH_CACHE/$part" "$to/"
	done
}

fill_root()
{
	tar -xf "$IMAGES/bookworm.tar" -C "$NEWROOT"
	copy_network_settings
	copy_project
	[[ -z $SEED ]] || seed_cache
}

# --- inside the namespaces --------------------------------------------------

mount_all()
{
	local n

	mount -t proc proc "$NEWROOT/proc"
	mount -t sysfs -o ro sysfs "$NEWROOT/sys"
	mount -t tmpfs -o mode=0755,size=1m dev "$NEWROOT/dev"
	for n in null zero full random urandom tty; do
		touch "$NEWROOT/dev/$n"
		mount --bind "/dev/$n" "$NEWROOT/dev/$n"
	done
	mkdir "$NEWROOT/dev/shm" "$NEWROOT/dev/pts"
	mount -t tmpfs -o mode=1777 shm "$NEWROOT/dev/shm"
	ln -s /proc/self/fd "$NEWROOT/dev/fd"
	ln -s /proc/self/fd/0 "$NEWROOT/dev/stdin"
	ln -s /proc/self/fd/1 "$NEWROOT/dev/stdout"
	ln -s /proc/self/fd/2 "$NEWROOT/dev/stderr"
	if [[ -d $NEWROOT/work/shared ]]; then
		mount --bind "$SHARED" "$NEWROOT/work/shared"
		mount -o remount,bind,ro "$NEWROOT/work/shared"
	fi
}

# A clean environment, but for what tells programs how to reach the network.
inside()
{
	local keep=() v

	for v in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
		[[ -z ${!v:-} ]] || keep+=("$v=${!v}")
	done
	chroot "$NEWROOT" /usr/bin/env -i HOME=/root \
	    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	    LANG=C.UTF-8 "${keep[@]}" /bin/bash -c "$1"
}

add_user()
{
	inside 'apt-get -q update && apt-get -q -y --no-install-recommends install sudo' \
	    >"$CH_CACHE/log/minimal-user.log" 2>&1
	inside 'useradd -m -s /bin/bash dev && chown -R dev: /work/countinghouse &&
	    if [ -d /root/.cache ]; then mv /root/.cache /root/.m2 /home/dev/ 2>/dev/null; chown -R dev: /home/dev; fi
	    echo "dev ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/dev'
}

run_one()
{
	local cmd="cd /work/countinghouse && $1"

	if [[ -n $SUDO_USER_MODE ]]; then
		inside "exec setpriv --reuid dev --regid dev --init-groups \
		    env HOME=/home/dev USER=dev bash -c $(printf %q "$cmd")"
	else
		inside "$cmd"
	fi
}

run_all()
{
	local c began rc failed=0 outcome=()

	mount_all
	inside 'update-ca-certificates >/dev/null 2>&1'
	[[ -z $SUDO_USER_MODE ]] || add_user
	for c in "${COMMANDS[@]}"; do
		say "=== $c"
		began=$(now_ms)
		rc=0
		run_one "$c" </dev/null || rc=$?
		outcome+=("$c: exit status $rc after $(tenths_since "$began")")
		((rc == 0)) || failed=1
	done
	say "=== minimal root, outcome"
	printf '    %s\n' "${outcome[@]}"
	return "$failed"
}

# ----------------------------------------------------------------------------

read_options()
{
	while (($# > 0)); do
		case $1 in
		--worktree)	WORKTREE=yes; shift ;;
		--seed-cache)	SEED=yes; shift ;;
		--user)		SUDO_USER_MODE=yes; shift ;;
		--keep)		KEEP=yes; shift ;;
		--)		shift; COMMANDS=("$@"); break ;;
		*)	sed -n '/^# Usage/,/^#$/p' "$0" >&2; exit 64 ;;
		esac
	done
	((${#COMMANDS[@]} > 0)) || COMMANDS=("make run SECONDS=60" "make test")
}

remove_root()
{
	if [[ -n $KEEP ]]; then
		say "kept: $NEWROOT"
	else
		rm -rf --one-file-system "$NEWROOT"
	fi
}

outside()
{
	local rc=0

	need_tools
	with_lock "$CH_CACHE/minimal-root.lock" image
	NEWROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/ch-minimal.XXXXXX")
	chmod 0755 "$NEWROOT"
	trap remove_root EXIT
	fill_root
	unshare --mount --propagation private --pid --fork --kill-child \
	    "$0" --inside "$NEWROOT" "$SUDO_USER_MODE" "${COMMANDS[@]}" || rc=$?
	return "$rc"
}

# --inside is the second life of this script, as first process of the
# namespaces.
main()
{
	if [[ ${1:-} == --inside ]]; then
		NEWROOT=$2
		SUDO_USER_MODE=$3
		shift 3
		COMMANDS=("$@")
		run_all
	else
		read_options "$@"
		outside
	fi
}

main "$@"
