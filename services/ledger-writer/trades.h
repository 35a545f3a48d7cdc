/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trades: market.trades into trades_public, a row a trade however often it is
 * delivered, in the transaction that moves the offset.
 *
 * No rows are locked and nothing is decided: the fence, the rows, what could
 * not be stored into rejected, COMMIT.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_TRADES_H
#define LEDGER_TRADES_H

#include "apply.h"
#include "trade_load.h"

struct trades {
	struct apply *apply;
	struct ch_pg_array cols[14];
	size_t most;	/* entries in the next transaction; 0: all */
	unsigned alone; /* times that a single entry was refused */
	int64_t lowest_day;
};

void trades_init(struct trades *t, struct apply *apply);
void trades_free(struct trades *t);
/* Stores the front of the load and drops it from there. APPLY_DONE: some or
 * all of it; APPLY_AGAIN and APPLY_LATER as for commands. */
enum apply_end trades_store(struct trades *t, struct trade_load *l);

#endif
