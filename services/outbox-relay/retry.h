/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: what becomes of a row that its target did not take, and which keys
 * and rows are put aside.
 *
 * Causes and what they cost:
 *	outage, transient  sent again in order, as often as needed: no attempt
 *	refused		   one attempt; sent again alone, so that a batch's
 *			   failure does not condemn its neighbours; refused
 *			   alone: parked
 *	topic		   the topic is there but takes nothing (no right to
 *			   it): parked after `topic_attempts`
 *
 * Blocked keys are held as (topic, key) -> letter; remembered rows as 64-bit
 * hashes: a hit only means "look it up".
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_RETRY_H
#define RELAY_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/uuid.h"

enum retry_cause { RETRY_OUTAGE, RETRY_REFUSED, RETRY_TOPIC };
enum retry_verdict {
	RETRY_AGAIN, /* in order, with the others */
	RETRY_ALONE, /* in order, with nothing else in flight */
	RETRY_PARK
};

#define RETRY_TOPIC_ATTEMPTS 3

/* attempts: refusals before this one. alone: nothing else was in flight. */
enum retry_verdict retry_decide(enum retry_cause cause, unsigned attempts,
	bool alone);

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
/* Calls fn with the letter of each blocked key. */
void retry_each(struct retry *r,
	void (*fn)(void *ctx, int topic, struct ch_view key,
		const struct ch_uuid *letter),
	void *ctx);

/* Rows that are parked or wait: a repeated read passes over them. */
void retry_remember(struct retry *r, struct ch_view origin,
	struct ch_view row_id);
bool retry_remembers(const struct retry *r, struct ch_view origin,
	struct ch_view row_id);
size_t retry_remembered(const struct retry *r);

#endif
