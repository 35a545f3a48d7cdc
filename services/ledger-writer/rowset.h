/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rowset: rows for one table, in the cheaper of two ways.
 *
 * Many rows go by COPY, which costs two round trips and the least work a row;
 * few go as arrays through unnest, in the script that is sent anyhow. Whoever
 * fills a rowset does not see which.
 *
 *	rowset_begin(&rs, session, script, &table, count);
 *	for each row: rowset_row(&rs); rowset_i64(&rs, x); ...
 *	rc = rowset_end(&rs, err);
 *
 * Thread: loop only.
 */
#ifndef LEDGER_ROWSET_H
#define LEDGER_ROWSET_H

#include "io/pg_copy.h"
#include "batch.h"
#include "session.h"

#define ROWSET_COLUMNS_MAX 20
#define ROWSET_COPY_FROM 48 /* rows; fewer go as arrays */

struct rowset_table {
	const char *copy;	  /* COPY ... FROM STDIN (FORMAT binary) */
	struct ch_pg_stmt insert; /* INSERT ... SELECT FROM unnest($1, ...) */
	int columns;
	enum ch_pg_oid arrays[ROWSET_COLUMNS_MAX]; /* types of the arrays */
	bool copy_only; /* a column that unnest cannot carry (arrays) */
};

struct rowset {
	const struct rowset_table *table;
	struct script *script;
	bool copying;
	struct ch_pg_copy copy;
	struct ch_pg_array arrays[ROWSET_COLUMNS_MAX];
	int column;
	int rc; /* of begin */
};

/* Statements queued in the script so far are run first when COPY is used. */
void rowset_begin(struct rowset *rs, struct script *sc,
	const struct rowset_table *table, size_t count, struct ch_err *err);
void rowset_row(struct rowset *rs);
void rowset_null(struct rowset *rs);
void rowset_i16(struct rowset *rs, int16_t v);
void rowset_i32(struct rowset *rs, int32_t v);
void rowset_i64(struct rowset *rs, int64_t v);
void rowset_bool(struct rowset *rs, bool v);
void rowset_text(struct rowset *rs, struct ch_view v);	/* ptr NULL: NULL */
void rowset_str(struct rowset *rs, const char *s);	/* NULL: NULL */
void rowset_bytea(struct rowset *rs, struct ch_view v); /* ptr NULL: NULL */
void rowset_uuid(struct rowset *rs, const struct ch_uuid *v);
void rowset_time(struct rowset *rs, struct ch_time v);
void rowset_day(struct rowset *rs, int64_t v);
/* One array column; by COPY only. */
void rowset_i64s(struct rowset *rs, const int64_t *v, size_t n);
/* Two columns, names and values; by COPY only. */
void rowset_headers(struct rowset *rs, const struct batch_header *headers,
	size_t n);
/* Sends (COPY) or queues (arrays). err as begin may have left it. */
int rowset_end(struct rowset *rs, struct ch_err *err);

#endif
