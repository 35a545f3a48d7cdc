#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Stops the private Kafka and PostgreSQL of $CH_STATE, and nothing else. Their
# data stay, so that up.sh continues the same books.
#
# Usage: down.sh [--clean]
#   --clean  then deletes $CH_STATE too, with PostgreSQL's data wherever they lie
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

stop_both()
{
	local kafka rc=0

	"$CH_LOCAL/kafka.sh" stop &
	kafka=$!
	"$CH_LOCAL/postgres.sh" stop || rc=$?
	wait "$kafka" || rc=$?
	return "$rc"
}

# Only what these scripts made may be deleted by name.
clean()
{
	[[ -d $CH_STATE/run && -d $CH_STATE/log ]] ||
	    die "clean" "$CH_STATE does not look like a fleet's state" \
	    "look there, and delete by hand what you do not need"
	"$CH_LOCAL/postgres.sh" destroy
	rm -rf "$CH_STATE"
}

[[ -d $CH_STATE ]] || exit 0
case ${1:-} in
"")		stop_both ;;
--clean)	stop_both; clean ;;
*)		say "usage: down.sh [--clean]" >&2; exit 64 ;;
esac
