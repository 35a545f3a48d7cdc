/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buckets: the sums of all postings up to a watermark of batch numbers
 * (ledger_buckets), so that a round reads only what was posted since.
 *
 * When is a number settled? Numbers are no watermark by themselves: batch 2
 * may commit before batch 1. A mark is the last number drawn (b) and an xid of
 * our own drawn after it (x). A batch draws its number when it has an xid
 * already (its fence is an UPDATE), so whoever drew a number <= b has an xid
 * < x. Once the oldest running xid is >= x, all of those have ended: whatever
 * they posted is visible, and no posting of a batch <= b can come any more.
 *
 * A full verification builds the buckets of the next generation from nothing,
 * beside the present ones, in steps; when it has come as far, it takes over.
 * So a posting that was changed, removed or slipped in under the watermark is
 * found within one full period.
 *
 * Both ways check every transfer that they fold.
 *
 * Failure: a statement that fails changes nothing (progress and sums move in
 * one statement); read again after a reconnect.
 *
 * Thread: loop only.
 */
#ifndef RECONCILER_BUCKETS_H
#define RECONCILER_BUCKETS_H

#include "findings.h"
#include "pace.h"
#include "session.h"

struct buckets {
	struct session *session;
	int64_t gen;
	int64_t watermark;
	struct ch_time watermark_at; /* batches above are not decided before */
	/* The mark that is not settled yet. */
	bool marked;
	int64_t mark;
	int64_t mark_xid;
	struct ch_time mark_at;
	struct ch_mono marked_since;
	bool warned; /* that the mark does not settle */
	/* Numbers up to settled have ended. */
	bool known;
	int64_t settled;
	struct ch_time settled_at;
	int rounds_unknown;
	/* The full verification. */
	bool full;
	int64_t full_gen;
	int64_t full_watermark;
	bool old_gone; /* buckets of old generations are deleted */
	bool first;    /* the first generation is being built */
	struct ch_mono full_began;
	struct ch_mono fold_due;
	struct ch_mono full_due;
	struct pace fold_pace;
	struct pace full_pace;
	int64_t postings; /* folded since the start */
	int64_t fulls;	  /* full verifications ended since the start */
};

void buckets_init(struct buckets *b, struct session *s);
/* After becoming active: what the tables say. */
int buckets_read(struct buckets *b, struct ch_err *err);
/* Settles the mark if it can be, and draws the next one. */
int buckets_settle(struct buckets *b, struct ch_err *err);
/* Is there more between the watermark and what is settled than the newest few?
 * Then balances cannot be compared yet. */
bool buckets_behind(const struct buckets *b);
/* The same, and there is something to do about it now. */
bool buckets_catching_up(const struct buckets *b);
/* Is a step of folding due? */
bool buckets_fold_due(const struct buckets *b);
/* One step: transfers that do not sum to zero go to `out`, which the caller
 * must have written down before it calls buckets_folded(). */
struct buckets_step {
	bool full;
	int64_t gen;
	int64_t low;
	int64_t high;
};
struct buckets_step buckets_fold_next(const struct buckets *b);
/* The next step of the full verification; begins one when it is due, ends one
 * that is through. 1: *step is to be done; 0: nothing to do now; or negative. */
int buckets_full_next(struct buckets *b, struct buckets_step *step,
	struct ch_err *err);
int buckets_check(struct buckets *b, const struct buckets_step *step,
	struct findings *out, struct ch_err *err);
int buckets_fold(struct buckets *b, const struct buckets_step *step,
	struct ch_err *err);
/* The step failed or took too long: smaller ones from now on. */
void buckets_took(struct buckets *b, const struct buckets_step *step,
	int64_t ms, bool failed);
/* Deletes some of what the last generation left. */
int buckets_sweep_old(struct buckets *b, struct ch_err *err);
/* Since when a posting above the watermark may have been decided. */
struct ch_time buckets_since(const struct buckets *b);

#endif
