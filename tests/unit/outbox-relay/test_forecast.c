/* SPDX-License-Identifier: Apache-2.0 */
/* forecast: how far, how fast, how long still. */
#include <stdio.h>

#include "check_suite.h"

#include "forecast.h"

static struct forecast f;

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){ms * 1000000};
}

/* What is said, or "" */
static const char *
due_at(int64_t ms)
{
	static char text[128];
	struct ch_buf b = CH_BUF_INIT;

	(void)forecast_due(&f, at_ms(ms), &b);
	(void)snprintf(text, sizeof(text), "%s", ch_buf_str(&b));
	ch_buf_free(&b);
	return text;
}

START_TEST(short_work_says_nothing)
{
	forecast_init(&f, 0, 10, at_ms(0));
	f.done = 10;
	ck_assert_str_eq(due_at(1999), "");
	ck_assert_str_eq(due_at(2000),
		""); /* the end is said by whoever ends */
}
END_TEST

START_TEST(rate_and_time_left_follow_what_was_done)
{
	forecast_init(&f, 1000, 50000, at_ms(0));
	f.done = 1680;
	ck_assert_str_eq(due_at(2000), "1680 of 50000, 340/s, 2m 23s left");
	ck_assert_str_eq(due_at(3999), "");
}
END_TEST

START_TEST(a_rate_below_one_is_not_nothing)
{
	forecast_init(&f, 0, 7200, at_ms(0));
	f.done = 1;
	ck_assert_str_eq(due_at(2000), "1 of 7200, 0.5/s, 3h 59m left");
}
END_TEST

START_TEST(what_stands_still_has_no_end)
{
	forecast_init(&f, 0, 5, at_ms(0));
	ck_assert_str_eq(due_at(2000), "0 of 5, 0.0/s");
}
END_TEST

START_TEST(the_end_counts_what_was_done_now)
{
	struct ch_buf b = CH_BUF_INIT;

	forecast_init(&f, 100, 300, at_ms(0));
	f.done = 300;
	forecast_end(&f, at_ms(4000), &b);
	ck_assert_str_eq(ch_buf_str(&b), "300 of 300, 50/s, in 4s");
	ch_buf_free(&b);
}
END_TEST

SUITE_MAIN("forecast", short_work_says_nothing,
	rate_and_time_left_follow_what_was_done,
	a_rate_below_one_is_not_nothing, what_stands_still_has_no_end,
	the_end_counts_what_was_done_now)
