/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign: records of other systems' dead-letter topics as stored letters.
 *
 * A record is one letter, however often it is read: its letter's id is made of
 * its log, partition and offset, and the place in the log is unique in the
 * table. The log is the topic's id: a topic that was deleted and made again is
 * another one. The cursor of a partition moves in the transaction that stores
 * its letters, and never back, unless the log has lost its end.
 *
 * foreign_put() and foreign_move() queue statements in the connection's
 * pipeline; who calls them runs it, inside of a transaction.
 *
 * Thread: loop only (command line).
 */
#ifndef RELAY_FOREIGN_H
#define RELAY_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"
#include "dialect.h"
#include "io/pg.h"
#include "message.h"

struct foreign_log {
	struct ch_uuid id;
	const char *cluster, *topic;
};

struct foreign_cursor {
	bool known;
	bool back;	       /* to be stored though it is smaller */
	int64_t next;	       /* offset */
	struct ch_time newest; /* `at` of the last letter */
};
/* Of the partitions 0 to count - 1. *was_another: cursors of an earlier topic
 * of this name are there. */
int foreign_cursors(struct ch_pg *pg, const struct foreign_log *log,
	struct foreign_cursor *out, int32_t count, bool *was_another,
	struct ch_err *err);

struct foreign_record {
	int32_t part;
	int64_t offset;
	int64_t timestamp_ms; /* of the record; makes the letter's id */
	struct ch_time at;    /* as it is listed */
	struct ch_view key, value;
	const struct message_header *headers;
	size_t header_count;
	struct dialect_origin origin;
};
/* Queues it; nothing of it is needed afterwards. */
int foreign_put(struct ch_pg *pg, const struct foreign_log *log,
	const struct foreign_record *r, const char *actor, struct ch_err *err);

enum foreign_outcome {
	FOREIGN_STORED,
	FOREIGN_RETURNED, /* stored: a replay of ours that came back */
	FOREIGN_REPEATED, /* it was stored before */
	FOREIGN_KNOWN	  /* the list has it as a rejected record */
};
/* What became of one, by the statement's result. CH_EPROTO. */
int foreign_outcome(const PGresult *res, enum foreign_outcome *out,
	struct ch_err *err);

/* Queues it. */
int foreign_move(struct ch_pg *pg, const struct foreign_log *log, int32_t part,
	const struct foreign_cursor *to, const char *actor, struct ch_err *err);

#endif
