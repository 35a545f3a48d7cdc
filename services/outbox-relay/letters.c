/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letters: SQL around the view `letters`.
 */
#include "letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "outbox_relay_sql.h"

#define WHOLE_MAX 1000	      /* letters of which the values are read at once */
#define WHOLE_BYTES (4 << 20) /* and of those, but for the first */

static const struct ch_pg_stmt one_snapshot = {
	"", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"};
static const struct ch_pg_stmt applied_stmt = {
	"dlq_applied", outbox_relay_sql_letter_applied};
static const struct ch_pg_stmt missing_stmt = {
	"dlq_endpoint", outbox_relay_sql_endpoint_missing};
static const struct ch_pg_stmt sendings_stmt = {
	"dlq_sendings", outbox_relay_sql_letter_sendings};

static void
find_query(struct letters_query *q, const struct letters_filter *f)
{
	char value[64] = "value";

	letters_query_init(q, outbox_relay_sql_letters_find, f, f->limit);
	if (f->value_max > 0)
		(void)snprintf(value, sizeof(value), "substring(value FOR %d)",
			f->value_max);
	letters_query_put(q, "value", value);
	letters_query_put(q, "fitting",
		f->uncounted ? "SELECT FROM fitting LIMIT $7 + 1"
			     : "SELECT FROM fitting");
}

int
letters_find(struct ch_pg *pg, const struct letters_filter *f, PGresult **out,
	struct ch_err *err)
{
	struct letters_query q;
	int rc;

	find_query(&q, f);
	rc = ch_pg_query(pg, &q.stmt, &q.args, out, err);
	letters_query_free(&q);
	return rc;
}

/* Their ids; NULL: not rows of letters. */
static struct ch_uuid *
ids_that_fit(const PGresult *found, int from, int *count, struct ch_err *err)
{
	struct ch_uuid *ids =
		ch_xcalloc((size_t)PQntuples(found) + 1, sizeof(*ids));
	struct letters_row row;
	int64_t bytes = 0;

	for (*count = 0; from + *count < PQntuples(found); (*count)++) {
		if (letters_row(found, from + *count, &row, err) != CH_OK) {
			free(ids);
			return NULL;
		}
		bytes += row.bytes;
		if (*count == WHOLE_MAX || (*count > 0 && bytes > WHOLE_BYTES))
			break;
		ids[*count] = row.id;
	}
	return ids;
}

int
letters_whole(struct ch_pg *pg, const PGresult *found, int from, int *count,
	PGresult **out, struct ch_err *err)
{
	struct ch_uuid *ids = ids_that_fit(found, from, count, err);
	struct letters_filter f = {.ids = ids, .limit = WHOLE_MAX};
	int rc;

	*out = NULL;
	if (ids == NULL)
		return CH_EPROTO;
	f.id_count = (size_t)*count;
	/* no ids would mean all letters */
	rc = *count == 0 ? ch_err_set(err, CH_EPROTO, "letters: none there")
			 : letters_find(pg, &f, out, err);
	free(ids);
	return rc;
}

static int
read_overtaken(const PGresult *res, int64_t *count, struct ch_uuid *first,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);

	*first = ch_pg_next_uuid(&r);
	*count = ch_pg_next_i64(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

/* In one pass over all letters: the planner takes the named ones for a few,
 * however many they are. */
static int
ask_overtaken(struct ch_pg *pg, const struct ch_pg_args *args, PGresult **res,
	struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", outbox_relay_sql_letters_overtaken};
	int rc = ch_pg_begin(pg, err);

	if (rc == CH_OK)
		rc = ch_pg_exec(pg, "SET LOCAL enable_nestloop = off", err);
	if (rc == CH_OK)
		rc = ch_pg_query(pg, &stmt, args, res, err);
	(void)ch_pg_rollback(pg, NULL);
	return rc;
}

int
letters_overtaken(struct ch_pg *pg, const PGresult *found, bool again,
	int64_t *count, struct ch_uuid *first, struct ch_err *err)
{
	struct letters_row row;
	struct ch_pg_array ids;
	struct ch_pg_args args;
	PGresult *res = NULL;
	int rc = CH_OK, i;

	*count = 0;
	if (PQntuples(found) == 0)
		return CH_OK;
	ch_pg_array_init(&ids, CH_PG_UUID_ARRAY);
	for (i = 0; rc == CH_OK && i < PQntuples(found); i++) {
		rc = letters_row(found, i, &row, err);
		if (rc == CH_OK)
			ch_pg_array_uuid(&ids, &row.id);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &ids);
	ch_pg_arg_bool(&args, again);
	if (rc == CH_OK)
		rc = ask_overtaken(pg, &args, &res, err);
	if (rc == CH_OK && PQntuples(res) > 0)
		rc = read_overtaken(res, count, first, err);
	PQclear(res);
	ch_pg_array_free(&ids);
	return rc;
}

int
letters_open(struct ch_pg *pg, const struct letters_filter *f,
	struct ch_err *err)
{
	struct letters_query q;
	struct ch_buf sql = CH_BUF_INIT;
	struct ch_pg_stmt stmt = {"", NULL};
	int rc = ch_pg_begin(pg, err);

	if (rc == CH_OK)
		rc = ch_pg_query(pg, &one_snapshot, NULL, NULL, err);
	if (rc != CH_OK) {
		letters_close(pg);
		return rc;
	}
	find_query(&q, f);
	ch_buf_adds(&sql, "DECLARE found NO SCROLL CURSOR FOR ");
	ch_buf_adds(&sql, q.stmt.sql);
	stmt.sql = ch_buf_str(&sql);
	rc = ch_pg_query(pg, &stmt, &q.args, NULL, err);
	if (rc != CH_OK)
		letters_close(pg);
	ch_buf_free(&sql);
	letters_query_free(&q);
	return rc;
}

int
letters_page(struct ch_pg *pg, PGresult **out, struct ch_err *err)
{
	static const struct ch_pg_stmt fetch = {"", "FETCH 1000 FROM found"};

	return ch_pg_query(pg, &fetch, NULL, out, err);
}

void
letters_close(struct ch_pg *pg)
{
	(void)ch_pg_rollback(pg, NULL);
}

/* ---- one letter ---- */

int
letters_sendings(struct ch_pg *pg, const struct ch_uuid *id, PGresult **out,
	struct ch_err *err)
{
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_uuid(&args, id);
	return ch_pg_query(pg, &sendings_stmt, &args, out, err);
}

static struct ch_view
raw_at(const PGresult *res, int row, int col)
{
	return (struct ch_view){
		PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col)};
}

int
letters_row(const PGresult *res, int i, struct letters_row *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, i);
	struct ch_view kind;
	bool null;

	out->id = ch_pg_next_uuid(&r);
	kind = ch_pg_next_text(&r);
	out->is_delivery = ch_view_eq_str(kind, "delivery");
	out->is_foreign = ch_view_eq_str(kind, "foreign");
	out->topic = ch_pg_next_text(&r);
	out->part = ch_pg_next_is_null(&r) ? -1 : ch_pg_next_i32(&r);
	out->src_offset = ch_pg_next_i64_null(&r, &null);
	if (null)
		out->src_offset = -1;
	out->row_id = ch_pg_next_text(&r);
	out->key = ch_pg_next_bytea_null(&r);
	out->value = ch_pg_next_bytea_null(&r);
	out->names = raw_at(res, i, r.col++);
	out->values = raw_at(res, i, r.col++);
	out->class = ch_pg_next_text(&r);
	out->reason = ch_pg_next_text(&r);
	out->attempts = ch_pg_next_i32(&r);
	out->at = ch_pg_next_time(&r);
	if (!letter_state_of(ch_pg_next_text(&r), &out->state))
		return ch_err_set(err, CH_EPROTO, "letters: unknown state");
	out->replays = ch_pg_next_i32(&r);
	out->blocks_key = ch_pg_next_bool(&r);
	out->actor = ch_pg_next_text_null(&r);
	out->state_reason = ch_pg_next_text_null(&r);
	out->is_edit = !ch_pg_next_is_null(&r);
	if (out->is_edit)
		out->original = ch_pg_next_uuid(&r);
	out->fingerprint = ch_pg_next_text(&r);
	out->fitting = ch_pg_next_i64(&r);
	out->bytes = ch_pg_next_i64(&r);
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

const char *
letters_kind(const struct letters_row *row)
{
	if (row->is_foreign)
		return "foreign";
	return row->is_delivery ? "delivery" : "rejected";
}

/* false: it is no command of the ledger. args point into c. */
static bool
command_args(struct ch_pg_args *args, const struct letters_row *row,
	struct letter_command *c)
{
	if (row->is_delivery || row->is_foreign ||
		!letter_command_of(row->value, c))
		return false;
	ch_pg_args_clear(args);
	ch_pg_arg_str(args, c->org);
	ch_pg_arg_uuid(args, &c->id);
	ch_pg_arg_day(args, c->day);
	return true;
}

int
letters_command_add(struct ch_pg *pg, const struct letters_row *row,
	bool *asked, struct ch_err *err)
{
	struct letter_command c;
	struct ch_pg_args args;

	*asked = command_args(&args, row, &c);
	return *asked ? ch_pg_pipeline_add(pg, &applied_stmt, &args, err)
		      : CH_OK;
}

int
letters_commanded(const PGresult *res, struct letters_command *out,
	struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, 0);

	*out = (struct letters_command){.known = PQntuples(res) == 1};
	if (!out->known)
		return CH_OK;
	ch_view_copy(ch_pg_next_text_null(&r), out->status,
		sizeof(out->status));
	out->expired = ch_pg_next_bool(&r);
	ch_view_copy(ch_pg_next_text(&r), out->lowest_day,
		sizeof(out->lowest_day));
	return ch_pg_row_ok(&r, err) ? CH_OK : CH_EPROTO;
}

int
letters_command(struct ch_pg *pg, const struct letters_row *row,
	struct letters_command *out, struct ch_err *err)
{
	struct letter_command c;
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	*out = (struct letters_command){.known = false};
	if (!command_args(&args, row, &c))
		return CH_OK;
	rc = ch_pg_query(pg, &applied_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	rc = letters_commanded(res, out, err);
	PQclear(res);
	return rc;
}

int
letters_endpoint_missing(struct ch_pg *pg, struct ch_view topic, bool *missing,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	*missing = false;
	ch_pg_args_clear(&args);
	ch_pg_arg_text(&args, topic);
	rc = ch_pg_query(pg, &missing_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	(void)ch_pg_get_bool(res, 0, 0, missing);
	PQclear(res);
	return CH_OK;
}
