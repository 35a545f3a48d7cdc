/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: how fast letters are sent, in letters and in bytes a second.
 *
 * A tenth of a second's letters may go at once, and a tenth of a second's bytes,
 * but one letter in any case: what follows a large one waits as long as that takes
 * at the rate.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef RELAY_PACE_H
#define RELAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ratelimit.h"

struct pace {
	bool has_events;
	struct ch_ratelimit events;
	int64_t bytes_per_second; /* 0: no limit */
	struct ch_mono paid;	  /* the bytes that went are, then */
};

/* 0: no limit. */
void pace_init(struct pace *p, int64_t per_second, int64_t bytes_per_second,
	struct ch_mono now);
/* Letters went before, in another process: so long ago the last, which had so many
 * bytes. What the rate let go with it is spent. */
void pace_went(struct pace *p, int64_t ago_ms, int64_t bytes,
	struct ch_mono now);
/* 0: the letter may go, and was counted; else ms until it may be asked again. */
int64_t pace_take(struct pace *p, int64_t bytes, struct ch_mono now);

#endif
