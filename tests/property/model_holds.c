/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_holds: see model_holds.h.
 */
#include "model_holds.h"

#include <string.h>

#include "model_due.h"
#include "model_money.h"
#include "model_time.h"

/* Absent: it never runs out by itself. */
static bool
read_deadline(struct step *s, int64_t *at)
{
	const char *text = model_text(s, "expires_at");

	if (text == NULL)
		return false;
	(void)model_time_read(text, at);
	if (*at <= s->now->decided_at)
		model_refuse(s, "hold_expired");
	return true;
}

/* Can the payer set that much aside? */
static void
check_funds(struct step *s, const struct account *from)
{
	big amount = model_amount(s, model_text(s, "amount"), from->scale);
	const struct balance *b = from->balances[0];

	if (!model_can_pay(b, amount))
		model_refuse(s, "insufficient_funds");
	if (amount > MAX64 || amount + b->v.held > MAX64)
		model_refuse(s, "overflow");
}

void
model_hold_place(struct step *s)
{
	struct account *from = model_payee(s, model_text(s, "from"));
	const char *name = model_row_name(s->body, "hold", s->default_name);
	int64_t at = 0;
	bool expires = read_deadline(s, &at);
	struct balance *b;
	struct hold *h;

	if (from != NULL && from->shards > 0)
		model_refuse(s, "account_sharded");
	else if (from != NULL)
		check_funds(s, from);
	if (model_named(s, ROW_HOLD, name) != NULL)
		model_refuse(s, "hold_exists");
	if (!model_applied(s))
		return;
	b = from->balances[0];
	model_change(s, &b->row);
	h = model_create(s->m, ROW_HOLD, s->org, name, s->now->decided_at);
	h->account = from;
	model_add(&from->holds, &h->row);
	h->amount = (int64_t)model_decimal_value(model_text(s, "amount"),
		from->scale);
	b->v.held += h->amount;
	h->expires = expires;
	h->expires_at = at;
	h->v.state = "held";
	model_is_due(&from->next_due, expires, at);
}

/* It is there, and has not ended. */
static struct hold *
open_hold(struct step *s)
{
	struct hold *h = model_named(s, ROW_HOLD, model_text(s, "hold"));

	if (h == NULL)
		model_refuse(s, "hold_not_found");
	else if (strcmp(h->v.state, "captured") == 0)
		model_refuse(s, "hold_captured");
	else if (strcmp(h->v.state, "voided") == 0)
		model_refuse(s, "hold_voided");
	else if (strcmp(h->v.state, "expired") == 0)
		model_refuse(s, "hold_expired");
	return h;
}

/* to: NULL unless it was captured. */
static void
hold_event(struct step *s, const char *type, const struct hold *h,
	const char *to)
{
	const struct balance *b = h->account->balances[0];
	struct text *t = model_event(s, type);
	int scale = h->account->scale;

	model_put_member(t, "account", h->account->row.name);
	model_put_member(t, "asset", h->account->asset);
	model_put_member(t, "hold", h->row.name);
	model_put_decimal(t, "amount", h->amount, scale);
	if (to != NULL) {
		model_put_decimal(t, "captured", h->v.captured, scale);
		model_put_member(t, "to", to);
	}
	model_put_decimal(t, "balance", b->v.balance, scale);
	model_put_decimal(t, "held", b->v.held, scale);
	model_put_number(t, "version", b->v.stamp.version);
	model_event_end(s, t);
}

/* What was held is free again; the balance itself has been moved before. */
static void
end_hold(struct step *s, struct hold *h, const char *state)
{
	struct balance *b = h->account->balances[0];

	model_change(s, &b->row);
	b->v.held -= h->amount;
	model_change(s, &h->row);
	h->v.state = state;
}

void
model_hold_capture(struct step *s)
{
	struct hold *h = open_hold(s);
	struct account *to = model_payee(s, model_text(s, "to"));
	const char *amount = model_text(s, "amount");
	struct move m = {.to = to, .covered = true};

	if (h != NULL && to != NULL &&
		strcmp(h->account->asset, to->asset) != 0)
		model_refuse(s, "asset_mismatch");
	if (h != NULL) {
		m.from = h->account;
		m.amount = amount != NULL
			? model_amount(s, amount, h->account->scale)
			: h->amount;
		if (m.amount > h->amount)
			model_refuse(s, "amount_exceeds_hold");
	}
	if (model_applied(s))
		model_run_moves(s, &m, 1);
	if (!model_applied(s))
		return;
	end_hold(s, h, "captured");
	h->v.captured = (int64_t)m.amount;
	hold_event(s, "hold.captured", h, to->row.name);
}

void
model_hold_void(struct step *s)
{
	struct hold *h = open_hold(s);

	if (!model_applied(s))
		return;
	end_hold(s, h, "voided");
	hold_event(s, "hold.voided", h, NULL);
}

void
model_hold_expire(struct step *s, struct hold *h)
{
	struct step timer;

	model_step_init(&timer, s->m, NULL, s->now, s->sink, s->ctx);
	timer.org = s->org;
	timer.type = "hold.expire";
	model_begin(s->m);
	end_hold(&timer, h, "expired");
	hold_event(&timer, "hold.expired", h, NULL);
	model_timer_end(&timer);
}
