/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: the first half of a batch's transaction (protocol section 3, steps 2
 * to 5), in one round trip: the pause lock, pauses and rate rules, the fence of
 * every partition, the rows in one order (lock_rows.h), then the batch's number
 * and the ids that are known; where there are rate rules, a second one for
 * their windows.
 *
 * Invariant: every writer takes its locks in the order in which lock_take()
 * queues its statements, and by id within each, so that no two wait for each
 * other.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_LOCK_H
#define LEDGER_LOCK_H

#include "load.h"
#include "lock_rows.h"
#include "session.h"

enum lock_end {
	LOCK_HELD,   /* the batch may be decided */
	LOCK_AGAIN,  /* an owner is not locked: roll back, try again */
	LOCK_LARGE,  /* more rows than for one batch: roll back, try fewer */
	LOCK_DUE,    /* more is due than due_max: roll back, settle that */
	LOCK_FENCED, /* lock.fenced is not ours any more: roll back */
	LOCK_CLOCK,  /* the clock is wrong: roll back, decide nothing */
	LOCK_FAILED, /* err; see the session's failure */
};

struct locks {
	struct session *session;
	struct ch_arena arena; /* of the batch under way */
	struct lock_rows rows;
	struct ch_pg_array org_ids, uuids;
	struct batch_context context; /* for batch_decide() */
	struct partition *fenced;
	struct ch_time
		not_before; /* no decision is; 0: only the clock counts */
	int64_t lowest_day; /* kept in command_log, as last read */
	bool knows_lowest_day;
	struct ch_time theirs;	 /* PostgreSQL's clock, at the last look */
	int64_t clock_offset_us; /* ours less PostgreSQL's, at least; then */
};

void locks_init(struct locks *k, struct session *s);
void locks_free(struct locks *k);
/* BEGIN and all of it. due_max bounds what of each kind is settled: a load that
 * has nothing else to do settles so much, any other needs all of it settled
 * (LOCK_DUE). */
enum lock_end locks_take(struct locks *k, struct script *sc, struct load *l,
	int64_t due_max, struct ch_err *err);
/* BEGIN and the fence only, for records that touch no rows. */
enum lock_end locks_take_fence(struct locks *k, struct script *sc,
	struct load *l, struct ch_err *err);

/* The rows and rate rules only, for a batch of the log (replay): nothing is
 * drawn, no fence is moved, nothing due is looked for; context has the rules,
 * the caller adds number and time. In the caller's transaction. */
enum lock_end locks_take_rows(struct locks *k, struct script *sc,
	struct load *l, struct ch_err *err);

/* Looks at PostgreSQL's clock outside of a batch. false: err says how far off
 * ours is; true also when nobody answers. */
bool locks_clock_is_right(struct locks *k, struct ch_err *err);
/* Its clock was read (into k->theirs) between these two looks at ours: is ours
 * more than clock_tolerance off? err says how far. */
bool locks_clock_is_wrong(struct locks *k, struct ch_time before,
	struct ch_time after, struct ch_err *err);
/* Sets it aside until then; true: for the first time. */
bool locks_set_aside(struct locks *k, struct due_ref due,
	struct ch_mono back_at);
/* Queues the fence of each part: its offset moves behind its last record. One
 * row in each answer: the stream, its next log_seq, its last time. */
void locks_queue_fences(struct script *sc, const struct load_part *parts,
	size_t n);

#endif
