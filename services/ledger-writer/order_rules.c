/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_rules: see order_rules.h. The table below is all that may happen.
 */
#include "order_rules.h"

#include "event.h"

enum order_act { ACT_ACCEPT, ACT_FILL, ACT_CANCEL, ACT_LOSE, ACTS };

/* The state after the act; ORDER_NEVER: not allowed. A fill makes an order
 * that becomes whole `filled` instead. */
#define ORDER_NEVER (-1)
static const int moves[][ACTS] = {
	[ORDER_PLACED] = {ORDER_PENDING, ORDER_PARTIAL, ORDER_CANCELLED,
		ORDER_LOST},
	[ORDER_PENDING] = {ORDER_NEVER, ORDER_PARTIAL, ORDER_CANCELLED,
		ORDER_LOST},
	[ORDER_PARTIAL] = {ORDER_NEVER, ORDER_PARTIAL, ORDER_CANCELLED,
		ORDER_LOST},
	[ORDER_FILLED] = {ORDER_NEVER, ORDER_NEVER, ORDER_NEVER, ORDER_NEVER},
	[ORDER_CANCELLED] = {ORDER_NEVER, ORDER_CANCELLED, ORDER_NEVER,
		ORDER_NEVER},
	[ORDER_LOST] = {ORDER_NEVER, ORDER_PARTIAL, ORDER_CANCELLED,
		ORDER_NEVER},
};

static const struct {
	const char *name;
	const char *event;
} acts[ACTS] = {
	[ACT_ACCEPT] = {"accepted", "order.accepted"},
	[ACT_FILL] = {"filled", "order.partially_filled"},
	[ACT_CANCEL] = {"cancelled", "order.cancelled"},
	[ACT_LOSE] = {"lost", "order.lost"},
};

bool
order_rules_units(struct ruling *r, const struct command_units *units,
	const char *field)
{
	if (units->status == CH_DECIMAL_FRACTION)
		ruling_refuse(r, STATUS_INVALID_AMOUNT,
			"%s: %.*s has more than %d fraction digits", field,
			CH_VIEW_ARG(units->text), COMMAND_UNITS_SCALE);
	else if (units->status != CH_DECIMAL_OK)
		ruling_refuse(r, STATUS_OVERFLOW,
			"%s: %.*s is more than %d fraction digits leave room for",
			field, CH_VIEW_ARG(units->text), COMMAND_UNITS_SCALE);
	return units->status == CH_DECIMAL_OK;
}

void
order_rules_place(struct ruling *r, const struct command *c)
{
	const struct order_place *place = &c->as.order_place;
	struct order *o = place->order;

	(void)order_rules_units(r, &place->qty, "qty");
	if (row_is_there(&o->row))
		ruling_refuse(r, STATUS_ORDER_EXISTS,
			"order: \"%.*s\" exists, %s: a name is never reused",
			CH_VIEW_ARG(place->name), order_state_name(o->state));
	if (!ruling_open(r))
		return;
	books_create(r->books, &o->row, r->at);
	o->market = place->market_name;
	o->side = place->side;
	o->qty = place->qty.value;
	o->price = place->price;
	event_order(r, "order.placed", o, NULL, place->price);
}

static bool
check_order(struct ruling *r, const struct order_move *m)
{
	if (!row_is_there(&m->order->row))
		ruling_refuse(r, STATUS_ORDER_NOT_FOUND,
			"order: \"%.*s\" was never placed",
			CH_VIEW_ARG(m->name));
	return row_is_there(&m->order->row);
}

static void
check_act(struct ruling *r, const struct order *o, enum order_act act)
{
	if (moves[o->state][act] == ORDER_NEVER)
		ruling_refuse(r, STATUS_ILLEGAL_ORDER_MOVE,
			"order: \"%.*s\" is %s: it cannot be %s any more",
			CH_VIEW_ARG(o->row.name), order_state_name(o->state),
			acts[act].name);
}

static void
move(struct ruling *r, const struct command *c, enum order_act act)
{
	const struct order_move *m = &c->as.order_move;
	struct order *o = m->order;

	if (check_order(r, m))
		check_act(r, o, act);
	if (!ruling_open(r))
		return;
	books_touch(r->books, &o->row, r->at);
	o->state = (enum order_state)moves[o->state][act];
	event_order(r, acts[act].event, o, NULL, (struct ch_view){NULL, 0});
}

void
order_rules_accept(struct ruling *r, const struct command *c)
{
	move(r, c, ACT_ACCEPT);
}

void
order_rules_cancel(struct ruling *r, const struct command *c)
{
	move(r, c, ACT_CANCEL);
}

void
order_rules_lost(struct ruling *r, const struct command *c)
{
	move(r, c, ACT_LOSE);
}

/* ---- order.fill ---- */

static void
check_rest(struct ruling *r, const struct order_move *m)
{
	const struct order *o = m->order;
	char rest[CH_AMOUNT_TEXT_MAX];

	check_act(r, o, ACT_FILL);
	if (m->qty.status == CH_DECIMAL_OK &&
		m->qty.value.minor <= o->qty.minor - o->filled.minor)
		return;
	(void)ch_amount_format((struct ch_amount){o->qty.minor -
				       o->filled.minor},
		COMMAND_UNITS_SCALE, rest);
	ruling_refuse(r, STATUS_ILLEGAL_ORDER_MOVE,
		"qty: order \"%.*s\" has %s left, %.*s was filled",
		CH_VIEW_ARG(o->row.name), rest, CH_VIEW_ARG(m->qty.text));
}

/* Where either is silent there is nothing to compare. */
static bool
same_price(struct ch_view a, struct ch_view b)
{
	return a.ptr == NULL || b.ptr == NULL ||
		ch_view_eq(command_decimal_form(a), command_decimal_form(b));
}

static void
refuse_known(struct ruling *r, const struct order_move *m, const char *field)
{
	ruling_refuse(r, STATUS_FACT_MISMATCH,
		"fill: \"%.*s\" of order \"%.*s\" is known with another %s",
		CH_VIEW_ARG(m->fill_name), CH_VIEW_ARG(m->name), field);
}

/* It counts once, in whatever state the order is by now. */
static void
known_fill(struct ruling *r, const struct order_move *m)
{
	if (m->qty.status != CH_DECIMAL_OK ||
		m->fill->qty.minor != m->qty.value.minor)
		refuse_known(r, m, "qty");
	else if (!same_price(m->fill->price, m->price))
		refuse_known(r, m, "price");
	if (ruling_open(r))
		r->confirmed = true;
}

static void
count_fill(struct ruling *r, const struct order_move *m)
{
	struct order *o = m->order;
	struct fill *f = m->fill;
	bool whole;

	books_touch(r->books, &o->row, r->at);
	o->filled.minor += m->qty.value.minor;
	whole = o->filled.minor == o->qty.minor;
	o->state = whole ? ORDER_FILLED
			 : (enum order_state)moves[o->state][ACT_FILL];
	books_create(r->books, &f->row, r->at);
	f->qty = m->qty.value;
	f->price = m->price;
	f->command_id = r->id;
	event_order(r, whole ? "order.filled" : acts[ACT_FILL].event, o, f,
		m->price);
}

void
order_rules_fill(struct ruling *r, const struct command *c)
{
	const struct order_move *m = &c->as.order_move;

	(void)order_rules_units(r, &m->qty, "qty");
	if (!check_order(r, m))
		return;
	if (row_is_there(&m->fill->row)) {
		known_fill(r, m);
		return;
	}
	check_rest(r, m);
	if (ruling_open(r))
		count_fill(r, m);
}
