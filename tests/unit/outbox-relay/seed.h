/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seed: SEED of the environment, or a new one; printed, so that a failure can
 * be run again.
 */
#ifndef TEST_RELAY_SEED_H
#define TEST_RELAY_SEED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/str.h"

static inline void
seed_rng(struct ch_rng *rng)
{
	const char *text = getenv("SEED");
	int64_t seed;

	if (text == NULL ||
		ch_view_int(ch_view_of(text), 0, INT64_MAX, &seed) != 0)
		ch_rng_secure(&seed, sizeof(seed));
	seed &= INT64_MAX;
	printf("SEED=%" PRId64 "\n", seed);
	ch_rng_seed(rng, (uint64_t)seed);
}

#endif
