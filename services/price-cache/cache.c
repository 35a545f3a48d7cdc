/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: see cache.h.
 *
 * Two lists by use over one table. An entry begins unproven and moves to the
 * proven list with its first price; it never moves back.
 */
#include "cache.h"

#include <stdlib.h>

#include <utlist.h>

#include "base/mem.h"

#define MS_NS INT64_C(1000000)
#define EVICT_LOOK 64 /* held entries passed over in search of a free one */

struct cache {
	struct cache_limits limits;
	struct ch_rng *rng;
	struct cache_entry *table;
	struct cache_entry *by_use[2]; /* [proven] */
	size_t count[2];
	uint64_t evictions;
};

static const char *const status_names[] = {
	"fresh", "stale", "pinned", "unknown", "error", "missing"};

const char *
cache_status_name(enum cache_status s)
{
	return status_names[s];
}

struct cache *
cache_new(const struct cache_limits *limits, struct ch_rng *rng)
{
	struct cache *c = ch_xcalloc(1, sizeof(*c));

	c->limits = *limits;
	c->rng = rng;
	return c;
}

static void
drop(struct cache *c, struct cache_entry *e)
{
	/* the analyzer loses the chains of uthash and utlist:
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	HASH_DEL(c->table, e);
	DL_DELETE(c->by_use[e->proven], e);
	c->count[e->proven]--;
	free(e->price);
	free(e);
}

void
cache_free(struct cache *c)
{
	struct cache_entry *e, *next;

	if (c == NULL)
		return;
	HASH_ITER(hh, c->table, e, next)
	{
		drop(c, e);
	}
	free(c);
}

static void
use(struct cache *c, struct cache_entry *e)
{
	if (e->next == NULL)
		return; /* the newest already */
	DL_DELETE(c->by_use[e->proven], e);
	DL_APPEND(c->by_use[e->proven], e);
}

/* NULL when nothing is known. Counts as a use. */
static struct cache_entry *
cache_find(struct cache *c, const struct market_id *id)
{
	struct cache_entry *e;

	HASH_FIND(hh, c->table, id, sizeof(*id), e);
	if (e != NULL)
		use(c, e);
	return e;
}

static bool
is_held(const struct cache_entry *e)
{
	return e->holds > 0 || e->plan.asking;
}

/* Held ones that stand in the way are in use: they go to the new end. */
static bool
make_room(struct cache *c, bool proven)
{
	int64_t max = proven ? c->limits.max_markets : c->limits.max_unknown;

	for (int look = 0; (int64_t)c->count[proven] >= max; look++) {
		struct cache_entry *oldest = c->by_use[proven];

		if (look == EVICT_LOOK || oldest == NULL)
			return false;
		/* as in drop(): NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (is_held(oldest)) {
			use(c, oldest);
			continue;
		}
		drop(c, oldest);
		c->evictions++;
	}
	return true;
}

struct cache_entry *
cache_get(struct cache *c, const struct market_id *id)
{
	struct cache_entry *e = cache_find(c, id);

	if (e != NULL)
		return e;
	if (!make_room(c, false))
		return NULL;
	e = ch_xcalloc(1, sizeof(*e));
	e->id = *id;
	for (int u = 0; u < UPSTREAMS; u++)
		e->plan.queued[u] = LANE_NONE;
	HASH_ADD(hh, c->table, id, sizeof(e->id), e);
	DL_APPEND(c->by_use[0], e);
	c->count[0]++;
	return e;
}

int64_t
cache_ttl_ms(const struct cache *c, const struct cache_entry *e,
	struct ch_mono now)
{
	return c->limits.ttl_ms - ch_mono_ms_since(now, e->received);
}

enum cache_status
cache_status(const struct cache *c, const struct cache_entry *e,
	struct ch_mono now)
{
	if (e->price != NULL) {
		int64_t left = cache_ttl_ms(c, e, now);

		if (e->price->state == MARKET_RESOLVED)
			return CACHE_PINNED;
		if (left > 0)
			return CACHE_FRESH;
		if (left - c->limits.ttl_ms > -c->limits.stale_max_ms)
			return CACHE_STALE;
	}
	if (now.ns < e->unknown_until.ns)
		return CACHE_UNKNOWN;
	return now.ns < e->retry_at.ns ? CACHE_ERROR : CACHE_MISSING;
}

static void
prove(struct cache *c, struct cache_entry *e)
{
	if (e->proven)
		return;
	/* Full of held ones: one more than the limit, until some are let go. */
	(void)make_room(c, true);
	DL_DELETE(c->by_use[0], e);
	c->count[0]--;
	e->proven = true;
	/* as in drop(): NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	DL_APPEND(c->by_use[1], e);
	c->count[1]++;
}

static void
set_price(struct cache *c, struct cache_entry *e, struct price *p)
{
	free(e->price);
	e->price = p;
	e->unknown_until.ns = 0;
	e->retry_at.ns = 0;
	e->reason = REASON_NONE;
	prove(c, e);
}

enum cache_change
cache_put(struct cache *c, struct cache_entry *e, struct price *p,
	enum upstream_id source, struct ch_mono started, struct moment now)
{
	bool changed = e->price == NULL || !price_same(e->price, p);

	if (e->price != NULL &&
		(started.ns < e->started.ns ||
			e->price->state == MARKET_RESOLVED)) {
		free(p);
		return CACHE_IGNORED;
	}
	e->source = source;
	e->started = started;
	e->received = now.mono;
	e->as_of = now.wall;
	if (changed) {
		e->changed = now.wall;
		e->version++;
	}
	set_price(c, e, p);
	return changed ? CACHE_CHANGED : CACHE_SAME;
}

void
cache_restore(struct cache *c, struct cache_entry *e, struct price *p,
	enum upstream_id source, struct ch_time as_of, struct moment now)
{
	int64_t age_us = now.wall.us - as_of.us;
	int64_t least_us = (c->limits.ttl_ms + 1) * 1000;

	if (e->price != NULL) {
		free(p);
		return;
	}
	if (age_us < least_us)
		age_us = least_us;
	e->source = source;
	e->received.ns = now.mono.ns - age_us * 1000;
	e->started = e->received;
	e->as_of = as_of;
	e->changed = as_of;
	e->stored = as_of;
	e->version++;
	set_price(c, e, p);
}

void
cache_put_unknown(struct cache *c, struct cache_entry *e, struct ch_mono now)
{
	e->unknown_until.ns = now.ns + c->limits.unknown_ttl_ms * MS_NS;
	e->retry_at = e->unknown_until;
	e->reason = REASON_ABSENT;
}

void
cache_put_error(struct cache *c, struct cache_entry *e, enum reason why,
	struct ch_mono now)
{
	int64_t half = c->limits.error_ttl_ms / 2;
	int64_t ms = half + (int64_t)ch_rng_below(c->rng, (uint64_t)half + 1);

	e->retry_at.ns = now.ns + ms * MS_NS;
	e->reason = why;
}

size_t
cache_count(const struct cache *c, bool proven)
{
	return c->count[proven];
}

uint64_t
cache_evictions(const struct cache *c)
{
	return c->evictions;
}
