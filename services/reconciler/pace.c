/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: see pace.h. Halving and doubling, with a span between them in which
 * the width stays, so that it does not swing.
 *
 * Invariant: least <= width <= most, whatever it is told.
 */
#include "pace.h"

static void
halve(struct pace *p, int64_t ms)
{
	p->before_ms = ms;
	p->grew = false;
	p->width = p->width / 2 > p->least ? p->width / 2 : p->least;
}

static void
grow(struct pace *p, int64_t ms)
{
	p->before_ms = ms;
	p->grew = true;
	p->width = p->width <= p->most / 2 ? p->width * 2 : p->most;
}

/* The last move, made because it took too long, tells: does the width cost? */
static bool
width_is_cheap(const struct pace *p, int64_t ms)
{
	int64_t before = p->before_ms;

	if (before == 0)
		return false;
	return p->grew ? ms < before + before / 4 : ms > before - before / 4;
}

void
pace_took(struct pace *p, int64_t ms, bool failed)
{
	bool cheap = width_is_cheap(p, ms);

	if (failed)
		halve(p, 0); /* the width must come down, whatever it saves */
	else if (ms < p->aim_ms / 4)
		grow(p, 0);
	else if (ms <= p->aim_ms)
		p->before_ms = 0;
	else if (cheap)
		grow(p, ms);
	else
		halve(p, ms);
}
