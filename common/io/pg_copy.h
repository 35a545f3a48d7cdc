/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_copy: rows into a table by COPY (FORMAT binary).
 *
 *	struct ch_pg_copy c;
 *	rc = ch_pg_copy_begin(&c, pg, "COPY t (a, b) FROM STDIN "
 *		"(FORMAT binary)", 2, err);
 *	ch_pg_copy_row(&c);
 *	ch_pg_copy_i64(&c, 1);
 *	ch_pg_copy_text(&c, name);	... for every row
 *	rc = ch_pg_copy_end(&c, &rows, err);	(always, also after errors)
 *
 * Invariants: every row has the number of columns said at begin (else assert:
 * our bug); COPY checks the types against the table's, no conversion: an int8
 * column takes i64 and nothing else. Memory is bounded: what exceeds 64 KiB is
 * sent while rows are added.
 * Failure: the first error is kept; further rows are dropped; end reports it,
 * with the codes of pg.h. COPY cannot run in a pipeline.
 *
 * Thread: as its connection.
 */
#ifndef CH_IO_PG_COPY_H
#define CH_IO_PG_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "pg.h"

struct ch_pg_copy {
	struct ch_pg *pg;
	struct ch_buf buf;
	int columns;
	int column; /* values put in the open row; -1 = no row is open */
	int64_t rows;
	bool failed;
	struct ch_err first; /* the first error */
};

int ch_pg_copy_begin(struct ch_pg_copy *c, struct ch_pg *pg, const char *sql,
	int columns, struct ch_err *err);
void ch_pg_copy_row(struct ch_pg_copy *c); /* opens the next row */
void ch_pg_copy_null(struct ch_pg_copy *c);
void ch_pg_copy_bool(struct ch_pg_copy *c, bool v);
void ch_pg_copy_i16(struct ch_pg_copy *c, int16_t v);
void ch_pg_copy_i32(struct ch_pg_copy *c, int32_t v);
void ch_pg_copy_i64(struct ch_pg_copy *c, int64_t v);
void ch_pg_copy_text(struct ch_pg_copy *c,
	struct ch_view v); /* ptr NULL: NULL */
void ch_pg_copy_bytea(struct ch_pg_copy *c, struct ch_view v); /* same */
void ch_pg_copy_jsonb(struct ch_pg_copy *c, struct ch_view v); /* same */
void ch_pg_copy_uuid(struct ch_pg_copy *c, const struct ch_uuid *u);
void ch_pg_copy_time(struct ch_pg_copy *c, struct ch_time t);
void ch_pg_copy_day(struct ch_pg_copy *c, int64_t day);
void ch_pg_copy_array(struct ch_pg_copy *c, struct ch_pg_array *v);
/* Sends the rest, reads the answer, frees the buffer. rows may be NULL. */
int ch_pg_copy_end(struct ch_pg_copy *c, int64_t *rows, struct ch_err *err);
/* The same for a stream of bytes in the statement's own format (CSV), as
 * COPY (...) TO wrote it: begin, bytes in pieces of any size, end. */
int ch_pg_copy_begin_bytes(struct ch_pg_copy *c, struct ch_pg *pg,
	const char *sql, struct ch_err *err);
void ch_pg_copy_bytes(struct ch_pg_copy *c, struct ch_view bytes);
int ch_pg_copy_end_bytes(struct ch_pg_copy *c, int64_t *rows,
	struct ch_err *err);
/* Gives up: the server drops the rows (57014) and the transaction fails. */
void ch_pg_copy_abandon(struct ch_pg_copy *c, const char *why);

#endif
