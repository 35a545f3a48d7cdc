/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker: whether a peer may be asked now.
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
#ifndef CH_BASE_BREAKER_H
#define CH_BASE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "clock.h"
#include "sm.h"

enum ch_breaker_state {
	CH_BREAKER_CLOSED,
	CH_BREAKER_OPEN,
	CH_BREAKER_HALF_OPEN
};

struct ch_breaker_limits {
	int64_t threshold; /* failures in a row that open it; >= 1 */
	int64_t open_ms;
	int64_t open_max_ms;
};

struct ch_breaker {
	struct ch_sm sm;
	struct ch_breaker_limits limits;
	struct ch_rng *rng;
	struct ch_backoff backoff;
	struct ch_mono until; /* open until then */
	uint64_t era;	      /* counts its openings and probes */
	int64_t failures;     /* in a row */
	uint64_t opened;      /* times */
};

/* What a call takes with it, to be judged by. */
struct ch_breaker_pass {
	uint64_t era;
};

void ch_breaker_init(struct ch_breaker *b, const char *name,
	const struct ch_breaker_limits *limits, struct ch_rng *rng);
/* Would a call be allowed? */
bool ch_breaker_allows(const struct ch_breaker *b, struct ch_mono now);
/* A call goes out (allowed before): in an open breaker it is the probe. */
struct ch_breaker_pass ch_breaker_enter(struct ch_breaker *b,
	struct ch_mono now);
/* Its end, once: well, badly (too slow counts), or 429 with retry_after_ms
 * (< 0: not told). */
void ch_breaker_ok(struct ch_breaker *b, struct ch_breaker_pass pass);
void ch_breaker_failed(struct ch_breaker *b, struct ch_breaker_pass pass,
	struct ch_mono now);
void ch_breaker_limited(struct ch_breaker *b, struct ch_breaker_pass pass,
	int64_t retry_after_ms, struct ch_mono now);
enum ch_breaker_state ch_breaker_state(const struct ch_breaker *b);

#endif
