/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sm: a lifecycle as a table of states and the moves they allow.
 *
 * One function changes the state. A move that the table does not allow is our
 * bug and asserts; where input decides the move, ask ch_sm_may() first. Each
 * move can be traced (debug log).
 * Shape after dqlite's src/lib/sm.c.
 *
 * Thread: an sm belongs to one thread.
 */
#ifndef CH_BASE_SM_H
#define CH_BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

#define CH_SM_INITIAL 1u
#define CH_SM_FINAL 2u
#define CH_SM_BIT(state) (UINT64_C(1) << (state))

struct ch_sm_state {
	const char *name;
	unsigned flags;
	uint64_t allowed; /* CH_SM_BIT() of each state that may follow */
};

struct ch_sm {
	const char *name; /* what it is the state of, for traces */
	const struct ch_sm_state *states;
	int count; /* <= 64 */
	int state;
	bool (*invariant)(const void *owner, int state); /* may be NULL */
	const void *owner;
};

void ch_sm_init(struct ch_sm *m, const char *name,
	const struct ch_sm_state *states, int count, int initial);
int ch_sm_state(const struct ch_sm *m);
const char *ch_sm_name(const struct ch_sm *m); /* name of the state */
bool ch_sm_may(const struct ch_sm *m, int next);
void ch_sm_move(struct ch_sm *m, int next);

#endif
