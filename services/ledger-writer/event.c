/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: see event.h. The order of fields is the order of the lines below.
 */
#include "event.h"

#include "member.h"

/* Opens the payload, which every event begins with its organisation. */
static struct ch_buf *
begin(struct ruling *r, const char *aggregatetype, const char *type,
	const struct row *owner)
{
	struct ch_buf *out = &r->event_text;

	ruling_event_begin(r, aggregatetype, type, owner);
	ch_buf_addc(out, '{');
	ch_json_add_member(out, "org", owner->org->row.name);
	return out;
}

static void
add_version(struct ch_buf *out, const struct row *row)
{
	ch_json_add_member_i64(out, "version", row->version);
}

void
event_stock(struct ruling *r, const char *type, const struct sku *sku,
	struct ch_qty qty, const struct reservation *reservation)
{
	struct ch_buf *out = begin(r, "stock", type, &sku->row);

	ch_json_add_member(out, "sku", sku->row.name);
	member_qty(out, "qty", qty);
	member_qty(out, "on_hand", sku->on_hand);
	member_qty(out, "reserved", sku->reserved);
	add_version(out, &sku->row);
	if (reservation != NULL)
		ch_json_add_member(out, "reservation", reservation->row.name);
	ruling_event_end(r);
}

void
event_hold(struct ruling *r, const char *type, const struct hold *hold,
	const struct account *to)
{
	const struct account *payer = hold->account;
	int scale = payer->asset->scale;
	struct ch_buf *out = begin(r, "account", type, &payer->row);

	ch_json_add_member(out, "account", payer->row.name);
	ch_json_add_member(out, "asset", payer->asset->row.name);
	ch_json_add_member(out, "hold", hold->row.name);
	member_amount(out, "amount", hold->amount, scale);
	if (to != NULL) {
		member_amount(out, "captured", hold->captured, scale);
		ch_json_add_member(out, "to", to->row.name);
	}
	member_amount(out, "balance", payer->balance, scale);
	member_amount(out, "held", payer->held, scale);
	add_version(out, &payer->row);
	ruling_event_end(r);
}

void
event_order(struct ruling *r, const char *type, const struct order *order,
	const struct fill *fill, struct ch_view price)
{
	struct ch_buf *out = begin(r, "order", type, &order->row);

	ch_json_add_member(out, "order", order->row.name);
	ch_json_add_member(out, "market", order->market);
	ch_json_add_member(out, "side", order->side);
	member_units(out, "qty", order->qty);
	member_units(out, "filled", order->filled);
	ch_json_add_member(out, "state",
		ch_view_of(order_state_name(order->state)));
	add_version(out, &order->row);
	if (fill != NULL) {
		ch_json_add_member(out, "fill", fill->fill_name);
		member_units(out, "fill_qty", fill->qty);
	}
	member_text(out, "price", price);
	ruling_event_end(r);
}

static void
add_trade_record(struct ch_buf *out, const struct trade_record *t, int scale)
{
	const struct position *p = t->row;

	member_units(out, "position", p->qty);
	member_amount(out, "lock", p->lock, scale);
	member_text(out, "qty", t->qty);
	member_text(out, "price", t->price);
	if (t->skim.ptr != NULL)
		member_amount(out, "skim", t->trade->skim, scale);
	if (!t->has_belief)
		return;
	member_units(out, "belief", t->belief.value);
	member_units(out, "meta", t->meta.value);
}

void
event_trade(struct ruling *r, const struct trade_row *trade,
	const struct account *account, const struct trade_record *t)
{
	const char *type = trade->state == TRADE_CONFIRMED ? "trade.confirmed"
							   : "trade.recorded";
	struct ch_buf *out = begin(r, "trade", type, &account->row);

	ch_json_add_member(out, "account", trade->account);
	ch_json_add_member(out, "market", trade->market);
	ch_json_add_member(out, "outcome", trade->outcome);
	ch_json_add_member(out, "tx", trade->row.name);
	ch_json_add_member(out, "side", trade->side);
	ch_json_add_member(out, "state",
		ch_view_of(trade_state_name(trade->state)));
	if (t != NULL)
		add_trade_record(out, t, account->asset->scale);
	ruling_event_end(r);
}

void
event_pool_deployed(struct ruling *r, const struct market *market)
{
	struct ch_buf *out = begin(r, "market", "pool.deployed", &market->row);

	ch_json_add_member(out, "market", market->row.name);
	ch_json_add_member(out, "address", market->address);
	add_version(out, &market->row);
	ruling_event_end(r);
}

void
event_market_settling(struct ruling *r, const struct market *market)
{
	struct ch_buf *out =
		begin(r, "market", "market.settling", &market->row);

	ch_json_add_member(out, "market", market->row.name);
	ch_json_add_member(out, "payer", market->payer->row.name);
	member_amount(out, "total", market->reserved,
		market->payer->asset->scale);
	add_version(out, &market->row);
	ruling_event_end(r);
}

void
event_market_settled(struct ruling *r, const struct market *market)
{
	struct ch_buf *out = begin(r, "market", "market.settled", &market->row);
	int scale = market->payer->asset->scale;

	ch_json_add_member(out, "market", market->row.name);
	member_amount(out, "paid", market->paid, scale);
	member_amount(out, "unpaid", market->unpaid, scale);
	ch_json_add_member_i64(out, "holders", market->holders);
	ch_json_add_member_i64(out, "unpaid_holders", market->unpaid_holders);
	add_version(out, &market->row);
	ruling_event_end(r);
}
