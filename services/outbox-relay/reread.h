/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reread: an application's outbox table read whole, oldest first, into
 * inflight: at the first start, and when the slot was lost.
 *
 * Such a table has no column that says which rows are delivered, so all that
 * it still holds are sent (again), with their ids. Rows that were deleted
 * meanwhile are gone.
 *
 * Failure: as in io/pg.h; the reading begins anew on the next connection.
 * Thread: loop only.
 */
#ifndef RELAY_REREAD_H
#define RELAY_REREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "contract.h"
#include "inflight.h"
#include "io/pg.h"

struct reread;

struct reread_options {
	struct contract *contract;
	const char *table;
	const char *order_by; /* oldest first; "": as the rows lie */
	/* Called now and then while the cursor opens; false: give up. */
	bool (*alive)(void *ctx);
	void *ctx;
};

struct reread *reread_new(const struct reread_options *opt);
void reread_free(struct reread *r);
void reread_begin(struct reread *r);
/* One page, before the first of them the cursor, which the server fills whole:
 * minutes for a large table. 1: more; 0: all read; negative: an error. */
int reread_turn(struct reread *r, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err);
uint64_t reread_rows(const struct reread *r);

#endif
