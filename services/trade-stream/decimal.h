/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decimal: a foreign number's text in its one shortest plain spelling.
 *
 * The feed sends 0.5, 0.50 and 5e-1 for the same price. Identity needs one
 * spelling, and readers of the topic must not meet an exponent. Digits are
 * moved, never computed: no value is rounded, none passes through a double.
 *
 * Thread: any. Pure.
 */
#ifndef TRADE_STREAM_DECIMAL_H
#define TRADE_STREAM_DECIMAL_H

#include <stdbool.h>

#include "base/str.h"
#include "trade_stream.h"

/* text: JSON number grammar, not negative (so "-0" is refused too). out: no
 * exponent, no needless zeros ("0.5", "12", "0"). false when it is no such
 * number or its plain form has more than DECIMAL_TEXT_MAX - 1 characters. */
bool decimal_shortest(struct ch_view text, char out[DECIMAL_TEXT_MAX]);
/* As sent when that is plain, else the shortest form. Same refusals. */
bool decimal_plain(struct ch_view text, char out[DECIMAL_TEXT_MAX]);
/* Of a shortest form: is it at most 1? */
bool decimal_is_up_to_one(const char *shortest);

#endif
