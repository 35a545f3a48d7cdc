/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_load: commands of every type from a seed, as hard as they come: hot
 * rows, repeated and reused ids in both spellings, malformed values, dry runs,
 * versions right and wrong, holds that run out as they are captured, reversals
 * of everything, groups that fail at any place, orders through every move,
 * known fills and transactions, skims over many positions, settlements, names
 * closed and opened again, amounts at every edge, organisations that share
 * names.
 *
 * The first commands of every load define assets, open accounts and receive
 * stock. Time moves on from item to item, mostly by little, sometimes by a
 * minute, now and then backwards.
 *
 * Modules: load_making (dice, names, pieces), load_money, load_stock,
 * load_market, load_odd (one body each), load_edge (bounds met exactly),
 * load_group (many), ledger_load (ids, repetitions, time).
 *
 * ledger_load_make() makes a whole load on a clock of its own;
 * ledger_load_next() makes one item after the other, so that what comes can
 * follow the real clock (tests/support/ledger_feed.c).
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_LEDGER_LOAD_H
#define TESTS_PROPERTY_LEDGER_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define LEDGER_LOAD_STREAMS 3
#define LEDGER_LOAD_PAUSES 5 /* sets of pauses; 0: none */
#define LEDGER_LOAD_RATES 3  /* sets of rate rules; 0: none */

/* The partition of each stream. */
extern const int ledger_load_parts[LEDGER_LOAD_STREAMS];

struct ledger_load_item {
	char *value; /* NULL: a tombstone */
	size_t len;
	size_t stream;	  /* below LEDGER_LOAD_STREAMS */
	int64_t clock;	  /* microseconds: when the writer polls it */
	int64_t ahead_us; /* of a right clock, for a while */
	int pauses;	  /* which set is in force */
	int rates;	  /* which set is in force */
	/* Its partition was restarted, and it was decided before: as far as
	 * only ledger_load_make() says. */
	bool read_again;
};

struct ledger_load {
	struct ledger_load_item *items;
	size_t count;
	int64_t lowest_day;
};

void ledger_load_make(struct ledger_load *l, uint64_t seed, size_t count);
void ledger_load_free(struct ledger_load *l);

/* So many items begin every load: they rest on each other in this order. */
size_t ledger_load_beginning(void);

struct loading;
struct loading *ledger_load_begin(uint64_t seed, int64_t clock);
/* Time is that of the caller from here on, in microseconds; it does not run
 * back, and no jumps are made any more. */
void ledger_load_clock(struct loading *l, int64_t clock);
/* The caller frees item->value. */
void ledger_load_next(struct loading *l, struct ledger_load_item *item);
void ledger_load_end(struct loading *l);

#endif
