/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_leaders: whether a topic's partitions are there to be written to.
 *
 * Why: a topic is in the metadata before its partitions' leaders accept
 * records. An idempotent producer that has several batches in flight then
 * loses some in silence: the first is sent back (NOT_LEADER), a later one is
 * accepted, since the broker takes any sequence number from a producer that it
 * does not know, and the first, sent again, is taken for a repeat and
 * acknowledged. So a producer holds the first records for a topic until each
 * leader has answered once.
 *
 * Invariants: a topic's first question is asked by the first `ready`; an answer
 * other than "not yet" or "no such topic" is final. Nothing waits: answers are
 * taken by `serve`.
 * Failure: a topic that does not exist, or whose leaders did not answer within
 * patience_ms (a broker is away, the right to describe it is missing), counts
 * as ready, and the send itself tells what is wrong; absent topics are asked
 * for again each second.
 *
 * Thread: one for all calls on one.
 */
#ifndef CH_IO_KAFKA_LEADERS_H
#define CH_IO_KAFKA_LEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct ch_kafka_leaders;

/* wake: an eventfd that becomes readable when there is something to serve. The
 * client outlives it. */
struct ch_kafka_leaders *ch_kafka_leaders_new(rd_kafka_t *rk, int wake,
	int patience_ms);
void ch_kafka_leaders_free(struct ch_kafka_leaders *l);

/* false: asked, and not answered yet. */
bool ch_kafka_leaders_ready(struct ch_kafka_leaders *l, const char *topic);
/* As its leaders answered; 0: they did not. */
int32_t ch_kafka_leaders_partitions(struct ch_kafka_leaders *l,
	const char *topic);
/* Takes answers; waits at most timeout_ms for one when any is due. */
void ch_kafka_leaders_serve(struct ch_kafka_leaders *l, int timeout_ms);
bool ch_kafka_leaders_is_asking(const struct ch_kafka_leaders *l);

#endif
