#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The check job: holds the books against what the demo sent, without asking any
# daemon (deploy/local/checker.py says how).
#
# Usage: check [taken|delivered]
#   taken      only waits until the writer has taken every command and trade
#   delivered  ... and every row is delivered: after the writer has stopped, whose
#              timers add rows all the time
# Exit status of these two: 1 when not within CHECK_SECONDS (90).
#
# BOOTSTRAP and DATABASE_URL from the environment; /state/demo is the volume in
# which the demo keeps the list of what Kafka acknowledged.
set -euo pipefail

state=/tmp/state
local=/app/deploy/local

pending()
{
	python3 "$local/pending.py" --state "$state" "$@"
}

drain()
{
	local end=$((SECONDS + ${CHECK_SECONDS:-90})) left

	until left=$(pending "$@") && [[ $left == 0 ]]; do
		((SECONDS < end)) || {
			echo "not done within ${CHECK_SECONDS:-90} s:" >&2
			pending -v >&2 || true
			exit 1
		}
		sleep 0.3
	done
	echo "done in $SECONDS s"
}

mkdir -p "$state"
ln -sfn /state/demo "$state/demo"
printf "BOOTSTRAP='%s'\nDATABASE_URL='%s'\n" "$BOOTSTRAP" "$DATABASE_URL" >"$state/env"
case ${1:-judge} in
taken)		drain --records ;;
delivered)	drain ;;
judge)		exec python3 "$local/checker.py" --state "$state" ;;
*)		echo "usage: check [taken|delivered]" >&2; exit 64 ;;
esac
