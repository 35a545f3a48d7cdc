/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_decimal: see model_decimal.h.
 */
#include "model_decimal.h"

#include <stdlib.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* digits ('.' digits)? up to the end; how many digits, and how many of them
 * stand behind the point. */
static bool
plain_digits(const char *p, int *digits, int *fraction, bool *zero)
{
	*digits = *fraction = 0;
	*zero = true;
	if (p[0] == '0' && is_digit(p[1]))
		return false;
	for (; is_digit(*p); p++, (*digits)++)
		*zero = *zero && *p == '0';
	if (*digits == 0)
		return false;
	if (*p == '.') {
		for (p++; is_digit(*p); p++, (*digits)++, (*fraction)++)
			*zero = *zero && *p == '0';
		if (*fraction == 0)
			return false;
	}
	return *p == '\0';
}

bool
model_decimal_ok(const char *s, int *sign, int *fraction)
{
	bool minus = *s == '-';
	bool zero;
	int digits;

	if (strlen(s) > 40 ||
		!plain_digits(s + (minus ? 1 : 0), &digits, fraction, &zero))
		return false;
	*sign = zero ? 0 : minus ? -1 : 1;
	return true;
}

bool
model_figure_ok(const char *s)
{
	int digits, fraction;
	bool zero;

	return plain_digits(s, &digits, &fraction, &zero) && digits <= 80;
}

/* A digit behind the point, 0 behind the end. */
static char
digit_at(const char *s, size_t at)
{
	return at < strlen(s) ? s[at] : '0';
}

bool
model_figures_same(const char *a, const char *b)
{
	size_t whole = strcspn(a, ".");
	size_t most = strlen(a) > strlen(b) ? strlen(a) : strlen(b);

	if (whole != strcspn(b, ".") || strncmp(a, b, whole) != 0)
		return false;
	for (size_t i = whole + 1; i < most; i++)
		if (digit_at(a, i) != digit_at(b, i))
			return false;
	return true;
}

big
model_decimal_value(const char *s, int scale)
{
	big v = 0;
	big most = 1;
	bool minus = *s == '-';
	int fraction = -1;

	for (int i = 0; i < 36; i++)
		most *= 10;
	for (s += minus ? 1 : 0; *s != '\0'; s++) {
		if (*s == '.') {
			fraction = 0;
			continue;
		}
		v = v * 10 + (*s - '0');
		fraction += fraction >= 0;
		if (v > most)
			v = most;
	}
	for (int i = fraction < 0 ? 0 : fraction; i < scale; i++) {
		v *= 10;
		if (v > most)
			v = most;
	}
	return minus ? -v : v;
}

void
model_decimal_print(char *out, size_t size, int64_t value, int scale)
{
	big v = value < 0 ? -(big)value : value;
	char digits[48];
	int n = 0;

	for (int place = 0; place <= scale || v > 0; place++, v /= 10) {
		if (place == scale && scale > 0)
			digits[n++] = '.';
		digits[n++] = (char)('0' + (int)(v % 10));
	}
	if (value < 0)
		digits[n++] = '-';
	if ((size_t)n + 1 > size)
		abort();
	for (int i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	out[n] = '\0';
}
