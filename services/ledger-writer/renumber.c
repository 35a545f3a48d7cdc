/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renumber: see renumber.h. One statement for all kinds.
 */
#include "renumber.h"

#include "base/mem.h"
#include "ledger_writer_sql.h"

/* In the order of the kinds in replay_numbers.sql. */
static const enum row_kind kinds[] = {ROW_ACCOUNT, ROW_SKU, ROW_HOLD,
	ROW_RESERVATION, ROW_ORDER, ROW_MARKET, ROW_POSITION};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct ch_pg_stmt numbers = {
	"replay_numbers", ledger_writer_sql_replay_numbers};

struct question {
	struct ch_pg_array kind, org, name, market, outcome;
};

static void
question_init(struct question *q)
{
	ch_pg_array_init(&q->kind, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&q->org, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&q->name, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&q->market, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&q->outcome, CH_PG_TEXT_ARRAY);
}

static void
question_free(struct question *q)
{
	ch_pg_array_free(&q->kind);
	ch_pg_array_free(&q->org);
	ch_pg_array_free(&q->name);
	ch_pg_array_free(&q->market);
	ch_pg_array_free(&q->outcome);
}

/* Shards have their account's. */
static bool
wants_number(const struct row *row)
{
	return row->created && row->number == 0 &&
		(row->kind != ROW_ACCOUNT ||
			((const struct account *)(const void *)row)->whole ==
				NULL);
}

static void
add_row(struct question *q, int32_t kind, const struct row *row)
{
	const struct position *p = (const void *)row;

	ch_pg_array_i32(&q->kind, kind);
	ch_pg_array_i32(&q->org, row->org->org_id);
	if (row->kind == ROW_POSITION) {
		ch_pg_array_text(&q->name, p->account->row.name);
		ch_pg_array_text(&q->market, p->market->row.name);
		ch_pg_array_text(&q->outcome, p->outcome);
	} else {
		ch_pg_array_text(&q->name, row->name);
		ch_pg_array_null(&q->market);
		ch_pg_array_null(&q->outcome);
	}
}

/* Adds every row that wants one; the rows, in their order. */
static struct row **
add_rows(struct question *q, struct books *b)
{
	struct row **rows;
	size_t most = 1;
	size_t n = 0;

	for (size_t k = 0; k < KINDS; k++)
		most += books_count(b, kinds[k]);
	rows = ch_arena_alloc(&b->arena, most * sizeof(struct row *));
	for (size_t k = 0; k < KINDS; k++) {
		for (size_t i = 0; i < books_count(b, kinds[k]); i++) {
			struct row *row = b->sets[kinds[k]].rows[i];
			if (!wants_number(row))
				continue;
			add_row(q, (int32_t)k, row);
			rows[n++] = row;
		}
	}
	return rows;
}

int
renumber(struct session *s, struct books *b, struct ch_err *err)
{
	struct question q;
	struct ch_pg_args a;
	PGresult *res = NULL;
	int rc = 0;

	question_init(&q);
	struct row **rows = add_rows(&q, b);
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &q.kind);
	ch_pg_arg_array(&a, &q.org);
	ch_pg_arg_array(&a, &q.name);
	ch_pg_arg_array(&a, &q.market);
	ch_pg_arg_array(&a, &q.outcome);
	if (q.kind.count > 0)
		rc = ch_pg_query(s->pg, &numbers, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		bool none = false;
		int64_t number = ch_pg_next_i64_null(&r, &none);
		if (!none)
			rows[i]->number = number;
	}
	PQclear(res);
	question_free(&q);
	return rc;
}
