/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stock_rules: inventory: what is on hand, and what of it is reserved.
 *
 *	0 <= reserved <= on_hand, available = on_hand - reserved
 *
 * A reservation ends exactly once: committed (its goods leave; a part commit
 * gives the rest back), released, or expired. A SKU is born by its first
 * receipt. Every change of a reservation stamps its SKU, so that whoever holds
 * the SKU's lock sees all of it.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_STOCK_RULES_H
#define LEDGER_WRITER_STOCK_RULES_H

#include <stdbool.h>

#include "command.h"
#include "ruling.h"

void stock_rules_receive(struct ruling *r, const struct command *c);
void stock_rules_adjust(struct ruling *r, const struct command *c);
void stock_rules_reserve(struct ruling *r, const struct command *c);
void stock_rules_commit(struct ruling *r, const struct command *c);
void stock_rules_release(struct ruling *r, const struct command *c);

/* Has its time come: reserved, with a deadline at or before `at`? */
bool stock_rules_due(const struct reservation *r, struct ch_time at);
/* Ends a due reservation, by the timer. */
void stock_rules_expire(struct ruling *r, struct reservation *reservation);

#endif
