/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settlement: after a report that is not ok nothing more is sent until all that
 * is in flight has been reported, so that what is sent again stands behind it.
 *
 *	FLOWING --a report is not ok, a breaker opens, the client has failed-->
 *	SETTLING --nothing is in flight, the client is sound--> FLOWING
 *
 * A client ends it that has failed, or that reports nothing for long though a
 * broker is there: it is rebuilt, and what it had is reported as failed. One
 * that fails as soon as it is made is made again ever more seldom.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef RELAY_SETTLEMENT_H
#define RELAY_SETTLEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/rng.h"

#define SETTLEMENT_SILENT_MS 2000

enum settlement_state { SETTLEMENT_FLOWING, SETTLEMENT_SETTLING };

struct settlement {
	enum settlement_state state;
	struct ch_mono heard; /* the last report, or its begin */
	struct ch_backoff rebuilds;
	struct ch_mono rebuild_at; /* of a failed client: not before */
};

void settlement_init(struct settlement *s);

static inline bool
settlement_is_on(const struct settlement *s)
{
	return s->state == SETTLEMENT_SETTLING;
}

void settlement_begin(struct settlement *s, struct ch_mono now);
/* A report came. ok: of what was taken. */
void settlement_heard(struct settlement *s, bool ok, struct ch_mono now);

enum settlement_need {
	SETTLEMENT_NOTHING,
	SETTLEMENT_FAILED, /* rebuild the client: it has failed */
	SETTLEMENT_SILENT  /* the same: it reports nothing */
};
/* Once a turn. A client that has failed begins one. */
enum settlement_need settlement_needs(struct settlement *s, bool failed,
	bool away, struct ch_mono now);
/* The client was rebuilt, whatever came of it. */
void settlement_rebuilt(struct settlement *s, struct ch_rng *rng,
	struct ch_mono now);
/* It ends, if nothing is in flight of a client that is sound. true: now. */
bool settlement_ends(struct settlement *s, size_t in_flight, bool failed);
/* What was in flight will not be reported, and nothing is sent again. */
void settlement_drop(struct settlement *s);

#endif
