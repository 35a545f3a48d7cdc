/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk: the whole policy in one place. Questions, answers of upstreams and time
 * go in; calls to make and questions to answer come out.
 *
 *	desk_ask() --> every market has an answer now: done
 *	          \--> asking is begun, the question waits --> desk_next_done()
 *	desk_next_call() --> the owner makes the call --> desk_answer()
 *
 * Rules:
 *  - One market is in at most one call of an upstream at a time, however many
 *    ask for it.
 *  - Markets of one lane that are asked for within `window` share a call.
 *  - A question waits at most `budget` for markets without a price, and at most
 *    `stale_wait` when it only waits for fresher ones. A call is not cancelled
 *    when nobody waits any more.
 *  - When the primary has not answered after `hedge`, the fallback is asked as
 *    well; the newer answer wins. The slow call counts against the primary.
 *  - A market that just failed is not asked for again before its error_ttl: it
 *    is answered at once, stale or as an error.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef PRICE_CACHE_DESK_H
#define PRICE_CACHE_DESK_H

#include "cache.h"

struct desk_limits {
	struct cache_limits cache;
	struct upstream_limits upstream[UPSTREAMS];
	int64_t batch[LANES];
	int64_t window_ms;
	int64_t budget_ms;
	int64_t stale_wait_ms;
	int64_t hedge_ms;
	int64_t refresh_ahead_ms; /* a read so near the end of the ttl renews
				     it in the background; 0: never */
	int64_t max_questions;	  /* waiting */
};

struct desk;

/* received: called for each price that came, from inside desk_answer(); changed
 * when it is another than before. It may only set e->stored. */
struct desk *desk_new(const struct desk_limits *limits, uint64_t seed,
	void (*received)(void *ctx, struct cache_entry *e, bool changed),
	void *ctx, struct ch_mono now);
/* Questions that were not answered are forgotten. NULL is allowed. */
void desk_free(struct desk *d);

/* ids: no id twice, count >= 1. Its items are struct cache_entry. When nothing
 * is pending the question is done: answer and desk_close() it. Else set its
 * ref; it comes out of desk_next_done() later.
 * NULL: too many questions wait, or everything in the cache is in use. */
struct question *desk_ask(struct desk *d, const struct market_id *ids,
	size_t count, struct moment now);
/* The next question that is done, to be answered and given back with
 * desk_close(). */
struct question *desk_next_done(struct desk *d);
void desk_close(struct desk *d, struct question *q);
enum cache_status desk_status(const struct desk *d, const struct cache_entry *e,
	struct moment now);
const struct cache *desk_cache(const struct desk *d);

/* A call to make: valid until the next desk_ function. */
struct desk_call {
	uint64_t id;
	enum lane lane;
	struct cache_entry *const *entries;
	size_t count;
};
bool desk_next_call(struct desk *d, struct desk_call *out, struct moment now);

enum desk_outcome {
	DESK_ANSWERED, /* prices has what was there; what is not, is absent */
	DESK_FAILED,
	DESK_LIMITED, /* 429 */
	DESK_TOO_MANY /* refused for the number of keys */
};

struct desk_answer {
	uint64_t call;
	enum desk_outcome outcome;
	enum reason reason;	   /* unless ANSWERED */
	int64_t retry_after_ms;	   /* LIMITED; < 0: not told */
	struct price_list *prices; /* emptied; may be NULL */
};
/* Exactly one for each call. */
void desk_answer(struct desk *d, const struct desk_answer *a,
	struct moment now);

/* Deadlines and hedges that have come due. */
void desk_tick(struct desk *d, struct moment now);
/* ms until the next desk_tick() and desk_next_call(); -1: nothing is due. */
int64_t desk_due_ms(struct desk *d, struct moment now);

/* A price of an earlier life of the process. */
void desk_restore(struct desk *d, struct price *p, enum upstream_id source,
	struct ch_time as_of, struct moment now);

struct desk_counts {
	uint64_t calls[LANES];
	uint64_t keys[LANES]; /* asked for in those calls */
	uint64_t hedges;      /* markets asked of both upstreams */
	uint64_t foreign;     /* prices that nobody had asked for */
	uint64_t bad;	      /* markets in answers, unreadable */
	uint64_t shrunk;      /* times a batch was made smaller */
	uint64_t refused;     /* questions: no room */
	uint64_t late;	      /* questions at their deadline */
	uint64_t background;  /* renewals that nobody waited for */
};
const struct desk_counts *desk_counts(const struct desk *d);
const struct upstreams *desk_upstreams(const struct desk *d);
size_t desk_waiting(const struct desk *d);

#endif
