/* SPDX-License-Identifier: Apache-2.0 */
/*
 * column: one switch over the kinds, and JSON strings as Jackson writes them.
 *
 * Why an own writer of strings: base's escapes as little as it must; Jackson
 * has capital hex digits and writes what lies beyond U+FFFF as two escaped
 * surrogates. "infinity" has no number that a reader would understand, so it
 * stays a word.
 */
#include "column.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"

#define CYCLE_US (146097 * CH_US_PER_DAY) /* 400 years */

enum column_kind
column_kind_of(uint32_t oid, int32_t modifier)
{
	switch (oid) {
	case 25:   /* text */
	case 114:  /* json */
	case 1042: /* bpchar */
	case 1043: /* varchar */
		return COLUMN_TEXT;
	case 3802:
		return COLUMN_JSONB;
	case 2950:
		return COLUMN_UUID;
	case 16:
		return COLUMN_BOOL;
	case 20:
	case 21:
	case COLUMN_INT4_OID:
		return COLUMN_INT;
	case 17:
		return COLUMN_BYTES;
	case 1082:
		return COLUMN_DATE;
	case 1114:
		return modifier < 0 || modifier > 3 ? COLUMN_TIMESTAMP
						    : COLUMN_TIMESTAMP_MS;
	case 1184:
		return modifier < 0 || modifier > 6
			? COLUMN_TIMESTAMPTZ
			: (enum column_kind)(COLUMN_TIMESTAMPTZ_0 + modifier);
	default:
		return COLUMN_OTHER;
	}
}

bool
column_is_json(uint32_t oid)
{
	return oid == 114 || oid == 3802;
}

static int
wrong_size(struct ch_view v, const char *type, struct ch_err *err)
{
	return ch_err_set(err, CH_EPROTO,
		"%zu bytes are no %s in PostgreSQL's binary format", v.len,
		type);
}

static int
read_int(struct ch_view v, int64_t *out, struct ch_err *err)
{
	switch (v.len) {
	case 2:
		*out = (int16_t)ch_be16(v.ptr);
		return CH_OK;
	case 4:
		*out = (int32_t)ch_be32(v.ptr);
		return CH_OK;
	case 8:
		*out = (int64_t)ch_be64(v.ptr);
		return CH_OK;
	default:
		return wrong_size(v, "integer", err);
	}
}

static int
text_of_jsonb(struct ch_view v, struct ch_view *out, struct ch_err *err)
{
	if (v.len < 1 || v.ptr[0] != 1)
		return wrong_size(v, "jsonb of version 1", err);
	*out = (struct ch_view){v.ptr + 1, v.len - 1};
	return CH_OK;
}

static void
add_base64(struct ch_buf *out, struct ch_view v)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)v.ptr;
	uint32_t three;
	size_t i, n;
	int k;

	for (i = 0; i < v.len; i += 3) {
		n = v.len - i < 3 ? v.len - i : 3;
		three = (uint32_t)p[i] << 16;
		three |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		three |= n > 2 ? p[i + 2] : 0;
		for (k = 0; k < 4; k++)
			ch_buf_addc(out,
				(size_t)k <= n
					? digits[three >> (18 - 6 * k) & 0x3f]
					: '=');
	}
}

/* -infinity and infinity are the ends of the range. */
static const char *
word_of(int64_t n, int64_t least, int64_t most)
{
	if (n == most)
		return "infinity";
	return n == least ? "-infinity" : NULL;
}

struct moment {
	const char *word; /* or NULL, and: */
	int64_t number;	  /* microseconds or days since 1970 */
};

static int
read_moment(enum column_kind kind, struct ch_view v, struct moment *out,
	struct ch_err *err)
{
	if (v.len != (kind == COLUMN_DATE ? 4u : 8u))
		return wrong_size(v, "date or timestamp", err);
	if (kind == COLUMN_DATE) {
		int32_t days = (int32_t)ch_be32(v.ptr);

		out->word = word_of(days, INT32_MIN, INT32_MAX);
		out->number = (int64_t)days + CH_DAYS_1970_TO_2000;
		return CH_OK;
	}
	out->number = (int64_t)ch_be64(v.ptr);
	out->word = word_of(out->number, INT64_MIN, INT64_MAX);
	/* PostgreSQL's last thirty years have no number from 1970 */
	out->number = ch_time_from_pg(out->number).us;
	if (kind == COLUMN_TIMESTAMP_MS)
		out->number /= 1000; /* no rest: it was rounded so */
	return CH_OK;
}

/* As Java writes years: four digits, beyond 9999 with a plus, before year 0 (1
 * BC) with a minus. Each 400 years the calendar is the same, which leaves years
 * of four digits to be written. */
static void
add_instant(struct ch_buf *out, int64_t pg_us, int digits)
{
	static const char before[] = "-MM-DDTHH:MM:SS";
	int64_t cycles = pg_us / CYCLE_US, rest = pg_us % CYCLE_US, year = 0;
	char text[CH_TIME_TEXT_MAX];

	if (rest < 0) {
		cycles--;
		rest += CYCLE_US;
	}
	(void)ch_time_format(ch_time_from_pg(rest), text);
	(void)ch_view_int((struct ch_view){text, 4}, 2000, 2399, &year);
	year += cycles * 400;
	ch_buf_printf(out, "%s%04" PRId64 "%.*sZ",
		year > 9999	   ? "+"
			: year < 0 ? "-"
				   : "",
		year < 0 ? -year : year,
		(int)strlen(before) + (digits > 0 ? 1 + digits : 0), text + 4);
}

static int
add_moment(struct ch_buf *out, enum column_kind kind, struct ch_view v,
	bool json, struct ch_err *err)
{
	struct moment m = {NULL, 0};
	bool number;
	int rc = read_moment(kind, v, &m, err);

	if (rc != CH_OK)
		return rc;
	number = m.word == NULL && kind < COLUMN_TIMESTAMPTZ_0;
	if (json && !number)
		ch_buf_addc(out, '"');
	if (m.word != NULL) {
		ch_buf_adds(out, m.word);
	} else if (!number) {
		add_instant(out, (int64_t)ch_be64(v.ptr),
			(int)kind - COLUMN_TIMESTAMPTZ_0);
	} else {
		ch_buf_add_i64(out, m.number);
	}
	if (json && !number)
		ch_buf_addc(out, '"');
	return CH_OK;
}

static int
add_scalar(struct ch_buf *out, enum column_kind kind, struct ch_view v,
	struct ch_err *err)
{
	int64_t n = 0;
	int rc;

	if (kind == COLUMN_BOOL && v.len != 1)
		return wrong_size(v, "boolean", err);
	if (kind == COLUMN_BOOL) {
		ch_buf_adds(out, v.ptr[0] != 0 ? "true" : "false");
		return CH_OK;
	}
	rc = read_int(v, &n, err);
	if (rc == CH_OK)
		ch_buf_add_i64(out, n);
	return rc;
}

static int
add_uuid(struct ch_buf *out, struct ch_view v, struct ch_err *err)
{
	char text[CH_UUID_TEXT_MAX];
	struct ch_uuid u;

	if (v.len != sizeof(u.bytes))
		return wrong_size(v, "uuid", err);
	memcpy(u.bytes, v.ptr, sizeof(u.bytes));
	ch_uuid_format(&u, text);
	ch_buf_adds(out, text);
	return CH_OK;
}

static int
unknown_kind(struct ch_err *err)
{
	return ch_err_set(err, CH_ECONFIG,
		"a column of a type that is not known: known are " COLUMN_TYPES);
}

int
column_add_text(struct ch_buf *out, enum column_kind kind, struct ch_view v,
	struct ch_err *err)
{
	int rc;

	switch (kind) {
	case COLUMN_TEXT:
		ch_buf_addv(out, v);
		return CH_OK;
	case COLUMN_JSONB:
		rc = text_of_jsonb(v, &v, err);
		if (rc == CH_OK)
			ch_buf_addv(out, v);
		return rc;
	case COLUMN_UUID:
		return add_uuid(out, v, err);
	case COLUMN_BOOL:
	case COLUMN_INT:
		return add_scalar(out, kind, v, err);
	case COLUMN_BYTES:
		add_base64(out, v);
		return CH_OK;
	case COLUMN_DATE:
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMP_MS:
	case COLUMN_TIMESTAMPTZ_0:
	case COLUMN_TIMESTAMPTZ:
	case COLUMN_OTHER:
		break;
	}
	return kind >= COLUMN_DATE ? add_moment(out, kind, v, false, err)
				   : unknown_kind(err);
}

/* The code point of a well-formed character of n bytes, n > 1. */
static uint32_t
code_point(const unsigned char *p, size_t n)
{
	uint32_t c = n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0xfu : p[0] & 7u;
	size_t i;

	for (i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3fu);
	return c;
}

static void
add_escaped(struct ch_buf *out, unsigned char c)
{
	static const char names[] = "btn\0fr"; /* of 8 to 13; 11 has none */

	if (c == '"' || c == '\\')
		ch_buf_printf(out, "\\%c", c);
	else if (c >= 8 && c <= 13 && c != 11)
		ch_buf_printf(out, "\\%c", names[c - 8]);
	else
		ch_buf_printf(out, "\\u%04X", c);
}

static void
add_string(struct ch_buf *out, struct ch_view v)
{
	const unsigned char *p = (const unsigned char *)v.ptr;
	size_t i, n, from = 0;
	uint32_t c;

	ch_buf_addc(out, '"');
	for (i = 0; i < v.len; i += n) {
		n = p[i] < 0x80 ? 1 : ch_utf8_next(p + i, v.len - i);
		n = n == 0 ? 1 : n; /* no UTF-8: goes as it is */
		if (n < 4 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
			continue;
		ch_buf_add(out, p + from, i - from);
		from = i + n;
		if (n < 4) {
			add_escaped(out, p[i]);
			continue;
		}
		c = code_point(p + i, n) - 0x10000;
		ch_buf_printf(out, "\\u%04X\\u%04X", 0xd800 + (c >> 10),
			0xdc00 + (c & 0x3ff));
	}
	ch_buf_add(out, p + from, v.len - from);
	ch_buf_addc(out, '"');
}

int
column_add_json(struct ch_buf *out, enum column_kind kind, struct ch_view v,
	struct ch_err *err)
{
	int rc = CH_OK;

	switch (kind) {
	case COLUMN_JSONB:
		rc = text_of_jsonb(v, &v, err);
		if (rc == CH_OK)
			add_string(out, v);
		return rc;
	case COLUMN_TEXT:
		add_string(out, v);
		return CH_OK;
	case COLUMN_UUID:
	case COLUMN_BYTES:
		ch_buf_addc(out, '"');
		rc = column_add_text(out, kind, v, err);
		ch_buf_addc(out, '"');
		return rc;
	case COLUMN_BOOL:
	case COLUMN_INT:
		return add_scalar(out, kind, v, err);
	case COLUMN_DATE:
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMP_MS:
	case COLUMN_TIMESTAMPTZ_0:
	case COLUMN_TIMESTAMPTZ:
	case COLUMN_OTHER:
		break;
	}
	return kind >= COLUMN_DATE ? add_moment(out, kind, v, true, err)
				   : unknown_kind(err);
}

bool
column_is_blank(enum column_kind kind, struct ch_view v)
{
	size_t i;

	if (kind != COLUMN_TEXT)
		return false; /* the text of no other kind can be blank */
	for (i = 0; i < v.len; i++)
		if ((unsigned char)v.ptr[i] > ' ')
			return false;
	return true;
}
