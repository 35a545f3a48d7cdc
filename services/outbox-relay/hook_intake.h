/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_intake: events that endpoints want, on their way into rows.
 *
 *	take --> wanted, in order --> fill: rows of one statement --> done
 *
 * An event is held in flight until each of its deliveries is a row. A statement
 * carries a bounded number of rows and of bytes, whoever wants the event: one of
 * many MB for many endpoints goes out a few rows at a time.
 *
 * Thread: loop.
 */
#ifndef RELAY_HOOK_INTAKE_H
#define RELAY_HOOK_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "event.h"
#include "hook_store.h"
#include "inflight.h"

#define HOOK_INTAKE_ROWS 500
#define HOOK_INTAKE_BYTES ((size_t)4 << 20)

/* An event and the endpoints that want it and have no row of it, a bit each. */
struct hook_wanted {
	struct event *e;
	uint64_t endpoints;
};

struct hook_intake {
	const struct endpoints *endpoints;
	struct inflight *inflight;
	struct hook_wanted *wanted; /* in order */
	size_t count, room;
	struct hook_rows rows;
	size_t filled; /* events that are wholly in the rows, from the first */
	uint64_t part_of; /* and endpoints of the next one */
};

/* Both must outlive it. */
void hook_intake_init(struct hook_intake *in, const struct endpoints *endpoints,
	struct inflight *inflight);
void hook_intake_free(struct hook_intake *in);
/* Holds it where an endpoint wants it. */
void hook_intake_take(struct hook_intake *in, struct event *e);
/* Forgets all; what is in flight will be read again. */
void hook_intake_drop(struct hook_intake *in);
/* The rows of the next statement, at least one: count > 0 was checked. At most
 * HOOK_INTAKE_ROWS, and no more begun at HOOK_INTAKE_BYTES. */
struct hook_rows *hook_intake_fill(struct hook_intake *in);
/* They are durable: lets go of what is done. The endpoints that have rows, a
 * bit each. After hook_intake_drop(): none. */
uint64_t hook_intake_done(struct hook_intake *in);
/* They are not, as far as is known: filled once more. */
void hook_intake_undone(struct hook_intake *in);

#endif
