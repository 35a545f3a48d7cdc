/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price_cache: the vocabulary of the service: which market, which upstream,
 * and why a price is not there.
 *
 * Thread: plain values; any.
 */
#ifndef PRICE_CACHE_H
#define PRICE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

#define MARKET_ID_LEN 32
#define MARKET_ID_TEXT 66 /* "0x" and 64 digits; without the NUL */

/* A market's condition id. */
struct market_id {
	uint8_t bytes[MARKET_ID_LEN];
};

/* "0x" and 64 hex digits of either case. */
bool market_id_parse(struct ch_view text, struct market_id *out);
/* Lower case, with its NUL. */
void market_id_format(const struct market_id *id, char out[MARKET_ID_TEXT + 1]);
bool market_id_eq(const struct market_id *a, const struct market_id *b);
/* For hash tables. Clients choose the ids, so it is keyed: a process sets its
 * own key before the first table is made (tests need not). */
void market_id_hash_key(uint64_t key);
uint32_t market_id_hash(const void *id);

enum market_state {
	MARKET_OPEN,
	MARKET_CLOSED,	/* trading has ended, the outcome is not known */
	MARKET_RESOLVED /* closed, and exactly one outcome is worth 1 */
};
const char *market_state_name(enum market_state s);

enum upstream_id { UPSTREAM_PRIMARY, UPSTREAM_FALLBACK, UPSTREAMS };
const char *upstream_name(enum upstream_id u); /* "primary", "fallback" */

/* Why an upstream gave no price; the last reason of an ask is told to the
 * client. */
enum reason {
	REASON_NONE,
	REASON_TIMEOUT,	     /* no answer in time */
	REASON_CONNECT,	     /* no connection, or TLS failed */
	REASON_STATUS,	     /* an HTTP status that is no answer */
	REASON_RATE_LIMITED, /* 429 */
	REASON_MALFORMED,    /* not the JSON that was agreed */
	REASON_TOO_LARGE,
	REASON_ABSENT,	     /* the upstream does not know the market */
	REASON_BREAKER_OPEN, /* not asked: it failed too often just now */
	REASON_BUDGET,	     /* not asked: too many second attempts */
	REASON_BUSY,	     /* not asked: too many calls under way */
	REASON_CANCELLED,    /* we are stopping */
	REASON_LATE,	     /* the client's budget ended first */
	REASONS
};
const char *reason_name(enum reason r); /* "timeout", ... */

/* One moment on both clocks. */
struct moment {
	struct ch_mono mono;
	struct ch_time wall;
};

#endif
