/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_begin: what every transaction of the writer begins with, whether it
 * locks rows (lock.c) or stores trades (trades.c): the fences, and a look at
 * whose clock is right.
 */
#include <stdlib.h>

#include "ledger_writer_sql.h"
#include "lock.h"

static const struct ch_pg_stmt move_offset = {
	"move_offset", ledger_writer_sql_move_offset};

void
locks_queue_fences(struct script *sc, const struct load_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct load_part *lp = &parts[i];
		int64_t to = lp->next_offset >= 0 ? lp->next_offset
						  : lp->p->next_offset;
		struct ch_pg_args a;
		ch_pg_args_clear(&a);
		ch_pg_arg_str(&a, lp->p->topic);
		ch_pg_arg_i32(&a, lp->p->part);
		ch_pg_arg_i64(&a, lp->p->epoch);
		ch_pg_arg_i64(&a, lp->p->next_offset);
		ch_pg_arg_i64(&a, to);
		ch_pg_arg_i32(&a,
			lp->next_offset >= 0 ? lp->leader_epoch
					     : lp->p->leader_epoch);
		script_add(sc, &move_offset, &a);
	}
}

/* How far outside of the two looks is it? So neither a slow answer nor a process
 * that was stopped in between counts as a wrong clock. */
bool
locks_clock_is_wrong(struct locks *k, struct ch_time before,
	struct ch_time after, struct ch_err *err)
{
	int64_t most =
		ch_params_ms(k->session->rt->params, "clock_tolerance") * 1000;
	k->clock_offset_us = 0;
	if (k->theirs.us < before.us)
		k->clock_offset_us = before.us - k->theirs.us;
	else if (k->theirs.us > after.us)
		k->clock_offset_us = after.us - k->theirs.us;
	if (llabs(k->clock_offset_us) <= most)
		return false;
	ch_err_set(err, CH_ERANGE,
		"the clock is %lld ms off PostgreSQL's, at most %lld are "
		"allowed: set it right (chrony, ntpd)",
		(long long)(k->clock_offset_us / 1000),
		(long long)(most / 1000));
	return true;
}
