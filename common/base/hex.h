/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex: bytes to lower-case hexadecimal text and back.
 *
 * Thread: any.
 */
#ifndef CH_BASE_HEX_H
#define CH_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/* Writes 2*n characters and a NUL. */
void ch_hex_encode(const void *bytes, size_t n, char *out);
void ch_buf_add_hex(struct ch_buf *b, const void *bytes, size_t n);
/* Exactly 2*n digits of either case. */
bool ch_hex_decode(struct ch_view text, void *out, size_t n);

#endif
