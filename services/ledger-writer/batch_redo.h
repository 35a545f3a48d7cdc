/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_redo: a batch of the log decided again, at the places that its rows
 * have there (replay).
 *
 * The rules are those of batch_decide(). What differs is what the log settles:
 * numbers are given instead of counted (between two rows of the log there were
 * answers, which take numbers too), and a refusal changes nothing but what the
 * gates counted, whatever the books say to it now.
 *
 * Thread: as batch.h. Pure.
 */
#ifndef LEDGER_WRITER_BATCH_REDO_H
#define LEDGER_WRITER_BATCH_REDO_H

#include "batch.h"

enum batch_stood {
	STOOD_APPLIED,
	STOOD_REFUSED, /* decided again to be compared, without effect */
	STOOD_ABSENT   /* it rests on absence: only what the gates count */
};

/* Where an entry stood. */
struct batch_place {
	enum batch_stood stood;
	int32_t pos;
	int64_t log_seq;
};

/*
 * As batch_decide(), after batch_reset() or with a fresh batch. places[i] is of
 * entry i; timers: of the first timer's row, NULL when there was none. What is
 * due and has no row in the log must be set_aside. An entry that the log has
 * applied and a gate or a rule refuses now has an answer (or a rejected row) in
 * out instead of a log row, as has a refusal that would be applied now.
 */
void batch_redo(struct batch *b, const struct batch_context *context,
	const struct batch_place *timers, const struct batch_place *places);

#endif
