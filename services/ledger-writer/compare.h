/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: the replayed tables held against the books', row by row and column
 * by column.
 *
 * Both are seen by one MVCC snapshot: the caller's transaction is REPEATABLE
 * READ and has replayed up to the cut of that snapshot.
 *
 * Thread: main.
 */
#ifndef LEDGER_COMPARE_H
#define LEDGER_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "session.h"

struct compare {
	struct session *session;
	/* Only what was so at this time already can be compared. */
	bool has_until;
	struct ch_time until;
	/* Postings of these batches were replayed: above high, and these. */
	int64_t batch_high;
	const int64_t *batches;
	size_t batch_count;
	int64_t shown;	/* differences printed of each table */
	int64_t differ; /* rows of all tables */
};

/* Compares every table, prints one line each and the differences below it.
 * 0 or a code of io/pg.h. */
int compare_all(struct compare *c, struct ch_err *err);

#endif
