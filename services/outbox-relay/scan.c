/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: two phases of pages.
 *
 *	LOG	until a page is empty; a cursor for each stream
 *	OUTBOX	in the order of (seq, id) below the round's snapshot, which is
 *		taken first, so that a row committed meanwhile belongs to the
 *		next round whatever its seq; all of it, up to the largest seq
 *		of that moment, when nothing is known to be delivered
 *
 * Each page becomes one commit of inflight without a position.
 */
#include "scan.h"

#include <stdlib.h>

#include "base/mem.h"
#include "outbox_relay_sql.h"

#define LOG_PAGE 1000 /* rows a stream */
#define OUTBOX_PAGE 2000

enum phase { PHASE_LOG, PHASE_OUTBOX, PHASE_DONE };

struct cursor {
	int32_t stream;
	int64_t after;
};

struct scan {
	enum phase phase;
	struct cursor *cursors;
	size_t count;
	char *from;  /* delivered snapshot; NULL: none */
	char *until; /* the round's; NULL: not taken yet */
	int64_t top; /* when all is read */
	int64_t seq;
	struct ch_uuid id;
	uint64_t rows;
};

static const struct ch_pg_stmt log_stmt = {
	"relay_scan_log", outbox_relay_sql_scan_log};
static const struct ch_pg_stmt snapshot_stmt = {
	"relay_scan_snapshot", outbox_relay_sql_scan_snapshot};
static const struct ch_pg_stmt outbox_stmt = {
	"relay_scan_outbox", outbox_relay_sql_scan_outbox};
static const struct ch_pg_stmt all_stmt = {
	"relay_scan_all", outbox_relay_sql_scan_all};

struct scan *
scan_new(void)
{
	struct scan *s = ch_xcalloc(1, sizeof(*s));

	s->phase = PHASE_DONE;
	return s;
}

void
scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	free(s->cursors);
	free(s->from);
	free(s->until);
	free(s);
}

static void
cursor_set(struct scan *s, int32_t stream, int64_t after)
{
	size_t i;

	for (i = 0; i < s->count && s->cursors[i].stream != stream; i++)
		continue;
	if (i == s->count) {
		s->cursors = ch_xrealloc(s->cursors, ++s->count,
			sizeof(*s->cursors));
		s->cursors[i] = (struct cursor){stream, 0};
	}
	if (after > s->cursors[i].after)
		s->cursors[i].after = after;
}

void
scan_begin(struct scan *s, const struct inflight *f, const char *snapshot)
{
	int32_t stream;
	int64_t seq;
	size_t i;

	s->phase = PHASE_LOG;
	s->count = 0;
	for (i = 0; inflight_stream_at(f, i, &stream, &seq); i++)
		cursor_set(s, stream, seq);
	free(s->from);
	s->from = snapshot != NULL ? ch_xstrdup(snapshot) : NULL;
	free(s->until);
	s->until = NULL;
	s->seq = INT64_MIN;
	memset(&s->id, 0, sizeof(s->id));
	s->rows = 0;
}

/* Columns of scan_log.sql: the source, rejected's fields in their places,
 * then result and traceparent. */
static struct event *
log_event(const PGresult *res, int row, struct ch_err *err)
{
	static const int result_columns[RESULT_FIELDS] = {
		[RESULT_STREAM] = 1 + REJECTED_STREAM,
		[RESULT_LOG_SEQ] = 1 + REJECTED_LOG_SEQ,
		[RESULT_AT] = 1 + REJECTED_AT,
		[RESULT_KEY] = 1 + REJECTED_KEY,
		[RESULT_TEXT] = 1 + REJECTED_FIELDS,
		[RESULT_TRACEPARENT] = 2 + REJECTED_FIELDS,
	};
	struct ch_view fields[EVENT_FIELDS_MAX];
	int32_t source = -1;
	int i;

	if (!ch_pg_get_i32(res, row, 0, &source) || source < 0 ||
		source > EVENT_REJECTED) {
		ch_err_set(err, CH_EPROTO, "the scan names source %d", source);
		return NULL;
	}
	if (source == EVENT_REJECTED) {
		for (i = 0; i < REJECTED_FIELDS; i++)
			fields[i] = ch_pg_value(res, row, 1 + i);
	} else {
		for (i = 0; i < RESULT_FIELDS; i++)
			fields[i] = ch_pg_value(res, row, result_columns[i]);
	}
	return event_new((enum event_source)source, fields, err);
}

static int
add_log_rows(struct scan *s, const PGresult *res, struct inflight *f,
	struct ch_err *err)
{
	int i;

	for (i = 0; i < PQntuples(res); i++) {
		struct event *e = log_event(res, i, err);

		if (e == NULL)
			return CH_EPROTO;
		cursor_set(s, e->stream, e->order);
		inflight_add(f, e);
	}
	return CH_OK;
}

static int
log_page(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	struct ch_pg_array streams, seqs;
	struct ch_pg_args args;
	PGresult *res;
	size_t i;
	int rc, n;

	ch_pg_array_init(&streams, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&seqs, CH_PG_INT8_ARRAY);
	for (i = 0; i < s->count; i++) {
		ch_pg_array_i32(&streams, s->cursors[i].stream);
		ch_pg_array_i64(&seqs, s->cursors[i].after);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &streams);
	ch_pg_arg_array(&args, &seqs);
	ch_pg_arg_i64(&args, LOG_PAGE);
	rc = ch_pg_query(pg, &log_stmt, &args, &res, err);
	ch_pg_array_free(&streams);
	ch_pg_array_free(&seqs);
	if (rc != CH_OK)
		return ch_err_wrap(err, "scan the log");
	n = PQntuples(res);
	if (n == 0) {
		s->phase = PHASE_OUTBOX;
		PQclear(res);
		return 1;
	}
	inflight_begin(f, now);
	rc = add_log_rows(s, res, f, err);
	PQclear(res);
	if (rc != CH_OK) {
		inflight_abandon(f);
		return rc;
	}
	inflight_end(f, 0, NULL);
	s->rows += (uint64_t)n;
	return 1;
}

static int
take_snapshot(struct scan *s, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_args args;
	struct ch_view text;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_bool(&args, s->from == NULL);
	rc = ch_pg_query(pg, &snapshot_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (!ch_pg_get_i64(res, 0, 1, &s->top))
		s->top = INT64_MIN; /* no row */
	if (ch_pg_get_text(res, 0, 0, &text))
		s->until = ch_xviewdup(text);
	else
		rc = ch_err_set(err, CH_EPROTO, "no snapshot");
	PQclear(res);
	return rc;
}

static int
add_outbox_rows(struct scan *s, const PGresult *res, struct inflight *f,
	struct ch_err *err)
{
	struct ch_view fields[OUTBOX_FIELDS];
	struct event *e;
	int i, place;

	for (i = 0; i < PQntuples(res); i++) {
		for (place = 0; place < OUTBOX_FIELDS; place++)
			fields[place] = ch_pg_value(res, i, place);
		e = event_new(EVENT_OUTBOX, fields, err);
		if (e == NULL)
			return CH_EPROTO;
		s->seq = e->order;
		memcpy(s->id.bytes, fields[OUTBOX_ID].ptr, sizeof(s->id.bytes));
		inflight_add(f, e);
	}
	return CH_OK;
}

static int
ask_outbox(const struct scan *s, struct ch_pg *pg, PGresult **res,
	struct ch_err *err)
{
	bool all = s->from == NULL;
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	if (!all) {
		ch_pg_arg_str(&args, s->from);
		ch_pg_arg_str(&args, s->until);
	}
	ch_pg_arg_i64(&args, s->seq);
	ch_pg_arg_uuid(&args, &s->id);
	if (all)
		ch_pg_arg_i64(&args, s->top);
	ch_pg_arg_i64(&args, OUTBOX_PAGE);
	return ch_pg_query(pg, all ? &all_stmt : &outbox_stmt, &args, res, err);
}

static int
outbox_page(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	PGresult *res;
	bool last;
	int rc = ask_outbox(s, pg, &res, err);

	if (rc != CH_OK)
		return ch_err_wrap(err, "scan the outbox");
	last = PQntuples(res) < OUTBOX_PAGE;
	inflight_begin(f, now);
	rc = add_outbox_rows(s, res, f, err);
	if (rc == CH_OK)
		s->rows += (uint64_t)PQntuples(res);
	PQclear(res);
	if (rc != CH_OK) {
		inflight_abandon(f);
		return rc;
	}
	inflight_end(f, 0, last ? s->until : NULL);
	if (last)
		s->phase = PHASE_DONE;
	return last ? 0 : 1;
}

int
scan_turn(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	int rc;

	if (s->phase == PHASE_DONE)
		return 0;
	if (s->phase == PHASE_LOG)
		return log_page(s, pg, f, now, err);
	if (s->until == NULL) {
		rc = take_snapshot(s, pg, err);
		if (rc != CH_OK)
			return rc;
	}
	return outbox_page(s, pg, f, now, err);
}

uint64_t
scan_rows(const struct scan *s)
{
	return s->rows;
}
