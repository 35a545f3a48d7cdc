/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_sink: prices into the table markets, on the side.
 *
 * One connection, one statement a turn, last value wins. PostgreSQL may be
 * away for as long as it likes: what waits is bounded by the number of
 * markets, and nobody who reads prices notices. A failed write is repeated with
 * backoff.
 *
 * Thread: main.
 */
#ifndef PRICE_CACHE_MARKET_SINK_H
#define PRICE_CACHE_MARKET_SINK_H

#include "meters.h"
#include "update.h"

struct market_sink;

struct market_sink_options {
	const char *database_url; /* "": no table; everything is dropped */
	const char *passfile;	  /* "": libpq's ways */
	const char *schema;
	const struct ch_clock *clock;
	struct meters *meters;
	size_t max_markets;
	int64_t every_ms;
	/* Called once, after the first connection: what the table has. The
	 * updates become the callee's; the array does not. */
	void (*restored)(void *ctx, struct update **updates, size_t count);
	void *ctx;
};

int market_sink_open(struct market_sink **out,
	const struct market_sink_options *opt, struct ch_err *err);
void market_sink_put(struct market_sink *s, struct update *u); /* takes u */
/* Writes what is due. Returns the ms until there may be more to do. Waits for
 * PostgreSQL, a few seconds at most. */
int market_sink_turn(struct market_sink *s);
/* Everything is written, or cannot be for now. */
bool market_sink_is_idle(const struct market_sink *s);
/* NULL is allowed. */
void market_sink_close(struct market_sink *s);

#endif
