/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade_rules: the platform's own trades: a position and its lock of the
 * user's stake are set, a skim takes part of the stake and of all his locks.
 *
 * The locks of an account's positions are part of its held, so that a stake
 * that is locked cannot be spent, by the same floor as everything else.
 *
 * Skim k of balance B: the locks' sum T becomes floor(T*(B-k)/B); each lock l
 * becomes floor(l*(B-k)/B), and the units that are missing to the sum go, one
 * each, to the largest remainders; equal ones in byte order of market, then
 * outcome (the method of largest remainders).
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_TRADE_RULES_H
#define LEDGER_WRITER_TRADE_RULES_H

#include <stdbool.h>

#include "command.h"
#include "ruling.h"

/* Is it a trade whose transaction is known? */
bool trade_rules_is_known(const struct command *c);
void trade_rules_record(struct ruling *r, const struct command *c);

#endif
