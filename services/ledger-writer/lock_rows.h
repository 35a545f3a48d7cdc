/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_rows: the rows of a batch, locked and read: one statement a kind, in one
 * order in every writer (protocol section 3, step 4). What the answers say is
 * lock_answers'.
 *
 * Only kinds that the batch names are asked for, so a batch of transfers sends
 * no more than it needs.
 *
 * Private to lock.c. Thread: loop only.
 */
#ifndef LEDGER_LOCK_ROWS_H
#define LEDGER_LOCK_ROWS_H

#include "aside.h"
#include "load.h"
#include "session.h"

struct lock_rows {
	struct ch_pg_array org_ids, ids, small, places, texts, more_texts,
		uuids;
	struct ch_pg_array aside_holds, aside_reservations; /* as sent */
	struct aside aside;
	struct due_ref due_first; /* first due of the last batch */
};

/* Statements in the order in which they lock. */
enum lock_statement {
	LOCK_BALANCES,
	LOCK_STOCK,
	LOCK_DUE_HOLDS,
	LOCK_DUE_STOCK,
	LOCK_REVERSALS,
	LOCK_HOLDS,
	LOCK_RESERVATIONS,
	LOCK_ORDERS,
	LOCK_FILLS,
	LOCK_MARKETS,
	LOCK_HOLDINGS,
	LOCK_POSITIONS,
	LOCK_LOCKED,
	LOCK_TRADES,
	LOCK_STATEMENTS
};

/* So many positions with a lock are read for the skims of a batch; more, where
 * one account alone has them. */
#define LOCK_LOCKED_MOST 16384

/* One batch's rows, and where in the script each answer is. */
struct lock_plan {
	struct books *books;
	struct ch_arena *arena;
	size_t at[LOCK_STATEMENTS]; /* SIZE_MAX: not asked */
	struct account **accounts;  /* rows of balances, by number and shard */
	size_t account_count;
	struct sku **skus; /* by number */
	size_t sku_count;
	struct position **positions; /* whose accounts are known */
	size_t position_count;
	struct account **lockers; /* whose locks a skim may touch */
	size_t locker_count;
	size_t locked_most; /* rows of LOCK_LOCKED that are too many */
	struct market_payout **payouts; /* of the settlements, any order */
	size_t payout_count;
	bool shared_markets;
	struct ch_time due_until;
	int64_t due_max;
};

void lock_rows_init(struct lock_rows *k);
void lock_rows_free(struct lock_rows *k);
/* Sorts what is to be locked. */
void lock_rows_plan(struct lock_plan *p, struct books *b,
	struct ch_arena *arena);
/* Queues every statement, in their order. */
void lock_rows_queue(struct lock_rows *k, struct lock_plan *p,
	struct script *sc);
/* Queues what is due by p->due_until once more. */
void lock_rows_queue_due(struct lock_rows *k, struct lock_plan *p,
	struct script *sc);

#endif
