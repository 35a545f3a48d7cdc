/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge_tape: is what one history has left of market.trades right?
 *
 * - A trade that is to be stored has one row in trades_public, however often it
 *   was read and by whom.
 * - Any other record has one letter, with the class that tape.h says, and no row.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_JUDGE_TAPE_H
#define TESTS_SIM_JUDGE_TAPE_H

#include "frozen.h"

struct world;

/* One transaction of trades. The first thing that is wrong goes to
 * world_fail(). */
void judge_tape(struct world *w, const struct frozen *f);
/* All records of the topic, behind all transactions. */
void judge_tape_records(struct world *w);

#endif
