/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_due: deliveries that are due, endpoint by endpoint, on their way out.
 *
 *	choose --> page --> start --> in hand (hook_sender.h)
 *	                        \--> seen empty --> taken out
 *
 * A page has the first pending row of each key of one endpoint that is due.
 * Endpoints take turns, so that none starves behind one that always has
 * something; one of which nothing may be due, or for which there is no room, is
 * not asked for. What fails with the connection stays due in its row.
 *
 * Codes as in io/pg.h.
 *
 * Thread: loop.
 */
#ifndef RELAY_HOOK_DUE_H
#define RELAY_HOOK_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "endpoint.h"
#include "hook_sender.h"
#include "io/pg.h"

struct hook_lane;

struct hook_due {
	const struct endpoints *endpoints;
	struct hook_lane *lanes; /* of each endpoint */
	size_t lane;		 /* of the page, or the last one chosen */
	struct ch_pg_array empty, versions; /* keys without rows */

	/* of this turn */
	struct hook_sender *sender;
	struct ch_mono now;
	struct ch_time wall;
};

/* endpoints must outlive it. */
void hook_due_open(struct hook_due *d, const struct endpoints *endpoints);
/* Of one that was never opened, too. */
void hook_due_close(struct hook_due *d);
/* Before anything is chosen or sent in a turn. */
void hook_due_turn(struct hook_due *d, struct hook_sender *sender,
	struct ch_mono now, struct ch_time wall);
/* Its sender is closed; keys that were seen empty will be seen again. Of one
 * that was never opened, too. */
void hook_due_forget(struct hook_due *d);

/* Something of the endpoint may be due; of all; of those that
 * hook_store_look() has found; and, not before `at`. */
void hook_due_mark(struct hook_due *d, size_t endpoint);
void hook_due_mark_all(struct hook_due *d);
void hook_due_looked(struct hook_due *d, const PGresult *res);
void hook_due_again(struct hook_due *d, size_t endpoint, struct ch_mono at);

/* The next endpoint to be asked for; false: none now. */
bool hook_due_choose(struct hook_due *d);
/* Sends the statement of its page. */
int hook_due_page(struct hook_due *d, struct ch_pg *pg, struct ch_err *err);
/* Its answer: deliveries go out. */
int hook_due_start(struct hook_due *d, const PGresult *res, struct ch_err *err);

/* Were keys of that page seen empty? Then, before the next page, sends the
 * statement that takes them out. */
bool hook_due_has_empty(const struct hook_due *d);
int hook_due_take_out(struct hook_due *d, struct ch_pg *pg, struct ch_err *err);

/* When there is an endpoint to choose, from now on; -1: not by the clock. */
int64_t hook_due_next_ns(const struct hook_due *d, struct ch_mono now);

#endif
