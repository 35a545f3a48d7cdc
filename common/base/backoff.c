/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff: see backoff.h.
 *
 * The doubling stops at the cap by comparison, so that any number of attempts
 * is safe.
 */
#include "backoff.h"

#include <assert.h>
#include <limits.h>

static int64_t
ceiling(const struct ch_backoff *b)
{
	int64_t ms = b->base_ms;

	for (unsigned i = 0; i < b->attempt && ms < b->cap_ms; i++)
		ms = ms > b->cap_ms / 2 ? b->cap_ms : ms * 2;
	return ms;
}

int64_t
ch_backoff_next(struct ch_backoff *b, struct ch_rng *rng)
{
	int64_t top;

	assert(b->base_ms >= 1 && b->cap_ms >= b->base_ms);
	top = ceiling(b);
	if (b->attempt < UINT_MAX)
		b->attempt++;
	return b->base_ms +
		(int64_t)ch_rng_below(rng, (uint64_t)(top - b->base_ms) + 1);
}

void
ch_backoff_reset(struct ch_backoff *b)
{
	b->attempt = 0;
}
