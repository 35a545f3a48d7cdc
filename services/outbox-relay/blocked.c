/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocked: see blocked.h.
 */
#include "blocked.h"

#include "base/json.h"
#include "letter.h"
#include "letter_json.h"
#include "outbox_relay_sql.h"

static const struct ch_pg_stmt keys_stmt = {
	"dlq_keys", outbox_relay_sql_keys_blocked};

int
blocked_find(struct ch_pg *pg, int64_t limit, PGresult **res,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, limit);
	return ch_pg_query(pg, &keys_stmt, &args, res, err);
}

int
blocked_row(const PGresult *res, int row, struct blocked_key *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, row);

	out->topic = ch_pg_next_text(&r);
	out->key = ch_pg_next_bytea_null(&r);
	out->letter = ch_pg_next_uuid(&r);
	out->since = ch_pg_next_time(&r);
	out->waiting = ch_pg_next_i64(&r);
	out->class = letter_class(ch_pg_next_text(&r));
	out->reason = ch_pg_next_text(&r);
	out->attempts = ch_pg_next_i32(&r);
	out->state = ch_pg_next_text(&r);
	out->fitting = ch_pg_next_i64(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

void
blocked_json(struct ch_buf *out, const struct blocked_key *k,
	struct ch_time now)
{
	char id[CH_UUID_TEXT_MAX], time[CH_TIME_TEXT_MAX];

	ch_uuid_format(&k->letter, id);
	ch_time_format(k->since, time);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "topic", k->topic);
	letter_json_bytes(out, "key", "key_hex", k->key);
	ch_json_add_member(out, "letter_id", ch_view_of(id));
	ch_json_add_member(out, "since", ch_view_of(time));
	ch_json_add_member_i64(out, "age_seconds",
		(now.us - k->since.us) / 1000000);
	ch_json_add_member_i64(out, "waiting", k->waiting);
	ch_json_add_member(out, "error_class", k->class);
	ch_json_add_member(out, "reason", k->reason);
	ch_json_add_member_i64(out, "attempts", k->attempts);
	ch_json_add_member(out, "state", k->state);
	ch_buf_addc(out, '}');
}
