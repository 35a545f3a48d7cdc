#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Looks for what would make a start fail later and less clearly, names it, and
# says what to do. Changes nothing. Silent and exit 0 when all is well; every
# problem found is listed before it exits 1.
#
# Usage: preflight.sh
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

FULL_MB=2048		# with everything to build
STATE_MB=1024		# for the books of a demo
MEMORY_MB=1200		# Kafka 450, PostgreSQL 250, daemons, compiler
PROBLEMS=0

problem()
{
	printf 'preflight: %s\n   problem: %s\n        do: %s\n' "$1" "$2" "$3" >&2
	PROBLEMS=$((PROBLEMS + 1))
}

# The nearest directory above a path that exists.
existing()
{
	local d=$1

	while [[ ! -d $d ]]; do
		d=$(dirname "$d")
	done
	say "$d"
}

check_paths()
{
	local name

	for name in CH_CACHE CH_STATE; do
		[[ ${!name} =~ ^[A-Za-z0-9._/+@~-]+$ ]] ||
		    problem "$name" "\"${!name}\" has a character that Kafka's or PostgreSQL's files cannot carry" \
		    "set $name to a path of letters, digits and ._/+@~-"
		[[ -w $(existing "${!name}") ]] ||
		    problem "$name" "cannot write below $(existing "${!name}")" \
		    "set $name to a directory of yours"
	done
}

check_disk()
{
	local path=$1 need=$2 free

	path=$(existing "$path")
	free=$(df -Pm "$path" | awk 'NR == 2 { print $4 }')
	((free >= need)) ||
	    problem "disk space" "$free MB free at $path, $need MB needed" \
	    "free some, or point CH_CACHE and CH_STATE to another disk"
}

check_memory()
{
	local free

	free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	((free >= MEMORY_MB)) ||
	    problem "memory" "$free MB available, $MEMORY_MB MB needed" \
	    "close something, or give the machine more"
}

check_java()
{
	local v

	command -v java >/dev/null || return 0
	v=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
	((${v:-0} >= 17)) ||
	    problem "Java" "$(command -v java) is version ${v:-unknown}, Kafka needs 17 or later" \
	    "put /usr/lib/jvm/java-17-openjdk-*/bin first in PATH (deps.sh installs it)"
}

# A kept port may have been taken while our server was down.
check_ports()
{
	local p

	if ! "$CH_LOCAL/kafka.sh" alive && [[ -s $CH_STATE/kafka/ports ]]; then
		for p in $(<"$CH_STATE/kafka/ports"); do
			! port_is_taken "$p" ||
			    problem "Kafka's port $p" "another process listens there ('ss -ltnp' names it)" \
			    "stop it, or rm $CH_STATE/kafka/ports to have others chosen"
		done
	fi
	p=$(env_get PGPORT)
	if [[ -n $p ]] && ! "$CH_LOCAL/postgres.sh" alive && port_is_taken "$p"; then
		problem "PostgreSQL's port $p" "another process listens there ('ss -ltnp' names it)" \
		    "stop it, or see 'postgres.sh newport'"
	fi
}

check_rights()
{
	((EUID == 0)) || command -v sudo >/dev/null || [[ $1 != *package* ]] ||
	    problem "packages" "Debian packages are missing, and this is neither root nor a user with sudo" \
	    "run deploy/local/deps.sh as root once, then everything as yourself"
}

# Asked through apt itself, so that its proxy and certificate settings count.
check_mirror()
{
	local mirror to

	# shellcheck disable=SC2016	# apt's own variables
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
	    'Created-By: Packages' 2>/dev/null | head -n 1)
	[[ -n $mirror ]] || return 0
	to=$(mktemp -u "${TMPDIR:-/tmp}/ch-preflight.XXXXXX")
	timeout 40 /usr/lib/apt/apt-helper -o Acquire::http::Timeout=10 \
	    -o Acquire::https::Timeout=10 -o Acquire::Retries=1 \
	    download-file "${mirror% *}dists/${mirror#* }/InRelease" "$to" \
	    >/dev/null 2>&1 ||
	    problem "network" "the package mirror of /etc/apt does not answer, and there is something to fetch: $1" \
	    "check the network, DNS and apt's proxy settings ('apt-get update')"
	rm -f "$to"
}

main()
{
	local missing

	missing=$("$CH_LOCAL/deps.sh" --missing)
	check_paths
	check_memory
	check_java
	check_disk "$CH_STATE" "$STATE_MB"
	check_ports
	if [[ -n $missing ]]; then
		missing=${missing//$'\n'/, }
		check_disk "$CH_CACHE" "$FULL_MB"
		check_rights "$missing"
		check_mirror "$missing"
	fi
	((PROBLEMS == 0))
}

main "$@"
