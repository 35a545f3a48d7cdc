/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: two token buckets that are taken from together or not at all.
 */
#include "pace.h"

#define BURST_PART 10

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void
pace_init(struct pace *p, int64_t per_second, int64_t bytes_per_second,
	int64_t largest, struct ch_mono now)
{
	*p = (struct pace){.has_events = per_second > 0,
		.has_bytes = bytes_per_second > 0};
	if (p->has_events)
		ch_ratelimit_init(&p->events, per_second,
			larger(1, per_second / BURST_PART), now);
	if (p->has_bytes)
		ch_ratelimit_init(&p->bytes, bytes_per_second,
			larger(bytes_per_second, larger(1, largest)), now);
}

int64_t
pace_take(struct pace *p, int64_t bytes, struct ch_mono now)
{
	int64_t events_ms = 0, bytes_ms = 0;

	if (p->has_events)
		events_ms = ch_ratelimit_wait_ms(&p->events, 1, now);
	if (p->has_bytes) {
		/* headers may make it larger than the largest value */
		if (bytes > p->bytes.burst)
			bytes = p->bytes.burst;
		bytes_ms = ch_ratelimit_wait_ms(&p->bytes, bytes, now);
	}
	if (events_ms > 0 || bytes_ms > 0)
		return larger(events_ms, bytes_ms);
	if (p->has_events)
		(void)ch_ratelimit_take(&p->events, 1, now);
	if (p->has_bytes)
		(void)ch_ratelimit_take(&p->bytes, bytes, now);
	return 0;
}
