/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_result: typed reading of binary results (declared in pg.h). Nothing from
 * the server is trusted: type, format, length and range are checked, and a
 * mismatch is `false`, not an assert.
 */
#include "pg.h"

#include <inttypes.h>
#include <stdlib.h>

/* The bytes of a value that is there, is binary, and is not NULL. */
static bool
get_bytes(const PGresult *res, int row, int col, struct ch_view *out)
{
	if (row < 0 || row >= PQntuples(res) || col < 0 ||
		col >= PQnfields(res))
		return false;
	if (PQfformat(res, col) != 1 || PQgetisnull(res, row, col))
		return false;
	out->ptr = PQgetvalue(res, row, col);
	out->len = (size_t)PQgetlength(res, row, col);
	return true;
}

static bool
get_typed(const PGresult *res, int row, int col, enum ch_pg_oid oid, size_t len,
	struct ch_view *out)
{
	struct ch_view v;

	if (!get_bytes(res, row, col, &v) || PQftype(res, col) != (Oid)oid ||
		v.len != len)
		return false;
	*out = v;
	return true;
}

bool
ch_pg_is_null(const PGresult *res, int row, int col)
{
	return row >= 0 && row < PQntuples(res) && col >= 0 &&
		col < PQnfields(res) && PQgetisnull(res, row, col);
}

struct ch_view
ch_pg_value(const PGresult *res, int row, int col)
{
	if (PQgetisnull(res, row, col))
		return (struct ch_view){NULL, 0};
	return (struct ch_view){
		PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col)};
}

bool
ch_pg_get_i64(const PGresult *res, int row, int col, int64_t *out)
{
	struct ch_view v;

	if (!get_bytes(res, row, col, &v))
		return false;
	switch (PQftype(res, col)) {
	case CH_PG_INT2:
		if (v.len != 2)
			return false;
		*out = (int16_t)ch_be16(v.ptr);
		return true;
	case CH_PG_INT4:
		if (v.len != 4)
			return false;
		*out = (int32_t)ch_be32(v.ptr);
		return true;
	case CH_PG_OIDTYPE:
		if (v.len != 4)
			return false;
		*out = ch_be32(v.ptr);
		return true;
	case CH_PG_INT8:
	case CH_PG_XID8:
		if (v.len != 8)
			return false;
		*out = (int64_t)ch_be64(v.ptr);
		return true;
	default:
		return false;
	}
}

bool
ch_pg_get_i32(const PGresult *res, int row, int col, int32_t *out)
{
	int64_t wide;

	if (!ch_pg_get_i64(res, row, col, &wide) || wide < INT32_MIN ||
		wide > INT32_MAX)
		return false;
	*out = (int32_t)wide;
	return true;
}

bool
ch_pg_get_bool(const PGresult *res, int row, int col, bool *out)
{
	struct ch_view v;

	if (!get_typed(res, row, col, CH_PG_BOOL, 1, &v))
		return false;
	*out = v.ptr[0] != 0;
	return true;
}

bool
ch_pg_get_text(const PGresult *res, int row, int col, struct ch_view *out)
{
	struct ch_view v;

	if (!get_bytes(res, row, col, &v))
		return false;
	switch (PQftype(res, col)) {
	case CH_PG_BOOL:
	case CH_PG_BYTEA:
	case CH_PG_INT2:
	case CH_PG_INT4:
	case CH_PG_INT8:
	case CH_PG_OIDTYPE:
	case CH_PG_DATE:
	case CH_PG_TIMESTAMPTZ:
	case CH_PG_UUID:
	case CH_PG_LSN:
	case CH_PG_XID8:
		return false;
	case CH_PG_JSONB:
		if (v.len < 1 || v.ptr[0] != 1)
			return false;
		v.ptr++;
		v.len--;
		break;
	default: /* enums and domains have OIDs of their own */
		break;
	}
	*out = v;
	return true;
}

bool
ch_pg_get_bytea(const PGresult *res, int row, int col, struct ch_view *out)
{
	struct ch_view v;

	if (!get_bytes(res, row, col, &v) || PQftype(res, col) != CH_PG_BYTEA)
		return false;
	*out = v;
	return true;
}

bool
ch_pg_get_uuid(const PGresult *res, int row, int col, struct ch_uuid *out)
{
	struct ch_view v;

	if (!get_typed(res, row, col, CH_PG_UUID, sizeof(out->bytes), &v))
		return false;
	memcpy(out->bytes, v.ptr, sizeof(out->bytes));
	return true;
}

bool
ch_pg_get_time(const PGresult *res, int row, int col, struct ch_time *out)
{
	struct ch_view v;
	int64_t us;

	if (!get_typed(res, row, col, CH_PG_TIMESTAMPTZ, 8, &v))
		return false;
	us = (int64_t)ch_be64(v.ptr);
	if (us == INT64_MAX || us == INT64_MIN) /* infinity */
		return false;
	*out = ch_time_from_pg(us);
	return true;
}

struct ch_time
ch_pg_get_past(const PGresult *res, int row, int col, struct ch_time now)
{
	struct ch_time at;

	return ch_pg_get_time(res, row, col, &at) && at.us < now.us ? at : now;
}

bool
ch_pg_get_day(const PGresult *res, int row, int col, int64_t *out)
{
	struct ch_view v;
	int32_t day;

	if (!get_typed(res, row, col, CH_PG_DATE, 4, &v))
		return false;
	day = (int32_t)ch_be32(v.ptr);
	if (day == INT32_MAX || day == INT32_MIN) /* infinity */
		return false;
	*out = (int64_t)day + CH_DAYS_1970_TO_2000;
	return true;
}

bool
ch_pg_get_lsn(const PGresult *res, int row, int col, uint64_t *out)
{
	struct ch_view v;

	if (!get_typed(res, row, col, CH_PG_LSN, 8, &v))
		return false;
	*out = ch_be64(v.ptr);
	return true;
}

bool
ch_pg_get_tid(const PGresult *res, int row, int col, uint64_t *out)
{
	struct ch_view v;

	if (!get_typed(res, row, col, CH_PG_TID, 6, &v))
		return false;
	*out = (uint64_t)ch_be32(v.ptr) << 16 |
		(uint64_t)(uint8_t)v.ptr[4] << 8 | (uint8_t)v.ptr[5];
	return true;
}

bool
ch_pg_get_array(const PGresult *res, int row, int col,
	struct ch_pg_array_reader *out)
{
	struct ch_view v;

	return get_bytes(res, row, col, &v) && ch_pg_array_open(out, v) == 0;
}

int64_t
ch_pg_affected(const PGresult *res)
{
	/* PQcmdTuples lacks a const; it does not change the result. */
	const char *s = PQcmdTuples((PGresult *)(uintptr_t)res);
	int64_t n;

	return ch_view_int(ch_view_of(s), 0, INT64_MAX, &n) == 0 ? n : 0;
}

struct ch_pg_row
ch_pg_row(const PGresult *res, int row)
{
	return (struct ch_pg_row){res, row, 0, 0};
}

bool
ch_pg_row_ok(const struct ch_pg_row *r, struct ch_err *err)
{
	const char *name;

	if (r->bad == 0)
		return true;
	name = PQfname(r->res, r->bad - 1);
	ch_err_set(err, CH_EPROTO,
		"result column %d (%s), row %d: NULL or not of the type that "
		"the program expects; is the schema of this version?",
		r->bad, name != NULL ? name : "missing", r->row);
	return false;
}

/* Notes a bad column; moves on. */
static void
step(struct ch_pg_row *r, bool good)
{
	if (!good && r->bad == 0)
		r->bad = r->col + 1;
	r->col++;
}

bool
ch_pg_next_is_null(struct ch_pg_row *r)
{
	if (!ch_pg_is_null(r->res, r->row, r->col))
		return false;
	r->col++;
	return true;
}

int64_t
ch_pg_next_i64(struct ch_pg_row *r)
{
	int64_t v = 0;

	step(r, ch_pg_get_i64(r->res, r->row, r->col, &v));
	return v;
}

int32_t
ch_pg_next_i32(struct ch_pg_row *r)
{
	int32_t v = 0;

	step(r, ch_pg_get_i32(r->res, r->row, r->col, &v));
	return v;
}

bool
ch_pg_next_bool(struct ch_pg_row *r)
{
	bool v = false;

	step(r, ch_pg_get_bool(r->res, r->row, r->col, &v));
	return v;
}

struct ch_view
ch_pg_next_text(struct ch_pg_row *r)
{
	struct ch_view v = {"", 0};

	step(r, ch_pg_get_text(r->res, r->row, r->col, &v));
	return v;
}

struct ch_view
ch_pg_next_bytea(struct ch_pg_row *r)
{
	struct ch_view v = {"", 0};

	step(r, ch_pg_get_bytea(r->res, r->row, r->col, &v));
	return v;
}

struct ch_uuid
ch_pg_next_uuid(struct ch_pg_row *r)
{
	struct ch_uuid v = {{0}};

	step(r, ch_pg_get_uuid(r->res, r->row, r->col, &v));
	return v;
}

struct ch_time
ch_pg_next_time(struct ch_pg_row *r)
{
	struct ch_time v = {0};

	step(r, ch_pg_get_time(r->res, r->row, r->col, &v));
	return v;
}

int64_t
ch_pg_next_day(struct ch_pg_row *r)
{
	int64_t v = 0;

	step(r, ch_pg_get_day(r->res, r->row, r->col, &v));
	return v;
}

uint64_t
ch_pg_next_lsn(struct ch_pg_row *r)
{
	uint64_t v = 0;

	step(r, ch_pg_get_lsn(r->res, r->row, r->col, &v));
	return v;
}

uint64_t
ch_pg_next_tid(struct ch_pg_row *r)
{
	uint64_t v = 0;

	step(r, ch_pg_get_tid(r->res, r->row, r->col, &v));
	return v;
}

int64_t
ch_pg_next_i64_null(struct ch_pg_row *r, bool *null)
{
	*null = ch_pg_next_is_null(r);
	return *null ? 0 : ch_pg_next_i64(r);
}

struct ch_view
ch_pg_next_text_null(struct ch_pg_row *r)
{
	if (ch_pg_next_is_null(r))
		return (struct ch_view){NULL, 0};
	return ch_pg_next_text(r);
}

struct ch_view
ch_pg_next_bytea_null(struct ch_pg_row *r)
{
	if (ch_pg_next_is_null(r))
		return (struct ch_view){NULL, 0};
	return ch_pg_next_bytea(r);
}

struct ch_time
ch_pg_next_time_null(struct ch_pg_row *r, bool *null)
{
	*null = ch_pg_next_is_null(r);
	return *null ? (struct ch_time){0} : ch_pg_next_time(r);
}
