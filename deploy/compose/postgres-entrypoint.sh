#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# PostgreSQL 15 on /data/pg. The first start makes the database and one role a
# service, with the passwords of /run/secrets/roles.pgpass (one line of libpq's
# form a role; deploy/compose/secrets.sh writes it). While it does so nothing
# listens on TCP, so that a health check cannot pass too early; a first start
# that was cut short is made again whole.
#
# Roles and options are those of deploy/local/postgres.sh.
set -euo pipefail

bin=/usr/lib/postgresql/15/bin
data=/data/pg
roles=/run/secrets/roles.pgpass

# The password goes to psql through its standard input: never in argv.
role_sql()
{
	local role=$1 options=$2 password

	password=$(awk -F: -v r="$role" '$4 == r {print $5}' "$roles")
	[[ $password =~ ^[A-Za-z0-9]{16,}$ ]] || {
		echo "no password of $role in $roles: run deploy/compose/secrets.sh" >&2
		exit 78
	}
	echo "CREATE ROLE $role LOGIN $options PASSWORD '$password';"
}

bootstrap_sql()
{
	local role

	echo "SET log_statement = 'none'; SET log_min_error_statement = 'panic';"
	role_sql ch_owner CREATEROLE
	role_sql ch_writer BYPASSRLS
	role_sql ch_relay "REPLICATION BYPASSRLS"
	role_sql ch_reconciler BYPASSRLS
	for role in ch_cache ch_reader ch_operator; do
		role_sql "$role" ""
	done
	# ch.pause() ends a stopped writer that holds the pause lock
	echo "GRANT pg_signal_backend TO ch_owner;"
	# ch.health() sees how old the snapshots of all sessions are
	echo "GRANT pg_read_all_stats TO ch_owner;"
	echo "CREATE DATABASE countinghouse OWNER ch_owner;"
	echo "REVOKE ALL ON DATABASE countinghouse FROM PUBLIC;"
	echo "GRANT CONNECT ON DATABASE countinghouse TO ch_writer, ch_relay,"
	echo "  ch_reconciler, ch_cache, ch_reader, ch_operator;"
}

settings()
{
	cat <<CONF
listen_addresses = '*'
unix_socket_directories = '/tmp'
password_encryption = 'scram-sha-256'
wal_level = logical
max_connections = 40
shared_buffers = 128MB
max_wal_size = 2GB
wal_compression = lz4
log_line_prefix = '%m [%p] %q%u@%d %a '
log_timezone = 'UTC'
timezone = 'UTC'
CONF
}

first_start()
{
	local sql

	sql=$(bootstrap_sql)
	rm -rf "$data"
	"$bin/initdb" -D "$data" -U postgres --encoding=UTF8 --locale=C.UTF-8 \
	    --auth-local=peer --auth-host=scram-sha-256 --no-instructions
	printf '%s\n' 'local all         all     peer' \
	    'host  all         all all scram-sha-256' \
	    'host  replication all all scram-sha-256' >"$data/pg_hba.conf"
	settings >>"$data/postgresql.conf"
	"$bin/pg_ctl" -D "$data" -o "-c listen_addresses=''" -w start
	"$bin/psql" -XqAt -h /tmp -v ON_ERROR_STOP=1 -d postgres <<<"$sql"
	"$bin/pg_ctl" -D "$data" -w stop
	touch /data/ready
}

[[ -f /data/ready ]] || first_start
exec "$bin/postgres" -D "$data"
