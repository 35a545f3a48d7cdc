/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinal: the identity of fills that are equal in every field.
 *
 * One transaction may hold several fills of the same wallet, asset, side,
 * price and size (0.5 % of recorded rows); the feed numbers none of them. So
 * the n-th row of equal content on ONE connection is fill number n, and
 *
 *	trade_id = SHA-256("countinghouse.trade.1\n" tx "\n" wallet "\n" asset
 *		"\n" side "\n" price "\n" size "\n" space "\n" ordinal "\n")
 *
 * with lower-case hex, the shortest spelling of price and size, and ordinals
 * from 0. The space is the message type whose rows are counted: `trades` and
 * `orders_matched` send the same taker fill each in its own way and never
 * touch each other's ordinals. Backfill counts in the space `trades`.
 *
 * Over connections the counts merge as the maximum of a multiset: a connection
 * that brings rows again counts them from 0 again, gets the ordinals they had,
 * and only what goes beyond the largest count so far is new. The same session
 * delivered twice therefore gives the same ids, and so does a process that
 * starts anew.
 *
 * What this cannot see: two equal fills of which each came on another
 * connection only. They get one id; a backfill, which sees both at once, adds
 * the second. Counting too few is repairable, counting double is not.
 *
 * Memory: bounded by number and by age since the last sighting. Forgetting is
 * safe: rows of one transaction lie seconds apart, and a fill seen again later
 * gets the id that it had.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef TRADE_STREAM_ORDINAL_H
#define TRADE_STREAM_ORDINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "trade_stream.h"

#define ORDINAL_KEY_LEN 16

/* Content of a row: equal fills of one space have equal keys. */
struct ordinal_key {
	uint8_t bytes[ORDINAL_KEY_LEN];
};

struct ordinal_taken {
	uint32_t ordinal;
	bool repeated; /* this fill was seen before, on another connection */
};

struct ordinal_table;

/* max_keys >= 1; window_ms > 0 since a key was last seen. */
struct ordinal_table *ordinal_new(size_t max_keys, int64_t window_ms);
void ordinal_free(struct ordinal_table *t);

struct ordinal_key ordinal_key_of(const struct trade *trade);
/* The next ordinal of key on this connection (numbers never reused, rising).
 * At most two connections are told apart at a time. */
struct ordinal_taken ordinal_take(struct ordinal_table *t, uint64_t connection,
	const struct ordinal_key *key, struct ch_mono now);
/* Takes back the last ordinal of key on this connection, which was not a
 * repeated one: its row could not be handed on, so it may still come. */
void ordinal_give_back(struct ordinal_table *t, uint64_t connection,
	const struct ordinal_key *key);
size_t ordinal_count(const struct ordinal_table *t);

/* The trade_id. */
struct ch_sha256 ordinal_trade_id(const struct trade *trade, uint32_t ordinal);

#endif
