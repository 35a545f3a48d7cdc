/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: what one message of the feed says.
 *
 * The venue documents neither the topic nor its fields, so the decoder takes
 * exactly what was recorded (notes/market-feed.md, section 1.4) and refuses
 * everything else with a reason: a row that is published is right in every
 * field. Members that it does not know are ignored; texts that users of the
 * venue wrote are cut to a cap, since a long title is no reason to lose a
 * trade.
 *
 * Ownership: the trade's views point into text and arena.
 * Thread: any; the arena belongs to one. Pure.
 */
#ifndef TRADE_STREAM_FRAME_H
#define TRADE_STREAM_FRAME_H

#include <stdbool.h>

#include "base/mem.h"
#include "trade_stream.h"

#define FRAME_MAX 65536	      /* bytes of one message; recorded: 860 */
#define FRAME_OUTCOME_MAX 128 /* bytes; longer texts are cut */
#define FRAME_TITLE_MAX 512
#define FRAME_SLUG_MAX 256
#define FRAME_FUTURE_S 300 /* a trade may be this far ahead of our clock */

enum frame_kind {
	FRAME_TRADE,
	FRAME_KEEPALIVE, /* "", white space, PING, PONG */
	FRAME_NOTICE,	 /* an object without a topic: the server's own words,
			    most often about our subscription */
	FRAME_IGNORED,	 /* a topic or type that we did not ask for */
	FRAME_REFUSED,
	FRAME_KINDS
};

enum frame_reason {
	FRAME_OK,
	FRAME_TOO_LARGE,
	FRAME_NOT_JSON, /* also: bad UTF-8, a name twice, too deep */
	FRAME_NOT_OBJECT,
	FRAME_NO_PAYLOAD,
	FRAME_BAD_SENT_TIME,
	FRAME_BAD_WALLET,
	FRAME_BAD_CONDITION,
	FRAME_BAD_TX,
	FRAME_BAD_ASSET,
	FRAME_BAD_SIDE,
	FRAME_BAD_PRICE,
	FRAME_BAD_SIZE,
	FRAME_BAD_TRADE_TIME,
	FRAME_BAD_OUTCOME,
	FRAME_BAD_TEXT,
	FRAME_REASONS
};

struct frame {
	enum frame_kind kind;
	enum frame_reason reason; /* FRAME_OK unless refused */
	bool cut;		  /* a text was longer than its cap */
	struct trade trade;	  /* when kind is FRAME_TRADE */
};

/* now: the wall clock, against trades from the future. Returns out->kind. */
enum frame_kind frame_decode(struct ch_arena *arena, struct ch_view text,
	struct ch_time now, struct frame *out);

/* For metric labels and logs: "trade", "refused"; "bad_price". */
const char *frame_kind_name(enum frame_kind kind);
const char *frame_reason_name(enum frame_reason reason);

#endif
