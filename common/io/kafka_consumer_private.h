/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_consumer_private: what the files of the consumer share. Not for its
 * users.
 *
 * How "not now" works: librdkafka knows no partition that is assigned but not
 * started, so such a one is assigned at the log's end and paused at once; a
 * start is a seek and a resume. What librdkafka fetched before either is
 * dropped by its own version barrier, and once more in kafka_consumer.c: a
 * record of a partition that is not started, or below the next offset, is
 * never given out.
 */
#ifndef CH_IO_KAFKA_CONSUMER_PRIVATE_H
#define CH_IO_KAFKA_CONSUMER_PRIVATE_H

#include "base/map.h"
#include "kafka_consumer.h"

struct kc_partition {
	int32_t number;
	bool assigned;
	bool started;
	bool paused;	/* as librdkafka has it, also when not assigned */
	bool dead;	/* its fetcher: see kafka_assignment.c */
	int64_t first;	/* where it was started; may be logical */
	int64_t next;	/* behind the last record given out; -1 unknown */
	int64_t at_end; /* last end reported, so that it is told once */
};

struct kc_topic {
	char *name;
	struct kc_partition *partitions;
	size_t count;
};

/* What records need, and so lives until the last of them is freed. */
struct ch_kafka_client {
	rd_kafka_t *rk;
	struct ch_map *topics;
	uint64_t held; /* records given out */
	bool closed;
};

struct ch_kafka_consumer {
	struct ch_kafka_client *client;
	rd_kafka_t *rk; /* the client's */
	rd_kafka_queue_t *queue;
	int fd;
	bool manual; /* no group */
	bool leaves; /* the group, when it closes */
	bool reachable;
	struct ch_kafka_consumer_events events;
	void *ctx;
	struct ch_map *topics; /* the client's */
	struct kc_topic *last; /* of the last record: most have the same */
	size_t assigned_count;
	struct ch_kafka_consumer_counts counts;
	struct ch_kafka_stats stats;
};

/* ---- kafka_partition.c: the table of topics and partitions ---- */

struct kc_topic *ch_kc_topic_get(struct ch_kafka_consumer *c, const char *name);
void ch_kc_topic_free(void *p); /* a struct kc_topic */
/* Makes it when it is new. */
struct kc_partition *ch_kc_partition_get(struct kc_topic *t, int32_t number);
/* NULL unless assigned. */
struct kc_partition *ch_kc_partition_find(const struct ch_kafka_consumer *c,
	const char *topic, int32_t number);
void ch_kc_partition_take(struct ch_kafka_consumer *c, struct kc_partition *p,
	int64_t offset);
void ch_kc_partition_drop(struct ch_kafka_consumer *c, struct kc_partition *p);

/* ---- kafka_assignment.c ---- */

/* librdkafka's rebalance callback; opaque is the consumer. */
void ch_kc_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque);
/* Logs and destroys; e may be NULL. */
void ch_kc_log_error(const char *event, rd_kafka_error_t *e);

/* ---- kafka_record.c ---- */

/* Destroys the client; it left its group before and no record is held. */
void ch_kc_client_free(struct ch_kafka_client *k);

#endif
