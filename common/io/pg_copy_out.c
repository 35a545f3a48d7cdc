/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_copy_out: see the header.
 */
#include "pg_copy_out.h"

#include <poll.h>

#include "pg_private.h"

static int
begin(struct ch_pg *pg, const char *sql, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = ch_pg_need_idle(pg, err);

	if (rc == 0 && !PQsendQuery(pg->conn, sql))
		rc = ch_pg_fail_connection(pg, "COPY", err);
	if (rc == 0) {
		ch_pg_ask_begin(pg, PG_ASK_SINGLE);
		rc = ch_pg_wait(pg, err);
	}
	if (rc == 0)
		rc = ch_pg_take_result(pg, &res, err);
	if (rc == 0 && PQresultStatus(res) != PGRES_COPY_OUT)
		rc = ch_err_set(err, CH_EINVAL, "not a COPY ... TO STDOUT: %s",
			sql);
	PQclear(res);
	return rc;
}

/* Waits until libpq may have another row. */
static int
wait_for_row(struct ch_pg *pg, struct ch_mono deadline, struct ch_err *err)
{
	int rc = ch_pg_poll(pg, POLLIN, deadline, err);

	if (rc == 0 && PQconsumeInput(pg->conn) != 1)
		rc = ch_pg_fail_connection(pg, "COPY", err);
	return rc;
}

static int
give_up(struct ch_pg *pg, int rc)
{
	(void)ch_pg_cancel(pg, NULL);
	ch_pg_disconnect(pg);
	return rc;
}

static int
read_rows(struct ch_pg *pg, const struct ch_pg_copy_sink *sink,
	struct ch_err *err)
{
	struct ch_mono deadline = ch_pg_deadline(pg);

	for (;;) {
		char *row = NULL;
		int n = PQgetCopyData(pg->conn, &row, 1);
		int rc = 0;

		if (n == -1) /* all rows, or an error: the result tells */
			return 0;
		if (n == -2)
			return ch_pg_fail_connection(pg, "COPY", err);
		if (n == 0) {
			rc = wait_for_row(pg, deadline, err);
			if (rc != 0)
				return rc;
			continue;
		}
		rc = sink->take(sink->ctx, (struct ch_view){row, (size_t)n},
			err);
		PQfreemem(row);
		if (rc != 0)
			return give_up(pg, rc);
		deadline = ch_pg_deadline(pg);
	}
}

int
ch_pg_copy_out(struct ch_pg *pg, const char *sql,
	const struct ch_pg_copy_sink *sink, int64_t *rows, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = begin(pg, sql, err);

	if (rc == 0)
		rc = read_rows(pg, sink, err);
	if (rc != 0)
		return rc;
	ch_pg_ask_begin(pg, PG_ASK_SINGLE);
	rc = ch_pg_wait(pg, err);
	if (rc == 0)
		rc = ch_pg_take_result(pg, &res, err);
	if (rc == 0)
		*rows = ch_pg_affected(res);
	PQclear(res);
	return rc;
}
