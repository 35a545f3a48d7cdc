/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_value: PostgreSQL's binary values, appended to a buffer.
 *
 * Each call writes what COPY (FORMAT binary) and binary arrays both want for
 * one value: int32 length, then the bytes; NULL is length -1. Also the type
 * OIDs that we speak.
 *
 * Thread: any; the buffer belongs to its caller. Pure.
 */
#ifndef CH_IO_PG_VALUE_H
#define CH_IO_PG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/uuid.h"

enum ch_pg_oid {
	CH_PG_BOOL = 16,
	CH_PG_BYTEA = 17,
	CH_PG_NAME = 19,
	CH_PG_INT8 = 20,
	CH_PG_INT2 = 21,
	CH_PG_INT4 = 23,
	CH_PG_TEXT = 25,
	CH_PG_OIDTYPE = 26,
	CH_PG_TID = 27,
	CH_PG_JSON = 114,
	CH_PG_VARCHAR = 1043,
	CH_PG_DATE = 1082,
	CH_PG_TIMESTAMPTZ = 1184,
	CH_PG_UUID = 2950,
	CH_PG_LSN = 3220,
	CH_PG_JSONB = 3802,
	CH_PG_XID8 = 5069,
	CH_PG_BOOL_ARRAY = 1000,
	CH_PG_BYTEA_ARRAY = 1001,
	CH_PG_INT2_ARRAY = 1005,
	CH_PG_INT4_ARRAY = 1007,
	CH_PG_TEXT_ARRAY = 1009,
	CH_PG_TID_ARRAY = 1010,
	CH_PG_INT8_ARRAY = 1016,
	CH_PG_DATE_ARRAY = 1182,
	CH_PG_TIMESTAMPTZ_ARRAY = 1185,
	CH_PG_UUID_ARRAY = 2951,
};

void ch_pg_put_null(struct ch_buf *b);
void ch_pg_put_bool(struct ch_buf *b, bool v);
void ch_pg_put_i16(struct ch_buf *b, int16_t v);
void ch_pg_put_i32(struct ch_buf *b, int32_t v);
void ch_pg_put_i64(struct ch_buf *b, int64_t v);
/* text, varchar, name, json, enum labels: the bytes as they are. The caller
 * has seen to UTF-8 without NUL. */
void ch_pg_put_text(struct ch_buf *b, struct ch_view v);
void ch_pg_put_bytea(struct ch_buf *b, struct ch_view v);
void ch_pg_put_jsonb(struct ch_buf *b, struct ch_view json);
void ch_pg_put_uuid(struct ch_buf *b, const struct ch_uuid *u);
void ch_pg_put_time(struct ch_buf *b, struct ch_time t); /* timestamptz */
/* tid: block << 16 | line; never 0, since lines count from 1 */
void ch_pg_put_tid(struct ch_buf *b, uint64_t tid);
void ch_pg_put_day(struct ch_buf *b, int64_t day); /* date; days since 1970 */
/* Bytes that are a binary value already (a finished array). */
void ch_pg_put_raw(struct ch_buf *b, struct ch_view v);

#endif
