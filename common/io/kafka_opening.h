/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_opening: a producer's first record of each partition goes alone.
 *
 * Why: a broker takes any sequence number from a producer id that a partition
 * does not know. Of two requests in flight the first may then be refused (too
 * large for the topic, a bad timestamp) and the second written all the same: an
 * event before the one that its key waits for. Once a record of the producer
 * stands in the partition, a gap in the numbers is refused.
 *
 * Invariants: at most one record of an unproven partition is out; when nothing
 * of the producer is out (`settled`), nothing waits, whatever was reported.
 * Failure: a partition that was counted wrongly (the topic grew) is not
 * guarded.
 *
 * Thread: one for all calls on one. Pure.
 */
#ifndef CH_IO_KAFKA_OPENING_H
#define CH_IO_KAFKA_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct ch_kafka_opening;

/* One for each producer id. */
struct ch_kafka_opening *ch_kafka_opening_new(void);
/* NULL is allowed. */
void ch_kafka_opening_free(struct ch_kafka_opening *o);

/* false: the partition's first record is out, wait for its report. A partition
 * below 0 is not known and always admitted. */
bool ch_kafka_opening_admits(struct ch_kafka_opening *o, const char *topic,
	int32_t partition, struct ch_mono now);
void ch_kafka_opening_sent(struct ch_kafka_opening *o, const char *topic,
	int32_t partition);
/* written: the record stands in the partition. */
void ch_kafka_opening_reported(struct ch_kafka_opening *o, const char *topic,
	int32_t partition, bool written, struct ch_mono now);
/* Nothing of this producer is out any more. */
void ch_kafka_opening_settled(struct ch_kafka_opening *o);

#endif
