/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money against a naive model: decimal texts as strings of digits, padded,
 * shifted and compared as text, and sums in 128 bits. N= cases (default
 * 300000) from SEED= (printed).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/money.h"
#include "base/rng.h"

#define TEXT_MAX 160
#define DIGITS_MAX 12000 /* of an exponent of four digits */

static struct ch_rng rng;
static uint64_t rounds = 300000;

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	int64_t value;

	if (text == NULL || *text == '\0' ||
		ch_view_int(ch_view_of(text), 0, INT64_MAX, &value) != 0)
		return otherwise;
	return (uint64_t)value;
}

/* ---- the model ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* '-'? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?, by hand. */
static bool
model_grammar(const char *s, bool exponent_allowed)
{
	if (*s == '-')
		s++;
	if (*s == '0' && is_digit(s[1]))
		return false;
	if (!is_digit(*s))
		return false;
	s += strspn(s, "0123456789");
	if (*s == '.') {
		s++;
		if (!is_digit(*s))
			return false;
		s += strspn(s, "0123456789");
	}
	if (exponent_allowed && (*s == 'e' || *s == 'E')) {
		s++;
		if (*s == '+' || *s == '-')
			s++;
		if (!is_digit(*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

/* All digits of the value times 10^scale as an integer's text without leading
 * zeros; *lost when a digit other than zero falls behind the point. */
static void
model_digits(const char *s, int scale, char digits[DIGITS_MAX], bool *lost)
{
	char all[TEXT_MAX];
	size_t n = 0;
	long point;
	long end;
	const char *e = strpbrk(s, "eE");
	size_t text_len = e != NULL ? (size_t)(e - s) : strlen(s);
	const char *dot = memchr(s, '.', text_len);

	for (size_t i = 0; i < text_len; i++) {
		if (is_digit(s[i]))
			all[n++] = s[i];
	}
	point = (long)n - (dot != NULL ? (long)(s + text_len - dot - 1) : 0);
	end = point + (e != NULL ? strtol(e + 1, NULL, 10) : 0) + scale;
	*lost = false;
	for (long i = end > 0 ? end : 0; i < (long)n; i++)
		*lost = *lost || all[i] != '0';
	if (end < 0)
		end = 0;
	for (long i = 0; i < end; i++)
		digits[i] = i < (long)n ? all[i] : '0';
	digits[end] = '\0';
	n = strspn(digits, "0");
	memmove(digits, digits + n, strlen(digits) - n + 1);
}

static enum ch_decimal_status
model_value(const char *digits, bool negative, int64_t *out)
{
	const char *limit =
		negative ? "9223372036854775808" : "9223372036854775807";
	size_t n = strlen(digits);
	int64_t value = 0;

	if (n > 19 || (n == 19 && strcmp(digits, limit) > 0))
		return CH_DECIMAL_OVERFLOW;
	for (size_t i = 0; i < n; i++)
		value = negative ? value * 10 - (digits[i] - '0')
				 : value * 10 + (digits[i] - '0');
	*out = value;
	return CH_DECIMAL_OK;
}

static enum ch_decimal_status
model_plain(const char *s, int scale, int64_t *out)
{
	char digits[DIGITS_MAX];
	const char *dot = strchr(s, '.');
	bool lost;

	if (strlen(s) > CH_DECIMAL_MAX || !model_grammar(s, false))
		return CH_DECIMAL_MALFORMED;
	if (dot != NULL && strlen(dot + 1) > (size_t)scale)
		return CH_DECIMAL_FRACTION;
	model_digits(s, scale, digits, &lost);
	return model_value(digits, *s == '-', out);
}

static enum ch_decimal_status
model_scaled(const char *s, int scale, int64_t *out)
{
	char digits[DIGITS_MAX];
	bool lost;

	if (!model_grammar(s, true))
		return CH_DECIMAL_MALFORMED;
	model_digits(s, scale, digits, &lost);
	if (lost)
		return CH_DECIMAL_FRACTION;
	return model_value(digits, *s == '-', out);
}

/* ---- random texts ---- */

static void
add_digits(char *s, size_t max)
{
	size_t n = ch_rng_below(&rng, max + 1);
	size_t at = strlen(s);

	/* often zeros, often near the ends of int64 */
	for (size_t i = 0; i < n; i++)
		s[at + i] = ch_rng_chance(&rng, 1, 3)
			? '0'
			: (char)('0' + ch_rng_below(&rng, 10));
	s[at + n] = '\0';
}

static void
random_decimal(char s[TEXT_MAX], bool exponent)
{
	static const char *const near_limit[] = {"9223372036854775807",
		"9223372036854775808", "9223372036854775809",
		"92233720368.54775807", "92233720368.54775808",
		"922337203685477580.7", "922337203685477580.8", "0", "1"};

	(void)snprintf(s, TEXT_MAX, "%s%s",
		ch_rng_chance(&rng, 1, 3) ? "-" : "",
		ch_rng_chance(&rng, 1, 4) ? near_limit[ch_rng_below(&rng, 9)]
					  : "");
	if (s[0] == '\0' || s[1] == '\0') {
		add_digits(s, ch_rng_chance(&rng, 1, 4) ? 45 : 12);
		if (ch_rng_chance(&rng, 2, 3)) {
			(void)snprintf(s + strlen(s), 2, ".");
			add_digits(s, ch_rng_chance(&rng, 1, 4) ? 40 : 9);
		}
	}
	if (exponent && ch_rng_chance(&rng, 1, 2))
		(void)snprintf(s + strlen(s), 8, "%c%s%d",
			ch_rng_chance(&rng, 1, 2) ? 'e' : 'E',
			ch_rng_chance(&rng, 1, 3) ? "+" : "",
			(int)ch_rng_below(&rng, 120) -
				(ch_rng_chance(&rng, 1, 2) ? 60 : 0));
}

static void
mutate(char s[TEXT_MAX])
{
	static const char bytes[] = "0123456789.-+eE, x";
	size_t n = strlen(s);
	size_t at = ch_rng_below(&rng, n + 1);
	char c = bytes[ch_rng_below(&rng, sizeof(bytes) - 1)];

	if (at < n && ch_rng_chance(&rng, 1, 2)) {
		s[at] = c;
	} else {
		memmove(s + at + 1, s + at, n - at + 1);
		s[at] = c;
	}
}

static void
next_text(char s[TEXT_MAX], bool exponent)
{
	random_decimal(s, exponent);
	while (ch_rng_chance(&rng, 1, 6))
		mutate(s);
	/* the model's strtol must not meet exponents of many digits */
	if (strpbrk(s, "eE") != NULL && strlen(strpbrk(s, "eE")) > 5)
		strpbrk(s, "eE")[5] = '\0';
	s[TEXT_MAX - 1] = '\0';
}

/* ---- properties ---- */

static void
must_agree(const char *s, int scale, enum ch_decimal_status got,
	int64_t got_value, enum ch_decimal_status want, int64_t want_value)
{
	ck_assert_msg(got == want &&
			(got != CH_DECIMAL_OK || got_value == want_value),
		"'%s' at scale %d: got %d %lld, the model says %d %lld", s,
		scale, (int)got, (long long)got_value, (int)want,
		(long long)want_value);
}

START_TEST(parsing_agrees_with_the_model)
{
	uint64_t seen[4] = {0};

	for (uint64_t i = 0; i < rounds; i++) {
		char s[TEXT_MAX];
		int scale = (int)ch_rng_below(&rng, CH_SCALE_MAX + 1);
		struct ch_amount a = {0};
		struct ch_qty q = {0};
		int64_t want = 0;
		enum ch_decimal_status status;
		enum ch_decimal_status got;

		next_text(s, false);
		status = model_plain(s, scale, &want);
		got = ch_amount_parse(ch_view_of(s), scale, &a);
		must_agree(s, scale, got, a.minor, status, want);
		seen[status]++;
		status = model_plain(s, 0, &want);
		got = ch_qty_parse(ch_view_of(s), &q);
		must_agree(s, 0, got, q.units, status, want);
	}
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_gt(seen[i], rounds / 100);
}
END_TEST

/* By 10^36 as text: longer, or as long and not below, is at the end. */
static __int128
model_wide(const char *s, int scale)
{
	char digits[DIGITS_MAX];
	__int128 value = 0;
	bool lost;

	model_digits(s, scale, digits, &lost);
	if (strlen(digits) > 36)
		(void)snprintf(digits, sizeof(digits), "1%036d", 0);
	for (const char *p = digits; *p != '\0'; p++)
		value = value * 10 + (*p - '0');
	return *s == '-' ? -value : value;
}

START_TEST(wide_amounts_agree_with_the_model)
{
	uint64_t beyond = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		char s[TEXT_MAX];
		int scale = (int)ch_rng_below(&rng, CH_SCALE_MAX + 1);
		ch_wide got = 4711;
		int64_t ignored = 0;
		enum ch_decimal_status want;

		next_text(s, false);
		want = model_plain(s, scale, &ignored);
		beyond += want == CH_DECIMAL_OVERFLOW;
		if (want == CH_DECIMAL_OVERFLOW)
			want = CH_DECIMAL_OK;
		ck_assert_int_eq(
			ch_amount_parse_wide(ch_view_of(s), scale, &got), want);
		ck_assert_msg(got ==
				(want == CH_DECIMAL_OK ? model_wide(s, scale)
						       : 4711),
			"'%s' at scale %d", s, scale);
	}
	ck_assert_uint_gt(beyond, rounds / 100);
}
END_TEST

START_TEST(exponents_agree_with_the_model)
{
	uint64_t seen[4] = {0};

	for (uint64_t i = 0; i < rounds; i++) {
		char s[TEXT_MAX];
		int scale = (int)ch_rng_below(&rng, CH_SCALE_MAX + 1);
		int64_t value = 0;
		int64_t want = 0;
		enum ch_decimal_status status;
		enum ch_decimal_status got;

		next_text(s, true);
		status = model_scaled(s, scale, &want);
		got = ch_decimal_scaled(ch_view_of(s), scale, &value);
		must_agree(s, scale, got, value, status, want);
		seen[status]++;
	}
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_gt(seen[i], rounds / 100);
}
END_TEST

START_TEST(check_agrees_with_the_model)
{
	for (uint64_t i = 0; i < rounds; i++) {
		char s[TEXT_MAX];
		int sign = 9;
		int digits = -1;
		bool want;

		next_text(s, false);
		want = strlen(s) <= CH_DECIMAL_MAX && model_grammar(s, false);
		ck_assert_msg(ch_decimal_check(ch_view_of(s), &sign, &digits) ==
				want,
			"'%s'", s);
		if (!want)
			continue;
		ck_assert_int_eq(sign,
			strpbrk(s, "123456789") == NULL ? 0
				: *s == '-'		? -1
							: 1);
		ck_assert_int_eq(digits,
			strchr(s, '.') != NULL ? (int)strlen(strchr(s, '.') + 1)
					       : 0);
	}
}
END_TEST

static int64_t
random_int64(void)
{
	static const int64_t ends[] = {
		0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
	uint64_t bits = ch_rng_next(&rng) >> ch_rng_below(&rng, 64);

	if (ch_rng_chance(&rng, 1, 4))
		return ends[ch_rng_below(&rng, 7)];
	return ch_rng_chance(&rng, 1, 2) ? (int64_t)bits : -(int64_t)(bits / 2);
}

/* The integer's digits, at least scale + 1, with a point put in. */
static void
model_format(int64_t minor, int scale, char out[64])
{
	char digits[64];
	int n = snprintf(digits, sizeof(digits), "%0*lld",
		scale + 1 + (minor < 0 ? 1 : 0), (long long)minor);

	(void)snprintf(out, 64, "%.*s%s%s", n - scale, digits,
		scale > 0 ? "." : "", digits + n - scale);
}

START_TEST(formatting_agrees_with_the_model_and_comes_back)
{
	for (uint64_t i = 0; i < rounds; i++) {
		struct ch_amount a = {random_int64()};
		struct ch_amount back = {0};
		int scale = (int)ch_rng_below(&rng, CH_SCALE_MAX + 1);
		char text[CH_AMOUNT_TEXT_MAX];
		char want[64];
		size_t n = ch_amount_format(a, scale, text);

		model_format(a.minor, scale, want);
		ck_assert_str_eq(text, want);
		ck_assert_uint_eq(n, strlen(text));
		ck_assert_int_eq(ch_amount_parse(ch_view_of(text), scale,
					 &back),
			CH_DECIMAL_OK);
		ck_assert_int_eq(back.minor, a.minor);
	}
}
END_TEST

static void
must_be_sum(bool ok, int64_t got, __int128 want, int64_t before)
{
	ck_assert_int_eq(ok, want >= INT64_MIN && want <= INT64_MAX);
	ck_assert_int_eq(got, ok ? (int64_t)want : before);
}

START_TEST(sums_agree_with_128_bits)
{
	for (uint64_t i = 0; i < rounds; i++) {
		int64_t x = random_int64();
		int64_t y = random_int64();
		struct ch_amount a = {4711};
		struct ch_qty q = {4711};
		bool ok;

		ok = ch_amount_add((struct ch_amount){x}, (struct ch_amount){y},
			&a);
		must_be_sum(ok, a.minor, (__int128)x + y, 4711);
		a.minor = 4711;
		ok = ch_amount_sub((struct ch_amount){x}, (struct ch_amount){y},
			&a);
		must_be_sum(ok, a.minor, (__int128)x - y, 4711);
		ok = ch_qty_add((struct ch_qty){x}, (struct ch_qty){y}, &q);
		must_be_sum(ok, q.units, (__int128)x + y, 4711);
		q.units = 4711;
		ok = ch_qty_sub((struct ch_qty){x}, (struct ch_qty){y}, &q);
		must_be_sum(ok, q.units, (__int128)x - y, 4711);
	}
}
END_TEST

int
main(void)
{
	uint64_t seed;
	Suite *suite = suite_create("money against a naive model");
	TCase *cases = tcase_create("money");
	SRunner *runner = srunner_create(suite);
	int failed;

	ch_rng_secure(&seed, sizeof(seed));
	seed = from_environment("SEED", seed >> 1);
	rounds = from_environment("N", rounds);
	printf("SEED=%llu N=%llu\n", (unsigned long long)seed,
		(unsigned long long)rounds);
	ch_rng_seed(&rng, seed);
	tcase_set_timeout(cases, 600);
	tcase_add_test(cases, parsing_agrees_with_the_model);
	tcase_add_test(cases, wide_amounts_agree_with_the_model);
	tcase_add_test(cases, exponents_agree_with_the_model);
	tcase_add_test(cases, check_agrees_with_the_model);
	tcase_add_test(cases, formatting_agrees_with_the_model_and_comes_back);
	tcase_add_test(cases, sums_agree_with_128_bits);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
