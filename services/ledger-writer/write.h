/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write: the second half of a batch's transaction (protocol section 3, step
 * 7): everything that was decided, as sets, each touched row once, then the
 * partitions' next numbers. The COMMIT is apply.c's.
 *
 * Tables come in one order in every writer, and rows within a table in the
 * order of their unique key, so that writers that meet on a key wait for each
 * other instead of deadlocking.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_WRITE_H
#define LEDGER_WRITE_H

#include "load.h"
#include "lock.h"
#include "name_cache.h"
#include "session.h"

/* Numbers drawn ahead from a sequence, good for the connection that drew them:
 * another server may draw them again. Gaps are harmless. */
struct number_pool {
	int64_t *numbers;
	size_t count, cap;
};
#define POOLS 7 /* kinds of rows with numbers of their own */

struct writer {
	struct session *session;
	struct name_cache *cache; /* told where rows are now */
	struct number_pool pools[POOLS];
	uint64_t connection; /* that drew them */
};

void writer_init(struct writer *w, struct session *s, struct name_cache *cache);
void writer_free(struct writer *w);
/* Inside the transaction that `locks` began. 0 or a code of io/pg.h. */
int writer_write(struct writer *w, struct script *sc, struct load *l,
	const struct locks *locks, struct ch_err *err);
/* The rows of the books and the postings, without log, answers and events: of
 * a batch that is in the log already. */
int writer_write_books(struct writer *w, struct script *sc, struct load *l,
	const struct locks *locks, struct ch_err *err);

#endif
