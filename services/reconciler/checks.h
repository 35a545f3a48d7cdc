/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks: what the reconciler checks, and how a check goes through a table.
 *
 * Two kinds. A check that goes by what is new looks at rows written since the
 * last time, and again at its own open breaks. A check that sweeps goes through
 * a table in steps, by key; a table that fits one step is swept every round.
 * After a whole sweep, a break that it did not meet is gone.
 *
 * Thread: any; a sweep belongs to one thread. Pure.
 */
#ifndef RECONCILER_CHECKS_H
#define RECONCILER_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

enum check_id {
	CHECK_TRANSFERS, /* postings of a transfer sum to zero per asset */
	CHECK_BALANCES,	 /* a balance is the sum of its postings */
	CHECK_FLOORS,	 /* an account keeps its floor */
	CHECK_HELD,	 /* held is its holds, locks and settlements */
	CHECK_STOCK,	 /* stock and reservations agree, nothing negative */
	CHECK_ORDERS,	 /* an order is filled by its fills */
	CHECK_MARKETS,	 /* a market has paid what its positions got */
	CHECK_LOG_SEQ,	 /* the log of a stream has no gap */
	CHECKS
};

struct check {
	const char *name;	 /* breaks.check_name, label of the metrics */
	const char *pause_param; /* whose value says when to pause */
	bool sweeps;
};
extern const struct check checks[CHECKS];

/* The check of that name, or CHECKS. */
enum check_id check_of(struct ch_view name);

/* A key that a sweep goes by: organisation and account, SKU, order, market. */
struct check_key {
	int32_t org;
	int64_t id;
};
#define CHECK_KEY_FIRST ((struct check_key){INT32_MIN, INT64_MIN})
#define CHECK_KEY_LAST ((struct check_key){INT32_MAX, INT64_MAX})

/* A way through one table: the step under way covers (low, high]. */
struct sweep {
	struct check_key low;
	struct check_key high;
	struct ch_time began; /* PostgreSQL's clock */
	bool under_way;
	bool cut; /* a step found more than it could take: absence says nothing */
};

/* Takes up the next step, which ends at *high, or with the table (NULL). `at`
 * is PostgreSQL's time: a sweep that starts here began then. */
void sweep_step(struct sweep *s, const struct check_key *high,
	struct ch_time at);
/* The step was looked at. True: so is the whole table. */
bool sweep_done(struct sweep *s);
/* Where the next step begins (exclusive). */
struct check_key sweep_from(const struct sweep *s);
/* From the start again. */
void sweep_reset(struct sweep *s);

#endif
