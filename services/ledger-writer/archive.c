/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: see archive.h.
 */
#include "archive.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "io/pg_copy_out.h"
#include "console.h"
#include "gzip_file.h"
#include "ledger_writer_sql.h"

#define CALL_MS 3600000 /* for the first row: a day may have to be sorted */

const char archive_manual[] =
	"usage: ledger-writer --database_url=URL archive --table=TABLE "
	"--day=DAY\n"
	"           --into=DIR --actor=WHO --reason=WHY [--again] [--dry-run]\n"
	"\n"
	"Writes one day of a table into DIR/<table>_<YYYYMMDD>.csv.gz and records\n"
	"its SHA-256 and number of rows (ch.archives, ch.audit_events). The same\n"
	"rows give the same bytes; a file that is there is never replaced. Close\n"
	"the day first (SELECT ch.close_day(...)): rows that come later are noticed\n"
	"by drop-day, which then keeps the day. The file is read back when it is\n"
	"written: a day whose archive was not read stays.\n"
	"\n"
	"  --table    command_log, answers, rejected, outbox, trades_public, postings\n"
	"  --day      2026-10-20, at least two days ago\n"
	"  --into     a directory that is there, in which the user who calls this\n"
	"             (not PostgreSQL's) may write; the file may be moved afterwards,\n"
	"             the digest counts\n"
	"  --again    rows came after the last archive of that day, which has\n"
	"             another digest: records a further one\n"
	"  --dry-run  counts, and says what would be refused; writes nothing\n"
	"\n"
	"Role: ch_operator. The role reads the whole day in one statement.\n"
	"Exit status: 0 recorded; 1 failed; 2 refused (another digest, rows came\n"
	"meanwhile, the day is still written); 64 usage; 69 no PostgreSQL.\n";

/* The time that a day is of, and an order that is always the same. */
static const struct archive_table {
	const char *name;
	const char *of_day; /* by $day */
	const char *order;
} tables[] = {
	{"command_log", "day", "stream, log_seq"},
	{"answers", "decided_at", "stream, log_seq"},
	{"rejected", "decided_at", "stream, log_seq"},
	{"outbox", "created_at", "seq"},
	{"trades_public", "traded_at", "traded_at, trade_id"},
	{"postings", "decided_at",
		"batch, pos, leg, org_id, account_id, shard"},
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

#define HEX_MAX (2 * CH_SHA256_LEN + 1)

struct archive {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	const struct archive_order *o;
	const struct archive_table *table;
	char name[80];	     /* of the file */
	char path[PATH_MAX]; /* the same with its directory */
	struct gzip_file *file;
	struct console_progress progress;
	int64_t taken; /* rows, with the header */
	int64_t rows, length;
	char sha256[HEX_MAX];
	struct ch_sha256_run *rows_run; /* of the rows' text, as they come */
	struct ch_sha256 rows_digest;
	int64_t id; /* as it is recorded */
};

static void
to_hex(const struct ch_sha256 *digest, char out[HEX_MAX])
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_add_hex(&b, digest->bytes, sizeof(digest->bytes));
	(void)ch_view_copy(ch_buf_view(&b), out, HEX_MAX);
	ch_buf_free(&b);
}

/* ---- the file ---- */

static int
take(void *ctx, struct ch_view row, struct ch_err *err)
{
	struct archive *a = ctx;

	console_progress(&a->progress, ++a->taken);
	ch_sha256_add(a->rows_run, row.ptr, row.len);
	return gzip_file_add(a->file, row, err);
}

static void
add_rows_of_day(struct ch_buf *sql, const struct archive *a)
{
	if (strcmp(a->table->of_day, "day") == 0)
		ch_buf_printf(sql, "FROM %s WHERE day = '%s'", a->table->name,
			a->o->day);
	else
		ch_buf_printf(sql,
			"FROM %s WHERE %s >= '%s 00:00:00+00' AND %s < "
			"('%s'::date + 1 || ' 00:00:00+00')::timestamptz",
			a->table->name, a->table->of_day, a->o->day,
			a->table->of_day, a->o->day);
}

static int
write_file(struct archive *a, struct ch_err *err)
{
	const struct ch_pg_copy_sink sink = {take, a};
	struct ch_sha256 digest;
	struct ch_buf sql = CH_BUF_INIT;

	a->file = gzip_file_open(a->o->into, a->name, err);
	if (a->file == NULL)
		return err->code;
	ch_buf_adds(&sql, "COPY (SELECT * ");
	add_rows_of_day(&sql, a);
	ch_buf_printf(&sql,
		" ORDER BY %s) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')",
		a->table->order);
	console_progress_begin(&a->progress, a->rt->clock, "written", 0);
	a->rows_run = ch_sha256_begin();
	int rc = ch_pg_copy_out(a->pg, ch_buf_str(&sql), &sink, &a->rows, err);
	a->rows_digest = ch_sha256_end(a->rows_run);
	ch_buf_free(&sql);
	if (rc == 0)
		rc = gzip_file_sync(a->file, &digest, &a->length, err);
	if (rc == 0)
		to_hex(&digest, a->sha256);
	return rc;
}

/* Gives the file its name; one of the same bytes may be there. */
static int
publish(struct archive *a, struct ch_err *err)
{
	struct ch_sha256 digest;
	char there[HEX_MAX];
	int rc = gzip_file_publish(a->file, err);

	if (rc != CH_EEXIST)
		return rc;
	rc = gzip_file_digest(a->path, &digest, err);
	if (rc != 0)
		return rc;
	to_hex(&digest, there);
	if (strcmp(there, a->sha256) == 0) {
		printf("%s is there already, byte for byte\n", a->path);
		return 0;
	}
	return ch_err_set(err, CH_EEXIST,
		"%s is there and has another digest (%s, not %s): it is left "
		"as it is",
		a->path, there, a->sha256);
}

/* ---- what is recorded ---- */

/* 1: recorded before with this digest; CH_EEXIST: with another. */
static int
look_before(struct archive *a, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_archived_before};
	struct ch_pg_args args;
	PGresult *res = NULL;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, a->table->name);
	ch_pg_arg_str(&args, a->o->day);
	rc = ch_pg_query(a->pg, &stmt, &args, &res, err);
	if (rc == 0 && PQntuples(res) == 1) {
		struct ch_pg_row r = ch_pg_row(res, 0);
		a->id = ch_pg_next_i64(&r);
		struct ch_view sha256 = ch_pg_next_text(&r);
		int64_t rows = ch_pg_next_i64(&r);
		struct ch_view file = ch_pg_next_text(&r);
		rc = ch_view_eq_str(sha256, a->sha256);
		if (rc == 0 && !a->o->again)
			rc = ch_err_set(err, CH_EEXIST,
				"archive %" PRId64
				" of that day (%.*s) has %" PRId64
				" rows and digest %.*s, these are %" PRId64
				" rows and %s: %s",
				a->id, CH_VIEW_ARG(file), rows,
				CH_VIEW_ARG(sha256), a->rows, a->sha256,
				rows == a->rows
					? "ROWS WERE CHANGED since"
					: "rows came or went since; --again "
					  "records a further one");
		else if (rc == 1)
			printf("recorded before as archive %" PRId64
			       " (%.*s)\n",
				a->id, CH_VIEW_ARG(file));
	}
	PQclear(res);
	return rc;
}

static int
record(struct archive *a, bool dry_run, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_record_archive};
	struct ch_pg_args args;
	PGresult *res = NULL;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, a->table->name);
	ch_pg_arg_str(&args, a->o->day);
	ch_pg_arg_str(&args, a->path);
	ch_pg_arg_str(&args, a->sha256);
	ch_pg_arg_i64(&args, a->rows);
	ch_pg_arg_str(&args, a->o->actor);
	ch_pg_arg_bool(&args, dry_run);
	ch_pg_arg_str(&args, a->o->reason);
	int rc = ch_pg_query(a->pg, &stmt, &args, &res, err);
	if (rc == 0)
		(void)ch_pg_get_i64(res, 0, 0, &a->id);
	PQclear(res);
	return rc;
}

/* The file has its name before the record is committed: after a crash between
 * the two the same command finds the file and records it. */
static int
publish_and_record(struct archive *a, struct ch_err *err)
{
	int rc = look_before(a, err);

	if (rc == 1)
		return publish(a, err);
	if (rc == 0)
		rc = ch_pg_begin(a->pg, err);
	if (rc == 0)
		rc = record(a, false, err);
	if (rc == 0)
		rc = publish(a, err);
	if (rc == 0 && ch_pg_commit(a->pg, err) != CH_PG_COMMITTED)
		rc = err->code;
	if (rc == 0)
		printf("archive %" PRId64 "\n", a->id);
	else
		(void)ch_pg_rollback(a->pg, NULL);
	return rc;
}

/* ---- is the file what was recorded? ---- */

static int
add_text(void *ctx, struct ch_view bytes, struct ch_err *err)
{
	(void)err;
	ch_sha256_add(ctx, bytes.ptr, bytes.len);
	return 0;
}

/* As it lies there: the recorded bytes, and in them the rows as PostgreSQL
 * gave them. */
static int
read_back(const struct archive *a, struct ch_err *err)
{
	struct ch_sha256 digest;
	char there[HEX_MAX];
	int rc = gzip_file_digest(a->path, &digest, err);

	if (rc != 0)
		return rc;
	to_hex(&digest, there);
	if (strcmp(there, a->sha256) != 0)
		return ch_err_set(err, CH_EIO,
			"%s has digest %s when it is read, written was %s: is "
			"the disk well? Move it away and archive the day again",
			a->path, there, a->sha256);
	struct ch_sha256_run *run = ch_sha256_begin();
	rc = gzip_file_read(a->path, add_text, run, err);
	digest = ch_sha256_end(run);
	if (rc == 0 &&
		memcmp(digest.bytes, a->rows_digest.bytes,
			sizeof(digest.bytes)) != 0)
		rc = ch_err_set(err, CH_EIO,
			"%s does not hold the rows that were written to it",
			a->path);
	return rc;
}

static int
confirm(const struct archive *a, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_confirm_archive};
	struct ch_pg_args args;
	int rc = read_back(a, err);

	if (rc != 0)
		return rc;
	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, a->id);
	ch_pg_arg_str(&args, a->sha256);
	ch_pg_arg_i64(&args, a->rows);
	ch_pg_arg_str(&args, a->o->actor);
	ch_pg_arg_str(&args, a->o->reason);
	return ch_pg_query(a->pg, &stmt, &args, NULL, err);
}

/* ---- the whole ---- */

static int
count_only(struct archive *a, struct ch_err *err)
{
	struct ch_buf sql = CH_BUF_INIT;
	PGresult *res = NULL;

	ch_buf_adds(&sql, "SELECT count(*) ");
	add_rows_of_day(&sql, a);
	int rc = ch_pg_query(a->pg, &(struct ch_pg_stmt){"", ch_buf_str(&sql)},
		NULL, &res, err);
	if (rc == 0)
		(void)ch_pg_get_i64(res, 0, 0, &a->rows);
	PQclear(res);
	ch_buf_free(&sql);
	memset(a->sha256, '0', HEX_MAX - 1);
	if (rc == 0)
		rc = record(a, true, err);
	if (rc == 0)
		printf("would write %" PRId64 " rows to %s\n", a->rows,
			a->path);
	return rc;
}

/* Before any work: record_archive() would refuse it behind all of it. */
static int
look_when(struct archive *a, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_archive_when};
	struct ch_pg_args args;
	PGresult *res = NULL;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, a->table->name);
	ch_pg_arg_str(&args, a->o->day);
	int rc = ch_pg_query(a->pg, &stmt, &args, &res, err);
	if (rc != 0)
		return rc;
	struct ch_pg_row r = ch_pg_row(res, 0);
	bool there = ch_pg_next_bool(&r);
	struct ch_view name = ch_pg_next_text(&r);
	bool written = ch_pg_next_bool(&r);
	struct ch_view from = ch_pg_next_text(&r);
	if (written)
		rc = ch_err_set(err, CH_EEXIST,
			"%s of %s is still written: it can be archived from "
			"%.*s on",
			a->o->day, a->table->name, CH_VIEW_ARG(from));
	else if (!there)
		rc = ch_err_set(err, CH_EEXIST,
			"there is no partition %.*s: SELECT * FROM "
			"ch.retention_status() lists the days that there are, "
			"ch.archives those that were dropped",
			CH_VIEW_ARG(name));
	PQclear(res);
	return rc;
}

static int
failed(const struct archive *a, const struct ch_err *err)
{
	int status = console_failed(a->pg, "archive", err);

	return err->code == CH_EEXIST ? CONSOLE_REFUSED : status;
}

static int
run(struct archive *a)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = look_when(a, &err);

	if (rc == 0 && a->o->dry_run) {
		rc = count_only(a, &err);
	} else if (rc == 0) {
		rc = write_file(a, &err);
		if (rc == 0)
			rc = publish_and_record(a, &err);
		if (rc == 0)
			rc = confirm(a, &err);
		gzip_file_close(a->file);
	}
	if (rc != 0)
		return failed(a, &err);
	if (!a->o->dry_run)
		printf("%s: %" PRId64 " rows, %" PRId64 " bytes\nsha256 %s\n",
			a->path, a->rows, a->length, a->sha256);
	return CONSOLE_DONE;
}

static const struct archive_table *
table_named(const char *name)
{
	for (size_t i = 0; name != NULL && i < TABLES; i++)
		if (strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

/* What is wrong with --into, or NULL; valid until the next call. */
static const char *
check_directory(const char *into)
{
	static char problem[PATH_MAX + 80];
	struct stat st;

	if (stat(into, &st) != 0 || !S_ISDIR(st.st_mode))
		(void)snprintf(problem, sizeof(problem),
			"--into=%s is no directory that is there: mkdir -p %s",
			into, into);
	else if (access(into, W_OK | X_OK) != 0)
		(void)snprintf(problem, sizeof(problem),
			"--into=%s may not be written by user %ld, who calls "
			"this",
			into, (long)geteuid());
	else
		return NULL;
	return problem;
}

/* Where the file will be, as seen from anywhere. */
static const char *
find_place(struct archive *a)
{
	char dir[PATH_MAX];
	const char *problem = check_directory(a->o->into);

	if (problem != NULL)
		return problem;
	if (realpath(a->o->into, dir) == NULL)
		return "--into has no path of its own";
	(void)snprintf(a->name, sizeof(a->name), "%s_%.4s%.2s%.2s.csv.gz",
		a->table->name, a->o->day, a->o->day + 5, a->o->day + 8);
	int n = snprintf(a->path, sizeof(a->path), "%s/%s", dir, a->name);
	return n > 0 && (size_t)n < sizeof(a->path) ? NULL
						    : "--into is too long";
}

static const char *
prepare(struct archive *a)
{
	const struct archive_order *o = a->o;

	a->table = table_named(o->table);
	if (o->table == NULL || o->day == NULL || o->into == NULL)
		return "archive needs --table, --day and --into";
	if (a->table == NULL)
		return "--table is command_log, answers, rejected, outbox, "
		       "trades_public or postings";
	if (!console_day(o->day))
		return "--day is like 2026-10-20";
	return find_place(a);
}

const char *
archive_problem(const struct archive_order *o)
{
	struct archive a = {.o = o};

	return prepare(&a);
}

int
archive_day(const struct ch_runtime *rt, struct ch_pg *pg,
	const struct archive_order *o)
{
	struct archive a = {.rt = rt, .pg = pg, .o = o};
	const char *problem = prepare(&a);

	if (problem == NULL)
		return run(&a);
	(void)fprintf(stderr, "archive: %s\n", problem);
	return CONSOLE_FAILED;
}

int
archive_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct archive_order o = {.again = false};
	const struct console_option options[] = {{"table", &o.table, NULL},
		{"day", &o.day, NULL}, {"into", &o.into, NULL},
		{"actor", &o.actor, NULL}, {"reason", &o.reason, NULL},
		{"again", NULL, &o.again}, {"dry-run", NULL, &o.dry_run},
		{NULL, NULL, NULL}};
	int words;
	char **word;

	if (!console_options(archive_manual, options, argc, argv, &words,
		    &word))
		return CH_EXIT_USAGE;
	const char *problem =
		words > 0 ? "archive takes options only" : archive_problem(&o);
	if (problem != NULL)
		return console_usage(archive_manual, problem);
	if (!console_who(archive_manual, o.actor, o.reason))
		return CH_EXIT_USAGE;
	struct ch_pg *pg = console_connect(rt, "archive", true);
	if (pg == NULL)
		return CH_EXIT_UNAVAILABLE;
	ch_pg_call_timeout_set(pg, CALL_MS);
	int status = archive_day(rt, pg, &o);
	ch_pg_free(pg);
	return status;
}
