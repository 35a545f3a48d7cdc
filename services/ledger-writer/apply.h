/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: one load, one transaction (protocol section 3): names, locks, the
 * decision in memory, the writes, COMMIT.
 *
 * Whatever goes wrong, the transaction is rolled back, the load keeps its
 * records, and the answer says what the loop should do next. Only COMMIT can
 * leave a doubt: then the connection is given up, and the claim that follows
 * settles it (fence.h).
 *
 * Thread: loop only.
 */
#ifndef LEDGER_APPLY_H
#define LEDGER_APPLY_H

#include "fence.h"
#include "load.h"
#include "lock.h"
#include "names.h"
#include "write.h"

enum apply_end {
	APPLY_DONE,   /* committed */
	APPLY_AGAIN,  /* decide again at once, after a poll */
	APPLY_LATER,  /* the same after some waiting */
	APPLY_DUE,    /* more is due than fits: sweep_owners(), decide again */
	APPLY_LARGE,  /* batch.fits of its entries are to be tried alone */
	APPLY_FENCED, /* a partition was taken away: filter the load */
	APPLY_DOWN,   /* the connection is gone */
	APPLY_ROWS,   /* PostgreSQL refuses something in the rows themselves */
};

/* Days whose partitions the rows at hand need. */
struct day_list {
	int64_t *days;
	size_t count, cap;
};

enum apply_phase {
	PHASE_POLL, /* observed by loop.c */
	PHASE_NAMES,
	PHASE_LOCK,
	PHASE_DECIDE,
	PHASE_WRITE,
	PHASE_COMMIT,
	PHASES
};

struct apply {
	const struct ch_runtime *rt;
	struct session *session;
	struct fence *fence;
	struct names names;
	struct locks locks;
	struct writer writer;
	struct script script;
	struct day_list days; /* for apply_failed() */
	unsigned conflicts;   /* 23505 in a row */
	unsigned again;	      /* rows that could not be had, in a row */
	unsigned lock_waits;  /* lock_timeouts in a row */
	unsigned failures;    /* batches given up in a row */
	bool clock_wrong;
	bool partitions_made; /* some, which all sessions are to be told of */
	int64_t due_most; /* settled with a load: the parameter sweep_rows */
	struct ch_time decided_at; /* of the last commit; 0: none */
	char sqlstate[6]; /* of the last failure; "": not of PostgreSQL */
	char why[CH_ERR_TEXT_MAX]; /* of the last failure */
	struct ch_series *phases[PHASES];
	struct ch_series *results[STATUS_COUNT + 1]; /* last: duplicates */
};

void apply_init(struct apply *a, const struct ch_runtime *rt,
	struct session *session, struct fence *fence);
void apply_free(struct apply *a);
/* due_max bounds what is settled with it, of each kind (lock.h).
 * parked_only: all entries are parked, so no row needs a lock. */
enum apply_end apply_load(struct apply *a, struct load *l, int64_t due_max,
	bool parked_only);
/* Rolls back and says what to do, after a failure on the connection. a->days:
 * which days' partitions may be missing. Shared with trades. */
enum apply_end apply_failed(struct apply *a, const struct ch_err *err);
/* The transaction was rolled back because of our clock. Shared with trades. */
enum apply_end apply_clock_wrong(struct apply *a, const struct ch_err *err);
void day_list_add(struct day_list *l, int64_t day);
/* COMMIT with its three outcomes; APPLY_DONE, or as apply_failed(). */
enum apply_end apply_commit(struct apply *a, const struct load_part *parts,
	size_t n);

#endif
