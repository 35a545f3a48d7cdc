/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: the one row that says how far a slot's deliveries have come.
 *
 * Written at most once a second by one relay, the owner; reading it claims it.
 * A save that finds another owner changes nothing: CH_EFENCED. What is lost
 * with a crash is at most a second of it: rows that come again.
 *
 * The slot is told no position that is not durable here (kept_lsn). So a slot
 * that is further was made anew, or moved by somebody else, and what lies
 * between it never sends: PostgreSQL moves a start that is named before the
 * slot's own position there without a word.
 *
 * The outbox's snapshot: each save brings back a snapshot and a position that
 * lies behind everything it sees. When the deliveries have passed that
 * position, the snapshot is confirmed, and goes into the next save.
 *
 * Each save marks how far each stream is and when, by this process's clock
 * (delivery_marks): so that somebody can be told between which two saves a row
 * was delivered. Streams that are no further leave no mark.
 *
 * Whose it is: a position is true of one timeline of one system, log_seqs and
 * snapshot of one system (a promoted standby has its row's rows; a dump that
 * was restored elsewhere has other transactions). So a claim on another
 * timeline forgets the position, on another system everything; and what this
 * process knows beyond the row it forgets on either.
 *
 * A server may be set back in place, to a copy of its own files: the same
 * system, the same timeline, another future. Its process is another one then:
 * so the row alone is believed on each start of the server, and a walsender of
 * another start than the SQL session's is refused. A row that is ahead of the
 * server's WAL was not written there: another system's.
 *
 * Thread: loop only.
 */
#ifndef RELAY_PROGRESS_H
#define RELAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "inflight.h"
#include "io/pg.h"
#include "walsender.h"

#define PROGRESS_LSN_TEXT_MAX 18

struct progress {
	const char *slot;
	const struct ch_clock *clock;
	char owner[64];
	struct walsender_identity identity; /* of the server that was claimed */
	bool begun; /* this slot's first start is over; stored as its system */
	bool has_lsn;
	uint64_t lsn;
	char *snapshot;	 /* confirmed; NULL: none */
	char *candidate; /* NULL: none */
	uint64_t candidate_lsn;
	uint64_t saved_events; /* deliveries that the last save had */
	uint64_t candidate_events, covered_events; /* that a snapshot sees */
	uint64_t saved_lsn;  /* by the last save that was sent */
	uint64_t kept_lsn;   /* by the last that is durable; 0: none */
	bool saved_snapshot; /* the last save had the latest snapshot */
	bool in_flight;	     /* a save was sent */
};

void progress_init(struct progress *p, const char *slot, const char *owner,
	const struct ch_clock *clock);
void progress_free(struct progress *p);
/* As PostgreSQL writes it. */
void progress_lsn_text(uint64_t lsn, char out[PROGRESS_LSN_TEXT_MAX]);

/* Claims and reads the row; *ours: nobody came between, we were the owner and
 * this is the history that we know. If not, f forgets what is delivered and
 * takes it from the row. */
int progress_claim(struct progress *p, struct ch_pg *pg, struct inflight *f,
	bool *ours, struct ch_err *err);
/* Does another connection see the server that was claimed? CH_EFENCED: no. */
int progress_check(const struct progress *p,
	const struct walsender_identity *of, struct ch_err *err);
/* Writes at once. */
int progress_save(struct progress *p, struct ch_pg *pg,
	const struct inflight *f, struct ch_err *err);
/* Is there something to write? */
bool progress_is_due(const struct progress *p, const struct inflight *f);
/* The same as a save in two halves: send; then, when ch_pg_ready() says so,
 * finish. */
int progress_send(struct progress *p, struct ch_pg *pg,
	const struct inflight *f, struct ch_err *err);
int progress_finish(struct progress *p, struct ch_pg *pg, struct ch_err *err);
/* Waits for a save under way: before any other use of its connection. */
int progress_settle(struct progress *p, struct ch_pg *pg, struct ch_err *err);
/* Deliveries have come to lsn: confirms the candidate when it is passed. */
void progress_reached(struct progress *p, uint64_t lsn);
/* Has the position moved beyond what is written? Whoever asks decides how soon
 * that is worth a write: each moves the WAL, and so an idle stream's position,
 * itself. */
bool progress_is_ahead(const struct progress *p);
/* A scan has delivered all that this snapshot sees. */
void progress_snapshot_set(struct progress *p, const char *snapshot);

#endif
