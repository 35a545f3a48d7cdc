/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bug: mistakes that are made on purpose, one of each class that the
 * simulation is to find. A test proves that it finds each.
 *
 * Thread: constants only.
 */
#ifndef TESTS_SIM_BUG_H
#define TESTS_SIM_BUG_H

enum sim_bug {
	BUG_NONE,
	BUG_NO_FENCE,	      /* the fence compares nothing */
	BUG_NO_OFFSET,	      /* it compares the epoch only, and a claim reads
			      * the offset before it waits for the old owner */
	BUG_DECIDES_UNLOCKED, /* rows are read, and then locked */
	BUG_OLD_NUMBER,	      /* a batch that is tried again keeps its number */
	BUG_DOUBT_LOST,	      /* a COMMIT in doubt counts as not done */
	BUG_DOUBT_DONE,	      /* it counts as done */
	BUG_ZOMBIE_COMMITS,   /* a backend that was ended may still commit */
	BUG_TIMER_DROPPED,    /* what is due is not settled with the batch */
	BUG_SWEEP_SLEEPS,     /* what is due on idle rows is not looked for */
	BUG_PARKS_INNOCENT,   /* what is due is taken for the command's fault */
	BUG_STARTS_AT_END,    /* a claimed partition is read from its end */
	BUG_KEEPS_TURNED,   /* records of a partition that was lost are kept */
	BUG_PAGE_TWICE,	    /* a page is taken from a market row read before */
	BUG_STALE_PAUSE,    /* pauses are read before the lock is had */
	BUG_NO_UNIQUE,	    /* an id that another writer took is not noticed */
	BUG_LOG_SEQ_KEPT,   /* a batch rolled back has used up its log_seq */
	BUG_OWNER_UNLOCKED, /* a hold made since discovery is decided on */
	BUG_TIME_BACK,	    /* decided_at is the clock, whatever rows say */
	BUG_OWNER_LIVES, /* a claim waits for a stopped owner, and ends nobody */
	BUG_FILL_TWICE,	 /* a known fill counts again */
	BUG_FILL_LOST,	 /* fills are done with when they are read: their offset
			* moves before their batch is committed */
	BUG_FILLS_UNFENCED, /* the fence compares nothing where fills are read */
	BUG_LETTER_DROPPED, /* a fill that is not applied is answered only */
	BUG_ORDER_UNLOCKED, /* an order is read and not locked */
	BUG_TRADE_TWICE,    /* a known transaction takes its skim again */
	BUG_PRINT_LOST,	    /* as BUG_FILL_LOST, of public trades */
	BUG_PRINT_TWICE,    /* a public trade has a row each time it is read */
	BUG_SKIM_REST, /* a unit of a skim's rest is given to another lock */
	BUGS
};
/* As in the enum, in lower case: "no_fence". */
extern const char *const sim_bug_names[BUGS];

#endif
