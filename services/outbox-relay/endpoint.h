/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: where webhooks go, read from a file at start.
 *
 *	[billing]
 *	url = https://billing.example/hooks
 *	aggregatetype = order, payment.*
 *	type = *
 *	secret_file = /etc/outbox-relay/billing.keys
 *
 * One section an endpoint; `#` begins a comment line; `*` in a pattern stands
 * for any text. docs/operator.md has every key. Secrets, templates, headers and
 * secret URLs stand in files of their own.
 *
 * Thread: constant once read.
 */
#ifndef RELAY_ENDPOINT_H
#define RELAY_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "signature.h"
#include "template.h"

#define ENDPOINT_NAME_MAX 40
#define ENDPOINTS_MAX 64
#define ENDPOINT_PATTERNS_MAX 32
#define ENDPOINT_HEADERS_MAX 16
#define ENDPOINT_CONCURRENCY_MAX 64

enum endpoint_body {
	ENDPOINT_STANDARD, /* {"type", "timestamp", "data"} */
	ENDPOINT_PAYLOAD   /* the payload as it is */
};

struct endpoint {
	char name[ENDPOINT_NAME_MAX + 1];
	char target[ENDPOINT_NAME_MAX + 9]; /* "webhook:<name>": its letters' */
	char *url;
	char *aggregatetypes[ENDPOINT_PATTERNS_MAX + 1]; /* ends with NULL */
	char *types[ENDPOINT_PATTERNS_MAX + 1];		 /* ends with NULL */
	char *headers[ENDPOINT_HEADERS_MAX + 1]; /* lines; ends with NULL */
	struct signature_key keys[SIGNATURE_KEYS];
	size_t key_count; /* 0: not signed, as asked for */
	enum endpoint_body body;
	struct template *template; /* NULL: none */
	char *content_type;
	int64_t timeout_ms, backoff_ms, backoff_max_ms, quota_max_ms;
	int concurrency, attempts;
	bool blocks; /* later events of a dead one's key wait */
	bool allow_http, allow_private;
};

struct endpoints {
	struct endpoint *items;
	size_t count;
};

/* CH_ECONFIG names file and line, the value, the limit and what to do. Opens
 * the files that are named. *out is the caller's: endpoints_free(). */
int endpoints_read(const char *path, struct endpoints *out, struct ch_err *err);
/* The same of a text; path is only named. */
int endpoints_parse(struct ch_view text, const char *path,
	struct endpoints *out, struct ch_err *err);
void endpoints_free(struct endpoints *e);
/* Does the endpoint want events like this? */
bool endpoint_wants(const struct endpoint *e, struct ch_view aggregatetype,
	struct ch_view type);

#endif
