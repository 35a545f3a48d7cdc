/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: an application's outbox table as a queue: read oldest first, deleted
 * when delivered. For servers whose WAL cannot be read.
 *
 *	read (not what is taken) -> inflight -> delivered or parked -> DELETE
 *
 * There is no cursor. Each page begins at the oldest row that is not taken, so
 * a transaction that commits late is found by the next page whatever its
 * number; and since a number is drawn while the aggregate's row is locked, no
 * page holds a row of a key whose earlier ones are not taken, in the page
 * before it, or gone. What is taken is known here alone: a crash between
 * acknowledgement and DELETE reads those rows again, with their ids. A page is
 * deleted when all of it is done; and of one with a row that waits, now and then
 * those that are done: so it holds no other, and no shard, back.
 *
 * Nobody else may read the same rows meanwhile: the leader's lock, or that of
 * a share (share.h), is held by the very session that deletes.
 *
 * Failure: as in io/pg.h. What could not be deleted stays taken, and is not
 * sent again by this process; with QUEUE_TAKEN_MAX of it nothing is read.
 *
 * Thread: loop only.
 */
#ifndef RELAY_QUEUE_H
#define RELAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "contract.h"
#include "inflight.h"
#include "io/pg.h"

#define QUEUE_TAKEN_MAX 10000 /* rows */
#define QUEUE_SHARDS_MAX 64

struct queue;

/* Which rows are ours: those whose key's hash, modulo `of`, is one of these. */
struct queue_part {
	int32_t of;
	const int32_t *shards;
	size_t count;
};

extern const struct queue_part queue_whole; /* all of them */
/* As an argument of a statement; the caller frees it. */
void queue_part_shards(const struct queue_part *part, struct ch_pg_array *out);

struct queue_options {
	struct contract *contract;
	const char *table;		 /* "schema.table" */
	const char *id, *key, *order_by; /* columns; order_by may be "" */
	const char *time; /* when a row was written; need not be there */
	bool first_whole; /* rows of before the first start are sent */
	bool shared;	  /* several relays: keys must be hashed alike */
};

struct queue *queue_new(const struct queue_options *opt);
void queue_free(struct queue *q);
/* May and can this table be read so? CH_ECONFIG: no, and what to do. */
int queue_check(struct queue *q, struct ch_pg *pg, struct ch_err *err);
/* Forgets what is taken, before it is read again. */
void queue_clear(struct queue *q);

bool queue_has_room(const struct queue *q);
/* Reads one page. 1: a full one; 0: there is no more now; negative: an error,
 * and nothing was taken. */
int queue_read(struct queue *q, struct ch_pg *pg, const struct queue_part *part,
	struct inflight *f, struct ch_time now, struct ch_err *err);
/* For inflight_watch(): a row is delivered or parked. */
void queue_done(void *queue, const struct event *e);
/* Are there such rows, which should be deleted now? */
bool queue_has_delivered(const struct queue *q, struct ch_mono now);
/* Deletes them. On an error the rest is kept for the next call. */
int queue_delete(struct queue *q, struct ch_pg *pg, struct ch_mono now,
	struct ch_err *err);

/* Had the last page the column `time`, as timestamptz? Without it rows are as
 * old as their reading. true while nothing was read. */
bool queue_has_time(const struct queue *q);
size_t queue_taken(const struct queue *q);
/* Those of a shard. */
size_t queue_taken_of(const struct queue *q, int32_t shard);
/* Those that are not done. */
size_t queue_undone(const struct queue *q);
uint64_t queue_rows(const struct queue *q);    /* read */
uint64_t queue_deleted(const struct queue *q); /* rows */

#endif
