#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything below the daemons: packages and libraries, Kafka, PostgreSQL,
# topics, schema. Ends when all of it answers; what is there already is kept, so
# a second call takes seconds. $CH_STATE/env then says where it is.
#
# Usage: [BOOTSTRAP=...] [DATABASE_URL=...] up.sh [--no-deps]
#   BOOTSTRAP, DATABASE_URL  use these instead of private ones; nothing of them
#                            is started, stopped or configured
#   --no-deps                the caller has run deps.sh
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

own_kafka()
{
	[[ -n ${BOOTSTRAP:-} && $BOOTSTRAP != "$(private_bootstrap)" ]]
}

private_bootstrap()
{
	local port _

	[[ -s $CH_STATE/kafka/ports ]] || return 0
	read -r port _ <"$CH_STATE/kafka/ports"
	say "127.0.0.1:$port"
}

# An exported $CH_STATE/env must not turn the private server into "yours".
own_postgres()
{
	[[ -n ${DATABASE_URL:-} ]] || return 1
	[[ $(env_get PRIVATE_POSTGRES) != yes ||
	    $DATABASE_URL != "$(env_get DATABASE_URL)" ]]
}

# What libpq reads from its environment stays in the environment; the URI of
# each service is the given one unless it was given its own.
adopt_postgres()
{
	local role var

	[[ ! $DATABASE_URL =~ ://[^/?@]*:[^/?@]*@ && ! $DATABASE_URL =~ [?\&]password= ]] ||
	    die "use your PostgreSQL" "DATABASE_URL holds a password" \
	    "put it into a file: ?passfile=/path or PGPASSFILE (it would be seen in argv and logs)"
	env_set PRIVATE_POSTGRES no
	env_set DATABASE_URL "$DATABASE_URL"
	for role in WRITER RELAY RECONCILER CACHE READER OPERATOR; do
		var=${role}_URL
		env_set "$var" "${!var:-$DATABASE_URL}"
	done
	[[ -z ${PGPASSFILE:-} ]] || env_set PGPASSFILE "$PGPASSFILE"
	say "  PostgreSQL: yours"
}

start_kafka()
{
	if own_kafka; then
		env_set BOOTSTRAP "$BOOTSTRAP"
		say "  Kafka: yours, $BOOTSTRAP"
	else
		"$CH_LOCAL/kafka.sh" start
	fi
}

start_postgres()
{
	if own_postgres; then
		adopt_postgres
	else
		"$CH_LOCAL/postgres.sh" start
		env_set PRIVATE_POSTGRES yes
	fi
}

# Two at once; both are waited for, so that a failure of one leaves no half
# started other behind this script.
both()
{
	local first second rc=0

	"$1" &
	first=$!
	"$2" &
	second=$!
	wait "$first" || rc=$?
	wait "$second" || rc=$?
	return "$rc"
}

make_topics()
{
	BOOTSTRAP=$(env_get BOOTSTRAP) "$CH_LOCAL/topics.sh"
}

migrate()
{
	DATABASE_URL=$(env_get DATABASE_URL) "$CH_LOCAL/migrate.sh" deploy
}

main()
{
	local began

	began=$(now_ms)
	state_dirs
	"$CH_LOCAL/preflight.sh"
	[[ ${1:-} == --no-deps ]] || "$CH_LOCAL/deps.sh"
	both start_kafka start_postgres
	both make_topics migrate
	say "  everything below the daemons is up after $(tenths_since "$began")"
}

main "$@"
