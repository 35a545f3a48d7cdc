/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result: see result.h.
 *
 * Every object is written by appending; the order of fields is the order of
 * the lines below. schema/messages/result.schema.json describes the same.
 */
#include "result.h"

#include "member.h"

/* ---- rows: one writer a kind that answers show ---- */

static void
add_account(struct ch_buf *out, const void *row)
{
	const struct account *a = row;

	ch_json_add_member(out, "account", a->row.name);
	ch_json_add_member(out, "asset", a->asset->row.name);
	member_amount(out, "balance", a->balance, a->asset->scale);
	member_amount(out, "held", a->held, a->asset->scale);
	ch_json_add_member_i64(out, "version", a->row.version);
}

static void
add_sku(struct ch_buf *out, const void *row)
{
	const struct sku *s = row;

	ch_json_add_member(out, "sku", s->row.name);
	member_qty(out, "on_hand", s->on_hand);
	member_qty(out, "reserved", s->reserved);
	ch_json_add_member_i64(out, "version", s->row.version);
}

static void
add_hold(struct ch_buf *out, const void *row)
{
	const struct hold *h = row;
	int scale = h->account->asset->scale;

	ch_json_add_member(out, "hold", h->row.name);
	ch_json_add_member(out, "account", h->account->row.name);
	member_amount(out, "amount", h->amount, scale);
	ch_json_add_member(out, "state", ch_view_of(hold_state_name(h->state)));
	if (h->state == HOLD_CAPTURED)
		member_amount(out, "captured", h->captured, scale);
	if (h->expires)
		member_time(out, "expires_at", h->expires_at);
}

static void
add_reservation(struct ch_buf *out, const void *row)
{
	const struct reservation *r = row;

	ch_json_add_member(out, "reservation", r->row.name);
	ch_json_add_member(out, "sku", r->sku->row.name);
	member_qty(out, "qty", r->qty);
	ch_json_add_member(out, "state",
		ch_view_of(reservation_state_name(r->state)));
	if (r->expires)
		member_time(out, "expires_at", r->expires_at);
}

static void
add_order(struct ch_buf *out, const void *row)
{
	const struct order *o = row;

	ch_json_add_member(out, "order", o->row.name);
	ch_json_add_member(out, "market", o->market);
	ch_json_add_member(out, "side", o->side);
	member_units(out, "qty", o->qty);
	member_units(out, "filled", o->filled);
	ch_json_add_member(out, "state",
		ch_view_of(order_state_name(o->state)));
	ch_json_add_member_i64(out, "version", o->row.version);
}

static void
add_market(struct ch_buf *out, const void *row)
{
	const struct market *m = row;

	ch_json_add_member(out, "market", m->row.name);
	ch_json_add_member(out, "state",
		ch_view_of(market_state_name(m->state)));
	if (m->address.len > 0)
		ch_json_add_member(out, "address", m->address);
	ch_json_add_member_i64(out, "version", m->row.version);
}

static void
add_position(struct ch_buf *out, const void *row)
{
	const struct position *p = row;
	int scale = p->account->asset->scale;

	ch_json_add_member(out, "account", p->account->row.name);
	ch_json_add_member(out, "market", p->market->row.name);
	ch_json_add_member(out, "outcome", p->outcome);
	member_units(out, "qty", p->qty);
	member_amount(out, "lock", p->lock, scale);
	if (p->is_paid)
		member_amount(out, "paid", p->paid, scale);
	ch_json_add_member_i64(out, "version", p->row.version);
}

static void
add_trade(struct ch_buf *out, const void *row)
{
	const struct trade_row *t = row;

	ch_json_add_member(out, "tx", t->row.name);
	ch_json_add_member(out, "state",
		ch_view_of(trade_state_name(t->state)));
}

static const struct shown_kind {
	const char *name;
	enum row_kind kind;
	void (*add)(struct ch_buf *out, const void *row);
} shown_kinds[] = {
	{"balances", ROW_ACCOUNT, add_account},
	{"stock", ROW_SKU, add_sku},
	{"holds", ROW_HOLD, add_hold},
	{"reservations", ROW_RESERVATION, add_reservation},
	{"orders", ROW_ORDER, add_order},
	{"markets", ROW_MARKET, add_market},
	{"positions", ROW_POSITION, add_position},
	{"trades", ROW_TRADE, add_trade},
};
#define KINDS (sizeof(shown_kinds) / sizeof(shown_kinds[0]))
#define KIND_ROOM ((size_t)16384) /* bytes */

/* Rows of accounts with shards show nothing: their sum is nobody's. */
static bool
is_shown(const struct row *row, enum row_kind kind)
{
	const struct account *a = (const void *)row;

	return row->kind == kind &&
		(kind != ROW_ACCOUNT || (a->whole == NULL && a->shards == 0));
}

static void
add_row(struct ch_buf *out, const struct shown_kind *k, const void *row)
{
	ch_json_add_comma(out);
	ch_buf_addc(out, '{');
	k->add(out, row);
	ch_buf_addc(out, '}');
}

/* False: out is `most` long, and more would have been shown. */
static bool
add_rows(struct ch_buf *out, const struct shown_kind *k, const struct books *b,
	size_t most)
{
	size_t shown = 0;
	bool whole = true;

	for (size_t i = 0; whole && i < books_touched_count(b); i++) {
		const struct row *row = books_touched(b, i);

		if (!is_shown(row, k->kind))
			continue;
		whole = out->len < most;
		if (whole && shown++ == 0) {
			ch_json_add_name(out, k->name);
			ch_buf_addc(out, '[');
		}
		if (whole)
			add_row(out, k, row);
	}
	if (shown > 0) {
		ch_buf_addc(out, ']');
	} else if (k->kind == ROW_ACCOUNT) {
		ch_json_add_name(out, k->name);
		ch_buf_adds(out, "[]");
	}
	return whole;
}

/* Each kind leaves some room to those behind it: what is few is always shown. */
static bool
add_all_rows(struct ch_buf *out, const struct ruling *r)
{
	size_t most = out->len + LEDGER_ANSWER_ROWS_MAX - KINDS * KIND_ROOM;
	bool whole = true;

	if (r->status != STATUS_APPLIED) {
		ch_json_add_name(out, "balances");
		ch_buf_adds(out, "[]");
		return true;
	}
	for (size_t i = 0; i < KINDS; i++) {
		most += KIND_ROOM;
		whole &= add_rows(out, &shown_kinds[i], r->books, most);
	}
	if (!whole)
		ch_json_add_member_bool(out, "truncated", true);
	return whole;
}

/* ---- the rest ---- */

static void
add_failed(struct ch_buf *out, const struct ruling *r)
{
	if (r->status != STATUS_GROUP_FAILED)
		return;
	ch_json_add_name(out, "failed");
	ch_buf_addc(out, '{');
	ch_json_add_member_i64(out, "index", (int64_t)r->failed_index);
	ch_json_add_member(out, "status",
		ch_view_of(ledger_statuses[r->failed_status].name));
	ch_buf_addc(out, '}');
}

static void
add_pool(struct ch_buf *out, const struct ruling *r)
{
	if (r->status != STATUS_POOL_EXISTS)
		return;
	ch_json_add_name(out, "pool");
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "market", r->pool->row.name);
	ch_json_add_member(out, "address", r->pool->address);
	ch_buf_addc(out, '}');
}

static void
add_rate(struct ch_buf *out, const struct ruling_rate *rate)
{
	if (rate->rule.ptr == NULL)
		return;
	ch_json_add_name(out, "rate");
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "rule", rate->rule);
	ch_json_add_member_i64(out, "limit", rate->limit);
	ch_json_add_member_i64(out, "remaining", rate->remaining);
	if (rate->has_reset)
		member_time(out, "reset", rate->reset);
	ch_buf_addc(out, '}');
}

bool
result_write(struct ch_buf *out, const struct result_head *h,
	const struct ruling *r)
{
	bool whole;

	ch_buf_addc(out, '{');
	ch_json_add_member(out, "id", h->id);
	ch_json_add_member(out, "org", h->org);
	if (h->type.len > 0)
		ch_json_add_member(out, "type", h->type);
	ch_json_add_member(out, "status",
		ch_view_of(ledger_statuses[r->status].name));
	if (r->reason.len > 0)
		ch_json_add_member(out, "reason", ch_buf_view(&r->reason));
	add_failed(out, r);
	add_pool(out, r);
	whole = add_all_rows(out, r);
	if (r->confirmed && r->status == STATUS_APPLIED)
		ch_json_add_member_bool(out, "confirmed", true);
	add_rate(out, &r->rate);
	if (h->dry_run)
		ch_json_add_member_bool(out, "dry_run", true);
	member_seq(out, h->stream, h->log_seq);
	member_time(out, "decided_at", r->at);
	ch_buf_addc(out, '}');
	return whole;
}

void
result_write_duplicate(struct ch_buf *out, struct ch_view stored)
{
	if (stored.len < 2 || stored.ptr[stored.len - 1] != '}') {
		ch_buf_addv(out, stored); /* not ours: left as it is */
		return;
	}
	ch_buf_add(out, stored.ptr, stored.len - 1);
	ch_buf_adds(out, ",\"duplicate\":true}");
}
