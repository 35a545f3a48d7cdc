/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_tokens: who may see and change dead letters over HTTP, from a file.
 *
 *	# people, one a line
 *	ann:2Rk8vT0pXw5mJ4sQb7dZ
 *	wall:9Lq3cY6nHa1eUf8gKz0D:read
 *
 * The name is the actor of audit rows; who has ":read" changes nothing. The file must be the reader's own
 * secret: mode 0600 or 0400. Only digests are kept; a token is compared with
 * all of them, without a difference in time.
 *
 * Bounded: TOKENS_MAX lines, tokens of 20 to 256 bytes.
 *
 * Thread: any, after it was read.
 */
#ifndef RELAY_API_TOKENS_H
#define RELAY_API_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define API_TOKENS_MAX 256
#define API_NAME_MAX 64

struct api_tokens;

struct api_bearer {
	char name[API_NAME_MAX + 1];
	bool reads_only;
};

/* CH_ECONFIG names the path, the line and what is wrong; never a token. The
 * caller's. */
int api_tokens_read(struct api_tokens **out, const char *path,
	struct ch_err *err);
void api_tokens_free(struct api_tokens *t);
/* Whose token it is, or NULL. Lives as long as t. */
const struct api_bearer *api_tokens_find(const struct api_tokens *t,
	struct ch_view token);

#endif
