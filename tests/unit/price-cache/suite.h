/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite: check_suite.h, and market ids to ask for.
 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include "check_suite.h"
#include "price_cache.h"

#define MS_NS INT64_C(1000000)

/* Market number n. */
static inline struct market_id
id_of(unsigned n)
{
	struct market_id id = {{0x11}};

	id.bytes[30] = (uint8_t)(n >> 8);
	id.bytes[31] = (uint8_t)n;
	return id;
}

static inline struct moment
at_ms(int64_t ms)
{
	return (struct moment){{(1000000 + ms) * MS_NS},
		{INT64_C(1795000000000000) + ms * 1000}};
}

#endif
