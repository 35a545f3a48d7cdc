/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: due work that PostgreSQL refuses, so that it stands in the way of
 * nobody: expiries of holds and reservations, pages of a market's settlement.
 *
 * Whatever is refused alone for the second time is set aside. After a while it
 * comes back by itself, and is refused anew or, once its cause is mended,
 * settled. What is set aside is known to this process only: its successor finds
 * out for itself.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_ASIDE_H
#define LEDGER_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "books.h"

/* One of them, by its number. */
struct due_ref {
	enum row_kind kind; /* ROW_HOLD, ROW_RESERVATION or ROW_MARKET */
	int64_t number;	    /* 0: none */
};

struct aside_item {
	struct due_ref due;
	unsigned alone; /* refusals in a row */
	bool out;	/* set aside now */
	bool told;	/* somebody was called for it */
	struct ch_mono back_at;
};

struct aside {
	struct aside_item *items; /* all that were ever refused alone */
	size_t count, cap;
};

/* "hold", "reservation" or "market". */
const char *aside_kind_name(enum row_kind kind);
void aside_free(struct aside *a);
/* It was refused, and nothing else was tried with it. True: enough of that, and
 * it is to be set aside. */
bool aside_refused(struct aside *a, struct due_ref due);
/* It passed: earlier refusals count for nothing. */
void aside_passed(struct aside *a, struct due_ref due);
/* Sets it aside until then. True: for the first time, so call somebody. */
bool aside_put(struct aside *a, struct due_ref due, struct ch_mono back_at);
bool aside_has(const struct aside *a, struct due_ref due);
/* Takes back those whose time has come; how many. */
size_t aside_take_back(struct aside *a, struct ch_mono now);
/* The number of the next one of that kind that is set aside, from *at on, which
 * begins as 0; 0: no more. */
int64_t aside_next(const struct aside *a, enum row_kind kind, size_t *at);
size_t aside_count(const struct aside *a, enum row_kind kind);

#endif
