/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redo: one batch of the log decided again, on the rows of the schema that the
 * connection's search_path names, and its answers held against the log's.
 *
 * The way is apply.c's: names, rows locked and read, the deciding half, the
 * writes. Number, time, places and timers are the log's (batch_redo.h), and so
 * are refusals that rest on absence; nothing is drawn, fenced, or written to a
 * log. In the caller's transaction.
 *
 * Thread: main.
 */
#ifndef LEDGER_REDO_H
#define LEDGER_REDO_H

#include "batch_redo.h"
#include "history.h"
#include "load.h"
#include "lock.h"
#include "names.h"
#include "write.h"

struct redo_counts {
	int64_t batches;
	int64_t rows;	 /* of the log */
	int64_t applied; /* commands and timers, decided again */
	int64_t refused; /* the same of refusals, compared */
	int64_t absent;	 /* taken from the log */
	int64_t differ;	 /* answers that are not the log's */
	int64_t postings;
};

/* What the log has, what came of deciding again, and in which way they are
 * not the same. */
struct redo_difference {
	struct ch_view stored;
	struct ch_view replayed;
	const char *why;
};

struct redo {
	struct session *session;
	struct names names;
	struct locks locks;
	struct writer writer;
	struct script script;
	struct load *load;
	struct batch_place *places;    /* of the batch's entries */
	const struct history_row **of; /* the row of each entry */
	size_t cap;
	const struct history_row **timers; /* the batch's, in their order */
	size_t timer_count, timer_cap;
	struct ch_arena arena; /* of the batch under way */
	bool has_rules;	       /* rate rules are in force */
	int32_t org_known;     /* organisations up to this number are there */
	struct redo_counts counts;
	/* Called for each row that differs. replayed.len 0: nothing of it was
	 * made, and why says what happened instead. */
	void (*differs)(void *ctx, const struct history_row *row,
		const struct redo_difference *d);
	void *ctx;
};

void redo_init(struct redo *r, struct session *s);
void redo_free(struct redo *r);
/* All rows of one batch. 0 or a negative code. */
int redo_batch(struct redo *r, const struct history_row *rows, size_t n,
	struct ch_err *err);

#endif
