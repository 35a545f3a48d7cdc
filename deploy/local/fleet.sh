#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The daemons of one local fleet, with the two servers that stand for the
# outside world (a feed, a pair of price APIs) and the demo's producer.
#
# Usage: fleet.sh start|stop|status|start-one NAME|stop-one NAME
#   start   starts what is not running; waits until each is ready (60 s)
#   stop    SIGTERM to each, producer first, relay last; SIGKILL after 40 s
#   status  one line each; exit 1 when one is missing
#
# Each process has a session of its own (Ctrl-C in a terminal reaches run.sh
# only), a pid file in $CH_STATE/run and a log in $CH_STATE/log. Admin ports are
# chosen by the daemons and kept in $CH_STATE/run/<name>.admin.
#
# FEED_URL, FEED_FILE, UPSTREAM_URL..: see start_* below. CH_OUT: where the
# programs are (default build/release). DEMO_RATE: commands a second (1500).
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CH_OUT=${CH_OUT:-$CH_ROOT/build/release}
DEMO_RATE=${DEMO_RATE:-1500}
DAEMONS="trade-stream ledger-writer outbox-relay reconciler price-cache"
START_ORDER="feed-server upstream-stub $DAEMONS"
STOP_ORDER="demo-producer feed-server trade-stream price-cache upstream-stub reconciler ledger-writer outbox-relay"
READY_SECONDS=60
STOP_SECONDS=40

pid_file()
{
	say "$CH_STATE/run/$1.pid"
}

pid_of()
{
	our_pid "$(pid_file "$1")" "$CH_STATE" || true
}

running()
{
	[[ -n $(pid_of "$1") ]]
}

# launch NAME ARG...: every program gets an argument that names CH_STATE, by
# which its pid is told from a recycled one.
launch()
{
	local name=$1 program=$CH_OUT/bin/$1

	shift
	[[ -x $program ]] ||
	    die "start $name" "no $program" "run make BUILD=release"
	# read from the env file, not meant as the reconciler's parameter "url"
	setsid env -u RECONCILER_URL "$program" "$@" </dev/null >>"$CH_STATE/log/$name.log" 2>&1 9>&- &
	say "$!" >"$(pid_file "$name")"
}

launch_daemon()
{
	local name=$1

	shift
	rm -f "$CH_STATE/run/$name.admin"
	launch "$name" --admin_listen=127.0.0.1:0 \
	    --admin_port_file="$CH_STATE/run/$name.admin" "$@"
}

kept_port()
{
	local file=$CH_STATE/run/$1.port

	if [[ ! -s $file ]] || { port_is_taken "$(<"$file")" && ! running "$1"; }; then
		free_port >"$file"
	fi
	cat "$file"
}

start_feed-server()
{
	local port

	[[ -z ${FEED_URL:-} ]] || return 0
	port=$(kept_port feed-server)
	launch feed-server --listen="127.0.0.1:$port" --seed="$(date +%s)" --sent="$CH_STATE/demo/feed.ndjson" \
	    ${FEED_FILE:+--file="$FEED_FILE" --loop --restamp}
}

start_upstream-stub()
{
	local port

	[[ -z ${GAMMA_URL:-} ]] || return 0
	port=$(kept_port upstream-stub)
	launch upstream-stub --listen="127.0.0.1:$port" \
	    --port-file="$CH_STATE/run/upstream-stub.listen"
}

start_trade-stream()
{
	launch_daemon trade-stream --bootstrap="$BOOTSTRAP" \
	    --feed_url="${FEED_URL:-ws://127.0.0.1:$(kept_port feed-server)/}"
}

start_ledger-writer()
{
	launch_daemon ledger-writer --bootstrap="$BOOTSTRAP" \
	    --database_url="$WRITER_URL" --session_timeout=6s
}

# Who may change dead letters in the console: one name, made once.
console_tokens()
{
	local file=$CH_STATE/secrets/console.tokens

	[[ -s $file ]] || (
		umask 077
		mkdir -p "${file%/*}"
		printf 'operator:%s\n' \
		    "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >"$file"
	)
	say "$file"
}

start_outbox-relay()
{
	local console=()

	[[ -z ${OPERATOR_URL:-} ]] ||
	    console=(--api_listen="127.0.0.1:$(kept_port console)"
		--api_database_url="$OPERATOR_URL"
		--api_token_file="$(console_tokens)")
	launch_daemon outbox-relay --bootstrap="$BOOTSTRAP" \
	    --database_url="$RELAY_URL" "${console[@]}"
}

start_reconciler()
{
	launch_daemon reconciler --database_url="$RECONCILER_URL"
}

start_price-cache()
{
	local upstream

	upstream=http://127.0.0.1:$(kept_port upstream-stub)
	launch_daemon price-cache --bootstrap="$BOOTSTRAP" \
	    --database_url="$CACHE_URL" \
	    --listen="127.0.0.1:$(kept_port price-cache)" \
	    --primary_url="${GAMMA_URL:-$upstream}" --fallback_url="${CLOB_URL:-$upstream}"
}

start_demo-producer()
{
	mkdir -p "$CH_STATE/demo"
	launch demo-producer --bootstrap="$BOOTSTRAP" --rate="$DEMO_RATE" \
	    --sent="$CH_STATE/demo/sent-$(date +%s).ndjson" \
	    --status="$CH_STATE/demo/producer.json" \
	    ${CH_KAFKA_CONFIG:+--kafka-file="$CH_KAFKA_CONFIG"}
}

ready()
{
	local name=$1 port

	[[ -s $CH_STATE/run/$name.admin ]] || return 1
	port=$(<"$CH_STATE/run/$name.admin")
	curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null
}

why_not_ready()
{
	local port=

	[[ ! -s $CH_STATE/run/$1.admin ]] || port=$(<"$CH_STATE/run/$1.admin")
	[[ -z $port ]] || curl -sS -m 2 "http://127.0.0.1:$port/readyz?verbose" 2>&1 || true
	tail -n 5 "$CH_STATE/log/$1.log"
}

wait_ready()
{
	local name=$1 began

	began=$(now_ms)
	until ready "$name"; do
		running "$name" || {
			tail -n 10 "$CH_STATE/log/$name.log" >&2
			die "start $name" "it ended; its last lines are above" \
			    "see $CH_STATE/log/$name.log"
		}
		(($(now_ms) - began < READY_SECONDS * 1000)) || {
			why_not_ready "$name" >&2
			die "start $name" "not ready within $READY_SECONDS s; what it waits for is above" \
			    "see $CH_STATE/log/$name.log"
		}
		sleep 0.1
	done
}

start_one()
{
	running "$1" || "start_$1"
}

read_env()
{
	mkdir -p "$CH_STATE/demo"
	set -a
	# shellcheck disable=SC1091
	. "$CH_STATE/env"
	set +a
}

start_all()
{
	local name began

	began=$(now_ms)
	read_env
	for name in $START_ORDER; do
		start_one "$name"
	done
	for name in $DAEMONS; do
		wait_ready "$name"
	done
	start_one demo-producer
	say "  five daemons ready after $(tenths_since "$began")"
	[[ ! -s $CH_STATE/run/console.port ]] ||
	    say "  dead letters in a browser: http://127.0.0.1:$(<"$CH_STATE/run/console.port")/   its token: cut -d: -f2 $(console_tokens)"
}

stop_one()
{
	local name=$1 pid began

	pid=$(pid_of "$name")
	[[ -n $pid ]] || return 0
	began=$(now_ms)
	kill -TERM "$pid" 2>/dev/null || true
	while running "$name"; do
		if (($(now_ms) - began > STOP_SECONDS * 1000)); then
			warn "$name (pid $pid) did not stop within $STOP_SECONDS s: killed"
			kill -KILL "$pid" 2>/dev/null || true
		fi
		sleep 0.05
	done
	rm -f "$(pid_file "$name")"
}

stop_all()
{
	local name

	for name in $STOP_ORDER; do
		stop_one "$name"
	done
}

status()
{
	local name pid rc=0

	for name in $START_ORDER demo-producer; do
		pid=$(pid_of "$name")
		if [[ -z $pid ]]; then
			say "$name: not running"
			rc=1
		else
			say "$name: pid $pid"
		fi
	done
	return "$rc"
}

state_dirs
case ${1:-} in
start)		start_all ;;
stop)		stop_all ;;
start-one)	read_env; start_one "${2:?name}" ;;
stop-one)	stop_one "${2:?name}" ;;
status)		status ;;
*)		say "usage: fleet.sh start|stop|status|start-one NAME|stop-one NAME" >&2; exit 64 ;;
esac
