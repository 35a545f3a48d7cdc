/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_answers: what the statements of lock_rows answered, read into the books.
 *
 * Invariant: a row counts as loaded when its answer was read whole, so that a
 * form which is not ours decides nothing.
 * Failure: CH_EPROTO, with what was not understood; 1 where the batch must begin
 * again.
 *
 * Private to lock.c. Thread: loop only.
 */
#ifndef LEDGER_LOCK_ANSWERS_H
#define LEDGER_LOCK_ANSWERS_H

#include "lock_rows.h"

/* Reads the answers into the books. 0; 1: a row names an owner that is not
 * locked, or a lock was too weak: again (err says why); or a code. */
int lock_answers_load(struct lock_rows *k, struct lock_plan *p,
	const struct script *sc, struct ch_err *err);
/* Have the skims more positions with a lock than locked_most allows? Then the
 * answers are not whole, and not to be loaded. */
bool lock_answers_locked_is_cut(const struct lock_plan *p,
	const struct script *sc);
/* Is more due by `at` than due_max of a kind, as far as the answers tell? */
bool lock_answers_due_is_cut(const struct lock_plan *p, const struct script *sc,
	struct ch_time at);
/* Reads what is due by `at`, after the rest. */
int lock_answers_load_due(struct lock_rows *k, struct lock_plan *p,
	const struct script *sc, struct ch_time at, struct ch_err *err);
/* Rows found under their name only count as there once all were asked for. */
void lock_answers_name_missing(const struct books *b, struct ch_err *err);

#endif
