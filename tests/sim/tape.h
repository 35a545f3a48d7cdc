/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape: what a feed reports of everybody's trades in one history
 * (market.trades): few trades, each of them at one moment, over and over, also
 * through two partitions; some too old to be kept, some from the future, some
 * that nobody can read, some that PostgreSQL refuses.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TAPE_H
#define TESTS_SIM_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TAPE_POISON 666 /* a trade of that size is not taken by PostgreSQL */

struct world;

struct tape_print {
	unsigned number;   /* of the trade: its id ends in it */
	int64_t traded_at; /* microseconds since 1970 */
	bool is_readable;
};

/* One more record. */
void tape_report(struct world *w);
/* The class of the letter that it leaves when it is read at that moment; NULL:
 * it is to be stored. */
const char *tape_letter(const struct tape_print *p, int64_t lowest_day,
	int64_t at);
/* Of a trade's id, as it is stored. */
unsigned tape_number(struct ch_view id);

#endif
