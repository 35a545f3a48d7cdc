/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_kafka: messages to Kafka, and what is known of their topics.
 *
 * Nothing is sent to a topic that was not seen to exist: a record for a
 * missing topic would fail later, behind records of its key that were sent
 * after it. So the first record of a topic waits until the brokers were
 * asked; a topic that stays missing for topic_wait is `missing` and refuses
 * its records, until it is there.
 *
 * Failure: a report that is not ok starts a settlement: nothing more is sent
 * until everything in flight has been reported (or the client was rebuilt,
 * when the failure was fatal or nothing came for a while); then the owner
 * rewinds and sends again in order.
 *
 * A topic that may not be written to is waited for as long (denied_wait).
 *
 * A topic that takes nothing has its breaker open (target.h), and one record at
 * a time tries it, by a client of its own (trial.h), as does each suspect; the
 * others flow. A broker that throttles is not given more before its time. When
 * no broker answers the client keeps what it has, and its reconnects, with
 * backoff and jitter, are the probe: `kafka` is open then.
 *
 * Thread: loop only.
 */
#ifndef RELAY_SINK_KAFKA_H
#define RELAY_SINK_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "event.h"
#include "io/kafka_conf.h"
#include "io/kafka_producer.h"
#include "lanes.h"
#include "message.h"
#include "failure.h"
#include "route.h"
#include "target.h"
#include "topics.h"

struct sink_kafka;

struct sink_report {
	bool alone;
	enum failure failure; /* FAILURE_NONE: it is in the log */
	const char *code;     /* "MSG_SIZE_TOO_LARGE" */
	const char *text;
};

struct sink_options {
	const struct ch_kafka_conf *conf;
	const char *client_id;
	int linger_ms;
	int message_max_bytes;
	int queue_kbytes;
	int64_t topic_wait_ms;
	int64_t outage_ms;
	int64_t denied_wait_ms;
	/* Once for each message sent, from sink_kafka_turn() or _close(). */
	void (*reported)(void *ctx, struct event *e,
		const struct sink_report *r);
	void *ctx;
};

enum sink_verdict {
	SINK_SENT,
	SINK_TRIED,    /* sent alone: a rewind does not concern it */
	SINK_FULL,     /* again after a turn */
	SINK_WAIT,     /* the topic is not known, or takes nothing now */
	SINK_SETTLING, /* nothing is sent now */
	SINK_REFUSED   /* for good; err says why, code tells the class */
};

struct sink_kafka *sink_kafka_open(const struct sink_options *opt,
	struct ch_err *err);
/* Waits at most deadline_ms for reports. NULL is allowed. */
void sink_kafka_close(struct sink_kafka *s, int deadline_ms);

/* A suspect is sent alone. */
enum sink_verdict sink_kafka_send(struct sink_kafka *s, struct event *e,
	const struct message *m, bool suspect, struct ch_err *err);
/* A row of the topic has spent its attempts on a permanent answer. */
void sink_kafka_gave_up(struct sink_kafka *s, const struct route_topic *route);

enum sink_turn {
	SINK_QUIET,
	SINK_TOPICS, /* a topic can be sent to, or not: wake all that waits */
	SINK_SETTLED /* rewind, then send again from the first undelivered */
};
/* Serves reports, asks for topics, rebuilds the client. Waits only for
 * metadata of a topic not known (at most a second, once in topic_every). */
enum sink_turn sink_kafka_turn(struct sink_kafka *s, struct ch_mono now);
/* Forgets what is in flight: its reports do not come any more. */
void sink_kafka_drop(struct sink_kafka *s);

/* What is known of each; whose trial is next the owner asks there. */
struct topics *sink_kafka_topics(struct sink_kafka *s);

size_t sink_kafka_pending(const struct sink_kafka *s);
bool sink_kafka_reachable(const struct sink_kafka *s);
int sink_kafka_fd(const struct sink_kafka *s, enum lane lane);
/* Which producer shall take the next messages (lanes.h). false: none may be
 * sent in this turn. */
bool sink_kafka_want(struct sink_kafka *s, enum lane lane);
int sink_kafka_trial_fd(const struct sink_kafka *s); /* -1: none */
/* Milliseconds until a turn has something to do by itself; -1: nothing. */
int64_t sink_kafka_next_ms(const struct sink_kafka *s, struct ch_mono now);
/* Since when no broker has answered; false: one does. */
bool sink_kafka_away(const struct sink_kafka *s, struct ch_mono *since);
uint64_t sink_kafka_throttled(const struct sink_kafka *s);

#endif
