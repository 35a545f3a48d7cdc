/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_io: moving bytes and collecting answers, bounded in time.
 *
 * Invariant: reading and writing are interleaved (a server that cannot write
 * stops reading, so waiting for one direction only can hang both), and answers
 * are taken out of libpq as soon as they are complete.
 * Failure: a connection that broke or passed its deadline is closed here, at
 * once; its state is not known and nobody may go on with it.
 */
#include "pg_private.h"

#include <errno.h>
#include <poll.h>

#include "base/mem.h"

struct ch_mono
ch_pg_deadline(const struct ch_pg *pg)
{
	struct ch_mono t = ch_clock_mono(&ch_clock_real);

	t.ns += (int64_t)pg->call_timeout_ms * 1000000;
	return t;
}

/* ---- failures ---- */

static void
copy_field(char *dst, size_t size, const PGresult *res, int code)
{
	const char *s = PQresultErrorField(res, code);
	struct ch_view v = ch_view_of(s);

	if (v.len >= size)
		v.len = size - 1;
	(void)ch_view_copy(v, dst, size);
}

/* A plan that a migration made stale: it must be prepared anew. */
static bool
plan_is_stale(const PGresult *res, const char *sqlstate)
{
	const char *f = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);

	if (strcmp(sqlstate, "26000") == 0)
		return true;
	return strcmp(sqlstate, "0A000") == 0 && f != NULL &&
		strcmp(f, "RevalidateCachedQuery") == 0;
}

int
ch_pg_result_failure(const PGresult *res, struct ch_pg_failure *out,
	struct ch_err *err)
{
	const char *severity, *text, *detail;
	int code;

	memset(out, 0, sizeof(*out));
	copy_field(out->sqlstate, sizeof(out->sqlstate), res, PG_DIAG_SQLSTATE);
	copy_field(out->constraint, sizeof(out->constraint), res,
		PG_DIAG_CONSTRAINT_NAME);
	copy_field(out->table, sizeof(out->table), res, PG_DIAG_TABLE_NAME);
	copy_field(out->hint, sizeof(out->hint), res, PG_DIAG_MESSAGE_HINT);
	severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	out->session_ended = severity == NULL ||
		strcmp(severity, "FATAL") == 0 ||
		strcmp(severity, "PANIC") == 0 || out->sqlstate[0] == '\0' ||
		plan_is_stale(res, out->sqlstate);
	out->class = ch_pg_class_of(out->sqlstate, out->constraint[0] != '\0');
	if (plan_is_stale(res, out->sqlstate))
		out->class = CH_PG_RETRY;

	text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	if (text == NULL)
		text = PQresultErrorMessage(res);
	code = out->session_ended ? CH_EIO : CH_ESQL;
	ch_err_set(err, (enum ch_code)code, "%s%s%s%s%s%s", text,
		detail != NULL ? ": " : "", detail != NULL ? detail : "",
		out->constraint[0] != '\0' ? " [constraint " : "",
		out->constraint, out->constraint[0] != '\0' ? "]" : "");
	if (err != NULL && code == CH_ESQL)
		memcpy(err->sqlstate, out->sqlstate, sizeof(err->sqlstate));
	return code;
}

int
ch_pg_fail_connection(struct ch_pg *pg, const char *doing, struct ch_err *err)
{
	struct ch_view why = {"", 0};

	if (pg->conn != NULL)
		why = ch_view_trim(ch_view_of(PQerrorMessage(pg->conn)));
	ch_err_set(err, CH_EIO, "%s: %.*s", doing,
		CH_VIEW_ARG(why.len > 0 ? why : CH_VIEW("connection lost")));
	memset(&pg->failure, 0, sizeof(pg->failure));
	pg->failure.class = CH_PG_RETRY;
	pg->failure.session_ended = true;
	ch_pg_disconnect(pg);
	return CH_EIO;
}

int
ch_pg_fail_result(struct ch_pg *pg, const PGresult *res, struct ch_err *err)
{
	int rc = ch_pg_result_failure(res, &pg->failure, err);

	if (rc == CH_EIO)
		ch_pg_disconnect(pg);
	return rc;
}

static int
fail_timeout(struct ch_pg *pg, struct ch_err *err)
{
	ch_err_set(err, CH_ETIMEOUT,
		"PostgreSQL did not answer within %d ms; connection closed",
		pg->call_timeout_ms);
	memset(&pg->failure, 0, sizeof(pg->failure));
	pg->failure.class = CH_PG_RETRY;
	pg->failure.session_ended = true;
	ch_pg_disconnect(pg);
	return CH_ETIMEOUT;
}

int
ch_pg_need_idle(struct ch_pg *pg, struct ch_err *err)
{
	if (pg->conn == NULL) {
		memset(&pg->failure, 0, sizeof(pg->failure));
		pg->failure.class = CH_PG_RETRY;
		pg->failure.session_ended = true;
		return ch_err_set(err, CH_ECLOSED,
			"not connected to PostgreSQL");
	}
	if (pg->ask.kind != PG_ASK_NONE)
		return ch_err_set(err, CH_EINVAL,
			"a request is under way on this connection");
	return 0;
}

/* ---- the request under way ---- */

void
ch_pg_ask_begin(struct ch_pg *pg, enum pg_ask_kind kind)
{
	pg->ask.kind = kind;
	pg->ask.synced = kind == PG_ASK_SINGLE;
	pg->ask.deadline = ch_pg_deadline(pg);
}

void
ch_pg_ask_synced(struct ch_pg *pg)
{
	pg->ask.synced = true;
	pg->ask.deadline = ch_pg_deadline(pg);
}

void
ch_pg_ask_drop(struct ch_pg *pg)
{
	struct pg_ask *a = &pg->ask;
	struct pg_entry *entries = a->entries;
	PGresult **results = a->results;
	size_t cap = a->entry_cap;

	ch_pg_results_clear(a->results, a->result_count);
	PQclear(a->result);
	PQclear(a->error);
	memset(a, 0, sizeof(*a));
	a->entries = entries; /* the memory serves the next pipeline */
	a->results = results;
	a->entry_cap = cap;
}

static bool
is_error(const PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
	case PGRES_PIPELINE_SYNC:
	case PGRES_NONFATAL_ERROR:
		return false;
	case PGRES_BAD_RESPONSE:
	case PGRES_FATAL_ERROR:
	case PGRES_PIPELINE_ABORTED:
	default:
		return true;
	}
}

/* Keeps the first error, else the last result. */
static void
collect_single(struct pg_ask *a, PGresult *res)
{
	ExecStatusType status;

	if (res == NULL) {
		a->done = true;
		return;
	}
	if (a->result != NULL && is_error(a->result)) {
		PQclear(res);
		return;
	}
	PQclear(a->result);
	a->result = res;
	/* In COPY the connection waits for us: libpq repeats this result. */
	status = PQresultStatus(res);
	if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		status == PGRES_COPY_BOTH)
		a->done = true;
}

static void
collect_pipeline(struct ch_pg *pg, PGresult *res)
{
	struct pg_ask *a = &pg->ask;
	struct pg_entry *e;
	bool bad;

	if (res == NULL) /* ends one entry's results */
		return;
	if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		a->done = true;
		return;
	}
	if (a->answered == a->entry_count) { /* an entry with two results */
		PQclear(res);
		return;
	}
	e = &a->entries[a->answered++];
	bad = is_error(res);
	if (bad && e->prepare)
		(void)ch_map_del(pg->prepared, ch_view_of(e->stmt->name));
	if (bad && a->error == NULL) {
		a->error = res;
		a->failed_at = a->result_count;
		res = NULL;
	}
	if (bad || e->prepare) {
		PQclear(res);
		res = NULL;
	}
	if (!e->prepare)
		a->results[a->result_count++] = res;
}

/* Takes complete answers out of libpq. */
static void
collect(struct ch_pg *pg)
{
	struct pg_ask *a = &pg->ask;

	while (a->kind != PG_ASK_NONE && !a->done && a->synced &&
		!PQisBusy(pg->conn)) {
		PGresult *res = PQgetResult(pg->conn);

		if (a->kind == PG_ASK_SINGLE)
			collect_single(a, res);
		else
			collect_pipeline(pg, res);
		if (PQstatus(pg->conn) == CONNECTION_BAD)
			return;
	}
}

/* The connection is bad: by the error that the server sent last, if any. */
static int
fail_broken(struct ch_pg *pg, struct ch_err *err)
{
	struct pg_ask *a = &pg->ask;
	PGresult *res = a->error != NULL ? a->error : a->result;
	int rc;

	if (res == NULL || !is_error(res) ||
		PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL)
		return ch_pg_fail_connection(pg, "PostgreSQL", err);
	rc = ch_pg_result_failure(res, &pg->failure, err);
	if (rc == CH_ESQL && err != NULL) {
		err->code = CH_EIO;
		err->sqlstate[0] = '\0';
	}
	pg->failure.session_ended = true;
	ch_pg_disconnect(pg);
	return CH_EIO;
}

int
ch_pg_pump(struct ch_pg *pg, struct ch_err *err)
{
	bool read_ok, write_ok;

	read_ok = PQconsumeInput(pg->conn) == 1;
	write_ok = PQflush(pg->conn) >= 0;
	collect(pg);
	if (!read_ok || !write_ok || PQstatus(pg->conn) == CONNECTION_BAD) {
		/* An answer that came whole before the end counts. */
		if (pg->ask.kind == PG_ASK_SINGLE && pg->ask.done &&
			pg->ask.result != NULL && !is_error(pg->ask.result))
			return 0;
		return fail_broken(pg, err);
	}
	return 0;
}

int
ch_pg_poll(struct ch_pg *pg, short events, struct ch_mono deadline,
	struct ch_err *err)
{
	struct pollfd p = {.fd = PQsocket(pg->conn), .events = events};
	int64_t left;
	int n;

	if (p.fd < 0)
		return ch_pg_fail_connection(pg, "PostgreSQL", err);
	left = (deadline.ns - ch_clock_mono(&ch_clock_real).ns) / 1000000;
	if (left <= 0)
		return fail_timeout(pg, err);
	n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
	if (n < 0 && errno != EINTR)
		return ch_pg_fail_connection(pg, "poll", err);
	return 0; /* the caller looks again, also after EINTR */
}

int
ch_pg_wait(struct ch_pg *pg, struct ch_err *err)
{
	int rc;

	for (;;) {
		rc = ch_pg_pump(pg, err);
		if (rc != 0 || pg->ask.done)
			return rc;
		rc = ch_pg_poll(pg, ch_pg_poll_events(pg), pg->ask.deadline,
			err);
		if (rc != 0)
			return rc;
	}
}

int
ch_pg_flush(struct ch_pg *pg, struct ch_err *err)
{
	struct ch_mono deadline = ch_pg_deadline(pg);
	int rc;

	while ((rc = PQflush(pg->conn)) == 1) {
		rc = ch_pg_poll(pg, POLLIN | POLLOUT, deadline, err);
		if (rc != 0)
			return rc;
		if (PQconsumeInput(pg->conn) != 1)
			return ch_pg_fail_connection(pg, "PostgreSQL", err);
	}
	if (rc < 0)
		return ch_pg_fail_connection(pg, "PostgreSQL", err);
	return 0;
}

int
ch_pg_take_result(struct ch_pg *pg, PGresult **out, struct ch_err *err)
{
	PGresult *res = pg->ask.result;
	int rc = 0;

	pg->ask.result = NULL;
	ch_pg_ask_drop(pg);
	if (res == NULL)
		return ch_pg_fail_connection(pg, "no answer", err);
	if (is_error(res)) {
		rc = ch_pg_fail_result(pg, res, err);
		PQclear(res);
		return rc;
	}
	if (out != NULL)
		*out = res;
	else
		PQclear(res);
	return 0;
}

/* ---- the public half for loops ---- */

int
ch_pg_fd(const struct ch_pg *pg)
{
	return pg->conn != NULL ? PQsocket(pg->conn) : -1;
}

bool
ch_pg_is_local(const struct ch_pg *pg)
{
	const char *host = pg->conn != NULL ? PQhost(pg->conn) : NULL;

	return host != NULL && (host[0] == '/' || host[0] == '@');
}

short
ch_pg_poll_events(const struct ch_pg *pg)
{
	if (pg->conn != NULL && PQflush(pg->conn) == 1)
		return POLLIN | POLLOUT;
	return POLLIN;
}

int
ch_pg_ready(struct ch_pg *pg, struct ch_err *err)
{
	int rc;

	if (pg->conn == NULL)
		return ch_err_set(err, CH_ECLOSED,
			"not connected to PostgreSQL");
	if (pg->ask.kind == PG_ASK_NONE)
		return ch_err_set(err, CH_EINVAL, "nothing was asked");
	rc = ch_pg_pump(pg, err);
	if (rc != 0)
		return rc;
	if (pg->ask.done)
		return 1;
	return ch_clock_mono(&ch_clock_real).ns < pg->ask.deadline.ns
		? 0
		: fail_timeout(pg, err);
}

void
ch_pg_more_time(struct ch_pg *pg)
{
	pg->ask.deadline = ch_pg_deadline(pg);
}
