/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64: see base64.h.
 */
#include "base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
ch_base64_add(struct ch_buf *b, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		ch_buf_addc(b, alphabet[v >> 18]);
		ch_buf_addc(b, alphabet[v >> 12 & 63]);
		ch_buf_addc(b, i + 1 < n ? alphabet[v >> 6 & 63] : '=');
		ch_buf_addc(b, i + 2 < n ? alphabet[v & 63] : '=');
	}
}

/* 0 to 63, or -1. */
static int
digit_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

bool
ch_base64_decode(struct ch_view text, void *out, size_t room, size_t *n)
{
	size_t pad = 0, len = 0, i;
	uint8_t *p = out;
	uint32_t v = 0;

	*n = 0;
	while (pad < 2 && pad < text.len && text.ptr[text.len - 1 - pad] == '=')
		pad++;
	if (text.len % 4 != 0)
		return false;
	for (i = 0; i < text.len - pad; i++) {
		int d = digit_of(text.ptr[i]);

		if (d < 0)
			return false;
		v = v << 6 | (uint32_t)d;
		if (i % 4 == 0)
			continue;
		if (len == room)
			return false;
		p[len++] = (uint8_t)(v >> (6 - i % 4 * 2));
	}
	/* what stands behind the last whole byte must be nothing */
	if (pad > 0 && (v & (pad == 2 ? 15u : 3u)) != 0)
		return false;
	*n = len;
	return true;
}
