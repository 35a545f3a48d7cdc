/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: one market's newest price on its way to the sinks, and the bounded
 * table in which it waits.
 *
 * Sinks only want the last value: a newer price takes the place of one that
 * still waits. When the table is full the oldest is dropped.
 *
 * Thread: an update belongs to whoever holds it; a table to one thread. Pure.
 */
#ifndef PRICE_CACHE_UPDATE_H
#define PRICE_CACHE_UPDATE_H

#include "cache.h"

struct update {
	struct price *price;
	enum upstream_id source;
	struct ch_time as_of;
	struct ch_time changed_at;
	uint64_t version;
	bool changed; /* false: the same price, confirmed */
};

struct update *update_of(const struct cache_entry *e, bool changed);
struct update *update_copy(const struct update *u);
void update_free(void *p); /* a struct update */
size_t update_bytes(const struct update *u);
/* JSON array texts of outcome names, prices, tokens. */
void update_add_names(struct ch_buf *b, const struct update *u);
void update_add_prices(struct ch_buf *b, const struct update *u);
void update_add_tokens(struct ch_buf *b, const struct update *u);
/* The record of market.prices. */
void update_add_json(struct ch_buf *b, const struct update *u);

struct latest;
struct latest *latest_new(size_t max);
void latest_free(struct latest *l);
/* Takes u over; replaces what waits for that market unless that is newer.
 * true: another market's was dropped for want of room. */
bool latest_put(struct latest *l, struct update *u);
/* The one that has waited longest; the caller's from then on. Or NULL. */
struct update *latest_take(struct latest *l);
size_t latest_count(const struct latest *l);

#endif
