/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shards: which keys of a polled table are this relay's, when several share it.
 *
 * The keys are cut into `of` shards by a hash. A shard belongs to whoever has
 * its session lock; each relay takes its fair share of those that are free, and
 * gives up what is over it when another one joins. So there is nothing to
 * configure but the number, the same for all; a relay that dies leaves its
 * shards with its session, and the others find them at their next look.
 *
 *	members	  the sessions that share (slot, of)
 *	fair	  of / members, rounded down; some have one more
 *
 * Relays that cut the same table otherwise (another `of`, or one that reads it
 * whole) exclude each other: two cuts would give one key two relays.
 *
 * Failure: as in io/pg.h; with the session all is lost that it had.
 *
 * Thread: loop only.
 */
#ifndef RELAY_SHARDS_H
#define RELAY_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/pg.h"
#include "queue.h"

#define SHARDS_MAX QUEUE_SHARDS_MAX

struct shards;

struct shards *shards_new(const char *slot, int32_t of);
void shards_free(struct shards *s);

/* Becomes a member. *joined false: a relay that reads the table whole is at
 * work. CH_EEXIST: relays with another `of` are. */
int shards_join(struct shards *s, struct ch_pg *pg, bool *joined,
	struct ch_err *err);
/* The session is gone, and what it had. */
void shards_lose(struct shards *s);

/* Looks at all of them and takes what it should have of what is free; *taken:
 * how many, the last of the part. *surplus: how many others should have
 * instead: shards_leave(). */
int shards_balance(struct shards *s, struct ch_pg *pg, size_t *taken,
	size_t *surplus, struct ch_err *err);

/* How many rows of a shard are taken. */
typedef size_t shards_taken_fn(void *ctx, int32_t shard);

/* Chooses `count` to be left, which are no part of shards_read() any more: those
 * of which nothing is taken first, then those not chosen for longest. They are
 * the last of the part. */
void shards_leave(struct shards *s, size_t count, shards_taken_fn *taken,
	void *ctx);
/* Leaves none of those that it still has. */
void shards_stay(struct shards *s);
size_t shards_leaving(const struct shards *s);
/* Rows taken of those. */
size_t shards_undone(const struct shards *s, shards_taken_fn *taken, void *ctx);
/* Makes one of them the last of the part of which nothing is taken; false: there
 * is none. */
bool shards_find_left(struct shards *s, shards_taken_fn *taken, void *ctx);
/* Gives up the last of the part, which is left. */
int shards_give(struct shards *s, struct ch_pg *pg, struct ch_err *err);

const struct queue_part *shards_part(const struct shards *s); /* all it has */
struct queue_part shards_read(const struct shards *s);

/* What to do, of what is seen. Pure. */
struct shards_view {
	int32_t of, members, mine, free;
	int32_t least; /* of a member, this one included */
};
/* > 0: take so many; < 0: give so many. */
int32_t shards_wish(const struct shards_view *v);

#endif
