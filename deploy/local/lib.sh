# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every script of deploy/local shares: where things lie, how progress is
# told, how a step fails, how a process is recognised as ours.
#
# Two places, both overridable:
#   CH_CACHE  built libraries and Kafka's jars; may be deleted at any time
#   CH_STATE  the private data of one fleet; whoever deletes it deletes a ledger
#
# Nothing here touches a process, port or file that these scripts did not make.

CH_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CH_CACHE=${CH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/countinghouse}
CH_STATE=${CH_STATE:-$CH_ROOT/.local}
[[ $CH_CACHE == /* ]] || CH_CACHE=$PWD/$CH_CACHE
[[ $CH_STATE == /* ]] || CH_STATE=$PWD/$CH_STATE
# shellcheck disable=SC2034	# used by the scripts that source this
CH_LOCAL=$CH_ROOT/deploy/local
# shellcheck disable=SC2034
CH_KAFKA_VERSION=$(sed -n 's:.*<kafka.version>\(.*\)</.*:\1:p' "$CH_ROOT/deploy/kafka/pom.xml")
export CH_CACHE CH_STATE

say()
{
	printf '%s\n' "$*"
}

warn()
{
	printf 'warning: %s\n' "$*" >&2
}

# die STEP PROBLEM ADVICE: the one way in which these scripts give up.
die()
{
	printf '\nfailed:  %s\nproblem: %s\n' "$1" "$2" >&2
	[[ -z ${3:-} ]] || printf 'do:      %s\n' "$3" >&2
	exit 1
}

now_ms()
{
	local s=${EPOCHREALTIME/,/.}

	printf '%s\n' "$((${s%.*} * 1000 + 10#${s#*.} / 1000))"
}

tenths_since()
{
	local t=$((($(now_ms) - $1) / 100))

	printf '%d.%d s\n' "$((t / 10))" "$((t % 10))"
}

# run_step NAME LOG ADVICE COMMAND...: one line when it starts, one when it
# ends; everything else goes to LOG, whose end is shown when it fails.
run_step()
{
	local name=$1 log=$2 advice=$3 began rc=0

	shift 3
	mkdir -p "$(dirname "$log")"
	began=$(now_ms)
	say "  $name ..."
	"$@" >"$log" 2>&1 || rc=$?
	if ((rc == 0)); then
		say "  $name: done in $(tenths_since "$began")"
		return 0
	fi
	printf '\n--- last lines of %s\n' "$log" >&2
	tail -n 20 "$log" >&2
	die "$name" "exit status $rc after $(tenths_since "$began"); full output in $log" \
	    "$(explain_log "$log" "$advice")"
}

# explain_log LOG ADVICE: replaces the general advice where the log names a
# cause that we know.
explain_log()
{
	if grep -qiE 'No space left on device|Disk quota' "$1"; then
		say "the disk is full: free space, or set CH_CACHE and CH_STATE to another disk"
	elif grep -qiE 'Could not resolve|Temporary failure|Unable to connect|Connection timed out|UnknownHost|Network is unreachable|Could not connect' "$1"; then
		say "the package mirror cannot be reached: check the network and proxy settings of apt and Maven"
	elif grep -qiE 'PKIX path|certificate verify failed|SSLHandshake' "$1"; then
		say "a certificate was refused: install your site's CA (update-ca-certificates), with ca-certificates-java for Maven"
	elif grep -qiE 'OutOfMemoryError|Cannot allocate memory|Killed' "$1"; then
		say "not enough memory: close something and try again"
	else
		say "$2"
	fi
}

# with_lock FILE COMMAND...: one at a time, across processes. The command must
# close descriptor 9 for whatever it leaves running.
with_lock()
{
	local file=$1

	shift
	mkdir -p "$(dirname "$file")"
	(
		flock -w 2 9 || {
			say "  waiting for another call that holds $file"
			flock 9
		}
		"$@"
	) 9>"$file"
}

# The listening TCP ports of this machine, one a line, decimal.
listening_ports()
{
	local hex

	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
	    awk '$4 == "0A" { n = split($2, a, ":"); print a[n] }' |
	    while read -r hex; do printf '%d\n' "0x$hex"; done | sort -un
}

port_is_taken()
{
	listening_ports | grep -qx "$1"
}

# Between being chosen and being listened at, a port is taken by a file, so that
# two that start at a time (tests) do not choose the same.
reserve_port()
{
	local dir=${TMPDIR:-/tmp}/countinghouse-ports-$UID

	mkdir -p -m 700 "$dir"
	find "$dir" -type f -mmin +10 -delete 2>/dev/null || true
	(set -o noclobber; : >"$dir/$1") 2>/dev/null
}

# A free port below the range from which outgoing connections are made, so
# that no client socket can sit on it later.
free_port()
{
	local i port taken

	taken=$(listening_ports)
	for ((i = 0; i < 200; i++)); do
		port=$((20000 + SRANDOM % 12000))
		if ! grep -qx "$port" <<<"$taken" && reserve_port "$port"; then
			say "$port"
			return 0
		fi
	done
	die "choose a port" "no free port found between 20000 and 31999" \
	    "see 'ss -ltn' for what listens there"
}

# env_set KEY VALUE: keeps $CH_STATE/env, which may be sourced by any shell.
env_set()
{
	with_lock "$CH_STATE/run/env.lock" env_set_locked "$1" "$2"
}

env_set_locked()
{
	local file=$CH_STATE/env new

	new=$(mktemp "$CH_STATE/env.XXXXXX")
	{
		[[ ! -f $file ]] || grep -v "^$1=" "$file" || true
		printf "%s='%s'\n" "$1" "${2//\'/}"
	} >"$new"
	chmod 0600 "$new"
	mv -f "$new" "$file"
}

env_get()
{
	[[ -f $CH_STATE/env ]] || return 0
	(
		set +u
		# shellcheck disable=SC1091
		. "$CH_STATE/env"
		printf '%s\n' "${!1}"
	)
}

# our_pid FILE MARK: prints the pid kept in FILE when that process lives and
# its command line names MARK (a path inside CH_STATE): a recycled pid of
# somebody else is never taken for ours.
our_pid()
{
	local pid

	[[ -s $1 ]] || return 1
	read -r pid <"$1" || true
	[[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 1
	! grep -q '^State:.[ZX]' "/proc/$pid/status" 2>/dev/null || return 1
	tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$2" || return 1
	say "$pid"
}

# A zombie is gone, but not while other threads of it are still ending: they
# hold its files and ports.
is_gone()
{
	local tasks

	grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null && return 1
	tasks=(/proc/"$1"/task/*)
	((${#tasks[@]} <= 1))
}

# wait_gone PID SECONDS
wait_gone()
{
	local end=$((SECONDS + $2))

	until is_gone "$1"; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

state_dirs()
{
	mkdir -p "$CH_STATE"/{run,log} ||
	    die "state directory" "cannot create $CH_STATE" \
	    "set CH_STATE to a directory that you may write"
}

url_decode()
{
	local s=${1//\\/\\\\}

	printf '%b' "${s//%/\\x}"
}

# pg_env_from_url URI: exports what libpq's tools that take no URI need.
pg_env_from_url()
{
	local re='^postgres(ql)?://(([^@/?]*)@)?([^/?]*)(/([^?]*))?(\?(.*))?$'
	local user hostport pair query

	[[ $1 =~ $re ]] ||
	    die "read DATABASE_URL" "it is not postgresql://[user@][host[:port]]/db[?key=value&...]" \
	    "see 'Connection URIs' in PostgreSQL's manual"
	user=${BASH_REMATCH[3]}
	hostport=${BASH_REMATCH[4]}
	PGDATABASE=$(url_decode "${BASH_REMATCH[6]}")
	query=${BASH_REMATCH[8]}
	unset PGHOST PGPORT
	[[ -z $user ]] || pg_env_param user "$(url_decode "${user%%:*}")"
	[[ $user != *:* ]] || pg_env_param password "$(url_decode "${user#*:}")"
	if [[ $hostport =~ ^(.*):([0-9]+)$ ]]; then
		export PGPORT=${BASH_REMATCH[2]}
		hostport=${BASH_REMATCH[1]}
	fi
	[[ -z $hostport ]] || pg_env_param host "$(url_decode "$hostport")"
	export PGDATABASE
	while IFS= read -r -d '&' pair; do
		[[ -z $pair ]] || pg_env_param "${pair%%=*}" "$(url_decode "${pair#*=}")"
	done <<<"$query&"
}

pg_env_param()
{
	case $1 in
	host|port|user|password|dbname|passfile|service|options|sslmode|\
	sslcert|sslkey|sslrootcert|sslcrl|gssencmode)
		local name=PG${1^^}
		[[ $1 != dbname ]] || name=PGDATABASE
		export "$name=$2" ;;
	application_name)	export PGAPPNAME=$2 ;;
	connect_timeout)	export PGCONNECT_TIMEOUT=$2 ;;
	target_session_attrs)	export PGTARGETSESSIONATTRS=$2 ;;
	channel_binding)	export PGCHANNELBINDING=$2 ;;
	keepalives*|tcp_user_timeout)	;;
	*)	die "read DATABASE_URL" "parameter \"$1\" is not understood here" \
		    "leave it out, or set libpq's environment variable for it" ;;
	esac
}
