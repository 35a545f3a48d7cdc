/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mistakes: see mistakes.h.
 */
#include "mistakes.h"

#include "account_rules.h"
#include "order_rules.h"
#include "trade_rules.h"
#include "world.h"

/* ---- fills ---- */

void __real_order_rules_fill(struct ruling *r, const struct command *c);

/* BUG_FILL_TWICE: a known one counts as often as the order has room for it. */
void
__wrap_order_rules_fill(struct ruling *r, const struct command *c)
{
	const struct order_move *m = &c->as.order_move;
	struct order *o = m->order;

	__real_order_rules_fill(r, c);
	if (world_now()->bug != BUG_FILL_TWICE || !ruling_open(r) ||
		!r->confirmed ||
		m->qty.value.minor > o->qty.minor - o->filled.minor)
		return;
	books_touch(r->books, &o->row, r->at);
	o->filled.minor += m->qty.value.minor;
}

void __real_batch_rows_rejected(struct writing *w, const struct batch_entry *e);

/* BUG_LETTER_DROPPED: what is not applied is answered, and forgotten. */
void
__wrap_batch_rows_rejected(struct writing *w, const struct batch_entry *e)
{
	if (world_now()->bug == BUG_LETTER_DROPPED && e->readable &&
		e->poison == NULL)
		batch_rows_answer(w, e);
	else
		__real_batch_rows_rejected(w, e);
}

/* ---- trades ---- */

/* BUG_TRADE_TWICE: who reports a known one pays its skim again. */
static void
skim_again(struct ruling *r, const struct trade_record *t)
{
	struct account *a = t->account;
	struct account *payee = account_rules_row(r, t->skim_to);
	ch_wide k = account_rules_amount(r, a->asset, t->skim, "skim", 0);
	struct ch_amount skim = {(int64_t)k};

	if (k > account_rules_available(a))
		return;
	books_touch(r->books, &a->row, r->at);
	a->balance.minor -= skim.minor;
	ruling_post(r, a, (struct ch_amount){-skim.minor}, a->balance);
	books_touch(r->books, &payee->row, r->at);
	payee->balance.minor += skim.minor;
	ruling_post(r, payee, skim, payee->balance);
}

/* The next one from p on that the skim may have changed. */
static struct position *
next_share(struct position *p, const struct trade_record *t)
{
	while (p != NULL &&
		(p == t->row || !row_is_there(&p->row) || p->lock.minor == 0))
		p = p->next;
	return p;
}

/* BUG_SKIM_REST: a unit that was left over is given to another lock. */
static void
move_rest(struct ruling *r, const struct trade_record *t)
{
	struct position *from = next_share(t->account->positions, t);
	struct position *to = from != NULL ? next_share(from->next, t) : NULL;

	if (to == NULL)
		return;
	books_touch(r->books, &from->row, r->at);
	books_touch(r->books, &to->row, r->at);
	from->lock.minor--;
	to->lock.minor++;
}

void __real_trade_rules_record(struct ruling *r, const struct command *c);

void
__wrap_trade_rules_record(struct ruling *r, const struct command *c)
{
	const struct trade_record *t = &c->as.trade_record;
	bool is_known = trade_rules_is_known(c);

	__real_trade_rules_record(r, c);
	if (!ruling_open(r) || t->skim_to == NULL)
		return;
	if (world_now()->bug == BUG_TRADE_TWICE && is_known)
		skim_again(r, t);
	if (world_now()->bug == BUG_SKIM_REST && !is_known)
		move_rest(r, t);
}
