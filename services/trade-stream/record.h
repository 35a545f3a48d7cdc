/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: one trade as it goes to the topic market.trades.
 *
 * Made on the network thread, handed through the queue to the main thread, and
 * kept there until Kafka has acknowledged it: one allocation for its whole
 * way. schema/messages/market.trade.json says what the value looks like.
 *
 * Ownership: record_new() allocates, whoever holds it calls free().
 * Thread: belongs to one thread at a time. Pure.
 */
#ifndef TRADE_STREAM_RECORD_H
#define TRADE_STREAM_RECORD_H

#include <stddef.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"
#include "trade_stream.h"

enum record_state {
	RECORD_WAITING, /* to be sent (again) */
	RECORD_SENT,	/* Kafka has not reported yet */
	RECORD_DELIVERED,
	RECORD_REJECTED /* can never be accepted; counted */
};

struct record {
	enum record_state state; /* publish.c's */
	char key[HASH_TEXT_MAX]; /* the condition id */
	struct ch_mono received; /* when its frame came */
	size_t len;
	char value[]; /* JSON, len bytes */
};

/* scratch: a buffer to write in, reused from call to call. */
struct record *record_new(const struct trade *trade, struct ch_sha256 id,
	struct ch_mono received, struct ch_buf *scratch);
/* What it costs in memory, for the queue's bound. */
size_t record_bytes(const struct record *r);

#endif
