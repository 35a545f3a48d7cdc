/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_stock: see model_stock.h.
 */
#include "model_stock.h"

#include <string.h>

#include "model_due.h"
#include "model_time.h"

/* reservation: NULL when none is meant. */
static void
stock_event(struct step *s, const char *type, const struct sku *k, int64_t qty,
	const char *reservation)
{
	struct text *t = model_event(s, type);

	model_put_member(t, "sku", k->row.name);
	model_put_decimal(t, "qty", qty, 0);
	model_put_decimal(t, "on_hand", k->v.on_hand, 0);
	model_put_decimal(t, "reserved", k->v.reserved, 0);
	model_put_number(t, "version", k->v.stamp.version);
	if (reservation != NULL)
		model_put_member(t, "reservation", reservation);
	model_event_end(s, t);
}

void
model_stock_receive(struct step *s)
{
	const char *name = model_text(s, "sku");
	struct sku *k = model_named(s, ROW_SKU, name);
	big qty = model_decimal_value(model_text(s, "qty"), 0);

	if ((k != NULL ? k->v.on_hand : 0) + qty > MAX64)
		model_refuse(s, "overflow");
	if (!model_applied(s))
		return;
	if (k == NULL) {
		k = model_create(s->m, ROW_SKU, s->org, name,
			s->now->decided_at);
		k->next_due = INT64_MAX;
	}
	model_change(s, &k->row);
	k->v.on_hand += (int64_t)qty;
	stock_event(s, "stock.received", k, (int64_t)qty, NULL);
}

void
model_stock_adjust(struct step *s)
{
	struct sku *k = model_named(s, ROW_SKU, model_text(s, "sku"));
	big delta = model_decimal_value(model_text(s, "delta"), 0);

	if (k == NULL)
		model_refuse(s, "sku_not_found");
	if (k != NULL && k->v.on_hand + delta < k->v.reserved)
		model_refuse(s, "out_of_stock");
	if (k != NULL && k->v.on_hand + delta > MAX64)
		model_refuse(s, "overflow");
	if (!model_applied(s))
		return;
	model_change(s, &k->row);
	k->v.on_hand += (int64_t)delta;
	stock_event(s, "stock.adjusted", k, (int64_t)delta, NULL);
}

static bool
read_deadline(struct step *s, int64_t *at)
{
	const char *text = model_text(s, "expires_at");

	if (text == NULL)
		return false;
	(void)model_time_read(text, at);
	if (*at <= s->now->decided_at)
		model_refuse(s, "reservation_expired");
	return true;
}

void
model_stock_reserve(struct step *s)
{
	struct sku *k = model_named(s, ROW_SKU, model_text(s, "sku"));
	const char *name =
		model_row_name(s->body, "reservation", s->default_name);
	big qty = model_decimal_value(model_text(s, "qty"), 0);
	int64_t at = 0;
	bool expires = read_deadline(s, &at);
	struct reservation *r;

	if (k == NULL)
		model_refuse(s, "sku_not_found");
	if (k != NULL && qty > (big)k->v.on_hand - k->v.reserved)
		model_refuse(s, "out_of_stock");
	if (model_named(s, ROW_RESERVATION, name) != NULL)
		model_refuse(s, "reservation_exists");
	if (!model_applied(s))
		return;
	model_change(s, &k->row);
	k->v.reserved += (int64_t)qty;
	r = model_create(s->m, ROW_RESERVATION, s->org, name,
		s->now->decided_at);
	r->sku = k;
	model_add(&k->reservations, &r->row);
	r->qty = (int64_t)qty;
	r->expires = expires;
	r->expires_at = at;
	r->v.state = "reserved";
	model_is_due(&k->next_due, expires, at);
	stock_event(s, "stock.reserved", k, r->qty, name);
}

/* It is there, and has not ended. */
static struct reservation *
open_reservation(struct step *s)
{
	struct reservation *r =
		model_named(s, ROW_RESERVATION, model_text(s, "reservation"));

	if (r == NULL)
		model_refuse(s, "reservation_not_found");
	else if (strcmp(r->v.state, "committed") == 0)
		model_refuse(s, "reservation_committed");
	else if (strcmp(r->v.state, "released") == 0)
		model_refuse(s, "reservation_released");
	else if (strcmp(r->v.state, "expired") == 0)
		model_refuse(s, "reservation_expired");
	return r;
}

/* gone: what leaves the stock; the rest is free again. */
static void
end_reservation(struct step *s, struct reservation *r, const char *state,
	int64_t gone)
{
	struct sku *k = r->sku;

	model_change(s, &k->row);
	k->v.on_hand -= gone;
	k->v.reserved -= r->qty;
	model_change(s, &r->row);
	r->v.state = state;
	r->v.committed = gone;
}

void
model_reservation_commit(struct step *s)
{
	struct reservation *r = open_reservation(s);
	const char *text = model_text(s, "qty");
	big qty = 0;

	if (r != NULL)
		qty = text != NULL ? model_decimal_value(text, 0) : r->qty;
	if (r != NULL && qty > r->qty)
		model_refuse(s, "amount_exceeds_hold");
	if (!model_applied(s))
		return;
	end_reservation(s, r, "committed", (int64_t)qty);
	stock_event(s, "reservation.committed", r->sku, (int64_t)qty,
		r->row.name);
}

void
model_reservation_release(struct step *s)
{
	struct reservation *r = open_reservation(s);

	if (!model_applied(s))
		return;
	end_reservation(s, r, "released", 0);
	stock_event(s, "reservation.released", r->sku, r->qty, r->row.name);
}

void
model_reservation_expire(struct step *s, struct reservation *r)
{
	struct step timer;

	model_step_init(&timer, s->m, NULL, s->now, s->sink, s->ctx);
	timer.org = s->org;
	timer.type = "reservation.expire";
	model_begin(s->m);
	end_reservation(&timer, r, "expired", 0);
	stock_event(&timer, "reservation.expired", r->sku, r->qty, r->row.name);
	model_timer_end(&timer);
}
