/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: from a message of the feed to a record in the queue to Kafka.
 *
 *	filter -> frame -> wallet set -> published type? -> ordinal -> record
 *
 * Nothing here waits. The queue is bounded by count and by bytes; rows of
 * unwatched wallets never enter it, so whatever finds it full is a watched
 * row: that row is lost, counted, and ROWS_FULL asks the owner to close the
 * connection, since a gap with a name is better than a quiet one.
 *
 * Thread: network, but rows_new() and rows_free().
 */
#ifndef TRADE_STREAM_ROWS_H
#define TRADE_STREAM_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ring.h"
#include "meters.h"
#include "walletset.h"

struct rows_options {
	const struct ch_clock *clock;
	struct meters *meters;
	struct ch_ring *queue; /* of struct record; not owned */
	bool publish[TRADE_SOURCES];
	int64_t identity_window_ms;
	int64_t identity_keys;
};

enum rows_verdict {
	ROWS_DATA,  /* the message was a trade row, watched or not */
	ROWS_OTHER, /* it was anything else */
	ROWS_FULL   /* a watched row, and there was no room */
};

struct rows;

/* wallets: NULL for all; stays the caller's. */
struct rows *rows_new(const struct rows_options *opt,
	const struct walletset *wallets);
void rows_free(struct rows *r);
void rows_watch(struct rows *r, const struct walletset *wallets);
/* connection: its number, rising. *source is set with ROWS_DATA and
 * ROWS_FULL. */
enum rows_verdict rows_take(struct rows *r, uint64_t connection,
	struct ch_view message, enum trade_source *source);

#endif
