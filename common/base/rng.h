/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng: random numbers from a seed, for jitter, demo loads and tests.
 *
 * xoshiro256** (Blackman, Vigna; public domain algorithm), seeded through
 * splitmix64: the same seed gives the same numbers everywhere. NOT for
 * secrets: use ch_rng_secure() there.
 *
 * Thread: a generator belongs to one thread; ch_rng_secure() any.
 */
#ifndef CH_BASE_RNG_H
#define CH_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct ch_rng {
	uint64_t s[4];
};

void ch_rng_seed(struct ch_rng *r, uint64_t seed);
void ch_rng_seed_system(struct ch_rng *r); /* seeded by getrandom(2) */
uint64_t ch_rng_next(struct ch_rng *r);
/* Uniform in [0, n), n > 0, without bias. */
uint64_t ch_rng_below(struct ch_rng *r, uint64_t n);
/* true in `numerator` of `denominator` cases. */
int ch_rng_chance(struct ch_rng *r, uint64_t numerator, uint64_t denominator);
void ch_rng_secure(void *out, size_t n); /* getrandom(2) */

#endif
