/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: see replay.h.
 */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "archived_log.h"
#include "compare.h"
#include "console.h"
#include "history.h"
#include "ledger_writer_sql.h"
#include "redo.h"
#include "target.h"

#define CALL_MS 86400000 /* comparing takes what it takes */
#define COMMIT_ROWS 5000
#define COMMIT_BATCHES 50
#define ANALYZE_FIRST 2000 /* rows; then eight times as many, and so on */
#define CAUGHT_UP 2000	   /* rows that the last round may have */
#define ROUNDS_MAX 50
#define SHOWN 20
#define TEXT_SHOWN 2000

const char replay_manual[] =
	"usage: ledger-writer --database_url=URL replay --into=SCHEMA\n"
	"           [--from=SNAPSHOT] [--until=TIME] [--archives=DIR]\n"
	"           [--differences=20]\n"
	"\n"
	"Rebuilds the books from the log and compares: every balance, hold, stock\n"
	"row, reservation, order, fill, position, market, own trade, reversal, rate\n"
	"window and posting. Each command is decided again by the writer's own\n"
	"rules, and its answer compared byte for byte with the one that was given.\n"
	"\n"
	"  --into         schema for the rebuilt tables: made, or there and empty.\n"
	"                 It stays; DROP SCHEMA ... CASCADE when you have looked\n"
	"  --from         number of a snapshot (ch.snapshots) to begin with;\n"
	"                 without it: the beginning of the log\n"
	"  --until        2026-11-28T12:00:00Z: the books as they were then. Rows\n"
	"                 that have changed since are not compared, balances are:\n"
	"                 with what the postings say of that time\n"
	"  --archives     the log's dropped days, as `archive` wrote them: read\n"
	"                 where the log does not reach; digests must be those of\n"
	"                 ch.archives\n"
	"  --differences  how many of each table, and of the answers, are shown\n"
	"\n"
	"Reads the books and never writes to them. The role must be a member of\n"
	"ch_operator, and own the schema or be allowed to create one (GRANT CREATE\n"
	"ON DATABASE). Writers may go on; the comparison holds one snapshot of the\n"
	"database for as long as it says. Needs a primary; Kafka is not needed.\n"
	"Taken from the log as they are: answers that rest on absence (*_not_found,\n"
	"version_conflict, a refused trade, a group that failed behind a row which it\n"
	"made itself), and the numbers of rows, which the log does not have.\n"
	"Exit status: 0 equal; 1 failed; 2 not equal, or refused; 64 usage; 69 no\n"
	"PostgreSQL.\n"
	"\n"
	"  ledger-writer --database_url=\"$OPERATOR_URL\" replay --into=check1 \\\n"
	"      --from=17\n";

struct replay {
	const struct ch_runtime *rt;
	const char *into, *source, *archives;
	int64_t snapshot; /* 0: from the beginning */
	bool has_until;
	struct ch_time until;
	int64_t shown;
	struct session session;
	struct history history;
	struct target_rules rules;
	struct redo redo;
	struct console_progress progress;
	int64_t analyze_at; /* rows of the log */
	int64_t batch_high; /* of the snapshot */
	int64_t *below;	    /* batches up to it that were replayed */
	size_t below_count, below_cap;
	int64_t differences_shown;
};

/* ---- what to begin with ---- */

static int
no_such_snapshot(struct replay *r, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_replay_snapshots};
	PGresult *res = NULL;
	int rc = ch_pg_query(r->session.pg, &stmt, NULL, &res, err);

	if (rc == 0) {
		struct ch_pg_row row = ch_pg_row(res, 0);
		struct ch_view newest = ch_pg_next_text_null(&row);
		rc = ch_err_set(err, CH_ENOTFOUND,
			"there is no snapshot %lld; %s%.*s",
			(long long)r->snapshot,
			newest.len > 0 ? "the newest: " : "none was taken yet",
			CH_VIEW_ARG(newest));
	}
	PQclear(res);
	return rc;
}

static int
check_snapshot(struct replay *r, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_replay_snapshot};
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, r->snapshot);
	if (r->has_until)
		ch_pg_arg_time(&a, r->until);
	else
		ch_pg_arg_null(&a, CH_PG_TIMESTAMPTZ);
	int rc = ch_pg_query(r->session.pg, &stmt, &a, &res, err);
	if (rc == 0 && PQntuples(res) == 0)
		rc = no_such_snapshot(r, err);
	if (rc == 0) {
		struct ch_pg_row row = ch_pg_row(res, 0);
		r->batch_high = ch_pg_next_i64(&row);
		bool verified = ch_pg_next_bool(&row);
		struct ch_view taken = ch_pg_next_text(&row);
		if (ch_pg_next_bool(&row))
			rc = ch_err_set(err, CH_ERANGE,
				"snapshot %lld is later than --until: name an "
				"earlier one",
				(long long)r->snapshot);
		else
			printf("from snapshot %lld of %.*s%s\n",
				(long long)r->snapshot, CH_VIEW_ARG(taken),
				verified ? "" : " (not verified)");
	}
	PQclear(res);
	return rc;
}

static int
start_at_vector(struct replay *r, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_replay_vector};
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, r->snapshot);
	int rc = ch_pg_query(r->session.pg, &stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row row = ch_pg_row(res, i);
		int32_t stream = ch_pg_next_i32(&row);
		int64_t next = ch_pg_next_i64(&row);
		if (ch_pg_row_ok(&row, err))
			history_start(&r->history, stream, next);
		else
			rc = err->code;
	}
	PQclear(res);
	return rc;
}

/* In one transaction: what is refused leaves no tables behind. */
static int
prepare(struct replay *r, struct ch_err *err)
{
	int rc = ch_pg_exec(r->session.pg, "BEGIN", err);

	if (rc == 0)
		rc = target_make(&r->session, r->into, r->source, err);
	if (rc == 0 && r->snapshot > 0)
		rc = check_snapshot(r, err);
	else if (rc == 0)
		printf("from the beginning of the log\n");
	if (rc == 0)
		rc = archived_log_load(&r->session, r->snapshot, r->archives,
			err);
	if (rc == 0 && r->snapshot > 0)
		rc = target_load(&r->session, r->snapshot, err);
	if (rc == 0 && r->snapshot > 0)
		rc = start_at_vector(r, err);
	if (rc == 0 && r->snapshot > 0)
		rc = target_analyze(&r->session, err);
	if (rc == 0)
		rc = ch_pg_exec(r->session.pg, "COMMIT", err);
	r->rules.from = r->batch_high;
	r->analyze_at = ANALYZE_FIRST;
	(void)fflush(stdout);
	return rc;
}

/* ---- answers that differ ---- */

static void
print_answer(const char *who, struct ch_view answer)
{
	printf("    %-9s ", who);
	console_print(answer, TEXT_SHOWN);
	printf("\n");
}

static void
differs(void *ctx, const struct history_row *row,
	const struct redo_difference *d)
{
	struct replay *r = ctx;
	char id[CH_UUID_TEXT_MAX];

	if (r->differences_shown++ >= r->shown)
		return;
	ch_uuid_format(&row->id, id);
	printf("  answer of %s (%.*s, batch %lld place %d, stream %d row "
	       "%lld): %s\n",
		id, CH_VIEW_ARG(row->type), (long long)row->batch, row->pos,
		row->from->stream, (long long)row->log_seq, d->why);
	print_answer("stored", d->stored);
	if (d->replayed.len > 0)
		print_answer("replayed", d->replayed);
}

/* ---- rounds ---- */

static void
note_below(struct replay *r, int64_t batch)
{
	if (batch > r->batch_high)
		return;
	if (r->below_count == r->below_cap) {
		r->below_cap = r->below_cap > 0 ? r->below_cap * 2 : 16;
		r->below = ch_xrealloc(r->below, r->below_cap, sizeof(int64_t));
	}
	r->below[r->below_count++] = batch;
}

/* Plans made while the tables were small choose an index at random: made anew
 * as they grow. */
static int
commit_and_begin(struct replay *r, struct ch_err *err)
{
	int rc = 0;

	if (r->redo.counts.rows >= r->analyze_at) {
		rc = target_analyze(&r->session, err);
		r->analyze_at *= 8;
	}
	return rc == 0 ? ch_pg_exec(r->session.pg, "COMMIT; BEGIN", err) : rc;
}

/* Decides everything below the cut. commits: not in one transaction. */
static int
replay_round(struct replay *r, bool commits, int64_t before, struct ch_err *err)
{
	struct history *h = &r->history;
	int64_t rows = 0;
	int64_t batches = 0;
	int rc = target_read_rules(&r->session, &r->rules, err);

	while (rc == 0 && (rc = history_next(h, err)) == 1) {
		note_below(r, h->rows[0].batch);
		rc = target_change_rules(&r->session, &r->rules,
			h->rows[0].batch, err);
		r->redo.has_rules = r->rules.any;
		if (rc == 0)
			rc = redo_batch(&r->redo, h->rows, h->row_count, err);
		rows += (int64_t)h->row_count;
		if (rc == 0 && commits &&
			(rows >= COMMIT_ROWS || ++batches >= COMMIT_BATCHES)) {
			rc = commit_and_begin(r, err);
			rows = batches = 0;
		}
		console_progress(&r->progress, before + h->passed);
	}
	return rc;
}

/* Until little is left. */
static int
catch_up(struct replay *r, struct ch_err *err)
{
	int64_t left = 0;
	int64_t done = 0;
	int rc = 0;

	console_progress_begin(&r->progress, r->rt->clock, "replayed", 0);
	for (int round = 0; rc == 0 && round < ROUNDS_MAX; round++) {
		rc = ch_pg_exec(r->session.pg, "BEGIN", err);
		if (rc == 0)
			rc = history_cut(&r->history, &left, err);
		r->progress.of = done + left;
		if (rc == 0)
			rc = replay_round(r, true, done, err);
		if (rc == 0)
			rc = ch_pg_exec(r->session.pg, "COMMIT", err);
		done += left;
		if (left <= CAUGHT_UP)
			break;
	}
	return rc;
}

static void
print_counts(const struct replay *r)
{
	const struct redo_counts *c = &r->redo.counts;
	int64_t ms = console_progress_ms(&r->progress);

	printf("%" PRId64 " rows of the log in %" PRId64 " batches, %" PRId64
	       ".%" PRId64 " s, %" PRId64 " rows/s\n",
		c->rows, c->batches, ms / 1000, ms % 1000 / 100,
		ms > 0 ? c->rows * 1000 / ms : c->rows);
	printf("answers: %" PRId64 " applied and %" PRId64 " refused decided "
	       "again, %" PRId64 " differ; %" PRId64 " that rest on absence "
	       "are the log's\n",
		c->applied, c->refused, c->differ, c->absent);
	if (r->differences_shown > r->shown)
		printf("  (%" PRId64 " differences were not shown)\n",
			r->differences_shown - r->shown);
}

static void
print_cut(const struct replay *r)
{
	const char *comma = "";

	printf("compared at");
	for (size_t i = 0; i < r->history.count; i++) {
		const struct history_stream *s = r->history.streams[i];

		if (s->end <= 1)
			continue;
		printf("%s %s/%d row %lld", comma, s->topic, s->part,
			(long long)s->end - 1);
		comma = ",";
	}
	if (r->has_until) {
		char text[CH_TIME_TEXT_MAX];
		(void)ch_time_format(r->until, text);
		printf(", what was decided until %s", text);
	}
	printf("\n");
}

/* The rebuilt state, as far as it fits a line. */
static int
print_totals(struct replay *r, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_replay_totals};
	PGresult *res = NULL;
	int rc = ch_pg_query(r->session.pg, &stmt, NULL, &res, err);

	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row row = ch_pg_row(res, i);
		printf("  %s ", i == 0 ? "balances of" : "           ");
		console_print(ch_pg_next_text(&row), 64);
		printf(" in ");
		console_print(ch_pg_next_text(&row), 128);
		printf(": %" PRId64 " accounts, sum ", ch_pg_next_i64(&row));
		console_print(ch_pg_next_text(&row), 60);
		printf(", held ");
		console_print(ch_pg_next_text(&row), 60);
		printf("\n");
	}
	PQclear(res);
	return rc;
}

/* The rest of the log and the books, in one snapshot. */
static int
finish(struct replay *r, int64_t *differ, struct ch_err *err)
{
	struct compare c = {.session = &r->session,
		.has_until = r->has_until,
		.until = r->until,
		.batch_high = r->batch_high,
		.shown = r->shown};
	int64_t left = 0;
	int rc = ch_pg_exec(r->session.pg,
		"BEGIN ISOLATION LEVEL REPEATABLE READ", err);
	struct ch_mono began = ch_clock_mono(r->rt->clock);

	if (rc == 0)
		rc = history_cut(&r->history, &left, err);
	if (rc == 0)
		rc = replay_round(r, false, 0, err);
	if (rc == 0)
		rc = target_change_rules(&r->session, &r->rules, INT64_MAX,
			err);
	if (rc != 0)
		return rc;
	print_counts(r);
	print_cut(r);
	rc = print_totals(r, err);
	(void)fflush(stdout);
	if (rc != 0)
		return rc;
	c.batches = r->below;
	c.batch_count = r->below_count;
	rc = compare_all(&c, err);
	int64_t ms = ch_mono_ms_since(ch_clock_mono(r->rt->clock), began);
	if (rc == 0)
		rc = ch_pg_exec(r->session.pg, "COMMIT", err);
	printf("(the snapshot for that was held %" PRId64 ".%" PRId64 " s)\n",
		ms / 1000, ms % 1000 / 100);
	*differ = c.differ;
	return rc;
}

/* ---- the whole ---- */

static int
verdict(const struct replay *r, int64_t differ)
{
	int64_t answers = r->redo.counts.differ;

	if (differ + answers == 0) {
		printf(r->has_until
				? "equal: what the log says is what the books "
				  "say of that time\n"
				: "equal: what the log says is what the books "
				  "have\n");
		return CONSOLE_DONE;
	}
	printf("NOT EQUAL: %" PRId64 " rows of the books and %" PRId64
	       " answers differ\n",
		differ, answers);
	return CONSOLE_REFUSED;
}

static int
refused_or_failed(const struct ch_err *err)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "replay: %s\n", err->text);
	return err->code == CH_EEXIST || err->code == CH_ENOTFOUND ||
			err->code == CH_ERANGE
		? CONSOLE_REFUSED
		: CONSOLE_FAILED;
}

static int
run(struct replay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int64_t differ = 0;
	int rc = prepare(r, &err);

	r->redo.differs = differs;
	r->redo.ctx = r;
	if (rc == 0)
		rc = catch_up(r, &err);
	if (rc == 0)
		rc = finish(r, &differ, &err);
	return rc == 0 ? verdict(r, differ) : refused_or_failed(&err);
}

static int
connect_and_run(struct replay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int status = CH_EXIT_UNAVAILABLE;

	if (session_open(&r->session, r->rt, &err) != 0 ||
		ch_pg_connect(r->session.pg, &err) != 0) {
		(void)fprintf(stderr, "replay: %s\n", err.text);
	} else {
		ch_pg_call_timeout_set(r->session.pg, CALL_MS);
		history_init(&r->history, &r->session);
		r->history.has_until = r->has_until;
		r->history.until = r->until;
		redo_init(&r->redo, &r->session);
		status = run(r);
		redo_free(&r->redo);
		history_free(&r->history);
		PQclear(r->rules.changes);
		free(r->below);
	}
	session_close(&r->session);
	return status;
}

static const char *
take_values(struct replay *r, const char *from, const char *until,
	const char *shown, struct ch_err *err)
{
	r->shown = SHOWN;
	if (r->into == NULL)
		return "replay --into which schema?";
	if (target_check_name(r->into, err) != 0 ||
		target_check_name(r->source, err) != 0)
		return err->text;
	if (strcmp(r->into, r->source) == 0)
		return "--into names the books themselves";
	if (from != NULL &&
		ch_view_int(ch_view_of(from), 1, INT64_MAX, &r->snapshot) != 0)
		return "--from is the number of a snapshot";
	if (shown != NULL &&
		ch_view_int(ch_view_of(shown), 0, 1000000, &r->shown) != 0)
		return "--differences is a number";
	r->has_until = until != NULL;
	if (until != NULL && !ch_time_parse(ch_view_of(until), &r->until))
		return "--until is like 2026-11-28T12:00:00Z";
	return NULL;
}

int
replay_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct replay r = {
		.rt = rt, .source = ch_params_str(rt->params, "schema")};
	const char *from = NULL;
	const char *until = NULL;
	const char *shown = NULL;
	const struct console_option options[] = {{"into", &r.into, NULL},
		{"from", &from, NULL}, {"until", &until, NULL},
		{"archives", &r.archives, NULL}, {"differences", &shown, NULL},
		{NULL, NULL, NULL}};
	struct ch_err err = CH_ERR_INIT;
	int words;
	char **word;

	if (!console_options(replay_manual, options, argc, argv, &words, &word))
		return CH_EXIT_USAGE;
	const char *problem = words > 0
		? "replay takes options only"
		: take_values(&r, from, until, shown, &err);
	return problem != NULL ? console_usage(replay_manual, problem)
			       : connect_and_run(&r);
}
