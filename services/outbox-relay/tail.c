/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail: a walsender as a source of commits.
 *
 * A connection:	connect (walsender.h) -> START_REPLICATION -> frames until
 *			it ends
 *
 * A row is taken from its frame at once: pgoutput.h reads the message,
 * relations.h says whose row it is, event.h or contract.h pack it, inflight.h
 * keeps it. What was delivered before (floors, the delivered snapshot) is passed
 * over. A frame that is not as it must be ends the stream, and so the position
 * stays before it.
 */
#include "tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/pg.h"
#include "marks.h"
#include "pgoutput.h"
#include "relations.h"
#include "silence.h"
#include "snapshot.h"

#define STATUS_MOVED_MS 100
#define STATUS_IDLE_MS 5000
#define STATUS_UNREAD_MS 1000 /* the server may have asked, unread */
/* libpq reads 16 KiB at a time: after so many of them the socket may have
 * more, after fewer it is empty. */
#define SOCKET_FULL ((size_t)8192)

struct tail {
	struct tail_options opt;
	struct walsender *walsender;
	bool streaming;
	bool asked; /* the server wants a status now */
	uint64_t told, read_lsn;
	uint64_t limit; /* 0: none */
	bool at_limit;
	bool learned;		/* the application's table, not asked for yet */
	struct ch_mono told_at; /* 0: not yet */
	struct silence silence;
	struct relations relations;
	struct marks floors; /* rows of the log up to there are passed over */
	struct snapshot delivered;
	bool seen;		     /* the transaction that is read is in it */
	struct ch_time committed_at; /* of it */
	uint32_t xid, rows;	     /* of it */
	struct pgoutput_message message; /* large: kept off the stack */
	struct tail_counts counts;
};

struct tail *
tail_new(const struct tail_options *opt, struct ch_err *err)
{
	struct tail *t = ch_xcalloc(1, sizeof(*t));

	t->opt = *opt;
	relations_init(&t->relations, opt->walsender.schema, opt->contract);
	t->walsender = walsender_new(&opt->walsender, err);
	if (t->walsender == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
tail_free(struct tail *t)
{
	if (t == NULL)
		return;
	relations_free(&t->relations);
	walsender_free(t->walsender);
	marks_free(&t->floors);
	snapshot_free(&t->delivered);
	free(t);
}

void
tail_disconnect(struct tail *t)
{
	t->streaming = false;
	t->asked = false;
	relations_forget(&t->relations);
	walsender_disconnect(t->walsender);
}

int
tail_connect(struct tail *t, struct walsender_identity *out, struct ch_err *err)
{
	tail_disconnect(t);
	return walsender_connect(t->walsender, out, err);
}

struct walsender *
tail_walsender(struct tail *t)
{
	return t->walsender;
}

static PGconn *
connection(const struct tail *t)
{
	return ch_pg_raw(walsender_pg(t->walsender));
}

static int
broken(struct tail *t, struct ch_err *err)
{
	PGconn *conn = connection(t);

	ch_err_set(err, CH_EIO, "replication stream: %s",
		conn != NULL ? PQerrorMessage(conn) : "not connected");
	tail_disconnect(t);
	return CH_EIO;
}

/* ---- the stream begins and ends ---- */

void
tail_pass(struct tail *t, int32_t stream, int64_t seq)
{
	marks_raise(&t->floors, (struct mark){stream, seq});
}

int
tail_start(struct tail *t, uint64_t lsn, struct inflight *f,
	const char *snapshot, struct ch_err *err)
{
	char sql[512];
	PGresult *res;
	int rc;

	(void)snprintf(sql, sizeof(sql),
		"START_REPLICATION SLOT %s LOGICAL "
		"%" PRIX32 "/%" PRIX32 " (proto_version '1', "
		"publication_names '%s', binary 'true')",
		t->opt.walsender.slot, (uint32_t)(lsn >> 32), (uint32_t)lsn,
		t->opt.publication);
	rc = walsender_command(t->walsender, sql, WALSENDER_COMMAND_MS, &res,
		err);
	PQclear(res);
	if (rc == CH_ESQL && err != NULL &&
		ch_view_eq_str(ch_view_of(err->sqlstate), "55006"))
		return err->code = CH_EEXIST;
	if (rc != CH_OK)
		return ch_err_wrap(err, "start slot %s", t->opt.walsender.slot);
	marks_clear(&t->floors);
	marks_raise_all(&t->floors, inflight_marks(f));
	snapshot_read(&t->delivered, snapshot);
	inflight_abandon(f);
	t->streaming = true;
	t->asked = false;
	/* not lsn: rows before it may still be in flight, and what is told
	 * here PostgreSQL never sends again */
	t->told = 0;
	t->limit = 0;
	t->at_limit = t->learned = false;
	t->told_at = (struct ch_mono){0};
	t->read_lsn = lsn;
	return CH_OK;
}

void
tail_stop(struct tail *t)
{
	if (t->streaming && PQputCopyEnd(connection(t), NULL) == 1)
		(void)PQflush(connection(t));
	tail_disconnect(t);
}

/* ---- the stream ---- */

static bool
is_repeated(const struct tail *t, const struct event *e)
{
	if (e->source == EVENT_OUTBOX || e->source == EVENT_APPLICATION)
		return t->seen;
	return marks_cover(&t->floors, (struct mark){e->stream, e->order});
}

static void
add_row(struct tail *t, struct inflight *f, struct event *e)
{
	if (is_repeated(t, e)) {
		t->counts.repeated++;
		event_free(e);
		return;
	}
	inflight_add(f, e);
	t->counts.events++;
}

static struct event *
application_event(struct tail *t, const struct pgoutput_message *m,
	struct ch_err *err)
{
	const struct contract_origin from = {
		(int64_t)t->counts.events, t->committed_at, t->xid, t->rows++};
	struct ch_view fields[PGOUTPUT_COLUMNS_MAX];
	int i;

	for (i = 0; i < m->count; i++)
		fields[i] = m->values[i].bytes;
	return contract_event(t->opt.contract, fields, &from, err);
}

static struct event *
ledger_event(const struct relation *r, const struct pgoutput_message *m,
	struct ch_err *err)
{
	struct ch_view fields[EVENT_FIELDS_MAX] = {{NULL, 0}};
	int i;

	for (i = 0; i < m->count; i++)
		if (r->place[i] >= 0)
			fields[r->place[i]] = m->values[i].bytes;
	return event_new(r->source, fields, err);
}

static int
take_row(struct tail *t, struct inflight *f, const struct pgoutput_message *m,
	struct ch_err *err)
{
	const struct relation *r = relations_find(&t->relations, m->relation);
	struct event *e;

	if (r != NULL && r->rows == RELATION_PASSED)
		return CH_OK;
	if (r == NULL || r->rows == RELATION_REFUSED || !inflight_is_reading(f))
		return ch_err_set(err, CH_EPROTO,
			"a row of table %s, which "
			"is not one of ours: publish the four tables with "
			"publish_via_partition_root",
			r != NULL ? r->name : "(never named)");
	if (m->count != r->columns)
		return ch_err_set(err, CH_EPROTO,
			"a row of %s with %d columns instead of %d", r->name,
			m->count, r->columns);
	e = r->rows == RELATION_APPLICATION ? application_event(t, m, err)
					    : ledger_event(r, m, err);
	if (e == NULL)
		return err != NULL ? (int)err->code : CH_EPROTO;
	add_row(t, f, e);
	return CH_OK;
}

/* An outbox is written once: an update is a mistake of the application. */
static int
take_update(struct tail *t, const struct relation *r, struct ch_err *err)
{
	if (r == NULL || r->rows != RELATION_APPLICATION)
		return CH_OK;
	t->counts.updates++;
	t->counts.updated_by = t->xid;
	if (t->opt.update != TAIL_UPDATE_FATAL)
		return CH_OK;
	return ch_err_set(err, CH_EINVAL,
		"transaction %" PRIu32 " updates a row of %s, and "
		"outbox_on_update is fatal: mend the application, set "
		"outbox_on_update = error, start again",
		t->xid, r->name);
}

/* Commits come in order. */
static bool
is_behind_limit(struct tail *t, const struct inflight *f, uint64_t lsn)
{
	t->at_limit |=
		t->limit != 0 && lsn >= t->limit && !inflight_is_reading(f);
	return t->at_limit;
}

static int
take_begin(struct tail *t, struct inflight *f, const struct pgoutput_message *m,
	struct ch_err *err)
{
	if (inflight_is_reading(f))
		return ch_err_set(err, CH_EPROTO,
			"a transaction inside of another");
	if (is_behind_limit(t, f, m->lsn))
		return CH_OK;
	inflight_begin(f, m->committed_at);
	t->seen = snapshot_sees(&t->delivered, m->xid);
	t->committed_at = m->committed_at;
	t->xid = m->xid;
	t->rows = 0;
	return CH_OK;
}

static int
learn(struct tail *t, const struct pgoutput_message *m, struct ch_err *err)
{
	const struct relation *r;
	int rc = relations_learn(&t->relations, m, err);

	r = relations_find(&t->relations, m->relation);
	t->learned |= r != NULL && r->rows == RELATION_APPLICATION;
	return rc;
}

static int
take_message(struct tail *t, struct inflight *f, struct ch_view body,
	struct ch_err *err)
{
	struct pgoutput_message *m = &t->message;
	int rc = pgoutput_read(body, m, err);

	if (rc != CH_OK)
		return rc;
	switch (m->kind) {
	case PGOUTPUT_BEGIN:
		return take_begin(t, f, m, err);
	case PGOUTPUT_COMMIT:
		if (!inflight_is_reading(f))
			return ch_err_set(err, CH_EPROTO,
				"a commit without a beginning");
		inflight_end(f, m->end_lsn, NULL);
		t->read_lsn = m->end_lsn;
		t->counts.commits++;
		CH_FAILPOINT("relay.after_read");
		return CH_OK;
	case PGOUTPUT_RELATION:
		return learn(t, m, err);
	case PGOUTPUT_INSERT:
		return take_row(t, f, m, err);
	case PGOUTPUT_UPDATE:
		return take_update(t,
			relations_find(&t->relations, m->relation), err);
	case PGOUTPUT_OTHER:
		return CH_OK;
	}
	return CH_OK;
}

static int
take_frame(struct tail *t, struct inflight *f, struct ch_view bytes,
	struct ch_err *err)
{
	struct pgoutput_frame frame;
	int rc = pgoutput_frame_read(bytes, &frame, err);

	if (rc != CH_OK)
		return rc;
	t->counts.frames++;
	t->counts.bytes += bytes.len;
	if (frame.kind == PGOUTPUT_XLOG_DATA)
		return take_message(t, f, frame.body, err);
	t->counts.keepalives++;
	t->asked |= frame.reply;
	if (is_behind_limit(t, f, frame.end))
		return CH_OK;
	inflight_position_at(f, frame.end);
	return CH_OK;
}

/* The WAL is read with the catalogs of then: where rows were written while there
 * was no publication, no publication of now helps. Not healed by itself: the slot
 * may have rows behind that are in no table any more. */
static void
explain_missing(const struct tail *t, const struct ch_pg_failure *failure,
	struct ch_err *err)
{
	char text[CH_ERR_TEXT_MAX];

	if (strcmp(failure->sqlstate, "42704") != 0) /* undefined_object */
		return;
	ch_view_copy(ch_view_of(err->text), text, sizeof(text));
	ch_err_set(err, (enum ch_code)err->code,
		"%.200s; if it does, it was dropped and made anew, and the slot "
		"cannot pass what was written between: SELECT "
		"pg_drop_replication_slot('%s'), and the tables are read",
		text, t->opt.walsender.slot);
}

/* What ended the stream, as an error. */
static int
ended(struct tail *t, struct ch_err *err)
{
	PGresult *res = PQgetResult(connection(t));
	struct ch_pg_failure failure;

	if (res != NULL && PQresultStatus(res) == PGRES_FATAL_ERROR) {
		ch_pg_result_failure(res, &failure, err);
		explain_missing(t, &failure, err);
		ch_err_wrap(err, "replication stream");
	} else {
		ch_err_set(err, CH_EIO, "the replication stream ended");
	}
	PQclear(res);
	tail_disconnect(t);
	return CH_EIO;
}

int
tail_read(struct tail *t, struct inflight *f, size_t max_bytes,
	struct ch_err *err)
{
	PGconn *conn = connection(t);
	size_t taken = 0, drawn = SIZE_MAX; /* of what libpq read last */
	char *bytes = NULL;
	int n, rc;

	if (conn == NULL || !t->streaming)
		return ch_err_set(err, CH_ECLOSED, "no replication stream");
	while (taken < max_bytes && !t->at_limit && !t->learned) {
		n = PQgetCopyData(conn, &bytes, 1);
		if (n == 0 && drawn < SOCKET_FULL) {
			silence_read_dry(&t->silence);
			return 0;
		}
		if (n == 0 && !PQconsumeInput(conn))
			return broken(t, err);
		if (n == 0) {
			drawn = 0;
			continue;
		}
		if (n < 0)
			return ended(t, err);
		rc = take_frame(t, f, (struct ch_view){bytes, (size_t)n}, err);
		PQfreemem(bytes);
		taken += (size_t)n;
		drawn += drawn < SOCKET_FULL ? (size_t)n : 0;
		if (rc != CH_OK) {
			tail_disconnect(t);
			return rc;
		}
	}
	return !t->at_limit;
}

bool
tail_learned(struct tail *t, uint32_t *xid)
{
	bool learned = t->learned;

	t->learned = false;
	*xid = t->xid;
	return learned;
}

static int
left_as_silent(struct tail *t, int64_t silent_ms, struct ch_err *err)
{
	tail_disconnect(t);
	return ch_err_set(err, CH_ETIMEOUT,
		"heard nothing from the walsender for %" PRId64 " s",
		silent_ms / 1000);
}

int
tail_status(struct tail *t, uint64_t flushed, struct ch_mono now,
	struct ch_time wall, bool force, struct ch_err *err)
{
	uint8_t bytes[PGOUTPUT_STATUS_LEN];
	PGconn *conn = connection(t);
	int64_t ago = ch_mono_ms_since(now, t->told_at), silent;
	int64_t idle = t->silence.dry ? STATUS_IDLE_MS : STATUS_UNREAD_MS;
	int rc;

	if (conn == NULL || !t->streaming)
		return CH_OK;
	if (flushed < t->told)
		flushed = t->told;
	if (!force && !t->asked && ago < idle &&
		(flushed == t->told || ago < STATUS_MOVED_MS))
		return CH_OK;
	silent = silence_ms(&t->silence, t->counts.frames, t->told_at.ns == 0,
		now);
	if (silence_gives_up(&t->silence, silent, t->counts.commits))
		return left_as_silent(t, silent, err);
	pgoutput_status_write(bytes, flushed, wall, silent > 0);
	rc = PQputCopyData(conn, (const char *)bytes, sizeof(bytes));
	if (rc == 0)
		return CH_OK; /* libpq's buffer is full: next turn */
	if (rc < 0 || PQflush(conn) < 0)
		return broken(t, err);
	t->told = flushed;
	t->told_at = now;
	t->asked = false;
	return CH_OK;
}

void
tail_limit(struct tail *t, uint64_t lsn)
{
	t->limit = lsn;
}

bool
tail_is_at_limit(const struct tail *t)
{
	return t->at_limit;
}

uint64_t
tail_read_lsn(const struct tail *t)
{
	return t->read_lsn;
}

bool
tail_is_local(const struct tail *t)
{
	return ch_pg_is_local(walsender_pg(t->walsender));
}

int
tail_fd(const struct tail *t)
{
	return ch_pg_fd(walsender_pg(t->walsender));
}

const struct tail_counts *
tail_counts(const struct tail *t)
{
	return &t->counts;
}
