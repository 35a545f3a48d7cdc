/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk: see desk.h.
 *
 * The life of one asking (struct plan, in the market's cache entry):
 *
 *	begin --> queued in a lane --> in a call --> price: settled
 *	             ^                     |
 *	             +---- advance() <-----+ absent, or failed: the next lane;
 *	                                     none left: settled without a price
 *
 * An entry is settled exactly once an asking; whoever waits for it is told
 * then. Calls hold their entries, so that nothing they point to is evicted.
 */
#include "desk.h"

#include <assert.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/mem.h"

#define MS_NS INT64_C(1000000)

struct flight { /* a call under way */
	uint64_t id;
	enum lane lane;
	struct ch_mono started;
	struct ch_breaker_pass pass;
	bool judged; /* the breaker has been told already */
	size_t count;
	struct cache_entry **entries;
	struct flight *prev, *next;
};

struct lane_queue {
	struct cache_entry *first;
	int64_t count;
	struct ch_mono since; /* when the first one came */
	struct ch_mono retry; /* not before: no token */
	bool second;	      /* holds a second attempt */
};

struct desk {
	struct desk_limits limits;
	struct ch_rng rng;
	struct cache *cache;
	struct waiters *waiters;
	struct upstreams up;
	struct lane_queue lanes[LANES];
	struct cache_entry *hedges; /* asking, in the order they began */
	struct flight *flights;
	uint64_t next_call;
	struct desk_counts counts;
	void (*received)(void *ctx, struct cache_entry *e, bool changed);
	void *ctx;
};

static void advance(struct desk *d, struct cache_entry *e, struct moment now);

struct desk *
desk_new(const struct desk_limits *limits, uint64_t seed,
	void (*received)(void *ctx, struct cache_entry *e, bool changed),
	void *ctx, struct ch_mono now)
{
	struct desk *d = ch_xcalloc(1, sizeof(*d));

	d->limits = *limits;
	ch_rng_seed(&d->rng, seed);
	d->cache = cache_new(&limits->cache, &d->rng);
	d->waiters = waiters_new();
	upstreams_init(&d->up, limits->upstream, limits->batch, &d->rng, now);
	d->next_call = 1;
	d->received = received;
	d->ctx = ctx;
	return d;
}

void
desk_free(struct desk *d)
{
	struct flight *f, *next;

	if (d == NULL)
		return;
	DL_FOREACH_SAFE(d->flights, f, next)
	{
		free(f->entries);
		free(f);
	}
	waiters_free(d->waiters);
	cache_free(d->cache);
	free(d);
}

/* ---- lanes ---- */

static void
enqueue(struct desk *d, struct cache_entry *e, enum lane lane, bool second,
	struct moment now)
{
	enum upstream_id u = lane_upstream(lane);
	struct lane_queue *q = &d->lanes[lane];

	assert(e->plan.queued[u] == LANE_NONE && !e->plan.flying[u]);
	if (q->count == 0) {
		q->since = now.mono;
		q->second = false;
	}
	q->second |= second;
	DL_APPEND2(q->first, e, lane_prev[u], lane_next[u]);
	q->count++;
	e->plan.queued[u] = lane;
}

static void
dequeue(struct desk *d, struct cache_entry *e, enum upstream_id u)
{
	enum lane lane = e->plan.queued[u];
	struct lane_queue *q;

	if (lane == LANE_NONE)
		return;
	q = &d->lanes[lane];
	DL_DELETE2(q->first, e, lane_prev[u], lane_next[u]);
	q->count--;
	e->plan.queued[u] = LANE_NONE;
}

/* ---- one asking ---- */

static void
leave_hedges(struct desk *d, struct cache_entry *e)
{
	if (!e->hedge_listed)
		return;
	DL_DELETE2(d->hedges, e, hedge_prev, hedge_next);
	e->hedge_listed = false;
}

static void
settle(struct desk *d, struct cache_entry *e)
{
	e->plan.asking = false;
	for (int u = 0; u < UPSTREAMS; u++)
		dequeue(d, e, (enum upstream_id)u);
	leave_hedges(d, e);
	waiters_settle(d->waiters, &e->waits);
}

static void
settle_without(struct desk *d, struct cache_entry *e, struct moment now)
{
	if (plan_is_unknown(&e->plan))
		cache_put_unknown(d->cache, e, now.mono);
	else
		cache_put_error(d->cache, e, e->plan.reason, now.mono);
	settle(d, e);
}

static bool
has_tokens(const struct cache_entry *e)
{
	return e->price != NULL && price_has_tokens(e->price);
}

static bool
was_closed(const struct cache_entry *e)
{
	return e->price != NULL && e->price->state != MARKET_OPEN;
}

/* Where to next? Nothing, while it is queued or flying: that will tell. */
static void
advance(struct desk *d, struct cache_entry *e, struct moment now)
{
	struct plan *p = &e->plan;
	enum lane lane;

	if (!p->asking)
		return;
	for (int u = 0; u < UPSTREAMS; u++)
		if (p->queued[u] != LANE_NONE || p->flying[u])
			return;
	lane = upstreams_next(&d->up, p, has_tokens(e), was_closed(e),
		now.mono);
	if (lane == LANE_NONE) {
		settle_without(d, e, now);
		return;
	}
	enqueue(d, e, lane,
		lane_upstream(lane) == UPSTREAM_FALLBACK &&
			p->failed[UPSTREAM_PRIMARY],
		now);
}

static void
begin_asking(struct desk *d, struct cache_entry *e, struct moment now)
{
	plan_begin(&e->plan);
	e->asked = now.mono;
	e->hedge_listed = true;
	DL_APPEND2(d->hedges, e, hedge_prev, hedge_next);
	advance(d, e, now);
}

/* The primary is slow with this market: the fallback is asked beside it. Only
 * where somebody waits. */
static void
hedge(struct desk *d, struct cache_entry *e, struct moment now)
{
	struct plan *p = &e->plan;
	enum lane lane;

	leave_hedges(d, e);
	if (e->waits.first == NULL ||
		(p->queued[UPSTREAM_PRIMARY] == LANE_NONE &&
			!p->flying[UPSTREAM_PRIMARY]))
		return;
	lane = upstreams_hedge(&d->up, p, has_tokens(e), now.mono);
	if (lane == LANE_NONE)
		return;
	d->counts.hedges++;
	enqueue(d, e, lane, true, now);
}

static void
judge_slow_calls(struct desk *d, struct moment now)
{
	struct flight *f;

	DL_FOREACH(d->flights, f)
	{
		enum upstream_id u = lane_upstream(f->lane);

		if (f->judged || u != UPSTREAM_PRIMARY ||
			ch_mono_ms_since(now.mono, f->started) <
				d->limits.hedge_ms)
			continue;
		f->judged = true;
		ch_breaker_failed(&d->up.breaker[u], f->pass, now.mono);
	}
}

/* ---- questions ---- */

/* Does the market need asking before it can be answered well? */
static bool
needs_asking(const struct desk *d, const struct cache_entry *e,
	struct moment now)
{
	switch (cache_status(d->cache, e, now.mono)) {
	case CACHE_FRESH:
	case CACHE_PINNED:
	case CACHE_UNKNOWN:
	case CACHE_ERROR:
		return false;
	case CACHE_STALE:
		return now.mono.ns >= e->retry_at.ns;
	case CACHE_MISSING:
		break;
	}
	return true;
}

static void
renew_ahead(struct desk *d, struct cache_entry *e, struct moment now)
{
	if (e->plan.asking || d->limits.refresh_ahead_ms == 0 ||
		now.mono.ns < e->retry_at.ns ||
		cache_status(d->cache, e, now.mono) != CACHE_FRESH ||
		cache_ttl_ms(d->cache, e, now.mono) >=
			d->limits.refresh_ahead_ms)
		return;
	d->counts.background++;
	begin_asking(d, e, now);
}

static void
ask_about(struct desk *d, struct question *q, struct cache_entry *e,
	struct moment now)
{
	e->holds++;
	if (!needs_asking(d, e, now)) {
		renew_ahead(d, e, now);
		return;
	}
	if (!e->plan.asking) {
		q->joined = false;
		begin_asking(d, e, now);
	}
	if (!e->plan.asking) /* settled at once: nobody may be asked */
		return;
	if (cache_status(d->cache, e, now.mono) != CACHE_STALE)
		q->cold = true;
	waiters_wait(q, &e->waits);
}

/* All or nothing: no entry is held when there is no room for all. */
static bool
find_entries(struct desk *d, const struct market_id *ids, size_t count,
	void **entries)
{
	for (size_t i = 0; i < count; i++) {
		struct cache_entry *e = cache_get(d->cache, &ids[i]);

		if (e == NULL) {
			while (i-- > 0)
				((struct cache_entry *)entries[i])->holds--;
			return false;
		}
		e->holds++;
		entries[i] = e;
	}
	for (size_t i = 0; i < count; i++)
		((struct cache_entry *)entries[i])->holds--;
	return true;
}

/* What is in the cache is answered however many wait. */
static bool
must_refuse(const struct desk *d, void *const *entries, size_t count,
	struct moment now)
{
	if ((int64_t)waiters_count(d->waiters) < d->limits.max_questions)
		return false;
	for (size_t i = 0; i < count; i++)
		if (needs_asking(d, entries[i], now))
			return true;
	return false;
}

struct question *
desk_ask(struct desk *d, const struct market_id *ids, size_t count,
	struct moment now)
{
	void **entries = ch_xcalloc(count, sizeof(*entries));
	struct ch_mono deadline = now.mono;
	struct question *q;

	if (!find_entries(d, ids, count, entries) ||
		must_refuse(d, entries, count, now)) {
		free(entries);
		d->counts.refused++;
		return NULL;
	}
	q = waiters_open(entries, count);
	free(entries);
	q->asked = now.mono;
	q->joined = true;
	for (size_t i = 0; i < count; i++)
		ask_about(d, q, q->items[i], now);
	deadline.ns += MS_NS *
		(q->cold ? d->limits.budget_ms : d->limits.stale_wait_ms);
	if (q->pending > 0)
		waiters_begin(d->waiters, q, deadline);
	return q;
}

struct question *
desk_next_done(struct desk *d)
{
	struct question *q = waiters_next(d->waiters);

	if (q != NULL && q->late)
		d->counts.late++;
	return q;
}

void
desk_close(struct desk *d, struct question *q)
{
	(void)d;
	for (size_t i = 0; i < q->count; i++)
		((struct cache_entry *)q->items[i])->holds--;
	waiters_close(q);
}

/* ---- calls ---- */

static void
fail_lane(struct desk *d, enum lane lane, enum reason why, struct moment now)
{
	struct lane_queue *q = &d->lanes[lane];
	enum upstream_id u = lane_upstream(lane);

	while (q->first != NULL) {
		struct cache_entry *e = q->first;

		dequeue(d, e, u);
		e->plan.failed[u] = true;
		if (e->plan.reason == REASON_NONE)
			e->plan.reason = why;
		advance(d, e, now);
	}
}

static struct flight *
take_off(struct desk *d, enum lane lane, struct ch_breaker_pass pass,
	struct moment now)
{
	struct lane_queue *q = &d->lanes[lane];
	enum upstream_id u = lane_upstream(lane);
	int64_t n = q->count < d->up.batch[lane] ? q->count : d->up.batch[lane];
	struct flight *f = ch_xcalloc(1, sizeof(*f));

	f->id = d->next_call++;
	f->lane = lane;
	f->started = now.mono;
	f->pass = pass;
	f->entries = ch_xcalloc((size_t)n, sizeof(struct cache_entry *));
	while ((int64_t)f->count < n) {
		struct cache_entry *e = q->first;

		dequeue(d, e, u);
		e->plan.flying[u] = true;
		e->holds++;
		f->entries[f->count++] = e;
	}
	DL_APPEND(d->flights, f);
	d->counts.calls[lane]++;
	d->counts.keys[lane] += f->count;
	return f;
}

static bool
lane_is_due(const struct desk *d, enum lane lane, struct moment now)
{
	const struct lane_queue *q = &d->lanes[lane];

	if (q->count == 0 || now.mono.ns < q->retry.ns)
		return false;
	return q->count >= d->up.batch[lane] ||
		now.mono.ns - q->since.ns >= d->limits.window_ms * MS_NS;
}

static struct flight *
try_lane(struct desk *d, enum lane lane, struct moment now)
{
	struct lane_queue *q = &d->lanes[lane];
	struct ch_breaker_pass pass = {0};
	enum reason why = REASON_NONE;

	switch (upstreams_admit(&d->up, lane, q->second, now.mono, &pass,
		&why)) {
	case ADMIT:
		/* The rest of this flush rides on the same second attempt. */
		q->second = false;
		return take_off(d, lane, pass, now);
	case ADMIT_LATER:
		q->retry.ns = now.mono.ns +
			MS_NS * upstreams_wait_ms(&d->up, lane, now.mono);
		break;
	case ADMIT_NOT:
		fail_lane(d, lane, why, now);
		break;
	}
	return NULL;
}

bool
desk_next_call(struct desk *d, struct desk_call *out, struct moment now)
{
	for (int lane = 0; lane < LANES; lane++) {
		struct flight *f;

		if (!lane_is_due(d, (enum lane)lane, now))
			continue;
		f = try_lane(d, (enum lane)lane, now);
		if (f == NULL)
			continue;
		*out = (struct desk_call){f->id, f->lane, f->entries, f->count};
		return true;
	}
	return false;
}

/* ---- answers ---- */

static struct flight *
find_flight(struct desk *d, uint64_t id)
{
	struct flight *f;

	DL_SEARCH_SCALAR(d->flights, f, id, id);
	assert(f != NULL);
	return f;
}

static void
judge(struct desk *d, struct flight *f, const struct desk_answer *a,
	struct moment now)
{
	struct ch_breaker *b = &d->up.breaker[lane_upstream(f->lane)];

	if (f->judged)
		return;
	switch (a->outcome) {
	case DESK_ANSWERED:
	case DESK_TOO_MANY:
		ch_breaker_ok(b, f->pass);
		break;
	case DESK_LIMITED:
		ch_breaker_limited(b, f->pass, a->retry_after_ms, now.mono);
		break;
	case DESK_FAILED:
		ch_breaker_failed(b, f->pass, now.mono);
		break;
	}
}

static void
take_price(struct desk *d, struct flight *f, struct cache_entry *e,
	struct price *p, struct moment now)
{
	enum cache_change change = cache_put(d->cache, e, p,
		lane_upstream(f->lane), f->started, now);

	if (change != CACHE_IGNORED)
		d->received(d->ctx, e, change == CACHE_CHANGED);
	if (e->plan.asking)
		settle(d, e);
}

static void
take_nothing(struct desk *d, struct flight *f, struct cache_entry *e,
	const struct desk_answer *a, bool again, struct moment now)
{
	struct plan *p = &e->plan;

	if (!p->asking || again) {
		advance(d, e, now);
		return;
	}
	if (a->outcome == DESK_ANSWERED &&
		(a->prices == NULL || a->prices->bad == 0)) {
		p->absent[f->lane] = true;
	} else {
		p->failed[lane_upstream(f->lane)] = true;
		p->reason = a->outcome == DESK_ANSWERED ? REASON_MALFORMED
							: a->reason;
	}
	/* The primary's word that there is none settles it, hedge or not. */
	if (plan_is_unknown(p))
		settle_without(d, e, now);
	else
		advance(d, e, now);
}

static void
land(struct desk *d, struct flight *f, const struct desk_answer *a,
	struct moment now)
{
	enum upstream_id u = lane_upstream(f->lane);
	bool again = a->outcome == DESK_TOO_MANY &&
		upstreams_shrink(&d->up, f->lane, f->count);

	d->counts.shrunk += again ? 1 : 0;
	for (size_t i = 0; i < f->count; i++) {
		struct cache_entry *e = f->entries[i];
		struct price *p = a->prices != NULL
			? price_list_take(a->prices, &e->id)
			: NULL;

		e->plan.flying[u] = false;
		e->holds--;
		if (p != NULL)
			take_price(d, f, e, p, now);
		else
			take_nothing(d, f, e, a, again, now);
	}
}

void
desk_answer(struct desk *d, const struct desk_answer *a, struct moment now)
{
	struct flight *f = find_flight(d, a->call);

	DL_DELETE(d->flights, f);
	upstreams_ended(&d->up, f->lane);
	judge(d, f, a, now);
	land(d, f, a, now);
	if (a->prices != NULL) {
		d->counts.foreign += a->prices->count;
		d->counts.bad += a->prices->bad;
		price_list_free(a->prices);
	}
	free(f->entries);
	free(f);
}

/* ---- time ---- */

void
desk_tick(struct desk *d, struct moment now)
{
	judge_slow_calls(d, now);
	while (d->hedges != NULL &&
		ch_mono_ms_since(now.mono, d->hedges->asked) >=
			d->limits.hedge_ms)
		hedge(d, d->hedges, now);
	waiters_expire(d->waiters, now.mono);
}

static void
sooner(int64_t *due_ns, int64_t ns)
{
	if (ns < *due_ns)
		*due_ns = ns;
}

static int64_t
lane_due_ns(const struct desk *d, enum lane lane)
{
	const struct lane_queue *q = &d->lanes[lane];
	int64_t ns = q->since.ns + d->limits.window_ms * MS_NS;

	if (q->count == 0)
		return INT64_MAX;
	if (q->count >= d->up.batch[lane])
		ns = q->since.ns;
	return ns > q->retry.ns ? ns : q->retry.ns;
}

static int64_t
slow_due_ns(const struct desk *d)
{
	const struct flight *f;
	int64_t due = INT64_MAX;

	DL_FOREACH(d->flights, f)
	{
		if (!f->judged && lane_upstream(f->lane) == UPSTREAM_PRIMARY)
			sooner(&due,
				f->started.ns + d->limits.hedge_ms * MS_NS);
	}
	return due;
}

int64_t
desk_due_ms(struct desk *d, struct moment now)
{
	int64_t due = slow_due_ns(d);
	struct ch_mono deadline;

	for (int lane = 0; lane < LANES; lane++)
		sooner(&due, lane_due_ns(d, (enum lane)lane));
	if (d->hedges != NULL)
		sooner(&due, d->hedges->asked.ns + d->limits.hedge_ms * MS_NS);
	if (waiters_due(d->waiters, &deadline))
		sooner(&due, deadline.ns);
	if (due == INT64_MAX)
		return -1;
	return due <= now.mono.ns ? 0 : (due - now.mono.ns + MS_NS - 1) / MS_NS;
}

/* ---- looking in ---- */

void
desk_restore(struct desk *d, struct price *p, enum upstream_id source,
	struct ch_time as_of, struct moment now)
{
	struct cache_entry *e = cache_get(d->cache, &p->id);

	if (e == NULL)
		free(p);
	else
		cache_restore(d->cache, e, p, source, as_of, now);
}

enum cache_status
desk_status(const struct desk *d, const struct cache_entry *e,
	struct moment now)
{
	return cache_status(d->cache, e, now.mono);
}

const struct cache *
desk_cache(const struct desk *d)
{
	return d->cache;
}

const struct desk_counts *
desk_counts(const struct desk *d)
{
	return &d->counts;
}

const struct upstreams *
desk_upstreams(const struct desk *d)
{
	return &d->up;
}

size_t
desk_waiting(const struct desk *d)
{
	return waiters_count(d->waiters);
}
