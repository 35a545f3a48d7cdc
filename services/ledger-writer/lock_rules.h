/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_rules: what operators have ruled, as it holds for one batch: pauses, rate
 * rules, and the windows of those rules, which are rows that are locked.
 *
 * Memory is the arena's that is given. Failure: CH_EPROTO, an answer of another
 * form than ours.
 *
 * Private to lock.c. Thread: loop only.
 */
#ifndef LEDGER_LOCK_RULES_H
#define LEDGER_LOCK_RULES_H

#include "batch.h"
#include "session.h"

struct lock_rules {
	struct ch_arena *arena;
	struct batch_context *context; /* gets them */
	size_t pauses, rates; /* where in the script; SIZE_MAX: not asked */
};

void lock_rules_queue(struct lock_rules *k, struct script *sc);
/* Without the pauses: what a replay decides anew was let through. */
void lock_rules_queue_rates(struct lock_rules *k, struct script *sc);
int lock_rules_load(const struct lock_rules *k, const struct script *sc,
	struct ch_err *err);

/* Windows are locked by organisation, rule and subject, in every writer. */
struct lock_windows {
	struct rate_window **items;
	size_t at; /* in the script */
};

/* Of every window that the books name. */
void lock_windows_queue(struct lock_windows *w, struct books *b,
	struct ch_arena *arena, struct script *sc);
int lock_windows_load(const struct lock_windows *w, struct books *b,
	const struct script *sc, struct ch_err *err);

#endif
