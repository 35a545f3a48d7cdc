/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng: see rng.h.
 *
 * The kernel's generator cannot fail once the system has booted; where
 * getrandom(2) is forbidden to us, no id could be made and we abort.
 */
#include "rng.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"

static uint64_t
splitmix64(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
ch_rng_seed(struct ch_rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}

void
ch_rng_seed_system(struct ch_rng *r)
{
	uint64_t seed;

	ch_rng_secure(&seed, sizeof(seed));
	ch_rng_seed(r, seed);
}

static uint64_t
rotate_left(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

uint64_t
ch_rng_next(struct ch_rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/* Lemire's method: the high half of a 128-bit product, with the few draws
 * refused that would favour some results. */
uint64_t
ch_rng_below(struct ch_rng *r, uint64_t n)
{
	unsigned __int128 product;
	uint64_t unfair;

	assert(n > 0);
	unfair = -n % n;
	do {
		product = (unsigned __int128)ch_rng_next(r) * n;
	} while ((uint64_t)product < unfair);
	return (uint64_t)(product >> 64);
}

int
ch_rng_chance(struct ch_rng *r, uint64_t numerator, uint64_t denominator)
{
	return ch_rng_below(r, denominator) < numerator;
}

void
ch_rng_secure(void *out, size_t n)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			ch_error("rng.getrandom_failed", CH_I("errno", errno));
			abort();
		}
		p += got;
		n -= (size_t)got;
	}
}
