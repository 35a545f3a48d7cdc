/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walletfile: the file of watched wallets.
 *
 * Thread: any; reads a file, so never on the network thread.
 */
#ifndef TRADE_STREAM_WALLETFILE_H
#define TRADE_STREAM_WALLETFILE_H

#include "base/err.h"
#include "walletset.h"

#define WALLETFILE_MAX (64u << 20) /* bytes: about 1.4 million wallets */

/* *out is the set, or NULL when path is "" (all wallets). CH_ECONFIG, with the
 * path in the text, when it cannot be read, is too large, or is wrong; *out is
 * then as it was. The caller frees the set. */
int walletfile_read(struct walletset **out, const char *path,
	struct ch_err *err);

#endif
