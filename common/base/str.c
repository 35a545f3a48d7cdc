/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: see str.h.
 *
 * A buffer's room always counts the NUL behind its last byte, so that
 * ch_buf_str() needs no copy. Growth is by doubling: adding n bytes one at a
 * time costs O(n). A size that overflows is our bug and asserts; no memory
 * aborts in mem.c.
 */
#include "str.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "err.h"
#include "mem.h"

#define BUF_FIRST 64

bool
ch_view_eq(struct ch_view a, struct ch_view b)
{
	return a.len == b.len &&
		(a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
ch_view_eq_str(struct ch_view a, const char *b)
{
	return ch_view_eq(a, ch_view_of(b));
}

int
ch_view_cmp(struct ch_view a, struct ch_view b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool
ch_view_starts(struct ch_view v, struct ch_view prefix)
{
	return v.len >= prefix.len &&
		ch_view_eq((struct ch_view){v.ptr, prefix.len}, prefix);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct ch_view
ch_view_trim(struct ch_view v)
{
	while (v.len > 0 && is_space(v.ptr[0])) {
		v.ptr++;
		v.len--;
	}
	while (v.len > 0 && is_space(v.ptr[v.len - 1]))
		v.len--;
	return v;
}

bool
ch_view_split(struct ch_view *rest, char sep, struct ch_view *part)
{
	/* Stands for the empty last part of "a,": an empty *rest alone would
	 * say that nothing is left. It never leaves as a part: a part that is
	 * split again must be an empty text, which has none. */
	static const char last_empty[] = "", empty[] = "";
	const char *at;

	if (rest->len == 0) {
		bool one_more = rest->ptr == last_empty;

		*part = (struct ch_view){empty, 0};
		*rest = (struct ch_view){NULL, 0};
		return one_more;
	}
	at = memchr(rest->ptr, sep, rest->len);
	if (at == NULL) {
		*part = *rest;
		*rest = (struct ch_view){NULL, 0};
		return true;
	}
	*part = (struct ch_view){rest->ptr, (size_t)(at - rest->ptr)};
	rest->ptr = at + 1;
	rest->len -= part->len + 1;
	if (rest->len == 0)
		rest->ptr = last_empty;
	return true;
}

int
ch_view_int(struct ch_view v, int64_t min, int64_t max, int64_t *out)
{
	bool negative = v.len > 0 && v.ptr[0] == '-';
	size_t i = negative ? 1 : 0;
	bool overflow = false;
	int64_t value = 0; /* kept negative: INT64_MIN has no positive twin */

	if (i == v.len)
		return CH_EINVAL;
	for (; i < v.len; i++) {
		int digit = v.ptr[i] - '0';

		if (digit < 0 || digit > 9)
			return CH_EINVAL;
		overflow = overflow ||
			__builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, digit, &value);
	}
	if (!negative)
		overflow = overflow || __builtin_sub_overflow(0, value, &value);
	if (overflow || value < min || value > max)
		return CH_ERANGE;
	*out = value;
	return 0;
}

/* Length of the well-formed sequence of two to four bytes at p, or 0
 * (RFC 3629, section 4, as one table of second-byte bounds). */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char lead = p[0];
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t n;

	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (left < n)
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

size_t
ch_utf8_next(const void *p, size_t left)
{
	const unsigned char *bytes = p;

	if (left == 0)
		return 0;
	return bytes[0] < 0x80 ? 1 : utf8_sequence(bytes, left);
}

/* From i on over whole words of ASCII. */
static size_t
skip_ascii(struct ch_view v, size_t i)
{
	uint64_t eight;

	for (; v.len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, v.ptr + i, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return i;
}

bool
ch_view_is_utf8(struct ch_view v)
{
	size_t i = skip_ascii(v, 0);

	while (i < v.len) {
		size_t n = ch_utf8_next(v.ptr + i, v.len - i);

		if (n == 0)
			return false;
		i = skip_ascii(v, i + n);
	}
	return true;
}

int
ch_view_copy(struct ch_view v, char *dst, size_t size)
{
	if (size == 0)
		return CH_ERANGE;
	dst[0] = '\0';
	if (v.len >= size)
		return CH_ERANGE;
	if (v.len == 0)
		return 0;
	if (memchr(v.ptr, '\0', v.len) != NULL)
		return CH_EINVAL;
	memcpy(dst, v.ptr, v.len);
	dst[v.len] = '\0';
	return 0;
}

void
ch_buf_free(struct ch_buf *b)
{
	free(b->ptr);
	*b = (struct ch_buf)CH_BUF_INIT;
}

void
ch_buf_clear(struct ch_buf *b)
{
	b->len = 0;
	if (b->ptr != NULL)
		b->ptr[0] = '\0';
}

static void
grow(struct ch_buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;

	while (cap < need) {
		bool overflow = __builtin_mul_overflow(cap, (size_t)2, &cap);

		assert(!overflow);
	}
	b->ptr = ch_xrealloc(b->ptr, cap, 1);
	b->cap = cap;
}

void
ch_buf_reserve(struct ch_buf *b, size_t more)
{
	size_t need;
	bool overflow = __builtin_add_overflow(b->len, more, &need) ||
		__builtin_add_overflow(need, (size_t)1, &need);

	assert(!overflow);
	if (need > b->cap)
		grow(b, need);
}

void
ch_buf_add(struct ch_buf *b, const void *bytes, size_t n)
{
	ch_buf_reserve(b, n);
	if (n > 0)
		memcpy(b->ptr + b->len, bytes, n);
	b->len += n;
	b->ptr[b->len] = '\0';
}

void
ch_buf_addv(struct ch_buf *b, struct ch_view v)
{
	ch_buf_add(b, v.ptr, v.len);
}

void
ch_buf_adds(struct ch_buf *b, const char *s)
{
	ch_buf_add(b, s, strlen(s));
}

void
ch_buf_addc(struct ch_buf *b, char c)
{
	ch_buf_reserve(b, 1);
	b->ptr[b->len++] = c;
	b->ptr[b->len] = '\0';
}

void
ch_buf_printf(struct ch_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ch_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
ch_buf_vprintf(struct ch_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	ch_buf_reserve(b, BUF_FIRST);
	room = b->cap - b->len;
	va_copy(again, ap);
	n = vsnprintf(b->ptr + b->len, room, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		ch_buf_reserve(b, (size_t)n);
		n = vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		assert(n >= 0);
	}
	va_end(again);
	b->len += (size_t)n;
}

/* Bytes of the character at p that may be shown as it is; 0: as \xNN. */
static size_t
printable(const char *p, size_t left)
{
	unsigned char c = (unsigned char)p[0];
	size_t n = ch_utf8_next(p, left);

	if (c < 0x20 || c == 0x7f)
		return 0;
	return n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0 ? 0 : n;
}

void
ch_buf_add_printable(struct ch_buf *b, struct ch_view v, size_t max)
{
	size_t i = 0, n;

	while (i < v.len && i < max) {
		n = printable(v.ptr + i, v.len - i);
		if (n > 0) {
			ch_buf_add(b, v.ptr + i, n);
		} else {
			ch_buf_printf(b, "\\x%02x", (unsigned char)v.ptr[i]);
			n = 1;
		}
		i += n;
	}
	if (i < v.len)
		ch_buf_printf(b, "... (%zu bytes)", v.len);
}

void
ch_buf_add_be16(struct ch_buf *b, uint16_t v)
{
	v = htobe16(v);
	ch_buf_add(b, &v, sizeof(v));
}

void
ch_buf_add_be32(struct ch_buf *b, uint32_t v)
{
	v = htobe32(v);
	ch_buf_add(b, &v, sizeof(v));
}

void
ch_buf_add_be64(struct ch_buf *b, uint64_t v)
{
	v = htobe64(v);
	ch_buf_add(b, &v, sizeof(v));
}

void
ch_buf_add_i64(struct ch_buf *b, int64_t v)
{
	char digits[20]; /* "-9223372036854775808" */
	size_t at = sizeof(digits);
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (v < 0)
		digits[--at] = '-';
	ch_buf_add(b, digits + at, sizeof(digits) - at);
}

struct ch_view
ch_buf_view(const struct ch_buf *b)
{
	return (struct ch_view){b->ptr, b->len};
}

const char *
ch_buf_str(const struct ch_buf *b)
{
	return b->ptr != NULL ? b->ptr : "";
}

uint16_t
ch_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

uint32_t
ch_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

uint64_t
ch_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

void
ch_put_be32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

void
ch_put_be64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}
