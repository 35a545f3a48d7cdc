/* SPDX-License-Identifier: Apache-2.0 */
/*
 * section: one endpoint's section of the file of webhooks, as it stands there:
 * a text under each key, and the line that it is from.
 *
 * What is refused names file, line, key, value and what to do: CH_ECONFIG.
 *
 * Thread: belongs to one thread.
 */
#ifndef RELAY_SECTION_H
#define RELAY_SECTION_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "endpoint.h"

enum section_key {
	SECTION_URL,
	SECTION_URL_FILE,
	SECTION_AGGREGATETYPE,
	SECTION_TYPE,
	SECTION_SECRET_FILE,
	SECTION_SECRET_FILE_NEXT,
	SECTION_SIGN,
	SECTION_HEADER_FILE,
	SECTION_BODY,
	SECTION_TEMPLATE_FILE,
	SECTION_CONTENT_TYPE,
	SECTION_TIMEOUT,
	SECTION_CONCURRENCY,
	SECTION_ATTEMPTS,
	SECTION_BACKOFF,
	SECTION_BACKOFF_MAX,
	SECTION_QUOTA_MAX,
	SECTION_POLICY,
	SECTION_ALLOW_HTTP,
	SECTION_ALLOW_PRIVATE,
	SECTION_KEYS
};

/* One section as it stands in the file. */
struct section {
	const char *path;
	char name[ENDPOINT_NAME_MAX + 1]; /* "": before the first one */
	int line;
	char *texts[SECTION_KEYS]; /* NULL: not given */
	int lines[SECTION_KEYS];
};

/* An empty one of the same file. */
void section_clear(struct section *s);
/* [name] in line `number`: what is there begins anew. */
int section_begin(struct section *s, struct ch_view line, int number,
	struct ch_err *err);
/* key = value. */
int section_add(struct section *s, struct ch_view line, int number,
	struct ch_err *err);

/* As given, else the default. */
const char *section_text(const struct section *s, enum section_key k);
int section_refuse(const struct section *s, enum section_key k,
	struct ch_err *err, const char *what);
/* Of anything that its row can judge: numbers, durations, words, URLs. */
int section_number(const struct section *s, enum section_key k, int64_t *out,
	struct ch_err *err);
/* Of a URL that stands under the key, or in the file that the key names. */
int section_url(const struct section *s, enum section_key k, const char *url,
	struct ch_err *err);
/* Adds the content of the file that is named, which may be a secret. */
int section_file(const struct section *s, enum section_key k,
	struct ch_buf *out, struct ch_err *err);

#endif
