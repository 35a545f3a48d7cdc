/* SPDX-License-Identifier: Apache-2.0 */
/*
 * presence: is the topic there?
 *
 *	UNKNOWN --asked, there--> KNOWN --a report says it is not--> UNKNOWN
 *	   |  '--asked, not there, for as long as it may take--> MISSING
 *	   '<---------------- asked again, there ----------------'
 *
 * An answer that does not come (brokers away) is no answer: it neither makes a
 * topic missing nor counts into its time. One that is denied makes it known,
 * with PRESENCE_UNTOLD partitions: what is sent there tells more (target.h).
 *
 * A known topic is asked again for its partitions when a row names one that it
 * does not have: somebody may have added it.
 *
 * Thread: belongs to one thread. Its owner asks the brokers.
 */
#ifndef RELAY_PRESENCE_H
#define RELAY_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "io/kafka_topic.h"

#define PRESENCE_UNTOLD (-1)

enum presence_state { PRESENCE_UNKNOWN, PRESENCE_KNOWN, PRESENCE_MISSING };

/* All zero: nothing is known, nobody waits. */
struct presence {
	enum presence_state state;
	bool wanted; /* a row waits for it */
	bool absent; /* absent_since is set */
	struct ch_mono absent_since, ask_at;
	int32_t partitions;
	struct ch_mono counted; /* partitions, by request; ns 0: never */
};

/* A row waits for the answer. */
void presence_want(struct presence *p);
/* An operator sends a row again: a missing topic may have been made. */
void presence_hope(struct presence *p, struct ch_mono now);
/* A report says that it is not there. */
void presence_doubt(struct presence *p);

bool presence_is_due(const struct presence *p, struct ch_mono now);
/* What the brokers said; true: the topic's rows can move now, to it or aside. It
 * may be away for wait_ms. Logs what changes, by the name. */
bool presence_answer(struct presence *p, const struct ch_kafka_topic *is,
	const char *name, int64_t wait_ms, struct ch_mono now);
/* They would not say. */
void presence_denied(struct presence *p, struct ch_mono now);
/* Does it have this one? false: it was asked for just now, and has not. */
bool presence_has(const struct presence *p, int32_t partition);
/* true: its partitions are asked for again. */
bool presence_recount(struct presence *p, struct ch_mono now);
/* They said nothing. */
void presence_silence(struct presence *p, struct ch_mono now);
/* Milliseconds until it is due; -1: nobody wants to know. */
int64_t presence_next_ms(const struct presence *p, struct ch_mono now);

#endif
