/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decimal: see decimal.h.
 *
 * A number is its digits without zeros at either end, and the place of the
 * point counted from the first of them: value = 0.DIGITS * 10^point. Both come
 * straight from the text, so the form is exact and unique. Whatever would not
 * fit the output is refused before anything is written.
 */
#include "decimal.h"

/* Exponents are cut here: far over what any output can hold, far under what
 * sums of int64 could overflow. */
#define EXPONENT_LIMIT 1000000

struct number {
	struct ch_view whole;
	struct ch_view fraction;
	int64_t exponent;
	bool has_exponent;
};

static struct ch_view
take_digits(struct ch_view *rest)
{
	struct ch_view digits = {rest->ptr, 0};

	while (rest->len > 0 && *rest->ptr >= '0' && *rest->ptr <= '9') {
		rest->ptr++;
		rest->len--;
		digits.len++;
	}
	return digits;
}

static bool
take_byte(struct ch_view *rest, char c)
{
	if (rest->len == 0 || *rest->ptr != c)
		return false;
	rest->ptr++;
	rest->len--;
	return true;
}

static bool
take_exponent(struct ch_view *rest, struct number *n)
{
	struct ch_view digits;
	bool negative;

	n->has_exponent = take_byte(rest, 'e') || take_byte(rest, 'E');
	if (!n->has_exponent)
		return true;
	negative = take_byte(rest, '-');
	if (!negative)
		(void)take_byte(rest, '+');
	digits = take_digits(rest);
	for (size_t i = 0; i < digits.len; i++) {
		if (n->exponent < EXPONENT_LIMIT)
			n->exponent = n->exponent * 10 + (digits.ptr[i] - '0');
	}
	if (negative)
		n->exponent = -n->exponent;
	return digits.len > 0;
}

static bool
read_number(struct ch_view text, struct number *n)
{
	*n = (struct number){.exponent = 0};
	n->whole = take_digits(&text);
	if (n->whole.len == 0 || (n->whole.len > 1 && n->whole.ptr[0] == '0'))
		return false;
	if (take_byte(&text, '.')) {
		n->fraction = take_digits(&text);
		if (n->fraction.len == 0)
			return false;
	}
	return take_exponent(&text, n) && text.len == 0;
}

/* The i-th digit of whole and fraction as one row. */
static char
digit_at(const struct number *n, size_t i)
{
	return i < n->whole.len ? n->whole.ptr[i]
				: n->fraction.ptr[i - n->whole.len];
}

static size_t
write_zeros(char *out, size_t at, int64_t count)
{
	for (; count > 0; count--)
		out[at++] = '0';
	return at;
}

/* Digits [first, last) with the point before digit number `point`. */
static void
write_plain(const struct number *n, size_t first, size_t last, int64_t point,
	char *out)
{
	int64_t digits = (int64_t)(last - first);
	size_t at = 0;

	if (point <= 0) {
		out[at++] = '0';
		out[at++] = '.';
		at = write_zeros(out, at, -point);
	}
	for (int64_t i = 0; i < digits; i++) {
		if (i == point && i > 0)
			out[at++] = '.';
		out[at++] = digit_at(n, first + (size_t)i);
	}
	at = write_zeros(out, at, point - digits);
	out[at] = '\0';
}

static int64_t
plain_length(int64_t digits, int64_t point)
{
	if (point <= 0)
		return 2 - point + digits;
	return point >= digits ? point : digits + 1;
}

static bool
shorten(const struct number *n, char out[DECIMAL_TEXT_MAX])
{
	size_t first = 0;
	size_t last = n->whole.len + n->fraction.len;
	int64_t point;

	while (first < last && digit_at(n, first) == '0')
		first++;
	while (last > first && digit_at(n, last - 1) == '0')
		last--;
	if (first == last) {
		out[0] = '0';
		out[1] = '\0';
		return true;
	}
	point = (int64_t)n->whole.len - (int64_t)first + n->exponent;
	if (plain_length((int64_t)(last - first), point) >= DECIMAL_TEXT_MAX)
		return false;
	write_plain(n, first, last, point, out);
	return true;
}

bool
decimal_shortest(struct ch_view text, char out[DECIMAL_TEXT_MAX])
{
	struct number n;

	return read_number(text, &n) && shorten(&n, out);
}

bool
decimal_plain(struct ch_view text, char out[DECIMAL_TEXT_MAX])
{
	struct number n;

	if (!read_number(text, &n))
		return false;
	if (n.has_exponent)
		return shorten(&n, out);
	return ch_view_copy(text, out, DECIMAL_TEXT_MAX) == 0;
}

bool
decimal_is_up_to_one(const char *shortest)
{
	return shortest[0] == '0' || strcmp(shortest, "1") == 0;
}
