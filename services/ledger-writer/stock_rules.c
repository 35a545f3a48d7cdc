/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stock_rules: see stock_rules.h.
 *
 * Each rule checks first and changes last. The lifecycle of a reservation is
 * the switch in check_reserved(): reserved is the only state that anything
 * leaves.
 */
#include "stock_rules.h"

#include <assert.h>

#include "base/money.h"
#include "event.h"
#include "hold_rules.h"

/* Quantities cannot go astray once a rule has checked them. */
static void
add(struct ch_qty *to, struct ch_qty by)
{
	bool fits = ch_qty_add(*to, by, to);

	assert(fits);
	(void)fits;
}

/* Below zero only where rows were edited by hand: stock_covers refuses it. */
static void
take(struct ch_qty *from, struct ch_qty by)
{
	from->units -= by.units;
}

static struct ch_qty
available(const struct sku *s)
{
	return (struct ch_qty){s->on_hand.units - s->reserved.units};
}

/* ---- stock.receive ---- */

void
stock_rules_receive(struct ruling *r, const struct command *c)
{
	const struct stock_receive *receive = &c->as.stock_receive;
	struct sku *sku = receive->sku;
	struct ch_qty on_hand = {0};
	struct ch_qty sum;

	if (row_is_there(&sku->row))
		on_hand = sku->on_hand;
	if (receive->qty.huge || !ch_qty_add(on_hand, receive->qty.qty, &sum))
		ruling_refuse(r, STATUS_OVERFLOW,
			"\"%.*s\" has %lld on hand, the sum would be more than "
			"9223372036854775807",
			CH_VIEW_ARG(receive->sku_name),
			(long long)on_hand.units);
	if (!ruling_open(r))
		return;
	if (row_is_there(&sku->row))
		books_touch(r->books, &sku->row, r->at);
	else
		books_create(r->books, &sku->row, r->at);
	add(&sku->on_hand, receive->qty.qty);
	event_stock(r, "stock.received", sku, receive->qty.qty, NULL);
}

/* ---- stock.adjust ---- */

static bool
check_sku(struct ruling *r, const struct sku *sku, struct ch_view name)
{
	if (!row_is_there(&sku->row))
		ruling_refuse(r, STATUS_SKU_NOT_FOUND,
			"SKU \"%.*s\" was never received", CH_VIEW_ARG(name));
	return row_is_there(&sku->row);
}

void
stock_rules_adjust(struct ruling *r, const struct command *c)
{
	const struct stock_adjust *adjust = &c->as.stock_adjust;
	struct sku *sku = adjust->sku;
	int64_t delta = adjust->delta.qty.units;

	if (!check_sku(r, sku, adjust->sku_name))
		return;
	if (delta < 0 &&
		(adjust->delta.huge || -(ch_wide)delta > available(sku).units))
		ruling_refuse(r, STATUS_OUT_OF_STOCK,
			"\"%.*s\" has %lld available (%lld on hand, %lld reserved): "
			"that is the most that can go",
			CH_VIEW_ARG(adjust->sku_name),
			(long long)available(sku).units,
			(long long)sku->on_hand.units,
			(long long)sku->reserved.units);
	if (delta > 0 &&
		(adjust->delta.huge || delta > INT64_MAX - sku->on_hand.units))
		ruling_refuse(r, STATUS_OVERFLOW,
			"\"%.*s\" has %lld on hand, the sum would be more than "
			"9223372036854775807",
			CH_VIEW_ARG(adjust->sku_name),
			(long long)sku->on_hand.units);
	if (!ruling_open(r))
		return;
	books_touch(r->books, &sku->row, r->at);
	sku->on_hand.units += delta;
	event_stock(r, "stock.adjusted", sku, adjust->delta.qty, NULL);
}

/* ---- stock.reserve ---- */

static void
check_stock(struct ruling *r, const struct stock_reserve *reserve)
{
	const struct sku *sku = reserve->sku;

	if (!check_sku(r, sku, reserve->sku_name))
		return;
	if (reserve->qty.huge || reserve->qty.qty.units > available(sku).units)
		ruling_refuse(r, STATUS_OUT_OF_STOCK,
			"\"%.*s\" has %lld available (%lld on hand, %lld reserved), "
			"%s%lld is asked",
			CH_VIEW_ARG(reserve->sku_name),
			(long long)available(sku).units,
			(long long)sku->on_hand.units,
			(long long)sku->reserved.units,
			reserve->qty.huge ? "more than " : "",
			(long long)reserve->qty.qty.units);
}

void
stock_rules_reserve(struct ruling *r, const struct command *c)
{
	const struct stock_reserve *reserve = &c->as.stock_reserve;
	struct reservation *made = reserve->reservation;
	struct sku *sku = reserve->sku;

	check_stock(r, reserve);
	hold_rules_deadline(r, &reserve->deadline, STATUS_RESERVATION_EXPIRED);
	if (row_is_there(&made->row))
		ruling_refuse(r, STATUS_RESERVATION_EXISTS,
			"reservation \"%.*s\" exists, %s: a name is never reused",
			CH_VIEW_ARG(reserve->name),
			reservation_state_name(made->state));
	if (!ruling_open(r))
		return;
	books_touch(r->books, &sku->row, r->at);
	add(&sku->reserved, reserve->qty.qty);
	books_create(r->books, &made->row, r->at);
	made->sku = sku;
	made->qty = reserve->qty.qty;
	made->expires = reserve->deadline.set;
	made->expires_at = reserve->deadline.at;
	made->stream = r->stream;
	event_stock(r, "stock.reserved", sku, made->qty, made);
}

/* ---- the end of a reservation ---- */

bool
stock_rules_due(const struct reservation *r, struct ch_time at)
{
	return r->state == RESERVATION_RESERVED && r->expires &&
		r->expires_at.us <= at.us;
}

static void
check_reserved(struct ruling *r, const struct reservation_end *end)
{
	const struct reservation *res = end->reservation;
	enum ledger_status status = STATUS_APPLIED;

	if (!row_is_there(&res->row)) {
		ruling_refuse(r, STATUS_RESERVATION_NOT_FOUND,
			"reservation \"%.*s\" was never made",
			CH_VIEW_ARG(end->name));
		return;
	}
	switch (res->state) {
	case RESERVATION_RESERVED:
		/* due and still reserved: the timer's row was set aside */
		if (stock_rules_due(res, r->at))
			status = STATUS_RESERVATION_EXPIRED;
		break;
	case RESERVATION_COMMITTED:
		status = STATUS_RESERVATION_COMMITTED;
		break;
	case RESERVATION_RELEASED:
		status = STATUS_RESERVATION_RELEASED;
		break;
	case RESERVATION_EXPIRED:
		status = STATUS_RESERVATION_EXPIRED;
		break;
	}
	if (status != STATUS_APPLIED)
		ruling_refuse(r, status, "reservation \"%.*s\" is %s",
			CH_VIEW_ARG(end->name),
			status == STATUS_RESERVATION_EXPIRED
				? "expired"
				: reservation_state_name(res->state));
	if (end->has_qty &&
		(end->qty.huge || end->qty.qty.units > res->qty.units))
		ruling_refuse(r, STATUS_AMOUNT_EXCEEDS_HOLD,
			"reservation \"%.*s\" holds %lld, %s%lld is asked",
			CH_VIEW_ARG(end->name), (long long)res->qty.units,
			end->qty.huge ? "more than " : "",
			(long long)end->qty.qty.units);
}

/* Gives back the reserved quantity, of which `gone` leaves the stock. */
static void
end_reservation(struct ruling *r, struct reservation *res, struct ch_qty gone,
	enum reservation_state state)
{
	struct sku *sku = res->sku;

	books_touch(r->books, &sku->row, r->at);
	books_touch(r->books, &res->row, r->at);
	take(&sku->reserved, res->qty);
	take(&sku->on_hand, gone);
	res->state = state;
	res->committed = gone;
}

void
stock_rules_commit(struct ruling *r, const struct command *c)
{
	const struct reservation_end *end = &c->as.reservation_end;
	struct ch_qty gone;

	check_reserved(r, end);
	if (!ruling_open(r))
		return;
	gone = end->has_qty ? end->qty.qty : end->reservation->qty;
	end_reservation(r, end->reservation, gone, RESERVATION_COMMITTED);
	event_stock(r, "reservation.committed", end->reservation->sku, gone,
		end->reservation);
}

void
stock_rules_release(struct ruling *r, const struct command *c)
{
	const struct reservation_end *end = &c->as.reservation_end;
	struct ch_qty none = {0};

	check_reserved(r, end);
	if (!ruling_open(r))
		return;
	end_reservation(r, end->reservation, none, RESERVATION_RELEASED);
	event_stock(r, "reservation.released", end->reservation->sku,
		end->reservation->qty, end->reservation);
}

void
stock_rules_expire(struct ruling *r, struct reservation *res)
{
	struct ch_qty none = {0};

	assert(stock_rules_due(res, r->at));
	end_reservation(r, res, none, RESERVATION_EXPIRED);
	event_stock(r, "reservation.expired", res->sku, res->qty, res);
}
