/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_value: see the header. Invariant: each function appends one whole value,
 * length word included, so that rows and arrays are only counts around them.
 */
#include "pg_value.h"

#include <assert.h>

#define NULL_LENGTH UINT32_MAX /* -1 on the wire */

static void
put_length(struct ch_buf *b, size_t n)
{
	assert(n <= INT32_MAX);
	ch_buf_add_be32(b, (uint32_t)n);
}

void
ch_pg_put_null(struct ch_buf *b)
{
	ch_buf_add_be32(b, NULL_LENGTH);
}

void
ch_pg_put_bool(struct ch_buf *b, bool v)
{
	put_length(b, 1);
	ch_buf_addc(b, v ? 1 : 0);
}

void
ch_pg_put_i16(struct ch_buf *b, int16_t v)
{
	put_length(b, 2);
	ch_buf_add_be16(b, (uint16_t)v);
}

void
ch_pg_put_i32(struct ch_buf *b, int32_t v)
{
	put_length(b, 4);
	ch_buf_add_be32(b, (uint32_t)v);
}

void
ch_pg_put_i64(struct ch_buf *b, int64_t v)
{
	put_length(b, 8);
	ch_buf_add_be64(b, (uint64_t)v);
}

void
ch_pg_put_text(struct ch_buf *b, struct ch_view v)
{
	put_length(b, v.len);
	ch_buf_addv(b, v);
}

void
ch_pg_put_bytea(struct ch_buf *b, struct ch_view v)
{
	ch_pg_put_text(b, v);
}

void
ch_pg_put_jsonb(struct ch_buf *b, struct ch_view json)
{
	put_length(b, json.len + 1);
	ch_buf_addc(b, 1); /* jsonb's wire version */
	ch_buf_addv(b, json);
}

void
ch_pg_put_uuid(struct ch_buf *b, const struct ch_uuid *u)
{
	put_length(b, sizeof(u->bytes));
	ch_buf_add(b, u->bytes, sizeof(u->bytes));
}

void
ch_pg_put_time(struct ch_buf *b, struct ch_time t)
{
	ch_pg_put_i64(b, ch_time_to_pg(t));
}

void
ch_pg_put_tid(struct ch_buf *b, uint64_t tid)
{
	put_length(b, 6);
	ch_buf_add_be32(b, (uint32_t)(tid >> 16));
	ch_buf_add_be16(b, (uint16_t)tid);
}

void
ch_pg_put_day(struct ch_buf *b, int64_t day)
{
	ch_pg_put_i32(b, (int32_t)(day - CH_DAYS_1970_TO_2000));
}

void
ch_pg_put_raw(struct ch_buf *b, struct ch_view v)
{
	ch_pg_put_text(b, v);
}
