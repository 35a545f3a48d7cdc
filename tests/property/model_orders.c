/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_orders: see model_orders.h.
 */
#include "model_orders.h"

#include <stdlib.h>
#include <string.h>

#include "model_fields.h"

/* f NULL: no fill. price NULL: none is told. */
static void
order_event(struct step *s, const char *type, const struct order *o,
	const char *fill, const struct fill *f, const char *price)
{
	struct text *t = model_event(s, type);

	model_put_member(t, "order", o->row.name);
	model_put_member(t, "market", o->market);
	model_put_member(t, "side", o->side);
	model_put_decimal(t, "qty", o->qty, MODEL_UNIT_SCALE);
	model_put_decimal(t, "filled", o->v.filled, MODEL_UNIT_SCALE);
	model_put_member(t, "state", o->v.state);
	model_put_number(t, "version", o->v.stamp.version);
	if (f != NULL) {
		model_put_member(t, "fill", fill);
		model_put_decimal(t, "fill_qty", f->qty, MODEL_UNIT_SCALE);
	}
	if (price != NULL)
		model_put_member(t, "price", price);
	model_event_end(s, t);
}

void
model_order_place(struct step *s)
{
	const char *name = model_row_name(s->body, "order", s->default_name);
	big qty = model_amount(s, model_text(s, "qty"), MODEL_UNIT_SCALE);
	struct order *o;

	if (qty > MAX64)
		model_refuse(s, "overflow");
	if (model_named(s, ROW_ORDER, name) != NULL)
		model_refuse(s, "order_exists");
	if (!model_applied(s))
		return;
	o = model_create(s->m, ROW_ORDER, s->org, name, s->now->decided_at);
	o->market = model_text(s, "market");
	o->side = model_text(s, "side");
	o->price = model_text(s, "price");
	o->qty = (int64_t)qty;
	o->v.state = "placed";
	order_event(s, "order.placed", o, NULL, NULL, o->price);
}

/* What a move makes of an order. NULL: it is not allowed. */
static const char *
after_move(const char *state, const char *move)
{
	static const struct {
		const char *state, *move, *after;
	} moves[] = {
		{"placed", "accept", "pending"},
		{"placed", "cancel", "cancelled"},
		{"placed", "lost", "lost"},
		{"pending", "cancel", "cancelled"},
		{"pending", "lost", "lost"},
		{"partial", "cancel", "cancelled"},
		{"partial", "lost", "lost"},
		{"lost", "cancel", "cancelled"},
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (strcmp(moves[i].state, state) == 0 &&
			strcmp(moves[i].move, move) == 0)
			return moves[i].after;
	}
	return NULL;
}

static struct order *
find_order(struct step *s)
{
	struct order *o = model_named(s, ROW_ORDER, model_text(s, "order"));

	if (o == NULL)
		model_refuse(s, "order_not_found");
	return o;
}

static void
move_order(struct step *s, const char *move, const char *type)
{
	struct order *o = find_order(s);
	const char *after = o != NULL ? after_move(o->v.state, move) : NULL;

	if (o != NULL && after == NULL)
		model_refuse(s, "illegal_order_move");
	if (!model_applied(s))
		return;
	model_change(s, &o->row);
	o->v.state = after;
	order_event(s, type, o, NULL, NULL, NULL);
}

void
model_order_accept(struct step *s)
{
	move_order(s, "accept", "order.accepted");
}

void
model_order_cancel(struct step *s)
{
	move_order(s, "cancel", "order.cancelled");
}

void
model_order_lost(struct step *s)
{
	move_order(s, "lost", "order.lost");
}

/* A new fill. A cancelled order stays cancelled until it is whole. */
static void
fill_order(struct step *s, struct order *o, const char *key, int64_t qty)
{
	struct fill *f;
	bool whole;

	model_change(s, &o->row);
	o->v.filled += qty;
	whole = o->v.filled == o->qty;
	if (whole)
		o->v.state = "filled";
	else if (strcmp(o->v.state, "cancelled") != 0)
		o->v.state = "partial";
	f = model_create(s->m, ROW_FILL, s->org, key, s->now->decided_at);
	f->qty = qty;
	f->price = model_text(s, "price");
	order_event(s, whole ? "order.filled" : "order.partially_filled", o,
		model_text(s, "fill"), f, f->price);
}

/* Two reports of one fill agree in what both of them tell. */
static bool
same_price(const char *a, const char *b)
{
	return a == NULL || b == NULL || model_figures_same(a, b);
}

void
model_order_fill(struct step *s)
{
	struct order *o = find_order(s);
	big qty = model_amount(s, model_text(s, "qty"), MODEL_UNIT_SCALE);
	char *key = model_joined(model_text(s, "order"), model_text(s, "fill"));
	const struct fill *known = model_named(s, ROW_FILL, key);
	const char *price = model_text(s, "price");

	if (known != NULL &&
		(known->qty != qty || !same_price(known->price, price)))
		model_refuse(s, "fact_mismatch");
	if (o != NULL && known == NULL && qty > o->qty - o->v.filled)
		model_refuse(s, "illegal_order_move");
	if (model_applied(s) && known != NULL)
		s->confirmed = true;
	else if (model_applied(s))
		fill_order(s, o, key, (int64_t)qty);
	free(key);
}
