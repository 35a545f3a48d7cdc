/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bug: see bug.h.
 */
#include "bug.h"

const char *const sim_bug_names[BUGS] = {
	[BUG_NONE] = "none",
	[BUG_NO_FENCE] = "no_fence",
	[BUG_NO_OFFSET] = "no_offset",
	[BUG_DECIDES_UNLOCKED] = "decides_unlocked",
	[BUG_OLD_NUMBER] = "old_number",
	[BUG_DOUBT_LOST] = "doubt_lost",
	[BUG_DOUBT_DONE] = "doubt_done",
	[BUG_ZOMBIE_COMMITS] = "zombie_commits",
	[BUG_TIMER_DROPPED] = "timer_dropped",
	[BUG_SWEEP_SLEEPS] = "sweep_sleeps",
	[BUG_PARKS_INNOCENT] = "parks_innocent",
	[BUG_STARTS_AT_END] = "starts_at_end",
	[BUG_KEEPS_TURNED] = "keeps_turned",
	[BUG_PAGE_TWICE] = "page_twice",
	[BUG_STALE_PAUSE] = "stale_pause",
	[BUG_NO_UNIQUE] = "no_unique",
	[BUG_LOG_SEQ_KEPT] = "log_seq_kept",
	[BUG_OWNER_UNLOCKED] = "owner_unlocked",
	[BUG_TIME_BACK] = "time_back",
	[BUG_OWNER_LIVES] = "owner_lives",
	[BUG_FILL_TWICE] = "fill_twice",
	[BUG_FILL_LOST] = "fill_lost",
	[BUG_FILLS_UNFENCED] = "fills_unfenced",
	[BUG_LETTER_DROPPED] = "letter_dropped",
	[BUG_ORDER_UNLOCKED] = "order_unlocked",
	[BUG_TRADE_TWICE] = "trade_twice",
	[BUG_PRINT_LOST] = "print_lost",
	[BUG_PRINT_TWICE] = "print_twice",
	[BUG_SKIM_REST] = "skim_rest",
};
