/* SPDX-License-Identifier: Apache-2.0 */
/* pace: letters and bytes a second. */
#include "check_suite.h"

#include "pace.h"

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){ms * 1000000};
}

START_TEST(without_limits_nothing_waits)
{
	struct pace p;

	pace_init(&p, 0, 0, 1000, at_ms(0));
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(pace_take(&p, 1 << 20, at_ms(0)), 0);
}
END_TEST

START_TEST(letters_are_counted_over_the_second)
{
	struct pace p;
	int sent = 0;

	pace_init(&p, 50, 0, 1000, at_ms(0));
	for (int64_t ms = 0; ms < 2000; ms++)
		while (pace_take(&p, 1, at_ms(ms)) == 0)
			sent++;
	/* a tenth of a second's at once, then 50 a second */
	ck_assert_int_ge(sent, 100);
	ck_assert_int_le(sent, 105);
}
END_TEST

START_TEST(the_slower_limit_holds)
{
	struct pace p;
	int sent = 0;

	pace_init(&p, 1000, 100, 100, at_ms(0));
	for (int64_t ms = 0; ms < 1000; ms++)
		while (pace_take(&p, 50, at_ms(ms)) == 0)
			sent++;
	ck_assert_int_eq(sent, 3); /* 100 bytes at once, 100 a second */
}
END_TEST

START_TEST(what_waits_is_not_counted_and_the_wait_is_enough)
{
	struct pace p;
	int64_t wait;

	pace_init(&p, 10, 0, 10, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 0);
	wait = pace_take(&p, 1, at_ms(0));
	ck_assert_int_eq(wait, 100);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), wait);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(wait)), 0);
}
END_TEST

START_TEST(a_letter_larger_than_the_rate_goes_in_the_end)
{
	struct pace p;
	int64_t wait;

	pace_init(&p, 0, 10, 1000, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1000, at_ms(0)), 0);
	wait = pace_take(&p, 5000, at_ms(0));
	ck_assert_int_eq(wait, 100000);
	ck_assert_int_eq(pace_take(&p, 5000, at_ms(wait)), 0);
}
END_TEST

SUITE_MAIN("pace", without_limits_nothing_waits,
	letters_are_counted_over_the_second, the_slower_limit_holds,
	what_waits_is_not_counted_and_the_wait_is_enough,
	a_letter_larger_than_the_rate_goes_in_the_end)
