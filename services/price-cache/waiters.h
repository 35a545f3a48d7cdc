/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiters: who waits for which market's price.
 *
 * A question is one client's request; it waits on any number of keys. When a
 * key settles, everybody who waits on it is told at once; a question is done
 * when nothing is left that it waits for, or when its deadline passes. Leaving
 * at the deadline takes the question off its keys and touches nothing else:
 * the shared call goes on for the others.
 *
 * Invariant: each question that has begun to wait comes out of waiters_next()
 * exactly once.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef PRICE_CACHE_WAITERS_H
#define PRICE_CACHE_WAITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct wait;
struct waiters;

struct waiters_key { /* embedded in what is waited for; zero = nobody */
	struct wait *first;
};

struct question {
	uint64_t ref; /* the asker's own */
	void **items; /* what it asked about, in its order; not owned */
	size_t count;
	size_t pending; /* keys that it still waits for */
	struct ch_mono asked;
	struct ch_mono deadline;
	bool late;   /* its deadline came first */
	bool joined; /* waited only for what was asked for already */
	bool cold;   /* waited for something that had no price */
	/* waiters.c */
	struct wait *waits;
	struct question *prev, *next;
};

struct waiters *waiters_new(void);
/* Questions that are left are freed with it. */
void waiters_free(struct waiters *w);

/* A question about items (copied), waiting for nothing yet. */
struct question *waiters_open(void *const *items, size_t count);
void waiters_wait(struct question *q, struct waiters_key *key);
/* Ends the making of a question with something pending: it waits until
 * deadline. */
void waiters_begin(struct waiters *w, struct question *q,
	struct ch_mono deadline);
/* The key has its answer. */
void waiters_settle(struct waiters *w, struct waiters_key *key);
/* Lets go those whose deadline has passed. */
void waiters_expire(struct waiters *w, struct ch_mono now);
/* The next question that is done, or NULL; then waiters_close() it. */
struct question *waiters_next(struct waiters *w);
void waiters_close(struct question *q);
/* The nearest deadline; false when nobody waits. */
bool waiters_due(const struct waiters *w, struct ch_mono *due);
size_t waiters_count(const struct waiters *w); /* waiting now */

#endif
