/* SPDX-License-Identifier: Apache-2.0 */
/*
 * column: one column's value, from PostgreSQL's binary format into the text
 * that Kafka Connect's converters make of it.
 *
 *	text	as StringConverter and SimpleHeaderConverter write it
 *	JSON	as JsonConverter without schemas writes it
 *
 * Only types whose text is byte for byte what Debezium sends are known; every
 * other type is COLUMN_OTHER, and who needs it refuses the column.
 *
 * Failure: a value of a wrong size, CH_EPROTO. Thread: any. Pure.
 */
#ifndef RELAY_COLUMN_H
#define RELAY_COLUMN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum column_kind {
	COLUMN_OTHER,
	COLUMN_TEXT, /* text, varchar, char(n), json */
	COLUMN_JSONB,
	COLUMN_UUID,
	COLUMN_BOOL,
	COLUMN_INT, /* int2, int4, int8 */
	COLUMN_BYTES,
	/* moments, from here on */
	COLUMN_DATE,	     /* days since 1970 */
	COLUMN_TIMESTAMP,    /* microseconds since 1970 */
	COLUMN_TIMESTAMP_MS, /* of up to three digits: milliseconds */
	COLUMN_TIMESTAMPTZ_0,
	/* one more for each digit of its seconds */
	COLUMN_TIMESTAMPTZ = COLUMN_TIMESTAMPTZ_0 + 6
};

#define COLUMN_INT4_OID 23
/* For refusals. */
#define COLUMN_TYPES                                                           \
	"text, varchar, char, json, jsonb, uuid, boolean, smallint, integer, " \
	"bigint, bytea, date, timestamp, timestamptz, enums, citext and "      \
	"domains over them"

/* A column that is used. */
struct column {
	char *name;
	const char *param; /* that named it */
	int at;		   /* in a row; -1: the table has none */
	uint32_t type;
	enum column_kind kind;
};

/* modifier as in pg_attribute: -1 for a type without one. */
enum column_kind column_kind_of(uint32_t oid, int32_t modifier);
/* Could its text be JSON? */
bool column_is_json(uint32_t oid);

/* value.ptr is not NULL. Bytes become base64 in both. */
int column_add_text(struct ch_buf *out, enum column_kind kind,
	struct ch_view value, struct ch_err *err);
int column_add_json(struct ch_buf *out, enum column_kind kind,
	struct ch_view value, struct ch_err *err);
/* Nothing but characters up to U+0020, as Java's trim() sees it. */
bool column_is_blank(enum column_kind kind, struct ch_view value);

#endif
