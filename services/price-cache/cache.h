/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: what is known of each market, and how good that is now.
 *
 *	fresh    the price was received less than ttl ago
 *	stale    older than that, younger than stale_max
 *	pinned   the market is resolved: its price will not change any more
 *	unknown  the upstreams do not have it (kept for unknown_ttl)
 *	error    asking has just failed and there is no price (kept for
 *	         error_ttl, with jitter)
 *	missing  nothing is known
 *
 * Bounded: proven markets (with a price) and the rest have each their own
 * limit and their own order of use, so that a flood of made-up ids cannot push
 * real prices out. The least recently read is evicted; what is held (waited
 * for, asked about) never is.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef PRICE_CACHE_CACHE_H
#define PRICE_CACHE_CACHE_H

#include "base/rng.h"
#include "price.h"
#include "upstream.h"
#include "waiters.h"

/* All tables of this service are keyed by struct market_id. */
#define HASH_FUNCTION(key, len, hash) ((hash) = market_id_hash(key))
#include <uthash.h>

enum cache_status {
	CACHE_FRESH,
	CACHE_STALE,
	CACHE_PINNED,
	CACHE_UNKNOWN,
	CACHE_ERROR,
	CACHE_MISSING
};
const char *cache_status_name(enum cache_status s);

struct cache_limits {
	int64_t ttl_ms;
	int64_t stale_max_ms;
	int64_t unknown_ttl_ms;
	int64_t error_ttl_ms;
	int64_t max_markets; /* proven */
	int64_t max_unknown; /* the rest */
};

struct cache_entry {
	struct market_id id;
	struct price *price; /* NULL: never seen */
	enum upstream_id source;
	struct ch_mono started; /* when the call of this price began */
	struct ch_mono received;
	struct ch_time as_of;	/* the wall clock at `received` */
	struct ch_time changed; /* when the price last became another */
	uint64_t version;	/* of the price; moves when it changes */
	struct ch_mono unknown_until;
	struct ch_mono retry_at; /* not before; after a failure */
	enum reason reason;	 /* of that failure */
	struct ch_time stored;	 /* last handed to the sinks; the desk's */

	unsigned holds;	      /* not to be evicted */
	struct plan plan;     /* the asking */
	bool hedge_listed;    /* the desk's */
	struct ch_mono asked; /* the desk's: when the asking began */
	struct waiters_key waits;
	struct cache_entry *lane_prev[UPSTREAMS], *lane_next[UPSTREAMS];
	struct cache_entry *hedge_prev, *hedge_next;
	/* cache.c */
	bool proven;
	struct cache_entry *prev, *next; /* by use, oldest first */
	UT_hash_handle hh;
};

struct cache;

struct cache *cache_new(const struct cache_limits *limits, struct ch_rng *rng);
void cache_free(struct cache *c);
/* Finds or makes it, which counts as a use. NULL when there is no room:
 * everything is held. */
struct cache_entry *cache_get(struct cache *c, const struct market_id *id);

enum cache_status cache_status(const struct cache *c,
	const struct cache_entry *e, struct ch_mono now);
/* Whole ms of freshness left; negative: stale for so long. */
int64_t cache_ttl_ms(const struct cache *c, const struct cache_entry *e,
	struct ch_mono now);

enum cache_change {
	CACHE_IGNORED, /* older than what is there; freed */
	CACHE_SAME,    /* confirmed */
	CACHE_CHANGED  /* another price, or the first */
};
/* Takes p over. started: when the call began that brought it. A pinned market
 * is never changed. */
enum cache_change cache_put(struct cache *c, struct cache_entry *e,
	struct price *p, enum upstream_id source, struct ch_mono started,
	struct moment now);
/* A price that price-cache had told before it was restarted: stale, or pinned. */
void cache_restore(struct cache *c, struct cache_entry *e, struct price *p,
	enum upstream_id source, struct ch_time as_of, struct moment now);
void cache_put_unknown(struct cache *c, struct cache_entry *e,
	struct ch_mono now);
void cache_put_error(struct cache *c, struct cache_entry *e, enum reason why,
	struct ch_mono now);

size_t cache_count(const struct cache *c, bool proven);
uint64_t cache_evictions(const struct cache *c);

#endif
