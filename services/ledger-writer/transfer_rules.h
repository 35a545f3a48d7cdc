/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer_rules: moves between accounts, and their reversal.
 *
 * Moves are checked one by one, in order: a dip below the floor is refused
 * although the whole would be fine.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_TRANSFER_RULES_H
#define LEDGER_WRITER_TRANSFER_RULES_H

#include "command.h"
#include "ruling.h"

void transfer_rules_post(struct ruling *r, const struct command *c);
void transfer_rules_reverse(struct ruling *r, const struct command *c);

#endif
