/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_args: the binary arguments of one statement (declared in pg.h). Small
 * values are kept in the struct itself, which is therefore never copied.
 */
#include "pg.h"

#include <assert.h>
#include <string.h>

static int
next_slot(struct ch_pg_args *a, enum ch_pg_oid oid)
{
	assert(a->count < CH_PG_ARGS_MAX);
	a->types[a->count] = (Oid)oid;
	a->values[a->count] = NULL;
	a->lengths[a->count] = 0;
	return a->count++;
}

static void
put_be(struct ch_pg_args *a, enum ch_pg_oid oid, uint64_t v, int bytes)
{
	int slot = next_slot(a, oid);
	uint8_t *p = a->store[slot];
	int i;

	for (i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	a->values[slot] = (const char *)p;
	a->lengths[slot] = bytes;
}

static void
put_view(struct ch_pg_args *a, enum ch_pg_oid oid, struct ch_view v)
{
	int slot = next_slot(a, oid);

	assert(v.len <= INT32_MAX);
	a->values[slot] = v.ptr;
	a->lengths[slot] = (int)v.len;
}

void
ch_pg_args_clear(struct ch_pg_args *a)
{
	a->count = 0;
}

void
ch_pg_arg_null(struct ch_pg_args *a, enum ch_pg_oid oid)
{
	(void)next_slot(a, oid);
}

void
ch_pg_arg_bool(struct ch_pg_args *a, bool v)
{
	put_be(a, CH_PG_BOOL, v ? 1 : 0, 1);
}

void
ch_pg_arg_i16(struct ch_pg_args *a, int16_t v)
{
	put_be(a, CH_PG_INT2, (uint16_t)v, 2);
}

void
ch_pg_arg_i32(struct ch_pg_args *a, int32_t v)
{
	put_be(a, CH_PG_INT4, (uint32_t)v, 4);
}

void
ch_pg_arg_i64(struct ch_pg_args *a, int64_t v)
{
	put_be(a, CH_PG_INT8, (uint64_t)v, 8);
}

void
ch_pg_arg_text(struct ch_pg_args *a, struct ch_view v)
{
	put_view(a, CH_PG_TEXT, v);
}

void
ch_pg_arg_str(struct ch_pg_args *a, const char *s)
{
	put_view(a, CH_PG_TEXT, ch_view_of(s));
}

void
ch_pg_arg_bytea(struct ch_pg_args *a, struct ch_view v)
{
	put_view(a, CH_PG_BYTEA, v);
}

void
ch_pg_arg_uuid(struct ch_pg_args *a, const struct ch_uuid *u)
{
	int slot = next_slot(a, CH_PG_UUID);

	memcpy(a->store[slot], u->bytes, sizeof(u->bytes));
	a->values[slot] = (const char *)a->store[slot];
	a->lengths[slot] = (int)sizeof(u->bytes);
}

void
ch_pg_arg_time(struct ch_pg_args *a, struct ch_time t)
{
	put_be(a, CH_PG_TIMESTAMPTZ, (uint64_t)ch_time_to_pg(t), 8);
}

void
ch_pg_arg_day(struct ch_pg_args *a, int64_t day)
{
	put_be(a, CH_PG_DATE, (uint32_t)(day - CH_DAYS_1970_TO_2000), 4);
}

void
ch_pg_arg_lsn(struct ch_pg_args *a, uint64_t lsn)
{
	put_be(a, CH_PG_LSN, lsn, 8);
}

void
ch_pg_arg_array(struct ch_pg_args *a, struct ch_pg_array *v)
{
	put_view(a, v->oid, ch_pg_array_view(v));
}
