/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ratelimit.h"
#include "check_suite.h"

#define SECOND INT64_C(1000000000)

static struct ch_mono
at(int64_t ns)
{
	return (struct ch_mono){ns};
}

START_TEST(a_bucket_begins_full_and_is_emptied)
{
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, 10, 3, at(0));
	ck_assert(ch_ratelimit_take(&r, 2, at(0)));
	ck_assert(!ch_ratelimit_take(&r, 2, at(0)));
	ck_assert(ch_ratelimit_take(&r, 1, at(0)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(0)));
	ck_assert(ch_ratelimit_take(&r, 0, at(0)));
}
END_TEST

START_TEST(a_token_is_there_at_its_nanosecond_and_not_before)
{
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, 10, 1, at(0));
	ck_assert(ch_ratelimit_take(&r, 1, at(0)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(SECOND / 10 - 1)));
	ck_assert(ch_ratelimit_take(&r, 1, at(SECOND / 10)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(SECOND / 10)));
}
END_TEST

START_TEST(a_pause_fills_to_the_burst_and_no_further)
{
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, 1000000, 5, at(0));
	ck_assert(ch_ratelimit_take(&r, 5, at(0)));
	ck_assert(ch_ratelimit_take(&r, 5, at(INT64_MAX)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(INT64_MAX)));
}
END_TEST

START_TEST(time_that_goes_back_gives_nothing)
{
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, 10, 1, at(SECOND));
	ck_assert(ch_ratelimit_take(&r, 1, at(SECOND)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(0)));
	ck_assert(!ch_ratelimit_take(&r, 1, at(SECOND)));
	ck_assert(ch_ratelimit_take(&r, 1, at(2 * SECOND)));
}
END_TEST

START_TEST(many_short_steps_give_the_same_as_one_long)
{
	static const int64_t rates[] = {1, 3, 7, 999, 1500, 123457, 3000000};
	static const int64_t steps[] = {1, 137, 1009, 100003};

	for (size_t i = 0; i < COUNT(rates); i++) {
		for (size_t j = 0; j < COUNT(steps); j++) {
			struct ch_ratelimit r;
			int64_t end = steps[j] * 20000;
			int64_t due;

			ch_ratelimit_init(&r, rates[i], 1000000000, at(0));
			ck_assert(ch_ratelimit_take(&r, 1000000000, at(0)));
			for (int64_t t = 0; t <= end; t += steps[j])
				(void)ch_ratelimit_take(&r, 0, at(t));
			due = rates[i] * end / 1000;
			ck_assert_int_le(r.micro, due);
			/* at most a millionth of a token lost a call */
			ck_assert_int_ge(r.micro, due - 20001);
			ck_assert_int_ge(r.micro,
				steps[j] < 100 ? 0 : due * 98 / 100);
		}
	}
}
END_TEST

START_TEST(wait_is_the_time_after_which_take_succeeds)
{
	static const int64_t rates[] = {1, 3, 7, 999, 1500, 3000000};

	for (size_t i = 0; i < COUNT(rates); i++) {
		struct ch_ratelimit r;
		int64_t ms;

		ch_ratelimit_init(&r, rates[i], 10, at(0));
		ck_assert_int_eq(ch_ratelimit_wait_ms(&r, 10, at(0)), 0);
		ck_assert(ch_ratelimit_take(&r, 10, at(0)));
		ms = ch_ratelimit_wait_ms(&r, 7, at(0));
		ck_assert_int_eq(ms, (7000 + rates[i] - 1) / rates[i]);
		ck_assert(ch_ratelimit_take(&r, 7, at(ms * 1000000)));
	}
}
END_TEST

START_TEST(more_than_the_burst_never_comes)
{
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, 10, 5, at(0));
	ck_assert(!ch_ratelimit_take(&r, 6, at(0)));
	ck_assert_int_eq(ch_ratelimit_wait_ms(&r, 6, at(0)), INT64_MAX);
	ck_assert(!ch_ratelimit_take(&r, INT64_MAX, at(0)));
	ck_assert(ch_ratelimit_take(&r, 5, at(0)));
}
END_TEST

START_TEST(the_largest_rate_and_burst_do_not_overflow)
{
	const int64_t burst = INT64_MAX / 1000000;
	struct ch_ratelimit r;

	ch_ratelimit_init(&r, INT64_MAX, burst, at(INT64_MIN));
	ck_assert(ch_ratelimit_take(&r, burst, at(INT64_MIN)));
	ck_assert(ch_ratelimit_take(&r, burst, at(INT64_MAX)));
	ck_assert_int_le(ch_ratelimit_wait_ms(&r, burst, at(INT64_MAX)), 1);
}
END_TEST

SUITE_MAIN("ratelimit", a_bucket_begins_full_and_is_emptied,
	a_token_is_there_at_its_nanosecond_and_not_before,
	a_pause_fills_to_the_burst_and_no_further,
	time_that_goes_back_gives_nothing,
	many_short_steps_give_the_same_as_one_long,
	wait_is_the_time_after_which_take_succeeds,
	more_than_the_burst_never_comes,
	the_largest_rate_and_burst_do_not_overflow)
