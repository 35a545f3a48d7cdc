/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forecast: how far a long piece of work is, how fast it goes, and when it ends.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef RELAY_FORECAST_H
#define RELAY_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct forecast {
	int64_t total, done, begun_with, told_done;
	int64_t milli; /* a second, in thousandths; smoothed; 0: not known */
	struct ch_mono began, told;
	bool was_told;
};

/* done of total were done before. */
void forecast_init(struct forecast *f, int64_t done, int64_t total,
	struct ch_mono now);
/* Every two seconds, until all is done: true with "1200 of 50000, 340/s, 2m 23s left". */
bool forecast_due(struct forecast *f, struct ch_mono now, struct ch_buf *out);
/* "50000 of 50000, 340/s, in 2m 27s". */
void forecast_end(const struct forecast *f, struct ch_mono now,
	struct ch_buf *out);

#endif
