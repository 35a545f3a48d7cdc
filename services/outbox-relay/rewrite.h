/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite: a topic's name from a column's value, by a regular expression and a
 * replacement, as Debezium's route.topic.regex and route.topic.replacement.
 *
 * A value that the expression does not match as a whole stays as it is; else
 * the first match is replaced. The expression is PCRE2's, which is Java's but
 * for rarities: what both take and for different things is refused. In the
 * replacement $1 and ${name} stand for groups and a backslash takes the meaning
 * from the next character, as in Java.
 *
 * Failure: an expression that does not compile, or a replacement that names no
 * group, is refused when it is made, never while rows flow.
 *
 * Thread: belongs to one thread. No I/O.
 */
#ifndef RELAY_REWRITE_H
#define RELAY_REWRITE_H

#include "base/err.h"
#include "base/str.h"

struct rewrite;

/* NULL with CH_ECONFIG. */
struct rewrite *rewrite_new(const char *regex, const char *replacement,
	struct ch_err *err);
void rewrite_free(struct rewrite *w);
/* Appends the result. CH_EINVAL: the match was given up (too many steps). */
int rewrite_apply(struct rewrite *w, struct ch_view value, struct ch_buf *out,
	struct ch_err *err);

#endif
