/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: prices that changed, to the compacted topic market.prices, keyed by
 * the condition id.
 *
 * Only the last value matters: while Kafka is away newer prices replace those
 * that wait, and what was sent and failed is sent again unless a newer price
 * waits.
 *
 * Thread: main.
 */
#ifndef PRICE_CACHE_PUBLISH_H
#define PRICE_CACHE_PUBLISH_H

#include "io/kafka_conf.h"
#include "meters.h"
#include "update.h"

struct publish;

struct publish_options {
	const struct ch_kafka_conf *conf;
	const char *client_id;
	const char *topic;
	size_t max_markets;
	struct meters *meters;
};

int publish_open(struct publish **out, const struct publish_options *opt,
	struct ch_err *err);
void publish_put(struct publish *p, struct update *u); /* takes u */
/* Sends what can be sent; the ms until there may be more to do. Negative with
 * err set: no client can be made any more. */
int publish_turn(struct publish *p, struct ch_err *err);
int publish_fd(const struct publish *p);
/* Everything is acknowledged, or no broker can be reached. */
bool publish_is_idle(const struct publish *p);
/* NULL is allowed. */
void publish_close(struct publish *p);

#endif
