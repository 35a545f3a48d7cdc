/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text: is this text JSON, which may stand in another?
 *
 * By the grammar of RFC 8259 alone, in UTF-8: of any depth and any number of
 * values, with names given twice and any escape, as PostgreSQL's json has them.
 * base/json.h reads documents and refuses some of those.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_JSON_TEXT_H
#define RELAY_JSON_TEXT_H

#include <stdbool.h>

#include "base/str.h"

bool json_text_is(struct ch_view text);

#endif
