/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler: what one process holds. Reading order: loop.c (a round),
 * snapshot.h (what is looked at), buckets.h (how it stays cheap), breaks.h
 * (what follows).
 *
 * Thread: loop only.
 */
#ifndef RECONCILER_H
#define RECONCILER_H

#include "breaks.h"
#include "buckets.h"
#include "checks.h"
#include "daemon/daemon.h"
#include "findings.h"
#include "session.h"
#include "snapshot.h"

/* What the metrics say of one check. */
struct check_series {
	struct ch_series *open;
	struct ch_series *last_success;
	struct ch_series *duration;
	struct ch_series *failures;
	struct ch_series *sweep_seconds; /* NULL: it does not sweep */
};

struct reconciler {
	const struct ch_runtime *rt;
	struct session session;
	struct buckets buckets;
	struct snapshot snapshot;
	struct breaks breaks;
	struct findings findings;
	uint64_t elected;		/* the election that we have read for */
	bool read;			/* ... and that worked */
	struct ch_mono due;		/* of the next round */
	struct ch_mono swept[CHECKS];	/* when the sweep under way began */
	struct ch_mono through[CHECKS]; /* when each last looked at all */
	int failed_rounds;		/* in a row */
	struct ch_err why;		/* of the last failure */
	int64_t fulls_told;
	struct check_series series[CHECKS];
};

#endif
