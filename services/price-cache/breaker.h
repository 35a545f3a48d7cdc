/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker: whether an upstream may be asked now.
 *
 *	closed --threshold failures in a row, or a 429--> open
 *	open --its time is over--> half-open: ONE probe
 *	half-open --probe ok--> closed;  --probe failed--> open, for longer
 *
 * How long it stays open doubles with each opening (full jitter), except where
 * a 429 named the time. Results of calls that were sent before the present
 * state began do not count.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef PRICE_CACHE_BREAKER_H
#define PRICE_CACHE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/sm.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker_limits {
	int64_t threshold; /* failures in a row that open it; >= 1 */
	int64_t open_ms;
	int64_t open_max_ms;
};

struct breaker {
	struct ch_sm sm;
	struct breaker_limits limits;
	struct ch_rng *rng;
	struct ch_backoff backoff;
	struct ch_mono until; /* open until then */
	uint64_t era;	      /* counts its openings and probes */
	int64_t failures;     /* in a row */
	uint64_t opened;      /* times */
};

/* What a call takes with it, to be judged by. */
struct breaker_pass {
	uint64_t era;
};

void breaker_init(struct breaker *b, const char *name,
	const struct breaker_limits *limits, struct ch_rng *rng);
/* Would a call be allowed? */
bool breaker_allows(const struct breaker *b, struct ch_mono now);
/* A call goes out (allowed before): in an open breaker it is the probe. */
struct breaker_pass breaker_enter(struct breaker *b, struct ch_mono now);
/* Its end, once: well, badly (too slow counts), or 429 with retry_after_ms
 * (< 0: not told). */
void breaker_ok(struct breaker *b, struct breaker_pass pass);
void breaker_failed(struct breaker *b, struct breaker_pass pass,
	struct ch_mono now);
void breaker_limited(struct breaker *b, struct breaker_pass pass,
	int64_t retry_after_ms, struct ch_mono now);
enum breaker_state breaker_state(const struct breaker *b);

#endif
