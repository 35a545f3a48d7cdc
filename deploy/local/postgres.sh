#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One private PostgreSQL 15 for one fleet, in $CH_STATE/postgres, on a private
# socket directory and on 127.0.0.1, at a port chosen once.
#
# Usage: postgres.sh start|stop|immediate|kill|status|alive|psql [ARG...]|
#        newport|destroy
#   start      initdb, roles and database if new; returns when it answers
#   stop       fast shutdown, within 30 s
#   immediate  no checkpoint: the next start recovers from WAL
#   kill       kill -9 of the postmaster
#   status     exit 0 when it answers, 1 when not, 3 stopped
#   alive      exit 0 when the process is there
#   psql       psql as ch_owner over the socket
#   newport    forgets the port; the next start chooses another
#   destroy    stops it and deletes its data, wherever they lie
#
# PostgreSQL refuses to run as root. Called by root, it runs as the user
# "postgres" of Debian's package; data and socket then need a place which that
# user can reach, and when CH_STATE is none (say, below /root) they go to
# /var/tmp/countinghouse-<digest of CH_STATE>, recorded in $CH_STATE/postgres.at.
#
# Who may enter: over the socket, whose directory only root and the cluster's
# own user can search, everybody; over TCP, roles with their passwords (SCRAM),
# kept in $CH_STATE/secrets/<role>.pgpass, mode 0600.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN=/usr/lib/postgresql/15/bin
PIDFILE=$CH_STATE/run/postgres.pid
LOG=$CH_STATE/log/postgres.log
SECRETS=$CH_STATE/secrets
DATABASE=countinghouse
SERVICE_ROLES="ch_writer ch_relay ch_reconciler ch_cache ch_reader ch_operator"
START_SECONDS=60

# --- who it runs as and where -----------------------------------------------

PGUSER_OS=$(id -un)
((EUID != 0)) || PGUSER_OS=postgres

as_pg()
{
	if ((EUID == 0)); then
		(cd / && exec setpriv --reuid "$PGUSER_OS" --regid "$PGUSER_OS" \
		    --init-groups env HOME=/ "$@")
	else
		"$@"
	fi
}

pg_can_search()
{
	as_pg test -x "$1"
}

# The socket's path must fit sun_path: 107 bytes with "/.s.PGSQL.NNNNN.lock".
socket_fits()
{
	((${#1} + 20 <= 107))
}

short_place()
{
	say "$1/countinghouse-$(sha256sum <<<"$CH_STATE" | cut -c1-12)"
}

# Sets BASE (what we may delete), DATA and SOCKET_DIR.
locate()
{
	BASE=$CH_STATE/postgres
	if [[ -s $CH_STATE/postgres.at ]]; then
		BASE=$(<"$CH_STATE/postgres.at")
	elif ((EUID == 0)) && [[ -d $CH_STATE ]] && ! pg_can_search "$CH_STATE"; then
		BASE=$(short_place /var/tmp)
	fi
	DATA=$BASE/data
	SOCKET_DIR=$BASE/sock
	socket_fits "$SOCKET_DIR" || SOCKET_DIR=$(short_place /tmp)
}

record_place()
{
	[[ $BASE == "$CH_STATE/postgres" ]] && return 0
	[[ -s $CH_STATE/postgres.at ]] && return 0
	say "  PostgreSQL's data go to $BASE: user $PGUSER_OS cannot reach $CH_STATE"
	say "$BASE" >"$CH_STATE/postgres.at"
}

own_dir()
{
	if [[ -L $1 || (-d $1 && $(stat -c %U "$1") != "$PGUSER_OS") ]]; then
		die "make $1" "it exists and belongs to $(stat -c %U "$1")" \
		    "remove it, or set CH_STATE to another directory"
	fi
	mkdir -p "$1"
	chmod 0700 "$1"
	((EUID != 0)) || chown "$PGUSER_OS:" "$1"
}

pid_of_postgres()
{
	our_pid "$PIDFILE" "$DATA"
}

# --- first time -------------------------------------------------------------

require_postgres()
{
	[[ -x $BIN/postgres ]] ||
	    die "start PostgreSQL" "no PostgreSQL 15 in $BIN" "run deploy/local/deps.sh"
	id "$PGUSER_OS" >/dev/null 2>&1 ||
	    die "start PostgreSQL" "no user $PGUSER_OS" \
	    "install postgresql-15, which creates it, or do not run as root"
}

choose_port()
{
	if [[ -s $DATA/ch_port ]]; then
		PORT=$(<"$DATA/ch_port")
		return 0
	fi
	PORT=$(free_port)
	say "$PORT" >"$DATA/ch_port"
}

settings()
{
	cat <<EOF
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = '$SOCKET_DIR'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
wal_level = logical
max_connections = 40
max_wal_senders = 10
max_replication_slots = 10
max_prepared_transactions = 4
fsync = on
synchronous_commit = on
shared_buffers = 128MB
max_wal_size = 2GB
wal_compression = lz4
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d %a '
log_timezone = 'UTC'
timezone = 'UTC'
EOF
}

write_settings()
{
	settings >"$DATA/ch.conf"
	cat >"$DATA/pg_hba.conf" <<EOF
# the socket lies in a directory of mode 0700
local all         all               trust
local replication all               trust
host  all         all 127.0.0.1/32  scram-sha-256
host  replication all 127.0.0.1/32  scram-sha-256
EOF
	grep -q "^include 'ch.conf'" "$DATA/postgresql.conf" ||
	    say "include 'ch.conf'" >>"$DATA/postgresql.conf"
}

init_cluster()
{
	as_pg "$BIN/initdb" -D "$DATA" -U postgres --encoding=UTF8 \
	    --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 \
	    --no-instructions
}

init_if_new()
{
	[[ ! -f $DATA/PG_VERSION || ! -f $BASE/initialised ]] || return 0
	own_dir "$BASE"
	if [[ -d $DATA ]]; then
		warn "an unfinished PostgreSQL cluster in $DATA is made again"
		rm -rf "$DATA"
	fi
	own_dir "$DATA"
	run_step "create the PostgreSQL cluster" "$CH_STATE/log/initdb.log" \
	    "see the log" init_cluster
	say "1" >"$BASE/initialised"
}

new_password()
{
	head -c 24 /dev/urandom | base64 | tr -d '/+=\n'
}

# The password goes to psql through its standard input: never in argv.
role_sql()
{
	local role=$1 options=$2 password=$3

	cat <<EOF
SELECT 'CREATE ROLE $role' WHERE NOT EXISTS
    (SELECT FROM pg_roles WHERE rolname = '$role') \gexec
ALTER ROLE $role WITH LOGIN $options PASSWORD '$password';
EOF
}

# The three that work for every organisation at once pass row-level security by;
# only a superuser can grant that, so it cannot stand in the schema.
role_options()
{
	case $1 in
	ch_owner)	say "CREATEROLE" ;;
	ch_writer)	say "BYPASSRLS" ;;
	ch_relay)	say "REPLICATION BYPASSRLS" ;;
	ch_reconciler)	say "BYPASSRLS" ;;
	*)		say "NOREPLICATION" ;;
	esac
}

# One pgpass file a role: a service is given its own and no other.
password_of()
{
	local file=$SECRETS/$1.pgpass

	if [[ ! -s $file ]]; then
		(umask 077 && printf '127.0.0.1:%s:*:%s:%s\n' "$PORT" "$1" \
		    "$(new_password)" >"$file.new")
		mv "$file.new" "$file"
	fi
	cut -d: -f5 "$file"
}

bootstrap_sql()
{
	local role

	say "SET log_statement = 'none';"
	say "SET log_min_error_statement = 'panic';"
	for role in ch_owner $SERVICE_ROLES; do
		role_sql "$role" "$(role_options "$role")" "$(password_of "$role")"
	done
	cat <<EOF
SELECT 'CREATE DATABASE $DATABASE OWNER ch_owner' WHERE NOT EXISTS
    (SELECT FROM pg_database WHERE datname = '$DATABASE') \gexec
REVOKE ALL ON DATABASE $DATABASE FROM PUBLIC;
EOF
	for role in $SERVICE_ROLES; do
		say "GRANT CONNECT ON DATABASE $DATABASE TO $role;"
	done
	# ch.pause() ends a stopped writer that holds the pause lock
	say "GRANT pg_signal_backend TO ch_owner;"
	# ch.health() sees how old the snapshots of all sessions are
	say "GRANT pg_read_all_stats TO ch_owner;"
}

bootstrap_if_new()
{
	[[ ! -f $BASE/bootstrapped || ! -d $SECRETS ]] || return 0
	mkdir -p "$SECRETS"
	chmod 0700 "$SECRETS"
	bootstrap_sql | as_superuser "$BIN/psql" -Xq -v ON_ERROR_STOP=1 -d postgres \
	    >"$CH_STATE/log/bootstrap.log" 2>&1 || {
		tail -n 20 "$CH_STATE/log/bootstrap.log" >&2
		die "create roles and database" "psql failed" \
		    "see $CH_STATE/log/bootstrap.log and $LOG"
	}
	say 1 >"$BASE/bootstrapped"
}

as_superuser()
{
	PGHOST=$SOCKET_DIR PGPORT=$PORT PGUSER=postgres "$@"
}

tcp_url()
{
	printf 'postgresql://%s@127.0.0.1:%s/%s?passfile=%s\n' "$1" "$PORT" \
	    "$DATABASE" "$(urlencode "$SECRETS/$1.pgpass")"
}

urlencode()
{
	local s=$1 i c out=

	for ((i = 0; i < ${#s}; i++)); do
		c=${s:i:1}
		[[ $c == [a-zA-Z0-9._~/-] ]] || printf -v c '%%%02X' "'$c"
		out+=$c
	done
	say "$out"
}

socket_url()
{
	printf 'postgresql://%s@/%s?host=%s&port=%s\n' "$1" "$DATABASE" \
	    "$(urlencode "$SOCKET_DIR")" "$PORT"
}

write_env()
{
	local role

	env_set PGHOST "$SOCKET_DIR"
	env_set PGPORT "$PORT"
	env_set PGDATABASE "$DATABASE"
	env_set PGUSER ch_owner
	env_set DATABASE_URL "$(socket_url ch_owner)"
	env_set SUPERUSER_URL "$(socket_url postgres)"
	for role in $SERVICE_ROLES; do
		role=${role#ch_}
		env_set "${role^^}_URL" "$(tcp_url "ch_$role")"
	done
}

# --- start and stop ---------------------------------------------------------

# As root the shell opens the log, so that it may lie where postgres cannot go.
launch()
{
	if ((EUID == 0)); then
		(cd / && exec setsid setpriv --reuid "$PGUSER_OS" \
		    --regid "$PGUSER_OS" --init-groups \
		    "$BIN/postgres" -D "$DATA") </dev/null >>"$LOG" 2>&1 9>&- &
	else
		setsid "$BIN/postgres" -D "$DATA" </dev/null >>"$LOG" 2>&1 9>&- &
	fi
	echo $! >"$PIDFILE"
}

answers()
{
	[[ -s $DATA/ch_port ]] &&
	    "$BIN/pg_isready" -q -U postgres -d postgres -h "$SOCKET_DIR" -p "$(<"$DATA/ch_port")" -t 3
}

# After kill -9 children may hold the shared memory for a moment, and the
# postmaster refuses to start meanwhile: hence it is launched again until the
# deadline.
wait_ready()
{
	local end=$((SECONDS + START_SECONDS))

	until answers; do
		if ((SECONDS >= end)); then
			tail -n 20 "$LOG" >&2 || true
			die "start PostgreSQL" "no answer after $START_SECONDS s" "see $LOG"
		fi
		if ! pid_of_postgres >/dev/null; then
			sleep 0.3
			pid_of_postgres >/dev/null || retry_launch
		fi
		sleep 0.05
	done
}

retry_launch()
{
	if ! tail -n 5 "$LOG" | grep -qE 'pre-existing shared memory|lock file .* already exists|is another postmaster'; then
		tail -n 20 "$LOG" >&2 || true
		die "start PostgreSQL" "it ended while starting" "see $LOG"
	fi
	launch
}

require_port_free()
{
	! port_is_taken "$PORT" ||
	    die "start PostgreSQL" "port $PORT is taken by another process" \
	    "stop that process ('ss -ltnp' names it), or run 'postgres.sh newport' and start again"
}

start_locked()
{
	local began

	locate
	if pid_of_postgres >/dev/null; then
		wait_ready
		return 0
	fi
	began=$(now_ms)
	require_postgres
	locate
	record_place
	init_if_new
	choose_port
	require_port_free
	own_dir "$SOCKET_DIR"
	write_settings
	launch
	wait_ready
	bootstrap_if_new
	write_env
	say "  PostgreSQL 15 on $SOCKET_DIR and 127.0.0.1:$PORT: up in $(tenths_since "$began")"
}

start()
{
	state_dirs
	with_lock "$CH_STATE/run/postgres.lock" start_locked
}

stop()
{
	local signal=$1 pid

	locate
	if pid=$(pid_of_postgres); then
		kill "-$signal" "$pid"
		if ! wait_gone "$pid" 30; then
			warn "PostgreSQL (pid $pid) did not stop within 30 s: immediate shutdown"
			kill -QUIT "$pid"
			wait_gone "$pid" 10 || die "stop PostgreSQL" \
			    "pid $pid does not die" "see $LOG"
		fi
	fi
	rm -f "$PIDFILE"
}

status()
{
	local pid

	locate
	if ! pid=$(pid_of_postgres); then
		say "PostgreSQL: stopped"
		return 3
	fi
	if ! answers; then
		say "PostgreSQL: pid $pid lives but does not answer; see $LOG"
		return 1
	fi
	say "PostgreSQL: up, pid $pid, 127.0.0.1:$(<"$DATA/ch_port")"
}

run_psql()
{
	locate
	PORT=$(cat "$DATA/ch_port" 2>/dev/null) ||
	    die "psql" "no cluster in $DATA" "run postgres.sh start"
	PGHOST=$SOCKET_DIR PGPORT=$PORT PGUSER=${PGUSER:-ch_owner} \
	    PGDATABASE=${PGDATABASE:-$DATABASE} exec "$BIN/psql" -X "$@"
}

# The password files name the port, so they and the passwords are made anew.
newport()
{
	locate
	! pid_of_postgres >/dev/null ||
	    die "choose another port" "it is running" "run postgres.sh stop first"
	rm -f "$DATA/ch_port" "$BASE/bootstrapped" "$SECRETS"/*.pgpass
}

destroy()
{
	stop INT
	rm -rf "$BASE" "$SECRETS" "$CH_STATE/postgres.at"
	[[ $SOCKET_DIR == "$BASE"/* ]] || rm -rf "$SOCKET_DIR"
}

case ${1:-} in
start)		start ;;
stop)		stop INT ;;
immediate)	stop QUIT ;;
kill)		stop KILL ;;
status)		status ;;
alive)		locate; pid_of_postgres >/dev/null ;;
psql)		shift; run_psql "$@" ;;
newport)	newport ;;
destroy)	destroy ;;
*)	say "usage: postgres.sh start|stop|immediate|kill|status|alive|psql|newport|destroy" >&2
	exit 64 ;;
esac
