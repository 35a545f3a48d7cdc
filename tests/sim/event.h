/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: what happens in histories, counted by kind. A kind that a run never
 * meets was not tested by it, so a run counts that as a failure.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_SIM_EVENT_H
#define TESTS_SIM_EVENT_H

#include <stddef.h>
#include <stdint.h>

/* Where a writer may be when something befalls it. */
enum sim_point {
	POINT_POLL,	  /* a record was read */
	POINT_NAMES,	  /* names are looked up */
	POINT_PAUSE_LOCK, /* the pause lock is held */
	POINT_FENCE,	  /* a partition's row is held */
	POINT_ROWS,	  /* some rows are locked */
	POINT_LOCKED,	  /* all of them are, and the number is drawn */
	POINT_DECIDED,	  /* nothing is written */
	POINT_COPY,	  /* inside of COPY */
	POINT_WRITTEN,	  /* COMMIT is not sent */
	POINT_SENT,	  /* COMMIT has no answer */
	POINT_COMMITTED,  /* the answer is here, and nothing was done with it */
	POINT_CLAIM,	  /* a claim is sent */
	POINT_CLAIMED,	  /* it has its answer */
	POINT_SCRIPT,	  /* a script of trades is sent, or has its answers */
	POINT_QUERY,	  /* any other statement outside of a batch */
	POINTS
};

enum sim_event {
	EVENT_CRASH,			   /* and a point */
	EVENT_STOP = EVENT_CRASH + POINTS, /* and a point */
	EVENT_STOP_FOR_GOOD = EVENT_STOP + POINTS,
	EVENT_WOKE,	  /* a stopped writer goes on */
	EVENT_WOKE_LATE,  /* and meanwhile it has lost a partition */
	EVENT_STARTED,	  /* a writer's process */
	EVENT_LEFT,	  /* one that ended in order */
	EVENT_CUT,	  /* a connection */
	EVENT_RESTARTED,  /* PostgreSQL, with all connections gone */
	EVENT_DOUBT_DONE, /* a COMMIT without an answer: it was done */
	EVENT_DOUBT_LOST, /* it was not */
	EVENT_DOUBT_LATE, /* it was done after the connection was gone */
	EVENT_COMMIT_REFUSED,
	EVENT_ENDED,	  /* a backend, by the partition's next owner */
	EVENT_COPY_ENDED, /* a backend, inside of COPY, by whom it kept waiting */
	EVENT_IDLE_ENDED, /* a backend, idle in its transaction */
	EVENT_CLAIM_WAITED,
	EVENT_FENCED,
	EVENT_REBALANCED,
	EVENT_TURNED,	    /* a partition turned while a batch was under way */
	EVENT_TWO_OWNERS,   /* given away before the old owner heard of it */
	EVENT_MEMBER_LOST,  /* not heard of within the session's timeout */
	EVENT_NAME_TAKEN,   /* a static member by another of its name */
	EVENT_FILLS_TURNED, /* the same, and it is one of fills */
	EVENT_READ_AGAIN,   /* a command after a claim */
	EVENT_FILL_READ_AGAIN,
	EVENT_TRADES_TURNED, /* as EVENT_TURNED, of the feed's trades */
	EVENT_PRINT_READ_AGAIN,
	EVENT_HOLE,
	EVENT_LOCK_WAITED,
	EVENT_LOCK_TIMEOUT,
	EVENT_CONFLICT,	   /* 23505 of a row */
	EVENT_ID_CONFLICT, /* of an id, through two partitions at once */
	EVENT_DUPLICATE,
	EVENT_DUE_FIRST,  /* more was due than one batch settles */
	EVENT_OWNER_MADE, /* a row made since discovery: locked once more */
	EVENT_CLOCK_BACK,
	EVENT_CLOCK_AHEAD,
	EVENT_CLOCK_WRONG, /* a batch that was not decided for that */
	EVENT_PARKED,
	EVENT_SET_ASIDE,
	EVENT_REFUSED_ONCE, /* an innocent batch, for its rows */
	EVENT_DAY_MISSING,
	EVENT_PAUSED,
	EVENT_RESUMED,
	EVENT_PAUSE_ENDED, /* a backend, for the pause lock that it held */
	EVENT_EXPIRED,
	EVENT_SWEPT, /* by a batch without records */
	EVENT_PAGE,
	EVENT_PAGE_MORE, /* not the last one of its market */
	EVENT_RATE_LIMITED,
	EVENT_FILL,	  /* of a venue, and it counted */
	EVENT_FILL_LATE,  /* so, and its order stays cancelled */
	EVENT_FILL_KNOWN, /* confirmed */
	EVENT_FILL_DUPLICATE,
	/* letters: before its order; more than the rest, or too late; other
	 * figures than before; too old, or from the future */
	EVENT_FILL_EARLY,
	EVENT_FILL_OVER,
	EVENT_FILL_MISMATCH,
	EVENT_FILL_AGED,
	EVENT_FILL_FRACTION,
	EVENT_FILL_UNREADABLE,
	EVENT_FILL_PARKED,
	EVENT_TRADE_KNOWN,
	EVENT_TRADE_MISMATCH,
	EVENT_PRINT,	    /* of a feed: a row of trades_public */
	EVENT_PRINT_KNOWN,  /* it has one */
	EVENT_PRINT_LETTER, /* too old, from the future, unreadable */
	EVENT_PRINT_PARKED,
	EVENT_SKIMMED,	/* locks of several positions, by one trade */
	EVENT_FROM_LOG, /* an answer that rests on absence */
	EVENTS
};

struct sim_counts {
	uint64_t of[EVENTS];
	uint64_t batches, records, steps;
};

/* The event's name, for people. */
const char *sim_event_name(unsigned event, char *room, size_t size);

#endif
