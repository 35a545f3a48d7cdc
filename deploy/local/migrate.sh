#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings the schema of DATABASE_URL up to schema/sql with sqitch: each change
# has a deploy, a revert and a verify script, and is recorded in the database.
#
# Usage: migrate.sh [deploy|verify|status|revert [--to CHANGE]]
#   deploy   (default) applies what is missing and verifies it; may be repeated
#   revert   undoes it, data included; asks nothing, so think first
#
# DATABASE_URL: from the environment, else from $CH_STATE/env. A libpq URI; a
# password belongs in PGPASSFILE or passfile=, never in the URI.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SCHEMA=$CH_ROOT/schema/sql
LOG=$CH_STATE/log/migrate.log

sqitch_run()
{
	local verb=$1

	shift
	cd "$SCHEMA"
	SQITCH_FULLNAME=${SQITCH_FULLNAME:-countinghouse} \
	SQITCH_EMAIL=${SQITCH_EMAIL:-countinghouse@localhost} \
	PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" \
	    sqitch "$verb" --target db:pg: "$@"
}

main()
{
	local verb=${1:-deploy} url=${DATABASE_URL:-$(env_get DATABASE_URL)}

	(($# == 0)) || shift
	[[ -n $url ]] ||
	    die "migrate" "no database named" \
	    "run postgres.sh start, or set DATABASE_URL"
	command -v sqitch >/dev/null ||
	    die "migrate" "no sqitch" "run deploy/local/deps.sh"
	[[ -f $SCHEMA/sqitch.plan ]] ||
	    die "migrate" "no $SCHEMA/sqitch.plan" "is this a whole checkout?"
	state_dirs
	pg_env_from_url "$url"
	case $verb in
	deploy)
		run_step "migrate the schema" "$LOG" \
		    "the failed change is undone; see the log" \
		    sqitch_run deploy --verify "$@" ;;
	verify|status)
		sqitch_run "$verb" "$@" ;;
	revert)
		sqitch_run revert -y "$@" ;;
	*)
		say "usage: migrate.sh [deploy|verify|status|revert [--to CHANGE]]" >&2
		exit 64 ;;
	esac
}

main "$@"
