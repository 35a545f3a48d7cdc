/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: what becomes of a row that its target did not take, and which keys
 * and rows are put aside.
 *
 * What a failure costs (failure.h has the classes):
 *
 *	class		among others	alone
 *	outage, quota,
 *	denied		again, free	again, free
 *	transient	again, free	an attempt; for ever unless the route
 *					says after how many
 *	permanent	again, free	an attempt; parked after 3
 *	poison		on trial, free	an attempt; parked after 1
 *	unclear		on trial, free	again after a pause, free
 *
 * Kafka refuses whole batches: what was refused among others is put on trial,
 * sent again with nothing beside it (a topic that takes nothing has one record
 * on trial at a time by itself: target.h), and only a trial spends an attempt.
 * A route with skip-after-N has N attempts for each class that spends some.
 *
 * While a row is on trial its key is held: its rows go one at a time, in
 * order, and wait between two attempts; other keys flow. A key without bytes
 * holds its own row alone.
 *
 * Blocked keys are held as (topic, key) -> letter; remembered rows as hashes.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_RETRY_H
#define RELAY_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/uuid.h"
#include "event.h"
#include "failure.h"

enum retry_verdict {
	RETRY_AGAIN, /* in order, with the others */
	RETRY_TRIAL, /* in order, alone, at once */
	RETRY_LATER, /* the same, after a pause */
	RETRY_PARK
};

struct retry_decision {
	enum retry_verdict verdict;
	bool spent; /* an attempt */
};

/* attempts: spent before this one. limit: of the route, 0: the table's.
 * alone: it was on trial. */
struct retry_decision retry_decide(enum failure f, unsigned attempts,
	unsigned limit, bool alone);

struct retry;

struct retry *retry_new(void);
void retry_free(struct retry *r);
void retry_clear(struct retry *r);

/* A key without bytes (ptr NULL) is never blocked. */
void retry_block(struct retry *r, int topic, struct ch_view key,
	const struct ch_uuid *letter);
void retry_unblock(struct retry *r, int topic, struct ch_view key);
bool retry_is_blocked(const struct retry *r, int topic, struct ch_view key,
	struct ch_uuid *letter);
size_t retry_blocked(const struct retry *r);

struct retry_key {
	struct retry_key *next, *prev; /* retry's own */
	struct ch_uuid letter;
	int topic;
	/* The owner's: it is not asked about. Stays with the key when another
	 * letter blocks it, until the owner is done with the one before. */
	bool released;
	size_t len;
	char key[];
};
/* NULL: it is not blocked. */
struct retry_key *retry_blocked_key(const struct retry *r, int topic,
	struct ch_view key);
/* Blocked keys that are not released, so many at most: those that were not
 * asked about for longest. They live until one is blocked or unblocked. */
size_t retry_next_blocked(struct retry *r, struct retry_key **out, size_t room);

/* The row (it has a topic) is put on trial: its key is held from now on. */
void retry_hold(struct retry *r, struct event *e);
/* After an attempt: nothing of its key goes until then, longer each time. */
struct ch_mono retry_pause(struct retry *r, const struct event *e,
	struct ch_rng *rng, struct ch_mono now);
/* Its trial is over, whatever came of it. Nothing, when it was on none. */
void retry_free_key(struct retry *r, struct event *e);
/* Is its key held? Then nothing of it goes before `until`. */
bool retry_is_held(const struct retry *r, const struct event *e,
	struct ch_mono *until);
size_t retry_held(const struct retry *r); /* keys */

/* Rows that are parked or wait: a repeated read passes over them. content, as
 * event_content() has it: a row of the same name and another content is another
 * event. */
void retry_remember(struct retry *r, struct ch_view origin,
	struct ch_view row_id, uint32_t content);
bool retry_remembers(const struct retry *r, struct ch_view origin,
	struct ch_view row_id, uint32_t content);
/* Is any row of this name remembered? */
bool retry_knows(const struct retry *r, struct ch_view origin,
	struct ch_view row_id);
size_t retry_remembered(const struct retry *r);

#endif
