/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaks: writes down what the checks found, tells fleet.alerts (by the
 * outbox, in the same statement), and pauses what must not go on.
 *
 * A break that opens, changes or ends is told once. One that is over its
 * threshold leads to one pause; its number is kept with the break, so that an
 * operator who resumes in spite of it is not overruled, unless the break grows
 * or comes back. Nothing here ever resumes.
 *
 * Failure: each statement is a short transaction of its own. If the pause was
 * made and not noted, the next round finds it and notes it.
 *
 * Thread: loop only.
 */
#ifndef RECONCILER_BREAKS_H
#define RECONCILER_BREAKS_H

#include "checks.h"
#include "findings.h"
#include "session.h"
#include "threshold.h"

struct breaks {
	struct session *session;
	struct threshold thresholds[CHECKS];
	struct scopes scopes;
	/* For the metrics, as of the last breaks_count(). */
	int64_t open[CHECKS];
	int64_t differences[CHECKS]; /* sum of |difference|, saturated */
	int64_t paused_scopes;
	bool trading_paused;
	int64_t opened, resolved, pauses; /* since the start */
};

/* CH_ECONFIG for a threshold that cannot be read. */
int breaks_init(struct breaks *b, struct session *s, struct ch_err *err);
/* Opens, updates and resolves. */
int breaks_write(struct breaks *b, enum check_id check, struct findings *f,
	struct ch_err *err);
/* Pauses what open breaks over their threshold ask for. */
int breaks_pause(struct breaks *b, struct ch_err *err);
int breaks_count(struct breaks *b, struct ch_err *err);

#endif
