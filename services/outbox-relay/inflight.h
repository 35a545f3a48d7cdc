/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflight: the rows between reading and acknowledging, in order.
 *
 * Rows come in commits (of the WAL, or pages of a scan). Within a commit they
 * are sorted by what orders them; over commits the order is that of reading.
 * A cursor hands rows to the sender; a commit counts as delivered when each of
 * its rows is done and each commit before it is delivered: only then does the
 * position move over it. So the position never passes an undelivered row.
 *
 * Bounded by the owner: it stops reading when the bytes of rows that are not
 * done reach its limit. The commit that is being read does not count: nothing
 * of it can go before it is whole.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_INFLIGHT_H
#define RELAY_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "event.h"
#include "marks.h"

struct inflight;

/* What has been passed over since the beginning. */
struct inflight_position {
	uint64_t lsn; /* end of the last delivered commit of the WAL; 0: none */
	const char *mark; /* of the last delivered commit that had one */
	uint64_t commits;
	uint64_t events;
};

struct inflight *inflight_new(void);
void inflight_free(struct inflight *f);
/* Drops all rows and what a half-read commit had; the position stays. */
void inflight_clear(struct inflight *f);

/* A commit: begin, add its rows (they belong to f then), end. lsn 0: none.
 * mark, copied, may be NULL: what the position shall say after it. */
void inflight_begin(struct inflight *f, struct ch_time at);
void inflight_add(struct inflight *f, struct event *e);
void inflight_end(struct inflight *f, uint64_t end_lsn, const char *mark);
/* A row of the commit that is being read was written then: it is no younger. */
void inflight_written(struct inflight *f, struct ch_time at);
/* Forgets the commit that is being read. */
void inflight_abandon(struct inflight *f);
/* A commit that is read between the two comes before the one that is half read,
 * of which nothing is sent yet. */
void inflight_interrupt(struct inflight *f);
void inflight_resume(struct inflight *f);
bool inflight_is_reading(const struct inflight *f);

/* The next row in order that is NEW, passing over the others; NULL when there
 * is none now. It stays the next one until its state changes. */
struct event *inflight_next(struct inflight *f);
/* Is a row before this one, of the same topic and key, neither done nor refused?
 * Costs a look at all rows before it. */
bool inflight_has_before(const struct inflight *f, const struct event *e);
/* The row is acknowledged or durably parked: freed. While it is held it stays
 * in flight, SETTLED, until it is let go. */
void inflight_done(struct inflight *f, struct event *e);
/* Hears of each row that is done, before it is freed. */
void inflight_watch(struct inflight *f,
	void (*done)(void *ctx, const struct event *e), void *ctx);
/* Something else, beside its target, must be durable before it counts. */
void inflight_hold(struct event *e);
void inflight_let_go(struct inflight *f, struct event *e);
/* Every row that is SENT or WAITING is NEW again, and the cursor stands before
 * the first of them. */
void inflight_rewind(struct inflight *f);
/* Every row that waits is NEW again. */
void inflight_wake(struct inflight *f);
/* Those of them that may(), asked in order. The others stay passed, so that
 * however many they are, the cursor comes to what is behind them. */
void inflight_wake_if(struct inflight *f,
	bool (*may)(void *ctx, struct event *e), void *ctx);

/* Frees the delivered commits at the front; true when the position moved. */
bool inflight_advance(struct inflight *f);
/* The server says that nothing of ours lies before lsn but what was read: the
 * position moves there with the last commit read, or at once. */
void inflight_position_at(struct inflight *f, uint64_t lsn);
const struct inflight_position *inflight_position(const struct inflight *f);
/* What was delivered so far has no mark any more: another reading begins. */
void inflight_unmark(struct inflight *f);
/* Commits that were ended: once position's `commits` has come there, all of
 * them are delivered. Those that are dropped do not count. */
uint64_t inflight_ended(const struct inflight *f);
/* Delivered log_seqs. */
const struct marks *inflight_marks(const struct inflight *f);
/* Sets it, when a stored progress is read. Never goes back. */
void inflight_delivered_set(struct inflight *f, int32_t stream, int64_t seq);
/* Another history of the database: what was delivered of the last one, its
 * position, its mark and its log_seqs, says nothing there. Rows stay. */
void inflight_forget(struct inflight *f);

size_t inflight_events(const struct inflight *f); /* not done */
size_t inflight_bytes(const struct inflight *f);  /* held */
/* The same without the commit that is being read. */
size_t inflight_whole_bytes(const struct inflight *f);
bool inflight_is_empty(const struct inflight *f); /* no commit, none read */
/* When the oldest undelivered commit was made; false when empty. */
bool inflight_oldest(const struct inflight *f, struct ch_time *at);
/* The same of the last commit that was begun. */
bool inflight_newest(const struct inflight *f, struct ch_time *at);

#endif
