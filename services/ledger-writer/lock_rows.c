/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_rows: see lock_rows.h. Queueing first, then reading, kind by kind.
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
	*p = (struct lock_plan){.books = b, .arena = arena};
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

static void
queue_markets(struct lock_rows *k, struct lock_plan *p, struct script *sc)
{
	bool wants_holdings = false;
	for (size_t i = 0; i < books_count(p->books, ROW_MARKET); i++)
		wants_holdings |= books_market_at(p->books, i)->wants_holdings;
	p->at[LOCK_MARKETS] = queue_named(k, p, sc, ROW_MARKET,
		p->shared_markets ? &share_markets : &lock_markets);
	if (wants_holdings)
		p->at[LOCK_HOLDINGS] =
			queue_named(k, p, sc, ROW_MARKET, &sum_holdings);
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
	if (p->locker_count == 0)
		return;
	clear_keys(k);
	for (size_t i = 0; i < p->locker_count; i++) {
		ch_pg_array_i32(&k->org_ids, p->lockers[i]->row.org->org_id);
		ch_pg_array_i64(&k->ids, p->lockers[i]->row.number);
	}
	p->at[LOCK_LOCKED] = add(sc, &lock_locked, &k->org_ids, &k->ids, NULL);
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
	queue_markets(k, p, sc);
	queue_positions(k, p, sc);
	queue_locked(k, p, sc);
	p->at[LOCK_TRADES] = queue_named(k, p, sc, ROW_TRADE, &lock_trades);
}

/* ---- reading ---- */

/* What a loader works with. */
struct reading_rows {
	struct lock_rows *k;
	struct lock_plan *p;
	struct books *books;
	struct ch_err *err;
};

static struct ch_view
keep(const struct reading_rows *x, struct ch_view v)
{
	return v.ptr != NULL ? ch_arena_view(&x->books->arena, v) : v;
}

static void
next_stamp(struct ch_pg_row *r, struct row *row)
{
	row->version = ch_pg_next_i64(r);
	row->last_at = ch_pg_next_time(r);
}

static int
bad_state(const struct reading_rows *x, const char *of, struct ch_view state)
{
	return ch_err_set(x->err, CH_EPROTO, "state %.*s of %s",
		CH_VIEW_ARG(state), of);
}

/* The answer was read whole: the row is there. */
static int
loaded(const struct reading_rows *x, const struct ch_pg_row *r, struct row *row)
{
	if (!ch_pg_row_ok(r, x->err))
		return x->err->code;
	books_loaded(row);
	return 0;
}

static int
load_balance(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct account *a = x->p->accounts[at - 1];
	bool no_floor = false;
	a->place = ch_pg_next_tid(r);
	a->balance.minor = ch_pg_next_i64(r);
	a->held.minor = ch_pg_next_i64(r);
	a->floor.minor = ch_pg_next_i64_null(r, &no_floor);
	a->has_floor = !no_floor;
	a->row.version = ch_pg_next_i64(r);
	a->closed = ch_pg_next_bool(r);
	a->row.last_at = ch_pg_next_time(r);
	return loaded(x, r, &a->row);
}

static int
load_stock(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct sku *s = x->p->skus[at - 1];
	s->on_hand.units = ch_pg_next_i64(r);
	s->reserved.units = ch_pg_next_i64(r);
	next_stamp(r, &s->row);
	return loaded(x, r, &s->row);
}

static int
load_reversal(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct transfer *t = books_transfer_at(x->books, (size_t)at - 1);
	t->reversed_by = ch_pg_next_uuid(r);
	return loaded(x, r, &t->row);
}

/* It was made since discovery: its owner is not locked. */
static int
made_since(const struct reading_rows *x, const struct row *row)
{
	ch_err_set(x->err, CH_EFENCED, "\"%.*s\" is another row than before",
		CH_VIEW_ARG(row->name));
	return 1;
}

/* The columns behind the number and name. */
static int
next_hold(const struct reading_rows *x, struct ch_pg_row *r, struct hold *h)
{
	bool never = false;
	h->amount.minor = ch_pg_next_i64(r);
	struct ch_view state = ch_pg_next_text(r);
	h->captured.minor = ch_pg_next_i64(r);
	h->expires_at = ch_pg_next_time_null(r, &never);
	h->expires = !never;
	next_stamp(r, &h->row);
	h->stream = ch_pg_next_i32(r);
	if (!hold_state_of(state, &h->state))
		return bad_state(x, "a hold", state);
	return loaded(x, r, &h->row);
}

static int
load_hold(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct hold *h = books_hold_at(x->books, (size_t)at - 1);
	int64_t number = ch_pg_next_i64(r);
	if (h->row.number != number)
		return made_since(x, &h->row);
	h->set_aside =
		aside_has(&x->k->aside, (struct due_ref){ROW_HOLD, number});
	return next_hold(x, r, h);
}

static int
next_reservation(const struct reading_rows *x, struct ch_pg_row *r,
	struct reservation *v)
{
	bool never = false;
	v->qty.units = ch_pg_next_i64(r);
	struct ch_view state = ch_pg_next_text(r);
	v->committed.units = ch_pg_next_i64(r);
	v->expires_at = ch_pg_next_time_null(r, &never);
	v->expires = !never;
	next_stamp(r, &v->row);
	v->stream = ch_pg_next_i32(r);
	if (!reservation_state_of(state, &v->state))
		return bad_state(x, "a reservation", state);
	return loaded(x, r, &v->row);
}

static int
load_reservation(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct reservation *v = books_reservation_at(x->books, (size_t)at - 1);
	int64_t number = ch_pg_next_i64(r);
	(void)ch_pg_next_i64(r); /* its SKU, a fact */
	if (v->row.number != number)
		return made_since(x, &v->row);
	v->set_aside = aside_has(&x->k->aside,
		(struct due_ref){ROW_RESERVATION, number});
	return next_reservation(x, r, v);
}

static int
load_order(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct order *o = books_order_at(x->books, (size_t)at - 1);
	o->row.number = ch_pg_next_i64(r);
	o->market = keep(x, ch_pg_next_text(r));
	o->side = keep(x, ch_pg_next_text(r));
	o->qty.minor = ch_pg_next_i64(r);
	o->filled.minor = ch_pg_next_i64(r);
	o->price = keep(x, ch_pg_next_text_null(r));
	struct ch_view state = ch_pg_next_text(r);
	next_stamp(r, &o->row);
	if (!order_state_of(state, &o->state))
		return bad_state(x, "an order", state);
	return loaded(x, r, &o->row);
}

static int
load_fill(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct fill *f = books_fill_at(x->books, (size_t)at - 1);
	f->qty.minor = ch_pg_next_i64(r);
	f->price = keep(x, ch_pg_next_text_null(r));
	return loaded(x, r, &f->row);
}

/* numeric without a fraction, as text. */
static ch_wide
wide_of(struct ch_view text)
{
	ch_wide v = 0;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
			v = v * 10 + (text.ptr[i] - '0');
	return text.len > 0 && text.ptr[0] == '-' ? -v : v;
}

static void
next_settlement(const struct reading_rows *x, struct ch_pg_row *r,
	struct market *m)
{
	struct ch_view payer = ch_pg_next_text_null(r);
	m->payouts = keep(x, ch_pg_next_text_null(r));
	m->reserved.minor = ch_pg_next_i64(r);
	m->paid.minor = ch_pg_next_i64(r);
	m->unpaid.minor = ch_pg_next_i64(r);
	m->holders = ch_pg_next_i64(r);
	m->unpaid_holders = ch_pg_next_i64(r);
	m->page = ch_pg_next_i64(r);
	m->cursor = ch_pg_next_i64(r);
	m->owed = wide_of(ch_pg_next_text(r));
	m->stream = ch_pg_next_i32(r);
	/* whoever pays a page has named the payer; nobody else needs him */
	m->payer = payer.ptr != NULL
		? books_find_account(x->books, m->row.org, payer)
		: NULL;
}

/* The first trade of a market that was deployed before writes its asset: a
 * shared lock is too weak. */
static bool
too_weak(const struct reading_rows *x, struct market *m)
{
	bool weak = x->p->shared_markets && m->asset.len == 0;
	m->wants_change |= weak;
	if (weak)
		ch_err_set(x->err, CH_EFENCED,
			"market \"%.*s\" needs a stronger lock",
			CH_VIEW_ARG(m->row.name));
	return weak;
}

static int
load_market(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct market *m = books_market_at(x->books, (size_t)at - 1);
	m->row.number = ch_pg_next_i64(r);
	m->asset = keep(x, ch_pg_next_text_null(r));
	m->address = keep(x, ch_pg_next_text_null(r));
	struct ch_view state = ch_pg_next_text(r);
	next_settlement(x, r, m);
	next_stamp(r, &m->row);
	if (!market_state_of(state, &m->state))
		return bad_state(x, "a market", state);
	int rc = loaded(x, r, &m->row);
	return rc == 0 && too_weak(x, m) ? 1 : rc;
}

static int
load_holding(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct market *m = books_market_at(x->books, (size_t)at - 1);
	struct holding *all = ch_arena_alloc(&x->books->arena,
		(m->holding_count + 1) * sizeof(*all));
	if (m->holding_count > 0)
		memcpy(all, m->holdings, m->holding_count * sizeof(*all));
	all[m->holding_count].outcome = keep(x, ch_pg_next_text(r));
	all[m->holding_count].units = wide_of(ch_pg_next_text(r));
	m->holdings = all;
	m->holding_count++;
	return ch_pg_row_ok(r, x->err) ? 0 : x->err->code;
}

static int
next_position(const struct reading_rows *x, struct ch_pg_row *r,
	struct position *p)
{
	bool none = false;
	p->row.number = ch_pg_next_i64(r);
	p->qty.minor = ch_pg_next_i64(r);
	p->stored_qty = p->qty;
	p->lock.minor = ch_pg_next_i64(r);
	p->belief.minor = ch_pg_next_i64_null(r, &none);
	p->has_belief = !none;
	none = false;
	p->meta.minor = ch_pg_next_i64_null(r, &none);
	none = false;
	p->paid.minor = ch_pg_next_i64_null(r, &none);
	p->is_paid = !none;
	next_stamp(r, &p->row);
	return loaded(x, r, &p->row);
}

static int
load_position(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	return next_position(x, r, x->p->positions[at - 1]);
}

/* A market that only a skim names lends its name; its values are nobody's
 * business in this batch. */
static int
load_locked(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct account *a = x->p->lockers[at - 1];
	int64_t number = ch_pg_next_i64(r);
	struct market *m =
		books_market(x->books, a->row.org, ch_pg_next_text(r));
	struct position *p = books_position(x->books, a, m, ch_pg_next_text(r));
	if (m->row.state == ROW_WANTED) {
		m->row.number = number;
		books_loaded(&m->row);
	}
	if (p->row.state == ROW_LOADED)
		return 0;
	return next_position(x, r, p);
}

static int
load_trade(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct trade_row *t = books_trade_at(x->books, (size_t)at - 1);
	t->account = keep(x, ch_pg_next_text(r));
	t->market = keep(x, ch_pg_next_text(r));
	t->outcome = keep(x, ch_pg_next_text(r));
	t->side = keep(x, ch_pg_next_text(r));
	struct ch_view state = ch_pg_next_text(r);
	t->row.last_at = ch_pg_next_time(r);
	if (!trade_state_of(state, &t->state))
		return bad_state(x, "a trade", state);
	return loaded(x, r, &t->row);
}

typedef int row_fn(const struct reading_rows *x, struct ch_pg_row *r,
	int64_t at);

static row_fn *const loaders[LOCK_STATEMENTS] = {
	[LOCK_BALANCES] = load_balance,
	[LOCK_STOCK] = load_stock,
	[LOCK_REVERSALS] = load_reversal,
	[LOCK_HOLDS] = load_hold,
	[LOCK_RESERVATIONS] = load_reservation,
	[LOCK_ORDERS] = load_order,
	[LOCK_FILLS] = load_fill,
	[LOCK_MARKETS] = load_market,
	[LOCK_HOLDINGS] = load_holding,
	[LOCK_POSITIONS] = load_position,
	[LOCK_LOCKED] = load_locked,
	[LOCK_TRADES] = load_trade,
};

static int
load_answer(const struct reading_rows *x, const PGresult *res, row_fn *load)
{
	int rc = 0;
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t at = ch_pg_next_i64(&r);
		rc = r.bad == 0 ? load(x, &r, at)
				: ch_err_set(x->err, CH_EPROTO, "a place");
	}
	return rc;
}

int
lock_rows_load(struct lock_rows *k, struct lock_plan *p,
	const struct script *sc, struct ch_err *err)
{
	struct reading_rows x = {k, p, p->books, err};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < LOCK_STATEMENTS; i++)
		if (p->at[i] != SIZE_MAX && loaders[i] != NULL)
			rc = load_answer(&x, script_result(sc, p->at[i]),
				loaders[i]);
	return rc;
}

/* ---- what is due ---- */

static void
note_first(struct lock_rows *k, enum row_kind kind, int64_t number)
{
	if (k->due_first.number == 0)
		k->due_first = (struct due_ref){kind, number};
}

static int
load_due_hold(const struct reading_rows *x, struct ch_pg_row *r, int64_t at)
{
	struct account *a = x->p->accounts[at - 1];
	int64_t number = ch_pg_next_i64(r);
	struct hold *h = books_hold(x->books, a->row.org, ch_pg_next_text(r));
	if (h->row.state == ROW_LOADED)
		return 0;
	books_found_hold(x->books, h, number, a->row.name);
	return next_hold(x, r, h);
}

static int
load_due_reservation(const struct reading_rows *x, struct ch_pg_row *r,
	int64_t at)
{
	struct sku *s = x->p->skus[at - 1];
	int64_t number = ch_pg_next_i64(r);
	struct reservation *v =
		books_reservation(x->books, s->row.org, ch_pg_next_text(r));
	if (v->row.state == ROW_LOADED)
		return 0;
	books_found_reservation(x->books, v, number, s->row.name,
		s->row.number);
	return next_reservation(x, r, v);
}

enum { NUMBER = 1, EXPIRES_AT = 6 }; /* columns of lock_due, lock_due_holds */

bool
lock_rows_due_is_cut(const struct lock_plan *p, const struct script *sc,
	struct ch_time at)
{
	for (int s = LOCK_DUE_HOLDS; s <= LOCK_DUE_STOCK; s++) {
		const PGresult *res = p->at[s] != SIZE_MAX
			? script_result(sc, p->at[s])
			: NULL;
		int n = PQntuples(res);
		struct ch_time last;
		if (n > 0 && n >= p->due_max &&
			ch_pg_get_time(res, n - 1, EXPIRES_AT, &last) &&
			last.us <= at.us)
			return true;
	}
	return false;
}

/* Rows come by time; those after `now` are not due yet. */
static int
load_due_of(const struct reading_rows *x, const PGresult *res,
	enum row_kind kind, struct ch_time now)
{
	int rc = 0;
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t at = ch_pg_next_i64(&r);
		struct ch_time deadline;
		int64_t number;
		if (!ch_pg_get_time(res, i, EXPIRES_AT, &deadline) ||
			!ch_pg_get_i64(res, i, NUMBER, &number))
			return ch_err_set(x->err, CH_EPROTO, "a deadline");
		if (deadline.us > now.us)
			break;
		note_first(x->k, kind, number);
		rc = kind == ROW_HOLD ? load_due_hold(x, &r, at)
				      : load_due_reservation(x, &r, at);
	}
	return rc;
}

int
lock_rows_load_due(struct lock_rows *k, struct lock_plan *p,
	const struct script *sc, struct ch_time at, struct ch_err *err)
{
	struct reading_rows x = {k, p, p->books, err};
	int rc = 0;
	if (p->at[LOCK_DUE_HOLDS] != SIZE_MAX)
		rc = load_due_of(&x, script_result(sc, p->at[LOCK_DUE_HOLDS]),
			ROW_HOLD, at);
	/* a sweep of one settles one, so that it is known whose fault it is */
	if (rc == 0 && p->due_max == 1 && k->due_first.number != 0)
		return 0;
	if (rc == 0 && p->at[LOCK_DUE_STOCK] != SIZE_MAX)
		rc = load_due_of(&x, script_result(sc, p->at[LOCK_DUE_STOCK]),
			ROW_RESERVATION, at);
	return rc;
}

/* ---- what is missing ---- */

void
lock_rows_name_missing(const struct books *b, struct ch_err *err)
{
	static const struct {
		enum row_kind kind;
		const char *table;
	} tables[] = {{ROW_ACCOUNT, "balances"}, {ROW_SKU, "stock"},
		{ROW_HOLD, "holds"}, {ROW_RESERVATION, "reservations"},
		{ROW_ORDER, "orders"}, {ROW_MARKET, "ledger_markets"},
		{ROW_POSITION, "positions"}};
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (size_t i = 0; i < books_count(b, tables[t].kind); i++) {
			const struct row *row = b->sets[tables[t].kind].rows[i];
			if (row->state != ROW_WANTED)
				continue;
			ch_err_set(err, CH_ENOTFOUND,
				"\"%.*s\" of %.*s has a name and no row in %s",
				CH_VIEW_ARG(row->name),
				CH_VIEW_ARG(row->org->row.name),
				tables[t].table);
			return;
		}
	}
}
