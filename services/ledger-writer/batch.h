/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: the records of one transaction, decided in arrival order in memory.
 *
 * How apply.c uses it:
 *
 *	batch_init(b, limits)                       once
 *	batch_add_stream(b, ...)                    each owned stream, ascending
 *	batch_add(b, stream, &record)               each record as it is polled
 *	  again:
 *	BEGIN, pause lock, fence; discover, lock and load b->books (books.h)
 *	at = batch_decided_at(b, clock)
 *	load what is due by `at` on the locked accounts and SKUs
 *	batch_decide(b, &context, err)
 *	write b->out, the dirty rows of b->books, next_log_seq; COMMIT
 *	  on a roll back that is not the commands' fault:
 *	batch_reset(b); goto again
 *	batch_clear(b)                              streams are kept
 *
 * A batch without records is a sweep: only what is due is settled, or, with
 * b->pay filled, one page of a market's holders is paid.
 *
 * Ownership: batch_add() copies the record; all rows of out point into the
 * batch's arenas and are good until batch_decide(), batch_reset() or
 * batch_clear(). Thread: belongs to one thread. No I/O, no clock.
 */
#ifndef LEDGER_WRITER_BATCH_H
#define LEDGER_WRITER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "books.h"
#include "command.h"
#include "market_rules.h"
#include "rates.h"

/* outbox.seq = batch * 2^20 + place: so many events at most. batch_decide()
 * refuses more (CH_EFULL); a command, a member of a group and whatever is due
 * leave at most one each. */
#define BATCH_EVENTS_MAX (1 << 20)
/* With so many it takes no more records (batch_full()). Each names at most one
 * hold or reservation, which may run out: the other half is for what is due. */
#define BATCH_EVENTS_TAKEN (BATCH_EVENTS_MAX / 4)
/* Bytes of rows, at most, that the records of a batch may make it hold; with so
 * many it takes no more records (batch_full()). One record's is less than half
 * of it. */
#define BATCH_WEIGHT_TAKEN ((size_t)12 << 20)
/* Bytes of answers, changes and events after which a batch is cut, and so many
 * stored answers are read for it; one command may leave more. */
#define BATCH_OUT_MOST ((size_t)4 << 20)

/* A topic partition that takes part; (stream, log_seq) numbers its rows. */
struct batch_stream {
	int32_t stream; /* consumer_partitions.stream */
	int32_t part;
	struct ch_view topic;
	char *topic_owned;	 /* its bytes; batch's own */
	struct ch_view only_org; /* it is bound to that one; len 0: to none */
	bool fills; /* records are fills of a venue (market_fill.h) */
	struct ch_time last_at; /* set by the owner before batch_decided_at() */
	int64_t next_log_seq;	/* set before, moved on by batch_decide() */
};

struct batch_header {
	struct ch_view name;
	struct ch_view value; /* ptr NULL: a header without a value */
};

/* A Kafka record, as polled. ptr NULL: a null key, a null value. */
struct batch_record {
	int64_t offset;
	int32_t leader_epoch; /* of who took it in Kafka; -1: not known */
	bool has_timestamp;
	struct ch_time timestamp;
	struct ch_view key;
	struct ch_view value;
	const struct batch_header *headers;
	size_t header_count;
	bool read_again; /* it was decided before its partition was restarted */
};

/* A record's time in ms. The producer's word: what no date of ours can be (the
 * year 10000 and later, negative) counts as none. */
#define BATCH_RECORD_MS_MAX INT64_C(253402300799999)
static inline bool
batch_record_time(int64_t ms, struct ch_time *at)
{
	bool good = ms >= 0 && ms <= BATCH_RECORD_MS_MAX;
	at->us = good ? ms * 1000 : 0;
	return good;
}

/* Why an entry is parked although it could be read. */
struct batch_poison {
	struct ch_view reason;
	char sqlstate[6];
};

struct batch_entry {
	size_t stream; /* index into streams */
	struct batch_record record;
	bool readable;
	struct command command;		/* when readable */
	struct known_id *known;		/* when readable */
	struct command_refusal refusal; /* when not, or when parked */
	struct batch_poison *poison;	/* NULL unless batch_park()ed */
};

/* --- what must be written ------------------------------------------- */

struct log_row {			 /* command_log */
	const struct batch_entry *entry; /* NULL for a timer */
	const struct org *org;
	struct ch_uuid id;
	int64_t day;   /* days since 1970-01-01 */
	size_t stream; /* index into streams */
	int64_t log_seq;
	int32_t pos;
	bool timer;
	int64_t src_offset; /* not for a timer */
	struct ch_view type;
	enum ledger_status status;
	struct ch_sha256 payload_hash;
	struct ch_view record_key; /* ptr NULL: SQL NULL, here and below */
	struct ch_view command;
	struct ch_view result;
	struct ch_view changes; /* change.h; ptr NULL: they follow */
	struct ch_view ref;
	struct ch_view actor;
	struct ch_view traceparent;
};

struct answer_row { /* answers */
	const struct batch_entry *entry;
	const struct org *org; /* NULL: the name is not in the books */
	size_t stream;
	int64_t log_seq;
	int32_t pos;
	int64_t src_offset;
	struct ch_view id_text;
	enum ledger_status status; /* a duplicate: STATUS_APPLIED */
	const char *status_name;   /* as written; a duplicate: "duplicate" */
	struct ch_view record_key;
	struct ch_view result;
	struct ch_view traceparent;
};

struct rejected_row { /* rejected; raw record: entry->record */
	const struct batch_entry *entry;
	size_t stream;
	int64_t log_seq;
	int32_t pos;
	struct ch_uuid letter_id;
	const char *error_class;
	struct ch_view reason;
	const char *sqlstate; /* NULL unless poison */
};

struct posting_row { /* postings; decided_at and batch are the batch's */
	const struct account *account; /* a shard stands for itself */
	int32_t pos;		       /* of its log_row */
	int16_t leg;		       /* through the whole command */
	struct ch_amount amount;       /* a debit is negative */
	struct ch_amount balance_after;
	struct ch_uuid command_id;
};

struct event_row {     /* outbox; created_at = decided_at */
	int32_t place; /* seq = batch * 2^20 + place */
	struct ch_uuid id;
	const char *aggregatetype; /* static */
	struct ch_view aggregateid;
	const char *type; /* static */
	struct ch_view payload;
	struct ch_view traceparent;
};

/* Arrays in the order of decision (ascending pos, log_seq within a stream). */
struct batch_out {
	struct log_row *log;
	size_t log_count, log_cap;
	struct answer_row *answers;
	size_t answer_count, answer_cap;
	struct rejected_row *rejected;
	size_t rejected_count, rejected_cap;
	struct posting_row *postings;
	size_t posting_count, posting_cap;
	struct event_row *events;
	size_t event_count, event_cap;
	int32_t next_pos;
	size_t bytes; /* of all texts */
};

/* For metrics; of the last batch_decide(). */
struct batch_counts {
	size_t by_status[STATUS_COUNT]; /* duplicates are not in here */
	size_t duplicates;
	size_t dry_runs; /* they are in by_status as well */
	size_t timers;
	size_t parked_fills;
};

struct batch {
	struct ch_arena arena;	   /* records and commands */
	struct ch_arena out_arena; /* what the last decision wrote */
	struct books books;
	struct command_reader reader;
	struct batch_stream *streams;
	size_t stream_count, stream_cap;
	struct batch_entry **entries; /* arrival order */
	size_t count, cap;
	size_t bytes;  /* of keys, values and headers */
	size_t events; /* that its entries may leave, at most */
	size_t weight; /* bytes of rows that they may make it hold, about */
	/* Of the last batch_decide() that said CH_EFULL: so many of its entries
	 * are to be tried as a batch of their own. 0: it is no matter of many. */
	size_t fits;
	struct batch_out out;
	struct batch_counts counts;
	struct ch_buf scratch;	/* batch's own */
	struct ruling ruling;	/* the same */
	struct market_page pay; /* market NULL: none; forgotten by a reset */
};

/* A row of pauses. scope: "trading" (everybody) or an organisation. */
struct batch_pause {
	struct ch_view scope;
	const struct ch_view *types;
	size_t type_count;
	struct ch_view reason;
};

struct batch_context {
	int64_t number;		   /* drawn from batch_seq after the locks */
	struct ch_time decided_at; /* batch_decided_at() */
	int64_t lowest_day; /* retention.lowest_day of command_log, in days */
	const struct batch_pause *pauses;
	size_t pause_count;
	const struct rate_rule *rates; /* their windows are in the books */
	size_t rate_count;
	size_t out_most; /* bytes after which it is cut; 0: never */
};

void batch_init(struct batch *b, const struct command_limits *limits);
void batch_free(struct batch *b);
/* Forgets records and rows; keeps streams and one block of memory each. */
void batch_clear(struct batch *b);
/* Forgets the streams too. */
void batch_clear_streams(struct batch *b);
/* After a roll back: books_reset(), and out is empty. */
void batch_reset(struct batch *b);

/* Streams in ascending order of `stream`: the first one numbers the timers'
 * rows. Returns the index for batch_add(). */
size_t batch_add_stream(struct batch *b, int32_t stream, int32_t part,
	struct ch_view topic);
/* The stream's topic belongs to one organisation: the last `len` bytes of the
 * topic's name are its name. 0: to none. */
void batch_bind_stream(struct batch *b, size_t stream, size_t len);
/* The stream's records are fills, not commands. */
void batch_mark_fills(struct batch *b, size_t stream);
/* Decodes and resolves; a record that cannot be read becomes an entry, too. */
const struct batch_entry *batch_add(struct batch *b, size_t stream,
	const struct batch_record *r);
/* Could one more record have it leave more events than there are numbers, or
 * hold too much? */
bool batch_full(const struct batch *b);
/* The entry with that index is poison: it will be `rejected` and answered
 * `invalid`, whatever it asks. Such a batch needs no rows when it holds
 * parked entries only. Survives batch_reset(). */
void batch_park(struct batch *b, size_t entry, const char *sqlstate,
	struct ch_view reason);

/* The windows of these rules for every command of the batch: WANTED. */
void batch_want_rates(struct batch *b, const struct rate_rule *rules, size_t n);
/* The partitions that commands come through: for books_want_shards(). The list
 * is the batch's, stream_count long. */
const int32_t *batch_parts(struct batch *b);
/* The latest of the clock, the streams' last_at and every loaded row's. */
struct ch_time batch_decided_at(const struct batch *b, struct ch_time clock);

/*
 * Settles what is due, then decides every entry in order. Rows must all be
 * ABSENT or LOADED (books_missing() == 0): anything else is our bug.
 * 0, or CH_EFULL when there would be more than BATCH_EVENTS_MAX events or more
 * bytes than out_most, or a stored answer that was not read: then b->fits says
 * how many of its entries make a batch. Any split gives the same answers.
 */
int batch_decide(struct batch *b, const struct batch_context *context,
	struct ch_err *err);

/* out.log sorted by (org_id, id, day), the order of its unique key, as
 * pointers in the batch's out_arena. Org numbers must be known. */
const struct log_row **batch_log_by_key(struct batch *b);

#endif
