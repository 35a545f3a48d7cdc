/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: who is asked next about a market, and whether a call may go out.
 *
 * Upstreams are asked through lanes; keys of one lane share a call:
 *
 *	primary   OPEN       GET /markets?condition_ids=a&condition_ids=b...
 *	          CLOSED     the same with closed=true: closed markets are not
 *	                     in the plain answer
 *	fallback  MIDPOINTS  POST /midpoints, for markets whose tokens are known
 *	          MARKET     GET /markets/<id>, for the others; one a call
 *
 * A market is unknown when the primary has it neither open nor closed. Limits:
 * a breaker and a token bucket each upstream; and a budget of second attempts
 * (calls to the fallback after the primary was asked), so that a bad day of
 * one upstream does not become a flood at the other. A lane whose calls are
 * refused for their size halves its batch.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef PRICE_CACHE_UPSTREAM_H
#define PRICE_CACHE_UPSTREAM_H

#include "base/breaker.h"
#include "base/ratelimit.h"
#include "price_cache.h"

enum lane { LANE_OPEN, LANE_CLOSED, LANE_MIDPOINTS, LANE_MARKET, LANES };
#define LANE_NONE LANES

enum upstream_id lane_upstream(enum lane lane);
const char *lane_name(enum lane lane); /* "open", ... */

/* How far the asking for one market has come. */
struct plan {
	bool asking;
	bool absent[LANES];	     /* it is not there, this lane said */
	bool failed[UPSTREAMS];	     /* no use to ask again now */
	bool flying[UPSTREAMS];	     /* in a call; may outlast the asking */
	enum lane queued[UPSTREAMS]; /* waiting for a call, or LANE_NONE */
	enum reason reason;	     /* the last failure's */
};

void plan_begin(struct plan *p);
/* The primary has answered for certain that there is no such market. */
bool plan_is_unknown(const struct plan *p);

struct upstream_limits {
	bool configured;
	struct ch_breaker_limits breaker;
	int64_t per_second; /* calls */
	int64_t burst;
	int64_t in_flight; /* calls under way */
};

struct upstreams {
	struct upstream_limits limits[UPSTREAMS];
	struct ch_breaker breaker[UPSTREAMS];
	struct ch_ratelimit rate[UPSTREAMS];
	int64_t flying[UPSTREAMS];
	int64_t batch[LANES]; /* keys in one call, now */
	int64_t second_left;  /* second attempts, in thousandths */
};

/* Thousandths of a second attempt that one first attempt allows, and the most
 * that are kept. */
#define SECOND_SHARE 200
#define SECOND_MAX 20000

void upstreams_init(struct upstreams *u,
	const struct upstream_limits limits[UPSTREAMS],
	const int64_t batch[LANES], struct ch_rng *rng, struct ch_mono now);

/* The lane to ask next, or LANE_NONE; then p->reason says why not, unless
 * plan_is_unknown(). has_tokens: the fallback can be asked in batches.
 * closed: the market was closed when last seen. Does not look at what is
 * queued or flying. */
enum lane upstreams_next(const struct upstreams *u, struct plan *p,
	bool has_tokens, bool closed, struct ch_mono now);
/* May the fallback be asked as well, while the primary is slow? */
enum lane upstreams_hedge(const struct upstreams *u, const struct plan *p,
	bool has_tokens, struct ch_mono now);

enum admission {
	ADMIT,
	ADMIT_LATER, /* no token, or too many calls under way: wait_ms */
	ADMIT_NOT    /* its keys must go elsewhere: *reason */
};
/* May a call of that lane go out now? second: it holds a second attempt.
 * ADMIT takes the tokens and gives the breaker's pass. */
enum admission upstreams_admit(struct upstreams *u, enum lane lane, bool second,
	struct ch_mono now, struct ch_breaker_pass *pass, enum reason *reason);
/* ms until ADMIT_LATER is worth another look. */
int64_t upstreams_wait_ms(struct upstreams *u, enum lane lane,
	struct ch_mono now);
void upstreams_ended(struct upstreams *u, enum lane lane); /* each admitted */
/* The call of n keys was refused for its size. true: smaller ones from now
 * on, ask again. */
bool upstreams_shrink(struct upstreams *u, enum lane lane, size_t n);

#endif
