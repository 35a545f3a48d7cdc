/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: dead-letter topics read to their ends, or followed, and every record
 * stored as a letter.
 *
 * No consumer group: all partitions are assigned, and a partition begins at
 * its cursor in PostgreSQL, else at the log's first record, unless options say
 * where. Letters go in batches; a batch and the cursors behind it are one
 * transaction (foreign.h), so that an import may be killed at any moment and
 * run again, or run twice at once: each record is one letter. Only committed
 * records are read (Kafka Streams writes its letters in transactions).
 *
 * Said loudly, and counted: records that the log has dropped behind the cursor
 * before they were imported; a cursor behind the log's end; a topic that was
 * made anew.
 *
 * Bounded: a batch holds BATCH_RECORDS records or BATCH_BYTES and one record;
 * without a record or an end for STALL_MS, an import that does not follow
 * fails.
 *
 * Thread: loop only (command line); it waits.
 */
#ifndef RELAY_IMPORT_H
#define RELAY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "daemon/params.h"
#include "import_topic.h"
#include "io/pg.h"

#define IMPORT_TOPICS_MAX 100

struct import_options {
	const char *const *topics;
	size_t topic_count;
	enum import_from from;
	struct ch_time from_time;
	bool follow;  /* until stopping() */
	bool dry_run; /* all of it, each batch rolled back */
	const char *actor, *reason;
	const struct ch_clock *clock;
	bool (*stopping)(void *ctx);
	/* A line for the operator. */
	void (*warned)(void *ctx, const char *text);
	/* At the end, also of an import that failed on its way. */
	void (*ended)(void *ctx, const char *topic,
		const struct import_counts *counts);
	void *ctx;
};

/* CH_OK; CH_ENOTFOUND: no such topic; CH_ECONFIG: no consumer; else Kafka or
 * PostgreSQL failed: what was stored stays, run it again. */
int import_run(const struct ch_params *p, struct ch_pg *pg,
	const struct import_options *opt, struct ch_err *err);

/* {"topic":...,"records":...,"dialects":{...}} */
void import_add_json(struct ch_buf *b, const char *topic,
	const struct import_counts *counts);

#endif
