/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature: Standard Webhooks' symmetric signatures.
 *
 *	v1,<base64 of HMAC-SHA256(key, "<id>.<seconds>.<body>")>
 *
 * Two of them, with a space between, while a key is exchanged for another.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_SIGNATURE_H
#define RELAY_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SIGNATURE_KEY_MIN 24 /* bytes, as the specification asks */
#define SIGNATURE_KEY_MAX 64
#define SIGNATURE_KEYS 2

struct signature_key {
	uint8_t bytes[SIGNATURE_KEY_MAX];
	size_t len;
};

/* "whsec_<base64>". CH_EINVAL says what is wrong, never the text. */
int signature_key_read(struct ch_view text, struct signature_key *out,
	struct ch_err *err);
void signature_add(struct ch_buf *out, const struct signature_key *keys,
	size_t count, struct ch_view id, int64_t seconds, struct ch_view body);

#endif
