/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_array: see the header. The wire form is ndim, has-nulls, element OID,
 * then for one dimension its length and lower bound, then the values. The
 * header is kept at the front of the buffer and filled in when the array is
 * looked at; an empty array has ndim 0 and no dimension words.
 */
#include "pg_array.h"

#include <assert.h>
#include <string.h>

#define HEADER_EMPTY 12
#define HEADER_LEN 20

static const struct {
	enum ch_pg_oid array;
	enum ch_pg_oid element;
} types[] = {
	{CH_PG_BOOL_ARRAY, CH_PG_BOOL},
	{CH_PG_BYTEA_ARRAY, CH_PG_BYTEA},
	{CH_PG_INT2_ARRAY, CH_PG_INT2},
	{CH_PG_INT4_ARRAY, CH_PG_INT4},
	{CH_PG_INT8_ARRAY, CH_PG_INT8},
	{CH_PG_TEXT_ARRAY, CH_PG_TEXT},
	{CH_PG_TID_ARRAY, CH_PG_TID},
	{CH_PG_DATE_ARRAY, CH_PG_DATE},
	{CH_PG_TIMESTAMPTZ_ARRAY, CH_PG_TIMESTAMPTZ},
	{CH_PG_UUID_ARRAY, CH_PG_UUID},
};

static enum ch_pg_oid
element_of(enum ch_pg_oid array_oid)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].array == array_oid)
			return types[i].element;
	assert(false && "an array type that we do not speak");
	return CH_PG_TEXT;
}

static void
poke_be32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

void
ch_pg_array_init(struct ch_pg_array *a, enum ch_pg_oid array_oid)
{
	*a = (struct ch_pg_array){CH_BUF_INIT, array_oid, 0, false};
	ch_pg_array_clear(a);
}

void
ch_pg_array_clear(struct ch_pg_array *a)
{
	static const char blank[HEADER_LEN];

	(void)element_of(a->oid);
	ch_buf_clear(&a->buf);
	ch_buf_add(&a->buf, blank, sizeof(blank));
	a->count = 0;
	a->nulls = false;
}

void
ch_pg_array_free(struct ch_pg_array *a)
{
	ch_buf_free(&a->buf);
	a->count = 0;
}

/* The buffer for one more value of an element type. */
static struct ch_buf *
one_more(struct ch_pg_array *a, enum ch_pg_oid element)
{
	assert(a->buf.len >= HEADER_LEN);
	assert(element_of(a->oid) == element);
	assert(a->count < INT32_MAX);
	a->count++;
	return &a->buf;
}

void
ch_pg_array_null(struct ch_pg_array *a)
{
	a->nulls = true;
	ch_pg_put_null(one_more(a, element_of(a->oid)));
}

void
ch_pg_array_bool(struct ch_pg_array *a, bool v)
{
	ch_pg_put_bool(one_more(a, CH_PG_BOOL), v);
}

void
ch_pg_array_i16(struct ch_pg_array *a, int16_t v)
{
	ch_pg_put_i16(one_more(a, CH_PG_INT2), v);
}

void
ch_pg_array_i32(struct ch_pg_array *a, int32_t v)
{
	ch_pg_put_i32(one_more(a, CH_PG_INT4), v);
}

void
ch_pg_array_i64(struct ch_pg_array *a, int64_t v)
{
	ch_pg_put_i64(one_more(a, CH_PG_INT8), v);
}

void
ch_pg_array_text(struct ch_pg_array *a, struct ch_view v)
{
	ch_pg_put_text(one_more(a, CH_PG_TEXT), v);
}

void
ch_pg_array_bytea(struct ch_pg_array *a, struct ch_view v)
{
	ch_pg_put_bytea(one_more(a, CH_PG_BYTEA), v);
}

void
ch_pg_array_uuid(struct ch_pg_array *a, const struct ch_uuid *u)
{
	ch_pg_put_uuid(one_more(a, CH_PG_UUID), u);
}

void
ch_pg_array_time(struct ch_pg_array *a, struct ch_time t)
{
	ch_pg_put_time(one_more(a, CH_PG_TIMESTAMPTZ), t);
}

void
ch_pg_array_day(struct ch_pg_array *a, int64_t day)
{
	ch_pg_put_day(one_more(a, CH_PG_DATE), day);
}

void
ch_pg_array_tid(struct ch_pg_array *a, uint64_t tid)
{
	if (tid != 0)
		ch_pg_put_tid(one_more(a, CH_PG_TID), tid);
	else
		ch_pg_array_null(a);
}

struct ch_view
ch_pg_array_view(struct ch_pg_array *a)
{
	char *head = a->buf.ptr;

	assert(a->buf.len >= HEADER_LEN);
	poke_be32(head, a->count > 0 ? 1 : 0);
	poke_be32(head + 4, a->nulls ? 1 : 0);
	poke_be32(head + 8, (uint32_t)element_of(a->oid));
	poke_be32(head + 12, (uint32_t)a->count);
	poke_be32(head + 16, 1);
	return (struct ch_view){head, a->count > 0 ? a->buf.len : HEADER_EMPTY};
}

int
ch_pg_array_open(struct ch_pg_array_reader *r, struct ch_view bytes)
{
	uint32_t ndim, count;

	*r = (struct ch_pg_array_reader){{NULL, 0}, 0, 0};
	if (bytes.len < HEADER_EMPTY)
		return CH_EPROTO;
	ndim = ch_be32(bytes.ptr);
	r->element = ch_be32(bytes.ptr + 8);
	if (ndim == 0)
		return 0;
	if (ndim != 1 || bytes.len < HEADER_LEN)
		return CH_EPROTO;
	count = ch_be32(bytes.ptr + 12);
	/* Each element takes four bytes at least. */
	if (count > (bytes.len - HEADER_LEN) / 4)
		return CH_EPROTO;
	r->left = (int32_t)count;
	r->rest = (struct ch_view){
		bytes.ptr + HEADER_LEN, bytes.len - HEADER_LEN};
	return 0;
}

bool
ch_pg_array_next(struct ch_pg_array_reader *r, struct ch_view *value)
{
	uint32_t len;

	if (r->left <= 0 || r->rest.len < 4)
		return false;
	len = ch_be32(r->rest.ptr);
	if (len == UINT32_MAX) {
		*value = (struct ch_view){NULL, 0};
		len = 0;
	} else if (len > r->rest.len - 4) {
		return false;
	} else {
		*value = (struct ch_view){r->rest.ptr + 4, len};
	}
	r->rest.ptr += 4 + len;
	r->rest.len -= 4 + len;
	r->left--;
	return true;
}
