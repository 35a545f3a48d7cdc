/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_ends: where logs end, asked of the brokers without waiting.
 *
 * Why: librdkafka hears a log's end with each fetch, so its word stands still
 * for a partition that is paused. Whoever wants to know how much waits there
 * has to ask.
 *
 * Invariant: at most one question is under way; what is wanted meanwhile is
 * asked with the next.
 * Failure: no answer, or not of some partitions: nothing is told of them, and
 * the next question is sent when that one has timed out.
 *
 * Thread: one for all calls on one.
 */
#ifndef CH_IO_KAFKA_ENDS_H
#define CH_IO_KAFKA_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct ch_kafka_ends;

/* One partition's end: the offset of the next record. */
typedef void ch_kafka_end_fn(void *ctx, const char *topic, int32_t partition,
	int64_t end);

/* The client outlives it. */
struct ch_kafka_ends *ch_kafka_ends_new(rd_kafka_t *rk);
void ch_kafka_ends_free(struct ch_kafka_ends *e); /* NULL is allowed */
/* Adds a partition to the next question; once is enough. */
void ch_kafka_ends_want(struct ch_kafka_ends *e, const char *topic,
	int32_t partition);
/* Sends it, unless one is under way or nothing is wanted. */
void ch_kafka_ends_ask(struct ch_kafka_ends *e);
/* Tells what has been answered; never waits. */
void ch_kafka_ends_serve(struct ch_kafka_ends *e, ch_kafka_end_fn *tell,
	void *ctx);

#endif
