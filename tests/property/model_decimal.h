/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_decimal: decimal text as commands carry it, read exactly.
 *
 * Part of the serial model (serial_model.h). Thread: any.
 */
#ifndef TESTS_PROPERTY_MODEL_DECIMAL_H
#define TESTS_PROPERTY_MODEL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 big;

#define MAX64 ((big)INT64_MAX)
#define MIN64 ((big)INT64_MIN)

/* '-'? digits ('.' digits)?, no leading zeros, at most 40 characters. sign:
 * of the value, -1, 0 or 1; fraction: the digits behind the point. */
bool model_decimal_ok(const char *s, int *sign, int *fraction);
/* A figure that is only kept: digits ('.' digits)?, no leading zeros, 1 to 80
 * digits. */
bool model_figure_ok(const char *s);
/* Are two such figures the same number? */
bool model_figures_same(const char *a, const char *b);
/* The value in units of 10^-scale, of a text that is ok and has no more digits
 * than that. Exact up to 10^36, more counts as that: 64 of them and a balance
 * still fit. */
big model_decimal_value(const char *s, int scale);
void model_decimal_print(char *out, size_t size, int64_t value, int scale);

#endif
