/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff: how long to wait before the next try.
 *
 * Full jitter: uniform in [base, cap] around base * 2^attempt; the attempt
 * counter is reset by success as the owner defines it.
 *
 * Thread: belongs to one thread. Pure: no clock is read.
 */
#ifndef CH_BASE_BACKOFF_H
#define CH_BASE_BACKOFF_H

#include <stdint.h>

#include "rng.h"

struct ch_backoff {
	int64_t base_ms; /* >= 1 */
	int64_t cap_ms;	 /* >= base_ms */
	unsigned attempt;
};

/* The wait in ms before the next try: in [base_ms, min(cap, base*2^n)]. */
int64_t ch_backoff_next(struct ch_backoff *b, struct ch_rng *rng);
void ch_backoff_reset(struct ch_backoff *b);

#endif
