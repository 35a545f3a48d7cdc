/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_run: the letters of an approved plan sent or discarded, page by page
 * (plan_page.h).
 *
 * A page is one transaction: the plan's row is locked and still runs, its
 * letters are those that were approved, they are locked, sent, each is
 * acknowledged and decided, and the cursor moves. So a run may be killed at any
 * moment: the next one goes on at the first letter that is not decided; what
 * Kafka had acknowledged and nobody had written down, a page at most, is sent
 * again under the same ids. A stop holds from the next page on, which has no
 * more than the rate lets go in a tenth of a second.
 *
 * Order: oldest first, each acknowledged before the next of its key. A letter
 * that stays open holds the later ones of its key: they are not sent by this
 * plan. What is discarded waits for nothing, and needs no Kafka.
 *
 * Canary: after so many letters the run waits until the ledger has read them.
 * More of them rejected again than allowed, or not read in time: it stops.
 *
 * Thread: any, with a connection of its own; it waits.
 */
#ifndef RELAY_PLAN_RUN_H
#define RELAY_PLAN_RUN_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemon/params.h"
#include "io/pg.h"
#include "letters.h"

/* Unless its operator says otherwise. */
#define PLAN_RUN_CANARY_WAIT_MS 60000

struct plan_run_options {
	int64_t plan;
	const char *actor;
	int64_t canary_wait_ms;
	const struct ch_clock *clock;
	/* After each letter; row is NULL when its store has lost it. */
	void (*told)(void *ctx, const struct letters_row *row,
		const struct ch_uuid *id, const char *outcome,
		const char *detail);
	/* May it go on? NULL: always. Asked before each page and while it
	 * waits; the plan is stopped where it is. */
	bool (*may_go_on)(void *ctx);
	void *ctx;
};

/* CH_OK: done. CH_EEXIST: not approved, its letters are not what was, or another
 * session runs it; CH_ECLOSED:
 * stopped by an operator; CH_ERANGE: by its canary; CH_ENOTFOUND: no such plan;
 * CH_ECONFIG: no producer. Else Kafka or PostgreSQL failed, and the plan is
 * stopped where it was, or says `running` when that could not be written: run
 * it again. */
int plan_run(const struct ch_params *p, struct ch_pg *pg,
	const struct plan_run_options *opt, struct ch_err *err);

#endif
