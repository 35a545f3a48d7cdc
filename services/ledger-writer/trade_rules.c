/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade_rules: see trade_rules.h.
 */
#include "trade_rules.h"

#include <stdlib.h>

#include "account_rules.h"
#include "event.h"
#include "order_rules.h"

/* A lock on its way through a skim. */
struct share {
	struct position *position;
	int64_t lock;	   /* after the skim */
	int64_t remainder; /* of lock * (B - k) mod B */
};

/* What a trade would make of the stake. */
struct stake {
	ch_wide skim;	      /* k; 0: none */
	ch_wide lock;	      /* the traded position's, after it */
	struct share *shares; /* positions with a lock, in byte order */
	size_t share_count;
	ch_wide held; /* of the account, after it */
};

/* ---- a known transaction ---- */

static void
confirm(struct ruling *r, const struct trade_record *t)
{
	struct trade_row *trade = t->trade;

	r->confirmed = true;
	if (trade->state == TRADE_CONFIRMED)
		return;
	books_touch(r->books, &trade->row, r->at);
	trade->state = TRADE_CONFIRMED;
	trade->by = r->id;
	event_trade(r, trade, t->account, NULL);
}

static void
known_trade(struct ruling *r, const struct trade_record *t)
{
	const struct trade_row *trade = t->trade;

	if (!ch_view_eq(trade->account, t->account_name) ||
		!ch_view_eq(trade->market, t->market_name) ||
		!ch_view_eq(trade->outcome, t->outcome) ||
		!ch_view_eq(trade->side, t->side))
		ruling_refuse(r, STATUS_FACT_MISMATCH,
			"tx: \"%.*s\" is known as %.*s of \"%.*s\" by \"%.*s\"",
			CH_VIEW_ARG(t->tx), CH_VIEW_ARG(trade->side),
			CH_VIEW_ARG(trade->market),
			CH_VIEW_ARG(trade->account));
	if (ruling_open(r))
		confirm(r, t);
}

/* ---- checks ---- */

static bool
check_named(struct ruling *r, const struct trade_record *t)
{
	bool there = row_is_there(&t->account->row);

	if (!there)
		ruling_refuse(r, STATUS_ACCOUNT_NOT_FOUND,
			"account: \"%.*s\" is not open",
			CH_VIEW_ARG(t->account_name));
	if (t->skim_to != NULL && !row_is_there(&t->skim_to->row)) {
		ruling_refuse(r, STATUS_ACCOUNT_NOT_FOUND,
			"skim.to: \"%.*s\" is not open",
			CH_VIEW_ARG(t->skim_to_name));
		there = false;
	}
	return there;
}

static void
check_market(struct ruling *r, const struct trade_record *t)
{
	const struct market *m = t->market;
	struct ch_view asset = t->account->asset->row.name;

	if (!row_is_there(&m->row))
		return;
	if (m->state != MARKET_OPEN)
		ruling_refuse(r, STATUS_MARKET_SETTLED,
			"market: \"%.*s\" is %s", CH_VIEW_ARG(m->row.name),
			market_state_name(m->state));
	if (m->asset.len > 0 && !ch_view_eq(m->asset, asset))
		ruling_refuse(r, STATUS_ASSET_MISMATCH,
			"market: \"%.*s\" is traded in %.*s, \"%.*s\" holds %.*s",
			CH_VIEW_ARG(m->row.name), CH_VIEW_ARG(m->asset),
			CH_VIEW_ARG(t->account_name), CH_VIEW_ARG(asset));
}

static void
check_accounts(struct ruling *r, const struct trade_record *t)
{
	struct account *a = t->account;

	(void)account_rules_usable(r, a, t->account_name, "account", 0);
	account_rules_whole(r, a, "account");
	if (t->skim_to == NULL)
		return;
	(void)account_rules_usable(r, t->skim_to, t->skim_to_name, "skim.to",
		0);
	if (t->skim_to->asset != a->asset)
		ruling_refuse(r, STATUS_ASSET_MISMATCH,
			"skim.to: \"%.*s\" holds %.*s, \"%.*s\" holds %.*s",
			CH_VIEW_ARG(t->skim_to_name),
			CH_VIEW_ARG(t->skim_to->asset->row.name),
			CH_VIEW_ARG(t->account_name),
			CH_VIEW_ARG(a->asset->row.name));
}

/* ---- the skim ---- */

static int
by_bytes(const void *a, const void *b)
{
	const struct position *x = ((const struct share *)a)->position;
	const struct position *y = ((const struct share *)b)->position;
	int order = ch_view_cmp(x->market->row.name, y->market->row.name);

	return order != 0 ? order : ch_view_cmp(x->outcome, y->outcome);
}

static int
by_remainder(const void *a, const void *b)
{
	const struct share *x = *(struct share *const *)a;
	const struct share *y = *(struct share *const *)b;

	if (x->remainder != y->remainder)
		return x->remainder > y->remainder ? -1 : 1;
	return x < y ? -1 : x > y; /* they stand in byte order */
}

static ch_wide
collect_locks(struct ruling *r, const struct account *a, struct stake *s)
{
	size_t n = 0;
	ch_wide sum = 0;

	for (const struct position *p = a->positions; p != NULL; p = p->next)
		n++;
	s->shares = ch_arena_calloc(&r->scratch, n + 1, sizeof(*s->shares));
	r->looked_at += n * sizeof(*s->shares);
	for (struct position *p = a->positions; p != NULL; p = p->next) {
		if (!row_is_there(&p->row) || p->lock.minor == 0)
			continue;
		s->shares[s->share_count++] =
			(struct share){p, p->lock.minor, 0};
		sum += p->lock.minor;
	}
	qsort(s->shares, s->share_count, sizeof(*s->shares), by_bytes);
	return sum;
}

/* The units between the sum of the floors and the floor of the sum. */
static void
spread_missing(struct ruling *r, struct stake *s, ch_wide missing)
{
	struct share **order = ch_arena_calloc(&r->scratch, s->share_count + 1,
		sizeof(struct share *));

	for (size_t i = 0; i < s->share_count; i++)
		order[i] = &s->shares[i];
	qsort(order, s->share_count, sizeof(struct share *), by_remainder);
	for (size_t i = 0; i < s->share_count && missing > 0; i++, missing--)
		order[i]->lock++;
}

/* Returns the locks' sum after it. */
static ch_wide
skim_locks(struct ruling *r, const struct account *a, struct stake *s,
	ch_wide sum)
{
	ch_wide left = a->balance.minor - s->skim;
	ch_wide after = sum * left / a->balance.minor;
	ch_wide floors = 0;

	for (size_t i = 0; i < s->share_count; i++) {
		struct share *share = &s->shares[i];
		ch_wide product = share->lock * left;

		share->remainder = (int64_t)(product % a->balance.minor);
		share->lock = (int64_t)(product / a->balance.minor);
		floors += share->lock;
	}
	spread_missing(r, s, after - floors);
	return after;
}

/* ---- the stake as it would be ---- */

static void
refuse_stake(struct ruling *r, const struct trade_record *t, const char *why)
{
	const struct account *a = t->account;
	char balance[CH_AMOUNT_TEXT_MAX];
	char held[CH_AMOUNT_TEXT_MAX];

	ruling_refuse(r, STATUS_INSUFFICIENT_FUNDS,
		"account: the stake of \"%.*s\" is %s, of which %s is held: %s",
		CH_VIEW_ARG(t->account_name),
		account_rules_text(a->balance.minor, a->asset->scale, balance),
		account_rules_text(a->held.minor, a->asset->scale, held), why);
}

/* The balance, after the skim, of whom it goes to, if that is the stake. */
static ch_wide
balance_after(const struct ruling *r, const struct trade_record *t,
	const struct stake *s)
{
	bool to_itself = t->skim_to != NULL &&
		account_rules_row(r, t->skim_to) == t->account;

	return t->account->balance.minor - (to_itself ? 0 : s->skim);
}

static void
check_payee(struct ruling *r, const struct trade_record *t,
	const struct stake *s)
{
	const struct account *payee;

	if (t->skim_to == NULL)
		return;
	payee = account_rules_row(r, t->skim_to);
	if (payee != t->account &&
		!account_rules_fits(payee->balance.minor + s->skim))
		ruling_refuse(r, STATUS_OVERFLOW,
			"skim.to: the balance of \"%.*s\" would leave the range of "
			"%d fraction digits",
			CH_VIEW_ARG(t->skim_to_name), payee->asset->scale);
}

/* What the traded position's lock is before it is set. */
static ch_wide
lock_before(const struct trade_record *t, const struct stake *s)
{
	for (size_t i = 0; i < s->share_count; i++) {
		if (s->shares[i].position == t->row)
			return s->shares[i].lock;
	}
	return 0;
}

static void
check_stake(struct ruling *r, const struct trade_record *t, struct stake *s)
{
	const struct account *a = t->account;
	ch_wide sum = collect_locks(r, a, s);
	ch_wide after = sum;

	if (s->skim > 0 && s->skim > a->balance.minor) {
		refuse_stake(r, t, "the skim is more than that");
		return;
	}
	if (s->skim > 0)
		after = skim_locks(r, a, s, sum);
	s->held = a->held.minor - sum + after - lock_before(t, s) + s->lock;
	if (a->has_floor && balance_after(r, t, s) - s->held < a->floor.minor)
		refuse_stake(r, t, "the lock does not fit into the rest");
	if (!account_rules_fits(s->held))
		ruling_refuse(r, STATUS_OVERFLOW,
			"lock: what is held of \"%.*s\" would leave the range of "
			"%d fraction digits",
			CH_VIEW_ARG(t->account_name), a->asset->scale);
	check_payee(r, t, s);
}

/* ---- writing ---- */

static void
post_skim(struct ruling *r, const struct trade_record *t, struct ch_amount k)
{
	struct account *a = t->account;
	struct account *payee = account_rules_row(r, t->skim_to);

	a->balance.minor -= k.minor;
	ruling_post(r, a, (struct ch_amount){-k.minor}, a->balance);
	books_touch(r->books, &payee->row, r->at);
	payee->balance.minor += k.minor;
	ruling_post(r, payee, k, payee->balance);
}

static void
write_locks(struct ruling *r, const struct stake *s)
{
	for (size_t i = 0; i < s->share_count; i++) {
		struct position *p = s->shares[i].position;

		if (p->lock.minor == s->shares[i].lock)
			continue;
		books_touch(r->books, &p->row, r->at);
		p->lock.minor = s->shares[i].lock;
	}
}

static void
write_position(struct ruling *r, const struct trade_record *t,
	const struct stake *s)
{
	struct position *p = t->row;

	if (row_is_there(&p->row))
		books_touch(r->books, &p->row, r->at);
	else
		books_create(r->books, &p->row, r->at);
	p->qty = t->position.value;
	p->lock.minor = (int64_t)s->lock;
	if (!t->has_belief)
		return;
	p->has_belief = true;
	p->belief = t->belief.value;
	p->meta = t->meta.value;
}

static void
write_market(struct ruling *r, const struct trade_record *t)
{
	struct market *m = t->market;

	if (row_is_there(&m->row) && m->asset.len > 0)
		return;
	if (row_is_there(&m->row))
		books_touch(r->books, &m->row, r->at);
	else
		books_create(r->books, &m->row, r->at);
	m->asset = t->account->asset->row.name;
}

static void
write_trade(struct ruling *r, const struct trade_record *t,
	const struct stake *s)
{
	struct trade_row *trade = t->trade;

	books_create(r->books, &trade->row, r->at);
	trade->account = t->account_name;
	trade->market = t->market_name;
	trade->outcome = t->outcome;
	trade->side = t->side;
	trade->state = t->settled ? TRADE_CONFIRMED : TRADE_RECORDED;
	trade->position = t->row;
	trade->skim.minor = (int64_t)s->skim;
	trade->qty_after = t->row->qty;
	trade->lock_after = t->row->lock;
	trade->qty = t->qty;
	trade->price = t->price;
	trade->recorded_by = r->id;
	trade->by = r->id;
	event_trade(r, trade, t->account, t);
}

bool
trade_rules_is_known(const struct command *c)
{
	return c->type == COMMAND_TRADE_RECORD &&
		row_is_there(&c->as.trade_record.trade->row);
}

void
trade_rules_record(struct ruling *r, const struct command *c)
{
	const struct trade_record *t = &c->as.trade_record;
	struct stake s = {0};

	if (!check_named(r, t))
		return;
	if (trade_rules_is_known(c)) {
		known_trade(r, t);
		return;
	}
	check_accounts(r, t);
	check_market(r, t);
	(void)order_rules_units(r, &t->position, "position");
	s.lock = account_rules_amount(r, t->account->asset, t->lock, "lock", 0);
	if (t->skim.ptr != NULL)
		s.skim = account_rules_amount(r, t->account->asset, t->skim,
			"skim", 0);
	check_stake(r, t, &s);
	if (!ruling_open(r))
		return;
	books_touch(r->books, &t->account->row, r->at);
	t->account->held.minor = (int64_t)s.held;
	if (t->skim.ptr != NULL)
		post_skim(r, t, (struct ch_amount){(int64_t)s.skim});
	write_locks(r, &s);
	write_position(r, t, &s);
	write_market(r, t);
	write_trade(r, t, &s);
}
