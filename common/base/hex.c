/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex: see hex.h.
 *
 * Decoding writes nothing unless all of the text is right.
 */
#include "hex.h"

#include <stdint.h>

static const char digits[] = "0123456789abcdef";

void
ch_hex_encode(const void *bytes, size_t n, char *out)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

void
ch_buf_add_hex(struct ch_buf *b, const void *bytes, size_t n)
{
	ch_buf_reserve(b, 2 * n);
	ch_hex_encode(bytes, n, b->ptr + b->len);
	b->len += 2 * n;
}

static int
value_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
ch_hex_decode(struct ch_view text, void *out, size_t n)
{
	uint8_t *p = out;

	if (text.len % 2 != 0 || text.len / 2 != n)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (value_of(text.ptr[i]) < 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(value_of(text.ptr[2 * i]) * 16 +
			value_of(text.ptr[2 * i + 1]));
	return true;
}
