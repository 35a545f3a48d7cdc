/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: records from the queue to the topic, each kept until Kafka has
 * acknowledged it.
 *
 * Records go out in the order of the queue, keyed by the condition id, so a
 * market's trades stay in order. When one fails, nothing newer is sent until
 * the fate of all in flight is known; then everything unacknowledged is sent
 * again, in order, by a new client if the old one is finished. A record may so
 * stand twice in the topic, with one trade_id; it is never missing from it.
 *
 * Thread: main.
 */
#ifndef TRADE_STREAM_PUBLISH_H
#define TRADE_STREAM_PUBLISH_H

#include <stdbool.h>

#include "base/ring.h"
#include "io/kafka_conf.h"
#include "meters.h"

struct publish;

struct publish_options {
	const struct ch_kafka_conf *conf;
	const char *client_id;
	const char *topic;
	const struct ch_clock *clock;
	struct meters *meters;
	struct ch_ring *queue; /* of struct record; not owned */
};

int publish_open(struct publish **out, const struct publish_options *opt,
	struct ch_err *err);
/* Moves what can be moved; returns for how many ms there is nothing to do
 * unless publish_fd() or the queue becomes readable. Negative with err set:
 * no client can be made any more. */
int publish_turn(struct publish *p, struct ch_err *err);
/* Would it take a record from the queue? Otherwise do not wait for one. */
bool publish_takes(const struct publish *p);
/* Everything it took is acknowledged. */
bool publish_is_idle(const struct publish *p);
int publish_fd(const struct publish *p);
/* Why Kafka takes nothing now, or NULL. Valid until the next turn. */
const char *publish_problem(const struct publish *p);
/* Frees; records not acknowledged are lost and logged. NULL is allowed. */
void publish_close(struct publish *p);

#endif
