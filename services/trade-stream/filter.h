/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: throws out frames of unwatched wallets by their bytes, before
 * anything is parsed.
 *
 * Where a few wallets of a busy feed are watched, almost every frame is
 * somebody else's. The filter only ever says "unwatched" of a frame that has
 * the exact form of the recorded ones, with one wallet in it; anything else is
 * left to frame.c. It cannot be fooled from inside a text: a quote there is
 * escaped, so the member `"proxyWallet":"0x` never appears in one.
 *
 * Thread: any. Pure.
 */
#ifndef TRADE_STREAM_FILTER_H
#define TRADE_STREAM_FILTER_H

#include <stdbool.h>

#include "base/str.h"
#include "trade_stream.h"
#include "walletset.h"

/* Is this a trade row of a wallet outside of set? Then *source is its type.
 * false: not so, or not sure. */
bool filter_is_unwatched(const struct walletset *set, struct ch_view text,
	enum trade_source *source);

#endif
