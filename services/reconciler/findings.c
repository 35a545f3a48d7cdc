/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings: rows of a check, kept as the arrays that note_breaks.sql takes.
 */
#include "findings.h"

void
findings_init(struct findings *f)
{
	*f = (struct findings){.count = 0};
	ch_pg_array_init(&f->key, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->org, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->subject, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->expected, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->found, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->difference, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&f->low, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&f->high, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&f->again, CH_PG_TEXT_ARRAY);
}

static void
each_array(struct findings *f, void (*fn)(struct ch_pg_array *))
{
	fn(&f->key);
	fn(&f->org);
	fn(&f->subject);
	fn(&f->expected);
	fn(&f->found);
	fn(&f->difference);
	fn(&f->low);
	fn(&f->high);
	fn(&f->again);
}

void
findings_free(struct findings *f)
{
	each_array(f, ch_pg_array_free);
}

void
findings_clear(struct findings *f)
{
	each_array(f, ch_pg_array_clear);
	f->count = 0;
	f->cut = false;
	f->swept = false;
}

void
findings_only_present(struct findings *f)
{
	ch_pg_array_clear(&f->again);
	f->swept = false;
}

static void
add_text_or_null(struct ch_pg_array *a, struct ch_view v)
{
	if (v.ptr != NULL)
		ch_pg_array_text(a, v);
	else
		ch_pg_array_null(a);
}

static void
add_i64_or_null(struct ch_pg_array *a, struct ch_pg_row *r)
{
	bool null = false;
	int64_t v = ch_pg_next_i64_null(r, &null);
	if (null)
		ch_pg_array_null(a);
	else
		ch_pg_array_i64(a, v);
}

static int
take_row(struct findings *f, const PGresult *res, int row, struct ch_err *err)
{
	struct ch_pg_row r = ch_pg_row(res, row);

	ch_pg_array_text(&f->key, ch_pg_next_text(&r));
	ch_pg_array_text(&f->org, ch_pg_next_text(&r));
	ch_pg_array_text(&f->subject, ch_pg_next_text(&r));
	ch_pg_array_text(&f->expected, ch_pg_next_text(&r));
	add_text_or_null(&f->found, ch_pg_next_text_null(&r));
	ch_pg_array_text(&f->difference, ch_pg_next_text(&r));
	add_i64_or_null(&f->low, &r);
	add_i64_or_null(&f->high, &r);
	f->count++;
	return ch_pg_row_ok(&r, err) ? 0 : CH_EPROTO;
}

int
findings_take(struct findings *f, const PGresult *res, struct ch_err *err)
{
	int rows = PQntuples(res);
	for (int i = 0; i < rows; i++) {
		int rc = take_row(f, res, i, err);
		if (rc != 0)
			return rc;
	}
	if (rows >= FINDINGS_MAX)
		f->cut = true;
	return 0;
}
