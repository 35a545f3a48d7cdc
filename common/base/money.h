/* SPDX-License-Identifier: Apache-2.0 */
/*
 * money: exact amounts and quantities.
 *
 * An amount is an int64 of minor units at its asset's scale (0 to 8 fraction
 * digits); a quantity is an int64 of whole units. Each has a struct type of
 * its own, so that the compiler refuses to mix them. No floating point.
 *
 * Decimal text: '-'? digits ('.' digits)?, no leading zero before another
 * digit, no '+', no exponent, at most CH_DECIMAL_MAX characters.
 *
 * Thread: any.
 */
#ifndef CH_BASE_MONEY_H
#define CH_BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

#define CH_SCALE_MAX 8
#define CH_DECIMAL_MAX 40
#define CH_AMOUNT_TEXT_MAX 24 /* "-92233720368.54775808" and its NUL */

struct ch_amount {
	int64_t minor;
};

struct ch_qty {
	int64_t units;
};

/* For sums and products of the above: 64 of them at any scale do not overflow
 * it. Never stored. */
__extension__ typedef __int128 ch_wide;

enum ch_decimal_status {
	CH_DECIMAL_OK,
	CH_DECIMAL_MALFORMED, /* not decimal text */
	CH_DECIMAL_FRACTION,  /* more fraction digits than the scale, zeros
				 included */
	CH_DECIMAL_OVERFLOW,  /* does not fit an int64 at this scale */
};

/* Reads decimal text at a scale. On anything but OK *out is untouched. */
enum ch_decimal_status ch_amount_parse(struct ch_view text, int scale,
	struct ch_amount *out);
/* The same, never CH_DECIMAL_OVERFLOW: exact up to 10^36 minor units, and more
 * counts as 10^36 (either sign), so that 128 of them still make a sum. */
enum ch_decimal_status ch_amount_parse_wide(struct ch_view text, int scale,
	ch_wide *out);
/* Whole numbers only: a fraction, also ".0", is CH_DECIMAL_FRACTION. */
enum ch_decimal_status ch_qty_parse(struct ch_view text, struct ch_qty *out);
/* Is it decimal text at all (whatever its size)? sign: -1, 0 or 1 ("-0.00" is
 * 0). Both are written only when it is. */
bool ch_decimal_check(struct ch_view text, int *sign, int *fraction_digits);

/* JSON number text or decimal text of any length, with an exponent allowed,
 * exactly at a scale: for foreign feeds that send 5e-05. Digits beyond the
 * scale must be zero, else CH_DECIMAL_FRACTION. The cost is that of reading
 * the text, whatever the exponent. */
enum ch_decimal_status ch_decimal_scaled(struct ch_view text, int scale,
	int64_t *out);

/* Always prints exactly `scale` fraction digits ("12.50" at scale 2). Writes
 * at most CH_AMOUNT_TEXT_MAX bytes with the NUL; returns the length. */
size_t ch_amount_format(struct ch_amount a, int scale,
	char out[CH_AMOUNT_TEXT_MAX]);
size_t ch_qty_format(struct ch_qty q, char out[CH_AMOUNT_TEXT_MAX]);

/* false on overflow, and *out untouched. */
bool ch_amount_add(struct ch_amount a, struct ch_amount b,
	struct ch_amount *out);
bool ch_amount_sub(struct ch_amount a, struct ch_amount b,
	struct ch_amount *out);
bool ch_qty_add(struct ch_qty a, struct ch_qty b, struct ch_qty *out);
bool ch_qty_sub(struct ch_qty a, struct ch_qty b, struct ch_qty *out);

#endif
