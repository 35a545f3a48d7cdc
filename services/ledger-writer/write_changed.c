/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_changed: rows that were there before the batch, one UPDATE a table,
 * each row once, whatever the number of commands.
 */
#include "ledger_writer_sql.h"
#include "write_rows.h"

#define COLUMNS_MAX 14

#define STATEMENT(name)                                                        \
	{                                                                      \
#name, ledger_writer_sql_##name                                \
	}
static const struct ch_pg_stmt update_balances = STATEMENT(update_balances);
static const struct ch_pg_stmt update_terms = STATEMENT(update_terms);
static const struct ch_pg_stmt update_stock = STATEMENT(update_stock);
static const struct ch_pg_stmt update_holds = STATEMENT(update_holds);
static const struct ch_pg_stmt update_reservations =
	STATEMENT(update_reservations);
static const struct ch_pg_stmt update_orders = STATEMENT(update_orders);
static const struct ch_pg_stmt update_markets = STATEMENT(update_markets);
static const struct ch_pg_stmt update_settlements =
	STATEMENT(update_settlements);
static const struct ch_pg_stmt update_positions = STATEMENT(update_positions);
static const struct ch_pg_stmt update_trades = STATEMENT(update_trades);
static const struct ch_pg_stmt update_rates = STATEMENT(update_rates);
static const struct ch_pg_stmt close_batch = STATEMENT(close_batch);

/* The arrays of one UPDATE; the batch's time comes behind them. */
struct update {
	struct ch_pg_array cols[COLUMNS_MAX];
	int count;
	int col; /* of the row under way */
	size_t rows;
};

static void
update_begin(struct update *u, int count, const enum ch_pg_oid *oids)
{
	u->count = count;
	u->col = count;
	u->rows = 0;
	for (int i = 0; i < count; i++)
		ch_pg_array_init(&u->cols[i], oids[i]);
}

/* The first columns of every row: organisation and number. */
static void
update_row(struct update *u, const struct row *row)
{
	u->rows++;
	ch_pg_array_i32(&u->cols[0], row->org->org_id);
	ch_pg_array_i64(&u->cols[1], row->number);
	u->col = 2;
}

static void
put_i64(struct update *u, int64_t v)
{
	ch_pg_array_i64(&u->cols[u->col++], v);
}

static void
put_i64_or_null(struct update *u, bool set, int64_t v)
{
	if (set)
		ch_pg_array_i64(&u->cols[u->col], v);
	else
		ch_pg_array_null(&u->cols[u->col]);
	u->col++;
}

static void
put_text(struct update *u, struct ch_view v)
{
	if (v.ptr != NULL)
		ch_pg_array_text(&u->cols[u->col], v);
	else
		ch_pg_array_null(&u->cols[u->col]);
	u->col++;
}

static void
put_str(struct update *u, const char *s)
{
	put_text(u, ch_view_of(s));
}

/* Returns where in the script the answer will be. */
static size_t
update_end(struct update *u, struct writing_tables *w,
	const struct ch_pg_stmt *stmt)
{
	struct ch_pg_args a;
	size_t at = w->script->count;
	ch_pg_args_clear(&a);
	for (int i = 0; i < u->count; i++)
		ch_pg_arg_array(&a, &u->cols[i]);
	ch_pg_arg_time(&a, w->at);
	if (u->rows > 0)
		at = script_add(w->script, stmt, &a);
	for (int i = 0; i < u->count; i++)
		ch_pg_array_free(&u->cols[i]);
	return at;
}

/* Changed, and in the table before. */
static bool
is_changed(const struct row *row)
{
	return row->dirty && !row->created;
}

#define I2 CH_PG_INT2_ARRAY
#define I4 CH_PG_INT4_ARRAY
#define I8 CH_PG_INT8_ARRAY
#define TEXT CH_PG_TEXT_ARRAY
#define UUID CH_PG_UUID_ARRAY
#define BOOL CH_PG_BOOL_ARRAY

static void
change_balances(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {CH_PG_TID_ARRAY, I8, I8, I8, I8};
	size_t most = books_count(w->books, ROW_ACCOUNT);
	struct update u;
	w->moved = ch_arena_alloc(&w->load->batch.out_arena,
		(most + 1) * sizeof(*w->moved));
	update_begin(&u, 5, oids);
	for (size_t i = 0; i < most; i++) {
		struct account *a = books_account_at(w->books, i);
		if (!is_changed(&a->row) || a->new_terms)
			continue;
		ch_pg_array_tid(&u.cols[0], a->place);
		ch_pg_array_i64(&u.cols[1], a->row.number);
		u.col = 2;
		put_i64(&u, a->balance.minor);
		put_i64(&u, a->held.minor);
		put_i64(&u, a->row.version);
		w->moved[u.rows++] = a;
	}
	w->moved_count = u.rows;
	w->moved_at = update_end(&u, w, &update_balances);
}

/* Rows with another floor, or closed: rare, so the UPDATE of the hot path does
 * not carry that. Whole, since a new balance may be right with the new floor
 * only. */
static void
change_terms(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, I2, I8, I8, I8, I8, BOOL};
	struct update u;
	update_begin(&u, 8, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_ACCOUNT); i++) {
		const struct account *a = books_account_at(w->books, i);
		if (!is_changed(&a->row) || !a->new_terms)
			continue;
		update_row(&u, &a->row);
		ch_pg_array_i16(&u.cols[u.col++], (int16_t)a->shard);
		put_i64(&u, a->balance.minor);
		put_i64(&u, a->held.minor);
		put_i64(&u, a->row.version);
		put_i64_or_null(&u, a->has_floor, a->floor.minor);
		ch_pg_array_bool(&u.cols[u.col++], a->closed);
	}
	(void)update_end(&u, w, &update_terms);
}

static void
change_stock(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, I8, I8, I8};
	struct update u;
	update_begin(&u, 5, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_SKU); i++) {
		const struct sku *s = books_sku_at(w->books, i);
		if (!is_changed(&s->row))
			continue;
		update_row(&u, &s->row);
		put_i64(&u, s->on_hand.units);
		put_i64(&u, s->reserved.units);
		put_i64(&u, s->row.version);
	}
	(void)update_end(&u, w, &update_stock);
}

static void
change_holds(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, TEXT, I8, I8};
	struct update u;
	update_begin(&u, 5, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_HOLD); i++) {
		const struct hold *h = books_hold_at(w->books, i);
		if (!is_changed(&h->row))
			continue;
		update_row(&u, &h->row);
		put_str(&u, hold_state_name(h->state));
		put_i64(&u, h->captured.minor);
		put_i64(&u, h->row.version);
	}
	(void)update_end(&u, w, &update_holds);
}

static void
change_reservations(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, TEXT, I8, I8};
	struct update u;
	update_begin(&u, 5, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_RESERVATION); i++) {
		const struct reservation *r = books_reservation_at(w->books, i);
		if (!is_changed(&r->row))
			continue;
		update_row(&u, &r->row);
		put_str(&u, reservation_state_name(r->state));
		put_i64(&u, r->committed.units);
		put_i64(&u, r->row.version);
	}
	(void)update_end(&u, w, &update_reservations);
}

static void
change_orders(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, TEXT, I8, I8};
	struct update u;
	update_begin(&u, 5, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_ORDER); i++) {
		const struct order *o = books_order_at(w->books, i);
		if (!is_changed(&o->row))
			continue;
		update_row(&u, &o->row);
		put_str(&u, order_state_name(o->state));
		put_i64(&u, o->filled.minor);
		put_i64(&u, o->row.version);
	}
	(void)update_end(&u, w, &update_orders);
}

/* An int128 as text: numeric has no other way in. */
static struct ch_view
wide_text(ch_wide v, char out[48])
{
	size_t at = 48;
	bool minus = v < 0;
	do {
		int digit = (int)(v % 10);
		out[--at] = (char)('0' + (digit < 0 ? -digit : digit));
		v /= 10;
	} while (v != 0);
	if (minus)
		out[--at] = '-';
	return (struct ch_view){out + at, 48 - at};
}

static void
put_settlement(struct update *u, const struct market *m)
{
	char owed[48];
	put_i64_or_null(u, m->payer != NULL,
		m->payer != NULL ? m->payer->row.number : 0);
	put_text(u, m->payouts);
	put_i64(u, m->reserved.minor);
	put_i64(u, m->paid.minor);
	put_i64(u, m->unpaid.minor);
	put_i64(u, m->holders);
	put_i64(u, m->unpaid_holders);
	put_i64(u, m->page);
	put_i64(u, m->cursor);
	put_text(u, wide_text(m->owed, owed));
	ch_pg_array_i32(&u->cols[u->col++], m->stream);
}

static void
change_markets(struct writing_tables *w)
{
	static const enum ch_pg_oid head[] = {I4, I8, TEXT, TEXT, TEXT, I8};
	static const enum ch_pg_oid rest[] = {
		I4, I8, I8, TEXT, I8, I8, I8, I8, I8, I8, I8, TEXT, I4};
	struct update u, settlements;
	update_begin(&u, 6, head);
	update_begin(&settlements, 13, rest);
	for (size_t i = 0; i < books_count(w->books, ROW_MARKET); i++) {
		const struct market *m = books_market_at(w->books, i);
		if (!is_changed(&m->row))
			continue;
		update_row(&u, &m->row);
		put_text(&u,
			m->asset.len > 0 ? m->asset
					 : (struct ch_view){NULL, 0});
		put_text(&u,
			m->address.len > 0 ? m->address
					   : (struct ch_view){NULL, 0});
		put_str(&u, market_state_name(m->state));
		put_i64(&u, m->row.version);
		if (m->state == MARKET_OPEN)
			continue;
		update_row(&settlements, &m->row);
		put_settlement(&settlements, m);
	}
	(void)update_end(&u, w, &update_markets);
	(void)update_end(&settlements, w, &update_settlements);
}

static void
change_positions(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I8, I8, I8, I8, I8, I8, I8};
	struct update u;
	update_begin(&u, 8, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_POSITION); i++) {
		const struct position *p = books_position_at(w->books, i);
		if (!is_changed(&p->row))
			continue;
		update_row(&u, &p->row);
		put_i64(&u, p->qty.minor);
		put_i64(&u, p->lock.minor);
		put_i64_or_null(&u, p->has_belief, p->belief.minor);
		put_i64_or_null(&u, p->has_belief, p->meta.minor);
		put_i64_or_null(&u, p->is_paid, p->paid.minor);
		put_i64(&u, p->row.version);
	}
	(void)update_end(&u, w, &update_positions);
}

/* Confirmed: all that can happen to a trade. */
static void
change_trades(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, TEXT, UUID};
	struct update u;
	update_begin(&u, 3, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_TRADE); i++) {
		const struct trade_row *t = books_trade_at(w->books, i);
		if (!is_changed(&t->row))
			continue;
		u.rows++;
		ch_pg_array_i32(&u.cols[0], t->row.org->org_id);
		ch_pg_array_text(&u.cols[1], t->row.name);
		ch_pg_array_uuid(&u.cols[2], &t->by);
	}
	(void)update_end(&u, w, &update_trades);
}

/* An array of arrays is no array of rows: each is sent as text. */
static void
put_stamps(struct update *u, const struct rate_window *r)
{
	struct ch_buf text = CH_BUF_INIT;
	ch_buf_addc(&text, '{');
	for (size_t i = r->first; i < r->count; i++) {
		if (i > r->first)
			ch_buf_addc(&text, ',');
		ch_buf_add_i64(&text, r->stamps[i]);
	}
	ch_buf_addc(&text, '}');
	ch_pg_array_text(&u->cols[3], ch_buf_view(&text));
	ch_buf_free(&text);
}

static void
change_rates(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {I4, I4, TEXT, TEXT};
	struct update u;
	update_begin(&u, 4, oids);
	for (size_t i = 0; i < books_count(w->books, ROW_RATE); i++) {
		const struct rate_window *r = books_rate_at(w->books, i);
		if (!is_changed(&r->row))
			continue;
		u.rows++;
		ch_pg_array_i32(&u.cols[0], r->row.org->org_id);
		ch_pg_array_i32(&u.cols[1], r->rule_id);
		ch_pg_array_text(&u.cols[2], r->subject);
		put_stamps(&u, r);
	}
	(void)update_end(&u, w, &update_rates);
}

static void
change_partitions(struct writing_tables *w)
{
	static const enum ch_pg_oid oids[] = {TEXT, I4, I8};
	struct update u;
	update_begin(&u, 3, oids);
	for (size_t i = 0; i < w->load->part_count; i++) {
		const struct partition *p = w->load->parts[i].p;
		ch_pg_array_text(&u.cols[0], ch_view_of(p->topic));
		ch_pg_array_i32(&u.cols[1], p->part);
		ch_pg_array_i64(&u.cols[2],
			w->load->batch.streams[i].next_log_seq);
		u.rows++;
	}
	(void)update_end(&u, w, &close_batch);
}

void
write_changes(struct writing_tables *w)
{
	change_balances(w);
	change_terms(w);
	change_stock(w);
	change_holds(w);
	change_reservations(w);
	change_orders(w);
	change_markets(w);
	change_positions(w);
	change_trades(w);
	change_rates(w);
	change_partitions(w);
}
