/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_new: the rows that a batch made, in the order of their unique keys, so
 * that writers that meet on a key wait for each other instead of deadlocking.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "tables.h"
#include "write_rows.h"

static int
by_org_and_name(const void *a, const void *b)
{
	const struct row *x = *(const struct row *const *)a;
	const struct row *y = *(const struct row *const *)b;
	if (x->org->org_id != y->org->org_id)
		return x->org->org_id < y->org->org_id ? -1 : 1;
	return ch_view_cmp(x->name, y->name);
}

static bool
is_created(const struct row *row)
{
	return row->created;
}

/* Accounts as they are named, and the rows that hold their balances. */
static bool
is_new_account(const struct row *row)
{
	return row->created &&
		((const struct account *)(const void *)row)->whole == NULL;
}

static bool
is_new_balance(const struct row *row)
{
	return row->created &&
		((const struct account *)(const void *)row)->shards == 0;
}

static const struct row **
new_rows(struct writing_tables *w, enum row_kind kind,
	bool (*wanted)(const struct row *row), size_t *count)
{
	const struct row_set *set = &w->books->sets[kind];
	const struct row **rows;
	size_t n = 0;
	for (size_t i = 0; i < set->count; i++)
		n += wanted(set->rows[i]);
	*count = n;
	if (n == 0)
		return NULL;
	rows = ch_arena_alloc(&w->load->batch.out_arena, n * sizeof(*rows));
	n = 0;
	for (size_t i = 0; i < set->count; i++)
		if (wanted(set->rows[i]))
			rows[n++] = set->rows[i];
	qsort(rows, n, sizeof(*rows), by_org_and_name);
	return rows;
}

/* One table: its rows, and how one of them is put down behind the number of its
 * organisation. */
typedef void put_fn(struct rowset *rs, const struct row *row,
	const struct writing_tables *w);

static int
write_table(struct writing_tables *w, const struct rowset_table *table,
	enum row_kind kind, bool (*wanted)(const struct row *row), put_fn *put)
{
	struct rowset rs;
	size_t n;
	const struct row **rows = new_rows(w, kind, wanted, &n);
	if (n == 0)
		return 0;
	rowset_begin(&rs, w->script, table, n, w->err);
	for (size_t i = 0; i < n; i++) {
		rowset_row(&rs);
		rowset_i32(&rs, rows[i]->org->org_id);
		put(&rs, rows[i], w);
	}
	return rowset_end(&rs, w->err);
}

static void
put_stamp(struct rowset *rs, const struct row *row)
{
	rowset_i64(rs, row->version);
	rowset_time(rs, row->last_at);
}

static void
put_time_or_null(struct rowset *rs, bool set, struct ch_time t)
{
	if (set)
		rowset_time(rs, t);
	else
		rowset_null(rs);
}

static void
put_i64_or_null(struct rowset *rs, bool set, int64_t v)
{
	if (set)
		rowset_i64(rs, v);
	else
		rowset_null(rs);
}

/* ---- assets, accounts ---- */

static void
put_asset(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	(void)w;
	rowset_text(rs, row->name);
	rowset_i16(rs,
		(int16_t)((const struct asset *)(const void *)row)->scale);
}

int
write_assets(struct writing_tables *w)
{
	return write_table(w, &table_assets, ROW_ASSET, is_created, put_asset);
}

static void
put_account(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct account *a = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_text(rs, row->name);
	rowset_text(rs, a->asset->row.name);
	rowset_i16(rs, (int16_t)a->asset->scale);
	rowset_i16(rs, (int16_t)a->shards);
}

int
write_accounts(struct writing_tables *w)
{
	return write_table(w, &table_accounts, ROW_ACCOUNT, is_new_account,
		put_account);
}

static void
put_balance(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct account *a = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_i16(rs, (int16_t)a->shard);
	rowset_i64(rs, a->balance.minor);
	rowset_i64(rs, a->held.minor);
	put_i64_or_null(rs, a->has_floor, a->floor.minor);
	rowset_i64(rs, row->version);
	rowset_bool(rs, a->closed);
	rowset_time(rs, row->last_at);
}

int
write_balances(struct writing_tables *w)
{
	return write_table(w, &table_balances, ROW_ACCOUNT, is_new_balance,
		put_balance);
}

/* ---- stock ---- */

static void
put_sku(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	(void)w;
	rowset_i64(rs, row->number);
	rowset_text(rs, row->name);
}

int
write_skus(struct writing_tables *w)
{
	return write_table(w, &table_skus, ROW_SKU, is_created, put_sku);
}

static void
put_stock(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct sku *s = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_i64(rs, s->on_hand.units);
	rowset_i64(rs, s->reserved.units);
	put_stamp(rs, row);
}

int
write_stock(struct writing_tables *w)
{
	return write_table(w, &table_stock, ROW_SKU, is_created, put_stock);
}

/* ---- what is set aside ---- */

static void
put_hold(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct hold *h = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_i64(rs, h->account->row.number);
	rowset_text(rs, row->name);
	rowset_i64(rs, h->amount.minor);
	rowset_str(rs, hold_state_name(h->state));
	rowset_i64(rs, h->captured.minor);
	put_time_or_null(rs, h->expires, h->expires_at);
	rowset_i32(rs, h->stream);
	put_stamp(rs, row);
}

int
write_holds(struct writing_tables *w)
{
	return write_table(w, &table_holds, ROW_HOLD, is_created, put_hold);
}

static void
put_reservation(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct reservation *r = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_i64(rs, r->sku->row.number);
	rowset_text(rs, row->name);
	rowset_i64(rs, r->qty.units);
	rowset_str(rs, reservation_state_name(r->state));
	rowset_i64(rs, r->committed.units);
	put_time_or_null(rs, r->expires, r->expires_at);
	rowset_i32(rs, r->stream);
	put_stamp(rs, row);
}

int
write_reservations(struct writing_tables *w)
{
	return write_table(w, &table_reservations, ROW_RESERVATION, is_created,
		put_reservation);
}

static void
put_reversal(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct transfer *t = (const void *)row;
	rowset_uuid(rs, &t->id);
	rowset_i32(rs, t->member);
	rowset_uuid(rs, &t->reversed_by);
	rowset_i64(rs, w->number);
	rowset_time(rs, w->at);
}

int
write_reversals(struct writing_tables *w)
{
	return write_table(w, &table_reversals, ROW_TRANSFER, is_created,
		put_reversal);
}

/* ---- orders ---- */

static void
put_order(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct order *o = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_text(rs, row->name);
	rowset_text(rs, o->market);
	rowset_text(rs, o->side);
	rowset_i64(rs, o->qty.minor);
	rowset_i64(rs, o->filled.minor);
	rowset_text(rs, o->price);
	rowset_str(rs, order_state_name(o->state));
	put_stamp(rs, row);
}

int
write_orders(struct writing_tables *w)
{
	return write_table(w, &table_orders, ROW_ORDER, is_created, put_order);
}

static void
put_fill(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct fill *f = (const void *)row;
	rowset_i64(rs, f->order->row.number);
	rowset_text(rs, f->fill_name);
	rowset_i64(rs, f->qty.minor);
	rowset_text(rs, f->price);
	rowset_uuid(rs, &f->command_id);
	rowset_time(rs, w->at);
}

int
write_fills(struct writing_tables *w)
{
	return write_table(w, &table_fills, ROW_FILL, is_created, put_fill);
}

/* ---- markets, positions, trades ---- */

static struct ch_view
text_or_null(struct ch_view v)
{
	return v.len > 0 ? v : (struct ch_view){NULL, 0};
}

static void
put_market(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct market *m = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_text(rs, row->name);
	rowset_text(rs, text_or_null(m->asset));
	rowset_text(rs, text_or_null(m->address));
	rowset_str(rs, market_state_name(m->state));
	put_i64_or_null(rs, m->payer != NULL,
		m->payer != NULL ? m->payer->row.number : 0);
	rowset_text(rs, m->payouts);
	rowset_i64(rs, m->reserved.minor);
	rowset_i32(rs, m->stream);
	put_stamp(rs, row);
}

int
write_markets(struct writing_tables *w)
{
	return write_table(w, &table_markets, ROW_MARKET, is_created,
		put_market);
}

static void
put_position(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct position *p = (const void *)row;
	(void)w;
	rowset_i64(rs, row->number);
	rowset_i64(rs, p->account->row.number);
	rowset_i64(rs, p->market->row.number);
	rowset_text(rs, p->outcome);
	rowset_i64(rs, p->qty.minor);
	rowset_i64(rs, p->lock.minor);
	put_i64_or_null(rs, p->has_belief, p->belief.minor);
	put_i64_or_null(rs, p->has_belief, p->meta.minor);
	put_stamp(rs, row);
}

int
write_positions(struct writing_tables *w)
{
	return write_table(w, &table_positions, ROW_POSITION, is_created,
		put_position);
}

static void
put_trade(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct trade_row *t = (const void *)row;
	bool confirmed = t->state == TRADE_CONFIRMED;
	rowset_text(rs, row->name);
	rowset_i64(rs, t->position->account->row.number);
	rowset_i64(rs, t->position->market->row.number);
	rowset_text(rs, t->outcome);
	rowset_text(rs, t->side);
	rowset_i64(rs, t->qty_after.minor);
	rowset_i64(rs, t->lock_after.minor);
	rowset_i64(rs, t->skim.minor);
	rowset_text(rs, t->qty);
	rowset_text(rs, t->price);
	rowset_str(rs, trade_state_name(t->state));
	rowset_uuid(rs, &t->recorded_by);
	rowset_time(rs, w->at);
	if (confirmed)
		rowset_uuid(rs, &t->by);
	else
		rowset_null(rs);
	put_time_or_null(rs, confirmed, w->at);
}

int
write_trades(struct writing_tables *w)
{
	return write_table(w, &table_own_trades, ROW_TRADE, is_created,
		put_trade);
}

/* ---- rate limits ---- */

static void
put_rate(struct rowset *rs, const struct row *row,
	const struct writing_tables *w)
{
	const struct rate_window *r = (const void *)row;
	(void)w;
	rowset_i32(rs, r->rule_id);
	rowset_text(rs, r->subject);
	rowset_i64s(rs, r->stamps + r->first, r->count - r->first);
	rowset_time(rs, row->last_at);
}

int
write_rates(struct writing_tables *w)
{
	return write_table(w, &table_rates, ROW_RATE, is_created, put_rate);
}
