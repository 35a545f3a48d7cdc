/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_copy: see twin_copy.h.
 */
#include "twin_copy.h"

#include <stdlib.h>

#include "io/pg_copy.h"
#include "twin_pg.h"
#include "twin_trades.h"
#include "world.h"

/* Of the COPY under way: a writer that is left in the middle of one is behind
 * its last row. */
static struct twin_copied copied;

/* ---- begin and end ---- */

int
ch_pg_copy_begin(struct ch_pg_copy *c, struct ch_pg *pg, const char *sql,
	int columns, struct ch_err *err)
{
	(void)sql;
	*c = (struct ch_pg_copy){.pg = pg, .columns = columns, .column = -1};
	if (columns != TWIN_COPY_COLUMNS)
		abort();
	return twin_pg_enter(pg, err);
}

static void
end_row(struct ch_pg_copy *c)
{
	if (c->column == c->columns && c->pg->backend != NULL)
		twin_trades_letter(c->pg, &copied);
	c->column = -1;
}

void
ch_pg_copy_row(struct ch_pg_copy *c)
{
	end_row(c);
	copied = (struct twin_copied){.ints = {0}};
	c->column = 0;
}

int
ch_pg_copy_end(struct ch_pg_copy *c, int64_t *rows, struct ch_err *err)
{
	int rc;

	(void)rows;
	end_row(c);
	rc = twin_pg_copy(c->pg, err);
	twin_pg_leave(c->pg);
	return rc;
}

void
ch_pg_copy_abandon(struct ch_pg_copy *c, const char *why)
{
	(void)c;
	(void)why;
	abort();
}

/* ---- values ---- */

static void
put_int(struct ch_pg_copy *c, int64_t v)
{
	copied.ints[c->column++] = v;
}

void
ch_pg_copy_null(struct ch_pg_copy *c)
{
	c->column++;
}

void
ch_pg_copy_bool(struct ch_pg_copy *c, bool v)
{
	put_int(c, v);
}

void
ch_pg_copy_i16(struct ch_pg_copy *c, int16_t v)
{
	put_int(c, v);
}

void
ch_pg_copy_i32(struct ch_pg_copy *c, int32_t v)
{
	put_int(c, v);
}

void
ch_pg_copy_i64(struct ch_pg_copy *c, int64_t v)
{
	put_int(c, v);
}

void
ch_pg_copy_text(struct ch_pg_copy *c, struct ch_view v)
{
	char *room = copied.texts[c->column++];

	if (v.ptr != NULL)
		(void)snprintf(room, sizeof(copied.texts[0]), "%.*s",
			CH_VIEW_ARG(v));
}

void
ch_pg_copy_bytea(struct ch_pg_copy *c, struct ch_view v)
{
	(void)v;
	c->column++;
}

void
ch_pg_copy_jsonb(struct ch_pg_copy *c, struct ch_view v)
{
	(void)v;
	c->column++;
}

void
ch_pg_copy_uuid(struct ch_pg_copy *c, const struct ch_uuid *u)
{
	(void)u;
	c->column++;
}

void
ch_pg_copy_time(struct ch_pg_copy *c, struct ch_time t)
{
	put_int(c, t.us);
}

void
ch_pg_copy_day(struct ch_pg_copy *c, int64_t day)
{
	put_int(c, day);
}

void
ch_pg_copy_array(struct ch_pg_copy *c, struct ch_pg_array *v)
{
	(void)v;
	c->column++;
}
