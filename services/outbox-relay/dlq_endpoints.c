/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_endpoints: which endpoints have deliveries waiting, and who has them; those
 * of an endpoint that is nobody's become letters, which can be discarded, planned
 * and exported like others, or sent when it is back.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "dlq_private.h"
#include "outbox_relay_sql.h"
#include "plans.h"

#define BURIED_AT_ONCE 10000 /* in a transaction */
#define COUNTED_MAX 100000   /* endpoints_waiting.sql */

struct waiting {
	struct ch_view endpoint, whose;
	int64_t count;
	struct ch_time since;
};

static int
find(struct dlq *d, PGresult **out, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", outbox_relay_sql_endpoints_waiting};
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, d->endpoint);
	ch_pg_arg_i64(&args, d->filter.limit);
	return ch_pg_query(d->pg, &stmt, &args, out, err);
}

static int
read_waiting(const PGresult *res, int i, struct waiting *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);

	out->endpoint = ch_pg_next_text(&r);
	out->count = ch_pg_next_i64(&r);
	out->since = ch_pg_next_time(&r);
	out->whose = ch_pg_next_text(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

static void
print_json(const struct waiting *w)
{
	struct ch_buf b = CH_BUF_INIT;
	char since[CH_TIME_TEXT_MAX];

	ch_time_format(w->since, since);
	ch_buf_addc(&b, '{');
	ch_json_add_member(&b, "endpoint", w->endpoint);
	ch_json_add_member_i64(&b, "waiting", w->count);
	ch_json_add_member(&b, "since", ch_view_of(since));
	ch_json_add_member(&b, "whose", w->whose);
	dlq_print_object(&b);
}

static void
print_plain(const struct dlq *d, const struct waiting *w)
{
	printf("%8" PRId64 "%s waiting  oldest", w->count,
		w->count == COUNTED_MAX ? "+" : "");
	dlq_print_age(d->now.us - w->since.us);
	printf("  ");
	dlq_print_safe(w->endpoint, 160);
	if (ch_view_eq_str(w->whose, "nobody")) {
		printf("  (no running relay has it: put it back into the file "
		       "of webhooks, or dlq bury ");
		dlq_print_safe(w->endpoint, 160);
		printf(")");
	} else if (ch_view_eq_str(w->whose, "unknown")) {
		printf("  (no running relay has it; one that may have it does "
		       "not run)");
	}
	printf("\n");
}

int
dlq_endpoints(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	struct waiting w;
	PGresult *res;
	int rc = find(d, &res, &err), i;

	if (rc != CH_OK)
		return dlq_say_failed(&err);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++) {
		rc = read_waiting(res, i, &w, &err);
		if (rc == CH_OK && d->form == DLQ_JSON)
			print_json(&w);
		else if (rc == CH_OK)
			print_plain(d, &w);
	}
	PQclear(res);
	return rc == CH_OK ? DLQ_DONE : dlq_say_failed(&err);
}

/* ---- bury ---- */

/* How many wait; 0: none. */
static int
count_waiting(struct dlq *d, int64_t *count, struct ch_err *err)
{
	struct waiting w = {.count = 0};
	PGresult *res;
	int rc = find(d, &res, err);

	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) > 0)
		rc = read_waiting(res, 0, &w, err);
	*count = w.count;
	PQclear(res);
	return rc;
}

/* In a transaction of its own, which a dry run takes back. */
static int
bury(struct dlq *d, int32_t most, int64_t *many, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"dlq_bury", outbox_relay_sql_endpoint_bury};
	struct ch_pg_args args;
	PGresult *res = NULL;
	int rc = ch_pg_begin(d->pg, err);

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, d->endpoint);
	ch_pg_arg_str(&args, d->actor);
	ch_pg_arg_str(&args, d->reason != NULL ? d->reason : "dry run");
	ch_pg_arg_i32(&args, most);
	if (rc == CH_OK)
		rc = plans_refusal(d->pg,
			ch_pg_query(d->pg, &stmt, &args, &res, err), err);
	if (rc == CH_OK && !ch_pg_get_i64(res, 0, 0, many))
		rc = ch_err_set(err, CH_EPROTO, "bury_deliveries: no number");
	PQclear(res);
	return plans_settle(d->pg, rc, d->dry_run, err);
}

static int
bury_all(struct dlq *d, int64_t *letters, struct ch_err *err)
{
	int64_t many = 1;
	int rc = CH_OK;

	for (*letters = 0; rc == CH_OK && many > 0; *letters += many) {
		many = 0;
		rc = bury(d, BURIED_AT_ONCE, &many, err);
	}
	return rc;
}

static int
say_buried(const struct dlq *d, int64_t letters)
{
	if (letters == 0) {
		(void)fprintf(stderr, "dlq: nothing waits for endpoint %s\n",
			d->endpoint);
		return DLQ_REFUSED;
	}
	printf("%" PRId64 "%s deliveries %s letters of webhook:%s: dlq list "
	       "--topic webhook:%s, dlq discard, or dlq replay when it is "
	       "back\n",
		letters, d->dry_run && letters == COUNTED_MAX ? "+" : "",
		d->dry_run ? "would become" : "are", d->endpoint, d->endpoint);
	return DLQ_DONE;
}

int
dlq_bury(struct dlq *d)
{
	struct ch_err err = CH_ERR_INIT;
	int64_t letters = 0, tried;
	int rc;

	if (d->dry_run) {
		rc = bury(d, 1, &tried, &err);
		if (rc == CH_OK)
			rc = count_waiting(d, &letters, &err);
	} else {
		rc = bury_all(d, &letters, &err);
	}
	if (rc == CH_OK)
		return say_buried(d, letters);
	if (letters > 0)
		printf("%" PRId64 " deliveries are letters\n", letters);
	(void)dlq_say_failed(&err);
	return rc == CH_EEXIST ? DLQ_REFUSED : DLQ_FAILED;
}
