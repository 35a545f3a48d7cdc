/* SPDX-License-Identifier: Apache-2.0 */
/*
 * position: where in the WAL all before is delivered, and when that is written.
 *
 *	NONE --the tables are read--> SCANNED --all of them delivered--> KNOWN
 *	 ^                               |                                 |
 *	 '-- forgotten: slot lost, made anew, moved; rows missed ----------'
 *
 * NONE is written (NULL in relay_progress) before a slot is made, KNOWN when the
 * re-scan behind it is delivered: a crash in between scans again. While it is
 * SCANNED no position says what is in flight. KNOWN it moves over each commit
 * before which nothing is undelivered (inflight.h).
 *
 * Written at most once a second after deliveries. Without them each write of
 * ours moves the WAL, and so the position, itself: then after as long again as
 * there was none, or when the slot would keep much WAL.
 *
 * Thread: loop only. `now` is passed in; nothing is asked of PostgreSQL.
 */
#ifndef RELAY_POSITION_H
#define RELAY_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "inflight.h"
#include "progress.h"

enum position_state { POSITION_NONE, POSITION_SCANNED, POSITION_KNOWN };

struct position {
	struct progress *progress; /* has the position, once it is KNOWN */
	struct inflight *inflight;
	bool scanned;	   /* the tables, since slot_lsn */
	uint64_t scan_end; /* with so many commits all of them are delivered */
	uint64_t slot_lsn; /* where the slot was before they were read */
	uint64_t read_lsn; /* end of the last commit that was read; 0: none */
	struct ch_mono saved_at;
	int64_t idle_save_ms; /* after saved_at, when nothing is delivered */
};

/* Both are the caller's, and outlive it. */
void position_init(struct position *p, struct progress *progress,
	struct inflight *inflight);
enum position_state position_state(const struct position *p);

/* To NONE; the caller writes it. */
void position_forget(struct position *p);
/* What was in flight is dropped, or comes again from the tables. */
void position_drop(struct position *p);
/* The tables are read, all of them again. */
void position_scan(struct position *p);
/* They are read to their end. */
void position_scanned(struct position *p);
/* To KNOWN, if it is SCANNED and all of that is delivered. snapshot: what it
 * saw; NULL: of an application's table, whose rows that were deleted before
 * they were read are in the slot alone. */
void position_settle(struct position *p, const char *snapshot);

/* Commits are read up to there. */
void position_read(struct position *p, uint64_t lsn);
/* Where the stream goes on: behind what was read, else behind what is
 * delivered. Not of NONE. */
uint64_t position_stream_from(const struct position *p);
/* How far the slot may be: it was told so much, or was there before the
 * re-scan. Further, it was moved by somebody else. 0: nothing is known of it. */
uint64_t position_of_slot(const struct position *p);
/* KNOWN: over what is delivered by now. */
void position_advance(struct position *p);

/* Milliseconds until it is to be written, with what else progress.h keeps;
 * negative: there is nothing to write. moves: also without a delivery. */
int64_t position_save_ms(const struct position *p, bool moves,
	struct ch_mono now);
/* It is written now. */
void position_saves(struct position *p, struct ch_mono now);

#endif
