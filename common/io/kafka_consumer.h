/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_consumer: records from Kafka, with the owner deciding where to start.
 *
 * Why: offsets live with the owner (in PostgreSQL, in the transaction that
 * applied the records); Kafka's group only spreads partitions. So: no auto
 * commit, no stored offsets, auto.offset.reset=error: an offset that the log
 * does not hold is an event for the owner, never a silent jump.
 *
 * Two modes: with a group (ch_kafka_consumer_subscribe; `assigned` gives each
 * partition's start, at once or later) or without (ch_kafka_consumer_assign:
 * partitions and offsets named by the owner).
 *
 * Invariants:
 *  - Callbacks run only inside poll, subscribe, assign and close, on the
 *    caller's thread.
 *  - Between `assigned` and `revoked` of a partition no record of it is given
 *    out below the start offset, twice, or out of order, unless the owner
 *    itself starts it again. Records still held after `revoked` stay readable.
 *  - A partition not started (CH_KAFKA_NOT_NOW) stays paused for ever.
 * Failure: outages are retried by librdkafka and seen in stats and `reachable`;
 * per-partition errors are events; a fatal client error (a fenced static
 * member) makes poll return CH_EKAFKA until the owner opens a new one.
 *
 * Thread: loop only (one thread for all calls on one consumer).
 */
#ifndef CH_IO_KAFKA_CONSUMER_H
#define CH_IO_KAFKA_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kafka_conf.h"
#include "kafka_error.h"
#include "kafka_stats.h"
#include "kafka_topic.h"

#define CH_KAFKA_BEGINNING (-2)	   /* start at the log's first record */
#define CH_KAFKA_END (-1)	   /* start behind its last */
#define CH_KAFKA_NOT_NOW INT64_MIN /* stay paused until ..._start() */

struct ch_kafka_consumer;
struct ch_kafka_client; /* internal: keeps records alive over a close */

struct ch_kafka_consumer_events {
	/* A partition is ours. Returns where to start (>= 0, BEGINNING, END)
	 * or CH_KAFKA_NOT_NOW. NULL = NOT_NOW for all. `topic` pointers are
	 * interned: they live as long as the consumer and the same topic has
	 * the same pointer everywhere. Do not call start, pause or resume for
	 * the partition from here. */
	int64_t (*assigned)(void *ctx, const char *topic, int32_t partition);
	/* The partition is being taken away; on return it is. lost = another
	 * member may own it already. NULL = ignored. */
	void (*revoked)(void *ctx, const char *topic, int32_t partition,
		bool lost);
	/* Something about one partition, or (partition = -1) one topic:
	 * RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET = the start offset lies outside
	 * of the log; the partition delivers nothing until started again.
	 * May repeat. NULL = logged only. */
	void (*partition_error)(void *ctx, const char *topic, int32_t partition,
		rd_kafka_resp_err_t code, const char *text);
	/* The end of the partition was reached (next offset). Given = asks
	 * for it (enable.partition.eof). */
	void (*at_end)(void *ctx, const char *topic, int32_t partition,
		int64_t offset);
	/* The brokers do not know a topic or partition that is read, no matter
	 * which: it was deleted, and what is there the next moment may be
	 * another one of its name, read on at the same offset. NULL = ignored. */
	void (*topic_unknown)(void *ctx);
};

struct ch_kafka_consumer_params {
	const struct ch_kafka_conf *conf; /* copied; bootstrap.servers, TLS */
	const char *client_id;
	const char *group_id;	       /* NULL: no group (assign mode) */
	const char *group_instance_id; /* NULL: dynamic member */
	const char *group_protocol;    /* NULL: classic; or "consumer" */
	const char *strategy;	  /* NULL: cooperative-sticky; or "range" ... */
	const char *offset_reset; /* NULL: error; "earliest", "latest" */
	bool read_uncommitted;	  /* default read_committed */
	int session_timeout_ms;	  /* 0: 45000 */
	int max_poll_interval_ms; /* 0: 300000 */
	int queued_max_kbytes;	  /* prefetch, whole consumer; 0: 65536 */
	int queued_min_messages;  /* 0: 100000 */
	int fetch_wait_max_ms;	  /* 0: librdkafka's 500 */
	int fetch_kbytes;  /* of a partition at a time; 0: librdkafka's 1024 */
	int statistics_ms; /* 0: 2000; < 0: none */
	struct ch_kafka_consumer_events events;
	void *ctx; /* for the events */
};

/* NULL-terminated: properties that conf may not set. */
extern const char *const ch_kafka_consumer_reserved[];

struct ch_kafka_record {
	const char *topic; /* interned, see above */
	int32_t partition;
	int64_t offset;
	struct ch_view key;   /* ptr NULL: no key */
	struct ch_view value; /* ptr NULL: tombstone */
	int64_t timestamp_ms; /* -1: none */
	bool log_append_time; /* the broker's time, else the producer's */
	int32_t leader_epoch; /* of the leader that took it; -1: not known */
	rd_kafka_message_t *message; /* owned by the record */
	struct ch_kafka_client *client;
};

/* NULL with err (CH_ECONFIG for a property, CH_EKAFKA else). No network. */
struct ch_kafka_consumer *ch_kafka_consumer_open(
	const struct ch_kafka_consumer_params *params, struct ch_err *err);

/* Group mode; a later call replaces the list. Topics that start with '^' are
 * regular expressions. */
int ch_kafka_consumer_subscribe(struct ch_kafka_consumer *c,
	const char *const *topics, size_t n, struct ch_err *err);

/* Leaves the group (revoked is called for all that was assigned in group
 * mode), stops fetching, frees; waits at most deadline_ms for the group. The
 * number of records still held: they stay readable, and the client's threads
 * and memory go with the last ch_kafka_record_free(). NULL is allowed. */
size_t ch_kafka_consumer_close(struct ch_kafka_consumer *c, int deadline_ms);

/* No group: reads exactly these from now on (replaces the earlier set). */
struct ch_kafka_position {
	const char *topic;
	int32_t partition;
	int64_t offset; /* to start at / to commit: the NEXT to read */
};
int ch_kafka_consumer_assign(struct ch_kafka_consumer *c,
	const struct ch_kafka_position *positions, size_t n,
	struct ch_err *err);
/* All partitions of a topic, each from `offset` (BEGINNING, END or a number),
 * added to what is assigned. CH_ENOTFOUND when the topic does not exist. */
int ch_kafka_consumer_assign_topic(struct ch_kafka_consumer *c,
	const char *topic, int64_t offset, int timeout_ms, struct ch_err *err);

/* 1 and a record, 0 and none within timeout_ms (0 = do not wait), or
 * CH_EKAFKA: the client is finished. Must be called at least every
 * max_poll_interval, also when everything is paused. A record lives until
 * ch_kafka_record_free(), independent of later polls. */
int ch_kafka_consumer_poll(struct ch_kafka_consumer *c, int timeout_ms,
	struct ch_kafka_record *out, struct ch_err *err);
void ch_kafka_record_free(struct ch_kafka_record *r);

/* Headers, read on demand. Views live as long as the record. */
size_t ch_kafka_record_header_count(const struct ch_kafka_record *r);
/* The idx-th header in the order sent; value.ptr NULL = null value. */
bool ch_kafka_record_header_at(const struct ch_kafka_record *r, size_t idx,
	const char **name, struct ch_view *value);
/* The last header of that name. */
bool ch_kafka_record_header(const struct ch_kafka_record *r, const char *name,
	struct ch_view *value);

/* A descriptor for poll(2), POLLIN: level-triggered, readable while poll may
 * have something to do. Do not read it. */
int ch_kafka_consumer_fd(const struct ch_kafka_consumer *c);

/* CH_ENOTFOUND when the partition is not assigned. Neither waits. */
int ch_kafka_consumer_start(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t offset, struct ch_err *err);
/* The same, of an offset behind a record that a leader of that epoch took (-1:
 * not known): when another log has grown past that record since, the partition
 * delivers nothing, and partition_error tells of it as of an offset that lies
 * outside; ch_kafka_error_cut() says where the two part. */
int ch_kafka_consumer_start_behind(struct ch_kafka_consumer *c,
	const char *topic, int32_t partition, int64_t offset,
	int32_t leader_epoch, struct ch_err *err);
int ch_kafka_consumer_pause(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err);
/* Of a partition that was started. Goes on behind the last record given out. */
int ch_kafka_consumer_resume(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err);
size_t ch_kafka_consumer_assigned_count(const struct ch_kafka_consumer *c);
/* Offset behind the last record given out, or where it was started; -1 when
 * not started or started at BEGINNING / END and nothing given out yet. */
int64_t ch_kafka_consumer_position(const struct ch_kafka_consumer *c,
	const char *topic, int32_t partition);

/* Log start and end (the high watermark), as the last fetch told them.
 * CH_ENOTFOUND while nothing is known. */
int ch_kafka_consumer_watermarks(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t *low, int64_t *high);
/* The same, asked of the broker; any partition, assigned or not. */
int ch_kafka_consumer_query_watermarks(struct ch_kafka_consumer *c,
	const char *topic, int32_t partition, int timeout_ms, int64_t *low,
	int64_t *high, struct ch_err *err);
/* The first record of that time or later; CH_KAFKA_END: there is none. */
int ch_kafka_consumer_query_time(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t time_ms, int timeout_ms, int64_t *offset,
	struct ch_err *err);
/* Records behind (by cached watermark and position); -1 = not known. */
int64_t ch_kafka_consumer_lag(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition);

/* Tells the group's offsets, for lag tools only: asynchronous, never
 * retried, failures counted. */
void ch_kafka_consumer_commit(struct ch_kafka_consumer *c,
	const struct ch_kafka_position *positions, size_t n);

struct ch_kafka_consumer_counts {
	uint64_t records;	/* given out */
	uint64_t bytes;		/* of keys and values */
	uint64_t dropped_stale; /* fetched before a revoke or a restart */
	uint64_t rebalances;	/* assigned or revoked callbacks */
	uint64_t lost;		/* partitions lost, not revoked */
	uint64_t partition_errors;
	uint64_t commit_errors;
	uint64_t errors; /* client-level, logged */
	uint64_t held;	 /* records given out and not freed */
};
struct ch_kafka_consumer_counts ch_kafka_consumer_counts(
	const struct ch_kafka_consumer *c);
/* Connected to a broker, as far as known (false from ALL_BROKERS_DOWN until
 * a broker is up again; false before the first connection). */
bool ch_kafka_consumer_reachable(const struct ch_kafka_consumer *c);
/* For kafka_topic and tools. */
rd_kafka_t *ch_kafka_consumer_raw(struct ch_kafka_consumer *c);

#endif
