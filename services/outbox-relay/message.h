/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: what an event becomes on the wire: key, value, headers, partition.
 *
 *	results	  id (place and digest of the value), ch_seq, traceparent;
 *		  by key
 *	outbox	  id, traceparent; by key (Debezium's contract, plus one)
 *	rejected  the record as it was, its own headers first, then the
 *		  __connect.errors.* set and ch_error_class, ch_attempts,
 *		  ch_replay_count, ch_letter_id; the same partition number
 *	others	  finished messages: what the contract made of an application's
 *		  row, or what waited in outbox_retry
 *
 * Headers that an earlier pass through a dead-letter topic has added are
 * replaced, never repeated.
 *
 * Ownership: views point into the event or into the arena.
 * Thread: any. Pure.
 */
#ifndef RELAY_MESSAGE_H
#define RELAY_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "event.h"

#define MESSAGE_BY_KEY (-1)
#define MESSAGE_HEADERS_MAX 4096 /* of an original record */

struct message_header {
	const char *name;
	struct ch_view value; /* ptr NULL: null */
};

struct message {
	struct ch_view key;   /* ptr NULL: none */
	struct ch_view value; /* ptr NULL: tombstone */
	int32_t part;	      /* MESSAGE_BY_KEY: by the key */
	bool placed;	      /* the row names part, whatever it is */
	struct message_header *headers;
	size_t header_count;
};

/* CH_EPROTO or CH_ERANGE when a rejected row's header arrays are broken or too
 * long; *out has then key, value and partition. */
int message_of(const struct event *e, struct ch_arena *arena,
	struct message *out, struct ch_err *err);

/* ch_replay_count as found among names and values, or 0. */
int32_t message_replay_count(struct ch_view names, struct ch_view values);
/* The headers of two stored arrays, with room for `more` behind them. When
 * strip, those that a dead-letter queue adds are left out. */
int message_headers_of(struct ch_view names, struct ch_view values, size_t more,
	bool strip, struct ch_arena *arena, struct message *out,
	struct ch_err *err);

#endif
