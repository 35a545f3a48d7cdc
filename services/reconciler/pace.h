/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: how much to look at in one statement, so that each stays short
 * whatever the size of the tables and the load of the server.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RECONCILER_PACE_H
#define RECONCILER_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	int64_t width;	   /* rows or batch numbers of the next statement */
	int64_t least;	   /* >= 1 */
	int64_t most;	   /* >= least */
	int64_t aim_ms;	   /* how long a statement should take at most, > 0 */
	int64_t before_ms; /* what the last move answered to; 0: there was none */
	bool grew; /* that move, although it took too long, was to grow */
};

/* The last statement took that long, or failed (a timeout): halves the width
 * when it was too much, doubles it when it took less than a quarter. A halving
 * that saved less than a quarter of the time is undone: what costs is not the
 * width then, and smaller steps would only bring it about more often. For the
 * same reason the width goes on growing as long as a doubling costs less than
 * a quarter more: a fixed cost is spread over as much as possible, and what is
 * looked at never falls behind for good. */
void pace_took(struct pace *p, int64_t ms, bool failed);

#endif
