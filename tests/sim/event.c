/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: see event.h.
 */
#include "event.h"

#include <stdio.h>

static const char *const points[POINTS] = {
	[POINT_POLL] = "poll",
	[POINT_NAMES] = "names",
	[POINT_PAUSE_LOCK] = "pause_lock",
	[POINT_FENCE] = "fence",
	[POINT_ROWS] = "rows",
	[POINT_LOCKED] = "locked",
	[POINT_DECIDED] = "decided",
	[POINT_COPY] = "copy",
	[POINT_WRITTEN] = "written",
	[POINT_SENT] = "commit_sent",
	[POINT_COMMITTED] = "committed",
	[POINT_CLAIM] = "claim",
	[POINT_CLAIMED] = "claimed",
	[POINT_SCRIPT] = "script",
	[POINT_QUERY] = "query",
};

static const char *const names[EVENTS] = {
	[EVENT_STOP_FOR_GOOD] = "stop_for_good",
	[EVENT_WOKE] = "woke",
	[EVENT_WOKE_LATE] = "woke_late",
	[EVENT_STARTED] = "started",
	[EVENT_LEFT] = "left",
	[EVENT_CUT] = "cut",
	[EVENT_RESTARTED] = "postgres_restarted",
	[EVENT_DOUBT_DONE] = "doubt_done",
	[EVENT_DOUBT_LOST] = "doubt_lost",
	[EVENT_DOUBT_LATE] = "doubt_late",
	[EVENT_COMMIT_REFUSED] = "commit_refused",
	[EVENT_ENDED] = "backend_ended",
	[EVENT_COPY_ENDED] = "copy_ended",
	[EVENT_IDLE_ENDED] = "idle_ended",
	[EVENT_CLAIM_WAITED] = "claim_waited",
	[EVENT_FENCED] = "fenced",
	[EVENT_REBALANCED] = "rebalanced",
	[EVENT_TURNED] = "turned_in_batch",
	[EVENT_TWO_OWNERS] = "two_owners",
	[EVENT_MEMBER_LOST] = "member_lost",
	[EVENT_NAME_TAKEN] = "name_taken",
	[EVENT_FILLS_TURNED] = "fills_turned_in_batch",
	[EVENT_READ_AGAIN] = "read_again",
	[EVENT_FILL_READ_AGAIN] = "fill_read_again",
	[EVENT_TRADES_TURNED] = "trades_turned_in_batch",
	[EVENT_PRINT_READ_AGAIN] = "print_read_again",
	[EVENT_HOLE] = "hole",
	[EVENT_LOCK_WAITED] = "lock_waited",
	[EVENT_LOCK_TIMEOUT] = "lock_timeout",
	[EVENT_CONFLICT] = "conflict",
	[EVENT_ID_CONFLICT] = "id_conflict",
	[EVENT_DUPLICATE] = "duplicate",
	[EVENT_DUE_FIRST] = "due_first",
	[EVENT_OWNER_MADE] = "owner_made",
	[EVENT_CLOCK_BACK] = "clock_back",
	[EVENT_CLOCK_AHEAD] = "clock_ahead",
	[EVENT_CLOCK_WRONG] = "clock_wrong",
	[EVENT_PARKED] = "parked",
	[EVENT_SET_ASIDE] = "set_aside",
	[EVENT_REFUSED_ONCE] = "refused_once",
	[EVENT_DAY_MISSING] = "day_missing",
	[EVENT_PAUSED] = "paused",
	[EVENT_RESUMED] = "resumed",
	[EVENT_PAUSE_ENDED] = "pause_ended_backend",
	[EVENT_EXPIRED] = "expired",
	[EVENT_SWEPT] = "swept",
	[EVENT_PAGE] = "page",
	[EVENT_PAGE_MORE] = "page_more",
	[EVENT_RATE_LIMITED] = "rate_limited",
	[EVENT_FILL] = "fill",
	[EVENT_FILL_LATE] = "fill_late",
	[EVENT_FILL_KNOWN] = "fill_known",
	[EVENT_FILL_DUPLICATE] = "fill_duplicate",
	[EVENT_FILL_EARLY] = "fill_early",
	[EVENT_FILL_OVER] = "fill_over",
	[EVENT_FILL_MISMATCH] = "fill_mismatch",
	[EVENT_FILL_AGED] = "fill_aged",
	[EVENT_FILL_FRACTION] = "fill_fraction",
	[EVENT_FILL_UNREADABLE] = "fill_unreadable",
	[EVENT_FILL_PARKED] = "fill_parked",
	[EVENT_TRADE_KNOWN] = "trade_known",
	[EVENT_TRADE_MISMATCH] = "trade_mismatch",
	[EVENT_PRINT] = "print",
	[EVENT_PRINT_KNOWN] = "print_known",
	[EVENT_PRINT_LETTER] = "print_letter",
	[EVENT_PRINT_PARKED] = "print_parked",
	[EVENT_SKIMMED] = "skimmed",
	[EVENT_FROM_LOG] = "from_log",
};

const char *
sim_event_name(unsigned event, char *room, size_t size)
{
	if (event < EVENT_STOP)
		(void)snprintf(room, size, "crash:%s", points[event]);
	else if (event < EVENT_STOP_FOR_GOOD)
		(void)snprintf(room, size, "stop:%s",
			points[event - EVENT_STOP]);
	else
		(void)snprintf(room, size, "%s", names[event]);
	return room;
}
