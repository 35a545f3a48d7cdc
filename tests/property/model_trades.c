/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_trades: see model_trades.h.
 */
#include "model_trades.h"

#include <stdlib.h>
#include <string.h>

#include "model_fields.h"
#include "model_locks.h"
#include "model_money.h"

/* A trade as it is read. */
struct deal {
	struct account *account, *to; /* to NULL: no skim */
	struct market *market;	      /* NULL: not born yet */
	struct position *own;	      /* NULL: not born yet */
	char *position_name;
	big skim, position, lock;
	big held; /* the account's, after it */
};

bool
model_trade_is_known(const struct step *s)
{
	return strcmp(model_body_type(s->body), "trade.record") == 0 &&
		model_named(s, ROW_TRADE, model_text(s, "tx")) != NULL;
}

/* ---- telling ---- */

/* What every event of a trade begins with. */
static struct text *
trade_event(struct step *s, const struct trade *d)
{
	bool confirmed = strcmp(d->v.state, "confirmed") == 0;
	struct text *t = model_event(s,
		confirmed ? "trade.confirmed" : "trade.recorded");

	model_put_member(t, "account", d->account);
	model_put_member(t, "market", d->market);
	model_put_member(t, "outcome", d->outcome);
	model_put_member(t, "tx", d->row.name);
	model_put_member(t, "side", d->side);
	model_put_member(t, "state", d->v.state);
	return t;
}

static void
put_fraction(struct text *t, const char *name, const json_t *v)
{
	model_put_decimal(t, name,
		(int64_t)model_decimal_value(json_string_value(v),
			MODEL_UNIT_SCALE),
		MODEL_UNIT_SCALE);
}

static void
full_event(struct step *s, const struct trade *d, int scale)
{
	const json_t *belief = json_object_get(s->body, "belief");
	struct text *t = trade_event(s, d);

	model_put_decimal(t, "position", d->position, MODEL_UNIT_SCALE);
	model_put_decimal(t, "lock", d->lock, scale);
	if (d->qty != NULL)
		model_put_member(t, "qty", d->qty);
	if (d->price != NULL)
		model_put_member(t, "price", d->price);
	if (d->skim > 0)
		model_put_decimal(t, "skim", d->skim, scale);
	if (belief != NULL) {
		put_fraction(t, "belief", json_object_get(belief, "belief"));
		put_fraction(t, "meta", json_object_get(belief, "meta"));
	}
	model_event_end(s, t);
}

/* ---- a known one ---- */

static void
confirm(struct step *s, struct trade *d)
{
	if (strcmp(d->account, model_text(s, "account")) != 0 ||
		strcmp(d->market, model_text(s, "market")) != 0 ||
		strcmp(d->outcome, model_text(s, "outcome")) != 0 ||
		strcmp(d->side, model_text(s, "side")) != 0)
		model_refuse(s, "fact_mismatch");
	if (!model_applied(s))
		return;
	s->confirmed = true;
	if (strcmp(d->v.state, "confirmed") == 0)
		return;
	model_change(s, &d->row);
	d->v.state = "confirmed";
	model_event_end(s, trade_event(s, d));
}

/* ---- a new one ---- */

static void
read_deal(struct step *s, struct deal *d)
{
	const char *account = model_text(s, "account");
	const char *market = model_text(s, "market");
	char *half = model_joined(account, market);

	d->market = model_named(s, ROW_MARKET, market);
	d->position_name = model_joined(half, model_text(s, "outcome"));
	d->own = model_named(s, ROW_POSITION, d->position_name);
	free(half);
}

/* What the rows are must fit together. */
static void
check_rows(struct step *s, const struct deal *d)
{
	if (model_is_closed(d->account) ||
		(d->to != NULL && model_is_closed(d->to)))
		model_refuse(s, "account_closed");
	if (d->account->shards > 0)
		model_refuse(s, "account_sharded");
	if (d->to != NULL && strcmp(d->to->asset, d->account->asset) != 0)
		model_refuse(s, "asset_mismatch");
	if (d->market == NULL)
		return;
	if (d->market->v.asset != NULL &&
		strcmp(d->market->v.asset, d->account->asset) != 0)
		model_refuse(s, "asset_mismatch");
	if (strcmp(d->market->v.state, "open") != 0)
		model_refuse(s, "market_settled");
}

static void
read_amounts(struct step *s, struct deal *d)
{
	const json_t *skim = json_object_get(s->body, "skim");
	int scale = d->account->scale;

	d->position =
		model_amount(s, model_text(s, "position"), MODEL_UNIT_SCALE);
	d->lock = model_amount(s, model_text(s, "lock"), scale);
	if (skim != NULL)
		d->skim = model_amount(s,
			json_string_value(json_object_get(skim, "amount")),
			scale);
}

/* The account's held after it, and whether its balance can bear that. */
static void
check_funds(struct step *s, struct deal *d, const struct locks *l)
{
	const struct balance *b = d->account->balances[0];
	big balance = b->v.balance - (d->to != d->account ? d->skim : 0);

	d->held = b->v.held - l->before + l->after - model_locks_of(l, d->own) +
		d->lock;
	if (b->v.has_floor && balance - d->held < b->v.floor)
		model_refuse(s, "insufficient_funds");
	if (d->lock > MAX64 || d->position > MAX64 || d->held > MAX64)
		model_refuse(s, "overflow");
}

static void
make_market(struct step *s, struct deal *d)
{
	if (d->market == NULL) {
		d->market = model_create(s->m, ROW_MARKET, s->org,
			model_text(s, "market"), s->now->decided_at);
		d->market->v.state = "open";
	}
	if (d->market->v.asset == NULL) {
		model_change(s, &d->market->row);
		d->market->v.asset = d->account->asset;
	}
}

static void
set_position(struct step *s, struct deal *d)
{
	const json_t *belief = json_object_get(s->body, "belief");
	struct position *p = d->own;

	if (p == NULL) {
		p = model_create(s->m, ROW_POSITION, s->org, d->position_name,
			s->now->decided_at);
		p->account = d->account;
		p->market = d->market;
		p->outcome = model_text(s, "outcome");
		model_add(&d->account->positions, &p->row);
		model_add(&d->market->positions, &p->row);
	}
	model_change(s, &p->row);
	p->v.qty = (int64_t)d->position;
	p->v.lock = (int64_t)d->lock;
	if (belief == NULL)
		return;
	p->v.has_belief = true;
	p->v.belief = (int64_t)model_decimal_value(
		json_string_value(json_object_get(belief, "belief")),
		MODEL_UNIT_SCALE);
	p->v.meta = (int64_t)model_decimal_value(
		json_string_value(json_object_get(belief, "meta")),
		MODEL_UNIT_SCALE);
}

static void
make_trade(struct step *s, const struct deal *d)
{
	struct trade *t = model_create(s->m, ROW_TRADE, s->org,
		model_text(s, "tx"), s->now->decided_at);

	t->account = model_text(s, "account");
	t->market = model_text(s, "market");
	t->outcome = model_text(s, "outcome");
	t->side = model_text(s, "side");
	t->qty = model_text(s, "qty");
	t->price = model_text(s, "price");
	t->position = (int64_t)d->position;
	t->lock = (int64_t)d->lock;
	t->skim = (int64_t)d->skim;
	t->v.state = json_is_true(json_object_get(s->body, "settled"))
		? "confirmed"
		: "recorded";
	full_event(s, t, d->account->scale);
}

/* Everything has been looked at but the balances that the skim moves. */
static void
record(struct step *s, struct deal *d, const struct locks *l)
{
	struct balance *b = d->account->balances[0];
	struct move skim = {d->account, d->to, d->skim, true};

	if (d->to != NULL)
		model_run_moves(s, &skim, 1);
	if (!model_applied(s))
		return;
	model_change(s, &b->row);
	b->v.held = (int64_t)d->held;
	for (size_t i = 0; i < l->count; i++) {
		struct position *p = l->list[i].position;

		if (p->v.lock == l->list[i].lock)
			continue;
		model_change(s, &p->row);
		p->v.lock = l->list[i].lock;
	}
	make_market(s, d);
	set_position(s, d);
	make_trade(s, d);
}

static void
record_new(struct step *s, struct deal *d)
{
	struct locks l;

	check_rows(s, d);
	read_amounts(s, d);
	if (model_applied(s) && d->skim > 0 &&
		d->skim > d->account->balances[0]->v.balance)
		model_refuse(s, "insufficient_funds");
	if (!model_applied(s))
		return;
	model_locks_scale(&l, d->account, d->skim);
	check_funds(s, d, &l);
	if (model_applied(s))
		record(s, d, &l);
	model_locks_free(&l);
}

void
model_trade_record(struct step *s)
{
	const json_t *skim = json_object_get(s->body, "skim");
	struct trade *known = model_named(s, ROW_TRADE, model_text(s, "tx"));
	struct deal d = {.account = model_named(s, ROW_ACCOUNT,
				 model_text(s, "account"))};

	if (skim != NULL)
		d.to = model_named(s, ROW_ACCOUNT,
			json_string_value(json_object_get(skim, "to")));
	if (d.account == NULL || (skim != NULL && d.to == NULL)) {
		model_refuse(s, "account_not_found");
	} else if (known != NULL) {
		confirm(s, known);
	} else {
		read_deal(s, &d);
		record_new(s, &d);
		free(d.position_name);
	}
}

/* ---- pools ---- */

static void
pool_event(struct step *s, const struct market *m)
{
	struct text *t = model_event(s, "pool.deployed");

	model_put_member(t, "market", m->row.name);
	model_put_member(t, "address", m->v.address);
	model_put_number(t, "version", m->v.stamp.version);
	model_event_end(s, t);
}

void
model_pool_deploy(struct step *s)
{
	const char *name = model_text(s, "market");
	struct market *m = model_named(s, ROW_MARKET, name);

	if (m != NULL && strcmp(m->v.state, "open") != 0)
		model_refuse(s, "market_settled");
	if (m != NULL && m->v.address != NULL)
		model_refuse(s, "pool_exists");
	if (strcmp(s->status, "pool_exists") == 0)
		s->pool = m;
	if (!model_applied(s))
		return;
	if (m == NULL) {
		m = model_create(s->m, ROW_MARKET, s->org, name,
			s->now->decided_at);
		m->v.state = "open";
	}
	model_change(s, &m->row);
	m->v.address = model_text(s, "address");
	pool_event(s, m);
}
