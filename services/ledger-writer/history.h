/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: the log read again, batch by batch, in the order of decisions
 * (batch, pos).
 *
 * There is no index of that order, and none is needed: within a stream log_seq
 * has it, so the streams are merged, each read page by page through its index
 * (stream, log_seq). Memory: one page a stream and one batch.
 *
 * A writer may commit batch 7 before another commits batch 6; what was read
 * before that cut would be taken for the end. So rows are read up to a cut, the
 * streams' next_log_seq in one MVCC snapshot: whatever a batch below the cut
 * rests on lies below it too. Batches of two cuts may stand in another order
 * than their numbers: those do not touch the same rows.
 *
 * Thread: main.
 */
#ifndef LEDGER_HISTORY_H
#define LEDGER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "session.h"

enum history_kind { HISTORY_UNKNOWN, HISTORY_COMMANDS, HISTORY_FILLS };

struct history_stream {
	int32_t stream;
	int32_t part;
	char *topic;
	enum history_kind kind; /* of its records; the reader finds out */
	int64_t next;		/* log_seq to be read next */
	int64_t end;		/* the cut: below this one */
	int64_t limit;		/* rows of the next page */
	PGresult *page;
	int row;   /* of the page, the next one */
	bool over; /* the rest was decided after `until` */
};

/* Texts are the history's until the next batch. */
struct history_row {
	struct history_stream *from;
	int64_t log_seq;
	int64_t batch;
	int32_t pos;
	bool timer;
	int64_t src_offset; /* not of a timer */
	struct ch_time decided_at;
	int32_t org_id;
	struct ch_uuid id;
	struct ch_view type, status, hash;
	struct ch_view record_key; /* ptr NULL: none */
	struct ch_view command, result;
	struct ch_view changes; /* ptr NULL: none */
};

struct history {
	struct session *session;
	bool has_until;
	struct ch_time until;
	struct history_stream **streams; /* ascending; pointers stay good */
	size_t count, cap;
	struct history_stream **heap; /* those with a row, least on top */
	size_t heap_count;
	int64_t passed; /* numbers behind us since the last cut */
	struct ch_arena arena;
	struct history_row *rows; /* of the batch in hand */
	size_t row_count, row_cap;
};

void history_init(struct history *h, struct session *s);
void history_free(struct history *h);
/* The first row of a stream that is wanted; before the first cut. */
void history_start(struct history *h, int32_t stream, int64_t log_seq);
/* Takes a new cut; *rows is how many numbers lie between it and what was read:
 * rows of the log, and others that are not read. 0 or a code of io/pg.h. */
int history_cut(struct history *h, int64_t *rows, struct ch_err *err);
/* The next batch: 1, its rows are in h->rows; 0: the cut is reached; or a
 * code. */
int history_next(struct history *h, struct ch_err *err);

#endif
