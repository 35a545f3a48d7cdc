/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/rng.h"
#include "check_suite.h"

/* The first numbers of the authors' reference code for this state. */
START_TEST(the_generator_is_xoshiro256_starstar)
{
	static const uint64_t want[] = {11520, 0, 1509978240,
		UINT64_C(1215971899390074240), UINT64_C(1216172134540287360),
		UINT64_C(607988272756665600), UINT64_C(16172922978634559625),
		UINT64_C(8476171486693032832)};
	struct ch_rng r = {{1, 2, 3, 4}};

	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_uint_eq(ch_rng_next(&r), want[i]);
}
END_TEST

START_TEST(a_seed_is_spread_by_splitmix64)
{
	struct ch_rng r;

	ch_rng_seed(&r, 0);
	ck_assert_uint_eq(r.s[0], UINT64_C(0xe220a8397b1dcdaf));
	ck_assert_uint_eq(r.s[1], UINT64_C(0x6e789e6aa1b965f4));
	ck_assert_uint_eq(r.s[2], UINT64_C(0x06c45d188009454f));
	ck_assert_uint_eq(r.s[3], UINT64_C(0xf88bb8a8724c81ec));
}
END_TEST

START_TEST(below_stays_below_and_reaches_all)
{
	struct ch_rng r;
	int seen[7] = {0};

	ch_rng_seed(&r, 42);
	for (int i = 0; i < 70000; i++) {
		uint64_t v = ch_rng_below(&r, COUNT(seen));

		ck_assert_uint_lt(v, COUNT(seen));
		seen[v]++;
	}
	for (size_t i = 0; i < COUNT(seen); i++) {
		ck_assert_int_gt(seen[i], 9500);
		ck_assert_int_lt(seen[i], 10500);
	}
	ck_assert_uint_eq(ch_rng_below(&r, 1), 0);
	(void)ch_rng_below(&r, UINT64_MAX);
}
END_TEST

START_TEST(below_a_large_bound_has_no_bias)
{
	/* A plain modulo would put two thirds into the lower half. */
	const uint64_t n = UINT64_C(3) << 62;
	struct ch_rng r;
	int low = 0;

	ch_rng_seed(&r, 43);
	for (int i = 0; i < 20000; i++)
		low += ch_rng_below(&r, n) < n / 2;
	ck_assert_int_gt(low, 9700);
	ck_assert_int_lt(low, 10300);
}
END_TEST

START_TEST(chance_is_the_fraction_it_says)
{
	struct ch_rng r;
	int hits = 0;

	ch_rng_seed(&r, 44);
	for (int i = 0; i < 30000; i++)
		hits += ch_rng_chance(&r, 1, 3);
	ck_assert_int_gt(hits, 9600);
	ck_assert_int_lt(hits, 10400);
	ck_assert_int_eq(ch_rng_chance(&r, 0, 5), 0);
	ck_assert_int_eq(ch_rng_chance(&r, 5, 5), 1);
}
END_TEST

START_TEST(system_seeds_and_secure_bytes_differ_each_time)
{
	unsigned char a[1000] = {0};
	unsigned char b[1000] = {0};
	struct ch_rng r;
	struct ch_rng q;

	ch_rng_secure(a, sizeof(a));
	ch_rng_secure(b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	ch_rng_secure(NULL, 0);
	ch_rng_seed_system(&r);
	ch_rng_seed_system(&q);
	ck_assert_uint_ne(ch_rng_next(&r), ch_rng_next(&q));
}
END_TEST

SUITE_MAIN("rng", the_generator_is_xoshiro256_starstar,
	a_seed_is_spread_by_splitmix64, below_stays_below_and_reaches_all,
	below_a_large_bound_has_no_bias, chance_is_the_fraction_it_says,
	system_seeds_and_secure_bytes_differ_each_time)
