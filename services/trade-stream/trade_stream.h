/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade_stream: the vocabulary of the service: one trade row of the feed.
 *
 * A trade is what frame.c has read and checked; every text in it has the one
 * spelling that the rest of the service works with (lower-case hex, plain
 * decimals). Its views live as long as the frame and the arena it was read
 * with.
 *
 * Thread: plain values; any.
 */
#ifndef TRADE_STREAM_H
#define TRADE_STREAM_H

#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

#define WALLET_LEN 20	       /* bytes of an address */
#define WALLET_TEXT_MAX 43     /* "0x", 40 digits, NUL */
#define HASH_TEXT_MAX 67       /* "0x", 64 digits, NUL */
#define ASSET_DIGITS_MAX 78    /* of 2^256 - 1 */
#define DECIMAL_TEXT_MAX 41    /* 40 characters and NUL */
#define OUTCOME_INDEX_NONE 999 /* the venue's own "no outcome" */

/* Which message type a row came as. */
enum trade_source {
	TRADE_TRADES,	      /* taker and every maker */
	TRADE_ORDERS_MATCHED, /* the taker, once a transaction */
	TRADE_SOURCES
};

enum trade_side { TRADE_BUY, TRADE_SELL };

struct trade {
	enum trade_source source;
	enum trade_side side;
	uint8_t wallet_key[WALLET_LEN];
	char wallet[WALLET_TEXT_MAX];
	char condition[HASH_TEXT_MAX];
	char tx[HASH_TEXT_MAX];
	struct ch_view asset;
	/* Plain decimal text: as sent, or the same number written out where
	 * the feed used an exponent. */
	char price[DECIMAL_TEXT_MAX];
	char size[DECIMAL_TEXT_MAX];
	/* The same numbers in their one shortest spelling, for identity. */
	char price_key[DECIMAL_TEXT_MAX];
	char size_key[DECIMAL_TEXT_MAX];
	struct ch_view outcome; /* these three may be cut, see frame.h */
	struct ch_view title;
	struct ch_view slug;
	int outcome_index;
	struct ch_time traded_at; /* whole seconds */
	struct ch_time sent_at;	  /* whole milliseconds, the envelope's */
};

/* "trades", "orders_matched". */
const char *trade_source_name(enum trade_source source);
const char *trade_side_name(enum trade_side side);

#endif
