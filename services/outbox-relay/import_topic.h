/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_topic: a dead-letter topic that is imported, and how far each of its
 * partitions was read.
 *
 * Two sides know where a partition goes on: the cursor in PostgreSQL, and the
 * log, which drops records in front and may lose its end. Where they differ,
 * the operator is told; nothing is passed over in silence.
 *
 * Invariants: what is read lies inside of the log; the cursor to be stored is
 * never behind what was read, and goes back only where the log has lost its
 * end.
 *
 * Errors: Kafka's and PostgreSQL's (io/kafka_error.h, io/pg.h), and
 * CH_ENOTFOUND: there is no such topic, or no longer this one.
 *
 * Thread: loop only (command line); it waits.
 */
#ifndef RELAY_IMPORT_TOPIC_H
#define RELAY_IMPORT_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "dialect.h"
#include "foreign.h"
#include "io/kafka_consumer.h"
#include "io/kafka_topic.h"
#include "io/pg.h"

#define IMPORT_ASK_MS 10000 /* a question to a broker */

enum import_from {
	IMPORT_CURSOR, /* where the last one ended, else EARLIEST */
	IMPORT_EARLIEST,
	IMPORT_LATEST,
	IMPORT_TIME /* the first record of that time or later */
};

/* What the topics of one import have in common. */
struct import_source {
	struct ch_kafka_consumer *consumer;
	struct ch_pg *pg;
	const struct ch_clock *clock;
	char cluster[CH_KAFKA_CLUSTER_ID_MAX];
	enum import_from from;
	struct ch_time from_time;
	/* A line for the operator. */
	void (*warned)(void *ctx, const char *text);
	void *ctx;
};

struct import_counts {
	int64_t records, stored, came_back, repeated, known;
	int64_t gone; /* dropped by the log before they were read, at most */
	int64_t by_dialect[DIALECTS];
};

struct import_part {
	struct foreign_cursor cursor; /* next: as it is to be stored */
	int64_t position;	      /* the next offset to read */
	int64_t end;		      /* of the log when it was opened */
	bool ended;		      /* all up to there was read */
	bool moved;		      /* cursor is not stored yet */
	bool lost; /* its offset is not in the log any more */
};

struct import_topic {
	struct foreign_log log;
	struct import_part *parts;
	int32_t part_count;
	struct import_counts counts;
};

/* Where each partition begins. The name, and the source's cluster, must outlive
 * it. After an error too it is to be closed. */
int import_topic_open(struct import_topic *t, const struct import_source *s,
	const char *name, struct ch_err *err);
void import_topic_close(struct import_topic *t);
/* CH_ENOTFOUND: it is gone, or another has its name. */
int import_topic_look(const struct import_topic *t,
	const struct import_source *s, struct ch_err *err);

/* Where to read from, part_count of them. */
void import_topic_positions(const struct import_topic *t,
	struct ch_kafka_position *out);
/* This record was read. */
void import_topic_read(struct import_topic *t, int32_t part, int64_t offset);
/* The consumer is at the end of the log, so far. */
void import_topic_at_end(struct import_topic *t, int32_t part, int64_t offset);
/* What was there when it was opened; what is written meanwhile is the next
 * import's. */
bool import_topic_is_read(const struct import_topic *t);
/* Partitions that are lost go on where the log begins now, or ends. */
int import_topic_restart(struct import_topic *t, const struct import_source *s,
	struct ch_err *err);

/* A letter is made of the record: the time under which it is listed. Never
 * before an earlier one of its partition, never later than now. */
struct ch_time import_topic_stored(struct import_topic *t,
	const struct ch_kafka_record *k, struct ch_time now);
/* Queues the cursors that have moved (foreign_move()). */
int import_topic_move(struct import_topic *t, struct ch_pg *pg,
	const char *actor, struct ch_err *err);

#endif
