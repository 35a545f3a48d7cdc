/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_array: one-dimensional binary arrays, for unnest($1::int8[], ...).
 *
 *	struct ch_pg_array ids;
 *	ch_pg_array_init(&ids, CH_PG_INT8_ARRAY);
 *	ch_pg_array_i64(&ids, 42);
 *	ch_pg_arg_array(&args, &ids);	(ids must live until sent)
 *	ch_pg_array_clear(&ids);	(keeps the memory for the next batch)
 *
 * Adding a value of another type than the array's is our bug: assert.
 *
 * Thread: any; an array belongs to one thread. Pure.
 */
#ifndef CH_IO_PG_ARRAY_H
#define CH_IO_PG_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pg_value.h"

struct ch_pg_array {
	struct ch_buf buf;
	enum ch_pg_oid oid; /* of the array type */
	int32_t count;
	bool nulls;
};

void ch_pg_array_init(struct ch_pg_array *a, enum ch_pg_oid array_oid);
void ch_pg_array_clear(struct ch_pg_array *a);
void ch_pg_array_free(struct ch_pg_array *a);

void ch_pg_array_null(struct ch_pg_array *a);
void ch_pg_array_bool(struct ch_pg_array *a, bool v);
void ch_pg_array_i16(struct ch_pg_array *a, int16_t v);
void ch_pg_array_i32(struct ch_pg_array *a, int32_t v);
void ch_pg_array_i64(struct ch_pg_array *a, int64_t v);
void ch_pg_array_text(struct ch_pg_array *a, struct ch_view v);
void ch_pg_array_bytea(struct ch_pg_array *a, struct ch_view v);
void ch_pg_array_uuid(struct ch_pg_array *a, const struct ch_uuid *u);
void ch_pg_array_time(struct ch_pg_array *a, struct ch_time t);
void ch_pg_array_day(struct ch_pg_array *a, int64_t day);
void ch_pg_array_tid(struct ch_pg_array *a, uint64_t tid); /* 0: null */

/* The finished bytes; valid until the next change. */
struct ch_view ch_pg_array_view(struct ch_pg_array *a);

/* Reading an array that PostgreSQL sent: one dimension, or empty. */
struct ch_pg_array_reader {
	struct ch_view rest;
	int32_t left;	  /* elements not read yet */
	uint32_t element; /* OID of the element type */
};
/* CH_EPROTO when the bytes are no such array. */
int ch_pg_array_open(struct ch_pg_array_reader *r, struct ch_view bytes);
/* The next element's bytes; false at the end or when the bytes are broken
 * (then left stays > 0). ptr NULL = null. */
bool ch_pg_array_next(struct ch_pg_array_reader *r, struct ch_view *value);

#endif
