/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_rules: see market_rules.h. Units and prices are at scale 8 each, so
 * their product is at 16; a minor unit is 10^(16 - scale) of it.
 */
#include "market_rules.h"

#include <assert.h>

#include "account_rules.h"
#include "base/json.h"
#include "event.h"

#define PRODUCT_SCALE (2 * COMMAND_UNITS_SCALE)
#define PAYOUT_NODES (LEDGER_PAYOUTS_MAX + 2)

/* ---- pool.deploy ---- */

static void
check_open(struct ruling *r, const struct market *m)
{
	if (row_is_there(&m->row) && m->state != MARKET_OPEN)
		ruling_refuse(r, STATUS_MARKET_SETTLED,
			"market: \"%.*s\" is %s", CH_VIEW_ARG(m->row.name),
			market_state_name(m->state));
}

void
market_rules_deploy(struct ruling *r, const struct command *c)
{
	const struct pool_deploy *deploy = &c->as.pool_deploy;
	struct market *m = deploy->market;

	check_open(r, m);
	if (row_is_there(&m->row) && m->address.len > 0) {
		ruling_refuse(r, STATUS_POOL_EXISTS,
			"market: \"%.*s\" has its pool at %.*s",
			CH_VIEW_ARG(m->row.name), CH_VIEW_ARG(m->address));
		r->pool = m;
	}
	if (!ruling_open(r))
		return;
	if (row_is_there(&m->row))
		books_touch(r->books, &m->row, r->at);
	else
		books_create(r->books, &m->row, r->at);
	m->address = deploy->address;
	event_pool_deployed(r, m);
}

/* ---- market.settle ---- */

static int64_t
price_of(const struct market_payout *payouts, size_t n, struct ch_view outcome)
{
	for (size_t i = 0; i < n; i++) {
		if (ch_view_eq(payouts[i].outcome, outcome))
			return payouts[i].price.minor;
	}
	return 0;
}

/* *sum += units * price; false when that is beyond even a wide. */
static bool
add_product(ch_wide *sum, ch_wide units, int64_t price)
{
	ch_wide product;

	return !__builtin_mul_overflow(units, (ch_wide)price, &product) &&
		!__builtin_add_overflow(*sum, product, sum);
}

static ch_wide
to_minor(ch_wide product, int scale)
{
	for (int i = scale; i < PRODUCT_SCALE; i++)
		product /= 10;
	return product;
}

/* What the table holds, and what this batch has made of it. */
static bool
owed_in_all(const struct ruling *r, const struct market_settle *s,
	ch_wide *owed)
{
	const struct market *m = s->market;
	bool fits = true;

	*owed = 0;
	for (size_t i = 0; i < s->payout_count; i++)
		fits = fits &&
			add_product(owed, s->payouts[i].units,
				s->payouts[i].price.minor);
	for (size_t i = 0; i < books_count(r->books, ROW_POSITION); i++) {
		const struct position *p = books_position_at(r->books, i);

		if (p->market != m || !row_is_there(&p->row))
			continue;
		fits = fits &&
			add_product(owed,
				(ch_wide)p->qty.minor - p->stored_qty.minor,
				price_of(s->payouts, s->payout_count,
					p->outcome));
	}
	return fits;
}

static void
check_payer(struct ruling *r, const struct market_settle *s, ch_wide total)
{
	const struct account *a = s->from;
	char available[CH_AMOUNT_TEXT_MAX];
	char text[CH_AMOUNT_TEXT_MAX];

	if (a->has_floor && account_rules_available(a) < total)
		ruling_refuse(r, STATUS_INSUFFICIENT_FUNDS,
			"from: \"%.*s\" has %s available, the holders of \"%.*s\" get %s",
			CH_VIEW_ARG(s->from_name),
			account_rules_text(account_rules_available(a),
				a->asset->scale, available),
			CH_VIEW_ARG(s->market_name),
			account_rules_text(total, a->asset->scale, text));
	if (!account_rules_fits(total) ||
		!account_rules_fits(a->held.minor + total) ||
		!account_rules_fits(a->balance.minor - total))
		ruling_refuse(r, STATUS_OVERFLOW,
			"payouts: they would leave the range of %d fraction digits",
			a->asset->scale);
}

static void
check_market(struct ruling *r, const struct market_settle *s)
{
	const struct market *m = s->market;

	if (!row_is_there(&m->row)) {
		ruling_refuse(r, STATUS_MARKET_NOT_FOUND,
			"market: \"%.*s\" has neither a trade nor a pool",
			CH_VIEW_ARG(s->market_name));
		return;
	}
	check_open(r, m);
	if (row_is_there(&s->from->row) && m->asset.len > 0 &&
		!ch_view_eq(m->asset, s->from->asset->row.name))
		ruling_refuse(r, STATUS_ASSET_MISMATCH,
			"from: \"%.*s\" holds %.*s, the market is traded in %.*s",
			CH_VIEW_ARG(s->from_name),
			CH_VIEW_ARG(s->from->asset->row.name),
			CH_VIEW_ARG(m->asset));
}

void
market_rules_settle(struct ruling *r, const struct command *c)
{
	const struct market_settle *s = &c->as.market_settle;
	struct market *m = s->market;
	ch_wide owed = 0;
	ch_wide total = 0;

	if (account_rules_usable(r, s->from, s->from_name, "from", 0))
		account_rules_whole(r, s->from, "from");
	check_market(r, s);
	if (!ruling_open(r))
		return;
	if (owed_in_all(r, s, &owed))
		total = to_minor(owed, s->from->asset->scale);
	else
		total = ACCOUNT_RULES_MOST;
	check_payer(r, s, total);
	if (!ruling_open(r))
		return;
	books_touch(r->books, &s->from->row, r->at);
	s->from->held.minor += (int64_t)total;
	books_touch(r->books, &m->row, r->at);
	m->state = MARKET_SETTLING;
	m->payer = s->from;
	m->payouts = s->payouts_text;
	m->reserved.minor = (int64_t)total;
	m->stream = r->stream;
	event_market_settling(r, m);
}

/* ---- a page ---- */

/* The stored payouts, which were read once before. */
static size_t
read_payouts(struct ruling *r, const struct market *m,
	struct market_payout payouts[LEDGER_PAYOUTS_MAX])
{
	struct ch_err err = CH_ERR_INIT;
	const struct ch_json *root =
		ch_json_parse(&r->books->arena, m->payouts, PAYOUT_NODES, &err);
	size_t n = 0;

	assert(root != NULL && root->count <= LEDGER_PAYOUTS_MAX);
	for (const struct ch_json *v = root->child; v != NULL; v = v->next) {
		payouts[n].outcome = v->name;
		(void)ch_amount_parse(v->str, COMMAND_UNITS_SCALE,
			&payouts[n].price);
		n++;
	}
	return n;
}

static bool
can_be_paid(const struct market *m, const struct account *holder,
	ch_wide amount)
{
	return !holder->closed &&
		account_rules_fits(m->payer->balance.minor - amount) &&
		(holder == m->payer ||
			account_rules_fits(holder->balance.minor + amount));
}

static void
pay(struct ruling *r, struct market *m, struct position *p,
	struct ch_amount amount)
{
	struct account *holder = p->account;

	books_touch(r->books, &p->row, r->at);
	p->is_paid = true;
	p->paid = amount;
	m->paid.minor += amount.minor;
	m->holders++;
	if (amount.minor == 0)
		return;
	books_touch(r->books, &holder->row, r->at);
	m->payer->balance.minor -= amount.minor;
	ruling_post(r, m->payer, (struct ch_amount){-amount.minor},
		m->payer->balance);
	holder->balance.minor += amount.minor;
	ruling_post(r, holder, amount, holder->balance);
}

static void
release_lock(struct ruling *r, struct position *p)
{
	if (p->lock.minor == 0)
		return;
	books_touch(r->books, &p->account->row, r->at);
	books_touch(r->books, &p->row, r->at);
	p->account->held.minor -= p->lock.minor;
	p->lock.minor = 0;
}

static void
pay_position(struct ruling *r, struct market *m, struct position *p,
	int64_t price)
{
	ch_wide due;

	(void)add_product(&m->owed, p->qty.minor, price);
	due = to_minor(m->owed, m->payer->asset->scale) - m->paid.minor -
		m->unpaid.minor;
	release_lock(r, p);
	m->payer->held.minor -= (int64_t)due;
	if (can_be_paid(m, p->account, due)) {
		pay(r, m, p, (struct ch_amount){(int64_t)due});
	} else {
		m->unpaid.minor += (int64_t)due;
		m->unpaid_holders++;
	}
	m->cursor = p->row.number;
}

void
market_rules_pay(struct ruling *r, const struct market_page *page)
{
	struct market_payout payouts[LEDGER_PAYOUTS_MAX];
	struct market *m = page->market;
	size_t n = read_payouts(r, m, payouts);

	assert(m->state == MARKET_SETTLING);
	books_touch(r->books, &m->payer->row, r->at);
	books_touch(r->books, &m->row, r->at);
	m->page++;
	for (size_t i = 0; i < page->count; i++)
		pay_position(r, m, page->positions[i],
			price_of(payouts, n, page->positions[i]->outcome));
	if (!page->last)
		return;
	/* reserved is paid + unpaid now, unless rows were edited by hand, which
	 * the reconciler finds (check_markets) */
	m->state = MARKET_SETTLED;
	event_market_settled(r, m);
}
