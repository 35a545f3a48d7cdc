/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: a strict reader that keeps the text of every value, and a writer.
 *
 * Why not jansson here: it turns 0.57 into a double and refuses integers over
 * 64 bits, so neither decimals nor 78-digit token ids survive it. This reader
 * only finds where each value stands in the input; a number stays text, and
 * opaque members (meta) can be kept byte for byte. (The serial model in
 * tests/ reads with jansson, and a property test compares both.)
 *
 * Strict, RFC 8259 and more: UTF-8 only, no duplicate names in one object (as
 * compared after unescaping), no \u0000, no lone surrogates, no trailing
 * bytes, depth <= CH_JSON_DEPTH_MAX, at most max_nodes values.
 *
 * Ownership: nodes live in the caller's arena and point into the input, which
 * must outlive them.  Thread: any; a document belongs to one thread.
 */
#ifndef CH_BASE_JSON_H
#define CH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "mem.h"
#include "str.h"

#define CH_JSON_DEPTH_MAX 32

enum ch_json_type {
	CH_JSON_NULL,
	CH_JSON_FALSE,
	CH_JSON_TRUE,
	CH_JSON_NUMBER,
	CH_JSON_STRING,
	CH_JSON_ARRAY,
	CH_JSON_OBJECT
};

struct ch_json {
	enum ch_json_type type;
	struct ch_view text; /* the value as it stands in the input; a string
				with its quotes */
	struct ch_view name; /* in an object: the member's name, unescaped */
	struct ch_view str;  /* a string's value, unescaped */
	const struct ch_json *child; /* first member or element */
	const struct ch_json *next;  /* next one in the same container */
	size_t count;		     /* members or elements */
};

/* The root, or NULL with err set (code CH_EINVAL; the text names the byte
 * offset). max_nodes bounds the values in the whole document. */
const struct ch_json *ch_json_parse(struct ch_arena *arena,
	struct ch_view input, size_t max_nodes, struct ch_err *err);

/* The member called name, or NULL. obj may be NULL. */
const struct ch_json *ch_json_get(const struct ch_json *obj, const char *name);
/* The member as a string; false when it is missing or no string. */
bool ch_json_str(const struct ch_json *obj, const char *name,
	struct ch_view *out);
/* The member as an integer number (no fraction, no exponent) of 64 bits. */
bool ch_json_i64(const struct ch_json *obj, const char *name, int64_t *out);
bool ch_json_bool(const struct ch_json *obj, const char *name, bool *out);

/* Canonical text: names sorted bytewise, no white space, minimal escapes,
 * numbers as sent. Equal documents give equal text ("1.0" and "1.00" as JSON
 * numbers differ: they are compared as sent). */
void ch_json_canonical(struct ch_buf *out, const struct ch_json *v);

/* A quoted, escaped JSON string of UTF-8 text. Bytes that are no UTF-8 become
 * U+FFFD. */
void ch_json_add_string(struct ch_buf *b, struct ch_view v);
/* Writer: `"name":` with a comma before it when the container is not empty
 * (the last byte is neither '{' nor '['). */
void ch_json_add_name(struct ch_buf *b, const char *name);
void ch_json_add_member(struct ch_buf *b, const char *name, struct ch_view str);
void ch_json_add_member_i64(struct ch_buf *b, const char *name, int64_t v);
void ch_json_add_member_bool(struct ch_buf *b, const char *name, bool v);
/* A comma when the container is not empty: before an array's next element. */
void ch_json_add_comma(struct ch_buf *b);

#endif
