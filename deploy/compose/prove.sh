#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves that the fleet comes up in containers, with nothing pulled from a hub:
# makes a Debian 12 base image (tests/minimal-root.sh, which brings in how this
# machine reaches its package mirrors), starts a Docker engine of its own, builds
# all images by the classic builder, brings the stack up with docker-compose 1.29,
# waits until the five daemons are healthy, looks how they are confined, sends the
# demo's load, drains, and has the checker hold the books against it.
#
# Usage: deploy/compose/prove.sh [--seed-cache] [--keep DIR]
#   --seed-cache  compile with the libraries and jars of this machine's CH_CACHE:
#                 quicker, proves less
#   --keep DIR    the engine's images live in DIR and stay for the next call
# DEMO_SECONDS (20), DEMO_RATE (1000): the load.
#
# Outside the usual test run: installs docker.io, docker-compose and mmdebstrap
# where missing, takes some minutes and about 6 GB in TMPDIR (default /var/tmp);
# needs root. Touches no other engine, no iptables rule, no file outside its own
# folder; ends what it started, however it ends.
#
# Exit status: 0 only if all of that held and nothing was lost or doubled.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../local/lib.sh"

DAEMONS="trade-stream ledger-writer outbox-relay reconciler price-cache"
READY_SECONDS=180
SEED=
KEEP=
ENGINE_PID=
WORK=
NEWROOT=

# --- tools ---------------------------------------------------------------------

# Debian's packages start their daemon when installed: told not to, for that time.
install_tools()
{
	local policy=/usr/sbin/policy-rc.d made='' rc=0

	[[ -e $policy ]] || {
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		made=yes
	}
	{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    --no-install-recommends install "$@"; } || rc=$?
	[[ -z $made ]] || rm -f "$policy"
	return "$rc"
}

need_tools()
{
	local p missing=()

	((EUID == 0)) || die "prove" "an engine of our own needs root" "run it with sudo"
	for p in docker.io docker-compose mmdebstrap iptables iproute2 curl; do
		[[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) == \
		    "install ok installed" ]] || missing+=("$p")
	done
	((${#missing[@]} == 0)) ||
	    run_step "install ${missing[*]}" "$WORK/log/apt.log" "see the log" \
	    install_tools "${missing[@]}"
}

# Debian's client, where another one stands first in PATH.
docker()
{
	DOCKER_HOST=unix://$WORK/docker.sock /usr/bin/docker "$@"
}

compose()
{
	DOCKER_HOST=unix://$WORK/docker.sock DOCKER_BUILDKIT=0 \
	    COMPOSE_DOCKER_CLI_BUILD=0 /usr/bin/docker-compose --ansi never \
	    --env-file "$WORK/.env" -f "$WORK/tree/deploy/compose/compose.yaml" "$@"
}

container()
{
	compose ps -q "$1"
}

# --- the engine ----------------------------------------------------------------

storage_driver()
{
	local t=$DATA/probe driver=vfs

	mkdir -p "$t"/{lower,upper,work,merged}
	if mount -t overlay overlay -o "lowerdir=$t/lower,upperdir=$t/upper,workdir=$t/work" \
	    "$t/merged" 2>/dev/null; then
		umount "$t/merged"
		driver=overlay2
	fi
	rm -rf "$t"
	say "$driver"
}

start_engine()
{
	local end=$((SECONDS + 60)) driver

	driver=$(storage_driver)
	setsid dockerd --data-root "$DATA" --exec-root "$WORK/run" \
	    --pidfile "$WORK/dockerd.pid" -H "unix://$WORK/docker.sock" \
	    --storage-driver "$driver" --iptables=false --ip-forward=false \
	    --bridge=none </dev/null >"$WORK/log/dockerd.log" 2>&1 5>&- 6>&- &
	ENGINE_PID=$!
	until docker version >/dev/null 2>&1; do
		if ((SECONDS >= end)) || ! kill -0 "$ENGINE_PID" 2>/dev/null; then
			tail -n 20 "$WORK/log/dockerd.log" >&2
			die "start an engine" "dockerd does not answer" \
			    "its last lines are above"
		fi
		sleep 0.2
	done
	say "  dockerd $(docker version -f '{{.Server.Version}}'), pid $ENGINE_PID, $driver"
}

stop_engine()
{
	[[ -n $ENGINE_PID ]] || return 0
	kill -TERM "$ENGINE_PID" 2>/dev/null || true
	wait_gone "$ENGINE_PID" 40 || {
		warn "dockerd (pid $ENGINE_PID) did not end: killed"
		kill -KILL "$ENGINE_PID" 2>/dev/null || true
	}
	wait "$ENGINE_PID" 2>/dev/null || true
	# the builds of --network host leave one
	umount "$WORK"/run/netns/* 2>/dev/null || true
}

# What names our folder and still runs or is mounted.
leftovers()
{
	local p

	for p in /proc/[0-9]*; do
		[[ $p == "/proc/$$" || $p == "/proc/$BASHPID" ]] && continue
		{ ! tr '\0' ' ' <"$p/cmdline" | grep -qF "$WORK/" ||
		    say "process ${p#/proc/}"; } 2>/dev/null
	done
	awk -v w="$WORK/" 'index($2, w) == 1 { print "mount " $2 }' /proc/mounts
}

tear_down()
{
	local rc=$? left

	trap '' INT TERM
	set +e
	exec 1>&5 2>&6 # a signal may come while a step writes to its log
	if [[ -n $ENGINE_PID ]]; then
		((rc == 0)) || keep_logs
		compose --profile demo --profile check --profile upkeep down -v -t 30 \
		    >"$WORK/log/down.log" 2>&1
		stop_engine
	fi
	[[ -z $NEWROOT ]] || rm -rf --one-file-system "$NEWROOT"
	left=$(leftovers)
	if [[ -n $left ]]; then
		warn "left behind in $WORK: $left"
		((rc != 0)) || rc=1
	elif [[ -n $WORK ]]; then
		rm -rf --one-file-system "$WORK"
		say "  torn down: containers, networks, volumes, engine${KEEP:+; images kept in $KEEP}"
	fi
	if ((rc == 0)); then
		say "prove.sh: the fleet runs in containers"
	else
		say "prove.sh: FAILED, status $rc"
	fi
	exit "$rc"
}

# After a failure the containers' logs outlive the containers.
keep_logs()
{
	local to=$CH_CACHE/log/prove

	rm -rf "$to"
	mkdir -p "$to"
	cp -r "$WORK/log/." "$to/"
	compose --profile demo --profile check --profile upkeep logs --no-color -t >"$to/containers.log" 2>&1
	compose ps >"$to/ps.log" 2>&1
	warn "logs are kept in $to"
}

# --- images --------------------------------------------------------------------

# What git would commit, at one moment: every image is built from the same tree.
copy_tree()
{
	mkdir "$WORK/tree"
	git -C "$CH_ROOT" ls-files -coz --exclude-standard |
	    while IFS= read -r -d '' f; do
		[[ ! -e $CH_ROOT/$f ]] || printf '%s\0' "$f"
	    done | tar -C "$CH_ROOT" --null -T - -cf - | tar -C "$WORK/tree" -xf -
}

make_root()
{
	"$CH_ROOT/tests/minimal-root.sh" ${SEED:+--seed-cache} --keep -- true
}

# Owners as they are; no project and, in the base, no cache.
import_root()
{
	tar -C "$NEWROOT" --numeric-owner --one-file-system --exclude=./work "${@:2}" -cf - . |
	    docker import - "$1"
}

have_image()
{
	docker image inspect "$1" >/dev/null 2>&1
}

# An image imported anew would be another one to the builder's cache.
base_images()
{
	local log=$WORK/log/minimal-root.log

	export BASE_IMAGE=countinghouse/base:local BUILD_IMAGE=${SEED:+countinghouse/base:seeded}
	! have_image "$BASE_IMAGE" || ! have_image "${BUILD_IMAGE:-$BASE_IMAGE}" || return 0
	run_step "make a base image" "$log" "see the log" make_root
	NEWROOT=$(sed -n 's/^kept: //p' "$log")
	[[ -d $NEWROOT ]] ||
	    die "make a base image" "tests/minimal-root.sh named no folder" "see $log"
	import_root "$BASE_IMAGE" --exclude=./root/.cache >"$WORK/log/import.log"
	[[ -z $SEED ]] || import_root "$BUILD_IMAGE" >>"$WORK/log/import.log"
	rm -rf --one-file-system "$NEWROOT"
	NEWROOT=
}

build_images()
{
	local image

	export BUILD_NETWORK=host CH_TAG=prove
	GIT_ID=$(git -C "$CH_ROOT" rev-parse --short=12 HEAD 2>/dev/null || say unknown)
	export GIT_ID
	for image in kafka postgres topics $DAEMONS; do
		run_step "build the image of $image" "$WORK/log/build-$image.log" \
		    "see the log" compose build "$image"
	done
	docker image ls --format '    {{.Repository}} {{.Size}}' "countinghouse/*:$CH_TAG"
}

# --- the fleet -----------------------------------------------------------------

health()
{
	docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' \
	    "$(container "$1")" 2>/dev/null || say "absent"
}

not_ready()
{
	local name

	for name in $DAEMONS; do
		[[ $(health "$name") == healthy ]] || say "$name"
	done
}

wait_healthy()
{
	local began name waiting

	began=$(now_ms)
	while waiting=$(not_ready) && [[ -n $waiting ]]; do
		if (($(now_ms) - began > READY_SECONDS * 1000)); then
			for name in $waiting; do
				say "--- $name"
				docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' \
				    "$(container "$name")" | tail -n 12
				compose logs --tail 10 --no-color "$name"
			done >&2
			die "wait until ready" "${waiting//$'\n'/ }: not healthy" \
			    "what they wait for is above"
		fi
		sleep 0.5
	done
	say "  five daemons healthy after $(tenths_since "$began")"
}

# Of the process itself, not of what the engine was asked for.
confined()
{
	local name=$1 pid uid mounted

	pid=$(docker inspect -f '{{.State.Pid}}' "$(container "$name")")
	uid=$(awk '$1 == "Uid:" { print $2 }' "/proc/$pid/status")
	mounted=$(awk '$2 == "/" { print substr($4, 1, 2) }' "/proc/$pid/mounts")
	if ((uid == 0)) || [[ $mounted != ro ]] ||
	    grep -qE '^Cap(Eff|Prm|Bnd):.*[1-9a-f]' "/proc/$pid/status" ||
	    ! grep -q '^NoNewPrivs:.1' "/proc/$pid/status"; then
		grep -E '^(Uid|Cap|NoNew)' "/proc/$pid/status" >&2
		die "confinement of $name" "uid $uid, root $mounted; see above" \
		    "compare with compose.yaml"
	fi
}

check_confinement()
{
	local name

	for name in $DAEMONS kafka postgres; do
		confined "$name"
	done
	say "  seven processes: not root, no capability, no new privileges, read-only root"
}

# Through the one port that is published.
check_price()
{
	local id answer

	id=0x$(printf 'f%.0s' {1..64})
	answer=$(curl -fsS -m 10 --noproxy '*' \
	    "http://127.0.0.1:$PRICE_PORT/v1/prices?ids=$id") ||
	    die "ask price-cache" "no answer on 127.0.0.1:$PRICE_PORT" "see its log"
	[[ $answer =~ \"prices\":\[\"[0-9.]+\" ]] ||
	    die "ask price-cache" "an answer without a price: $answer" "see its log"
	say "  a price through 127.0.0.1:$PRICE_PORT: ${answer:0:160}"
}

run_job()
{
	compose run --rm --no-deps -T "$@"
}

stop_quietly()
{
	compose stop "$@" >>"$WORK/log/stop.log" 2>&1
}

# The order of deploy/local/run.sh: the writer's timers add rows until it stops.
load_and_judge()
{
	run_step "demo: $DEMO_RATE commands/s for $DEMO_SECONDS s" "$WORK/log/demo.log" \
	    "see the log" run_job demo
	stop_quietly feed
	stop_quietly trade-stream
	run_step "every command and trade is taken" "$WORK/log/taken.log" \
	    "see the log" run_job check check taken
	stop_quietly ledger-writer
	run_step "every row is delivered" "$WORK/log/delivered.log" \
	    "see the log" run_job check check delivered
	run_step "a night's upkeep" "$WORK/log/upkeep.log" "see the log" run_job upkeep
	run_job check 2>"$WORK/log/check.log" || {
		cat "$WORK/log/check.log" >&2
		die "judge" "the books or the records are not right" "see above"
	}
}

up()
{
	PRICE_PORT=$(free_port)
	export PRICE_PORT DEMO_SECONDS=${DEMO_SECONDS:-20} DEMO_RATE=${DEMO_RATE:-1000}
	run_step "bring the stack up" "$WORK/log/up.log" \
	    "the logs of the containers are kept, see below" compose up -d --no-build
	wait_healthy
}

read_options()
{
	while (($# > 0)); do
		case $1 in
		--seed-cache)	SEED=yes; shift ;;
		--keep)		KEEP=$(realpath -m "${2:?DIR}"); shift 2 ;;
		*)	sed -n '/^# Usage/,/^# DEMO/p' "$0" >&2; exit 64 ;;
		esac
	done
}

main()
{
	read_options "$@"
	WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/ch-prove.XXXXXX")
	DATA=${KEEP:-$WORK/engine}
	mkdir -p "$WORK/log" "$DATA"
	exec 5>&1 6>&2
	trap tear_down EXIT
	trap 'exit 130' INT TERM
	copy_tree
	"$WORK/tree/deploy/compose/secrets.sh" "$WORK" >"$WORK/log/secrets.log"
	need_tools
	start_engine
	base_images
	build_images
	up
	check_confinement
	check_price
	load_and_judge
}

main "$@"
