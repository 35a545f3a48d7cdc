/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_copy: see the header. The stream is PostgreSQL's: an 11-byte signature,
 * two zero words, then for each row the number of columns and the values, and
 * a final -1.
 */
#include "pg_copy.h"

#include <assert.h>
#include <poll.h>

#include "pg_private.h"

#define CHUNK 65536

static const char signature[] = "PGCOPY\n\377\r\n";

/* Keeps the first error, drops everything after it. */
static void
give_up(struct ch_pg_copy *c)
{
	c->failed = true;
	ch_buf_clear(&c->buf);
}

/* Hands the buffer to libpq, waiting for the socket. */
static void
send_chunk(struct ch_pg_copy *c)
{
	struct ch_pg *pg = c->pg;
	struct ch_mono deadline;
	int rc;

	if (c->failed || c->buf.len == 0)
		return;
	if (pg->conn == NULL) {
		(void)ch_pg_need_idle(pg, &c->first);
		give_up(c);
		return;
	}
	deadline = ch_pg_deadline(pg);
	while ((rc = PQputCopyData(pg->conn, c->buf.ptr, (int)c->buf.len)) ==
		0) {
		rc = ch_pg_poll(pg, POLLIN | POLLOUT, deadline, &c->first);
		if (rc != 0) {
			give_up(c);
			return;
		}
		if (PQconsumeInput(pg->conn) != 1 || PQflush(pg->conn) < 0) {
			rc = -1;
			break;
		}
	}
	if (rc < 0) {
		(void)ch_pg_fail_connection(pg, "COPY", &c->first);
		give_up(c);
	} else if (ch_pg_flush(pg, &c->first) != 0) {
		give_up(c);
	}
	ch_buf_clear(&c->buf);
}

static int
begin(struct ch_pg_copy *c, struct ch_pg *pg, const char *sql, int columns,
	struct ch_err *err)
{
	PGresult *res;
	int rc;

	*c = (struct ch_pg_copy){.pg = pg,
		.buf = CH_BUF_INIT,
		.columns = columns,
		.column = -1,
		.rows = 0,
		.failed = false,
		.first = CH_ERR_INIT};
	rc = ch_pg_need_idle(pg, err);
	if (rc == 0 && !PQsendQuery(pg->conn, sql))
		rc = ch_pg_fail_connection(pg, "COPY", err);
	if (rc == 0) {
		ch_pg_ask_begin(pg, PG_ASK_SINGLE);
		rc = ch_pg_wait(pg, err);
	}
	if (rc == 0)
		rc = ch_pg_take_result(pg, &res, err);
	if (rc == 0) {
		if (PQresultStatus(res) != PGRES_COPY_IN)
			rc = ch_err_set(err, CH_EINVAL,
				"not a COPY ... FROM STDIN: %s", sql);
		PQclear(res);
	}
	if (rc != 0) {
		c->failed = true;
		c->first.code = (enum ch_code)rc;
		if (err != NULL)
			c->first = *err;
		return rc;
	}
	return 0;
}

int
ch_pg_copy_begin(struct ch_pg_copy *c, struct ch_pg *pg, const char *sql,
	int columns, struct ch_err *err)
{
	int rc;

	assert(columns > 0 && columns <= INT16_MAX);
	rc = begin(c, pg, sql, columns, err);
	if (rc != 0)
		return rc;
	ch_buf_add(&c->buf, signature, sizeof(signature)); /* with its NUL */
	ch_buf_add_be32(&c->buf, 0);
	ch_buf_add_be32(&c->buf, 0);
	return 0;
}

void
ch_pg_copy_row(struct ch_pg_copy *c)
{
	assert(c->column == -1 || c->column == c->columns);
	if (c->buf.len >= CHUNK)
		send_chunk(c);
	if (c->failed)
		ch_buf_clear(&c->buf);
	ch_buf_add_be16(&c->buf, (uint16_t)c->columns);
	c->column = 0;
	c->rows++;
}

static struct ch_buf *
next_value(struct ch_pg_copy *c)
{
	assert(c->column >= 0 && c->column < c->columns);
	c->column++;
	return &c->buf;
}

void
ch_pg_copy_null(struct ch_pg_copy *c)
{
	ch_pg_put_null(next_value(c));
}

void
ch_pg_copy_bool(struct ch_pg_copy *c, bool v)
{
	ch_pg_put_bool(next_value(c), v);
}

void
ch_pg_copy_i16(struct ch_pg_copy *c, int16_t v)
{
	ch_pg_put_i16(next_value(c), v);
}

void
ch_pg_copy_i32(struct ch_pg_copy *c, int32_t v)
{
	ch_pg_put_i32(next_value(c), v);
}

void
ch_pg_copy_i64(struct ch_pg_copy *c, int64_t v)
{
	ch_pg_put_i64(next_value(c), v);
}

void
ch_pg_copy_text(struct ch_pg_copy *c, struct ch_view v)
{
	if (v.ptr == NULL)
		ch_pg_put_null(next_value(c));
	else
		ch_pg_put_text(next_value(c), v);
}

void
ch_pg_copy_bytea(struct ch_pg_copy *c, struct ch_view v)
{
	ch_pg_copy_text(c, v);
}

void
ch_pg_copy_jsonb(struct ch_pg_copy *c, struct ch_view v)
{
	if (v.ptr == NULL)
		ch_pg_put_null(next_value(c));
	else
		ch_pg_put_jsonb(next_value(c), v);
}

void
ch_pg_copy_uuid(struct ch_pg_copy *c, const struct ch_uuid *u)
{
	ch_pg_put_uuid(next_value(c), u);
}

void
ch_pg_copy_time(struct ch_pg_copy *c, struct ch_time t)
{
	ch_pg_put_time(next_value(c), t);
}

void
ch_pg_copy_day(struct ch_pg_copy *c, int64_t day)
{
	ch_pg_put_day(next_value(c), day);
}

void
ch_pg_copy_array(struct ch_pg_copy *c, struct ch_pg_array *v)
{
	ch_pg_put_raw(next_value(c), ch_pg_array_view(v));
}

/* Ends the stream (why NULL: rows are wanted) and reads the answer. */
static int
finish(struct ch_pg_copy *c, const char *why, PGresult **res,
	struct ch_err *err)
{
	struct ch_pg *pg = c->pg;
	struct ch_mono deadline = ch_pg_deadline(pg);
	int rc;

	while ((rc = PQputCopyEnd(pg->conn, why)) == 0) {
		rc = ch_pg_poll(pg, POLLIN | POLLOUT, deadline, err);
		if (rc != 0)
			return rc;
		if (PQconsumeInput(pg->conn) != 1 || PQflush(pg->conn) < 0)
			return ch_pg_fail_connection(pg, "COPY", err);
	}
	if (rc < 0)
		return ch_pg_fail_connection(pg, "COPY", err);
	ch_pg_ask_begin(pg, PG_ASK_SINGLE);
	rc = ch_pg_wait(pg, err);
	return rc != 0 ? rc : ch_pg_take_result(pg, res, err);
}

/* Sends the rest, reads the answer, frees the buffer. */
static int
end(struct ch_pg_copy *c, int64_t *rows, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc;

	send_chunk(c);
	ch_buf_free(&c->buf);
	if (c->failed) {
		if (err != NULL)
			*err = c->first;
		return c->first.code;
	}
	rc = finish(c, NULL, &res, err);
	if (rc == 0 && rows != NULL)
		*rows = ch_pg_affected(res);
	PQclear(res);
	return rc;
}

int
ch_pg_copy_end(struct ch_pg_copy *c, int64_t *rows, struct ch_err *err)
{
	assert(c->column == -1 || c->column == c->columns);
	if (!c->failed)
		ch_buf_add_be16(&c->buf, UINT16_MAX);
	return end(c, rows, err);
}

int
ch_pg_copy_begin_bytes(struct ch_pg_copy *c, struct ch_pg *pg, const char *sql,
	struct ch_err *err)
{
	return begin(c, pg, sql, 0, err);
}

void
ch_pg_copy_bytes(struct ch_pg_copy *c, struct ch_view bytes)
{
	if (!c->failed)
		ch_buf_addv(&c->buf, bytes);
	if (c->buf.len >= CHUNK)
		send_chunk(c);
}

int
ch_pg_copy_end_bytes(struct ch_pg_copy *c, int64_t *rows, struct ch_err *err)
{
	return end(c, rows, err);
}

void
ch_pg_copy_abandon(struct ch_pg_copy *c, const char *why)
{
	struct ch_err ignored = CH_ERR_INIT;

	ch_buf_free(&c->buf);
	if (!c->failed && c->pg->conn != NULL)
		(void)finish(c, why, NULL, &ignored);
	c->failed = true;
}
