/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_market: see load_bodies.h. Orders, trades, pools, settlements.
 */
#include <stdio.h>
#include <string.h>

#include "load_bodies.h"

#define MARKETS 6 /* that are likely to be open at a time */

static const char *const outcomes[] = {"YES", "NO", "MAYBE", "a/b", "Z"};
static const char *const figures[] = {"0.62", "1", "0.000",
	("12345678901234567"
	 "890123456789012345678901234567890"),
	"0.5", "", ".5", "1.", "-1", "1e3", "01"};

static void
market_name(struct making *m, char out[LOAD_NAME])
{
	unsigned n = m->markets + load_below(m, MARKETS);

	if (load_chance(m, 60)) /* it may be settled */
		n = n > 2 * MARKETS ? n - 2 * MARKETS : 0;
	if (load_chance(m, 25))
		n += 100000;
	(void)snprintf(out, LOAD_NAME, "m-%u", n);
}

static void
add_figure(struct making *m, const char *name)
{
	if (load_chance(m, 400))
		load_string(m, name,
			load_chance(m, 950) ? figures[load_below(m, 5)]
					    : LOAD_PICK(m, figures));
}

/* Units: what positions, orders and fills count. */
static void
add_units(struct making *m, const char *name, bool zero)
{
	static const char *const edges[] = {"0.00000001",
		"92233720368.54775807", "92233720368.54775808", "0.000000001",
		"1.000000000", "0", "0.00", "-1", "x", "99999999999999999999",
		"1e3"};

	ch_buf_printf(&m->body, ",\"%s\":\"", name);
	if (load_chance(m, 25))
		ch_buf_adds(&m->body, LOAD_PICK(m, edges));
	else if (load_chance(m, 100) && zero)
		ch_buf_adds(&m->body, "0");
	else if (load_chance(m, 500))
		ch_buf_printf(&m->body, "%u.%03u", load_below(m, 30),
			1 + load_below(m, 999));
	else
		ch_buf_printf(&m->body, "%u", 1 + load_below(m, 20));
	ch_buf_addc(&m->body, '"');
}

static void
add_side(struct making *m, unsigned buy)
{
	load_string(m, "side",
		load_chance(m, 8) ? "HOLD"
			: buy	  ? "BUY"
				  : "SELL");
}

/* ---- orders ---- */

void
load_order(struct making *m)
{
	const char *org = load_org(m);
	unsigned qty = 6 + load_below(m, 10);
	char market[LOAD_NAME];
	char name[LOAD_NAME];

	market_name(m, market);
	load_open(m, org, "order.place");
	load_string(m, "market", market);
	add_side(m, load_below(m, 2));
	if (load_chance(m, 60))
		add_units(m, "qty", false);
	else
		ch_buf_printf(&m->body, ",\"qty\":\"%u%s\"", qty,
			load_chance(m, 200) ? ".0" : "");
	add_figure(m, "price");
	(void)snprintf(name, sizeof(name), "%s", m->default_name);
	if (load_chance(m, 500)) {
		(void)snprintf(name, sizeof(name), "o:%u", load_below(m, 150));
		load_string(m, "order", name);
	}
	load_remember(&m->orders, org, name, qty, 0, 0);
	if (load_chance(m, 30))
		load_wish(m, "order", name, 2);
	load_extras(m);
}

void
load_order_move(struct making *m)
{
	static const char *const moves[] = {
		"order.accept", "order.accept", "order.cancel", "order.lost"};
	const struct load_thing *o = load_recall(m, &m->orders);

	load_open(m, o->org, LOAD_PICK(m, moves));
	load_string(m, "order", o->name);
	if (load_chance(m, 60))
		load_wish(m, "order", o->name, 4);
	load_extras(m);
}

/* A fill's name says how much it is, mostly, and what it costs: so that it
 * agrees when it comes again. Six of them are the whole order, or more than
 * that. */
void
load_fill(struct making *m)
{
	static const char *const same[] = {"0.5", "0.50", "0.500000000"};
	const struct load_thing *o = load_recall(m, &m->orders);
	unsigned n = load_below(m, 6);

	load_open(m, o->org, "order.fill");
	load_string(m, "order", o->name);
	ch_buf_printf(&m->body, ",\"fill\":\"f-%u\"", n);
	if (load_chance(m, 60))
		add_units(m, "qty", false);
	else
		ch_buf_printf(&m->body, ",\"qty\":\"%u%s\"",
			1 + n + load_chance(m, 60),
			load_chance(m, 200) ? ".00" : "");
	if (load_chance(m, 900))
		load_string(m, "price", LOAD_PICK(m, same));
	else
		add_figure(m, "price");
	if (load_chance(m, 40))
		load_wish(m, "order", o->name, 6);
	load_extras(m);
}

/* ---- trades ---- */

static void
add_skim(struct making *m)
{
	unsigned to = load_chance(m, 700) ? LOAD_WORLD : load_account(m);
	char name[LOAD_NAME];

	load_account_name(name, to);
	ch_buf_adds(&m->body, ",\"skim\":{\"amount\":\"");
	if (load_chance(m, 100))
		ch_buf_adds(&m->body, "123456789.00");
	else
		load_amount(m, 0, 3);
	ch_buf_printf(&m->body, "\",\"to\":\"%s\"%s}", name,
		load_chance(m, 5) ? ",\"x\":1" : "");
}

static void
add_belief(struct making *m)
{
	static const char *const beliefs[] = {"0", "1", "0.62", "0.00000001",
		"0.33333333", "1.00000000", "1.00000001", "0.333333333", "-0.1",
		"2", "x"};

	ch_buf_printf(&m->body, ",\"belief\":{\"belief\":\"%s\"",
		load_chance(m, 950) ? beliefs[load_below(m, 6)]
				    : LOAD_PICK(m, beliefs));
	if (!load_chance(m, 5))
		ch_buf_printf(&m->body, ",\"meta\":\"%s\"",
			beliefs[load_below(m, 6)]);
	ch_buf_addc(&m->body, '}');
}

static unsigned
stake_of(struct making *m)
{
	unsigned roll = load_below(m, 100);

	if (roll < 68)
		return LOAD_STAKE + load_below(m, LOAD_STAKES);
	if (roll < 72)
		return LOAD_FULL;
	return roll < 90 ? load_tmp(m) : load_account(m);
}

/* The transaction: a new one, or one that was seen before, mostly of the same
 * account, market, outcome and side. */
static void
add_deal(struct making *m, const char *org, unsigned account,
	char market[LOAD_NAME], unsigned *outcome)
{
	unsigned side = load_below(m, 2);
	char name[LOAD_NAME];

	market_name(m, market);
	*outcome = load_below(m, 5);
	load_account_name(name, account);
	load_string(m, "account", name);
	load_string(m, "market", market);
	load_string(m, "outcome", outcomes[*outcome]);
	add_side(m, side);
	ch_buf_printf(&m->body, ",\"tx\":\"tx-%u\"", ++m->tx);
	load_remember(&m->trades, org, market, account, *outcome << 1 | side,
		m->tx);
}

static void
add_known_deal(struct making *m, const struct load_thing *t)
{
	unsigned account = t->a;
	unsigned outcome = t->b >> 1;

	if (load_chance(m, 80))
		account = stake_of(m);
	if (load_chance(m, 80))
		outcome = load_below(m, 5);
	load_put_account(m, "account", account);
	load_string(m, "market", t->name);
	load_string(m, "outcome", outcomes[outcome]);
	add_side(m, (t->b & 1) ^ load_chance(m, 40));
	ch_buf_printf(&m->body, ",\"tx\":\"tx-%u\"", t->c);
}

static void
add_wishes_of_trade(struct making *m, unsigned account, const char *market,
	unsigned outcome)
{
	char name[LOAD_NAME];
	char position[3 * LOAD_NAME];

	load_account_name(name, account);
	(void)snprintf(position, sizeof(position), "%s/%s/%s", name, market,
		outcomes[outcome]);
	if (load_chance(m, 500))
		load_wish(m, "position", position, 3);
	else
		load_wish(m, "market", market, 4);
}

void
load_trade(struct making *m)
{
	const struct load_thing *known = load_recall(m, &m->trades);
	bool again = load_chance(m, 200) && m->trades.count > 0;
	const char *org = again ? known->org : load_org(m);
	unsigned account = stake_of(m);
	char market[LOAD_NAME];
	unsigned outcome = 0;

	load_open(m, org, "trade.record");
	if (again)
		add_known_deal(m, known);
	else
		add_deal(m, org, account, market, &outcome);
	add_units(m, "position", true);
	ch_buf_adds(&m->body, ",\"lock\":\"");
	if (load_chance(m, 250) ||
		(account < LOAD_STAKE && account >= LOAD_TMP &&
			load_chance(m, 900)))
		ch_buf_adds(&m->body, "0.00");
	else
		load_amount(m, 0, 40);
	ch_buf_addc(&m->body, '"');
	add_figure(m, "qty");
	add_figure(m, "price");
	if (load_chance(m, 300))
		add_skim(m);
	if (load_chance(m, 200))
		add_belief(m);
	if (load_chance(m, 150))
		ch_buf_printf(&m->body, ",\"settled\":%s",
			load_chance(m, 700) ? "true" : "false");
	if (load_chance(m, 60) && !again)
		add_wishes_of_trade(m, account, market, outcome);
	load_extras(m);
}

/* ---- markets ---- */

void
load_pool(struct making *m)
{
	char market[LOAD_NAME];

	market_name(m, market);
	load_open(m, load_org(m), "pool.deploy");
	load_string(m, "market", market);
	ch_buf_printf(&m->body, ",\"address\":\"0x%04x\"",
		load_below(m, 65536));
	if (load_chance(m, 100))
		load_wish(m, "market", market, 3);
	load_extras(m);
}

static void
add_payouts(struct making *m)
{
	static const char *const prices[] = {"1", "0", "0.5", "0.33333333",
		"1.00000000", "0.00000001", "3", "1000000", "1000000.00000001",
		"0.123456789", "-1", "x"};
	const char *comma = "";

	ch_buf_adds(&m->body, ",\"payouts\":{");
	for (unsigned i = 0; i < 5; i++) {
		if (load_chance(m, 300))
			continue;
		ch_buf_printf(&m->body, "%s\"%s\":\"%s\"", comma, outcomes[i],
			load_chance(m, 970) ? prices[load_below(m, 7)]
					    : LOAD_PICK(m, prices));
		comma = ",";
	}
	ch_buf_addc(&m->body, '}');
}

static unsigned
payer_of(struct making *m)
{
	unsigned roll = load_below(m, 10);

	return roll < 4 ? LOAD_BANK : roll < 6 ? LOAD_WORLD : load_account(m);
}

/* Mostly the oldest open market; then it is likely to be open no more. */
void
load_settle(struct making *m)
{
	char market[LOAD_NAME];

	if (load_chance(m, 650))
		(void)snprintf(market, sizeof(market), "m-%u", m->markets);
	else
		market_name(m, market);
	load_open(m, load_org(m), "market.settle");
	load_string(m, "market", market);
	load_put_account(m, "from", payer_of(m));
	add_payouts(m);
	if (load_chance(m, 80))
		load_wish(m, "market", market, 4);
	load_extras(m);
	m->markets += load_chance(m, 250);
}
