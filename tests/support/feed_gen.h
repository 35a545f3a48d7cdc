/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_gen: a market feed made from a seed, with the shape of the real one.
 *
 * Shape after the recorded sets (notes/market-feed.md, sections 1.4 and 1.6):
 * rows per transaction 1: 4336, 2: 1655, 3: 286, 4: 103, a tail to 31; each
 * transaction sends one orders_matched row (the taker) and then its trades
 * rows; makers are mirrored on the other outcome at 1 - p or stand on the
 * other side at p; 1 row in 200 is followed by a fill equal to it in every
 * field; prices of up to 10 decimals, sizes of up to 6, wallets in mixed case,
 * fee in 4 of 10.
 *
 * The same seed gives the same rows; only the time stamps are the caller's.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef TEST_FEED_GEN_H
#define TEST_FEED_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

#define FEED_ROWS_MAX 40 /* frames of one transaction at most */

struct feed_row {
	bool orders_matched;
	unsigned market;
	int outcome; /* 0 or 1 */
	bool sell;
	char wallet[43]; /* mixed case, as in the frame */
	char tx[67];
	char price[24]; /* as in the frame */
	char size[24];
	int64_t traded_s;
	int64_t sent_ms;
};

/* A market of a seed; the same for whoever asks with that seed. */
struct feed_market {
	char condition[67];
	char asset[2][80];
	char title[80];
	char slug[64];
	const char *outcome[2];
};

struct feed_gen;

struct feed_gen *feed_gen_new(uint64_t seed, unsigned markets,
	unsigned wallets);
void feed_gen_free(struct feed_gen *g);
struct feed_market feed_gen_market(const struct feed_gen *g, unsigned index);
/* The wallet of that number, in lower case. */
void feed_gen_wallet(const struct feed_gen *g, unsigned index, char out[43]);

/* Makes the next transaction, stamped at; returns the number of rows. Row 0
 * is the orders_matched one. */
int feed_gen_transaction(struct feed_gen *g, struct ch_time at,
	struct feed_row rows[FEED_ROWS_MAX]);
/* Appends the row's frame as the venue would send it. */
void feed_gen_frame(struct feed_gen *g, const struct feed_row *row,
	struct ch_buf *out);

#endif
