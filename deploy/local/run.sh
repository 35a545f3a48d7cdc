#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `make run`: everything that is missing, then the whole fleet with a demo load
# and a live view, until Ctrl-C or for SECONDS_TO_RUN seconds. In the second
# case a checker that shares nothing with the daemons judges the run, writes
# $CH_STATE/summary.json, and its verdict is the exit status.
#
# Stops everything that it started, and nothing else: a Kafka or PostgreSQL that
# ran before goes on running. The books stay in $CH_STATE for the next run.
#
# Environment: SECONDS_TO_RUN, BOOTSTRAP and DATABASE_URL (your own servers),
# DEMO_RATE, FEED_FILE, BUILD (release).
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SECONDS_TO_RUN=${SECONDS_TO_RUN:-}
RUN_BUILD=${BUILD:-release}
export CH_OUT=$CH_ROOT/build/$RUN_BUILD
DRAIN_SECONDS=90
started_servers=
started_fleet=
interrupted=

[[ -z $SECONDS_TO_RUN || $SECONDS_TO_RUN =~ ^[1-9][0-9]{0,5}$ ]] ||
    die "read SECONDS" "\"$SECONDS_TO_RUN\" is no number of seconds from 1 to 999999" \
    "make run SECONDS=60"

sql()
{
	psql -XAtq -d "$(env_get DATABASE_URL)" -c "$1"
}

build()
{
	# the warning set was probed before there was a compiler on a bare machine
	env -u WARN -u MAKEFLAGS make -C "$CH_ROOT" -j"$(nproc)" BUILD="$RUN_BUILD" all
}

drained()
{
	local pending

	pending=$("$CH_LOCAL/pending.py" --state "$CH_STATE" "$@") || return 1
	[[ $pending == 0 ]]
}

# Every command read, every row delivered: only then is there a verdict.
drain()
{
	local what=$1 began

	shift
	began=$(now_ms)
	say "  waiting until $what ..."
	until drained "$@"; do
		(($(now_ms) - began < DRAIN_SECONDS * 1000)) || {
			warn "not drained within $DRAIN_SECONDS s: the checker says what is missing"
			return 0
		}
		[[ -z $interrupted ]] || return 0
		sleep 0.2
	done
	say "  drained in $(tenths_since "$began")"
}

judge()
{
	"$CH_LOCAL/fleet.sh" stop-one demo-producer
	"$CH_LOCAL/fleet.sh" stop-one feed-server
	"$CH_LOCAL/fleet.sh" stop-one trade-stream
	drain "every command and trade is taken" --records
	# its timers add rows that the relay must still deliver
	"$CH_LOCAL/fleet.sh" stop-one ledger-writer
	drain "every row is delivered"
	"$CH_LOCAL/checker.py" --state "$CH_STATE" --summary "$CH_STATE/summary.json"
}

stop_everything()
{
	trap '' INT TERM
	[[ -z $started_fleet ]] || "$CH_LOCAL/fleet.sh" stop
	[[ -z $started_servers ]] || "$CH_LOCAL/down.sh"
}

on_signal()
{
	interrupted=1
	[[ -z ${view:-} ]] || kill -TERM "$view" 2>/dev/null || true
}

servers_run()
{
	"$CH_LOCAL/kafka.sh" alive >/dev/null 2>&1 ||
	    "$CH_LOCAL/postgres.sh" alive >/dev/null 2>&1
}

main()
{
	local rc=0

	state_dirs
	exec 8>"$CH_STATE/run/run.lock"
	flock -n 8 || die "make run" "another make run uses $CH_STATE" \
	    "stop it with Ctrl-C, or set CH_STATE to another directory"
	servers_run || started_servers=1
	trap stop_everything EXIT
	trap on_signal INT TERM
	say "countinghouse: state in $CH_STATE"
	"$CH_LOCAL/up.sh" 8>&-
	[[ -z $interrupted ]] || exit 130
	run_step "build ($RUN_BUILD)" "$CH_STATE/log/build.log" "see the log" build
	[[ -z $interrupted ]] || exit 130
	started_fleet=1
	"$CH_LOCAL/fleet.sh" start 8>&-
	[[ -z $interrupted ]] || exit 130
	"$CH_LOCAL/dashboard.py" --state "$CH_STATE" \
	    ${SECONDS_TO_RUN:+--seconds "$SECONDS_TO_RUN"} &
	view=$!
	wait "$view" || rc=$?
	view=
	[[ -z $interrupted ]] || { say; say "stopping ..."; exit 130; }
	((rc == 0)) || exit "$rc"
	[[ -z $SECONDS_TO_RUN ]] || judge
}

main
