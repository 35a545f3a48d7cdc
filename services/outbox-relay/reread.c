/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reread: a cursor WITH HOLD on the server, fetched page by page. Behind rows
 * that came and did not fit the cursor goes back.
 *
 * Why held: the connection writes progress between two pages, so no
 * transaction can stay open. The server keeps the result in a temporary file
 * meanwhile; it is closed when it is read, or with the connection.
 */
#include "reread.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract_rows.h"
#include "io/pg_rows.h"
#include "page.h"

#define WAIT_MS 200

struct reread {
	struct reread_options opt; /* its texts are not kept */
	char *declare;
	bool open;
	uint64_t rows; /* and where the cursor stands */
	struct page page;
};

static void
add_identifier(struct ch_buf *sql, struct ch_view name)
{
	size_t i;

	ch_buf_addc(sql, '"');
	for (i = 0; i < name.len; i++) {
		if (name.ptr[i] == '"')
			ch_buf_addc(sql, '"');
		ch_buf_addc(sql, name.ptr[i]);
	}
	ch_buf_addc(sql, '"');
}

struct reread *
reread_new(const struct reread_options *opt)
{
	struct reread *r = ch_xcalloc(1, sizeof(*r));
	struct ch_view rest = ch_view_of(opt->table), schema;
	struct ch_buf sql = CH_BUF_INIT;

	r->opt = *opt;
	ch_buf_adds(&sql,
		"DECLARE relay_reread SCROLL CURSOR WITH HOLD "
		"FOR SELECT * FROM ");
	if (ch_view_split(&rest, '.', &schema)) {
		add_identifier(&sql, schema);
		ch_buf_addc(&sql, '.');
	}
	add_identifier(&sql, rest);
	if (opt->order_by[0] != '\0') {
		ch_buf_adds(&sql, " ORDER BY ");
		add_identifier(&sql, ch_view_of(opt->order_by));
	}
	r->declare = ch_xviewdup(ch_buf_view(&sql));
	ch_buf_free(&sql);
	return r;
}

void
reread_free(struct reread *r)
{
	if (r == NULL)
		return;
	free(r->declare);
	free(r);
}

void
reread_begin(struct reread *r)
{
	r->open = false;
	r->rows = 0;
	page_init(&r->page);
}

/* The answer may take long: the watchdog hears of us meanwhile, and a stop
 * ends it. A deadline would only begin the same again. */
static int
wait_answer(const struct reread *r, struct ch_pg *pg, struct ch_err *err)
{
	int rc;

	while ((rc = ch_pg_ready(pg, err)) == 0) {
		struct pollfd p = {ch_pg_fd(pg), ch_pg_poll_events(pg), 0};

		if (!r->opt.alive(r->opt.ctx))
			return ch_err_set(err, CH_ECLOSED, "stopped");
		ch_pg_more_time(pg);
		(void)poll(&p, 1, WAIT_MS);
	}
	return rc < 0 ? rc : ch_pg_finish(pg, NULL, err);
}

static int
open_cursor(struct reread *r, struct ch_pg *pg, struct ch_err *err)
{
	const struct ch_pg_stmt declare = {"", r->declare};
	int rc = ch_pg_exec(pg, "CLOSE ALL", err); /* of a try before */

	if (rc == CH_OK)
		rc = ch_pg_send(pg, &declare, NULL, err);
	if (rc == CH_OK)
		rc = wait_answer(r, pg, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "read the outbox table");
	r->open = true;
	return CH_OK;
}

struct taking {
	struct reread *r;
	struct inflight *f;
	struct ch_time now;
	int rc;
	struct ch_err *err;
};

static bool
take_row(void *ctx, const PGresult *res)
{
	struct taking *t = ctx;
	struct reread *r = t->r;
	const struct contract_origin from = {
		.number = (int64_t)r->rows, .at = t->now};
	struct event *e = NULL;

	if (r->page.taken == 0)
		t->rc = contract_rows_learn(r->opt.contract, res,
			PQnfields(res), t->err);
	if (t->rc != CH_OK)
		return false;
	e = contract_rows_event(r->opt.contract, res, 0, PQnfields(res), &from,
		t->err);
	if (e == NULL) {
		t->rc = CH_EPROTO;
		return false;
	}
	inflight_add(t->f, e);
	r->rows++;
	return page_take(&r->page, e->size);
}

/* Never prepared: the table may change its columns. */
static int
fetch(struct taking *t, struct ch_pg *pg, int64_t *found, struct ch_err *err)
{
	struct ch_pg_row_sink sink = {.take = take_row, .ctx = t};
	struct reread *r = t->r;
	char sql[64];
	const struct ch_pg_stmt stmt = {"", sql};
	int rc;

	(void)snprintf(sql, sizeof(sql), "FETCH %" PRId64 " FROM relay_reread",
		r->page.ask);
	page_begin(&r->page);
	rc = ch_pg_rows(pg, &stmt, NULL, &sink, err);
	if (rc == CH_OK && sink.found == 0)
		t->rc = contract_rows_learn(r->opt.contract, sink.end,
			PQnfields(sink.end), err);
	PQclear(sink.end);
	*found = sink.found;
	return rc == CH_OK ? t->rc : rc;
}

static int
go_back(const struct reread *r, struct ch_pg *pg, struct ch_err *err)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql),
		"MOVE ABSOLUTE %" PRIu64 " FROM relay_reread", r->rows);
	return ch_pg_exec(pg, sql, err);
}

int
reread_turn(struct reread *r, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	struct taking t = {r, f, now, CH_OK, err};
	int rc = r->open ? CH_OK : open_cursor(r, pg, err);
	int64_t found;

	if (rc != CH_OK)
		return rc;
	inflight_begin(f, now);
	rc = fetch(&t, pg, &found, err);
	if (rc == CH_OK && found > r->page.taken)
		rc = go_back(r, pg, err);
	if (rc != CH_OK) {
		inflight_abandon(f);
		reread_begin(r);
		return rc;
	}
	inflight_end(f, 0, NULL);
	if (page_end(&r->page, found))
		return 1;
	rc = ch_pg_exec(pg, "CLOSE relay_reread", err);
	return rc == CH_OK ? 0 : rc;
}

uint64_t
reread_rows(const struct reread *r)
{
	return r->rows;
}
