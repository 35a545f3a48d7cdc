/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: (pointer, length) views for input, one growing buffer for output.
 *
 * A view never owns its bytes and need not end in NUL. A buffer owns its
 * bytes; it always has a NUL behind its last byte, which len does not count.
 *
 * Thread: any; an object belongs to one thread. Errors: out of memory aborts.
 */
#ifndef CH_BASE_STR_H
#define CH_BASE_STR_H

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ch_view {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

#define CH_VIEW(literal) ((struct ch_view){(literal), sizeof(literal) - 1})
/* For printf: "%.*s", CH_VIEW_ARG(v). */
#define CH_VIEW_ARG(v) (int)(v).len, ((v).ptr != NULL ? (v).ptr : "")

static inline struct ch_view
ch_view_of(const char *s)
{
	return (struct ch_view){s, s != NULL ? strlen(s) : 0};
}

bool ch_view_eq(struct ch_view a, struct ch_view b);
bool ch_view_eq_str(struct ch_view a, const char *b);
int ch_view_cmp(struct ch_view a, struct ch_view b); /* bytewise, as memcmp */
bool ch_view_starts(struct ch_view v, struct ch_view prefix);
struct ch_view ch_view_trim(struct ch_view v); /* ASCII white space */
/* Cuts the text up to sep off *rest; false when *rest is used up. A text with
 * n separators has n + 1 parts, empty ones included; an empty text has none. */
bool ch_view_split(struct ch_view *rest, char sep, struct ch_view *part);
/* Whole view as a decimal integer in [min, max]: '-'? digits, leading zeros
 * allowed. 0, CH_EINVAL (no such text) or CH_ERANGE; *out only on 0. */
int ch_view_int(struct ch_view v, int64_t min, int64_t max, int64_t *out);
/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool ch_view_is_utf8(struct ch_view v);
/* Bytes of the well-formed UTF-8 character at p, of which left bytes are
 * there; 0 when there is none. */
size_t ch_utf8_next(const void *p, size_t left);
/* Copies into dst and ends it with NUL. 0; CH_ERANGE when it does not fit;
 * CH_EINVAL when it holds a NUL itself. dst is "" on failure. */
int ch_view_copy(struct ch_view v, char *dst, size_t size);

struct ch_buf {
	char *ptr;
	size_t len;
	size_t cap;
};

#define CH_BUF_INIT                                                            \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

void ch_buf_free(struct ch_buf *b); /* leaves it empty and usable */
void ch_buf_clear(struct ch_buf *b);
void ch_buf_reserve(struct ch_buf *b, size_t more);
void ch_buf_add(struct ch_buf *b, const void *bytes, size_t n);
void ch_buf_addv(struct ch_buf *b, struct ch_view v);
void ch_buf_adds(struct ch_buf *b, const char *s);
void ch_buf_addc(struct ch_buf *b, char c);
void ch_buf_printf(struct ch_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void ch_buf_vprintf(struct ch_buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Text that may be anybody's, for a terminal or a log: control characters, C1
 * ones too, and what is no UTF-8 as \xNN; behind max bytes "... (N bytes)". */
void ch_buf_add_printable(struct ch_buf *b, struct ch_view v, size_t max);
/* Integers in network byte order, as PostgreSQL's binary formats want them. */
void ch_buf_add_be16(struct ch_buf *b, uint16_t v);
void ch_buf_add_be32(struct ch_buf *b, uint32_t v);
void ch_buf_add_be64(struct ch_buf *b, uint64_t v);
void ch_buf_add_i64(struct ch_buf *b, int64_t v); /* decimal text */
/* The buffer's bytes as a view (valid until the next change), and as a C
 * string. */
struct ch_view ch_buf_view(const struct ch_buf *b);
const char *ch_buf_str(const struct ch_buf *b);

uint16_t ch_be16(const void *p);
uint32_t ch_be32(const void *p);
uint64_t ch_be64(const void *p);
void ch_put_be32(void *p, uint32_t v);
void ch_put_be64(void *p, uint64_t v);

#endif
