/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: see history.h.
 */
#include "history.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ledger_writer_sql.h"

#define PAGE_BYTES INT64_C(262144)
#define PAGE_FIRST 64
#define PAGE_LEAST 8
#define PAGE_MOST 4000
#define KEEP_BYTES ((size_t)1 << 20)

static const struct ch_pg_stmt cut = {
	"replay_cut", ledger_writer_sql_replay_cut};
static const struct ch_pg_stmt log_page = {
	"replay_log_page", ledger_writer_sql_replay_log_page};

/* Columns of replay_log_page that decide the order. */
enum { COL_LOG_SEQ, COL_BATCH, COL_POS, COL_COMMAND = 12, COL_RESULT };

void
history_init(struct history *h, struct session *s)
{
	*h = (struct history){.session = s};
}

void
history_free(struct history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		PQclear(h->streams[i]->page);
		free(h->streams[i]->topic);
		free(h->streams[i]);
	}
	free(h->streams);
	free(h->heap);
	free(h->rows);
	ch_arena_free(&h->arena);
}

/* ---- streams ---- */

static struct history_stream *
find_stream(struct history *h, int32_t stream)
{
	size_t at = 0;

	while (at < h->count && h->streams[at]->stream < stream)
		at++;
	if (at < h->count && h->streams[at]->stream == stream)
		return h->streams[at];
	if (h->count == h->cap) {
		h->cap = h->cap > 0 ? h->cap * 2 : 16;
		h->streams = ch_xrealloc(h->streams, h->cap,
			sizeof(struct history_stream *));
		h->heap = ch_xrealloc(h->heap, h->cap,
			sizeof(struct history_stream *));
	}
	memmove(h->streams + at + 1, h->streams + at,
		(h->count - at) * sizeof(struct history_stream *));
	h->streams[at] = ch_xcalloc(1, sizeof(struct history_stream));
	*h->streams[at] = (struct history_stream){
		.stream = stream, .next = 1, .end = 1, .limit = PAGE_FIRST};
	h->count++;
	return h->streams[at];
}

void
history_start(struct history *h, int32_t stream, int64_t log_seq)
{
	find_stream(h, stream)->next = log_seq;
}

/* ---- the heap: least (batch, pos) on top ---- */

static int64_t
value_at(const struct history_stream *s, int col)
{
	int64_t v = 0;

	(void)ch_pg_get_i64(s->page, s->row, col, &v);
	return v;
}

static bool
is_less(const struct history_stream *a, const struct history_stream *b)
{
	int64_t x = value_at(a, COL_BATCH);
	int64_t y = value_at(b, COL_BATCH);

	return x != y ? x < y : value_at(a, COL_POS) < value_at(b, COL_POS);
}

static void
sift_down(struct history *h, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t c = 2 * at + 1; c <= 2 * at + 2; c++)
			if (c < h->heap_count &&
				is_less(h->heap[c], h->heap[least]))
				least = c;
		if (least == at)
			return;
		struct history_stream *t = h->heap[at];
		h->heap[at] = h->heap[least];
		h->heap[least] = t;
		at = least;
	}
}

/* ---- pages ---- */

/* Pages of about the same size, whatever the rows hold. */
static void
choose_limit(struct history_stream *s)
{
	int n = PQntuples(s->page);
	int64_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += 300 + PQgetlength(s->page, i, COL_COMMAND) +
			PQgetlength(s->page, i, COL_RESULT);
	if (n == 0)
		return;
	s->limit = PAGE_BYTES / (bytes / n + 1);
	if (s->limit > PAGE_MOST)
		s->limit = PAGE_MOST;
	if (s->limit < PAGE_LEAST)
		s->limit = PAGE_LEAST;
}

/* A stream's rows rise in time too. */
static bool
is_after(const struct history *h, const struct history_stream *s)
{
	enum { COL_DECIDED_AT = 5 };
	struct ch_time at;

	return h->has_until &&
		ch_pg_get_time(s->page, s->row, COL_DECIDED_AT, &at) &&
		at.us > h->until.us;
}

/* Sees to it that s has a row in hand. 1: it has; 0: it has reached the cut. */
static int
fill(struct history *h, struct history_stream *s, struct ch_err *err)
{
	struct ch_pg_args a;
	int64_t before = s->next;

	if (s->over)
		return 0;
	if (s->page != NULL && s->row < PQntuples(s->page)) {
		s->over = is_after(h, s);
		return !s->over;
	}
	PQclear(s->page);
	s->page = NULL;
	s->row = 0;
	if (s->next >= s->end)
		return 0;
	ch_pg_args_clear(&a);
	ch_pg_arg_i32(&a, s->stream);
	ch_pg_arg_i64(&a, s->next);
	ch_pg_arg_i64(&a, s->end);
	ch_pg_arg_i64(&a, s->limit);
	int rc = ch_pg_query(h->session->pg, &log_page, &a, &s->page, err);
	if (rc != 0)
		return rc;
	int n = PQntuples(s->page);
	bool last = n < s->limit;
	if (!last) {
		int64_t seq = 0;
		(void)ch_pg_get_i64(s->page, n - 1, COL_LOG_SEQ, &seq);
		s->next = seq + 1;
	} else {
		s->next = s->end;
	}
	h->passed += s->next - before;
	choose_limit(s);
	if (n == 0)
		return 0;
	s->over = is_after(h, s);
	return !s->over;
}

int
history_cut(struct history *h, int64_t *rows, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = ch_pg_query(h->session->pg, &cut, NULL, &res, err);

	*rows = 0;
	h->passed = 0;
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct history_stream *s = find_stream(h, ch_pg_next_i32(&r));
		struct ch_view topic = ch_pg_next_text(&r);
		s->part = ch_pg_next_i32(&r);
		s->end = ch_pg_next_i64(&r);
		if (s->topic == NULL)
			s->topic = ch_xviewdup(topic);
		if (!ch_pg_row_ok(&r, err))
			rc = err->code;
		if (!s->over && s->end > s->next)
			*rows += s->end - s->next;
	}
	PQclear(res);
	h->heap_count = 0;
	for (size_t i = 0; rc == 0 && i < h->count; i++) {
		rc = fill(h, h->streams[i], err);
		if (rc == 1)
			h->heap[h->heap_count++] = h->streams[i];
		rc = rc > 0 ? 0 : rc;
	}
	for (size_t i = h->heap_count; i-- > 0;)
		sift_down(h, i);
	return rc;
}

/* ---- batches ---- */

static struct ch_view
keep(struct history *h, struct ch_view v)
{
	return v.ptr != NULL ? ch_arena_view(&h->arena, v) : v;
}

static int
take_row(struct history *h, struct history_stream *s, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(s->page, s->row);
	struct history_row *row;
	bool none = false;

	if (h->row_count == h->row_cap) {
		h->row_cap = h->row_cap > 0 ? h->row_cap * 2 : 256;
		h->rows = ch_xrealloc(h->rows, h->row_cap, sizeof(*h->rows));
	}
	row = &h->rows[h->row_count++];
	row->from = s;
	row->log_seq = ch_pg_next_i64(&r);
	row->batch = ch_pg_next_i64(&r);
	row->pos = ch_pg_next_i32(&r);
	row->timer = ch_pg_next_bool(&r);
	row->src_offset = ch_pg_next_i64_null(&r, &none);
	row->decided_at = ch_pg_next_time(&r);
	row->org_id = ch_pg_next_i32(&r);
	row->id = ch_pg_next_uuid(&r);
	row->type = keep(h, ch_pg_next_text(&r));
	row->status = keep(h, ch_pg_next_text(&r));
	row->hash = keep(h, ch_pg_next_bytea(&r));
	row->record_key = keep(h, ch_pg_next_bytea_null(&r));
	row->command = keep(h, ch_pg_next_bytea(&r));
	row->result = keep(h, ch_pg_next_text(&r));
	row->changes = keep(h, ch_pg_next_text_null(&r));
	s->row++;
	return ch_pg_row_ok(&r, err) ? 0 : err->code;
}

/* Takes the top's row and puts the stream where it belongs now. */
static int
advance(struct history *h, struct ch_err *err)
{
	struct history_stream *s = h->heap[0];
	int rc = take_row(h, s, err);

	if (rc == 0)
		rc = fill(h, s, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		h->heap[0] = h->heap[--h->heap_count];
	sift_down(h, 0);
	return 0;
}

int
history_next(struct history *h, struct ch_err *err)
{
	int64_t batch;
	int rc = 0;

	h->row_count = 0;
	ch_arena_reset(&h->arena, KEEP_BYTES);
	if (h->heap_count == 0)
		return 0;
	batch = value_at(h->heap[0], COL_BATCH);
	while (rc == 0 && h->heap_count > 0 &&
		value_at(h->heap[0], COL_BATCH) == batch)
		rc = advance(h, err);
	return rc == 0 ? 1 : rc;
}
