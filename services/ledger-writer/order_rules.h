/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_rules: the life of an order at a venue.
 *
 * placed -> pending -> partial -> filled, or cancelled, or lost. A fill is a
 * fact: it counts after cancelled and lost too, and once, whatever often it is
 * reported.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_ORDER_RULES_H
#define LEDGER_WRITER_ORDER_RULES_H

#include "command.h"
#include "ruling.h"

void order_rules_place(struct ruling *r, const struct command *c);
void order_rules_accept(struct ruling *r, const struct command *c);
void order_rules_fill(struct ruling *r, const struct command *c);
void order_rules_cancel(struct ruling *r, const struct command *c);
void order_rules_lost(struct ruling *r, const struct command *c);

/* Refuses what is wrong with units as text; true: units->value is good. */
bool order_rules_units(struct ruling *r, const struct command_units *units,
	const char *field);

#endif
