/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_copy_out: the rows of COPY (...) TO STDOUT, one after another.
 *
 * Memory: one row. The call's deadline counts from row to row, not over all of
 * them. Failure: the codes of pg.h, or what `take` returned; then the rest is
 * cancelled and the connection closed, since nobody reads it.
 *
 * Thread: as its connection.
 */
#ifndef CH_IO_PG_COPY_OUT_H
#define CH_IO_PG_COPY_OUT_H

#include "pg.h"

struct ch_pg_copy_sink {
	/* One row as the server sent it (in text formats with its line's end; a
	 * header is a row too). 0, or a code with err set: stops. */
	int (*take)(void *ctx, struct ch_view row, struct ch_err *err);
	void *ctx;
};

/* *rows: as the server counted them, without a header. */
int ch_pg_copy_out(struct ch_pg *pg, const char *sql,
	const struct ch_pg_copy_sink *sink, int64_t *rows, struct ch_err *err);

#endif
