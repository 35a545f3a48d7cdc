/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk_world: limits and prices for tests of the desk.
 */
#ifndef TEST_DESK_WORLD_H
#define TEST_DESK_WORLD_H

#include "desk.h"
#include "suite.h"

static inline struct desk_limits
world_limits(void)
{
	struct upstream_limits up = {.configured = true,
		.breaker = {3, 1000, 8000},
		.per_second = 1000,
		.burst = 1000,
		.in_flight = 64};

	return (struct desk_limits){
		.cache = {.ttl_ms = 2000,
			.stale_max_ms = 600000,
			.unknown_ttl_ms = 30000,
			.error_ttl_ms = 1000,
			.max_markets = 1000,
			.max_unknown = 1000},
		.upstream = {up, up},
		.batch = {50, 50, 100, 1},
		.window_ms = 2,
		.budget_ms = 1500,
		.stale_wait_ms = 300,
		.hedge_ms = 300,
		.refresh_ahead_ms = 0,
		.max_questions = 1000,
	};
}

/* Two outcomes, the first at milli / 1000. */
static inline struct price *
world_price(struct market_id id, int milli, enum market_state state,
	bool tokens)
{
	struct price *p = price_new(2);

	p->id = id;
	p->state = state;
	for (int i = 0; i < 2; i++) {
		(void)snprintf(p->outcome[i].name, PRICE_NAME_MAX, "%s",
			i == 0 ? "Yes" : "No");
		(void)snprintf(p->outcome[i].text, PRICE_TEXT_MAX, "0.%03d",
			i == 0 ? milli : 1000 - milli);
		if (tokens)
			(void)snprintf(p->outcome[i].token, PRICE_TOKEN_MAX,
				"7%d%03d", i, id.bytes[31]);
	}
	return p;
}

static inline void
world_add(struct price_list *l, struct price *p)
{
	l->items = realloc(l->items, (l->count + 1) * sizeof(*l->items));
	l->items[l->count++] = p;
	l->cap = l->count;
}

static inline int
world_milli(const struct cache_entry *e)
{
	return e->price != NULL
		? (int)strtol(e->price->outcome[0].text + 2, NULL, 10)
		: -1;
}

static inline void
world_received(void *ctx, struct cache_entry *e, bool changed)
{
	(void)ctx;
	(void)e;
	(void)changed;
}

#endif
