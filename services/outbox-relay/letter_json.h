/* SPDX-License-Identifier: Apache-2.0 */
/*
 * letter_json: letters, sorts of letters and plans as JSON.
 *
 * One text for the command line and for HTTP. It is exact: what is no UTF-8,
 * or holds a NUL, stands there in hex under another name (value_hex).
 *
 * Each adds members to an object that the caller has begun and will end.
 *
 * Thread: any.
 */
#ifndef RELAY_LETTER_JSON_H
#define RELAY_LETTER_JSON_H

#include <stdbool.h>

#include "base/str.h"
#include "letter.h"
#include "letters.h"
#include "letters_group.h"
#include "plans.h"

/* As text where it is UTF-8 without a NUL, else in hex under the other name. */
void letter_json_bytes(struct ch_buf *b, const char *name, const char *hex_name,
	struct ch_view v);
/* whole: with headers and value. */
void letter_json_letter(struct ch_buf *b, const struct letters_row *r,
	bool whole);
void letter_json_sort(struct ch_buf *b, const struct letters_group *by,
	const struct letters_sort *s);
void letter_json_plan(struct ch_buf *b, const struct plans_row *p);
void letter_json_planned(struct ch_buf *b, const struct plans_letter *l);

#endif
