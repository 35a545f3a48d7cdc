/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_rows: see the header. libpq's single-row mode.
 */
#include "pg_rows.h"

#include "pg_private.h"

/* true: the answer is at its end, which is kept. */
static bool
take_row(struct ch_pg *pg, struct ch_pg_row_sink *sink, bool *taking)
{
	PGresult *res = PQgetResult(pg->conn);

	if (res == NULL)
		return true;
	if (PQresultStatus(res) != PGRES_SINGLE_TUPLE) {
		PQclear(pg->ask.result);
		pg->ask.result = res;
		return false;
	}
	sink->found++;
	*taking = *taking && sink->take(sink->ctx, res);
	PQclear(res);
	return false;
}

static int
take_rows(struct ch_pg *pg, struct ch_pg_row_sink *sink, struct ch_err *err)
{
	bool taking = true;
	int rc;

	for (;;) {
		while (!PQisBusy(pg->conn))
			if (take_row(pg, sink, &taking))
				return CH_OK;
		rc = ch_pg_poll(pg, ch_pg_poll_events(pg), ch_pg_deadline(pg),
			err);
		if (rc == CH_OK)
			rc = ch_pg_pump(pg, err);
		if (rc != CH_OK)
			return rc;
	}
}

int
ch_pg_rows(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_pg_row_sink *sink,
	struct ch_err *err)
{
	int rc;

	sink->found = 0;
	sink->end = NULL;
	rc = ch_pg_send_rows(pg, stmt, args, err);
	if (rc == CH_OK)
		rc = take_rows(pg, sink, err);
	return rc == CH_OK ? ch_pg_take_result(pg, &sink->end, err) : rc;
}
