/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratelimit: see ratelimit.h.
 *
 * Tokens are counted in millionths. `last` only moves by the time whose tokens
 * were added, rounded up: calls that follow each other quickly do not lose
 * what is due to them, and never get more than is due. Products are taken in
 * 128 bits, so no rate or pause overflows.
 */
#include "ratelimit.h"

#include <assert.h>

#define MICRO INT64_C(1000000)
#define BURST_MAX (INT64_MAX / MICRO)

/* Scalar: wider than any product below. */
typedef __int128 wide;

void
ch_ratelimit_init(struct ch_ratelimit *r, int64_t per_second, int64_t burst,
	struct ch_mono now)
{
	assert(per_second > 0 && burst > 0 && burst <= BURST_MAX);
	*r = (struct ch_ratelimit){per_second, burst, burst * MICRO, now};
}

/* One token per second is one millionth per 1000 ns. */
static void
refill(struct ch_ratelimit *r, struct ch_mono now)
{
	wide elapsed = (wide)now.ns - r->last.ns;
	wide due = elapsed * r->per_second / 1000;
	wide room = (wide)r->burst * MICRO - r->micro;

	if (due <= 0)
		return;
	if (due >= room) {
		r->micro = r->burst * MICRO;
		r->last = now;
		return;
	}
	r->micro += (int64_t)due;
	r->last.ns +=
		(int64_t)((due * 1000 + r->per_second - 1) / r->per_second);
}

bool
ch_ratelimit_take(struct ch_ratelimit *r, int64_t n, struct ch_mono now)
{
	refill(r, now);
	if (n > r->burst)
		return false;
	if (n <= 0)
		return true;
	if (r->micro < n * MICRO)
		return false;
	r->micro -= n * MICRO;
	return true;
}

int64_t
ch_ratelimit_wait_ms(struct ch_ratelimit *r, int64_t n, struct ch_mono now)
{
	wide missing;
	wide per_ms = (wide)r->per_second * (MICRO / 1000);

	refill(r, now);
	if (n > r->burst)
		return INT64_MAX;
	missing = (wide)n * MICRO - r->micro;
	if (missing <= 0)
		return 0;
	return (int64_t)((missing + per_ms - 1) / per_ms);
}
