/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies: one command of any type, without id and organisation, on few names.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_BODIES_H
#define TESTS_SIM_BODIES_H

#include <stdbool.h>

#include "base/str.h"
#include "base/uuid.h"

#define BODIES_IDS 64
#define BODIES_ORDERS 5

struct world;
struct bodies;

typedef void bodies_maker(struct bodies *b, struct world *w);

struct bodies {
	struct ch_buf text;	   /* members without braces */
	char id[CH_UUID_TEXT_MAX]; /* of the command that is made */
	char ids[BODIES_IDS]
		[CH_UUID_TEXT_MAX + 2]; /* of transfers, also in groups */
	unsigned id_count;
	bodies_maker *next; /* of the next body, which is to come at once */
	bool is_chasing;    /* it is that one */
	bool is_ordered;    /* the body that was made speaks of last_order */
	/* numbers in their names */
	unsigned last_hold, last_reservation, last_order, last_trade;
	unsigned bad; /* holds whose expiry PostgreSQL does not take */
};

void bodies_reset(struct bodies *b);
/* Opens the books. */
void bodies_opening(struct bodies *b);
/* Any; true: its row will be refused by PostgreSQL. */
bool bodies_any(struct bodies *b, struct world *w);

#endif
