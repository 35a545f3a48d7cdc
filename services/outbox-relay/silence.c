/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence: see silence.h.
 */
#include "silence.h"

#define PATIENCE_MS 40000
#define DOUBLINGS 6

void
silence_read_dry(struct silence *s)
{
	s->dry = true;
}

int64_t
silence_ms(struct silence *s, uint64_t frames, bool first, struct ch_mono now)
{
	if (first || !s->dry || frames != s->heard) {
		s->heard = frames;
		s->since = now;
	}
	s->dry = false;
	return ch_mono_ms_since(now, s->since);
}

bool
silence_gives_up(struct silence *s, int64_t ms, uint64_t commits)
{
	if (commits != s->left_at)
		s->doublings = 0;
	if (ms < (int64_t)PATIENCE_MS << s->doublings)
		return false;
	s->left_at = commits;
	s->doublings += s->doublings < DOUBLINGS;
	return true;
}
