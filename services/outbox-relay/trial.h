/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial: records sent alone, by a Kafka client of their own.
 *
 * Kafka refuses whole batches, and the relay's client is finished by each
 * refusal; so what may be refused goes by another: not more than one record of
 * a topic is in hand (the owner sees to it), nothing is tried twice, and each
 * answer comes within TRIAL_MS. The main client's order is not touched:
 * nothing of the record's key is in its hands meanwhile.
 *
 * Failure: a record that was not answered in time may stand in its topic, and
 * comes again with its id. The client is made when it is needed, and closed
 * after TRIAL_IDLE_MS without work.
 *
 * Thread: loop only.
 */
#ifndef RELAY_TRIAL_H
#define RELAY_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/kafka_conf.h"
#include "io/kafka_producer.h"

struct trial;

struct trial_options {
	const struct ch_kafka_conf *conf; /* copied */
	const char *client_id;		  /* stays */
	int message_max_bytes;
	void (*reported)(void *ctx, void *opaque,
		const struct ch_kafka_delivery *d);
	void *ctx;
};

struct trial *trial_new(const struct trial_options *opt);
void trial_free(struct trial *t);
/* As ch_kafka_producer_send(). */
int trial_send(struct trial *t, const struct ch_kafka_message *m,
	struct ch_mono now, struct ch_err *err);
/* Serves reports. */
void trial_turn(struct trial *t, struct ch_mono now);
/* Ends the client: what is in hand is reported before it returns. */
void trial_drop(struct trial *t);
size_t trial_pending(const struct trial *t);
int trial_fd(const struct trial *t); /* -1: no client */

#endif
