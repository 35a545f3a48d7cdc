/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archived_log: see archived_log.h.
 */
#include "archived_log.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "io/pg_copy.h"
#include "gzip_file.h"
#include "ledger_writer_sql.h"

#define HEADER_MAX 4096

struct loading {
	struct session *session;
	const char *dir;
	bool made;
	struct ch_buf header; /* the file's first line */
	bool copying;	      /* it was read whole */
	struct ch_pg_copy copy;
};

/* A day as it was dropped. */
struct dropped_day {
	struct ch_view partition, file, sha256;
	bool needed;
};

/* The table is made as the first file comes; the view has rows of both then. */
static int
make_table(struct loading *l, struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;

	if (l->made)
		return 0;
	l->made = true;
	ch_buf_printf(&sql,
		"CREATE UNLOGGED TABLE archived_log (LIKE \"%s\".command_log "
		"INCLUDING DEFAULTS);"
		"CREATE INDEX ON archived_log (stream, log_seq);"
		"CREATE INDEX ON archived_log (org_id, id, day);"
		"CREATE OR REPLACE VIEW command_log AS SELECT * FROM "
		"source_command_log UNION ALL SELECT * FROM archived_log",
		ch_params_str(l->session->rt->params, "schema"));
	int rc = ch_pg_exec(l->session->pg, ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	return rc;
}

/* Into the columns that the file has. Those that the log was given since are as
 * they would be had they been added while the day was there. */
static int
begin_copy(struct loading *l, struct ch_err *err)
{
	struct ch_view names = ch_buf_view(&l->header);
	struct ch_buf sql = CH_BUF_INIT;
	int rc = 0;

	ch_buf_adds(&sql, "COPY archived_log (\"");
	for (size_t i = 0; i < names.len; i++) {
		char c = names.ptr[i];

		if (c == ',')
			ch_buf_adds(&sql, "\", \"");
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '_')
			ch_buf_addc(&sql, c);
		else
			rc = CH_EINVAL;
	}
	ch_buf_adds(&sql, "\") FROM STDIN (FORMAT csv, ENCODING 'UTF8')");
	if (rc != 0)
		(void)ch_err_set(err, rc,
			"its first line is no list of columns: %.*s",
			CH_VIEW_ARG(names));
	else
		rc = ch_pg_copy_begin_bytes(&l->copy, l->session->pg,
			ch_buf_str(&sql), err);
	ch_buf_free(&sql);
	return rc;
}

static int
take(void *ctx, struct ch_view bytes, struct ch_err *err)
{
	struct loading *l = ctx;

	if (!l->copying) {
		const char *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t n = end == NULL ? bytes.len : (size_t)(end - bytes.ptr);

		ch_buf_add(&l->header, bytes.ptr, n);
		if (l->header.len > HEADER_MAX)
			return ch_err_set(err, CH_EINVAL,
				"its first line has over %d bytes: it is no "
				"list of columns",
				HEADER_MAX);
		if (end == NULL)
			return 0;
		int rc = begin_copy(l, err);
		if (rc != 0)
			return rc;
		l->copying = true;
		bytes = (struct ch_view){end + 1, bytes.len - n - 1};
	}
	ch_pg_copy_bytes(&l->copy, bytes);
	return 0;
}

/* Where the file would be: its own name, in dir. */
static void
find_path(const struct loading *l, const struct dropped_day *d,
	struct ch_buf *path)
{
	size_t at = d->file.len;

	while (at > 0 && d->file.ptr[at - 1] != '/')
		at--;
	ch_buf_printf(path, "%s/%.*s", l->dir, (int)(d->file.len - at),
		d->file.ptr + at);
}

static int
check_digest(const char *path, const struct dropped_day *d, struct ch_err *err)
{
	struct ch_sha256 digest;
	struct ch_buf hex = CH_BUF_INIT;
	int rc = gzip_file_digest(path, &digest, err);

	if (rc == 0) {
		ch_buf_add_hex(&hex, digest.bytes, sizeof(digest.bytes));
		if (!ch_view_eq(ch_buf_view(&hex), d->sha256))
			rc = ch_err_set(err, CH_EINVAL,
				"%s has digest %s, recorded is %.*s", path,
				ch_buf_str(&hex), CH_VIEW_ARG(d->sha256));
	}
	ch_buf_free(&hex);
	return rc;
}

static int
load_file(struct loading *l, const char *path, int64_t *rows,
	struct ch_err *err)
{
	int rc = make_table(l, err);

	if (rc != 0)
		return rc;
	ch_buf_clear(&l->header);
	l->copying = false;
	rc = gzip_file_read(path, take, l, err);
	if (rc == 0 && !l->copying)
		rc = ch_err_set(err, CH_EINVAL, "it is empty");
	else if (rc == 0)
		return ch_pg_copy_end_bytes(&l->copy, rows, err);
	if (l->copying)
		ch_pg_copy_abandon(&l->copy, err->text);
	return ch_err_wrap(err, "%s", path);
}

static int
not_to_be_had(const struct dropped_day *d, const char *path, bool whole,
	struct ch_err *err)
{
	return ch_err_set(err, CH_ENOTFOUND,
		"%.*s was dropped, with rows that a replay %s needs; its "
		"archive (%.*s) is not %s: give its directory (--archives), "
		"or begin with a later snapshot (--from)",
		CH_VIEW_ARG(d->partition),
		whole ? "of the whole log" : "of this snapshot",
		CH_VIEW_ARG(d->file.len > 0 ? d->file
					    : CH_VIEW("there is none")),
		path != NULL ? path : "at hand");
}

static int
load_day(struct loading *l, const struct dropped_day *d, bool whole,
	struct ch_err *err)
{
	struct ch_buf path = CH_BUF_INIT;
	int64_t rows = 0;

	if (l->dir == NULL || d->file.len == 0)
		return d->needed ? not_to_be_had(d, NULL, whole, err) : 0;
	find_path(l, d, &path);
	int rc = check_digest(ch_buf_str(&path), d, err);
	if (rc == CH_ENOTFOUND)
		rc = d->needed ? not_to_be_had(d, ch_buf_str(&path), whole, err)
			       : 0;
	else if (rc == 0) {
		rc = load_file(l, ch_buf_str(&path), &rows, err);
		if (rc == 0)
			printf("%.*s from %s, %" PRId64 " rows\n",
				CH_VIEW_ARG(d->partition), ch_buf_str(&path),
				rows);
	}
	ch_buf_free(&path);
	return rc;
}

int
archived_log_load(struct session *s, int64_t snapshot, const char *dir,
	struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_replay_missing_days};
	struct loading l = {.session = s, .dir = dir};
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	if (snapshot > 0)
		ch_pg_arg_i64(&a, snapshot);
	else
		ch_pg_arg_null(&a, CH_PG_INT8);
	int rc = ch_pg_query(s->pg, &stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct dropped_day d;
		d.partition = ch_pg_next_text(&r);
		d.file = ch_pg_next_text(&r);
		d.sha256 = ch_pg_next_text(&r);
		d.needed = ch_pg_next_bool(&r);
		rc = ch_pg_row_ok(&r, err)
			? load_day(&l, &d, snapshot == 0, err)
			: err->code;
	}
	PQclear(res);
	ch_buf_free(&l.header);
	return rc;
}
