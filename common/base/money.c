/* SPDX-License-Identifier: Apache-2.0 */
/*
 * money: see money.h.
 *
 * All readers work on digits and uint64; a value that does not fit is found by
 * a comparison before the step that would lose it. The order of findings is
 * fixed (malformed, then fraction, then overflow), so that the same text gets
 * the same refusal everywhere.
 */
#include "money.h"

#include <assert.h>

/* |INT64_MIN|: the largest magnitude, for negative values only. */
#define MAGNITUDE_MAX ((uint64_t)INT64_MAX + 1)

static const uint64_t power_of_ten[] = {UINT64_C(1), UINT64_C(10),
	UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
	UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000)};

/* 10^36, see ch_amount_parse_wide(). */
#define WIDE_MAX                                                               \
	((ch_wide)INT64_C(1000000000000000000) * INT64_C(1000000000000000000))

/* The pieces of a number's text. */
struct decimal {
	bool negative;
	struct ch_view whole;	 /* digits before the point, at least one */
	struct ch_view fraction; /* digits behind it, may be none */
	int64_t exponent;	 /* cut to +-EXPONENT_MAX */
};

/* Far above the length of any text, so that sums with one stay exact. */
#define EXPONENT_MAX (INT64_C(1) << 60)

static struct ch_view
take_digits(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && **p >= '0' && **p <= '9')
		(*p)++;
	return (struct ch_view){start, (size_t)(*p - start)};
}

/* '-'? digits ('.' digits)?, no leading zero before another digit. */
static bool
take_plain(const char **p, const char *end, struct decimal *d)
{
	d->negative = *p < end && **p == '-';
	*p += d->negative ? 1 : 0;
	d->whole = take_digits(p, end);
	d->fraction = (struct ch_view){NULL, 0};
	d->exponent = 0;
	if (d->whole.len == 0 || (d->whole.len > 1 && d->whole.ptr[0] == '0'))
		return false;
	if (*p == end || **p != '.')
		return true;
	(*p)++;
	d->fraction = take_digits(p, end);
	return d->fraction.len > 0;
}

/* [eE] [+-]? digits, up to the end of the text. */
static bool
take_exponent(const char *p, const char *end, struct decimal *d)
{
	bool negative;
	struct ch_view digits;
	int64_t value = 0;

	if (p == end)
		return true;
	if (*p != 'e' && *p != 'E')
		return false;
	p++;
	negative = p < end && *p == '-';
	if (negative || (p < end && *p == '+'))
		p++;
	digits = take_digits(&p, end);
	if (digits.len == 0 || p != end)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (value < EXPONENT_MAX / 16)
			value = value * 10 + (digits.ptr[i] - '0');
		else
			value = EXPONENT_MAX;
	}
	d->exponent = negative ? -value : value;
	return true;
}

static bool
read_plain(struct ch_view text, struct decimal *d)
{
	const char *p = text.ptr;
	const char *end;

	if (text.len == 0 || text.len > CH_DECIMAL_MAX)
		return false;
	end = p + text.len;
	return take_plain(&p, end, d) && p == end;
}

/* *v followed by the digits; false when that leaves uint64. */
static bool
append_digits(uint64_t *v, struct ch_view digits)
{
	for (size_t i = 0; i < digits.len; i++) {
		if (__builtin_mul_overflow(*v, (uint64_t)10, v) ||
			__builtin_add_overflow(*v,
				(uint64_t)(digits.ptr[i] - '0'), v))
			return false;
	}
	return true;
}

static enum ch_decimal_status
give_sign(bool negative, uint64_t magnitude, int64_t *out)
{
	if (magnitude > MAGNITUDE_MAX - (negative ? 0 : 1))
		return CH_DECIMAL_OVERFLOW;
	*out = negative ? (int64_t)-magnitude : (int64_t)magnitude;
	return CH_DECIMAL_OK;
}

static enum ch_decimal_status
read_scaled(struct ch_view text, int scale, int64_t *out)
{
	struct decimal d;
	uint64_t v = 0;

	assert(scale >= 0 && scale <= CH_SCALE_MAX);
	if (!read_plain(text, &d))
		return CH_DECIMAL_MALFORMED;
	if (d.fraction.len > (size_t)scale)
		return CH_DECIMAL_FRACTION;
	if (!append_digits(&v, d.whole) || !append_digits(&v, d.fraction) ||
		__builtin_mul_overflow(v,
			power_of_ten[(size_t)scale - d.fraction.len], &v))
		return CH_DECIMAL_OVERFLOW;
	return give_sign(d.negative, v, out);
}

enum ch_decimal_status
ch_amount_parse(struct ch_view text, int scale, struct ch_amount *out)
{
	return read_scaled(text, scale, &out->minor);
}

/* v followed by the digits, or WIDE_MAX. */
static ch_wide
append_wide(ch_wide v, struct ch_view digits)
{
	for (size_t i = 0; i < digits.len && v < WIDE_MAX; i++)
		v = v * 10 + (digits.ptr[i] - '0');
	return v < WIDE_MAX ? v : WIDE_MAX;
}

enum ch_decimal_status
ch_amount_parse_wide(struct ch_view text, int scale, ch_wide *out)
{
	static const char zeros[CH_SCALE_MAX + 1] = "00000000";
	struct decimal d;
	ch_wide v;

	assert(scale >= 0 && scale <= CH_SCALE_MAX);
	if (!read_plain(text, &d))
		return CH_DECIMAL_MALFORMED;
	if (d.fraction.len > (size_t)scale)
		return CH_DECIMAL_FRACTION;
	v = append_wide(append_wide(0, d.whole), d.fraction);
	v = append_wide(v,
		(struct ch_view){zeros, (size_t)scale - d.fraction.len});
	*out = d.negative ? -v : v;
	return CH_DECIMAL_OK;
}

enum ch_decimal_status
ch_qty_parse(struct ch_view text, struct ch_qty *out)
{
	return read_scaled(text, 0, &out->units);
}

static bool
all_zero(struct ch_view digits)
{
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] != '0')
			return false;
	}
	return true;
}

bool
ch_decimal_check(struct ch_view text, int *sign, int *fraction_digits)
{
	struct decimal d;

	if (!read_plain(text, &d))
		return false;
	if (all_zero(d.whole) && all_zero(d.fraction))
		*sign = 0;
	else
		*sign = d.negative ? -1 : 1;
	*fraction_digits = (int)d.fraction.len;
	return true;
}

static struct ch_view
without_last_zeros(struct ch_view digits)
{
	while (digits.len > 0 && digits.ptr[digits.len - 1] == '0')
		digits.len--;
	return digits;
}

static struct ch_view
without_first_zeros(struct ch_view digits)
{
	while (digits.len > 0 && digits.ptr[0] == '0') {
		digits.ptr++;
		digits.len--;
	}
	return digits;
}

/* The value is D * 10^shift, where D is the digits of whole and fraction
 * without zeros at either end: a shift below 0 leaves a digit behind the
 * scale, and more than 19 digits are more than an int64. Nothing is ever
 * multiplied that was not checked to be this small. */
static enum ch_decimal_status
scale_exactly(struct decimal d, int scale, int64_t *out)
{
	int64_t shift = d.exponent + scale;
	uint64_t v = 0;

	d.fraction = without_last_zeros(d.fraction);
	shift -= (int64_t)d.fraction.len;
	d.whole = without_first_zeros(d.whole);
	if (d.whole.len == 0)
		d.fraction = without_first_zeros(d.fraction);
	if (d.fraction.len == 0) {
		shift += (int64_t)d.whole.len;
		d.whole = without_last_zeros(d.whole);
		shift -= (int64_t)d.whole.len;
	}
	if (d.whole.len == 0 && d.fraction.len == 0)
		return give_sign(false, 0, out);
	if (shift < 0)
		return CH_DECIMAL_FRACTION;
	if (shift > 19 || !append_digits(&v, d.whole) ||
		!append_digits(&v, d.fraction))
		return CH_DECIMAL_OVERFLOW;
	for (; shift > 0; shift--) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v))
			return CH_DECIMAL_OVERFLOW;
	}
	return give_sign(d.negative, v, out);
}

enum ch_decimal_status
ch_decimal_scaled(struct ch_view text, int scale, int64_t *out)
{
	const char *p = text.ptr;
	const char *end;
	struct decimal d;

	assert(scale >= 0 && scale <= CH_SCALE_MAX);
	if (text.len == 0)
		return CH_DECIMAL_MALFORMED;
	end = p + text.len;
	if (!take_plain(&p, end, &d) || !take_exponent(p, end, &d))
		return CH_DECIMAL_MALFORMED;
	return scale_exactly(d, scale, out);
}

size_t
ch_amount_format(struct ch_amount a, int scale, char out[CH_AMOUNT_TEXT_MAX])
{
	uint64_t rest = a.minor < 0 ? -(uint64_t)a.minor : (uint64_t)a.minor;
	char text[CH_AMOUNT_TEXT_MAX];
	size_t at = sizeof(text);
	size_t n;

	assert(scale >= 0 && scale <= CH_SCALE_MAX);
	for (int digit = 0; digit <= scale || rest != 0; digit++) {
		if (digit == scale && scale > 0)
			text[--at] = '.';
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (a.minor < 0)
		text[--at] = '-';
	n = sizeof(text) - at;
	memcpy(out, text + at, n);
	out[n] = '\0';
	return n;
}

size_t
ch_qty_format(struct ch_qty q, char out[CH_AMOUNT_TEXT_MAX])
{
	return ch_amount_format((struct ch_amount){q.units}, 0, out);
}

bool
ch_amount_add(struct ch_amount a, struct ch_amount b, struct ch_amount *out)
{
	int64_t sum;

	if (__builtin_add_overflow(a.minor, b.minor, &sum))
		return false;
	out->minor = sum;
	return true;
}

bool
ch_amount_sub(struct ch_amount a, struct ch_amount b, struct ch_amount *out)
{
	int64_t difference;

	if (__builtin_sub_overflow(a.minor, b.minor, &difference))
		return false;
	out->minor = difference;
	return true;
}

bool
ch_qty_add(struct ch_qty a, struct ch_qty b, struct ch_qty *out)
{
	int64_t sum;

	if (__builtin_add_overflow(a.units, b.units, &sum))
		return false;
	out->units = sum;
	return true;
}

bool
ch_qty_sub(struct ch_qty a, struct ch_qty b, struct ch_qty *out)
{
	int64_t difference;

	if (__builtin_sub_overflow(a.units, b.units, &difference))
		return false;
	out->units = difference;
	return true;
}
