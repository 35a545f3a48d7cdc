/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold_rules: see hold_rules.h. The lifecycle is the switch in check_held():
 * held is the only state that anything leaves.
 */
#include "hold_rules.h"

#include <assert.h>

#include "account_rules.h"
#include "event.h"

void
hold_rules_deadline(struct ruling *r, const struct command_deadline *d,
	enum ledger_status status)
{
	char deadline[CH_TIME_TEXT_MAX];
	char now[CH_TIME_TEXT_MAX];

	if (!d->set || d->at.us > r->at.us)
		return;
	(void)ch_time_format(d->at, deadline);
	(void)ch_time_format(r->at, now);
	ruling_refuse(r, status,
		"expires_at: %s is not after this decision at %s", deadline,
		now);
}

/* ---- hold.place ---- */

static void
check_funds(struct ruling *r, const struct hold_place *place, ch_wide amount)
{
	const struct account *a = place->from;
	char text[CH_AMOUNT_TEXT_MAX];

	if (a->has_floor && account_rules_available(a) < amount)
		ruling_refuse(r, STATUS_INSUFFICIENT_FUNDS,
			"from: \"%.*s\" has %s %.*s available, %.*s is asked",
			CH_VIEW_ARG(place->from_name),
			account_rules_text(account_rules_available(a),
				a->asset->scale, text),
			CH_VIEW_ARG(a->asset->row.name),
			CH_VIEW_ARG(place->amount));
	if (!account_rules_fits(a->held.minor + amount))
		ruling_refuse(r, STATUS_OVERFLOW,
			"from: what is held of \"%.*s\" would leave the range of "
			"%d fraction digits",
			CH_VIEW_ARG(place->from_name), a->asset->scale);
}

void
hold_rules_place(struct ruling *r, const struct command *c)
{
	const struct hold_place *place = &c->as.hold_place;
	struct account *a = place->from;
	struct hold *h = place->hold;
	ch_wide amount = 0;

	if (account_rules_usable(r, a, place->from_name, "from", 0)) {
		account_rules_whole(r, a, "from");
		amount = account_rules_amount(r, a->asset, place->amount,
			"amount", 0);
		check_funds(r, place, amount);
	}
	hold_rules_deadline(r, &place->deadline, STATUS_HOLD_EXPIRED);
	if (row_is_there(&h->row))
		ruling_refuse(r, STATUS_HOLD_EXISTS,
			"hold: \"%.*s\" exists, %s: a name is never reused",
			CH_VIEW_ARG(place->name), hold_state_name(h->state));
	if (!ruling_open(r))
		return;
	books_touch(r->books, &a->row, r->at);
	a->held.minor += (int64_t)amount;
	books_create(r->books, &h->row, r->at);
	h->account = a;
	h->amount.minor = (int64_t)amount;
	h->expires = place->deadline.set;
	h->expires_at = place->deadline.at;
	h->stream = r->stream;
}

/* ---- the end of a hold ---- */

bool
hold_rules_due(const struct hold *h, struct ch_time at)
{
	return h->state == HOLD_HELD && h->expires && h->expires_at.us <= at.us;
}

static bool
check_held(struct ruling *r, const struct hold_end *end)
{
	const struct hold *h = end->hold;
	enum ledger_status status = STATUS_APPLIED;

	if (!row_is_there(&h->row)) {
		ruling_refuse(r, STATUS_HOLD_NOT_FOUND,
			"hold: \"%.*s\" was never placed",
			CH_VIEW_ARG(end->name));
		return false;
	}
	switch (h->state) {
	case HOLD_HELD:
		/* due and still held: the timer's row was set aside */
		if (hold_rules_due(h, r->at))
			status = STATUS_HOLD_EXPIRED;
		break;
	case HOLD_CAPTURED:
		status = STATUS_HOLD_CAPTURED;
		break;
	case HOLD_VOIDED:
		status = STATUS_HOLD_VOIDED;
		break;
	case HOLD_EXPIRED:
		status = STATUS_HOLD_EXPIRED;
		break;
	}
	if (status != STATUS_APPLIED)
		ruling_refuse(r, status, "hold: \"%.*s\" is %s",
			CH_VIEW_ARG(end->name),
			status == STATUS_HOLD_EXPIRED
				? "expired"
				: hold_state_name(h->state));
	return true;
}

/* Frees the whole hold; what was taken of it leaves by postings. Held goes below
 * zero only where rows were edited by hand: the CHECK on it refuses that. */
static void
end_hold(struct ruling *r, struct hold *h, enum hold_state state)
{
	books_touch(r->books, &h->account->row, r->at);
	books_touch(r->books, &h->row, r->at);
	h->account->held.minor -= h->amount.minor;
	h->state = state;
}

static ch_wide
captured_amount(struct ruling *r, const struct hold_end *end)
{
	const struct hold *h = end->hold;
	ch_wide amount = h->amount.minor;
	char text[CH_AMOUNT_TEXT_MAX];

	if (end->amount.ptr != NULL)
		amount = account_rules_amount(r, h->account->asset, end->amount,
			"amount", 0);
	if (amount > h->amount.minor)
		ruling_refuse(r, STATUS_AMOUNT_EXCEEDS_HOLD,
			"amount: hold \"%.*s\" holds %s, %.*s is asked",
			CH_VIEW_ARG(end->name),
			account_rules_text(h->amount.minor,
				h->account->asset->scale, text),
			CH_VIEW_ARG(end->amount));
	return amount;
}

static void
check_payee(struct ruling *r, const struct hold_end *end, ch_wide amount)
{
	const struct account *payer = end->hold->account;
	const struct account *payee = account_rules_row(r, end->to);

	if (payee->asset != payer->asset)
		ruling_refuse(r, STATUS_ASSET_MISMATCH,
			"to: \"%.*s\" holds %.*s, the hold is in %.*s",
			CH_VIEW_ARG(end->to_name),
			CH_VIEW_ARG(payee->asset->row.name),
			CH_VIEW_ARG(payer->asset->row.name));
	if (!account_rules_fits(payer->balance.minor - amount) ||
		(payee != payer &&
			!account_rules_fits(payee->balance.minor + amount)))
		ruling_refuse(r, STATUS_OVERFLOW,
			"to: a balance would leave the range of %d fraction digits",
			payer->asset->scale);
}

static void
post_capture(struct ruling *r, struct hold *h, struct account *payee,
	struct ch_amount amount)
{
	struct account *payer = h->account;

	payer->balance.minor -= amount.minor;
	ruling_post(r, payer, (struct ch_amount){-amount.minor},
		payer->balance);
	books_touch(r->books, &payee->row, r->at);
	payee->balance.minor += amount.minor;
	ruling_post(r, payee, amount, payee->balance);
	h->captured = amount;
}

void
hold_rules_capture(struct ruling *r, const struct command *c)
{
	const struct hold_end *end = &c->as.hold_end;
	bool to = account_rules_usable(r, end->to, end->to_name, "to", 0);
	bool held = check_held(r, end);
	ch_wide amount = held ? captured_amount(r, end) : 0;

	if (to && held)
		check_payee(r, end, amount);
	if (!ruling_open(r))
		return;
	end_hold(r, end->hold, HOLD_CAPTURED);
	post_capture(r, end->hold, account_rules_row(r, end->to),
		(struct ch_amount){(int64_t)amount});
	event_hold(r, "hold.captured", end->hold, end->to);
}

void
hold_rules_void(struct ruling *r, const struct command *c)
{
	const struct hold_end *end = &c->as.hold_end;

	(void)check_held(r, end);
	if (!ruling_open(r))
		return;
	end_hold(r, end->hold, HOLD_VOIDED);
	event_hold(r, "hold.voided", end->hold, NULL);
}

void
hold_rules_expire(struct ruling *r, struct hold *h)
{
	assert(hold_rules_due(h, r->at));
	end_hold(r, h, HOLD_EXPIRED);
	event_hold(r, "hold.expired", h, NULL);
}
