/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail: the WAL of the published tables, from a logical slot into inflight.
 *
 * One walsender's connection (walsender.h). While the stream runs, tail_read()
 * takes frames as long as the caller wants them, and tail_status() tells the
 * server how far things are delivered, whether frames are read or not: so a
 * blocked target never lets the server think that we are gone.
 *
 * Thread: loop only.
 */
#ifndef RELAY_TAIL_H
#define RELAY_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "contract.h"
#include "inflight.h"
#include "walsender.h"

struct tail;

/* What to do when an application changes a row of its outbox. */
enum tail_update {
	TAIL_UPDATE_WARN,  /* counted and passed over; the owner tells it */
	TAIL_UPDATE_ERROR, /* the same, told as an error */
	TAIL_UPDATE_FATAL  /* the stream ends: CH_EINVAL */
};

struct tail_options {
	struct walsender_options walsender;
	const char *publication; /* checked by the caller: [a-z0-9_]+ */
	/* Of an application's own table, which alone is read then; NULL: the
	 * ledger's tables are. */
	struct contract *contract;
	enum tail_update update; /* of a row of that table */
};

struct tail_counts {
	uint64_t frames, keepalives, commits, events;
	uint64_t repeated; /* rows read again that are delivered */
	uint64_t bytes;
	uint64_t updates;    /* of rows of an application's outbox */
	uint32_t updated_by; /* transaction of the last of them */
};

struct tail *tail_new(const struct tail_options *opt, struct ch_err *err);
void tail_free(struct tail *t);
/* Codes of connect, and of all below, as in io/pg.h. */
int tail_connect(struct tail *t, struct walsender_identity *out,
	struct ch_err *err);
void tail_disconnect(struct tail *t);
/* Its connection, for what is asked before the stream begins. */
struct walsender *tail_walsender(struct tail *t);

/* Begins the stream; lsn 0: at the slot's own position. Passed over are rows
 * of the log up to what f says is delivered, and rows of the outbox that the
 * delivered snapshot (NULL: none) sees. CH_EEXIST: the slot is active. */
int tail_start(struct tail *t, uint64_t lsn, struct inflight *f,
	const char *snapshot, struct ch_err *err);
/* Rows of this stream of the log are passed over further than f says: they are
 * in it, not delivered yet. After tail_start(). */
void tail_pass(struct tail *t, int32_t stream, int64_t seq);

/* Nothing that is committed at lsn or behind is taken any more from this stream. */
void tail_limit(struct tail *t, uint64_t lsn);
/* All up to there was taken. */
bool tail_is_at_limit(const struct tail *t);

/* Takes frames that are there into f, at most max_bytes of them, and none behind
 * one that tells the application's table (tail_learned()). 1: more may be there;
 * 0: none now; negative: the connection is gone or broken. */
int tail_read(struct tail *t, struct inflight *f, size_t max_bytes,
	struct ch_err *err);
/* The last one told the application's table, in transaction *xid, of which
 * nothing can be sent yet. Once: the next tail_read() goes on. */
bool tail_learned(struct tail *t, uint32_t *xid);
/* Tells flushed: at once when the server asked for it (asked) or force, when it
 * moved at most once in 100 ms, and every 5 s anyhow. */
int tail_status(struct tail *t, uint64_t flushed, struct ch_mono now,
	struct ch_time wall, bool force, struct ch_err *err);
/* End of the last commit that was read. */
uint64_t tail_read_lsn(const struct tail *t);
/* Over a Unix socket? */
bool tail_is_local(const struct tail *t);
int tail_fd(const struct tail *t); /* -1: not connected */
const struct tail_counts *tail_counts(const struct tail *t);
/* Ends the stream in order (CopyDone), without waiting for an answer. */
void tail_stop(struct tail *t);

#endif
