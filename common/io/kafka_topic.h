/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_topic: facts about a topic and its cluster, asked of the brokers.
 *
 * Used to see that a topic was deleted and made again (its id changes) or that
 * the bootstrap address now leads to another cluster (ledger.md, section 4).
 * Every call waits at most timeout_ms.
 *
 * Thread: any; the client outlives the call.
 */
#ifndef CH_IO_KAFKA_TOPIC_H
#define CH_IO_KAFKA_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/uuid.h"

#define CH_KAFKA_CLUSTER_ID_MAX 64

struct ch_kafka_topic {
	bool exists;
	int32_t partitions; /* 0 when it does not exist */
	bool denied;	    /* with CH_EKAFKA: no right to know */
	bool has_id;	    /* brokers from 2.8 on */
	struct ch_uuid id;
};

/* 0 (also when the topic does not exist: out->exists), CH_ETIMEOUT, or
 * CH_EKAFKA (no right to describe it, ...). Costs one metadata request. */
int ch_kafka_topic_describe(rd_kafka_t *rk, const char *topic, int timeout_ms,
	struct ch_kafka_topic *out, struct ch_err *err);
/* The same of an answer to ch_kafka_ask_topic(); ev NULL: there was none. */
int ch_kafka_topic_read(rd_kafka_event_t *ev, const char *topic,
	struct ch_kafka_topic *out, struct ch_err *err);
/* Existence and partition count only, without the admin API. */
int ch_kafka_topic_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms,
	struct ch_kafka_topic *out, struct ch_err *err);
/* 0 or CH_ETIMEOUT. As the last metadata told it: a client that knows it
 * already does not ask again. */
int ch_kafka_cluster_id(rd_kafka_t *rk, int timeout_ms,
	char out[CH_KAFKA_CLUSTER_ID_MAX], struct ch_err *err);

#endif
