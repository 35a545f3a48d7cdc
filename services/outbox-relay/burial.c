/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burial: see burial.h.
 */
#include "burial.h"

#include <string.h>

#include "base/json.h"
#include "outbox_relay_sql.h"
#include "plans.h"

int
burial_find(struct ch_pg *pg, const char *endpoint, int64_t limit,
	PGresult **res, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", outbox_relay_sql_endpoints_waiting};
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, endpoint);
	ch_pg_arg_i64(&args, limit);
	return ch_pg_query(pg, &stmt, &args, res, err);
}

int
burial_row(const PGresult *res, int i, struct burial_waiting *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->endpoint = ch_pg_next_text(&r);
	out->count = ch_pg_next_i64(&r);
	out->since = ch_pg_next_time(&r);
	out->whose = ch_pg_next_text(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

void
burial_json(struct ch_buf *out, const struct burial_waiting *w)
{
	char since[CH_TIME_TEXT_MAX];

	ch_time_format(w->since, since);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "endpoint", w->endpoint);
	ch_json_add_member_i64(out, "waiting", w->count);
	ch_json_add_member(out, "since", ch_view_of(since));
	ch_json_add_member(out, "whose", w->whose);
	ch_buf_addc(out, '}');
}

const char *
burial_endpoint(const char *name)
{
	return strncmp(name, "webhook:", 8) == 0 ? name + 8 : name;
}

/* In a transaction of its own, which a dry run takes back. */
static int
bury(struct ch_pg *pg, const struct burial *b, int32_t most, int64_t *many,
	struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"dlq_bury", outbox_relay_sql_endpoint_bury};
	struct ch_pg_args args;
	PGresult *res = NULL;
	int rc = ch_pg_begin(pg, err);

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, b->endpoint);
	ch_pg_arg_str(&args, b->actor);
	ch_pg_arg_str(&args, b->reason);
	ch_pg_arg_i32(&args, most);
	if (rc == CH_OK)
		rc = plans_refusal(pg, ch_pg_query(pg, &stmt, &args, &res, err),
			err);
	if (rc == CH_OK && !ch_pg_get_i64(res, 0, 0, many))
		rc = ch_err_set(err, CH_EPROTO, "bury_deliveries: no number");
	PQclear(res);
	return plans_settle(pg, rc, b->dry_run, err);
}

static int
count_waiting(struct ch_pg *pg, const char *endpoint, int64_t *count,
	struct ch_err *err)
{
	struct burial_waiting w = {.count = 0};
	PGresult *res;
	int rc = burial_find(pg, endpoint, 1, &res, err);

	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) > 0)
		rc = burial_row(res, 0, &w, err);
	*count = w.count;
	PQclear(res);
	return rc;
}

int
burial_run(struct ch_pg *pg, const struct burial *b, int64_t *letters,
	struct ch_err *err)
{
	int64_t many = 0;
	int rc = bury(pg, b, b->dry_run ? 1 : BURIAL_AT_ONCE, &many, err);

	if (rc == CH_OK && b->dry_run)
		rc = count_waiting(pg, b->endpoint, &many, err);
	*letters = rc == CH_OK ? many : 0;
	return rc;
}
