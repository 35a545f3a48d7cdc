/* SPDX-License-Identifier: Apache-2.0 */
#include "base/money.h"
#include "check_suite.h"

#define OK CH_DECIMAL_OK
#define MALFORMED CH_DECIMAL_MALFORMED
#define FRACTION CH_DECIMAL_FRACTION
#define TOO_LARGE CH_DECIMAL_OVERFLOW
#define FORTY "1234567890123456789012345678901234567890"

struct parse_case {
	const char *text;
	int scale;
	enum ch_decimal_status status;
	int64_t value;
};

static const struct parse_case plain[] = {{"0", 0, OK, 0}, {"-0", 0, OK, 0},
	{"0.00", 2, OK, 0}, {"-0.00", 2, OK, 0}, {"1", 0, OK, 1},
	{"12.5", 2, OK, 1250}, {"12.50", 2, OK, 1250}, {"-12.05", 2, OK, -1205},
	{"0.00000001", 8, OK, 1}, {"10", 8, OK, 1000000000},
	{"9223372036854775807", 0, OK, INT64_MAX},
	{"-9223372036854775808", 0, OK, INT64_MIN},
	{"92233720368.54775807", 8, OK, INT64_MAX},
	{"-92233720368.54775808", 8, OK, INT64_MIN},
	{"9223372036854775808", 0, TOO_LARGE, 0},
	{"-9223372036854775809", 0, TOO_LARGE, 0},
	{"92233720368.54775808", 8, TOO_LARGE, 0},
	{"-92233720368.54775809", 8, TOO_LARGE, 0},
	{"92233720369", 8, TOO_LARGE, 0},
	{"18446744073709551615", 0, TOO_LARGE, 0},
	{"18446744073709551616", 0, TOO_LARGE, 0},
	{"184467440737.09551617", 8, TOO_LARGE, 0}, {FORTY, 0, TOO_LARGE, 0},
	{"1.0", 0, FRACTION, 0}, {"12.500", 2, FRACTION, 0},
	{"0.000000001", 8, FRACTION, 0},
	{"99999999999999999999.123", 2, FRACTION, 0}, {"", 0, MALFORMED, 0},
	{"-", 0, MALFORMED, 0}, {".", 2, MALFORMED, 0}, {".5", 2, MALFORMED, 0},
	{"5.", 2, MALFORMED, 0}, {"+5", 2, MALFORMED, 0},
	{"00", 2, MALFORMED, 0}, {"01", 2, MALFORMED, 0},
	{"-01", 2, MALFORMED, 0}, {"00.1", 2, MALFORMED, 0},
	{"1.2.3", 2, MALFORMED, 0}, {"1e5", 2, MALFORMED, 0},
	{"1,5", 2, MALFORMED, 0}, {" 1", 2, MALFORMED, 0},
	{"1 ", 2, MALFORMED, 0}, {"--1", 2, MALFORMED, 0},
	{"1-", 2, MALFORMED, 0}, {"0x1", 2, MALFORMED, 0},
	{"NaN", 2, MALFORMED, 0}, {"Infinity", 2, MALFORMED, 0},
	{"1.-5", 2, MALFORMED, 0}, {"\xd9\xa1", 2, MALFORMED, 0},
	{FORTY "1", 0, MALFORMED, 0}};

START_TEST(decimal_text_is_read_exactly_or_refused)
{
	for (size_t i = 0; i < COUNT(plain); i++) {
		const struct parse_case *c = &plain[i];
		struct ch_amount a = {4711};
		enum ch_decimal_status status =
			ch_amount_parse(ch_view_of(c->text), c->scale, &a);

		ck_assert_msg(status == c->status, "'%s' at %d: %d", c->text,
			c->scale, (int)status);
		ck_assert_int_eq(a.minor, status == OK ? c->value : 4711);
	}
}
END_TEST

#define ZEROS36 "000000000000000000000000000000000000"
#define NINES36 "999999999999999999999999999999999999"

/* high * 10^18 + low: there are no literals this wide */
static const struct {
	const char *text;
	int scale;
	enum ch_decimal_status status;
	int64_t high;
	int64_t low;
} wide[] = {{"0", 8, OK, 0, 0}, {"-12.05", 2, OK, 0, -1205},
	{"9223372036854775808", 0, OK, 9, INT64_C(223372036854775808)},
	{"-9223372036854775808.01", 2, OK, -922, -INT64_C(337203685477580801)},
	{NINES36, 0, OK, INT64_C(999999999999999999),
		INT64_C(999999999999999999)},
	{"1" ZEROS36, 0, OK, INT64_C(1000000000000000000), 0},
	{"1" ZEROS36 ".01", 2, OK, INT64_C(1000000000000000000), 0},
	{"10000000000000000000000000000000000", 2, OK,
		INT64_C(1000000000000000000), 0},
	{"9999999999999999999999999999999999.98", 2, OK,
		INT64_C(999999999999999999), INT64_C(999999999999999998)},
	{FORTY, 8, OK, INT64_C(1000000000000000000), 0},
	{"-" NINES36 "9", 8, OK, -INT64_C(1000000000000000000), 0},
	{FORTY "1", 0, MALFORMED, 0, 0}, {"12.500", 2, FRACTION, 0, 0},
	{"99999999999999999999.123", 2, FRACTION, 0, 0}};

START_TEST(wide_amounts_are_exact_up_to_their_end_and_stay_there)
{
	for (size_t i = 0; i < COUNT(wide); i++) {
		ch_wide want =
			(ch_wide)wide[i].high * INT64_C(1000000000000000000) +
			wide[i].low;
		ch_wide got = 4711;

		ck_assert_int_eq(ch_amount_parse_wide(ch_view_of(wide[i].text),
					 wide[i].scale, &got),
			wide[i].status);
		ck_assert_msg(got == (wide[i].status == OK ? want : 4711),
			"'%s' at %d", wide[i].text, wide[i].scale);
	}
}
END_TEST

START_TEST(an_embedded_nul_is_no_digit)
{
	struct ch_amount a;

	ck_assert_int_eq(ch_amount_parse(CH_VIEW("1\0"), 2, &a), MALFORMED);
	ck_assert_int_eq(ch_amount_parse(CH_VIEW("\0001"), 2, &a), MALFORMED);
	ck_assert_int_eq(ch_amount_parse((struct ch_view){NULL, 0}, 2, &a),
		MALFORMED);
}
END_TEST

START_TEST(quantities_are_whole)
{
	struct ch_qty q = {0};

	ck_assert_int_eq(ch_qty_parse(CH_VIEW("-5"), &q), OK);
	ck_assert_int_eq(q.units, -5);
	ck_assert_int_eq(ch_qty_parse(CH_VIEW("5.0"), &q), FRACTION);
	ck_assert_int_eq(ch_qty_parse(CH_VIEW("5."), &q), MALFORMED);
	ck_assert_int_eq(ch_qty_parse(CH_VIEW("9223372036854775808"), &q),
		TOO_LARGE);
	ck_assert_int_eq(q.units, -5);
}
END_TEST

START_TEST(check_tells_sign_and_fraction_digits_of_any_size)
{
	static const struct {
		const char *text;
		bool ok;
		int sign;
		int digits;
	} cases[] = {{"0", true, 0, 0}, {"-0.000", true, 0, 3},
		{"-0.001", true, -1, 3}, {"1", true, 1, 0}, {FORTY, true, 1, 0},
		{"-1.10", true, -1, 2}, {"1e5", false, 0, 0}, {"", false, 0, 0},
		{"01", false, 0, 0}, {FORTY "0", false, 0, 0}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int sign = 9;
		int digits = 9;
		bool ok = ch_decimal_check(ch_view_of(cases[i].text), &sign,
			&digits);

		ck_assert_msg(ok == cases[i].ok, "'%s'", cases[i].text);
		ck_assert_int_eq(sign, ok ? cases[i].sign : 9);
		ck_assert_int_eq(digits, ok ? cases[i].digits : 9);
	}
}
END_TEST

static const struct parse_case scaled[] = {{"5e-05", 5, OK, 5},
	{"5e-05", 8, OK, 5000}, {"5e-05", 4, FRACTION, 0}, {"5E+2", 0, OK, 500},
	{"1.50", 1, OK, 15}, {"1.50", 0, FRACTION, 0},
	{"1.500000000000000000000000000000000000000000000000", 1, OK, 15},
	{"150e-1", 0, OK, 15}, {"150e-2", 1, OK, 15},
	{"150e-3", 1, FRACTION, 0}, {"-1.5e1", 0, OK, -15},
	{"0.000000000000000000000000000000000000000000000015e46", 0, FRACTION,
		0},
	{"0.000000000000000000000000000000000000000000000015e48", 0, OK, 15},
	{"0.000000000000000000000000000000000000000000000015e48", 2, OK, 1500},
	{"9223372036854775807", 0, OK, INT64_MAX},
	{"9223372036854775808", 0, TOO_LARGE, 0},
	{"-9223372036854775808", 0, OK, INT64_MIN},
	{"-9.223372036854775808e18", 0, OK, INT64_MIN},
	{"-9.223372036854775809e18", 0, TOO_LARGE, 0},
	{"9.223372036854775808e18", 0, TOO_LARGE, 0},
	{"922337203685477580.7e-7", 8, OK, INT64_MAX},
	{"1e18", 0, OK, INT64_C(1000000000000000000)},
	{"1e19", 0, TOO_LARGE, 0},
	{"1e10", 8, OK, INT64_C(1000000000000000000)},
	{"1e11", 8, TOO_LARGE, 0}, {"1e999999999", 8, TOO_LARGE, 0},
	{"1e-999999999", 8, FRACTION, 0}, {"0e999999999", 8, OK, 0},
	{"-0.000e-999999999", 8, OK, 0},
	{"1e99999999999999999999999999999999999999", 0, TOO_LARGE, 0},
	{"1e-99999999999999999999999999999999999999", 0, FRACTION, 0},
	{"0e99999999999999999999999999999999999999", 0, OK, 0},
	{"1e-0000000000000000000000000000000000000000000001", 1, OK, 1},
	{"1.e5", 0, MALFORMED, 0}, {"1e", 0, MALFORMED, 0},
	{"1e+", 0, MALFORMED, 0}, {"e5", 0, MALFORMED, 0},
	{"1e5.0", 0, MALFORMED, 0}, {"1e5e5", 0, MALFORMED, 0},
	{"01e5", 0, MALFORMED, 0}, {"+1e5", 0, MALFORMED, 0},
	{"", 0, MALFORMED, 0}, {"-", 0, MALFORMED, 0},
	{"1e--5", 0, MALFORMED, 0}, {"1 e5", 0, MALFORMED, 0},
	{"1f5", 0, MALFORMED, 0}, {"1e5 ", 0, MALFORMED, 0}};

START_TEST(exponents_are_exact)
{
	for (size_t i = 0; i < COUNT(scaled); i++) {
		const struct parse_case *c = &scaled[i];
		int64_t value = 4711;
		enum ch_decimal_status status =
			ch_decimal_scaled(ch_view_of(c->text), c->scale,
				&value);

		ck_assert_msg(status == c->status, "'%s' at %d: %d", c->text,
			c->scale, (int)status);
		ck_assert_int_eq(value, status == OK ? c->value : 4711);
	}
}
END_TEST

START_TEST(a_very_long_number_is_read_by_its_value)
{
	static char text[200000];
	struct ch_view v = {text, sizeof(text)};
	int64_t value = 0;

	memset(text, '0', sizeof(text));
	text[1] = '.';
	ck_assert_int_eq(ch_decimal_scaled(v, 8, &value), OK);
	ck_assert_int_eq(value, 0);
	text[sizeof(text) - 1] = '1';
	ck_assert_int_eq(ch_decimal_scaled(v, 8, &value), FRACTION);
	memcpy(text + sizeof(text) - 8, "1e199990", 8);
	ck_assert_int_eq(ch_decimal_scaled(v, 8, &value), OK);
	ck_assert_int_eq(value, 10000000);
	memset(text, '9', sizeof(text));
	ck_assert_int_eq(ch_decimal_scaled(v, 0, &value), TOO_LARGE);
}
END_TEST

START_TEST(amounts_print_with_all_digits_of_their_scale)
{
	static const struct {
		int64_t minor;
		int scale;
		const char *text;
	} cases[] = {{0, 0, "0"}, {0, 2, "0.00"}, {0, 8, "0.00000000"},
		{1250, 2, "12.50"}, {-5, 2, "-0.05"}, {5, 0, "5"},
		{-100, 2, "-1.00"}, {1, 8, "0.00000001"},
		{INT64_MAX, 0, "9223372036854775807"},
		{INT64_MIN, 0, "-9223372036854775808"},
		{INT64_MAX, 8, "92233720368.54775807"},
		{INT64_MIN, 8, "-92233720368.54775808"},
		{INT64_MIN, 1, "-922337203685477580.8"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_amount a = {cases[i].minor};
		struct ch_amount back = {0};
		char text[CH_AMOUNT_TEXT_MAX];
		size_t n = ch_amount_format(a, cases[i].scale, text);

		ck_assert_str_eq(text, cases[i].text);
		ck_assert_uint_eq(n, strlen(text));
		ck_assert_int_eq(ch_amount_parse(ch_view_of(text),
					 cases[i].scale, &back),
			OK);
		ck_assert_int_eq(back.minor, a.minor);
	}
}
END_TEST

START_TEST(quantities_print_as_integers)
{
	char text[CH_AMOUNT_TEXT_MAX];

	ck_assert_uint_eq(ch_qty_format((struct ch_qty){INT64_MIN}, text), 20);
	ck_assert_str_eq(text, "-9223372036854775808");
}
END_TEST

START_TEST(sums_that_overflow_by_one_are_refused_and_change_nothing)
{
	struct ch_amount a = {4711};
	struct ch_qty q = {4711};

	ck_assert(!ch_amount_add((struct ch_amount){INT64_MAX},
		(struct ch_amount){1}, &a));
	ck_assert(!ch_amount_sub((struct ch_amount){INT64_MIN},
		(struct ch_amount){1}, &a));
	ck_assert(!ch_amount_sub((struct ch_amount){0},
		(struct ch_amount){INT64_MIN}, &a));
	ck_assert(!ch_qty_add((struct ch_qty){INT64_MIN}, (struct ch_qty){-1},
		&q));
	ck_assert(!ch_qty_sub((struct ch_qty){INT64_MAX}, (struct ch_qty){-1},
		&q));
	ck_assert_int_eq(a.minor, 4711);
	ck_assert_int_eq(q.units, 4711);
}
END_TEST

START_TEST(sums_up_to_the_limits_are_exact)
{
	struct ch_amount a = {INT64_MAX - 1};
	struct ch_qty q = {INT64_MIN + 1};

	ck_assert(ch_amount_add(a, (struct ch_amount){1}, &a));
	ck_assert_int_eq(a.minor, INT64_MAX);
	ck_assert(ch_amount_sub(a, a, &a));
	ck_assert_int_eq(a.minor, 0);
	ck_assert(ch_qty_sub(q, (struct ch_qty){1}, &q));
	ck_assert_int_eq(q.units, INT64_MIN);
	ck_assert(ch_qty_add(q, (struct ch_qty){INT64_MAX}, &q));
	ck_assert_int_eq(q.units, -1);
}
END_TEST

SUITE_MAIN("money", decimal_text_is_read_exactly_or_refused,
	wide_amounts_are_exact_up_to_their_end_and_stay_there,
	an_embedded_nul_is_no_digit, quantities_are_whole,
	check_tells_sign_and_fraction_digits_of_any_size, exponents_are_exact,
	a_very_long_number_is_read_by_its_value,
	amounts_print_with_all_digits_of_their_scale,
	quantities_print_as_integers,
	sums_that_overflow_by_one_are_refused_and_change_nothing,
	sums_up_to_the_limits_are_exact)
