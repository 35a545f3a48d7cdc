/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sets: see load_sets.h.
 */
#include "load_sets.h"

#include "load_making.h"

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

static const char *const money[] = {"transfer.post", "stock.reserve"};
static const char *const trading[] = {"trade.record", "order.place",
	"hold.place", "transfer.reverse", "pool.deploy"};
/* facts are never refused, even when they are listed */
static const char *const facts[] = {"hold.capture", "hold.void",
	"stock.receive", "stock.adjust", "reservation.commit",
	"reservation.release", "order.fill", "market.settle"};

static const struct serial_pause pauses[LEDGER_LOAD_PAUSES][LOAD_SET_PAUSES] = {
	[1] = {{"trading", money, LENGTH(money)}},
	[2] = {{"acme", money, 1}, {"b\xc3\xa9ta", money + 1, 1}},
	[3] = {{"c\\\"orp", money, LENGTH(money)}, {"trading", money + 1, 1}},
	[4] = {{"trading", trading, LENGTH(trading)},
		{"acme", facts, LENGTH(facts)}},
};

static const char *const posts[] = {"transfer.post", "group", "hold.place"};
static const char *const trades[] = {
	"trade.record", "order.place", "order.fill"};
static const char *const stock[] = {"stock.reserve", "stock.receive",
	"stock.adjust", "group", "market.settle", "account.open"};

/* Windows of some commands up to some hundreds; "burst" changes its limit, and
 * not its window: what a shorter one has forgotten a longer one would miss. */
static const struct serial_rate rates[LEDGER_LOAD_RATES][LOAD_SET_RATES] = {
	[1] = {{"burst", NULL, true, posts, LENGTH(posts), 30, LOAD_BURST_US,
		       1},
		{"all", "acme", false, trades, LENGTH(trades), 7, 60000, 3},
		{"none", "b\xc3\xa9ta", false, stock, LENGTH(stock), 1, 30000,
			2}},
	[2] = {{"burst", NULL, true, posts, LENGTH(posts), 12, LOAD_BURST_US,
		       1},
		{"aside", NULL, false, stock, LENGTH(stock), 40, 1000000, 1},
		{"user", "acme", true, money, LENGTH(money), 500, 5000000, 1}},
};

void
load_sets_at(const struct ledger_load *l, const struct ledger_load_item *item,
	struct serial_now *now)
{
	now->lowest_day = l->lowest_day;
	now->ahead_us = item->ahead_us;
	now->read_again = item->read_again;
	now->pauses = pauses[item->pauses];
	now->pause_count = 0;
	while (now->pause_count < LOAD_SET_PAUSES &&
		now->pauses[now->pause_count].scope != NULL)
		now->pause_count++;
	now->rates = rates[item->rates];
	now->rate_count = 0;
	while (now->rate_count < LOAD_SET_RATES &&
		now->rates[now->rate_count].name != NULL)
		now->rate_count++;
}
