/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit: SQL around audit_events.
 */
#include "audit.h"

#include "outbox_relay_sql.h"

int
audit_write(struct ch_pg *pg, const struct audit_call *a, struct ch_err *err)
{
	static const struct ch_pg_stmt write_stmt = {
		"dlq_audit", outbox_relay_sql_letters_audit};
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, a->action);
	ch_pg_arg_str(&args, a->subject);
	ch_pg_arg_str(&args, a->actor);
	ch_pg_arg_str(&args, a->reason);
	ch_pg_arg_str(&args, a->after);
	return ch_pg_query(pg, &write_stmt, &args, NULL, err);
}

int
audit_find(struct ch_pg *pg, const char *subject, int64_t before, int64_t limit,
	PGresult **out, struct ch_err *err)
{
	/* not prepared: a plan for any subject would read the whole table */
	static const struct ch_pg_stmt find_stmt = {
		"", outbox_relay_sql_audit_find};
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, subject);
	ch_pg_arg_i64(&args, before);
	ch_pg_arg_i64(&args, limit);
	return ch_pg_query(pg, &find_stmt, &args, out, err);
}
