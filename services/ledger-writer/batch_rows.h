/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_rows: one decision turned into the rows that must be written: numbered
 * (pos in the batch, log_seq in the stream), its answer and events written.
 *
 * Private to batch*.c. Thread: as batch.h.
 */
#ifndef LEDGER_WRITER_BATCH_ROWS_H
#define LEDGER_WRITER_BATCH_ROWS_H

#include "batch.h"
#include "result.h"

/* The decision itself is batch->ruling. */
struct writing {
	struct batch *batch;
	const struct batch_context *context;
	size_t stream; /* index */
};

/* Room for one more element: doubles the array. */
void *batch_more(void *array, size_t count, size_t *cap, size_t size);

void batch_rows_log(struct writing *w, const struct batch_entry *e);
void batch_rows_answer(struct writing *w, const struct batch_entry *e);
void batch_rows_duplicate(struct writing *w, const struct batch_entry *e);
/* To `rejected`, and an answer (`invalid`; of a fact, why it was not applied)
 * where somebody can be named. */
void batch_rows_rejected(struct writing *w, const struct batch_entry *e);

/* A row that nobody sent: an expiry, a page of a settlement. */
struct timer_row {
	const char *type; /* static */
	struct org *org;
	struct ch_uuid id;
	struct ch_view payload;	 /* canonical JSON without the id */
	const struct row *owner; /* whose key the record has */
};
void batch_rows_timer(struct writing *w, const struct timer_row *t);

/* What scratch holds, kept for this decision's rows; scratch is empty then. */
struct ch_view batch_rows_keep(struct batch *b);

#endif
