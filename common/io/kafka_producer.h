/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_producer: records to Kafka, in order per partition, acknowledged one
 * by one.
 *
 * Idempotent, acks=all, enable.gapless.guarantee, no message timeout: a batch
 * that fails never lets later ones of its partition pass it (relay.md,
 * section 3). What can never be accepted is refused by send (CH_ERANGE,
 * CH_EINVAL) before it can stop the others.
 *
 * An acknowledgement counts when it tells the offset: a broker answers "that is
 * a repeat" also for a record that it never kept (kafka_leaders.h). Such a
 * report is class TRANSIENT, code DUPLICATE_SEQUENCE_NUMBER, maybe_persisted:
 * send it again. To keep it from happening, the first records for a topic wait
 * (CH_EFULL) until the leaders of its partitions have answered; and each
 * partition's first record goes alone (kafka_opening.h).
 *
 * Invariants: each accepted send gets exactly one `delivered`, from poll,
 * flush, reopen or close, on the caller's thread.
 * Failure: when librdkafka declares itself finished (`fatal`), send returns
 * CH_ECLOSED; the owner calls reopen, gets a report (class FATAL) for whatever
 * was in flight, and sends again from its first undelivered record. Those
 * records may then stand twice in the topic.
 * A broker refuses whole batches: a PERMANENT report may be a neighbour's
 * fault, and a fatal error follows it. After reopen send such a record alone
 * (flush before and after) before calling it poison.
 *
 * Thread: loop only (one thread for all calls on one producer).
 */
#ifndef CH_IO_KAFKA_PRODUCER_H
#define CH_IO_KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "kafka_conf.h"
#include "kafka_error.h"
#include "kafka_stats.h"
#include "kafka_topic.h"

#define CH_KAFKA_BY_KEY (-1) /* murmur2 of the key, as Java's default */

struct ch_kafka_producer;

struct ch_kafka_delivery {
	enum ch_kafka_class class; /* CH_KAFKA_OK: it is in the log */
	rd_kafka_resp_err_t code;
	const char *name; /* "MSG_SIZE_TOO_LARGE" */
	const char *text;
	const char *topic;
	int32_t partition; /* where it went; -1: nowhere */
	int64_t offset;	   /* -1: class is not OK, or not idempotent */
	/* class is not OK, and yet the record may stand in the log. */
	bool maybe_persisted;
};

struct ch_kafka_producer_params {
	const struct ch_kafka_conf *conf; /* copied */
	const char *client_id;
	const char *compression; /* NULL: lz4 ("none", "zstd", ...) */
	int linger_ms;		 /* < 0: librdkafka's 5; 0: at once */
	int max_queued_messages; /* 0: 100000 */
	int max_queued_kbytes;	 /* 0: 65536 */
	int message_max_bytes;	 /* 0: 1000000; key + value + headers */
	int message_timeout_ms;	 /* 0: never */
	bool not_idempotent;	 /* acks=all still; for tools */
	bool no_retries;	 /* not_idempotent: each failure is reported */
	int leaders_wait_ms;	 /* 0: 5000; < 0: leaders are not asked */
	int statistics_ms;	 /* 0: 2000; < 0: none */
	/* Once for each accepted send. Must not call reopen, flush or close. */
	void (*delivered)(void *ctx, void *opaque,
		const struct ch_kafka_delivery *d);
	void *ctx;
};

/* NULL-terminated: properties that conf may not set. */
extern const char *const ch_kafka_producer_reserved[];

struct ch_kafka_header {
	const char *name;
	struct ch_view value; /* ptr NULL: null value */
};

struct ch_kafka_message {
	const char *topic;
	int32_t partition;    /* or CH_KAFKA_BY_KEY */
	struct ch_view key;   /* ptr NULL: no key (random partition) */
	struct ch_view value; /* ptr NULL: tombstone */
	const struct ch_kafka_header *headers;
	size_t header_count;
	int64_t timestamp_ms; /* 0: now */
	void *opaque;
};

struct ch_kafka_producer *ch_kafka_producer_open(
	const struct ch_kafka_producer_params *params, struct ch_err *err);

/* Key, value and headers are copied. 0;
 * CH_EFULL    the queue is full, or the topic or partition is new: poll, send
 *             again;
 * CH_ERANGE   larger than message_max_bytes: permanent;
 * CH_EINVAL   no topic name, a bad header: permanent;
 * CH_ENOTFOUND the topic or partition is known not to exist (class TOPIC);
 * CH_ECLOSED  a fatal error: reopen;
 * CH_EKAFKA   anything else (class TRANSIENT). Nothing is queued then. */
int ch_kafka_producer_send(struct ch_kafka_producer *p,
	const struct ch_kafka_message *m, struct ch_err *err);

/* The topic will be sent to: its leaders are asked now, so that its first
 * records need not wait for them. */
void ch_kafka_producer_expect(struct ch_kafka_producer *p, const char *topic);

/* As send, but for at most timeout_ms it serves reports and tries again while
 * that is CH_EFULL. For tools, which have nothing else to do. */
int ch_kafka_producer_send_within(struct ch_kafka_producer *p,
	const struct ch_kafka_message *m, int timeout_ms, struct ch_err *err);

/* Serves delivery reports for at most timeout_ms (0: what is there); the
 * number of events. */
int ch_kafka_producer_poll(struct ch_kafka_producer *p, int timeout_ms);
/* 0 when everything sent was reported; CH_ETIMEOUT. */
int ch_kafka_producer_flush(struct ch_kafka_producer *p, int timeout_ms,
	struct ch_err *err);
/* Sent and not reported. */
size_t ch_kafka_producer_pending(const struct ch_kafka_producer *p);

/* Why the client is finished (code CH_ECLOSED in err), or false. */
bool ch_kafka_producer_fatal(const struct ch_kafka_producer *p,
	struct ch_err *err);
/* Reports everything in flight as FATAL, destroys the client, makes a new
 * one. CH_ECONFIG or CH_EKAFKA when it cannot be made (then closed). */
int ch_kafka_producer_reopen(struct ch_kafka_producer *p, struct ch_err *err);
/* Flushes for at most deadline_ms, purges the rest (each is reported), and
 * frees. Returns the records not delivered. NULL is allowed. */
size_t ch_kafka_producer_close(struct ch_kafka_producer *p, int deadline_ms);

/* For poll(2), POLLIN: level-triggered, readable while poll has reports. */
int ch_kafka_producer_fd(const struct ch_kafka_producer *p);
bool ch_kafka_producer_reachable(const struct ch_kafka_producer *p);
/* A broker's quota asks for a pause until then, at most 30 s; often passed. */
struct ch_mono ch_kafka_producer_throttled(const struct ch_kafka_producer *p);

struct ch_kafka_producer_counts {
	uint64_t sent;	    /* accepted */
	uint64_t delivered; /* acknowledged */
	uint64_t failed;    /* reported with an error */
	uint64_t full;	    /* refused: queue full */
	uint64_t refused;   /* refused: too large, invalid */
	uint64_t reopened;
	uint64_t errors;    /* client-level, logged */
	uint64_t throttled; /* pauses that a broker's quota asked for */
};
const struct ch_kafka_producer_counts *ch_kafka_producer_counts(
	const struct ch_kafka_producer *p);
/* For kafka_topic and tools; changes with reopen. NULL when closed. */
rd_kafka_t *ch_kafka_producer_raw(struct ch_kafka_producer *p);

#endif
