/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: one row of a published table, packed, on its way out.
 *
 * A row arrives as columns (from the WAL or from a SELECT, both binary) and
 * is packed into one block, so that it survives the buffer it came in and can
 * be sent again, parked or shown at any later moment. The fields of each
 * source have fixed places, whatever order the table has its columns in.
 *
 * Thread: an event belongs to one thread. Pure.
 */
#ifndef RELAY_EVENT_H
#define RELAY_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum event_source {
	EVENT_COMMAND_LOG,
	EVENT_ANSWERS,
	EVENT_REJECTED,
	EVENT_OUTBOX,
	EVENT_RETRY,	   /* outbox_retry: a finished message that waited */
	EVENT_APPLICATION, /* a finished message, of an application's own row */
	EVENT_SOURCES
};

/* Places of the fields. command_log and answers: */
enum {
	RESULT_STREAM,
	RESULT_LOG_SEQ,
	RESULT_AT,
	RESULT_KEY,
	RESULT_TEXT,
	RESULT_TRACEPARENT,
	RESULT_FIELDS
};
enum {
	REJECTED_STREAM,
	REJECTED_LOG_SEQ,
	REJECTED_AT,
	REJECTED_LETTER,
	REJECTED_TOPIC,
	REJECTED_PART,
	REJECTED_OFFSET,
	REJECTED_KEY,
	REJECTED_VALUE,
	REJECTED_HEADER_NAMES,
	REJECTED_HEADER_VALUES,
	REJECTED_CLASS,
	REJECTED_REASON,
	REJECTED_SQLSTATE,
	REJECTED_FIELDS
};
enum {
	OUTBOX_SEQ,
	OUTBOX_ID,
	OUTBOX_AT,
	OUTBOX_TYPE_OF_AGGREGATE,
	OUTBOX_AGGREGATE,
	OUTBOX_TYPE,
	OUTBOX_PAYLOAD,
	OUTBOX_TRACEPARENT,
	OUTBOX_FIELDS
};
enum {
	WAITED_NUMBER,
	WAITED_TOPIC,
	WAITED_AT,
	WAITED_PART,
	WAITED_KEY,
	WAITED_VALUE,
	WAITED_HEADER_NAMES,
	WAITED_HEADER_VALUES,
	WAITED_SOURCE, /* of the row that it was made of */
	WAITED_ROW,
	WAITED_LETTER, /* it waited behind; null of an application's row */
	WAITED_FIELDS
};
#define EVENT_FIELDS_MAX REJECTED_FIELDS
#define EVENT_ID_MAX 64 /* "<stream>-<log_seq>" or a UUID, and its NUL */

/*
 *	NEW --sent among others--> SENT --acknowledged--> done
 *	 |			     '--refused; all sent again--> NEW
 *	 |--sent alone--> TRIED --acknowledged--> done
 *	 |		    '--refused--> WAITING
 *	 |--its topic or its key must wait--> WAITING --woken--> NEW
 *	 '--refused for good, or its key is blocked--> PARKING --durable--> done
 *
 * SENT and TRIED too may be refused for good. Done is freed (inflight_done()),
 * or SETTLED while something else than its target needs it.
 */
enum event_state {
	EVENT_NEW,     /* to be sent */
	EVENT_WAITING, /* not now: passed by what is behind it */
	EVENT_SENT,    /* given to the producer, no report yet */
	EVENT_TRIED,   /* the same, on trial: a rewind leaves it */
	EVENT_PARKING, /* to be put aside; not yet durable */
	EVENT_SETTLED  /* done, but held */
};

struct commit;
struct route_topic;

struct event {
	struct event *link;	   /* in one list of its owner at a time */
	struct commit *commit;	   /* set by inflight */
	struct route_topic *topic; /* set by whoever routed it; may be NULL */
	int64_t order;		   /* log_seq, or the outbox's seq */
	int32_t stream;		   /* 0: outbox */
	uint16_t attempts;	   /* refused alone so often; no outages */
	uint8_t source;
	uint8_t state;
	bool suspect;	/* refused, on trial: its key is held */
	bool hooked;	/* webhooks have looked at it */
	bool held;	/* in flight until inflight_let_go() */
	uint32_t size;	/* bytes of the whole block */
	uint32_t place; /* in its commit: as read, then in order */
	int32_t lens[EVENT_FIELDS_MAX]; /* -1: null */
	char bytes[];
};

/* The table of the row; of a retry and of an application's row the one
 * that the row was in. */
struct ch_view event_origin(const struct event *e);
/* CH_ENOTFOUND: none of ours. */
int event_source_of(struct ch_view table, enum event_source *out);
/* Column names by place, and how many. */
const char *const *event_columns(enum event_source s, int *count);

/* fields[place], in PostgreSQL's binary format, ptr NULL: null. NULL with
 * CH_EPROTO when a needed field is null or has a wrong size. event_free(). */
struct event *event_new(enum event_source s, const struct ch_view *fields,
	struct ch_err *err);
void event_free(struct event *e);

struct ch_view event_field(const struct event *e, int place);
/* What the row is called in this database: "<stream>-<log_seq>", the letter's
 * id, the outbox row's id. Equal in every repetition. */
void event_id(const struct event *e, char out[EVENT_ID_MAX]);
/* Of an application's row, whose id may come again with another event: a digest
 * of key and value. 0: of the ledger's, whose ids never do. */
uint32_t event_content(const struct event *e);
struct ch_view event_key(const struct event *e);  /* ptr NULL: none */
struct ch_time event_time(const struct event *e); /* decided or created */

/* Sorts by what orders the rows of one commit: per source kind, stream and
 * order. For qsort(3) over struct event pointers. */
int event_compare(const void *a, const void *b);

#endif
