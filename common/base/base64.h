/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64: bytes to base64 (RFC 4648, with padding) and back.
 *
 * Strict: no white space, no other alphabet, no bits behind the last byte.
 *
 * Thread: any. Pure.
 */
#ifndef CH_BASE_BASE64_H
#define CH_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

void ch_base64_add(struct ch_buf *b, const void *bytes, size_t n);
/* Writes at most room bytes. false: it is no base64, or it is longer; *n is 0
 * then. */
bool ch_base64_decode(struct ch_view text, void *out, size_t room, size_t *n);

#endif
