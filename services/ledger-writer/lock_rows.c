/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_rows: see lock_rows.h.
 */
#include "lock_rows.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ledger_writer_sql.h"

#define STATEMENT(name)                                                        \
	{                                                                      \
#name, ledger_writer_sql_##name                                \
	}
static const struct ch_pg_stmt lock_balances = STATEMENT(lock_balances);
static const struct ch_pg_stmt lock_stock = STATEMENT(lock_stock);
static const struct ch_pg_stmt lock_due_holds = STATEMENT(lock_due_holds);
static const struct ch_pg_stmt lock_due = STATEMENT(lock_due);
static const struct ch_pg_stmt find_reversals = STATEMENT(find_reversals);
static const struct ch_pg_stmt lock_holds = STATEMENT(lock_holds);
static const struct ch_pg_stmt lock_reservations = STATEMENT(lock_reservations);
static const struct ch_pg_stmt lock_orders = STATEMENT(lock_orders);
static const struct ch_pg_stmt find_fills = STATEMENT(find_fills);
static const struct ch_pg_stmt lock_markets = STATEMENT(lock_markets);
static const struct ch_pg_stmt share_markets = STATEMENT(share_markets);
static const struct ch_pg_stmt sum_holdings = STATEMENT(sum_holdings);
static const struct ch_pg_stmt lock_positions = STATEMENT(lock_positions);
static const struct ch_pg_stmt lock_locked = STATEMENT(lock_locked);
static const struct ch_pg_stmt lock_trades = STATEMENT(lock_trades);

void
lock_rows_init(struct lock_rows *k)
{
	*k = (struct lock_rows){.due_first = {ROW_HOLD, 0}};
	ch_pg_array_init(&k->org_ids, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&k->ids, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&k->small, CH_PG_INT2_ARRAY);
	ch_pg_array_init(&k->places, CH_PG_TID_ARRAY);
	ch_pg_array_init(&k->texts, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&k->more_texts, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&k->uuids, CH_PG_UUID_ARRAY);
	ch_pg_array_init(&k->aside_holds, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&k->aside_reservations, CH_PG_INT8_ARRAY);
}

void
lock_rows_free(struct lock_rows *k)
{
	ch_pg_array_free(&k->org_ids);
	ch_pg_array_free(&k->ids);
	ch_pg_array_free(&k->small);
	ch_pg_array_free(&k->places);
	ch_pg_array_free(&k->texts);
	ch_pg_array_free(&k->more_texts);
	ch_pg_array_free(&k->uuids);
	ch_pg_array_free(&k->aside_holds);
	ch_pg_array_free(&k->aside_reservations);
	aside_free(&k->aside);
}

/* ---- in which order ---- */

static int
by_account(const void *a, const void *b)
{
	const struct account *x = *(struct account *const *)a;
	const struct account *y = *(struct account *const *)b;
	if (x->row.number != y->row.number)
		return x->row.number < y->row.number ? -1 : 1;
	return x->shard - y->shard;
}

static int
by_number(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;
	return (x->number > y->number) - (x->number < y->number);
}

static void
plan_accounts(struct lock_plan *p)
{
	size_t n = books_count(p->books, ROW_ACCOUNT);
	p->accounts = ch_arena_alloc(p->arena, (n + 1) * sizeof(*p->accounts));
	p->lockers = ch_arena_alloc(p->arena, (n + 1) * sizeof(*p->lockers));
	for (size_t i = 0; i < n; i++) {
		struct account *a = books_account_at(p->books, i);
		if (a->row.number == 0 || a->shards > 0)
			continue;
		p->accounts[p->account_count++] = a;
		if (a->wants_locks)
			p->lockers[p->locker_count++] = a;
	}
	qsort(p->accounts, p->account_count, sizeof(*p->accounts), by_account);
	qsort(p->lockers, p->locker_count, sizeof(*p->lockers), by_account);
}

static void
plan_positions(struct lock_plan *p)
{
	size_t n = books_count(p->books, ROW_POSITION);
	p->positions =
		ch_arena_alloc(p->arena, (n + 1) * sizeof(*p->positions));
	for (size_t i = 0; i < n; i++) {
		struct position *x = books_position_at(p->books, i);
		if (x->account->row.number != 0 && x->account->shards == 0)
			p->positions[p->position_count++] = x;
	}
}

static void
plan_markets(struct lock_plan *p)
{
	p->shared_markets = true;
	for (size_t i = 0; i < books_count(p->books, ROW_MARKET); i++)
		if (books_market_at(p->books, i)->wants_change)
			p->shared_markets = false;
}

void
lock_rows_plan(struct lock_plan *p, struct books *b, struct ch_arena *arena)
{
	size_t skus = books_count(b, ROW_SKU);
	*p = (struct lock_plan){
		.books = b, .arena = arena, .locked_most = INT64_MAX};
	for (size_t i = 0; i < LOCK_STATEMENTS; i++)
		p->at[i] = SIZE_MAX;
	plan_accounts(p);
	p->skus = ch_arena_alloc(arena, (skus + 1) * sizeof(*p->skus));
	for (size_t i = 0; i < skus; i++)
		if (books_sku_at(b, i)->row.number != 0)
			p->skus[p->sku_count++] = books_sku_at(b, i);
	qsort(p->skus, p->sku_count, sizeof(*p->skus), by_number);
	plan_positions(p);
	plan_markets(p);
}

/* ---- queueing ---- */

static void
clear_keys(struct lock_rows *k)
{
	ch_pg_array_clear(&k->org_ids);
	ch_pg_array_clear(&k->ids);
	ch_pg_array_clear(&k->small);
	ch_pg_array_clear(&k->places);
	ch_pg_array_clear(&k->texts);
	ch_pg_array_clear(&k->more_texts);
	ch_pg_array_clear(&k->uuids);
}

/* Up to three arrays, in the order of the statement's parameters. */
static size_t
add(struct script *sc, const struct ch_pg_stmt *stmt, struct ch_pg_array *a,
	struct ch_pg_array *b, struct ch_pg_array *c)
{
	struct ch_pg_args args;
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, a);
	ch_pg_arg_array(&args, b);
	if (c != NULL)
		ch_pg_arg_array(&args, c);
	return script_add(sc, stmt, &args);
}

static void
queue_balances(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	struct ch_pg_args a;
	clear_keys(k);
	for (size_t i = 0; i < p->account_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->accounts[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids, p->accounts[i]->row.number);
		ch_pg_array_i16(&k->small, (int16_t)p->accounts[i]->shard);
		ch_pg_array_tid(&k->places, p->accounts[i]->place);
	}
	if (p->account_count == 0)
		return;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &k->org_ids);
	ch_pg_arg_array(&a, &k->ids);
	ch_pg_arg_array(&a, &k->small);
	ch_pg_arg_array(&a, &k->places);
	p->at[LOCK_BALANCES] = script_add(sc, &lock_balances, &a);
}

static void
queue_stock(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	clear_keys(k);
	for (size_t i = 0; i < p->sku_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->skus[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids, p->skus[i]->row.number);
	}
	if (p->sku_count > 0)
		p->at[LOCK_STOCK] =
			add(sc, &lock_stock, &k->org_ids, &k->ids, NULL);
}

static size_t
add_due(struct lock_rows *k, const struct lock_plan *p, struct script *sc,
	const struct ch_pg_stmt *stmt, struct ch_pg_array *aside)
{
	struct ch_pg_args a;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &k->org_ids);
	ch_pg_arg_array(&a, &k->ids);
	ch_pg_arg_time(&a, p->due_until);
	ch_pg_arg_i64(&a, p->due_max);
	ch_pg_arg_array(&a, aside);
	return script_add(sc, stmt, &a);
}

/* Those set aside are not asked for. */
static struct ch_pg_array *
set_aside(const struct lock_rows *k, enum row_kind kind, struct ch_pg_array *to)
{
	size_t at = 0;
	int64_t number;
	ch_pg_array_clear(to);
	while ((number = aside_next(&k->aside, kind, &at)) != 0)
		ch_pg_array_i64(to, number);
	return to;
}

/* Of accounts without shards only: the others have no holds. */
static void
queue_due_holds(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	clear_keys(k);
	for (size_t i = 0; i < p->account_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->accounts[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids,
			p->accounts[i]->whole == NULL
				? p->accounts[i]->row.number
				: 0);
	}
	if (p->account_count > 0)
		p->at[LOCK_DUE_HOLDS] = add_due(k, p, sc, &lock_due_holds,
			set_aside(k, ROW_HOLD, &k->aside_holds));
}

void
lock_rows_queue_due(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	queue_due_holds(k, p, sc);
	clear_keys(k);
	for (size_t i = 0; i < p->sku_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->skus[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids, p->skus[i]->row.number);
	}
	if (p->sku_count > 0)
		p->at[LOCK_DUE_STOCK] = add_due(k, p, sc, &lock_due,
			set_aside(k, ROW_RESERVATION, &k->aside_reservations));
}

static void
queue_reversals(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	struct ch_pg_array members;
	size_t n = books_count(p->books, ROW_TRANSFER);
	if (n == 0)
		return;
	clear_keys(k);
	ch_pg_array_init(&members, CH_PG_INT4_ARRAY);
	for (size_t i = 0; i < n; i++) {
		const struct transfer *t = books_transfer_at(p->books, i);
		ch_pg_array_i32(&k->org_ids, t->row.org->org_id);
		ch_pg_array_uuid(&k->uuids, &t->id);
		ch_pg_array_i32(&members, t->member);
	}
	p->at[LOCK_REVERSALS] =
		add(sc, &find_reversals, &k->org_ids, &k->uuids, &members);
	ch_pg_array_free(&members);
}

/* Rows that are found by organisation and name. */
static size_t
queue_named(struct lock_rows *k, struct lock_plan *p, struct script *sc,
	enum row_kind kind, const struct ch_pg_stmt *stmt)
{
	size_t n = books_count(p->books, kind);
	if (n == 0)
		return SIZE_MAX;
	clear_keys(k);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = p->books->sets[kind].rows[i];
		ch_pg_array_i32(&k->org_ids, row->org->org_id);
		ch_pg_array_text(&k->texts, row->name);
	}
	return add(sc, stmt, &k->org_ids, &k->texts, NULL);
}

static void
queue_fills(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	size_t n = books_count(p->books, ROW_FILL);
	if (n == 0)
		return;
	clear_keys(k);
	for (size_t i = 0; i < n; i++) {
		const struct fill *f = books_fill_at(p->books, i);
		ch_pg_array_i32(&k->org_ids, f->row.org->org_id);
		ch_pg_array_text(&k->texts, f->order->row.name);
		ch_pg_array_text(&k->more_texts, f->fill_name);
	}
	p->at[LOCK_FILLS] =
		add(sc, &find_fills, &k->org_ids, &k->texts, &k->more_texts);
}

/* The i-th market to be summed, and the payouts of its settlements. */
static void
add_holdings(struct lock_rows *k, struct lock_plan *p, const struct market *m,
	int64_t i)
{
	ch_pg_array_i32(&k->org_ids, m->row.org->org_id);
	ch_pg_array_text(&k->texts, m->row.name);
	for (struct market_settle *s = m->settles; s != NULL; s = s->next) {
		for (size_t j = 0; j < s->payout_count; j++) {
			s->payouts[j].units = 0;
			p->payouts[p->payout_count++] = &s->payouts[j];
			ch_pg_array_i64(&k->ids, i);
			ch_pg_array_text(&k->more_texts, s->payouts[j].outcome);
		}
	}
}

static void
plan_payouts(struct lock_plan *p)
{
	size_t most = 0;
	for (size_t i = 0; i < books_count(p->books, ROW_MARKET); i++)
		for (const struct market_settle *s =
				books_market_at(p->books, i)->settles;
			s != NULL; s = s->next)
			most += s->payout_count;
	p->payouts = ch_arena_alloc(p->arena, (most + 1) * sizeof(*p->payouts));
}

static void
queue_holdings(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	struct ch_pg_args a;
	int64_t summed = 0;
	clear_keys(k);
	plan_payouts(p);
	for (size_t i = 0; i < books_count(p->books, ROW_MARKET); i++)
		if (books_market_at(p->books, i)->settles != NULL)
			add_holdings(k, p, books_market_at(p->books, i),
				++summed);
	if (summed == 0)
		return;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &k->org_ids);
	ch_pg_arg_array(&a, &k->texts);
	ch_pg_arg_array(&a, &k->ids);
	ch_pg_arg_array(&a, &k->more_texts);
	p->at[LOCK_HOLDINGS] = script_add(sc, &sum_holdings, &a);
}

static void
queue_positions(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	struct ch_pg_args a;
	if (p->position_count == 0)
		return;
	clear_keys(k);
	for (size_t i = 0; i < p->position_count; i++) {
		const struct position *x = p->positions[i];
		ch_pg_array_i32(&k->org_ids, x->row.org->org_id);
		ch_pg_array_i64(&k->ids, x->account->row.number);
		ch_pg_array_text(&k->texts, x->market->row.name);
		ch_pg_array_text(&k->more_texts, x->outcome);
	}
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &k->org_ids);
	ch_pg_arg_array(&a, &k->ids);
	ch_pg_arg_array(&a, &k->texts);
	ch_pg_arg_array(&a, &k->more_texts);
	p->at[LOCK_POSITIONS] = script_add(sc, &lock_positions, &a);
}

static void
queue_locked(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	struct ch_pg_args a;
	if (p->locker_count == 0)
		return;
	clear_keys(k);
	for (size_t i = 0; i < p->locker_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->lockers[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids, p->lockers[i]->row.number);
	}
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &k->org_ids);
	ch_pg_arg_array(&a, &k->ids);
	ch_pg_arg_i64(&a, (int64_t)p->locked_most);
	p->at[LOCK_LOCKED] = script_add(sc, &lock_locked, &a);
}

void
lock_rows_queue(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	k->due_first = (struct due_ref){ROW_HOLD, 0};
	queue_balances(k, p, sc);
	queue_stock(k, p, sc);
	lock_rows_queue_due(k, p, sc);
	queue_reversals(k, p, sc);
	p->at[LOCK_HOLDS] = queue_named(k, p, sc, ROW_HOLD, &lock_holds);
	p->at[LOCK_RESERVATIONS] =
		queue_named(k, p, sc, ROW_RESERVATION, &lock_reservations);
	p->at[LOCK_ORDERS] = queue_named(k, p, sc, ROW_ORDER, &lock_orders);
	queue_fills(k, p, sc);
	p->at[LOCK_MARKETS] = queue_named(k, p, sc, ROW_MARKET,
		p->shared_markets ? &share_markets : &lock_markets);
	queue_holdings(k, p, sc);
	queue_positions(k, p, sc);
	queue_locked(k, p, sc);
	p->at[LOCK_TRADES] = queue_named(k, p, sc, ROW_TRADE, &lock_trades);
}
