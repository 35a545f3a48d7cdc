/* SPDX-License-Identifier: Apache-2.0 */
#include "decimal.h"
#include "suite.h"

START_TEST(each_number_has_one_shortest_text)
{
	static const struct {
		const char *in;
		const char *shortest;
		const char *plain;
	} cases[] = {
		{"0", "0", "0"},
		{"0.0", "0", "0.0"},
		{"0e9", "0", "0"},
		{"0.000e-400000000000", "0", "0"},
		{"1", "1", "1"},
		{"1.0", "1", "1.0"},
		{"10", "10", "10"},
		{"1e1", "10", "10"},
		{"100e-2", "1", "1"},
		{"0.5", "0.5", "0.5"},
		{"0.50", "0.5", "0.50"},
		{"5e-1", "0.5", "0.5"},
		{"5E-1", "0.5", "0.5"},
		{"50e-2", "0.5", "0.5"},
		{"5e-05", "0.00005", "0.00005"},
		{"1e+3", "1000", "1000"},
		{"12.5e1", "125", "125"},
		{"12.5e3", "12500", "12500"},
		{"0.012e1", "0.12", "0.12"},
		{"0.9597472099", "0.9597472099", "0.9597472099"},
		{"1030.92", "1030.92", "1030.92"},
		{"9007199254740993", "9007199254740993", "9007199254740993"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[DECIMAL_TEXT_MAX];
		struct ch_view v = ch_view_of(cases[i].in);

		ck_assert_msg(decimal_shortest(v, out), "%s", cases[i].in);
		ck_assert_str_eq(out, cases[i].shortest);
		ck_assert(decimal_plain(v, out));
		ck_assert_str_eq(out, cases[i].plain);
	}
}
END_TEST

START_TEST(what_is_no_such_number_is_refused)
{
	static const char *const cases[] = {"", "-", "-1", "-0", "+1", "01",
		"00", ".5", "1.", "1e", "1e+", "e1", "1.2.3", "0x1", "NaN",
		"Infinity", "1 ", " 1", "1,5", "1e1.5", "1e400", "1e-400",
		"1e1000000000000000000000000", "1_000",
		"12345678901234567890123456789012345678901"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[DECIMAL_TEXT_MAX];

		ck_assert_msg(!decimal_shortest(ch_view_of(cases[i]), out),
			"%s", cases[i]);
		ck_assert_msg(!decimal_plain(ch_view_of(cases[i]), out), "%s",
			cases[i]);
	}
}
END_TEST

START_TEST(forty_characters_fit_and_forty_one_do_not)
{
	char out[DECIMAL_TEXT_MAX];

	ck_assert(decimal_shortest(ch_view_of("1e39"), out));
	ck_assert_uint_eq(strlen(out), 40);
	ck_assert(!decimal_shortest(ch_view_of("1e40"), out));
	ck_assert(decimal_shortest(ch_view_of("1e-38"), out));
	ck_assert_uint_eq(strlen(out), 40);
	ck_assert(!decimal_shortest(ch_view_of("1e-39"), out));
}
END_TEST

/* A number written at random in two ways must come out the same. */
START_TEST(any_two_spellings_of_a_number_agree)
{
	struct ch_rng rng;

	ch_rng_seed(&rng, suite_seed());
	for (int i = 0; i < 20000; i++) {
		uint64_t digits = ch_rng_below(&rng, 1000000000);
		int shift = (int)ch_rng_below(&rng, 19) - 9;
		int zeros = (int)ch_rng_below(&rng, 4);
		char a[64];
		char b[64];
		char out_a[DECIMAL_TEXT_MAX];
		char out_b[DECIMAL_TEXT_MAX];

		snprintf(a, sizeof(a), "%llue%d", (unsigned long long)digits,
			shift);
		snprintf(b, sizeof(b), "%llu.%0*de%+d",
			(unsigned long long)digits, zeros + 1, 0, shift);
		ck_assert(decimal_shortest(ch_view_of(a), out_a));
		ck_assert(decimal_shortest(ch_view_of(b), out_b));
		ck_assert_str_eq(out_a, out_b);
		ck_assert(decimal_shortest(ch_view_of(out_a), out_b));
		ck_assert_str_eq(out_a, out_b);
	}
}
END_TEST

START_TEST(one_and_its_fractions_are_up_to_one)
{
	ck_assert(decimal_is_up_to_one("0"));
	ck_assert(decimal_is_up_to_one("1"));
	ck_assert(decimal_is_up_to_one("0.9999999999"));
	ck_assert(!decimal_is_up_to_one("1.0000000001"));
	ck_assert(!decimal_is_up_to_one("10"));
	ck_assert(!decimal_is_up_to_one("2"));
}
END_TEST

SUITE_MAIN("decimal", each_number_has_one_shortest_text,
	what_is_no_such_number_is_refused,
	forty_characters_fit_and_forty_one_do_not,
	any_two_spellings_of_a_number_agree,
	one_and_its_fractions_are_up_to_one)
