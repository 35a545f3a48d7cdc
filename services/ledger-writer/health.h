/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: a look at PostgreSQL's own figures now and then: what makes the hot
 * rows slow (an old snapshot, lost HOT updates, dead rows), what is about to
 * stop the writer (a missing partition), and what went wrong with a plan.
 *
 * Each figure is a metric; what is past its threshold is a line in the log
 * that names the value, the limit and the mending, again after a while as long
 * as it lasts. The checks are in the schema (ch.health()), so that psql shows
 * the same.
 *
 * Failure: a look that fails is logged and tried again at the next time.
 * Thread: loop only.
 */
#ifndef LEDGER_HEALTH_H
#define LEDGER_HEALTH_H

#include "base/map.h"
#include "session.h"

struct health {
	const struct ch_runtime *rt;
	struct session *session;
	struct ch_mono next_at;
	struct ch_map *told; /* check and subject to when it was logged */
};

void health_init(struct health *h, const struct ch_runtime *rt,
	struct session *session);
void health_free(struct health *h);
/* Looks when its time has come. */
void health_turn(struct health *h);

#endif
