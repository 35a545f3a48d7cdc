/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/backoff.h"
#include "check_suite.h"

START_TEST(each_wait_is_between_base_and_the_doubled_base)
{
	struct ch_rng rng;

	ch_rng_seed(&rng, 1);
	for (int round = 0; round < 200; round++) {
		struct ch_backoff b = {100, 5000, 0};
		int64_t top = 100;

		for (int n = 0; n < 20; n++) {
			int64_t wait = ch_backoff_next(&b, &rng);

			ck_assert_int_ge(wait, 100);
			ck_assert_int_le(wait, top);
			top = top * 2 < 5000 ? top * 2 : 5000;
		}
	}
}
END_TEST

START_TEST(waits_use_the_whole_range_up_to_the_cap)
{
	struct ch_backoff b = {1, 10, 100};
	struct ch_rng rng;
	int seen[11] = {0};

	ch_rng_seed(&rng, 2);
	for (int i = 0; i < 1000; i++)
		seen[ch_backoff_next(&b, &rng)]++;
	ck_assert_int_eq(seen[0], 0);
	for (int i = 1; i <= 10; i++)
		ck_assert_int_gt(seen[i], 50);
}
END_TEST

START_TEST(success_starts_over)
{
	struct ch_backoff b = {7, 1000000, 0};
	struct ch_rng rng;

	ch_rng_seed(&rng, 3);
	ck_assert_int_eq(ch_backoff_next(&b, &rng), 7);
	for (int i = 0; i < 10; i++)
		(void)ch_backoff_next(&b, &rng);
	ch_backoff_reset(&b);
	ck_assert_int_eq(ch_backoff_next(&b, &rng), 7);
}
END_TEST

START_TEST(no_number_of_attempts_overflows)
{
	struct ch_backoff b = {1, INT64_MAX, UINT_MAX};
	struct ch_backoff same = {5, 5, 60};
	struct ch_rng rng;

	ch_rng_seed(&rng, 4);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_ge(ch_backoff_next(&b, &rng), 1);
		ck_assert_int_eq(ch_backoff_next(&same, &rng), 5);
	}
	ck_assert_uint_eq(b.attempt, UINT_MAX);
}
END_TEST

SUITE_MAIN("backoff", each_wait_is_between_base_and_the_doubled_base,
	waits_use_the_whole_range_up_to_the_cap, success_starts_over,
	no_number_of_attempts_overflows)
