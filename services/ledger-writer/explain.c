/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: see explain.h. The document comes from PostgreSQL; here it is
 * printed, the way somebody reads who has been woken by it.
 */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "advice.h"
#include "console.h"
#include "ledger_writer_sql.h"

#define NODES_MAX 4000000
#define ANSWER_SHOWN 2048
#define VALUE_SHOWN 1024
#define AGAIN_SHOWN 10
#define LINES_SHOWN 20 /* of each list: a page of a settlement has 1,000 */

const char explain_manual[] =
	"usage: ledger-writer --database_url=URL explain <id> [--org=NAME]\n"
	"           [--within=1h] [--json]\n"
	"\n"
	"What became of a command, on one screen: where it was read, what was\n"
	"asked, decided and why, the answer, balances, held, limits, stock, holds,\n"
	"reservations, orders, markets, positions and trades before and after,\n"
	"events, rate limits, further answers to the same id, its dead letter,\n"
	"between which two moments its answer left (it was acknowledged, with all\n"
	"that is before it), and what to do next. Of long lists 20 lines, of long\n"
	"texts the beginning; --json has all.\n"
	"\n"
	"  <id>        as the producer sent it (UUIDv7 or ULID), a timer's id\n"
	"              from an answer or a statement, or a dead letter's id\n"
	"  --org       of this organisation only (an id may be used in several)\n"
	"  --within    answers that did not take the id (duplicates, refusals for\n"
	"              now, unreadable) are looked for so long after the id's own\n"
	"              time: 90s, 30m, 1h (default), 2d\n"
	"  --json      the same as one JSON document\n"
	"\n"
	"Reads only; works on a standby; the role ch_operator is enough. Kafka is\n"
	"not needed.\n"
	"Exit status: 0 found; 1 failed; 2 not seen by this ledger; 64 usage;\n"
	"69 no PostgreSQL.\n"
	"\n"
	"  ledger-writer --database_url=\"$OPERATOR_URL\" explain \\\n"
	"      01936f5e-9c00-7000-8000-000000000001 --org=acme\n";

struct explain {
	const char *id, *org;
	int64_t within_s;
	bool json;
};

/* ---- members of the document ---- */

static const struct ch_json *
get(const struct ch_json *v, const char *name)
{
	const struct ch_json *m = ch_json_get(v, name);

	return m != NULL && m->type != CH_JSON_NULL ? m : NULL;
}

/* A string without quotes, anything else as it stands; len 0: none. */
static struct ch_view
text(const struct ch_json *v, const char *name)
{
	const struct ch_json *m = get(v, name);

	if (m == NULL)
		return (struct ch_view){"", 0};
	return m->type == CH_JSON_STRING ? m->str : m->text;
}

static bool
is(const struct ch_json *v, const char *name, const char *value)
{
	return ch_view_eq_str(text(v, name), value);
}

static const struct ch_json *
first(const struct ch_json *v, const char *name)
{
	const struct ch_json *m = get(v, name);

	return m != NULL ? m->child : NULL;
}

static void
show(const struct ch_json *v, const char *name)
{
	console_print(text(v, name), VALUE_SHOWN);
}

static void
show_pair(const char *title, const struct ch_json *v, const char *name)
{
	if (text(v, name).len > 0)
		console_pair(title, text(v, name));
}

static void
title(const char *name)
{
	printf("  %-10s ", name);
}

/* ---- one decision ---- */

static void
print_place(const struct ch_json *row)
{
	title("read");
	if (is(row, "source", "timer")) {
		printf("not from Kafka: decided by a timer");
	} else {
		printf("from ");
		show(row, "topic");
		printf("/");
		show(row, "part");
		printf(" at offset ");
		show(row, "offset");
		if (text(row, "key").len > 0) {
			printf(", answer's key ");
			show(row, "key");
		}
	}
	printf("\n");
	title("decided");
	show(row, "decided_at");
	printf(", batch ");
	show(row, "batch");
	printf(" place ");
	show(row, "pos");
	printf(", row ");
	show(row, "log_seq");
	printf(" of stream ");
	show(row, "stream");
	printf(" (%.*s)\n", CH_VIEW_ARG(text(row, "found_in")));
}

static void
print_why(const struct ch_json *row)
{
	title("status");
	show(row, "status");
	if (is(row, "found_in", "command_log"))
		printf(is(row, "status", "applied")
				? ": the id is taken by this answer"
				: ": refused by the books; the id is taken by "
				  "this answer");
	else
		printf(": this answer does not take the id");
	printf("\n");
	show_pair("why", row, "reason");
	if (is(row, "found_in", "command_log")) {
		title("asked");
		show(row, "command");
		printf("\n");
	}
	show_pair("actor", row, "actor");
	show_pair("ref", row, "ref");
	show_pair("trace", row, "traceparent");
}

static void
print_more(int n)
{
	if (n > LINES_SHOWN)
		printf("  %-10s and %d more (--json has all)\n", "",
			n - LINES_SHOWN);
}

static void
print_posting(const struct ch_json *p)
{
	show(p, "account");
	if (!is(p, "shard", "0")) {
		printf("#");
		show(p, "shard");
	}
	printf("  ");
	show(p, "before");
	printf("%s", text(p, "amount").ptr[0] == '-' ? "  " : "  +");
	show(p, "amount");
	printf("  =  ");
	show(p, "after");
	printf(" ");
	show(p, "asset");
	printf("\n");
}

static void
print_postings(const struct ch_json *row)
{
	int n = 0;

	for (const struct ch_json *p = first(row, "postings"); p != NULL;
		p = p->next) {
		if (++n > LINES_SHOWN)
			continue;
		title(n == 1 ? "postings" : "");
		print_posting(p);
	}
	print_more(n);
	if (n == 0 && is(row, "status", "applied") &&
		is(row, "found_in", "command_log"))
		console_pair("postings", CH_VIEW("none"));
}

/* Of the rows that the command touched: what postings do not say. */
static void
print_changes(const struct ch_json *row)
{
	int n = 0;

	for (const struct ch_json *c = first(row, "changes"); c != NULL;
		c = c->next) {
		if (++n > LINES_SHOWN)
			continue;
		title(n == 1 ? "changed" : "");
		show(c, "kind");
		printf(" ");
		show(c, "name");
		printf("  ");
		show(c, "figure");
		printf("  ");
		show(c, "before");
		printf("  ->  ");
		show(c, "after");
		printf("\n");
	}
	print_more(n);
}

static void
print_events(const struct ch_json *row)
{
	int n = 0;

	for (const struct ch_json *e = first(row, "events"); e != NULL;
		e = e->next) {
		if (++n > LINES_SHOWN)
			continue;
		title(n == 1 ? "events" : "");
		show(e, "type");
		printf(" of ");
		show(e, "aggregate");
		printf(" ");
		show(e, "key");
		printf(", seq ");
		show(e, "seq");
		printf(is(e, "delivered", "true") ? ", delivered"
						  : ", not delivered yet");
		if (text(e, "waits").len > 0) {
			printf(", parked: ");
			show(e, "waits");
		}
		printf("\n");
	}
	print_more(n);
}

static void
print_rule(const struct ch_json *r)
{
	show(r, "rule");
	printf(" (at most ");
	show(r, "most");
	printf(" in ");
	show(r, "window_s");
	printf(" s for each %s",
		is(r, "scope", "actor") ? "actor" : "organisation");
	if (!is(r, "shares", "1")) {
		printf(", in ");
		show(r, "shares");
		printf(" shares");
	}
	printf("): now ");
	if (text(r, "subject").len > 0 || get(r, "subject") != NULL) {
		printf("%.*s counted", CH_VIEW_ARG(text(r, "counted_now")));
		printf(is(r, "holds_this", "true")
				? ", this command is still among them"
				: ", this command is not among them");
	} else {
		printf("nothing counted");
	}
	printf("\n");
}

/* What the answer said of it, then how the windows stand now. */
static void
print_rates(const struct ch_json *row, const struct ch_json *answer)
{
	const struct ch_json *rate = get(answer, "rate");
	bool told = rate != NULL;

	if (told) {
		title("rate");
		show(rate, "rule");
		printf(": limit ");
		show(rate, "limit");
		printf(", remaining ");
		show(rate, "remaining");
		if (text(rate, "reset").len > 0) {
			printf(", reset ");
			show(rate, "reset");
		}
		printf("\n");
	}
	for (const struct ch_json *r = first(row, "rates"); r != NULL;
		r = r->next) {
		title(told ? "" : "rate");
		told = true;
		print_rule(r);
	}
}

/* Two marks of the relay lie around a row, and stay; of a row from before the
 * marks that are kept only the last report is known: "at or before". */
static void
print_delivered(const struct ch_json *slot)
{
	printf("delivered by slot ");
	show(slot, "slot");
	if (text(slot, "delivered_after").len > 0) {
		printf(", between ");
		show(slot, "delivered_after");
		printf(" and ");
	} else {
		printf(", at or before ");
	}
	show(slot, "delivered_by");
}

static void
print_undelivered(const struct ch_json *slot)
{
	printf("not yet by slot ");
	show(slot, "slot");
	printf(", as of ");
	show(slot, "as_of");
}

static void
print_delivery(const struct ch_json *row)
{
	const struct ch_json *s = first(row, "slots");

	if (s == NULL)
		console_pair("answer out",
			CH_VIEW("not yet: no relay has "
				"delivered anything (start outbox-relay)"));
	for (; s != NULL; s = s->next) {
		title(s == first(row, "slots") ? "answer out" : "");
		if (is(s, "delivered", "true"))
			print_delivered(s);
		else
			print_undelivered(s);
		printf(" (its progress: row ");
		show(s, "done");
		printf("; this is row ");
		show(row, "log_seq");
		printf(")\n");
	}
	show_pair("answer is", row, "waits");
}

static void
print_row(const struct ch_json *row, struct ch_arena *arena)
{
	struct ch_err err = CH_ERR_INIT;
	const struct ch_json *answer =
		ch_json_parse(arena, text(row, "result"), NODES_MAX, &err);

	printf("%.*s  ", CH_VIEW_ARG(text(row, "id")));
	show(row, "org");
	printf("  ");
	show(row, "type");
	printf("\n");
	print_place(row);
	print_why(row);
	print_postings(row);
	print_changes(row);
	print_events(row);
	print_rates(row, answer);
	title("answer");
	console_print(text(row, "result"), ANSWER_SHOWN);
	printf("\n");
	print_delivery(row);
}

/* ---- what else there is of the id ---- */

static void
print_again(const struct ch_json *row)
{
	title("");
	show(row, "decided_at");
	printf("  ");
	show(row, "status");
	printf("  read from ");
	show(row, "topic");
	printf("/");
	show(row, "part");
	printf(" at offset ");
	show(row, "offset");
	printf(is(row, "delivered", "true") ? ", delivered"
					    : ", not delivered yet");
	if (!is(row, "status", "duplicate") && text(row, "reason").len > 0) {
		printf(": ");
		show(row, "reason");
	}
	printf("\n");
}

static bool
same_org(const struct ch_json *a, const struct ch_json *b)
{
	return ch_view_eq(text(a, "org"), text(b, "org"));
}

/* Rows behind `row` of its organisation: the same id once more. */
static void
print_further(const struct ch_json *row)
{
	int n = 0;

	for (const struct ch_json *r = row->next; r != NULL; r = r->next) {
		if (!same_org(r, row))
			continue;
		if (n++ == 0)
			printf("  %-10s further answers to this id:\n",
				"again");
		if (n <= AGAIN_SHOWN)
			print_again(r);
	}
	if (n > AGAIN_SHOWN)
		printf("  %-10s and %d more (--json has all)\n", "",
			n - AGAIN_SHOWN);
}

static void
print_letter(const struct ch_json *l)
{
	title("rejected");
	printf("letter ");
	show(l, "letter");
	printf(", ");
	show(l, "state");
	printf(", replayed %.*s times\n", CH_VIEW_ARG(text(l, "replays")));
	title("");
	printf("read from ");
	show(l, "topic");
	printf("/");
	show(l, "part");
	printf(" at offset ");
	show(l, "offset");
	printf(", ");
	show(l, "at");
	printf("\n");
	title("");
	show(l, "class");
	if (text(l, "sqlstate").len > 0) {
		printf(" (");
		show(l, "sqlstate");
		printf(")");
	}
	printf(": ");
	show(l, "reason");
	printf("\n");
	title("value");
	show(l, "value");
	printf("\n");
}

static void
print_next_of(const struct ch_json *doc, const struct ch_json *row)
{
	const struct ch_json *l = first(doc, "letters");

	title("next");
	if (!is(row, "delivered", "true"))
		printf("see that the answer leaves (outbox-relay's /readyz); ");
	printf("%s\n", advice_of(text(row, "status")));
	if (l != NULL && is(l, "state", "pending"))
		printf("  %-10s its record waits: outbox-relay … dlq show "
		       "%.*s\n",
			"", CH_VIEW_ARG(text(l, "letter")));
}

/* ---- nothing is known of it ---- */

static void
print_unknown_day(const struct ch_json *doc)
{
	const struct ch_json *a = first(doc, "archives");

	title("next");
	printf("key_expired: ids of %.*s are not kept any more (kept from "
	       "%.*s on); a command with this id is not decided anew\n",
		CH_VIEW_ARG(text(doc, "day")),
		CH_VIEW_ARG(text(doc, "lowest_day")));
	for (; a != NULL; a = a->next) {
		title("");
		printf("look into ");
		show(a, "file");
		printf(" (sha256 %.*s)\n", CH_VIEW_ARG(text(a, "sha256")));
	}
}

static void
print_partitions(const struct ch_json *doc)
{
	const struct ch_json *p = first(doc, "partitions");

	if (p == NULL)
		console_pair("ledger",
			CH_VIEW("no writer has ever taken a "
				"partition here"));
	for (int n = 0; p != NULL && n < 64; p = p->next, n++) {
		title(n == 0 ? "ledger" : "");
		printf("has read ");
		show(p, "topic");
		printf("/");
		show(p, "part");
		printf(" up to offset ");
		show(p, "next_offset");
		printf(", last decision ");
		console_print(text(p, "last_at").len > 0 ? text(p, "last_at")
							 : CH_VIEW("never"),
			40);
		printf("\n");
	}
}

static void
print_unknown(const struct explain *x, const struct ch_json *doc)
{
	printf("%s  not seen by this ledger%s%s\n", x->id,
		x->org != NULL ? " for organisation " : "",
		x->org != NULL ? x->org : "");
	if (text(doc, "uuid").len == 0) {
		console_pair("id",
			CH_VIEW("no UUIDv7 and no ULID: such a "
				"command is `invalid`"));
	} else {
		title("id");
		printf("made at ");
		show(doc, "made_at");
		printf(", day ");
		show(doc, "day");
		printf("\n");
	}
	title("looked");
	printf("in the log of that day, and for other answers from ");
	show(doc, "looked_from");
	printf(" to ");
	show(doc, "looked_until");
	printf("\n");
	print_partitions(doc);
	if (text(doc, "uuid").len > 0 &&
		ch_view_cmp(text(doc, "day"), text(doc, "lowest_day")) < 0) {
		print_unknown_day(doc);
		return;
	}
	title("next");
	printf("is the record in Kafka, and before these offsets? If it lies "
	       "behind them it\n  %-10s waits for a writer (lag, /readyz); if "
	       "it is in no topic it never arrived:\n  %-10s send it again "
	       "under the same id. An answer that came later: --within=2d\n",
		"", "");
}

/* ---- the document ---- */

static bool
is_first_of_org(const struct ch_json *rows, const struct ch_json *row)
{
	const struct ch_json *r = rows;

	while (r != row && !same_org(r, row))
		r = r->next;
	return r == row;
}

static int
print_document(const struct explain *x, struct ch_view document,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *doc =
		ch_json_parse(&arena, document, NODES_MAX, err);
	const struct ch_json *rows = first(doc, "rows");
	bool known = rows != NULL || first(doc, "letters") != NULL;

	for (const struct ch_json *r = rows; r != NULL; r = r->next) {
		if (!is_first_of_org(rows, r))
			continue;
		print_row(r, &arena);
		print_further(r);
	}
	for (const struct ch_json *l = first(doc, "letters"); l != NULL;
		l = l->next)
		print_letter(l);
	for (const struct ch_json *r = rows; r != NULL; r = r->next)
		if (is_first_of_org(rows, r))
			print_next_of(doc, r);
	if (rows == NULL && known)
		printf("  %-10s mend the cause, then outbox-relay … dlq replay "
		       "%.*s\n",
			"next",
			CH_VIEW_ARG(text(first(doc, "letters"), "letter")));
	if (doc != NULL && !known)
		print_unknown(x, doc);
	ch_arena_free(&arena);
	if (doc == NULL)
		return CONSOLE_FAILED;
	return known ? CONSOLE_DONE : CONSOLE_REFUSED;
}

/* --json: whether there is a row is all that matters for the status. */
static int
print_json(struct ch_view document, struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *doc =
		ch_json_parse(&arena, document, NODES_MAX, err);
	bool known =
		first(doc, "rows") != NULL || first(doc, "letters") != NULL;

	if (doc != NULL)
		printf("%.*s\n", CH_VIEW_ARG(document));
	ch_arena_free(&arena);
	if (doc == NULL)
		return CONSOLE_FAILED;
	return known ? CONSOLE_DONE : CONSOLE_REFUSED;
}

static int
ask(struct ch_pg *pg, const struct explain *x)
{
	static const struct ch_pg_stmt stmt = {"", ledger_writer_sql_explain};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_args a;
	struct ch_view document = {NULL, 0};
	PGresult *res = NULL;
	int status = CONSOLE_FAILED;

	ch_pg_args_clear(&a);
	ch_pg_arg_str(&a, x->id);
	ch_pg_arg_str(&a, x->org);
	ch_pg_arg_i64(&a, x->within_s);
	if (ch_pg_query(pg, &stmt, &a, &res, &err) == 0 &&
		ch_pg_get_text(res, 0, 0, &document))
		status = x->json ? print_json(document, &err)
				 : print_document(x, document, &err);
	if (status == CONSOLE_FAILED)
		(void)console_failed(pg, "explain", &err);
	PQclear(res);
	return status;
}

/* ---- options ---- */

static bool
parse_within(const char *value, int64_t *seconds)
{
	static const char units[] = "smhd";
	static const int64_t in_s[] = {1, 60, 3600, 86400};
	struct ch_view v = ch_view_of(value);
	const char *unit = v.len > 1 ? strchr(units, v.ptr[v.len - 1]) : NULL;
	int64_t n;

	if (unit == NULL ||
		ch_view_int((struct ch_view){v.ptr, v.len - 1}, 1, 100000,
			&n) != 0)
		return false;
	*seconds = n * in_s[unit - units];
	return true;
}

int
explain_run(const struct ch_runtime *rt, int argc, char **argv)
{
	struct explain x = {.within_s = 3600};
	const char *within = NULL;
	const struct console_option options[] = {{"org", &x.org, NULL},
		{"within", &within, NULL}, {"json", NULL, &x.json},
		{NULL, NULL, NULL}};
	int words;
	char **word;

	if (!console_options(explain_manual, options, argc, argv, &words,
		    &word))
		return CH_EXIT_USAGE;
	if (words != 1)
		return console_usage(explain_manual, "explain which id?");
	if (within != NULL && !parse_within(within, &x.within_s))
		return console_usage(explain_manual,
			"--within is like 90s, 30m, 1h, 2d");
	x.id = word[0];
	struct ch_pg *pg = console_connect(rt, "explain", false);
	if (pg == NULL)
		return CH_EXIT_UNAVAILABLE;
	int status = ask(pg, &x);
	ch_pg_free(pg);
	return status;
}
