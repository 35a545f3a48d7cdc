/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: is what one history has left right?
 *
 * - Every record of every partition has one outcome, log_seq has no gap.
 * - The log, in the order of (batch number, pos), is what a serial ledger does:
 *   each answer, posting and event, and all rows at the end. What rests on
 *   absence, and dry runs, are taken from the log (ledger.md section 3).
 * - Of market.trades: judge_tape.h.
 * - Nothing is left to be settled, and only what PostgreSQL refuses is parked.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

struct world;

/* The first thing that is wrong goes to world_fail(). */
void judge(struct world *w);

#endif
