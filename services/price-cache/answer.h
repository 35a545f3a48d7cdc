/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: the HTTP answer to a question: body and the headers about caching.
 *
 * The body depends on prices and their status only, not on the moment, so a
 * strong ETag can be made of it: a client that polls gets 304 until something
 * changed. How old the oldest price is stands in Age.
 *
 * Thread: any. Pure: `now` is passed in.
 */
#ifndef PRICE_CACHE_ANSWER_H
#define PRICE_CACHE_ANSWER_H

#include "desk.h"

#define ANSWER_DETAIL_MAX 320

struct answer {
	struct ch_buf body;
	char etag[24];
	char cache_control[64];
	char cache_status[96];
	char age[24];
	int64_t oldest_ms; /* of the prices that are not pinned; -1: none */
	int count[CACHE_MISSING + 1]; /* by status; missing is told as error */
	bool waited;
};

/* Appends to out->body, which the caller has cleared. */
void answer_render(struct answer *out, const struct desk *d,
	const struct question *q, struct moment now);
/* "hit", "miss", "coalesced", "stale", "error": for the metrics. */
const char *answer_result(const struct answer *a, const struct question *q);
/* Does an If-None-Match name this ETag? */
bool answer_matches(struct ch_view if_none_match, const char *etag);

enum ids_problem { IDS_OK, IDS_EMPTY, IDS_TOO_MANY, IDS_MALFORMED };
/* ids=a,b,c: at most max; repeated ones once. On anything but IDS_OK detail
 * says what is wrong, and the limit. */
enum ids_problem answer_parse_ids(struct ch_view text, size_t max,
	struct market_id *out, size_t *count, char detail[ANSWER_DETAIL_MAX]);
/* RFC 9457. */
void answer_problem(struct ch_buf *out, int status, const char *title,
	const char *detail);

#endif
