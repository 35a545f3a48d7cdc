/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit: SQL around audit_events.
 */
#include "audit.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "outbox_relay_sql.h"

#define PASSWD_MAX 16384 /* a line of the passwd file */

const char *
audit_self(char out[AUDIT_SELF_MAX])
{
	/* no other thread yet: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *user = getenv("USER");
	struct passwd entry, *found = NULL;
	char line[PASSWD_MAX];

	if (user != NULL && *user != '\0')
		return user;
	if (getpwuid_r(getuid(), &entry, line, sizeof(line), &found) != 0 ||
		found == NULL || *found->pw_name == '\0')
		(void)snprintf(out, AUDIT_SELF_MAX, "uid %lu",
			(unsigned long)getuid());
	else
		(void)snprintf(out, AUDIT_SELF_MAX, "%s", found->pw_name);
	return out;
}

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
