/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep: see upkeep.h. What may go is the schema's to say
 * (ch.day_conditions); this is the order of steps.
 */
#include "upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "console.h"
#include "drop_day.h"
#include "ledger_writer_sql.h"
#include "snapshot.h"

#define CALL_MS 3600000
#define SNAPSHOTS_KEPT 7
#define DAY_MAX 11

const char upkeep_manual[] =
	"usage: ledger-writer --database_url=URL upkeep --into=DIR --actor=WHO\n"
	"           --reason=WHY [--dry-run]\n"
	"\n"
	"What is to be done each night, in this order:\n"
	"  1. a snapshot of the books is taken and verified; of older ones the\n"
	"     newest 7 verified ones stay\n"
	"  2. each day that is kept no longer (ch.retention) is closed, archived\n"
	"     into DIR where its table needs that, and dropped; where something\n"
	"     else stands against it, that is named, the day and later ones of its\n"
	"     table stay, and the next table has its turn\n"
	"  3. rate windows of actors that sent nothing for 31 days go\n"
	"A snapshot that does not agree with the postings ends it: nothing is\n"
	"dropped then. It may be run again at any time and goes on where it was.\n"
	"\n"
	"  --into     a directory, as with archive\n"
	"  --dry-run  says what would be done; changes nothing\n"
	"\n"
	"Role: ch_operator. Each step leaves its row in ch.audit_events.\n"
	"Exit status: 0 all done; 1 something failed; 2 something stays that is\n"
	"due, or the books do not agree; 64 usage; 69 no PostgreSQL.\n";

struct upkeep {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	const char *into, *actor, *reason;
	bool dry_run;
	int status; /* the worst so far: failed, refused, done */
};

static void
note(struct upkeep *u, int status)
{
	if (status != CONSOLE_DONE && u->status != CONSOLE_FAILED)
		u->status = status;
}

static void
note_failure(struct upkeep *u, const struct ch_err *err)
{
	note(u, console_failed(u->pg, "upkeep", err));
}

/* $1 actor, $2 reason, $3 dry run */
static void
who_and_why(struct ch_pg_args *a, const struct upkeep *u)
{
	ch_pg_arg_str(a, u->actor);
	ch_pg_arg_str(a, u->reason);
	ch_pg_arg_bool(a, u->dry_run);
}

/* ---- snapshots ---- */

static void
drop_snapshots(struct upkeep *u)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_upkeep_snapshots};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	who_and_why(&a, u);
	ch_pg_arg_i64(&a, SNAPSHOTS_KEPT);
	if (ch_pg_query(u->pg, &stmt, &a, &res, &err) != 0)
		note_failure(u, &err);
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t id = ch_pg_next_i64(&r);

		printf("snapshot %" PRId64 " %s, %" PRId64 " rows\n", id,
			u->dry_run ? "would be dropped" : "was dropped",
			ch_pg_next_i64(&r));
	}
	PQclear(res);
}

/* ---- days ---- */

struct due_day {
	char table[64];
	char day[DAY_MAX];
	bool earlier_goes; /* the day before it of the same table */
};

/* False: it stays, and why is said. archive: that is all it lacks. */
static bool
may_go(struct upkeep *u, const struct due_day *d, bool *archive)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_upkeep_missing};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;
	bool stays = false;

	*archive = false;
	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, d->table);
	ch_pg_arg_str(&a, d->day);
	if (ch_pg_query(u->pg, &stmt, &a, &res, &err) != 0) {
		note_failure(u, &err);
		return false;
	}
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view condition = ch_pg_next_text(&r);
		struct ch_view value = ch_pg_next_text_null(&r);
		struct ch_view needed = ch_pg_next_text_null(&r);
		struct ch_view mend = ch_pg_next_text_null(&r);

		if (ch_view_eq_str(condition, "archive"))
			*archive = true;
		else if (!ch_view_eq_str(condition, "oldest day") ||
			!d->earlier_goes) {
			printf("%s of %s stays: %.*s is %.*s, needed is %.*s\n"
			       "    %.*s\n",
				d->day, d->table, CH_VIEW_ARG(condition),
				CH_VIEW_ARG(value), CH_VIEW_ARG(needed),
				CH_VIEW_ARG(mend));
			stays = true;
		}
	}
	PQclear(res);
	if (stays)
		note(u, CONSOLE_REFUSED);
	return !stays;
}

/* From here on no row comes to it. */
static int
close_day(struct upkeep *u, const struct due_day *d)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_upkeep_close_day};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, d->table);
	ch_pg_arg_str(&a, d->day);
	who_and_why(&a, u);
	if (ch_pg_query(u->pg, &stmt, &a, NULL, &err) == 0)
		return CONSOLE_DONE;
	return console_failed(u->pg, "upkeep", &err);
}

/* True: it went, or would go. */
static bool
let_go(struct upkeep *u, const struct due_day *d)
{
	bool archive;

	if (!may_go(u, d, &archive))
		return false;
	int status = close_day(u, d);
	if (status == CONSOLE_DONE && archive)
		status = archive_day(u->rt, u->pg,
			&(struct archive_order){.table = d->table,
				.day = d->day,
				.into = u->into,
				.actor = u->actor,
				.reason = u->reason,
				.dry_run = u->dry_run});
	if (status == CONSOLE_DONE && u->dry_run)
		printf("%s of %s would be dropped\n", d->day, d->table);
	else if (status == CONSOLE_DONE)
		status = drop_day(u->pg,
			&(struct drop_order){.table = d->table,
				.day = d->day,
				.actor = u->actor,
				.reason = u->reason});
	note(u, status);
	return status == CONSOLE_DONE;
}

static void
drop_days(struct upkeep *u)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_upkeep_days};
	struct ch_err err = CH_ERR_INIT;
	struct due_day d = {.table = ""};
	PGresult *res = NULL;
	char stayed[sizeof(d.table)] = "";

	if (ch_pg_query(u->pg, &stmt, NULL, &res, &err) != 0)
		note_failure(u, &err);
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view table = ch_pg_next_text(&r);
		struct ch_view day = ch_pg_next_text(&r);

		if (ch_view_eq_str(table, stayed))
			continue;
		d.earlier_goes = ch_view_eq_str(table, d.table);
		(void)ch_view_copy(table, d.table, sizeof(d.table));
		(void)ch_view_copy(day, d.day, sizeof(d.day));
		if (!let_go(u, &d))
			(void)ch_view_copy(table, stayed, sizeof(stayed));
		(void)fflush(stdout);
	}
	PQclear(res);
}

/* ---- rate windows ---- */

static void
drop_windows(struct upkeep *u)
{
	static const struct ch_pg_stmt stmt = {
		"", ledger_writer_sql_upkeep_windows};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;
	int64_t n = 0;

	ch_pg_args_clear(&a);
	who_and_why(&a, u);
	if (ch_pg_query(u->pg, &stmt, &a, &res, &err) != 0)
		note_failure(u, &err);
	else if (ch_pg_get_i64(res, 0, 0, &n) && n > 0)
		printf("%" PRId64 " rate windows %s\n", n,
			u->dry_run ? "would be dropped" : "were dropped");
	PQclear(res);
}

/* ---- the whole ---- */

static void
run(struct upkeep *u)
{
	ch_pg_call_timeout_set(u->pg, CALL_MS);
	u->status = snapshot_take_verified(u->rt, u->pg, u->actor, u->reason,
		u->dry_run);
	if (u->status != CONSOLE_DONE)
		return;
	drop_snapshots(u);
	drop_days(u);
	drop_windows(u);
}

static const char *
problem_of(const struct upkeep *u, int words)
{
	if (words > 0 || u->into == NULL)
		return "upkeep needs --into";
	/* before anything is done: any day of a table would do */
	return archive_problem(&(struct archive_order){
		.table = "outbox", .day = "2000-01-01", .into = u->into});
}

int
upkeep_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct upkeep u = {.rt = rt};
	const struct console_option options[] = {{"into", &u.into, NULL},
		{"actor", &u.actor, NULL}, {"reason", &u.reason, NULL},
		{"dry-run", NULL, &u.dry_run}, {NULL, NULL, NULL}};
	int words;
	char **word;

	if (!console_options(upkeep_manual, options, argc, argv, &words, &word))
		return CH_EXIT_USAGE;
	const char *problem = problem_of(&u, words);
	if (problem != NULL)
		return console_usage(upkeep_manual, problem);
	if (!console_who(upkeep_manual, u.actor, u.reason))
		return CH_EXIT_USAGE;
	u.pg = console_connect(rt, "upkeep", true);
	if (u.pg == NULL)
		return CH_EXIT_UNAVAILABLE;
	run(&u);
	ch_pg_free(u.pg);
	if (u.status == CONSOLE_DONE)
		printf("upkeep %s\n", u.dry_run ? "would be done" : "is done");
	return u.status;
}
