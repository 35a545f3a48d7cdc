/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: which events (event.h) the answer to a record tells of.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TALLY_H
#define TESTS_SIM_TALLY_H

struct world;

/* answer: canonical; "": none is owed. */
void tally_fill(struct world *w, const char *answer);
void tally_command(struct world *w, const char *answer);

#endif
