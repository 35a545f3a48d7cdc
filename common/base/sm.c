/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sm: see sm.h.
 *
 * The owner's invariant is checked after the state has changed, for the state
 * that was entered: the owner sets its fields first and moves last. All
 * refusals are asserts: a table and its use are ours alone.
 */
#include "sm.h"

#include <assert.h>
#include <stddef.h>

#include "log.h"

void
ch_sm_init(struct ch_sm *m, const char *name, const struct ch_sm_state *states,
	int count, int initial)
{
	assert(count > 0 && count <= 64);
	assert(initial >= 0 && initial < count);
	assert((states[initial].flags & CH_SM_INITIAL) != 0);
	*m = (struct ch_sm){name, states, count, initial, NULL, NULL};
}

int
ch_sm_state(const struct ch_sm *m)
{
	return m->state;
}

const char *
ch_sm_name(const struct ch_sm *m)
{
	return m->states[m->state].name;
}

bool
ch_sm_may(const struct ch_sm *m, int next)
{
	return next >= 0 && next < m->count &&
		(m->states[m->state].allowed & CH_SM_BIT(next)) != 0;
}

void
ch_sm_move(struct ch_sm *m, int next)
{
	const char *before = ch_sm_name(m);

	assert(ch_sm_may(m, next));
	assert((m->states[m->state].flags & CH_SM_FINAL) == 0);
	m->state = next;
	assert(m->invariant == NULL || m->invariant(m->owner, next));
	ch_debug("sm.move", CH_S("sm", m->name), CH_S("from", before),
		CH_S("to", ch_sm_name(m)));
}
