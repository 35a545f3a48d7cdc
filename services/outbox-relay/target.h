/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: whether a topic is sent to now.
 *
 *	closed --it acknowledges nothing, or is refused whole--> open
 *	open --its time is over--> half-open: ONE record, on trial
 *	half-open --taken, or refused for itself--> closed
 *	half-open --refused as before--> open, for longer
 *
 * An outage makes rows wait, and so does a right that was taken away, for as
 * long as there is patience. A permanent refusal (it was not given back) makes
 * them wait until one of them has spent its attempts; from then on the topic
 * is `refusing`, and says no to each row at once until a trial is taken; while
 * one is out rows wait for its end.
 *
 * An unclear answer to a trial is the record's fault when the topic has taken
 * another one since the last unclear answer: a transient failure, and the
 * breaker stays closed. Else it is an outage. The owner lets the record rest
 * meanwhile, so that the next trial is another key's.
 *
 * Stuck: records are in hand, and none of them was acknowledged for so long
 * while brokers answer. The time counts from the last acknowledgement. When all
 * of them are in the end, it closes without a trial: there may be no row for one.
 *
 * Invariants: at most one trial of a topic is out; while the breaker is not
 * closed nothing but trials is sent.
 *
 * Thread: belongs to one thread. Pure: `now` is passed in.
 */
#ifndef RELAY_TARGET_H
#define RELAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/breaker.h"
#include "base/clock.h"
#include "failure.h"

enum target_answer {
	TARGET_SEND,
	TARGET_TRY,    /* alone */
	TARGET_WAIT,   /* until target_due(), or its trial's end */
	TARGET_REFUSES /* for good: why says the code and text */
};

struct target {
	struct ch_breaker breaker;
	struct ch_breaker_pass pass; /* of the trial */
	bool on_trial;
	bool refusing;
	bool waiting;	       /* a row was told to wait */
	enum failure cause;    /* while it is not closed; of the last answer */
	char why[200];	       /* "<code>: <text>" */
	struct ch_mono since;  /* not closed */
	struct ch_mono judged; /* the last trial */
	struct ch_mono denied; /* no right to it since then; 0: it has */
	size_t in_hand;	       /* sent, not on trial, not reported */
	struct ch_mono moved;
	bool taken; /* a record was, since the last unclear answer */
	bool stuck; /* open for that, and no report since was a refusal */
};

void target_init(struct target *t, const char *name, struct ch_rng *rng);
enum target_answer target_ask(struct target *t, bool suspect,
	struct ch_mono now);
void target_sent(struct target *t, struct ch_mono now);
void target_tried(struct target *t, struct ch_mono now);

/* What an answer of the topic means: one that denies it is permanent only when
 * nothing else was answered for patience_ms. */
enum failure target_patience(struct target *t, enum failure f,
	int64_t patience_ms, struct ch_mono now);

/* The end of what was sent: f FAILURE_NONE, it was taken. true: the breaker
 * opened. The last of a stuck topic's may close it. */
bool target_reported(struct target *t, enum failure f, const char *code,
	const char *text, struct ch_mono now);
/* The brokers would not even say whether it is there: it takes nothing, for as
 * long as there is patience. true: the breaker opened. */
bool target_denied(struct target *t, const char *code, const char *text,
	struct ch_mono now);
/* The end of a trial. Returns f; of an unclear one what it means for the
 * record: transient, or unclear still. */
enum failure target_judged(struct target *t, enum failure f, const char *code,
	const char *text, struct ch_mono now);
/* What was sent will not be reported; a trial neither. */
void target_drop(struct target *t, struct ch_mono now);
/* A row has spent its attempts. */
void target_refuse(struct target *t);
/* An operator has released a row: a refusing topic is tried at once, unless it
 * was just now. */
void target_hope(struct target *t, struct ch_mono now);

/* Is it stuck? true: the breaker opened. */
bool target_open_stuck(struct target *t, int64_t outage_ms, struct ch_mono now);
/* Milliseconds until rows that were told to wait may ask again; 0: now; -1:
 * none waits, or for a trial. */
int64_t target_due(const struct target *t, struct ch_mono now);
bool target_is_open(const struct target *t);

#endif
