/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_tokens: who may change dead letters over HTTP, from a file.
 *
 *	# people, one a line
 *	ann:2Rk8vT0pXw5mJ4sQb7dZ
 *
 * The name is the actor of audit rows. The file must be the reader's own
 * secret: mode 0600 or 0400. Only digests are kept; a token is compared with
 * all of them, without a difference in time.
 *
 * Bounded: TOKENS_MAX lines, tokens of 20 to 256 bytes.
 *
 * Thread: any, after it was read.
 */
#ifndef RELAY_API_TOKENS_H
#define RELAY_API_TOKENS_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define API_TOKENS_MAX 256
#define API_NAME_MAX 64

struct api_tokens;

/* CH_ECONFIG names the path, the line and what is wrong; never a token. The
 * caller's. */
int api_tokens_read(struct api_tokens **out, const char *path,
	struct ch_err *err);
void api_tokens_free(struct api_tokens *t);
/* The token's name, or NULL. Lives as long as t. */
const char *api_tokens_name(const struct api_tokens *t, struct ch_view token);

#endif
