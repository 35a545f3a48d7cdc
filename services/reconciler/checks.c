/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks: the table of checks and the steps of a sweep.
 *
 * Invariant: the steps of one sweep cover every key once, whatever rows come
 * and go meanwhile, since each begins where the last one ended and the last
 * one ends behind every key.
 */
#include "checks.h"

const struct check checks[CHECKS] = {
	[CHECK_TRANSFERS] = {"transfers", "pause_transfers", false},
	[CHECK_BALANCES] = {"balances", "pause_balances", true},
	[CHECK_FLOORS] = {"floors", "pause_floors", true},
	[CHECK_HELD] = {"held", "pause_held", true},
	[CHECK_STOCK] = {"stock", "pause_stock", true},
	[CHECK_ORDERS] = {"orders", "pause_orders", true},
	[CHECK_MARKETS] = {"markets", "pause_markets", true},
	[CHECK_LOG_SEQ] = {"log_seq", "pause_log_seq", false},
};

enum check_id
check_of(struct ch_view name)
{
	for (int i = 0; i < CHECKS; i++)
		if (ch_view_eq_str(name, checks[i].name))
			return (enum check_id)i;
	return CHECKS;
}

struct check_key
sweep_from(const struct sweep *s)
{
	return s->under_way ? s->low : CHECK_KEY_FIRST;
}

void
sweep_step(struct sweep *s, const struct check_key *high, struct ch_time at)
{
	if (!s->under_way) {
		s->under_way = true;
		s->low = CHECK_KEY_FIRST;
		s->began = at;
		s->cut = false;
	}
	s->high = high != NULL ? *high : CHECK_KEY_LAST;
}

bool
sweep_done(struct sweep *s)
{
	bool whole = s->high.org == CHECK_KEY_LAST.org &&
		s->high.id == CHECK_KEY_LAST.id;
	s->low = s->high;
	s->under_way = !whole;
	return whole;
}

void
sweep_reset(struct sweep *s)
{
	s->under_way = false;
}
