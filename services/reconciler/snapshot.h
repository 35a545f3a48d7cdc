/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: looks at the books, one statement a step, each in a snapshot of
 * its own that lives for one statement (a held one would make the writer's hot
 * rows dear).
 *
 * What a statement compares it reads in that one snapshot: a balance, its
 * bucket and its newest postings; stock and its reservations; next_log_seq and
 * the log. So what commits meanwhile is never a break. Buckets do not change
 * meanwhile: this process alone writes them.
 *
 * Thread: loop only.
 */
#ifndef RECONCILER_SNAPSHOT_H
#define RECONCILER_SNAPSHOT_H

#include "buckets.h"
#include "checks.h"
#include "findings.h"
#include "pace.h"
#include "session.h"

struct snapshot {
	struct session *session;
	const struct buckets *buckets;
	struct sweep sweeps[CHECKS]; /* of those that sweep */
	struct pace paces[CHECKS];
	/* What move_streams.sql stores once the findings are written down. */
	struct ch_pg_array streams, verified, again;
	int64_t log_behind; /* rows of all streams not looked at yet */
};

void snapshot_init(struct snapshot *s, struct session *session,
	const struct buckets *b);
void snapshot_free(struct snapshot *s);
/* After becoming active: sweeps begin anew. */
void snapshot_reset(struct snapshot *s);
/* Runs a check for at most about budget_ms. */
int snapshot_run(struct snapshot *s, enum check_id check, int64_t budget_ms,
	struct findings *out, struct ch_err *err);
/* The findings of `check` are written down: what it looked at is behind us. */
int snapshot_written(struct snapshot *s, enum check_id check,
	struct ch_err *err);
/* They could not be written down: the sweep begins anew. */
void snapshot_again(struct snapshot *s, enum check_id check);

#endif
