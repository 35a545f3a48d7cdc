/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade: one record of market.trades, read strictly.
 *
 * Thread: any. Pure. Views point into the record or the arena.
 */
#ifndef LEDGER_TRADE_H
#define LEDGER_TRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct trade {
	uint8_t trade_id[32];
	struct ch_time traded_at;
	struct ch_view condition_id;
	struct ch_view asset;
	struct ch_view wallet;
	struct ch_view side;
	struct ch_view price; /* decimal text, as the feed sent it */
	struct ch_view size;
	struct ch_view outcome; /* "" when absent */
	struct ch_view tx_hash;
	struct ch_view source;
};

/* false with err: which field, and what is wrong with it. Members that are not
 * stored are not looked at. */
bool trade_decode(struct ch_arena *arena, struct ch_view value,
	struct trade *out, struct ch_err *err);

#endif
