/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_lock_rows: the rows of a batch in a simulation: locked, and read, in the
 * order of lock_rows.c and lock_answers.c (lock_rows_queue(), loaders[]).
 *
 * Each call is part of a script (twin_pg.h): 0, or the code of a connection
 * that is gone, or of a lock that was waited for too long. Nothing is given
 * back then: the server does that with the transaction.
 *
 * Private to twin_lock.c. Thread: one.
 */
#ifndef TESTS_SIM_TWIN_LOCK_ROWS_H
#define TESTS_SIM_TWIN_LOCK_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "mem_rows.h"
#include "server.h"

struct due_row;
struct due_list {
	struct due_row *rows; /* by deadline */
	size_t count;
};

/* The transaction under way. */
struct taking {
	struct locks *k;
	struct session *s;
	struct world *world;
	struct server *server;
	struct load *l;
	struct books *books;
	struct ch_err *err;
	struct ch_time began;
	int64_t due_max, due_until;
	struct due_list due[2]; /* holds, reservations */
	bool due_is_cut;
	bool locks, loads; /* both, unless BUG_DECIDES_UNLOCKED */
	bool again;	   /* a row names an owner that is not locked */
	struct partition *fenced;
};

/* All of the batch that are stored. t->again: one names an owner that is not
 * locked. */
int twin_lock_rows(struct taking *t);
/* The windows of its rates, which are known later. */
int twin_lock_rates(struct taking *t);

/* The row as the server has it; NULL: it has none. */
struct mem_row *twin_lock_stored(struct taking *t, const struct row *row);
/* Is it due, and not to be settled now? */
bool twin_lock_is_aside(const struct taking *t, const struct row *row);

#endif
