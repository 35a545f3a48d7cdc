/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: murmur2 with Kafka's seed, over little-endian words.
 */
#include "route.h"

#define SEED 0x9747b28cu
#define MIX 0x5bd1e995u

static uint32_t
murmur2(struct ch_view key)
{
	const uint8_t *p = (const uint8_t *)key.ptr;
	size_t left = key.len;
	uint32_t h = SEED ^ (uint32_t)key.len;
	for (; left >= 4; left -= 4, p += 4) {
		uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
			(uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		k *= MIX;
		k ^= k >> 24;
		h = (h * MIX) ^ (k * MIX);
	}
	for (size_t i = left; i > 0; i--)
		h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
	if (left > 0)
		h *= MIX;
	h ^= h >> 13;
	h *= MIX;
	return h ^ (h >> 15);
}

int32_t
route_of(struct ch_view key, int32_t partitions)
{
	return (int32_t)((murmur2(key) & 0x7fffffffu) % (uint32_t)partitions);
}
