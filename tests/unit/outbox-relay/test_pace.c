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

	pace_init(&p, 0, 0, at_ms(0));
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(pace_take(&p, 1 << 20, at_ms(0)), 0);
}
END_TEST

START_TEST(letters_are_counted_over_the_second)
{
	struct pace p;
	int sent = 0;

	pace_init(&p, 50, 0, at_ms(0));
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

	pace_init(&p, 1000, 100, at_ms(0));
	for (int64_t ms = 0; ms < 1000; ms++)
		while (pace_take(&p, 50, at_ms(ms)) == 0)
			sent++;
	ck_assert_int_eq(sent, 3); /* one at once, 100 bytes a second */
}
END_TEST

START_TEST(what_waits_is_not_counted_and_the_wait_is_enough)
{
	struct pace p;
	int64_t wait;

	pace_init(&p, 10, 0, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 0);
	wait = pace_take(&p, 1, at_ms(0));
	ck_assert_int_eq(wait, 100);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), wait);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(wait)), 0);
}
END_TEST

START_TEST(what_follows_a_large_letter_waits_for_it)
{
	struct pace p;
	int64_t wait;

	pace_init(&p, 0, 10, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1000, at_ms(0)), 0);
	wait = pace_take(&p, 1, at_ms(0));
	ck_assert_int_eq(wait, 100000 - 100);
	ck_assert_int_gt(pace_take(&p, 1, at_ms(wait - 1)), 0);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(wait)), 0);
}
END_TEST

/* Also from the start: a run that is stopped and resumed again and again. */
START_TEST(bytes_keep_to_the_rate_from_the_first_second)
{
	struct pace p;
	int64_t sent = 0;

	pace_init(&p, 0, 10000, at_ms(0));
	for (int64_t ms = 0; ms < 5000; ms++)
		while (pace_take(&p, 500, at_ms(ms)) == 0)
			sent += 500;
	ck_assert_int_ge(sent, 50000);
	ck_assert_int_le(sent, 50000 + 1000 + 500);
}
END_TEST

START_TEST(what_went_before_counts)
{
	struct pace p;

	pace_init(&p, 0, 10, at_ms(0));
	pace_went(&p, 0, 1000, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 100000);
	pace_init(&p, 0, 10, at_ms(0));
	pace_went(&p, 99000, 1000, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 1000);
	/* an hour ago: as if nothing had been, and no more than that */
	pace_init(&p, 0, 10, at_ms(0));
	pace_went(&p, 3600000, 1000, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1000, at_ms(0)), 0);
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 100000 - 100);
	/* the later of two counts */
	pace_init(&p, 0, 10, at_ms(0));
	pace_went(&p, 99000, 1000, at_ms(0));
	pace_went(&p, 500, 10, at_ms(0));
	ck_assert_int_eq(pace_take(&p, 1, at_ms(0)), 1000);
}
END_TEST

START_TEST(runs_that_follow_each_other_keep_to_the_letters_rate)
{
	struct pace p;
	int sent = 0;
	int64_t last = 0;

	/* another process every 30 ms, of what may send 5 at once */
	for (int64_t ms = 0; ms < 10000; ms++) {
		if (ms % 30 == 0) {
			pace_init(&p, 50, 1000000, at_ms(ms));
			if (ms > 0)
				pace_went(&p, ms - last, 1, at_ms(ms));
		}
		for (; pace_take(&p, 1, at_ms(ms)) == 0; sent++)
			last = ms;
	}
	ck_assert_int_le(sent, 505);
	ck_assert_int_ge(sent, 250); /* a part of a letter's time is lost */
}
END_TEST

SUITE_MAIN("pace", without_limits_nothing_waits,
	letters_are_counted_over_the_second, the_slower_limit_holds,
	what_waits_is_not_counted_and_the_wait_is_enough,
	what_follows_a_large_letter_waits_for_it,
	bytes_keep_to_the_rate_from_the_first_second, what_went_before_counts,
	runs_that_follow_each_other_keep_to_the_letters_rate)
