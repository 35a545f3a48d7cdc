/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgoutput: decoding by one cursor that can only fail once.
 *
 * Why a cursor: each read asks for its bytes, so no length of the peer is
 * trusted before it was compared with what is left. After the first shortage
 * everything reads as zero or empty and `bad` stays set; callers look once, at
 * the end. What the server may legally send beside inserts (a type, an origin,
 * a message) is passed over as OTHER without a look inside.
 */
#include "pgoutput.h"

#include <inttypes.h>

struct cursor {
	const char *at;
	size_t left;
	bool bad;
};

static const char *
take(struct cursor *c, size_t n)
{
	const char *p = c->at;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return p;
}

static uint8_t
take_u8(struct cursor *c)
{
	const char *p = take(c, 1);

	return p != NULL ? (uint8_t)*p : 0;
}

static uint16_t
take_u16(struct cursor *c)
{
	const char *p = take(c, 2);

	return p != NULL ? ch_be16(p) : 0;
}

static uint32_t
take_u32(struct cursor *c)
{
	const char *p = take(c, 4);

	return p != NULL ? ch_be32(p) : 0;
}

static uint64_t
take_u64(struct cursor *c)
{
	const char *p = take(c, 8);

	return p != NULL ? ch_be64(p) : 0;
}

static struct ch_time
take_time(struct cursor *c)
{
	return ch_time_from_pg((int64_t)take_u64(c));
}

/* A NUL-terminated name. */
static struct ch_view
take_name(struct cursor *c)
{
	const char *p = c->at;
	const char *end =
		c->bad || c->left == 0 ? NULL : memchr(p, '\0', c->left);

	if (end == NULL) {
		c->bad = true;
		return (struct ch_view){"", 0};
	}
	take(c, (size_t)(end - p) + 1);
	return (struct ch_view){p, (size_t)(end - p)};
}

static int
finish(const struct cursor *c, const char *what, struct ch_err *err)
{
	if (c->bad)
		return ch_err_set(err, CH_EPROTO, "%s is cut short", what);
	if (c->left != 0)
		return ch_err_set(err, CH_EPROTO,
			"%zu bytes behind the end of %s", c->left, what);
	return CH_OK;
}

int
pgoutput_frame_read(struct ch_view bytes, struct pgoutput_frame *out,
	struct ch_err *err)
{
	struct cursor c = {bytes.ptr, bytes.len, false};
	uint8_t kind = take_u8(&c);

	*out = (struct pgoutput_frame){.body = {NULL, 0}};
	switch (kind) {
	case 'w':
		out->kind = PGOUTPUT_XLOG_DATA;
		out->start = take_u64(&c);
		out->end = take_u64(&c);
		out->sent_at = take_time(&c);
		out->body = (struct ch_view){c.at, c.bad ? 0 : c.left};
		take(&c, c.left);
		return finish(&c, "an XLogData frame", err);
	case 'k':
		out->kind = PGOUTPUT_KEEPALIVE;
		out->end = take_u64(&c);
		out->sent_at = take_time(&c);
		out->reply = take_u8(&c) != 0;
		return finish(&c, "a keepalive frame", err);
	default:
		return ch_err_set(err, CH_EPROTO,
			"unknown replication frame 0x%02x of %zu bytes", kind,
			bytes.len);
	}
}

void
pgoutput_status_write(uint8_t out[PGOUTPUT_STATUS_LEN], uint64_t flushed,
	struct ch_time now, bool reply)
{
	out[0] = 'r';
	ch_put_be64(out + 1, flushed);
	ch_put_be64(out + 9, flushed);
	ch_put_be64(out + 17, flushed);
	ch_put_be64(out + 25, (uint64_t)ch_time_to_pg(now));
	out[33] = reply;
}

static void
read_column(struct cursor *c, struct pgoutput_column *column)
{
	take_u8(c); /* part of the key */
	column->name = take_name(c);
	column->type = take_u32(c);
	column->modifier = (int32_t)take_u32(c);
	column->called = (struct ch_view){"", 0};
}

static int
read_relation(struct cursor *c, struct pgoutput_message *out,
	struct ch_err *err)
{
	struct pgoutput_column passed;
	int i;

	out->kind = PGOUTPUT_RELATION;
	out->relation = take_u32(c);
	out->schema = take_name(c);
	out->table = take_name(c);
	take_u8(c); /* replica identity: inserts do not need it */
	out->count = take_u16(c);
	for (i = 0; i < out->count && !c->bad; i++)
		read_column(c,
			i < PGOUTPUT_COLUMNS_MAX ? &out->columns[i] : &passed);
	return finish(c, "a relation message", err);
}

static int
read_value(struct cursor *c, struct pgoutput_value *v, struct ch_err *err)
{
	uint32_t len;

	v->format = (char)take_u8(c);
	v->bytes = (struct ch_view){NULL, 0};
	if (c->bad || v->format == 'n')
		return CH_OK;
	if (v->format != 't' && v->format != 'b')
		return ch_err_set(err, CH_EPROTO,
			"unknown column format 0x%02x", (uint8_t)v->format);
	len = take_u32(c);
	v->bytes.ptr = take(c, len);
	v->bytes.len = v->bytes.ptr != NULL ? len : 0;
	return CH_OK;
}

static int
read_insert(struct cursor *c, struct pgoutput_message *out, struct ch_err *err)
{
	struct pgoutput_value passed;
	uint8_t tuple;
	int i, rc = CH_OK;

	out->kind = PGOUTPUT_INSERT;
	out->relation = take_u32(c);
	tuple = take_u8(c);
	if (!c->bad && tuple != 'N')
		return ch_err_set(err, CH_EPROTO,
			"an insert without a new row (0x%02x)", tuple);
	out->count = take_u16(c);
	for (i = 0; rc == CH_OK && i < out->count && !c->bad; i++)
		rc = read_value(c,
			i < PGOUTPUT_COLUMNS_MAX ? &out->values[i] : &passed,
			err);
	return rc != CH_OK ? rc : finish(c, "an insert message", err);
}

/* Both rows are left alone: which table it was is all that is asked. */
static int
read_update(struct cursor *c, struct pgoutput_message *out, struct ch_err *err)
{
	out->kind = PGOUTPUT_UPDATE;
	out->relation = take_u32(c);
	take(c, c->bad ? 0 : c->left);
	return finish(c, "an update message", err);
}

static int
read_begin(struct cursor *c, struct pgoutput_message *out, struct ch_err *err)
{
	out->kind = PGOUTPUT_BEGIN;
	out->lsn = take_u64(c);
	out->committed_at = take_time(c);
	out->xid = take_u32(c);
	return finish(c, "a begin message", err);
}

static int
read_commit(struct cursor *c, struct pgoutput_message *out, struct ch_err *err)
{
	out->kind = PGOUTPUT_COMMIT;
	take_u8(c); /* flags, unused */
	out->lsn = take_u64(c);
	out->end_lsn = take_u64(c);
	out->committed_at = take_time(c);
	if (!c->bad && out->end_lsn < out->lsn)
		return ch_err_set(err, CH_EPROTO,
			"a commit that ends at %" PRIX64 " before it begins "
			"at %" PRIX64,
			out->end_lsn, out->lsn);
	return finish(c, "a commit message", err);
}

int
pgoutput_read(struct ch_view body, struct pgoutput_message *out,
	struct ch_err *err)
{
	struct cursor c = {body.ptr, body.len, false};

	out->letter = (char)take_u8(&c);
	out->count = 0;
	switch (out->letter) {
	case 'B':
		return read_begin(&c, out, err);
	case 'C':
		return read_commit(&c, out, err);
	case 'R':
		return read_relation(&c, out, err);
	case 'I':
		return read_insert(&c, out, err);
	case 'U':
		return read_update(&c, out, err);
	case 'Y':
	case 'O':
	case 'M':
	case 'T':
	case 'D':
		out->kind = PGOUTPUT_OTHER;
		return CH_OK;
	default:
		return ch_err_set(err, CH_EPROTO,
			"unknown pgoutput message 0x%02x of %zu bytes",
			(uint8_t)out->letter, body.len);
	}
}
