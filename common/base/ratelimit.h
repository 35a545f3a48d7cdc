/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratelimit: a token bucket in integers.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef CH_BASE_RATELIMIT_H
#define CH_BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

struct ch_ratelimit {
	int64_t per_second; /* tokens added each second; > 0 */
	int64_t burst;	    /* most tokens kept; > 0, < 9.2e12 */
	int64_t micro;	    /* tokens in the bucket, times 1,000,000 */
	struct ch_mono last;
};

void ch_ratelimit_init(struct ch_ratelimit *r, int64_t per_second,
	int64_t burst, struct ch_mono now);
/* Takes n tokens, or takes none and returns false; always false when n is more
 * than burst. A bucket is full when it begins. */
bool ch_ratelimit_take(struct ch_ratelimit *r, int64_t n, struct ch_mono now);
/* Milliseconds until n tokens are there, rounded up; 0 when they are;
 * INT64_MAX when n is more than burst. */
int64_t ch_ratelimit_wait_ms(struct ch_ratelimit *r, int64_t n,
	struct ch_mono now);

#endif
