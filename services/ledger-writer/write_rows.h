/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_rows: what the functions of write.c's tables share. Each writes one
 * table; write.c says in which order.
 *
 * write_new.c: rows that the batch made. write_decided.c: log, answers,
 * postings, events. write_changed.c: rows that were there, once each.
 *
 * Private to write*.c. Thread: loop only.
 */
#ifndef LEDGER_WRITE_ROWS_H
#define LEDGER_WRITE_ROWS_H

#include "load.h"
#include "session.h"

struct writing_tables {
	struct script *script;
	struct load *load;
	struct books *books;
	int64_t number;
	struct ch_time at;
	struct ch_err *err;
	struct account **moved; /* rows of balances in their UPDATE's order */
	size_t moved_count;
	size_t moved_at; /* its answer in the script */
};

typedef int write_fn(struct writing_tables *w);
write_fn write_assets, write_accounts, write_balances, write_skus, write_stock,
	write_holds, write_reservations, write_reversals, write_orders,
	write_fills, write_markets, write_positions, write_trades, write_rates;
write_fn write_log, write_answers, write_rejected, write_postings, write_outbox;

/* Queued into the script; answers are not looked at. */
void write_changes(struct writing_tables *w);

#endif
