/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write: numbers for new rows, then the tables in their order.
 */
#include "write.h"

#include <stdlib.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "ledger_writer_sql.h"
#include "write_rows.h"

#define POOL_AHEAD 256
#define INDEX_EVERY 8 /* lines of a page */

static const struct ch_pg_stmt draw_ids = {
	"draw_ids", ledger_writer_sql_draw_ids};

void
writer_init(struct writer *w, struct session *s, struct name_cache *cache)
{
	*w = (struct writer){.session = s, .cache = cache};
}

void
writer_free(struct writer *w)
{
	for (size_t i = 0; i < POOLS; i++)
		free(w->pools[i].numbers);
}

/* ---- numbers for new rows ---- */

static void
pool_put(struct number_pool *p, int64_t n)
{
	if (p->count == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 512;
		p->numbers = ch_xrealloc(p->numbers, p->cap, sizeof(int64_t));
	}
	p->numbers[p->count++] = n;
}

/* A standby that was promoted may not have heard of what the old primary's
 * sequences gave away, and gives it away again. */
static void
look_at_connection(struct writer *w)
{
	if (w->connection == w->session->connections)
		return;
	for (size_t i = 0; i < POOLS; i++)
		w->pools[i].count = 0;
	w->connection = w->session->connections;
}

/* Sees to it that each pool holds what is needed. */
static int
fill_pools(struct writer *w, const size_t need[POOLS], struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	bool enough = true;
	look_at_connection(w);
	ch_pg_args_clear(&a);
	for (size_t i = 0; i < POOLS; i++) {
		bool lacks = w->pools[i].count < need[i];
		enough &= !lacks;
		ch_pg_arg_i64(&a, lacks ? (int64_t)need[i] + POOL_AHEAD : 0);
	}
	if (enough)
		return 0;
	int rc = session_query(w->session, &draw_ids, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t pool = ch_pg_next_i64(&r);
		int64_t n = ch_pg_next_i64(&r);
		if (!ch_pg_row_ok(&r, err))
			rc = err->code;
		else
			pool_put(&w->pools[pool - 1], n);
	}
	PQclear(res);
	return rc;
}

/* Which kinds have numbers of their own, in the order of draw_ids.sql. */
static const enum row_kind numbered[POOLS] = {ROW_ACCOUNT, ROW_SKU, ROW_HOLD,
	ROW_RESERVATION, ROW_ORDER, ROW_MARKET, ROW_POSITION};

/* Shards have their account's; a replay has found some in the books. */
static bool
needs_number(const struct row *row)
{
	return row->created && row->number == 0 &&
		(row->kind != ROW_ACCOUNT ||
			((const struct account *)(const void *)row)->whole ==
				NULL);
}

static int
last_made_first(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;
	return (x->made < y->made) - (x->made > y->made);
}

/* Numbers rise in the order in which the rows were made: holders of a market
 * are paid in that order. */
static void
number_set(struct number_pool *p, struct books *b, enum row_kind kind,
	size_t count)
{
	struct row_set *set = &b->sets[kind];
	struct row **made;
	size_t n = 0;
	if (count == 0)
		return;
	made = ch_arena_alloc(&b->arena, count * sizeof(*made));
	for (size_t i = 0; i < set->count; i++)
		if (needs_number(set->rows[i]))
			made[n++] = set->rows[i];
	qsort(made, n, sizeof(*made), last_made_first);
	for (size_t i = 0; i < n; i++)
		made[i]->number = p->numbers[--p->count];
}

static void
number_shards(struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++) {
		struct account *a = books_account_at(b, i);
		if (a->row.created && a->whole != NULL)
			a->row.number = a->whole->row.number;
	}
}

static int
number_rows(struct writer *w, struct books *b, struct ch_err *err)
{
	size_t need[POOLS] = {0};
	for (size_t k = 0; k < POOLS; k++)
		for (size_t i = 0; i < books_count(b, numbered[k]); i++)
			need[k] += needs_number(b->sets[numbered[k]].rows[i]);
	int rc = fill_pools(w, need, err);
	for (size_t k = 0; rc == 0 && k < POOLS; k++)
		number_set(&w->pools[k], b, numbered[k], need[k]);
	if (rc == 0)
		number_shards(b);
	return rc;
}

/* Where the next batch shall look for the row first. Dead versions are cleared
 * away only by a look through the index: so each page gets one now and then,
 * before it is full and its rows have to move. */
static uint64_t
hint_of(uint64_t place)
{
	return place % INDEX_EVERY != 0 ? place : 0;
}

/* Every row was where its lock had found it. */
static int
note_places(struct writer *wr, const struct writing_tables *w)
{
	const PGresult *res;
	if (w->moved_count == 0)
		return 0;
	res = script_result(w->script, w->moved_at);
	if ((size_t)PQntuples(res) != w->moved_count)
		return ch_err_set(w->err, CH_EPROTO,
			"%d of %zu rows of balances were changed",
			PQntuples(res), w->moved_count);
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t at = ch_pg_next_i64(&r);
		uint64_t place = ch_pg_next_tid(&r);
		if (!ch_pg_row_ok(&r, w->err))
			return w->err->code;
		const struct account *a = w->moved[at - 1];
		if (a->whole == NULL)
			name_cache_move(wr->cache, NAME_ACCOUNT,
				a->row.org->org_id, a->row.name,
				hint_of(place));
	}
	return 0;
}

static int
write_all(struct writing_tables *x, write_fn *const *tables, size_t n)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = tables[i](x);
	return rc;
}

static int
write_books(struct writer *w, struct writing_tables *x)
{
	static write_fn *const tables[] = {write_assets, write_accounts,
		write_balances, write_skus, write_stock, write_holds,
		write_reservations, write_reversals, write_orders, write_fills,
		write_markets, write_positions, write_trades, write_rates};
	int rc = number_rows(w, x->books, x->err);
	return rc == 0
		? write_all(x, tables, sizeof(tables) / sizeof(tables[0]))
		: rc;
}

static int
write_rest(struct writer *w, struct writing_tables *x, write_fn *const *tables,
	size_t n)
{
	int rc = write_books(w, x);
	if (rc == 0)
		rc = write_all(x, tables, n);
	if (rc == 0) {
		CH_FAILPOINT("ledger.before_updates");
		write_changes(x);
		rc = script_run(x->script, x->err);
	}
	if (rc == 0)
		rc = note_places(w, x);
	script_clear(x->script);
	return rc;
}

int
writer_write(struct writer *w, struct script *sc, struct load *l,
	const struct locks *locks, struct ch_err *err)
{
	static write_fn *const tables[] = {write_log, write_answers,
		write_rejected, write_postings, write_outbox};
	struct writing_tables x = {sc, l, &l->batch.books,
		locks->context.number, locks->context.decided_at, err, NULL, 0,
		0};
	return write_rest(w, &x, tables, sizeof(tables) / sizeof(tables[0]));
}

int
writer_write_books(struct writer *w, struct script *sc, struct load *l,
	const struct locks *locks, struct ch_err *err)
{
	static write_fn *const tables[] = {write_postings};
	struct writing_tables x = {sc, l, &l->batch.books,
		locks->context.number, locks->context.decided_at, err, NULL, 0,
		0};
	return write_rest(w, &x, tables, 1);
}
