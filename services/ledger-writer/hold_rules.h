/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold_rules: money set aside on an account, and what becomes of it.
 *
 * A hold ends exactly once: captured (a part releases the rest), voided, or
 * expired. A capture needs no free funds: they were set aside. Every change of
 * a hold stamps its account, so that whoever holds the account's lock sees all
 * of it.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_HOLD_RULES_H
#define LEDGER_WRITER_HOLD_RULES_H

#include <stdbool.h>

#include "command.h"
#include "ruling.h"

void hold_rules_place(struct ruling *r, const struct command *c);
void hold_rules_capture(struct ruling *r, const struct command *c);
void hold_rules_void(struct ruling *r, const struct command *c);

/* Has its time come: held, with a deadline at or before `at`? */
bool hold_rules_due(const struct hold *h, struct ch_time at);
/* Ends a due hold, by the timer. */
void hold_rules_expire(struct ruling *r, struct hold *h);

/* Refuses a deadline that has come already. */
void hold_rules_deadline(struct ruling *r, const struct command_deadline *d,
	enum ledger_status status);

#endif
