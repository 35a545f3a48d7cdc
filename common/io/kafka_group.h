/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_group: the offsets that a group has committed in Kafka, asked and set.
 *
 * Offsets live with the owner (kafka_consumer.h); Kafka's copy is told behind
 * them, so it is a witness: it can never be ahead of what the owner stored.
 * Every call waits at most timeout_ms.
 *
 * Thread: the consumer's (rk: ch_kafka_consumer_raw()).
 */
#ifndef CH_IO_KAFKA_GROUP_H
#define CH_IO_KAFKA_GROUP_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"

/* The next offset that the consumer's group has committed of the partition; -1:
 * none. 0, CH_ETIMEOUT or CH_EKAFKA. */
int ch_kafka_group_committed(rd_kafka_t *rk, const char *topic,
	int32_t partition, int timeout_ms, int64_t *offset, struct ch_err *err);
/* Commits that offset, also one below what is committed, and waits for the
 * answer. CH_EKAFKA also while the group has no place for this member. */
int ch_kafka_group_commit(rd_kafka_t *rk, const char *topic, int32_t partition,
	int64_t offset, int timeout_ms, struct ch_err *err);

#endif
