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
 * Each page becomes one commit of inflight without a position, as old as the
 * oldest of its rows. Rows that came and did not fit are read again by the next
 * one.
 */
#include "scan.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/pg_rows.h"
#include "outbox_relay_sql.h"
#include "page.h"

enum phase { PHASE_LOG, PHASE_OUTBOX, PHASE_DONE };

struct cursor {
	int32_t stream;
	int64_t after;
};

struct scan {
	enum phase phase;
	struct cursor *cursors;
	size_t count;
	char *from;  /* snapshot of what is read; NULL: none */
	char *until; /* the round's; NULL: not taken yet */
	int64_t top; /* when all is read */
	int64_t seq;
	struct ch_uuid id;
	uint64_t rows;
	struct page log, outbox;
};

/* A page on its way into f. */
struct taking {
	struct scan *s;
	struct page *page;
	struct inflight *f;
	int rc;
	struct ch_err *err;
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
	page_init(&s->log);
	page_init(&s->outbox);
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

/* Takes `from`. */
static void
begin_behind(struct scan *s, char *from)
{
	s->phase = PHASE_LOG;
	free(s->from);
	s->from = from;
	free(s->until);
	s->until = NULL;
	s->seq = INT64_MIN;
	memset(&s->id, 0, sizeof(s->id));
	s->rows = 0;
}

void
scan_begin(struct scan *s, const struct inflight *f, const char *snapshot)
{
	struct mark m;
	size_t i;

	s->count = 0;
	for (i = 0; marks_at(inflight_marks(f), i, &m); i++)
		cursor_set(s, m.stream, m.seq);
	begin_behind(s, snapshot != NULL ? ch_xstrdup(snapshot) : NULL);
}

void
scan_next(struct scan *s)
{
	char *read = s->until;

	assert(s->phase == PHASE_DONE && read != NULL);
	s->until = NULL;
	begin_behind(s, read);
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

static bool
take_log_row(void *ctx, const PGresult *res)
{
	struct taking *t = ctx;
	struct event *e = log_event(res, 0, t->err);

	if (e == NULL) {
		t->rc = CH_EPROTO;
		return false;
	}
	cursor_set(t->s, e->stream, e->order);
	inflight_add(t->f, e);
	inflight_written(t->f, event_time(e));
	return page_take(t->page, e->size);
}

/* *more: rows may be behind the page. On an error nothing was taken. */
static int
read_page(struct taking *t, struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args,
	bool (*take)(void *ctx, const PGresult *res), bool *more)
{
	struct ch_pg_row_sink sink = {.take = take, .ctx = t};
	int rc;

	page_begin(t->page);
	rc = ch_pg_rows(pg, stmt, args, &sink, t->err);
	PQclear(sink.end);
	if (rc == CH_OK)
		rc = t->rc;
	if (rc != CH_OK) {
		inflight_abandon(t->f);
		page_init(t->page);
		return rc;
	}
	*more = page_end(t->page, sink.found);
	t->s->rows += (uint64_t)t->page->taken;
	return CH_OK;
}

static int
read_log(struct taking *t, struct ch_pg *pg, struct ch_err *err)
{
	const struct scan *s = t->s;
	struct ch_pg_array streams, seqs;
	struct ch_pg_args args;
	bool more;
	size_t i;
	int rc;

	ch_pg_array_init(&streams, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&seqs, CH_PG_INT8_ARRAY);
	for (i = 0; i < s->count; i++) {
		ch_pg_array_i32(&streams, s->cursors[i].stream);
		ch_pg_array_i64(&seqs, s->cursors[i].after);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &streams);
	ch_pg_arg_array(&args, &seqs);
	ch_pg_arg_i64(&args, t->page->ask);
	rc = read_page(t, pg, &log_stmt, &args, take_log_row, &more);
	ch_pg_array_free(&streams);
	ch_pg_array_free(&seqs);
	return rc == CH_OK ? rc : ch_err_wrap(err, "scan the log");
}

static int
log_page(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	struct taking t = {s, &s->log, f, CH_OK, err};
	size_t count = s->count;
	struct cursor *before = ch_xcalloc(count + 1, sizeof(*before));
	int rc;

	if (count > 0)
		memcpy(before, s->cursors, count * sizeof(*before));
	inflight_begin(f, now);
	rc = read_log(&t, pg, err);
	if (rc != CH_OK && count > 0)
		memcpy(s->cursors, before, count * sizeof(*before));
	if (rc != CH_OK)
		s->count = count;
	free(before);
	if (rc != CH_OK)
		return rc;
	if (s->log.taken > 0) {
		inflight_end(f, 0, NULL);
	} else {
		inflight_abandon(f);
		s->phase = PHASE_OUTBOX;
	}
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

struct taking_outbox {
	struct taking t;
	int64_t seq;
	struct ch_uuid id;
};

static bool
take_outbox_row(void *ctx, const PGresult *res)
{
	struct taking *t = ctx;
	struct taking_outbox *o = ctx;
	struct ch_view fields[OUTBOX_FIELDS];
	struct event *e;
	int place;

	for (place = 0; place < OUTBOX_FIELDS; place++)
		fields[place] = ch_pg_value(res, 0, place);
	e = event_new(EVENT_OUTBOX, fields, t->err);
	if (e == NULL) {
		t->rc = CH_EPROTO;
		return false;
	}
	o->seq = e->order;
	(void)ch_pg_get_uuid(res, 0, OUTBOX_ID, &o->id);
	inflight_add(t->f, e);
	inflight_written(t->f, event_time(e));
	return page_take(t->page, e->size);
}

static int
read_outbox(struct taking_outbox *o, struct ch_pg *pg, bool *more)
{
	const struct scan *s = o->t.s;
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
	ch_pg_arg_i64(&args, o->t.page->ask);
	return read_page(&o->t, pg, all ? &all_stmt : &outbox_stmt, &args,
		take_outbox_row, more);
}

static int
outbox_page(struct scan *s, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	struct taking_outbox o = {
		{s, &s->outbox, f, CH_OK, err}, s->seq, s->id};
	bool more, news;
	int rc;

	inflight_begin(f, now);
	rc = read_outbox(&o, pg, &more);
	if (rc != CH_OK)
		return ch_err_wrap(err, "scan the outbox");
	s->seq = o.seq;
	s->id = o.id;
	news = s->rows > 0 || s->from == NULL;
	inflight_end(f, 0, !more && news ? s->until : NULL);
	if (!more)
		s->phase = PHASE_DONE;
	return more;
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

const char *
scan_until(const struct scan *s)
{
	return s->until;
}

bool
scan_stream_at(const struct scan *s, size_t i, int32_t *stream, int64_t *seq)
{
	if (i >= s->count)
		return false;
	*stream = s->cursors[i].stream;
	*seq = s->cursors[i].after;
	return true;
}
