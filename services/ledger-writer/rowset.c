/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rowset: one interface over COPY and arrays.
 */
#include "rowset.h"

#include <stdio.h>

#include "base/failpoint.h"

/* Builds with failpoints: each table's COPY has a place of its own, when its
 * rows are with libpq and the server waits for the end. */
static void
before_end(const struct rowset_table *table)
{
#ifdef CH_FAILPOINTS
	char name[64];
	struct ch_view rest = ch_view_of(table->copy), word;
	(void)ch_view_split(&rest, ' ', &word); /* COPY */
	(void)ch_view_split(&rest, ' ', &word);
	(void)snprintf(name, sizeof(name), "ledger.in_copy.%.*s",
		CH_VIEW_ARG(word));
	CH_FAILPOINT(name);
#else
	(void)table;
#endif
}

void
rowset_begin(struct rowset *rs, struct script *sc,
	const struct rowset_table *table, size_t count, struct ch_err *err)
{
	rs->table = table;
	rs->script = sc;
	rs->rc = 0;
	rs->copying = table->copy_only || count >= ROWSET_COPY_FROM;
	if (rs->copying) {
		rs->rc = script_run(sc, err);
		script_clear(sc);
		if (rs->rc == 0)
			rs->rc = ch_pg_copy_begin(&rs->copy, sc->s->pg,
				table->copy, table->columns, err);
		CH_FAILPOINT("ledger.in_copy");
		return;
	}
	for (int i = 0; i < table->columns; i++)
		ch_pg_array_init(&rs->arrays[i], table->arrays[i]);
}

void
rowset_row(struct rowset *rs)
{
	rs->column = 0;
	if (rs->copying && rs->rc == 0)
		ch_pg_copy_row(&rs->copy);
}

/* The array of the next column. */
static struct ch_pg_array *
next(struct rowset *rs)
{
	return &rs->arrays[rs->column++];
}

#define PUT(name, type)                                                        \
	void rowset_##name(struct rowset *rs, type v)                          \
	{                                                                      \
		if (!rs->copying)                                              \
			ch_pg_array_##name(next(rs), v);                       \
		else if (rs->rc == 0)                                          \
			ch_pg_copy_##name(&rs->copy, v);                       \
	}

PUT(i16, int16_t)
PUT(i32, int32_t)
PUT(i64, int64_t)
PUT(uuid, const struct ch_uuid *)
PUT(time, struct ch_time)
PUT(day, int64_t)

void
rowset_null(struct rowset *rs)
{
	if (!rs->copying)
		ch_pg_array_null(next(rs));
	else if (rs->rc == 0)
		ch_pg_copy_null(&rs->copy);
}

void
rowset_bool(struct rowset *rs, bool v)
{
	if (!rs->copying)
		ch_pg_array_bool(next(rs), v);
	else if (rs->rc == 0)
		ch_pg_copy_bool(&rs->copy, v);
}

void
rowset_i64s(struct rowset *rs, const int64_t *v, size_t n)
{
	struct ch_pg_array a;
	ch_pg_array_init(&a, CH_PG_INT8_ARRAY);
	for (size_t i = 0; i < n; i++)
		ch_pg_array_i64(&a, v[i]);
	if (rs->rc == 0)
		ch_pg_copy_array(&rs->copy, &a);
	ch_pg_array_free(&a);
}

void
rowset_text(struct rowset *rs, struct ch_view v)
{
	if (v.ptr == NULL)
		rowset_null(rs);
	else if (!rs->copying)
		ch_pg_array_text(next(rs), v);
	else if (rs->rc == 0)
		ch_pg_copy_text(&rs->copy, v);
}

void
rowset_str(struct rowset *rs, const char *s)
{
	rowset_text(rs, ch_view_of(s));
}

void
rowset_bytea(struct rowset *rs, struct ch_view v)
{
	if (v.ptr == NULL)
		rowset_null(rs);
	else if (!rs->copying)
		ch_pg_array_bytea(next(rs), v);
	else if (rs->rc == 0)
		ch_pg_copy_bytea(&rs->copy, v);
}

void
rowset_headers(struct rowset *rs, const struct batch_header *headers, size_t n)
{
	struct ch_pg_array names, values;
	ch_pg_array_init(&names, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&values, CH_PG_BYTEA_ARRAY);
	for (size_t i = 0; i < n; i++) {
		ch_pg_array_bytea(&names, headers[i].name);
		if (headers[i].value.ptr != NULL)
			ch_pg_array_bytea(&values, headers[i].value);
		else
			ch_pg_array_null(&values);
	}
	if (rs->rc == 0) {
		ch_pg_copy_array(&rs->copy, &names);
		ch_pg_copy_array(&rs->copy, &values);
	}
	ch_pg_array_free(&names);
	ch_pg_array_free(&values);
}

int
rowset_end(struct rowset *rs, struct ch_err *err)
{
	if (rs->copying && rs->rc == 0) {
		before_end(rs->table);
		return ch_pg_copy_end(&rs->copy, NULL, err);
	}
	if (rs->copying)
		return rs->rc;
	struct ch_pg_args a;
	ch_pg_args_clear(&a);
	for (int i = 0; i < rs->table->columns; i++)
		ch_pg_arg_array(&a, &rs->arrays[i]);
	script_add(rs->script, &rs->table->insert, &a);
	for (int i = 0; i < rs->table->columns; i++)
		ch_pg_array_free(&rs->arrays[i]);
	return rs->script->err.code;
}
