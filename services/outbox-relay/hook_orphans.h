/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_orphans: endpoints that have deliveries, and that no running relay of the
 * schema has: renamed, taken out of the file, or their relay is down.
 *
 * Nothing of theirs is sent or lost. A relay that has no endpoints looks, too.
 *
 * Thread: loop.
 */
#ifndef RELAY_HOOK_ORPHANS_H
#define RELAY_HOOK_ORPHANS_H

#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "daemon/metrics.h"
#include "io/pg.h"

struct hook_orphan;

struct hook_orphans {
	struct ch_metrics *metrics;
	int metric; /* by endpoint: deliveries that are not done */
	struct hook_orphan *items;
	size_t count;		  /* that were seen ever; most have none now */
	struct ch_mono looked_at; /* ns 0: not since we lead */
};

void hook_orphans_open(struct hook_orphans *o, struct ch_metrics *metrics,
	int metric);
void hook_orphans_close(struct hook_orphans *o);
/* Asks PostgreSQL, at once and then every 30 s; tells of each one that is new. */
int hook_orphans_look(struct hook_orphans *o, struct ch_pg *pg,
	struct ch_mono now, struct ch_err *err);
/* Another leader tells of them from here on. */
void hook_orphans_forget(struct hook_orphans *o);
/* A line of /readyz?verbose for each, which is no reason to be away. */
void hook_orphans_note(const struct hook_orphans *o, struct ch_buf *verbose);

#endif
