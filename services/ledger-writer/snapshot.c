/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: see snapshot.h.
 */
#include "snapshot.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "ledger_writer_sql.h"

#define CALL_MS 3600000
#define VERIFY_WAIT_MS 60000 /* for the batches of that moment to end */
#define AGAIN_MS 500

const char snapshot_manual[] =
	"usage: ledger-writer --database_url=URL snapshot --actor=WHO "
	"--reason=WHY\n"
	"           [--verify] [--dry-run]\n"
	"       ledger-writer --database_url=URL snapshot <id> --verify "
	"--actor=WHO\n"
	"           [--reason=WHY] [--from-nothing] [--dry-run]\n"
	"\n"
	"Copies the books (accounts, balances, holds, stock, orders, markets,\n"
	"positions, rate windows, ...) with the offset of each partition, in one\n"
	"MVCC snapshot: where a replay may begin, and what lets the log before it\n"
	"be dropped once it is verified. Writers go on; vacuum waits for the\n"
	"seconds that it takes.\n"
	"\n"
	"  --verify        compares it with the postings and with itself, going on\n"
	"                  from the last verified one; waits up to 60 s for batches\n"
	"                  that were under way\n"
	"  --from-nothing  the same from the first posting\n"
	"  --dry-run       counts, copies and marks nothing\n"
	"\n"
	"Role: ch_operator. Leaves a row in ch.audit_events.\n"
	"Exit status: 0 done; 1 failed; 2 refused, or not in agreement with the\n"
	"postings; 64 usage; 69 no PostgreSQL.\n";

struct snapshot {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	const char *actor, *reason;
	bool verify, from_nothing, dry_run;
	int64_t id; /* 0: one is to be taken */
};

static void
print_seconds(const struct snapshot *s, struct ch_mono began)
{
	int64_t ms = ch_mono_ms_since(ch_clock_mono(s->rt->clock), began);

	printf("%" PRId64 ".%03" PRId64 " s\n", ms / 1000, ms % 1000);
}

/* ---- taking ---- */

static int
print_vector(struct snapshot *s, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_snapshot_vector};
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, s->id);
	int rc = ch_pg_query(s->pg, &stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		printf("  %s", i == 0 ? "vector     " : "           ");
		console_print(ch_pg_next_text(&r), 249);
		printf("/%" PRId32, ch_pg_next_i32(&r));
		printf(" offset %" PRId64, ch_pg_next_i64(&r));
		printf(", row %" PRId64 "\n", ch_pg_next_i64(&r));
	}
	PQclear(res);
	return rc;
}

static void
print_tables(struct snapshot *s, const PGresult *res)
{
	int64_t rows = 0;

	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		bool none = false;
		int64_t id = ch_pg_next_i64_null(&r, &none);
		struct ch_view table = ch_pg_next_text(&r);
		int64_t n = ch_pg_next_i64(&r);

		if (!none)
			s->id = id;
		rows += n;
		printf("  %-20.*s %12" PRId64 "\n", CH_VIEW_ARG(table), n);
	}
	printf("  %-20s %12" PRId64 "\n", "rows in all", rows);
}

static int
ask_for_it(struct snapshot *s, PGresult **res, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_take_snapshot};
	struct ch_pg_args a;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, s->actor);
	ch_pg_arg_str(&a, s->reason);
	ch_pg_arg_bool(&a, s->dry_run);
	int rc =
		ch_pg_exec(s->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ", err);
	if (rc == 0)
		rc = ch_pg_query(s->pg, &stmt, &a, res, err);
	return rc == 0 ? ch_pg_exec(s->pg, "COMMIT", err) : rc;
}

static int
take(struct snapshot *s)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_mono began = ch_clock_mono(s->rt->clock);
	PGresult *res = NULL;
	int rc = ask_for_it(s, &res, &err);

	if (rc == 0) {
		printf(s->dry_run ? "would be copied, counted in "
				  : "taken in ");
		print_seconds(s, began);
		print_tables(s, res);
	}
	PQclear(res);
	if (rc == 0 && !s->dry_run) {
		printf("snapshot %" PRId64 "\n", s->id);
		rc = print_vector(s, &err);
	}
	return rc == 0 ? CONSOLE_DONE : console_failed(s->pg, "snapshot", &err);
}

/* ---- verifying ---- */

static int
ask_whether(struct snapshot *s, PGresult **res, struct ch_err *err)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_verify_snapshot};
	struct ch_pg_args a;

	ch_pg_args_clear(&a);
	ch_pg_arg_i64(&a, s->id);
	ch_pg_arg_str(&a, s->actor);
	ch_pg_arg_bool(&a, s->from_nothing);
	ch_pg_arg_bool(&a, s->dry_run);
	ch_pg_arg_str(&a, s->reason);
	return ch_pg_query(s->pg, &stmt, &a, res, err);
}

static void
print_differences(const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);

		printf("  ");
		console_print(ch_pg_next_text(&r), 80);
		printf(" of ");
		console_print(ch_pg_next_text(&r), 80);
		printf(" ");
		console_print(ch_pg_next_text(&r), 200);
		printf(": should be ");
		console_print(ch_pg_next_text_null(&r), 80);
		printf(", is ");
		console_print(ch_pg_next_text_null(&r), 80);
		printf("\n");
	}
}

/* Transactions of that moment may still run: asked again until they do not. */
static int
verify(struct snapshot *s)
{
	struct ch_mono began = ch_clock_mono(s->rt->clock);
	struct ch_err err = CH_ERR_INIT;
	PGresult *res = NULL;
	int rc = ask_whether(s, &res, &err);

	while (rc == CH_ESQL && strcmp(err.sqlstate, "55000") == 0 &&
		ch_mono_ms_since(ch_clock_mono(s->rt->clock), began) <
			VERIFY_WAIT_MS) {
		(void)fprintf(stderr, "snapshot: waits: %s\n", err.text);
		(void)poll(NULL, 0, AGAIN_MS);
		rc = ask_whether(s, &res, &err);
	}
	if (rc != 0)
		return console_failed(s->pg, "snapshot", &err);
	int differ = PQntuples(res);
	printf(differ == 0 ? "snapshot %" PRId64 " agrees with the postings, "
			   : "snapshot %" PRId64
			     " DOES NOT AGREE with the postings, ",
		s->id);
	print_seconds(s, began);
	print_differences(res);
	PQclear(res);
	return differ == 0 ? CONSOLE_DONE : CONSOLE_REFUSED;
}

static int
run(struct snapshot *s)
{
	int status = CONSOLE_DONE;

	ch_pg_call_timeout_set(s->pg, CALL_MS);
	if (s->id == 0)
		status = take(s);
	(void)fflush(stdout);
	if (status == CONSOLE_DONE && s->verify && s->id != 0)
		status = verify(s);
	return status;
}

int
snapshot_take_verified(const struct ch_runtime *rt, struct ch_pg *pg,
	const char *actor, const char *reason, bool dry_run)
{
	struct snapshot s = {.rt = rt,
		.pg = pg,
		.actor = actor,
		.reason = reason,
		.verify = true,
		.dry_run = dry_run};

	return run(&s);
}

int
snapshot_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct snapshot s = {.rt = rt};
	const struct console_option options[] = {{"actor", &s.actor, NULL},
		{"reason", &s.reason, NULL}, {"verify", NULL, &s.verify},
		{"from-nothing", NULL, &s.from_nothing},
		{"dry-run", NULL, &s.dry_run}, {NULL, NULL, NULL}};
	int words;
	char **word;

	if (!console_options(snapshot_manual, options, argc, argv, &words,
		    &word))
		return CH_EXIT_USAGE;
	if (words > 1 ||
		(words == 1 &&
			(ch_view_int(ch_view_of(word[0]), 1, INT64_MAX,
				 &s.id) != 0 ||
				!s.verify)))
		return console_usage(snapshot_manual,
			"snapshot takes options, or a snapshot's number and "
			"--verify");
	if (s.id > 0 && s.reason == NULL)
		s.reason = ""; /* nothing is taken: the outcome is enough */
	if (!console_who(snapshot_manual, s.actor, s.reason))
		return CH_EXIT_USAGE;
	s.pg = console_connect(rt, "snapshot", true);
	if (s.pg == NULL)
		return CH_EXIT_UNAVAILABLE;
	int status = run(&s);
	ch_pg_free(s.pg);
	return status;
}
