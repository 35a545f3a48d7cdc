/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_settlement: see model_settlement.h.
 *
 * Sums of units * price are exact: whole numbers of 1e-16 of the asset.
 */
#include "model_settlement.h"

#include <stdlib.h>
#include <string.h>

#include "model_due.h"
#include "model_fields.h"
#include "model_money.h"

/* units * price in 1e-16; an outcome that is not listed pays 0. */
static big
owed_to(const struct position *p, const json_t *payouts)
{
	const char *price =
		json_string_value(json_object_get(payouts, p->outcome));

	return price != NULL
		? p->v.qty * model_decimal_value(price, MODEL_UNIT_SCALE)
		: 0;
}

/* Whole minor units in a sum of 1e-16. */
static big
minor_units(big owed, int scale)
{
	for (int i = scale; i < 2 * MODEL_UNIT_SCALE; i++)
		owed /= 10;
	return owed;
}

/* More than any int64 stays so: the sum does not leave its own range. */
static big
total_of(const struct market *m, const json_t *payouts, int scale)
{
	big sum = 0;
	big most = MAX64 + 1;

	for (int i = scale; i < 2 * MODEL_UNIT_SCALE; i++)
		most *= 10;
	for (size_t i = 0; i < m->positions.count && sum < most; i++)
		sum += owed_to((const struct position *)(const void *)
				       m->positions.rows[i],
			payouts);
	return minor_units(sum, scale);
}

/* ---- market.settle ---- */

static void
settling_event(struct step *s, const struct market *m)
{
	struct text *t = model_event(s, "market.settling");

	model_put_member(t, "market", m->row.name);
	model_put_member(t, "payer", m->v.payer->row.name);
	model_put_decimal(t, "total", m->v.reserved, m->v.payer->scale);
	model_put_number(t, "version", m->v.stamp.version);
	model_event_end(s, t);
}

static void
start(struct step *s, struct market *m, struct account *payer, int64_t total)
{
	struct balance *b = payer->balances[0];

	model_change(s, &b->row);
	b->v.held += total;
	model_change(s, &m->row);
	m->v.state = "settling";
	m->v.payer = payer;
	m->v.payouts = json_object_get(s->body, "payouts");
	m->v.reserved = total;
	settling_event(s, m);
	if (!s->c->dry_run && !s->only_asks)
		model_add(&s->m->settled, &m->row);
}

static void
check_total(struct step *s, const struct account *payer, big total)
{
	const struct balance *b = payer->balances[0];

	if (!model_can_pay(b, total))
		model_refuse(s, "insufficient_funds");
	/* without a floor, too, the payer must be able to pay it */
	if (total > MAX64 || b->v.held + total > MAX64 ||
		b->v.balance - total < MIN64)
		model_refuse(s, "overflow");
}

void
model_market_settle(struct step *s)
{
	struct account *payer = model_payee(s, model_text(s, "from"));
	struct market *m = model_named(s, ROW_MARKET, model_text(s, "market"));
	big total = 0;

	if (m == NULL)
		model_refuse(s, "market_not_found");
	else if (strcmp(m->v.state, "open") != 0)
		model_refuse(s, "market_settled");
	if (payer != NULL && payer->shards > 0)
		model_refuse(s, "account_sharded");
	if (payer != NULL && m != NULL && m->v.asset != NULL &&
		strcmp(m->v.asset, payer->asset) != 0)
		model_refuse(s, "asset_mismatch");
	if (model_applied(s)) {
		total = total_of(m, json_object_get(s->body, "payouts"),
			payer->scale);
		check_total(s, payer, total);
	}
	if (model_applied(s))
		start(s, m, payer, (int64_t)total);
}

/* ---- market.pay ---- */

static void
settled_event(struct step *s, const struct market *m)
{
	struct text *t = model_event(s, "market.settled");

	model_put_member(t, "market", m->row.name);
	model_put_decimal(t, "paid", m->v.paid, m->v.payer->scale);
	model_put_decimal(t, "unpaid", m->v.unpaid, m->v.payer->scale);
	model_put_number(t, "holders", m->v.holders);
	model_put_number(t, "unpaid_holders", m->v.unpaid_holders);
	model_put_number(t, "version", m->v.stamp.version);
	model_event_end(s, t);
}

static void
move_payment(struct step *s, struct balance *payer, struct balance *holder,
	int64_t amount)
{
	model_change(s, &payer->row);
	payer->v.balance -= amount;
	payer->v.held -= amount;
	model_posting(s, payer, -amount, payer->v.balance);
	model_change(s, &holder->row);
	holder->v.balance += amount;
	model_posting(s, holder, amount, holder->v.balance);
}

/* The lock ends with the market, whether the holder can be paid or not. */
static void
release_lock(struct step *s, struct position *p)
{
	struct balance *b = p->account->balances[0];

	if (p->v.lock == 0)
		return;
	model_change(s, &b->row);
	b->v.held -= p->v.lock;
	model_change(s, &p->row);
	p->v.lock = 0;
}

static bool
can_be_paid(const struct market *m, const struct position *p, int64_t amount)
{
	const struct balance *payer = m->v.payer->balances[0];
	const struct balance *holder = p->account->balances[0];

	return !holder->v.closed &&
		(payer == holder ||
			((big)holder->v.balance + amount <= MAX64 &&
				(big)payer->v.balance - amount >= MIN64));
}

static void
pay(struct step *s, struct market *m, struct position *p)
{
	int scale = p->account->scale;
	big before = minor_units(m->v.owed, scale);
	int64_t amount;

	m->v.owed += owed_to(p, m->v.payouts);
	amount = (int64_t)(minor_units(m->v.owed, scale) - before);
	if (can_be_paid(m, p, amount)) {
		if (amount > 0)
			move_payment(s, m->v.payer->balances[0],
				p->account->balances[0], amount);
		model_change(s, &p->row);
		p->v.has_paid = true;
		p->v.paid = amount;
		m->v.paid += amount;
		m->v.holders++;
	} else {
		m->v.payer->balances[0]->v.held -= amount;
		m->v.unpaid += amount;
		m->v.unpaid_holders++;
	}
	release_lock(s, p);
}

/* The page's accounts: what is due on them is settled before it. */
static void
settle_due(struct step *s, const struct market *m, size_t end)
{
	struct row_list accounts = {NULL, 0, 0};

	model_add(&accounts, &m->v.payer->row);
	for (size_t i = m->v.next; i < end; i++)
		model_add(&accounts,
			&((struct position *)(void *)m->positions.rows[i])
				 ->account->row);
	model_settle_accounts(s, &accounts);
	free(accounts.rows);
}

static void
pay_page(struct step *s, struct market *m, size_t page_size)
{
	size_t left = m->positions.count - m->v.next;
	size_t end = m->v.next + (left < page_size ? left : page_size);

	settle_due(s, m, end);
	model_begin(s->m);
	model_change(s, &m->v.payer->balances[0]->row);
	model_change(s, &m->row);
	for (; m->v.next < end; m->v.next++)
		pay(s, m,
			(struct position *)(void *)
				m->positions.rows[m->v.next]);
	if (end == m->positions.count) {
		m->v.state = "settled";
		settled_event(s, m);
	}
	model_timer_end(s);
}

void
serial_pay_page(struct serial_model *m, const char *org, const char *market,
	size_t page_size, const struct serial_now *now, serial_sink *sink,
	void *ctx)
{
	struct market *k = model_find(m, ROW_MARKET, org, market);
	struct step s;

	model_step_init(&s, m, NULL, now, sink, ctx);
	s.org = org;
	s.type = "market.pay";
	if (k == NULL || strcmp(k->v.state, "settling") != 0)
		model_problem(&s, "a payment for what is not settling", market);
	else
		pay_page(&s, k, page_size);
}

/* ---- for tests ---- */

bool
serial_settling(const struct serial_model *m, size_t i, const char **org,
	const char **market)
{
	for (size_t k = 0; k < m->settled.count; k++) {
		const struct market *row =
			(const struct market *)(const void *)m->settled.rows[k];

		if (strcmp(row->v.state, "settling") != 0 || i-- > 0)
			continue;
		*org = row->row.org;
		*market = row->row.name;
		return true;
	}
	return false;
}

static struct row *
find_in(const struct row_list *list, size_t from, const char *account,
	const char *outcome)
{
	for (size_t i = from; i < list->count; i++) {
		const struct position *p =
			(const struct position *)(const void *)list->rows[i];

		if (strcmp(p->account->row.name, account) == 0 &&
			strcmp(p->outcome, outcome) == 0)
			return list->rows[i];
	}
	return NULL;
}

bool
serial_pay_order(struct serial_model *m, const char *org, const char *market,
	const char *const *accounts, const char *const *outcomes, size_t count)
{
	struct market *k = model_find(m, ROW_MARKET, org, market);
	struct row_list ordered = {NULL, 0, 0};

	for (size_t i = 0; k != NULL && i < count; i++) {
		struct row *row =
			find_in(&k->positions, 0, accounts[i], outcomes[i]);

		if (row != NULL &&
			find_in(&ordered, 0, accounts[i], outcomes[i]) == NULL)
			model_add(&ordered, row);
	}
	if (k == NULL || ordered.count != count ||
		count != k->positions.count) {
		free(ordered.rows);
		return false;
	}
	free(k->positions.rows);
	k->positions = ordered;
	return true;
}
