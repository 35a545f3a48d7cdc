/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_day: see drop_day.h. The conditions are the schema's, here they are only
 * shown.
 */
#include "drop_day.h"

#include <stdio.h>

#include "console.h"
#include "ledger_writer_sql.h"

#define CALL_MS 3600000
#define WAIT_MS 10000 /* for the table to be free for a moment */

const char drop_day_manual[] =
	"usage: ledger-writer --database_url=URL drop-day --table=TABLE "
	"--day=DAY\n"
	"           --actor=WHO --reason=WHY [--dry-run]\n"
	"\n"
	"Drops the partition of one day, when nothing needs it any more: it is old\n"
	"enough and the oldest, every relay has delivered it, the reconciler has\n"
	"seen it whole, a verified snapshot covers it, and an archive holds every\n"
	"row. (Each table has those that apply: ch.retention.)\n"
	"\n"
	"  --table    command_log, answers, rejected, outbox, trades_public, postings\n"
	"  --day      2026-10-20\n"
	"  --dry-run  lists the conditions, and what to do about those that do not\n"
	"             hold; drops nothing\n"
	"\n"
	"Role: ch_operator. Leaves a row in ch.audit_events with the day's archive.\n"
	"Exit status: 0 dropped (dry run: it may be); 1 failed; 2 the day stays;\n"
	"64 usage; 69 no PostgreSQL.\n";

/* How many conditions do not hold. */
static int
print_conditions(const PGresult *res)
{
	int bad = 0;

	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view condition = ch_pg_next_text(&r);
		bool ok = ch_pg_next_bool(&r);

		bad += !ok;
		printf("  %-4s %-28.*s ", ok ? "ok" : "NO",
			CH_VIEW_ARG(condition));
		console_print(ch_pg_next_text_null(&r), 300);
		printf(" (needed: ");
		console_print(ch_pg_next_text_null(&r), 200);
		printf(")\n");
		struct ch_view mend = ch_pg_next_text_null(&r);
		if (!ok) {
			printf("       %-28s ", "");
			console_print(mend, 400);
			printf("\n");
		}
	}
	return bad;
}

/* The refused drop names one condition: shows the others too. */
static int
refused(struct ch_pg *pg, const struct drop_order *d, const struct ch_err *err)
{
	struct drop_order asked = *d;
	int status = console_failed(pg, "drop-day", err);

	asked.dry_run = true;
	if (status == CONSOLE_REFUSED && !d->dry_run)
		(void)drop_day(pg, &asked);
	return status;
}

int
drop_day(struct ch_pg *pg, const struct drop_order *d)
{
	static const struct ch_pg_stmt stmt = {"", ledger_writer_sql_drop_day};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	PGresult *res = NULL;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, d->table);
	ch_pg_arg_str(&a, d->day);
	ch_pg_arg_str(&a, d->actor);
	ch_pg_arg_str(&a, d->reason);
	ch_pg_arg_bool(&a, d->dry_run);
	ch_pg_arg_i32(&a, WAIT_MS);
	if (ch_pg_query(pg, &stmt, &a, &res, &err) != 0)
		return refused(pg, d, &err);
	int bad = print_conditions(res);
	PQclear(res);
	printf("%s of %s %s\n", d->day, d->table,
		bad > 0		     ? "stays"
			: d->dry_run ? "may be dropped"
				     : "was dropped");
	return bad > 0 ? CONSOLE_REFUSED : CONSOLE_DONE;
}

int
drop_day_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct drop_order d = {.dry_run = false};
	const struct console_option options[] = {{"table", &d.table, NULL},
		{"day", &d.day, NULL}, {"actor", &d.actor, NULL},
		{"reason", &d.reason, NULL}, {"dry-run", NULL, &d.dry_run},
		{NULL, NULL, NULL}};
	int words;
	char **word;

	if (!console_options(drop_day_manual, options, argc, argv, &words,
		    &word))
		return CH_EXIT_USAGE;
	if (words > 0 || d.table == NULL || d.day == NULL)
		return console_usage(drop_day_manual,
			"drop-day needs --table and --day");
	if (!console_day(d.day))
		return console_usage(drop_day_manual,
			"--day is like 2026-10-20");
	if (!console_who(drop_day_manual, d.actor, d.reason))
		return CH_EXIT_USAGE;
	struct ch_pg *pg = console_connect(rt, "drop-day", true);
	if (pg == NULL)
		return CH_EXIT_UNAVAILABLE;
	ch_pg_call_timeout_set(pg, CALL_MS);
	int status = drop_day(pg, &d);
	ch_pg_free(pg);
	return status;
}
