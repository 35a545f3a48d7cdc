/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_answers: see lock_answers.h. A loader a kind; each row says first which
 * key of the statement it answers.
 */
#include "lock_answers.h"

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
	x->p->payouts[at - 1]->units = wide_of(ch_pg_next_text(r));
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
lock_answers_load(struct lock_rows *k, struct lock_plan *p,
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

bool
lock_answers_locked_is_cut(const struct lock_plan *p, const struct script *sc)
{
	return p->at[LOCK_LOCKED] != SIZE_MAX &&
		(size_t)PQntuples(script_result(sc, p->at[LOCK_LOCKED])) >=
		p->locked_most;
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
lock_answers_due_is_cut(const struct lock_plan *p, const struct script *sc,
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
lock_answers_load_due(struct lock_rows *k, struct lock_plan *p,
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
lock_answers_name_missing(const struct books *b, struct ch_err *err)
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
