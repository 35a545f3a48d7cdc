/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "check_suite.h"

static const struct {
	int64_t us;
	const char *text;
} known[] = {{0, "1970-01-01T00:00:00.000000Z"},
	{1, "1970-01-01T00:00:00.000001Z"},
	{951782399999999, "2000-02-28T23:59:59.999999Z"},
	{951782400000000, "2000-02-29T00:00:00.000000Z"},
	{951868800000000, "2000-03-01T00:00:00.000000Z"},
	{1709164800000000, "2024-02-29T00:00:00.000000Z"},
	{1795254062123456, "2026-11-21T09:41:02.123456Z"},
	{4107542400000000, "2100-03-01T00:00:00.000000Z"},
	{4107542399999999, "2100-02-28T23:59:59.999999Z"},
	{253402300799999999, "9999-12-31T23:59:59.999999Z"}};

START_TEST(known_times_are_printed_and_read_back)
{
	for (size_t i = 0; i < COUNT(known); i++) {
		char text[CH_TIME_TEXT_MAX];
		struct ch_time t = {known[i].us};
		size_t n = ch_time_format(t, text);

		ck_assert_str_eq(text, known[i].text);
		ck_assert_uint_eq(n, strlen(text));
		t.us = -1;
		ck_assert(ch_time_parse(ch_view_of(text), &t));
		ck_assert_int_eq(t.us, known[i].us);
	}
}
END_TEST

START_TEST(each_day_until_the_year_9999_comes_back)
{
	for (int64_t day = 0; day < 2932897; day++) {
		char text[CH_TIME_TEXT_MAX];
		struct ch_time t = {day * 86400000000 + day};
		struct ch_time back;
		size_t n = ch_time_format(t, text);

		if (!ch_time_parse((struct ch_view){text, n}, &back) ||
			back.us != t.us || ch_time_day(t) != day)
			ck_abort_msg("day %ld printed as %s", (long)day, text);
	}
}
END_TEST

START_TEST(times_that_have_no_such_text_print_as_the_nearest)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {{-1, "1969-12-31T23:59:59.999999Z"},
		{-62167219200000000, "0000-01-01T00:00:00.000000Z"},
		{INT64_MIN, "0000-01-01T00:00:00.000000Z"},
		{253402300800000000, "9999-12-31T23:59:59.999999Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999999Z"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[CH_TIME_TEXT_MAX];

		(void)ch_time_format((struct ch_time){cases[i].us}, text);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(zero_to_six_fraction_digits_are_read)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {{"1970-01-01T00:00:01Z", 1000000},
		{"1970-01-01T00:00:01.5Z", 1500000},
		{"1970-01-01T00:00:01.05Z", 1050000},
		{"1970-01-01T00:00:01.005Z", 1005000},
		{"1970-01-01T00:00:01.0005Z", 1000500},
		{"1970-01-01T00:00:01.00005Z", 1000050},
		{"1970-01-01T00:00:01.000005Z", 1000005}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_time t;

		ck_assert(ch_time_parse(ch_view_of(cases[i].text), &t));
		ck_assert_int_eq(t.us, cases[i].us);
	}
}
END_TEST

START_TEST(other_texts_are_refused_and_change_nothing)
{
	static const char *const cases[] = {"", "Z", "2026-11-21",
		"2026-11-21T09:41:02", "2026-11-21T09:41:02.Z",
		"2026-11-21T09:41:02.1234567Z", "2026-11-21t09:41:02Z",
		"2026-11-21T09:41:02z", "2026-11-21 09:41:02Z",
		"2026-11-21T09:41:02+00:00", "2026-11-21T09:41:02,5Z",
		"2026-11-21T09:41Z", "2026-11-21T24:00:00Z",
		"2026-11-21T23:60:00Z", "2016-12-31T23:59:60Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
		"2026-04-31T00:00:00Z", "2023-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "1969-12-31T23:59:59Z",
		"10000-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
		"+026-01-01T00:00:00Z", "2026-11-21T09:41:02Z ",
		" 2026-11-21T09:41:02Z", "2026-11-21T09:41:0-Z",
		"2026/11/21T09:41:02Z", "2026-11-21T09.41.02Z"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_time t = {42};

		ck_assert_msg(!ch_time_parse(ch_view_of(cases[i]), &t), "%s",
			cases[i]);
		ck_assert_int_eq(t.us, 42);
	}
	ck_assert(!ch_time_parse((struct ch_view){NULL, 0},
		&(struct ch_time){0}));
}
END_TEST

START_TEST(a_day_is_rounded_down_before_1970_too)
{
	ck_assert_int_eq(ch_time_day((struct ch_time){0}), 0);
	ck_assert_int_eq(ch_time_day((struct ch_time){86399999999}), 0);
	ck_assert_int_eq(ch_time_day((struct ch_time){86400000000}), 1);
	ck_assert_int_eq(ch_time_day((struct ch_time){-1}), -1);
	ck_assert_int_eq(ch_time_day((struct ch_time){-86400000000}), -1);
	ck_assert_int_eq(ch_time_day((struct ch_time){-86400000001}), -2);
}
END_TEST

START_TEST(postgres_counts_from_2000_and_keeps_its_infinities)
{
	struct ch_time y2000;

	ck_assert(ch_time_parse(CH_VIEW("2000-01-01T00:00:00Z"), &y2000));
	ck_assert_int_eq(ch_time_to_pg(y2000), 0);
	ck_assert_int_eq(ch_time_from_pg(0).us, y2000.us);
	ck_assert_int_eq(ch_time_from_pg(-1).us, y2000.us - 1);
	ck_assert_int_eq(ch_time_from_pg(INT64_MAX).us, INT64_MAX);
	ck_assert_int_eq(ch_time_from_pg(INT64_MIN).us, INT64_MIN);
	ck_assert_int_eq(ch_time_to_pg((struct ch_time){INT64_MAX}), INT64_MAX);
	ck_assert_int_eq(ch_time_to_pg((struct ch_time){INT64_MIN}), INT64_MIN);
}
END_TEST

START_TEST(a_fake_clock_moves_by_hand_only)
{
	struct ch_clock_fake fake = {{1000}, {5}};
	struct ch_clock c = ch_clock_of_fake(&fake);

	ck_assert_int_eq(ch_clock_wall(&c).us, 1000);
	ck_assert_int_eq(ch_clock_mono(&c).ns, 5);
	ch_clock_fake_advance(&fake, 7);
	ck_assert_int_eq(ch_clock_wall(&c).us, 1007);
	ck_assert_int_eq(ch_clock_mono(&c).ns, 7005);
}
END_TEST

START_TEST(the_real_clock_never_goes_back)
{
	struct ch_mono before = ch_clock_mono(&ch_clock_real);
	struct ch_time wall = ch_clock_wall(&ch_clock_real);

	ck_assert_int_gt(wall.us, known[6].us - INT64_C(86400000000));
	for (int i = 0; i < 1000; i++) {
		struct ch_mono now = ch_clock_mono(&ch_clock_real);

		ck_assert_int_ge(now.ns, before.ns);
		before = now;
	}
}
END_TEST

START_TEST(milliseconds_are_cut_and_negative_before_a_deadline)
{
	struct ch_mono a = {1999999};
	struct ch_mono b = {0};

	ck_assert_int_eq(ch_mono_ms_since(a, b), 1);
	ck_assert_int_eq(ch_mono_ms_since(b, a), -1);
	ck_assert_int_eq(ch_mono_ms_since(a, a), 0);
}
END_TEST

SUITE_MAIN("clock", known_times_are_printed_and_read_back,
	each_day_until_the_year_9999_comes_back,
	times_that_have_no_such_text_print_as_the_nearest,
	zero_to_six_fraction_digits_are_read,
	other_texts_are_refused_and_change_nothing,
	a_day_is_rounded_down_before_1970_too,
	postgres_counts_from_2000_and_keeps_its_infinities,
	a_fake_clock_moves_by_hand_only, the_real_clock_never_goes_back,
	milliseconds_are_cut_and_negative_before_a_deadline)
