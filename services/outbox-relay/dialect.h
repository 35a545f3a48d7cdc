/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect: what a record of a dead-letter topic says about itself.
 *
 * Whoever dead-letters a record appends headers of its own. Read here:
 *
 *	connect	      __connect.errors.*  all text
 *	spring	      kafka_dlt-* (a recoverer), kafka_original-* and
 *		      kafka_exception-* (retry topics), retry_topic-attempts;
 *		      numbers in binary, big-endian
 *	streams	      __streams.errors.*  all text; `exception` is Java's
 *		      toString(): "class: message"
 *	share-group   __dlq.errors.*	  all text; no exception
 *	countinghouse ch_error_class, ch_attempts, beside the connect set: a
 *		      record of this relay's own dead-letter topics
 *
 * A record may carry several, having been dead-lettered more than once: the one
 * whose header stands last wrote last, and is the one that is read; of a name
 * that repeats, the last.
 *
 * Nothing here is trusted: a topic must be a legal name, numbers must be in
 * range, texts are cut and made printable, and a header that is none of this is
 * named in the reason and counts as missing. At most MESSAGE_HEADERS_MAX
 * headers are looked at, the last ones.
 *
 * Thread: any. Pure. Errors: none.
 */
#ifndef RELAY_DIALECT_H
#define RELAY_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "message.h"

enum dialect {
	DIALECT_UNKNOWN, /* none of them */
	DIALECT_CONNECT,
	DIALECT_SPRING,
	DIALECT_STREAMS,
	DIALECT_SHARE,
	DIALECT_OWN,
	DIALECTS
};
/* As in the table above; "unknown". */
const char *dialect_name(enum dialect d);

#define DIALECT_CLASS_MAX 100	/* bytes */
#define DIALECT_REASON_MAX 6000 /* bytes, what is broken included */
#define DIALECT_REPLAYS_MAX 1000000

struct dialect_origin {
	enum dialect dialect;
	struct ch_view topic; /* ptr NULL: not named; else a legal name */
	int32_t part;	      /* -1: not named */
	int64_t offset;	      /* -1: not named */
	int64_t timestamp_ms; /* -1: not named */
	int32_t attempts;     /* at least 1 */
	/* The exception's class without its package, or the dialect's name:
	 * letters, digits, '_', '$', '-'. */
	struct ch_view class;
	struct ch_view reason; /* printable UTF-8 */
	int32_t replays;       /* ch_replay_count: it was replayed before */
	bool has_letter;       /* ch_letter_id: as that letter */
	struct ch_uuid letter;
};

/* Views point into the headers or into the arena. */
void dialect_read(const struct message_header *headers, size_t count,
	struct ch_arena *arena, struct dialect_origin *out);

/* A name that Kafka allows. */
bool dialect_is_topic(struct ch_view name);
/* Is it a header that a dead-letter framework adds? */
bool dialect_adds(const char *name);

#endif
