/* SPDX-License-Identifier: Apache-2.0 */
/*
 * horizon: the moment from which tables may be read behind a slot.
 *
 * A slot never sends what was committed before it begins, and a commit that is
 * in the WAL is not in the tables yet while it waits for its synchronous
 * standby: read in that moment, it would be in neither. So the tables are read
 * when they show all that was committed before the slot. Of a slot that was just
 * made this is known exactly, and no transaction that is merely open is waited
 * for; of another one all that ran in this moment counts, as it does when
 * PostgreSQL makes a slot. Transactions of other databases have none of our
 * rows.
 *
 * Failure: as in io/pg.h.
 * Thread: loop only.
 */
#ifndef RELAY_HORIZON_H
#define RELAY_HORIZON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/pg.h"

struct horizon {
	char *before; /* a snapshot; NULL: nothing to wait for */
	struct ch_mono since, look_at, told_at;
	char waits_for[192]; /* for long: whom; "": not for long */
};

/* before: what was committed before the slot, which is ours from here on; NULL:
 * not known. */
int horizon_set(struct horizon *h, char *before, struct ch_pg *pg,
	struct ch_mono now, struct ch_err *err);
void horizon_clear(struct horizon *h);
/* Looks now and then. 1: the tables show it, or there is none; 0: not yet;
 * negative: an error. */
int horizon_is_past(struct horizon *h, struct ch_pg *pg, struct ch_mono now,
	struct ch_err *err);

#endif
