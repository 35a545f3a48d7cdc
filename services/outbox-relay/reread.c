/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reread: a cursor WITH HOLD on the server, fetched page by page.
 *
 * Why held: the connection writes progress between two pages, so no
 * transaction can stay open. The server keeps the result in a temporary file
 * meanwhile; it is closed when it is read, or with the connection.
 */
#include "reread.h"

#include <poll.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract_rows.h"

#define PAGE 2000
#define WAIT_MS 200

struct reread {
	struct reread_options opt; /* its texts are not kept */
	char *declare;
	bool open;
	uint64_t rows;
};

/* The constant is PAGE. Never prepared: the table may change its columns. */
static const struct ch_pg_stmt fetch_stmt = {
	"", "FETCH 2000 FROM relay_reread"};

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
		"DECLARE relay_reread NO SCROLL CURSOR WITH HOLD "
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

static int
add_row(struct reread *r, const PGresult *res, int row, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	const struct contract_origin from = {
		.number = (int64_t)r->rows, .at = now};
	struct event *e = contract_rows_event(r->opt.contract, res, row,
		PQnfields(res), &from, err);

	if (e == NULL)
		return CH_EPROTO;
	inflight_add(f, e);
	r->rows++;
	return CH_OK;
}

static int
add_page(struct reread *r, const PGresult *res, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	int rc = contract_rows_learn(r->opt.contract, res, PQnfields(res), err);
	int i;

	if (rc != CH_OK)
		return rc;
	inflight_begin(f, now);
	for (i = 0; rc == CH_OK && i < PQntuples(res); i++)
		rc = add_row(r, res, i, f, now, err);
	if (rc == CH_OK)
		inflight_end(f, 0, NULL);
	else
		inflight_abandon(f);
	return rc;
}

int
reread_turn(struct reread *r, struct ch_pg *pg, struct inflight *f,
	struct ch_time now, struct ch_err *err)
{
	PGresult *res;
	int rc = r->open ? CH_OK : open_cursor(r, pg, err), n;

	if (rc == CH_OK)
		rc = ch_pg_query(pg, &fetch_stmt, NULL, &res, err);
	if (rc != CH_OK)
		return rc;
	n = PQntuples(res);
	rc = add_page(r, res, f, now, err);
	PQclear(res);
	if (rc != CH_OK)
		return rc;
	if (n == PAGE)
		return 1;
	rc = ch_pg_exec(pg, "CLOSE relay_reread", err);
	return rc == CH_OK ? 0 : rc;
}

uint64_t
reread_rows(const struct reread *r)
{
	return r->rows;
}
