/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_show: see model_show.h.
 */
#include "model_show.h"

#include <stdlib.h>
#include <string.h>

#include "model_fields.h"

static void
show_balance(struct text *t, const struct row *row)
{
	const struct balance *b = (const struct balance *)(const void *)row;

	model_put_member(t, "account", b->account->row.name);
	model_put_member(t, "asset", b->account->asset);
	model_put_decimal(t, "balance", b->v.balance, b->account->scale);
	model_put_decimal(t, "held", b->v.held, b->account->scale);
	model_put_number(t, "version", b->v.stamp.version);
}

static void
show_sku(struct text *t, const struct row *row)
{
	const struct sku *k = (const struct sku *)(const void *)row;

	model_put_member(t, "sku", row->name);
	model_put_decimal(t, "on_hand", k->v.on_hand, 0);
	model_put_decimal(t, "reserved", k->v.reserved, 0);
	model_put_number(t, "version", k->v.stamp.version);
}

static void
show_hold(struct text *t, const struct row *row)
{
	const struct hold *h = (const struct hold *)(const void *)row;

	model_put_member(t, "hold", row->name);
	model_put_member(t, "account", h->account->row.name);
	model_put_decimal(t, "amount", h->amount, h->account->scale);
	model_put_member(t, "state", h->v.state);
	if (strcmp(h->v.state, "captured") == 0)
		model_put_decimal(t, "captured", h->v.captured,
			h->account->scale);
	if (h->expires)
		model_put_time(t, "expires_at", h->expires_at);
}

static void
show_reservation(struct text *t, const struct row *row)
{
	const struct reservation *r =
		(const struct reservation *)(const void *)row;

	model_put_member(t, "reservation", row->name);
	model_put_member(t, "sku", r->sku->row.name);
	model_put_decimal(t, "qty", r->qty, 0);
	model_put_member(t, "state", r->v.state);
	if (r->expires)
		model_put_time(t, "expires_at", r->expires_at);
}

static void
show_order(struct text *t, const struct row *row)
{
	const struct order *o = (const struct order *)(const void *)row;

	model_put_member(t, "order", row->name);
	model_put_member(t, "market", o->market);
	model_put_member(t, "side", o->side);
	model_put_decimal(t, "qty", o->qty, MODEL_UNIT_SCALE);
	model_put_decimal(t, "filled", o->v.filled, MODEL_UNIT_SCALE);
	model_put_member(t, "state", o->v.state);
	model_put_number(t, "version", o->v.stamp.version);
}

static void
show_market(struct text *t, const struct row *row)
{
	const struct market *m = (const struct market *)(const void *)row;

	model_put_member(t, "market", row->name);
	model_put_member(t, "state", m->v.state);
	if (m->v.address != NULL)
		model_put_member(t, "address", m->v.address);
	model_put_number(t, "version", m->v.stamp.version);
}

static void
show_position(struct text *t, const struct row *row)
{
	const struct position *p = (const struct position *)(const void *)row;

	model_put_member(t, "account", p->account->row.name);
	model_put_member(t, "market", p->market->row.name);
	model_put_member(t, "outcome", p->outcome);
	model_put_decimal(t, "qty", p->v.qty, MODEL_UNIT_SCALE);
	model_put_decimal(t, "lock", p->v.lock, p->account->scale);
	if (p->v.has_paid)
		model_put_decimal(t, "paid", p->v.paid, p->account->scale);
	model_put_number(t, "version", p->v.stamp.version);
}

static void
show_trade(struct text *t, const struct row *row)
{
	const struct trade *d = (const struct trade *)(const void *)row;

	model_put_member(t, "tx", row->name);
	model_put_member(t, "state", d->v.state);
}

static const struct {
	enum row_kind kind;
	const char *name;
	void (*show)(struct text *t, const struct row *row);
} shown[] = {
	{ROW_BALANCE, "balances", show_balance},
	{ROW_SKU, "stock", show_sku},
	{ROW_HOLD, "holds", show_hold},
	{ROW_RESERVATION, "reservations", show_reservation},
	{ROW_ORDER, "orders", show_order},
	{ROW_MARKET, "markets", show_market},
	{ROW_POSITION, "positions", show_position},
	{ROW_TRADE, "trades", show_trade},
};

static bool
is_shown(const struct row *row, enum row_kind kind)
{
	if (row->kind != kind)
		return false;
	return kind != ROW_BALANCE ||
		((const struct balance *)(const void *)row)->account->shards ==
		0;
}

void
model_show_rows(struct text *t, const struct serial_model *m)
{
	for (size_t k = 0; k < sizeof(shown) / sizeof(shown[0]); k++) {
		struct text rows = {NULL, 0, 0};

		for (size_t i = 0; m != NULL && i < m->change_count; i++) {
			if (!is_shown(m->changes[i].row, shown[k].kind))
				continue;
			model_put(&rows, rows.len > 0 ? ",{" : "{");
			shown[k].show(&rows, m->changes[i].row);
			model_put(&rows, "}");
		}
		if (rows.len > 0 || k == 0) {
			model_put_name(t, shown[k].name);
			model_put(t, "[");
			model_put(t, rows.len > 0 ? rows.p : "");
			model_put(t, "]");
		}
		free(rows.p);
	}
}
