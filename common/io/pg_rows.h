/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_rows: the rows of a query one after another.
 *
 * Why: libpq holds an answer whole, and nobody knows how large rows are before
 * they are there. Who takes them one at a time stops at so many bytes.
 *
 * Memory: one row. The call's deadline counts from row to row, not over all of
 * them. Failure: the codes of pg.h; rows may have been taken before it.
 *
 * Thread: as its connection.
 */
#ifndef CH_IO_PG_ROWS_H
#define CH_IO_PG_ROWS_H

#include "pg.h"

struct ch_pg_row_sink {
	/* Row 0 of res, which ends with the call. false: the rest is passed
	 * over (it comes all the same: ask for as many as may be needed). */
	bool (*take)(void *ctx, const PGresult *res);
	void *ctx;
	/* set by ch_pg_rows(): */
	int64_t found; /* rows of the answer, those passed over too */
	PGresult *end; /* no row, but the columns: PQclear(); NULL on failure */
};

int ch_pg_rows(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_pg_row_sink *sink,
	struct ch_err *err);

#endif
