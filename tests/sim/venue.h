/* SPDX-License-Identifier: Apache-2.0 */
/*
 * venue: what a venue reports in one history (market.fills): fills of the orders
 * that commands place, also before they do, or never; the same fill once more,
 * at another moment or at the same one, in other words, or with other figures;
 * more than an order's rest; what nobody can read, and what PostgreSQL refuses.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_VENUE_H
#define TESTS_SIM_VENUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define VENUE_REPORTS 32
/* A fill of that name is not taken by PostgreSQL. */
#define VENUE_POISON "poison"

struct world;

struct venue_report {
	unsigned order, fill, qty, price; /* price 0: none is told */
	int64_t at_ms;
};

struct venue {
	struct ch_buf text;
	struct venue_report sent[VENUE_REPORTS];
	size_t count;
};

void venue_reset(struct venue *v);
void venue_free(struct venue *v);
/* One more record, perhaps twice. order: the number in the name of the one that
 * was placed last. */
void venue_report(struct venue *v, struct world *w, unsigned order);

#endif
