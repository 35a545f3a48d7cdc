/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_salvage: a few members of an object that the strict reader refuses.
 *
 * Whoever sent a broken record is owed an answer where the record still says
 * whose it is. So the text is read as tokens: strings, brackets, commas and
 * colons; brackets are counted, not matched, and all else is passed over. The
 * object begins the text (behind white space and a byte order mark) and ends
 * with the bracket that closes it, or with the text.
 *
 * A member stands in the object itself, behind '{' or ',': a name, a colon,
 * and, to be read, a string that the strict reader takes, followed by ',' or
 * '}' or the end of the text. A name that stands more than once is read only
 * if it is the same string each time: otherwise nobody knows which was meant.
 *
 * Of a document that the strict reader takes, the same strings are found. The
 * cost is that of reading the text, whatever its depth.
 *
 * Ownership: as in json.h.  Thread: any.
 */
#ifndef CH_BASE_JSON_SALVAGE_H
#define CH_BASE_JSON_SALVAGE_H

#include "json.h"

#define CH_JSON_SALVAGE_MAX 8 /* names */

/* An object of those members of the names (a list that NULL ends) that could
 * be read, all of them strings; NULL when the text begins no object. */
const struct ch_json *ch_json_salvage(struct ch_arena *arena,
	struct ch_view input, const char *const *names);

#endif
