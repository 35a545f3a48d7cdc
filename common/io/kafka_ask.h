/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_ask: questions to the brokers, each answered by one event of a queue.
 *
 * Nothing waits here. rd_kafka_event_opaque() of the answer is the opaque that
 * was given; no answer within timeout_ms is an event with an error.
 *
 * Thread: any; the client and the queue outlive the answer, or the queue is
 * destroyed first.
 */
#ifndef CH_IO_KAFKA_ASK_H
#define CH_IO_KAFKA_ASK_H

#include <librdkafka/rdkafka.h>

/* What is it like? DESCRIBETOPICS_RESULT: ch_kafka_topic_read(). */
void ch_kafka_ask_topic(rd_kafka_t *rk, const char *topic, int timeout_ms,
	rd_kafka_queue_t *to, void *opaque);
/* Where do these partitions' logs end? LISTOFFSETS_RESULT, from each one's
 * leader. Offsets of the list are set; it is copied. */
void ch_kafka_ask_ends(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *of,
	int timeout_ms, rd_kafka_queue_t *to, void *opaque);

#endif
