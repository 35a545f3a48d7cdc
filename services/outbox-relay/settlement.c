/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settlement: see settlement.h.
 */
#include "settlement.h"

#define REBUILD_MS 500
#define REBUILD_MAX_MS 30000

void
settlement_init(struct settlement *s)
{
	*s = (struct settlement){.state = SETTLEMENT_FLOWING,
		.rebuilds = {REBUILD_MS, REBUILD_MAX_MS, 0}};
}

void
settlement_begin(struct settlement *s, struct ch_mono now)
{
	if (s->state == SETTLEMENT_FLOWING)
		s->heard = now;
	s->state = SETTLEMENT_SETTLING;
}

void
settlement_heard(struct settlement *s, bool ok, struct ch_mono now)
{
	s->heard = now;
	if (ok)
		ch_backoff_reset(&s->rebuilds);
	else
		settlement_begin(s, now);
}

enum settlement_need
settlement_needs(struct settlement *s, bool failed, bool away,
	struct ch_mono now)
{
	if (failed) {
		settlement_begin(s, now);
		return s->rebuild_at.ns <= now.ns ? SETTLEMENT_FAILED
						  : SETTLEMENT_NOTHING;
	}
	return settlement_is_on(s) && !away &&
			ch_mono_ms_since(now, s->heard) >= SETTLEMENT_SILENT_MS
		? SETTLEMENT_SILENT
		: SETTLEMENT_NOTHING;
}

void
settlement_rebuilt(struct settlement *s, struct ch_rng *rng, struct ch_mono now)
{
	s->rebuild_at.ns =
		now.ns + ch_backoff_next(&s->rebuilds, rng) * INT64_C(1000000);
	settlement_begin(s, now);
}

bool
settlement_ends(struct settlement *s, size_t in_flight, bool failed)
{
	if (!settlement_is_on(s) || in_flight > 0 || failed)
		return false;
	s->state = SETTLEMENT_FLOWING;
	return true;
}

void
settlement_drop(struct settlement *s)
{
	s->state = SETTLEMENT_FLOWING;
}
