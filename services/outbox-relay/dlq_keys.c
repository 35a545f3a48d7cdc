/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_keys: which keys wait behind a dead letter, since when, and how much of
 * them: of topics and of endpoints alike.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "dlq_private.h"
#include "outbox_relay_sql.h"

static const struct ch_pg_stmt keys_stmt = {
	"dlq_keys", outbox_relay_sql_keys_blocked};

struct blocked_key {
	struct ch_view topic, key;
	struct ch_uuid letter;
	struct ch_time since;
	int64_t waiting;
};

static int
read_key(const PGresult *res, int i, struct blocked_key *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->topic = ch_pg_next_text(&r);
	out->key = ch_pg_next_bytea_null(&r);
	out->letter = ch_pg_next_uuid(&r);
	out->since = ch_pg_next_time(&r);
	out->waiting = ch_pg_next_i64(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

static void
print_key_json(const struct blocked_key *k)
{
	char id[CH_UUID_TEXT_MAX], time[CH_TIME_TEXT_MAX];
	struct ch_buf b = CH_BUF_INIT;

	ch_uuid_format(&k->letter, id);
	ch_time_format(k->since, time);
	ch_buf_addc(&b, '{');
	ch_json_add_member(&b, "topic", k->topic);
	ch_json_add_member(&b, "key", k->key);
	ch_json_add_member(&b, "letter_id", ch_view_of(id));
	ch_json_add_member(&b, "since", ch_view_of(time));
	ch_json_add_member_i64(&b, "waiting", k->waiting);
	ch_buf_addc(&b, '}');
	printf("%s\n", ch_buf_str(&b));
	ch_buf_free(&b);
}

static void
print_key(const struct dlq *d, const struct blocked_key *k)
{
	char id[CH_UUID_TEXT_MAX];

	ch_uuid_format(&k->letter, id);
	printf("%s ", id);
	dlq_print_age(d->now.us - k->since.us);
	printf("  %8" PRId64 " waiting  ", k->waiting);
	dlq_print_safe(k->topic, 249);
	printf("  ");
	dlq_print_safe(k->key, 160);
	printf("\n");
}

int
dlq_keys(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct blocked_key k;
	struct ch_pg_args args;
	PGresult *res;
	int rc, i;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, d->filter.limit);
	rc = ch_pg_query(d->pg, &keys_stmt, &args, &res, &err);
	if (rc != CH_OK)
		return dlq_say_failed(&err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = read_key(res, i, &k, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_key_json(&k);
		else if (rc == CH_OK)
			print_key(d, &k);
	}
	if (rc == CH_OK && PQntuples(res) == d->filter.limit)
		(void)fprintf(stderr,
			"dlq: the %" PRId64 " that wait longest; more with "
			"--limit\n",
			d->filter.limit);
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : dlq_say_failed(&err);
}
