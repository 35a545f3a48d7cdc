/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: one record against the gates and the books: all the rules at once.
 *
 * decide.c holds the two tables that a reviewer looks for: the gates in their
 * order, and the rule of each type. The precedence of refusals by the books is
 * the order of enum ledger_status (ledger.h).
 *
 * Thread: belongs to one thread. Pure: time is in the context.
 */
#ifndef LEDGER_WRITER_DECIDE_H
#define LEDGER_WRITER_DECIDE_H

#include "batch.h"
#include "ruling.h"

/* What becomes of a record. */
enum decision {
	DECISION_REJECT,    /* rejected, and answered where an id can be read */
	DECISION_ANSWER,    /* answered; the id is not taken */
	DECISION_DUPLICATE, /* the stored answer again */
	DECISION_LOG	    /* logged and answered; the id is taken for good */
};

/*
 * Decides on the running rows. Afterwards r tells status, reason, postings and
 * events, and the books hold the command's changes (of a refused one: what the
 * rate gate counted), still to be taken back: the caller writes the answer,
 * then books_keep() for DECISION_LOG, else books_undo().
 */
enum decision decide_entry(struct ruling *r, struct books *books,
	const struct batch_entry *entry, const struct batch_context *context,
	const struct batch_stream *stream);

#endif
