/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walletset: the wallets whose trades are wanted.
 *
 * Made whole from a text and never changed afterwards, so that any thread may
 * read it; a reload makes a new one. One wallet a line, "0x" and 40 hex digits
 * of either case; blank lines, and '#' to the end of a line, are skipped.
 *
 * Thread: make and free one; read any. Pure.
 */
#ifndef TRADE_STREAM_WALLETSET_H
#define TRADE_STREAM_WALLETSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "trade_stream.h"

struct walletset;

/* 0, or CH_EINVAL with the line and what is wrong with it; also for a text
 * that names no wallet at all, which would publish nothing. seed spreads the
 * table, since anyone can choose an address. */
int walletset_parse(struct walletset **out, struct ch_view text, uint64_t seed,
	struct ch_err *err);
void walletset_free(struct walletset *set);
bool walletset_has(const struct walletset *set, const uint8_t key[WALLET_LEN]);
size_t walletset_count(const struct walletset *set); /* distinct wallets */

#endif
