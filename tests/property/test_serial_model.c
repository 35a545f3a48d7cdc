/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial model by itself, against answers that people wrote down from
 * protocols/semantics.md and protocols/commands.md.
 *
 * A scenario is a list of lines: a command without its id and organisation, and
 * what must come of it. ' stands for ", $3 for the id of the third line. What
 * must come of it, one line each:
 *
 *	'applied',...	the answer, from its status up to its time
 *	P a|0|0|-1|9	a posting: account, shard, leg, amount, balance after
 *	E type {...}	an event, without organisation, id and time
 *	T type ...	a timer's answer, as above; Q its posting, U its event
 *	! text		a problem; X: rejected
 *
 * P, E, Q and U are compared when one is expected; T, ! and X always. Lines that
 * begin with @ are no commands: @+5 moves the clock on by as many seconds, @part
 * 3 the following commands to that partition, @pay m 2 pays a page of two, @pause
 * a,b and @rate name,scope,most,seconds,shares,types set what is in force.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_text.h"
#include "serial_model.h"

#define START INT64_C(1795255200000000) /* 2026-11-21T10:00:00Z */
#define LINES_MAX 64
#define LISTS_MAX 8

struct line {
	const char *command;
	const char *expected;
};

struct scene {
	struct serial_model *model;
	struct serial_command *commands[LINES_MAX];
	size_t line; /* the running one */
	struct serial_now now;
	struct serial_pause pause;
	struct serial_rate rates[LISTS_MAX];
	char *kept[4 * LISTS_MAX]; /* texts that pauses and rates point into */
	size_t kept_count;
	const char *types[LISTS_MAX][LISTS_MAX];
	struct text got;
};

/* ---- what came of it ---- */

/* The part of text between two marks; the end is its last one. */
static void
add_between(struct scene *s, const char *what, const char *text,
	const char *start, const char *end)
{
	const char *from = strstr(text, start);
	const char *to = NULL;
	char *piece;

	ck_assert_ptr_nonnull(from);
	from += strlen(start);
	for (const char *at = from; (at = strstr(at, end)) != NULL; at++)
		to = at;
	ck_assert_ptr_nonnull(to);
	piece = strndup(from, (size_t)(to - from));
	model_put(&s->got, what);
	model_put(&s->got, piece);
	model_put(&s->got, "\n");
	free(piece);
}

static void
add_posting(struct scene *s, const char *what, const char *text)
{
	char *copy = strdup(text);

	*strrchr(copy, '|') = '\0'; /* the time */
	*strrchr(copy, '|') = '\0'; /* the id */
	model_put(&s->got, what);
	model_put(&s->got, strchr(copy, '|') + 1); /* the organisation */
	model_put(&s->got, "\n");
	free(copy);
}

static void
add_event(struct scene *s, const char *what, const char *text, const char *end)
{
	size_t type = strcspn(text, " ");
	char *name = strndup(text, type);

	model_put(&s->got, what);
	model_put(&s->got, name);
	free(name);
	add_between(s, " {", text, "{\"org\":\"acme\",", end);
	s->got.p[s->got.len - 1] = '}';
	model_put(&s->got, "\n");
}

static void
take(void *ctx, enum serial_line kind, const char *text)
{
	static const char time[] = ",\"decided_at\":";
	struct scene *s = ctx;

	if (kind == SERIAL_RESULT) {
		add_between(s, "", text, ",\"status\":", time);
	} else if (kind == SERIAL_TIMER) {
		add_between(s, "T ", text, ",\"type\":", time);
	} else if (kind == SERIAL_POSTING || kind == SERIAL_TIMER_POSTING) {
		add_posting(s, kind == SERIAL_POSTING ? "P " : "Q ", text);
	} else if (kind == SERIAL_EVENT) {
		add_event(s, "E ", text, ",\"command_id\":");
	} else if (kind == SERIAL_TIMER_EVENT) {
		add_event(s, "U ", text, time);
	} else {
		model_put(&s->got, kind == SERIAL_REJECTED ? "X" : "! ");
		model_put(&s->got, text);
		model_put(&s->got, "\n");
	}
}

/* Does any line of the text begin with that letter and a space? */
static bool
has_kind(const char *text, char kind)
{
	char mark[4] = {'\n', kind, ' ', '\0'};

	return strncmp(text, mark + 1, 2) == 0 || strstr(text, mark) != NULL;
}

static char *
only_expected(const char *got, const char *expected)
{
	struct text t = {NULL, 0, 0};

	model_put(&t, "");
	while (*got != '\0') {
		size_t len = strcspn(got, "\n") + 1;
		char *line = strndup(got, len);

		if (line[1] != ' ' || strchr("PEQU", line[0]) == NULL ||
			has_kind(expected, line[0]))
			model_put(&t, line);
		free(line);
		got += len;
	}
	return t.p;
}

/* ---- what is asked ---- */

static void
id_of(size_t line, char out[40])
{
	uint64_t ms = (uint64_t)START / 1000;

	(void)snprintf(out, 40, "%08llx-%04llx-7000-8000-%012zx",
		(unsigned long long)(ms >> 16),
		(unsigned long long)(ms & 0xffff), line);
}

/* ' becomes ", $n the id of line n. */
static char *
spelled(const char *text)
{
	struct text t = {NULL, 0, 0};

	model_put(&t, "");
	while (*text != '\0') {
		char piece[40] = {*text == '\'' ? '"' : *text, '\0'};
		char *end = (char *)(uintptr_t)text + 1;

		if (*text == '$')
			id_of(strtoul(text + 1, &end, 10), piece);
		model_put(&t, piece);
		text = end;
	}
	return t.p;
}

static const char *
keep(struct scene *s, const char *text)
{
	ck_assert_uint_lt(s->kept_count, 4 * LISTS_MAX);
	s->kept[s->kept_count] = strdup(text);
	return s->kept[s->kept_count++];
}

/* "a,b": into a list; the texts are kept. */
static size_t
split(struct scene *s, const char *text, const char *out[LISTS_MAX])
{
	char *rest = strdup(text);
	char *all = rest;
	const char *piece;
	size_t n = 0;

	while ((piece = strsep(&rest, ",")) != NULL && n < LISTS_MAX)
		out[n++] = keep(s, piece);
	free(all);
	return n;
}

static void
add_rate(struct scene *s, const char *text)
{
	size_t i = s->now.rate_count++;
	const char *parts[LISTS_MAX];
	size_t n = split(s, text, parts);

	s->rates[i] = (struct serial_rate){.name = parts[0],
		.per_actor = strcmp(parts[1], "actor") == 0,
		.most = strtoll(parts[2], NULL, 10),
		.window_us = strtoll(parts[3], NULL, 10) * 1000000,
		.shares = (int)strtol(parts[4], NULL, 10),
		.types = s->types[i],
		.type_count = n - 5};
	for (size_t k = 5; k < n; k++)
		s->types[i][k - 5] = parts[k];
	s->now.rates = s->rates;
}

static void
direct(struct scene *s, const char *text)
{
	char name[32];
	size_t page;

	if (strncmp(text, "@+", 2) == 0) {
		s->now.decided_at += strtoll(text + 2, NULL, 10) * 1000000;
	} else if (strncmp(text, "@part ", 6) == 0) {
		s->now.part = (int)strtol(text + 6, NULL, 10);
	} else if (sscanf(text, "@pay %31s %zu", name, &page) == 2) {
		serial_pay_page(s->model, "acme", name, page, &s->now, take, s);
	} else if (strncmp(text, "@pause ", 7) == 0) {
		s->pause = (struct serial_pause){"trading", s->types[7],
			split(s, text + 7, s->types[7])};
		s->now.pauses = &s->pause;
		s->now.pause_count = 1;
	} else if (strncmp(text, "@rate ", 6) == 0) {
		add_rate(s, text + 6);
	} else {
		ck_abort_msg("no such line: %s", text);
	}
}

static void
command(struct scene *s, const char *text)
{
	char *body = spelled(text);
	struct text value = {NULL, 0, 0};
	char id[40];

	id_of(s->line, id);
	model_put(&value, "{");
	model_put_member(&value, "id", id);
	model_put_member(&value, "org", "acme");
	model_put(&value, ",");
	model_put(&value, body);
	model_put(&value, "}");
	s->commands[s->line] = serial_command_new(value.p, value.len, 65536);
	serial_apply(s->model, s->commands[s->line], &s->now, take, s);
	free(value.p);
	free(body);
}

static void
play(const struct line *lines, size_t count)
{
	struct scene s = {
		.model = serial_model_new(true), .now = {.decided_at = START}};

	ck_assert_uint_lt(count, LINES_MAX);
	for (s.line = 1; s.line <= count; s.line++) {
		const struct line *l = &lines[s.line - 1];
		char *expected = spelled(l->expected);
		char *got;

		s.got.len = 0;
		model_put(&s.got, "");
		if (l->command[0] == '@')
			direct(&s, l->command);
		else
			command(&s, l->command);
		got = only_expected(s.got.p, expected);
		if (got[0] != '\0')
			got[strlen(got) - 1] = '\0';
		ck_assert_msg(strcmp(got, expected) == 0,
			"line %zu: %s\nexpected:\n%s\ngot:\n%s", s.line,
			l->command, expected, got);
		free(got);
		free(expected);
	}
	serial_model_free(s.model);
	for (size_t i = 0; i < LINES_MAX; i++) {
		if (s.commands[i] != NULL)
			serial_command_free(s.commands[i]);
	}
	for (size_t i = 0; i < s.kept_count; i++)
		free(s.kept[i]);
	free(s.got.p);
}

#define PLAY(lines) play(lines, sizeof(lines) / sizeof((lines)[0]))

/* ---- words of the scenarios ---- */

#define NONE "'balances':[]"
#define OK(...) "'applied','balances':[" __VA_ARGS__ "]"
#define NO(status) "'" status "','balances':[]"
#define BAL(account, balance, held, version)                                   \
	"{'account':'" account "','asset':'USD','balance':'" balance           \
	"','held':'" held "','version':" #version "}"
#define SKU(sku, on_hand, reserved, version)                                   \
	"{'sku':'" sku "','on_hand':'" on_hand "','reserved':'" reserved       \
	"','version':" #version "}"
#define STOCK(...) ",'stock':[" __VA_ARGS__ "]"
#define HOLDS(...) ",'holds':[" __VA_ARGS__ "]"
#define ORDERS(...) ",'orders':[" __VA_ARGS__ "]"
#define MARKETS(...) ",'markets':[" __VA_ARGS__ "]"
#define POSITIONS(...) ",'positions':[" __VA_ARGS__ "]"
#define TRADES(...) ",'trades':[" __VA_ARGS__ "]"
#define HOLD(name, account, amount, state)                                     \
	"{'hold':'" name "','account':'" account "','amount':'" amount         \
	"','state':'" state "'}"
#define DEFINE(asset, scale)                                                   \
	{                                                                      \
		"'type':'asset.define','asset':'" asset "','scale':" scale,    \
			OK()                                                   \
	}
#define OPEN(account)                                                          \
	{                                                                      \
		"'type':'account.open','account':'" account "','asset':'USD'", \
			OK(BAL(account, "0.00", "0.00", 1))                    \
	}
#define OPEN_WORLD                                                                \
	{                                                                         \
		"'type':'account.open','account':'w','asset':'USD','floor':null", \
			OK(BAL("w", "0.00", "0.00", 1))                           \
	}
#define MOVE(from, to, amount)                                                 \
	"{'from':'" from "','to':'" to "','amount':'" amount "'}"
#define POST(from, to, amount)                                                 \
	"'type':'transfer.post','moves':[" MOVE(from, to, amount) "]"

/* ---- accounts ---- */

START_TEST(accounts_have_limits_and_an_end)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{POST("a", "w", "10.01"), NO("insufficient_funds")},
		/* credit */
		{"'type':'account.limit','account':'a','floor':'-5'",
			OK(BAL("a", "10.00", "0.00", 3))},
		{POST("a", "w", "15.00"),
			OK(BAL("a", "-5.00", "0.00", 4) "," BAL("w", "5.00",
				"0.00", 3))},
		{"'type':'account.limit','account':'a','floor':'-4.99'",
			NO("insufficient_funds")},
		{"'type':'account.limit','account':'a','floor':'-4.999'",
			NO("invalid_amount")},
		{"'type':'account.limit','account':'a',"
		 "'floor':'99999999999999999999'",
			NO("insufficient_funds")},
		{"'type':'account.limit','account':'a',"
		 "'floor':'-92233720368547758.09'",
			NO("overflow")},
		{"'type':'account.limit','account':'a'", "X\n" NO("invalid")},
		{"'type':'account.close','account':'a'", NO("not_empty")},
		{POST("w", "a", "5.00"),
			OK(BAL("w", "0.00", "0.00", 4) "," BAL("a", "0.00",
				"0.00", 5))},
		/* a closed account takes part in nothing, and its name is taken */
		{"'type':'account.close','account':'a'",
			OK(BAL("a", "0.00", "0.00", 6))},
		{"'type':'account.close','account':'a'", NO("account_closed")},
		{"'type':'account.limit','account':'a','floor':null",
			NO("account_closed")},
		{POST("w", "a", "1.00"), NO("account_closed")},
		{"'type':'account.open','account':'a','asset':'USD'",
			NO("account_exists")},
		{"'type':'account.close','account':'none'",
			NO("account_not_found")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(shards_are_one_account_in_rows)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("a"),
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'shards':2",
			"X\n" NO("invalid")},
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'floor':'0','shards':2",
			"X\n" NO("invalid")},
		{"'type':'account.open','account':'s','asset':'USD',"
		 "'floor':null,'shards':3,'expected_version':{'account':"
		 "{'s':0}}",
			OK()},
		{"@part 7", ""},
		{POST("s", "a", "3.00"),
			OK(BAL("a", "3.00", "0.00",
				2)) "\n"
				    "P s|1|0|-300|-300\nP a|0|1|300|300"},
		{"@part 2", ""},
		{POST("a", "s", "3.00"),
			OK(BAL("a", "0.00", "0.00",
				3)) "\n"
				    "P a|0|0|-300|0\nP s|2|1|300|300"},
		/* reversed in the shard of the reversing partition */
		{"@part 0", ""},
		{"'type':'transfer.reverse','transfer':'$9'",
			OK(BAL("a", "3.00", "0.00",
				4)) "\n"
				    "P s|0|0|-300|-300\nP a|0|1|300|300"},
		{POST("a", "s", "3.00"), OK(BAL("a", "0.00", "0.00", 5))},
		{"'type':'hold.place','from':'s','amount':'1'",
			NO("account_sharded")},
		{"'type':'account.limit','account':'s','floor':'0'",
			NO("account_sharded")},
		{"'type':'account.close','account':'s','expected_version':"
		 "{'account':{'s':1}}",
			NO("version_unsupported")},
		/* -300 + 300 + 0 */
		{"'type':'account.close','account':'s'", OK()},
		{POST("a", "s", "3.00"), NO("account_closed")},
	};

	PLAY(lines);
}
END_TEST

/* ---- money ---- */

#define PLACE(from, amount, name)                                              \
	"'type':'hold.place','from':'" from "','amount':'" amount              \
	"','hold':'" name "'"
#define CAPTURE(name, to)                                                      \
	"'type':'hold.capture','hold':'" name "','to':'" to "'"
#define UNTIL(time) ",'expires_at':'2026-11-21T10:" time "Z'"

START_TEST(holds_end_once)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		OPEN("b"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{PLACE("a", "6.00", "h1"),
			OK(BAL("a", "10.00", "6.00", 3))
				HOLDS(HOLD("h1", "a", "6.00", "held"))},
		{PLACE("a", "4.01", "h2"), NO("insufficient_funds")},
		{PLACE("a", "1.00", "h1"), NO("hold_exists")},
		{PLACE("a", "1.001", "h2"), NO("invalid_amount")},
		{PLACE("a", "1.00", "h2") UNTIL("00:00"), NO("hold_expired")},
		{POST("a", "b", "4.01"), NO("insufficient_funds")},
		{"'type':'account.limit','account':'a','floor':'4.01'",
			NO("insufficient_funds")},
		/* a part releases the rest; the payer first */
		{CAPTURE("h1", "b") ",'amount':'6.01'",
			NO("amount_exceeds_hold")},
		{CAPTURE("h1", "b") ",'amount':'2.5'",
			OK(BAL("a", "7.50", "0.00", 4) "," BAL("b", "2.50",
				"0.00", 2))
				HOLDS("{'hold':'h1','account':'a','amount':'6.00',"
				      "'state':'captured','captured':'2.50'}") "\n"
									       "P a|0|0|-250|750\nP b|0|1|250|250\n"
									       "E hold.captured {'account':'a','asset':'USD',"
									       "'hold':'h1','amount':'6.00','captured':'2.50',"
									       "'to':'b','balance':'7.50','held':'0.00','version':4}"},
		{CAPTURE("h1", "b"), NO("hold_captured")},
		{"'type':'hold.void','hold':'h1'", NO("hold_captured")},
		{"'type':'hold.void','hold':'none'", NO("hold_not_found")},
		/* the default name is the id; a capture may go to the payer */
		{"'type':'hold.place','from':'a','amount':'1.00',"
		 "'expires_at':'2026-11-21T10:00:05.000001Z'",
			OK(BAL("a", "7.50", "1.00", 5)) HOLDS(
				"{'hold':'$18','account':'a','amount':'1.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:05.000001Z'}")},
		{CAPTURE("$18", "a"),
			OK(BAL("a", "7.50", "0.00", 6)) HOLDS(
				"{'hold':'$18','account':'a','amount':'1.00',"
				"'state':'captured','captured':'1.00',"
				"'expires_at':'2026-11-21T10:00:05.000001Z'}") "\n"
									       "P a|0|0|-100|650\nP a|0|1|100|750"},
		{PLACE("a", "7.50", "h3"),
			OK(BAL("a", "7.50", "7.50", 7))
				HOLDS(HOLD("h3", "a", "7.50", "held"))},
		{"'type':'hold.void','hold':'h3'",
			OK(BAL("a", "7.50", "0.00", 8)) HOLDS(HOLD("h3", "a",
				"7.50",
				"voided")) "\n"
					   "E hold.voided {'account':'a','asset':'USD',"
					   "'hold':'h3','amount':'7.50','balance':'7.50',"
					   "'held':'0.00','version':8}"},
		{CAPTURE("h3", "b"), NO("hold_voided")},
		{CAPTURE("h3", "none"), NO("account_not_found")},
	};

	PLAY(lines);
}
END_TEST

#define EXPIRED(name, time, version)                                             \
	"T 'hold.expire','status':'applied','balances':[" BAL("a", "10.00",      \
		"0.00",                                                          \
		version) "]" HOLDS("{'hold':'" name                              \
				   "','account':'a','amount':'6.00','state':"    \
				   "'expired','expires_at':'2026-11-21T10:" time \
				   ".000000Z'}") "\n"

START_TEST(holds_run_out_at_their_deadline)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{PLACE("a", "6.00", "h1") UNTIL("00:05"),
			OK(BAL("a", "10.00", "6.00", 3)) HOLDS(
				"{'hold':'h1','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:05.000000Z'}")},
		{"@+4", ""},
		{POST("a", "w", "5.00"), NO("insufficient_funds")},
		/* due when expires_at <= decided_at; before the command */
		{"@+1", ""},
		{CAPTURE("h1", "w"),
			EXPIRED("h1", "00:05",
				4) "U hold.expired {'account':'a','asset':'USD',"
				   "'hold':'h1','amount':'6.00','balance':'10.00',"
				   "'held':'0.00','version':4}\n" NO(
					   "hold_expired")},
		/* any command that names the account settles it, a dry one too */
		{PLACE("a", "6.00", "h2") UNTIL("00:06"),
			OK(BAL("a", "10.00", "6.00", 5)) HOLDS(
				"{'hold':'h2','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:06.000000Z'}")},
		{"@+1", ""},
		{POST("w", "a", "1.00") ",'dry_run':true",
			EXPIRED("h2", "00:06", 6)
				OK(BAL("w", "-11.00", "0.00", 3) "," BAL("a",
					"11.00", "0.00", 7)) ",'dry_run':true"},
		/* so does one that would make a hold of a name that it has */
		{PLACE("a", "6.00", "h3") UNTIL("00:07"),
			OK(BAL("a", "10.00", "6.00", 7)) HOLDS(
				"{'hold':'h3','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:07.000000Z'}")},
		{"@+1", ""},
		{PLACE("w", "1.00", "h3"),
			EXPIRED("h3", "00:07", 8) NO("hold_exists")},
		/* and one that reverses a transfer of it */
		{PLACE("a", "6.00", "h4") UNTIL("00:08"),
			OK(BAL("a", "10.00", "6.00", 9)) HOLDS(
				"{'hold':'h4','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:08.000000Z'}")},
		{"@+1", ""},
		{"'type':'transfer.reverse','transfer':'$4'",
			EXPIRED("h4", "00:08", 10) OK(BAL("a", "0.00", "0.00",
				11) "," BAL("w", "0.00", "0.00", 3))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(transfers_are_reversed_once)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		OPEN("b"),
		/* a dip is refused although the net would be fine */
		{"'type':'transfer.post','moves':[" MOVE("a", "b",
			 "1.00") "," MOVE("w", "a", "1.00") "]",
			NO("insufficient_funds")},
		{"'type':'transfer.post','moves':[" MOVE("w", "a",
			 "3.00") "," MOVE("a", "b", "2.00") "]",
			OK(BAL("w", "-3.00", "0.00", 2) "," BAL("a", "1.00",
				"0.00", 2) "," BAL("b", "2.00", "0.00", 2))},
		/* last move first */
		{"'type':'transfer.reverse','transfer':'$6','dry_run':true",
			OK(BAL("b", "0.00", "0.00", 3) "," BAL("a", "0.00",
				"0.00", 3) "," BAL("w", "0.00", "0.00",
				3)) ",'dry_run':true"},
		{POST("b", "w", "0.01"),
			OK(BAL("b", "1.99", "0.00", 3) "," BAL("w", "-2.99",
				"0.00", 3))},
		{"'type':'transfer.reverse','transfer':'$6'",
			NO("insufficient_funds")},
		{POST("w", "b", "0.01"),
			OK(BAL("w", "-3.00", "0.00", 4) "," BAL("b", "2.00",
				"0.00", 4))},
		{"'type':'transfer.reverse','transfer':'$6'",
			OK(BAL("b", "0.00", "0.00", 5) "," BAL("a", "0.00",
				"0.00", 3) "," BAL("w", "0.00", "0.00",
				5)) "\n"
				    "P b|0|0|-200|0\nP a|0|1|200|300\n"
				    "P a|0|2|-300|0\nP w|0|3|300|0"},
		{"'type':'transfer.reverse','transfer':'$6'",
			NO("already_reversed")},
		{"'type':'transfer.reverse','transfer':'$11'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$3'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$5'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$7'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$60'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$6/0'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'x'",
			"X\n" NO("invalid")},
		{"'type':'transfer.reverse','transfer':'$6/64'",
			"X\n" NO("invalid")},
		/* an account that was closed meanwhile */
		{POST("w", "a", "1.00"),
			OK(BAL("w", "-1.00", "0.00", 6) "," BAL("a", "1.00",
				"0.00", 4))},
		{POST("a", "w", "1.00"),
			OK(BAL("a", "0.00", "0.00", 5) "," BAL("w", "0.00",
				"0.00", 7))},
		{"'type':'account.close','account':'a'",
			OK(BAL("a", "0.00", "0.00", 6))},
		{"'type':'transfer.reverse','transfer':'$22'",
			NO("account_closed")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(amounts_leave_no_int64)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{"'type':'account.open','account':'x','asset':'USD',"
		 "'floor':null",
			OK(BAL("x", "0.00", "0.00", 1))},
		{POST("a", "w", "92233720368547758.08"),
			NO("insufficient_funds")},
		{POST("w", "a", "92233720368547758.08"), NO("overflow")},
		{POST("w", "a", "92233720368547758.07"),
			OK(BAL("w", "-92233720368547758.07", "0.00", 2) "," BAL(
				"a", "92233720368547758.07", "0.00", 2))},
		{POST("x", "a", "0.01"), NO("overflow")},
		{POST("w", "x", "0.02"), NO("overflow")},
		{PLACE("a", "92233720368547758.08", "h"),
			NO("insufficient_funds")},
		{PLACE("x", "92233720368547758.08", "h"), NO("overflow")},
		{PLACE("x", "92233720368547758.07", "h"),
			OK(BAL("x", "0.00", "92233720368547758.07", 2))
				HOLDS(HOLD("h", "x", "92233720368547758.07",
					"held"))},
		{PLACE("x", "0.01", "h2"), NO("overflow")},
		{CAPTURE("h", "a"), NO("overflow")},
		/* what w could not lose any more cannot be set aside */
		{"'type':'trade.record','account':'x','market':'m','outcome':"
		 "'YES','side':'BUY','tx':'t','position':'1','lock':'0'",
			OK(BAL("x", "0.00", "92233720368547758.07",
				3)) ",'markets':[{'market':'m','state':'open','version':1}],"
				    "'positions':[{'account':'x','market':'m','outcome':"
				    "'YES','qty':'1.00000000','lock':'0.00','version':1}],"
				    "'trades':[{'tx':'t','state':'recorded'}]"},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'0.02'}",
			NO("overflow")},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'0.01'}",
			OK(BAL("w", "-92233720368547758.07", "0.01",
				3)) ",'markets':[{'market':'m','state':'settling',"
				    "'version':2}]"},
	};

	PLAY(lines);
}
END_TEST

/* ---- stock ---- */

START_TEST(stock_is_adjusted_down_to_what_is_reserved)
{
	static const struct line lines[] = {
		{"'type':'stock.adjust','sku':'k','delta':'5'",
			NO("sku_not_found")},
		{"'type':'stock.receive','sku':'k','qty':'10'",
			OK() STOCK(SKU("k", "10", "0", 1))},
		{"'type':'stock.reserve','sku':'k','qty':'4',"
		 "'reservation':'r'",
			OK() STOCK(SKU("k", "10", "4",
				2)) ",'reservations':[{'reservation':'r','sku':'k',"
				    "'qty':'4','state':'reserved'}]"},
		{"'type':'stock.adjust','sku':'k','delta':'-7'",
			NO("out_of_stock")},
		{"'type':'stock.adjust','sku':'k','delta':'-6'",
			OK() STOCK(SKU("k", "4", "4",
				3)) "\n"
				    "E stock.adjusted {'sku':'k','qty':'-6','on_hand':'4',"
				    "'reserved':'4','version':3}"},
		{"'type':'stock.adjust','sku':'k','delta':'0'",
			"X\n" NO("invalid")},
		{"'type':'stock.adjust','sku':'k','delta':'1.5'",
			"X\n" NO("invalid")},
		{"'type':'stock.adjust','sku':'k',"
		 "'delta':'9223372036854775804'",
			NO("overflow")},
		{"'type':'stock.adjust','sku':'k',"
		 "'delta':'-99999999999999999999'",
			NO("out_of_stock")},
		{"'type':'stock.adjust','sku':'k','delta':'2',"
		 "'expected_version':{'sku':{'k':3}}",
			OK() STOCK(SKU("k", "6", "4", 4))},
	};

	PLAY(lines);
}
END_TEST

/* ---- groups ---- */

#define GROUP(...) "'type':'group','commands':[" __VA_ARGS__ "]"
#define FAILED(index, status)                                                  \
	"'group_failed','failed':{'index':" #index ",'status':'" status        \
	"'},'balances':[]"

START_TEST(a_group_is_all_or_nothing)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{GROUP("{" POST("w", "a",
			 "5.00") "},"
				 "{'type':'stock.receive','sku':'k','qty':'3'},"
				 "{'type':'hold.place','from':'a','amount':'2.00',"
				 "'expected_version':{'account':{'a':2},'hold':"
				 "{'$4/2':0}}},"
				 "{'type':'hold.capture','hold':'$4/2','to':'w',"
				 "'amount':'1.00'},"
				 "{'type':'stock.reserve','sku':'k','qty':'1'}"),
			OK(BAL("w", "-4.00", "0.00", 2) "," BAL("a", "4.00",
				"0.00", 2)) STOCK(SKU("k", "3", "1", 1))
				HOLDS("{'hold':'$4/2','account':'a','amount':'2.00',"
				      "'state':'captured','captured':'1.00'}") ",'reservations':[{'reservation':'$4/4','sku':'k',"
									       "'qty':'1','state':'reserved'}]\n"
									       "P w|0|0|-500|-500\nP a|0|1|500|500\n"
									       "P a|0|2|-100|400\nP w|0|3|100|-400\n"
									       "E stock.received {'sku':'k','qty':'3','on_hand':'3',"
									       "'reserved':'0','version':1}\n"
									       "E hold.captured {'account':'a','asset':'USD',"
									       "'hold':'$4/2','amount':'2.00','captured':'1.00',"
									       "'to':'w','balance':'4.00','held':'0.00','version':2}\n"
									       "E stock.reserved {'sku':'k','qty':'1','on_hand':'3',"
									       "'reserved':'1','version':1,'reservation':'$4/4'}"},
		/* the first that is refused refuses all of it */
		{GROUP("{" POST("a", "w",
			 "4.00") "},"
				 "{" POST("a", "w",
					 "0.01") "},"
						 "{" POST("a", "none",
							 "0.01") "}"),
			FAILED(1, "insufficient_funds")},
		{GROUP("{" POST("a", "w",
			 "1.00") ",'expected_version':"
				 "{'account':{'a':2}}},"
				 "{" POST("a", "w",
					 "1.00") ",'expected_version':"
						 "{'account':{'a':2}}}"),
			FAILED(1, "version_conflict")},
		/* a group's own transfers can be reversed only after it */
		{GROUP("{" POST("w", "a",
			 "1.00") "},"
				 "{'type':'transfer.reverse','transfer':'$7/0'}"),
			FAILED(1, "transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$7/0'",
			NO("transfer_not_found")},
		{"'type':'transfer.reverse','transfer':'$4'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$4/1'",
			NO("not_reversible")},
		{"'type':'transfer.reverse','transfer':'$4/5'",
			NO("transfer_not_found")},
		{POST("w", "a", "1.00"),
			OK(BAL("w", "-5.00", "0.00", 3) "," BAL("a", "5.00",
				"0.00", 3))},
		{GROUP("{'type':'transfer.reverse','transfer':'$4/0'},"
		       "{'type':'transfer.reverse','transfer':'$4/0'}"),
			FAILED(1, "already_reversed")},
		{"'type':'transfer.reverse','transfer':'$4/0'",
			OK(BAL("a", "0.00", "0.00", 4) "," BAL("w", "0.00",
				"0.00", 4))},
		{"'type':'transfer.reverse','transfer':'$4/0'",
			NO("already_reversed")},
		{GROUP("{" POST("w", "a", "1.00") "}") ",'dry_run':true",
			OK(BAL("w", "-1.00", "0.00", 5) "," BAL("a", "1.00",
				"0.00", 5)) ",'dry_run':true"},
		/* what a member cannot be or have */
		{GROUP(""), "X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") "}") ",'expected_version':{}",
			"X\n" NO("invalid")},
		{GROUP("{" GROUP("{" POST("w", "a", "1.00") "}") "}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'dry_run':false}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'actor':'x'}"),
			"X\n" NO("invalid")},
		{GROUP("{'type':'market.settle','market':'m','from':'w',"
		       "'payouts':{'YES':'1'}}"),
			"X\n" NO("invalid")},
		{GROUP("{" POST("w", "a", "1.00") ",'ref':'r','meta':[1],"
						  "'reason':'why'}"),
			OK(BAL("w", "-1.00", "0.00", 5) "," BAL("a", "1.00",
				"0.00", 5))},
	};

	PLAY(lines);
}
END_TEST

/* ---- orders ---- */

#define ORDER(name, filled, state, version)                                    \
	OK()                                                                   \
	ORDERS("{'order':'" name "','market':'m','side':'BUY',"                \
	       "'qty':'10.00000000','filled':'" filled "','state':'" state     \
	       "','version':" #version "}")
#define ON_ORDER(verb) "'type':'order." verb "','order':'o'"
#define FILL(name, qty) ON_ORDER("fill") ",'fill':'" name "','qty':'" qty "'"

START_TEST(orders_move_as_the_table_says)
{
	static const struct line lines[] = {
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','price':'0.62'",
			ORDER("o", "0.00000000", "placed",
				1) "\nE order.placed {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'0.00000000',"
				   "'state':'placed','version':1,'price':'0.62'}"},
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10'",
			NO("order_exists")},
		{"'type':'order.place','market':'m','side':'HOLD','qty':'10'",
			"X\n" NO("invalid")},
		{"'type':'order.place','market':'m','side':'SELL',"
		 "'qty':'92233720368.54775808'",
			NO("overflow")},
		{"'type':'order.place','market':'m','side':'SELL',"
		 "'qty':'0.123456789'",
			NO("invalid_amount")},
		{ON_ORDER("accept"),
			ORDER("o", "0.00000000", "pending",
				2) "\n"
				   "E order.accepted {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'0.00000000',"
				   "'state':'pending','version':2}"},
		{ON_ORDER("accept"), NO("illegal_order_move")},
		{FILL("f1", "4") ",'price':'0.610'",
			ORDER("o", "4.00000000", "partial",
				3) "\n"
				   "E order.partially_filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'4.00000000',"
				   "'state':'partial','version':3,'fill':'f1',"
				   "'fill_qty':'4.00000000','price':'0.610'}"},
		/* known: confirmed, and nothing else */
		{FILL("f1", "4.0"), OK() ",'confirmed':true"},
		{FILL("f1", "3"), NO("fact_mismatch")},
		{FILL("f1", "4") ",'price':'0.6100'", OK() ",'confirmed':true"},
		{FILL("f1", "4") ",'price':'0.611'", NO("fact_mismatch")},
		{FILL("f2", "6.00000001"), NO("illegal_order_move")},
		{FILL("f2", "99999999999999999999"), NO("illegal_order_move")},
		{ON_ORDER("cancel"), ORDER("o", "4.00000000", "cancelled", 4)},
		{ON_ORDER("lost"), NO("illegal_order_move")},
		{ON_ORDER("cancel"), NO("illegal_order_move")},
		/* a fact counts after that, too, and it stays cancelled */
		{FILL("f2", "5"),
			ORDER("o", "9.00000000", "cancelled",
				5) "\n"
				   "E order.partially_filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'9.00000000',"
				   "'state':'cancelled','version':5,'fill':'f2',"
				   "'fill_qty':'5.00000000'}"},
		{FILL("f3", "1"),
			ORDER("o", "10.00000000", "filled",
				6) "\n"
				   "E order.filled {'order':'o','market':'m',"
				   "'side':'BUY','qty':'10.00000000','filled':'10.00000000',"
				   "'state':'filled','version':6,'fill':'f3',"
				   "'fill_qty':'1.00000000'}"},
		{FILL("f4", "1"), NO("illegal_order_move")},
		{FILL("f3", "1"), OK() ",'confirmed':true"},
		{ON_ORDER("cancel"), NO("illegal_order_move")},
		{"'type':'order.cancel','order':'none'", NO("order_not_found")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_lost_order_may_be_found)
{
	static const struct line lines[] = {
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','expected_version':{'market':{'m':0}}",
			"X\n" NO("invalid")},
		{"'type':'order.place','order':'o','market':'m','side':'BUY',"
		 "'qty':'10','expected_version':{'order':{'o':0}}",
			ORDER("o", "0.00000000", "placed", 1)},
		{ON_ORDER("lost"), ORDER("o", "0.00000000", "lost", 2)},
		{ON_ORDER("lost"), NO("illegal_order_move")},
		{ON_ORDER("accept"), NO("illegal_order_move")},
		{FILL("f1", "1") ",'expected_version':{'order':{'o':1}}",
			NO("version_conflict")},
		{FILL("f1", "1"), ORDER("o", "1.00000000", "partial", 3)},
		{ON_ORDER("lost"), ORDER("o", "1.00000000", "lost", 4)},
		{ON_ORDER("cancel"), ORDER("o", "1.00000000", "cancelled", 5)},
		{FILL("f2", "9"), ORDER("o", "10.00000000", "filled", 6)},
		/* a group with a known fill says so */
		{GROUP("{" FILL("f2", "9") "}"), OK() ",'confirmed':true"},
	};

	PLAY(lines);
}
END_TEST

/* ---- trades ---- */

#define TRADE(market, outcome, tx, position, lock)                             \
	"'type':'trade.record','account':'a','market':'" market                \
	"','outcome':'" outcome "','side':'BUY','tx':'" tx                     \
	"','position':'" position "','lock':'" lock "'"
#define POSITION(market, outcome, qty, lock, version)                          \
	"{'account':'a','market':'" market "','outcome':'" outcome             \
	"','qty':'" qty "','lock':'" lock "','version':" #version "}"
#define MARKET(name, state, version)                                           \
	"{'market':'" name "','state':'" state "','version':" #version "}"
#define TX(tx, state) "{'tx':'" tx "','state':'" state "'}"
#define SKIM(amount, to) ",'skim':{'amount':'" amount "','to':'" to "'}"

START_TEST(trades_set_positions_and_confirm)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		DEFINE("YEN", "0"),
		OPEN_WORLD,
		OPEN("a"),
		{"'type':'account.open','account':'y','asset':'YEN',"
		 "'floor':null",
			OK("{'account':'y','asset':'YEN',"
			   "'balance':'0','held':'0','version':1}")},
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{TRADE("m", "YES", "t1", "10",
			 "6.20") ",'qty':'10','price':'0.62',"
				 "'belief':{'belief':'0.7','meta':'0.05'}",
			OK(BAL("a", "10.00", "6.20", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"10.00000000", "6.20", 1)) TRADES(TX("t1",
				"recorded")) "\n"
					     "E trade.recorded {'account':'a','market':'m',"
					     "'outcome':'YES','tx':'t1','side':'BUY',"
					     "'state':'recorded','position':'10.00000000',"
					     "'lock':'6.20','qty':'10','price':'0.62',"
					     "'belief':'0.70000000','meta':'0.05000000'}"},
		/* the position is set, the market not touched */
		{TRADE("m", "YES", "t2", "15",
			 "9.30") ",'settled':true,"
				 "'expected_version':{'position':{'a/m/YES':1}}",
			OK(BAL("a", "10.00", "9.30", 4)) POSITIONS(POSITION("m",
				"YES", "15.00000000", "9.30",
				2)) TRADES(TX("t2",
				"confirmed")) "\n"
					      "E trade.confirmed {'account':'a','market':'m',"
					      "'outcome':'YES','tx':'t2','side':'BUY',"
					      "'state':'confirmed','position':'15.00000000',"
					      "'lock':'9.30'}"},
		/* known: confirmed whatever else it says, but for whose it is */
		{TRADE("m", "YES", "t1", "0.000000000001",
			 "777777") ",'expected_version':{'position':{'a/m/YES':9}}",
			OK() TRADES(TX("t1",
				"confirmed")) ",'confirmed':true\n"
					      "E trade.confirmed {'account':'a','market':'m',"
					      "'outcome':'YES','tx':'t1','side':'BUY',"
					      "'state':'confirmed'}"},
		{TRADE("m", "YES", "t1", "1", "1"), OK() ",'confirmed':true"},
		{TRADE("m", "YES", "t2", "1", "1"), OK() ",'confirmed':true"},
		{TRADE("m", "NO", "t1", "1", "1"), NO("fact_mismatch")},
		{TRADE("m", "YES", "t1", "1", "1") SKIM("1", "none"),
			NO("account_not_found")},
		/* locks count as held */
		{POST("a", "w", "0.71"), NO("insufficient_funds")},
		{TRADE("m", "NO", "t3", "1", "0.71"), NO("insufficient_funds")},
		{TRADE("m", "NO", "t3", "1", "0.70"),
			OK(BAL("a", "10.00", "10.00", 5)) POSITIONS(
				POSITION("m", "NO", "1.00000000", "0.70", 1))
				TRADES(TX("t3", "recorded"))},
		{TRADE("m", "YES", "t4", "0", "0"),
			OK(BAL("a", "10.00", "0.70", 6)) POSITIONS(POSITION("m",
				"YES", "0.00000000", "0.00", 3))
				TRADES(TX("t4", "recorded"))},
		{TRADE("m", "YES", "t5", "0.000000001", "0"),
			NO("invalid_amount")},
		{TRADE("m", "YES", "t5", "92233720368.54775808", "0"),
			NO("overflow")},
		{TRADE("m", "YES", "t5", "1", "99999999999999999999"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t5", "1", "1") SKIM("1", "y"),
			NO("asset_mismatch")},
		{TRADE("m", "YES", "t5", "1",
			 "1") ",'belief':{'belief':'1.1','meta':'0'}",
			"X\n" NO("invalid")},
		{"'type':'trade.record','account':'y','market':'m','outcome':"
		 "'YES','side':'SELL','tx':'t6','position':'1','lock':'1'",
			NO("asset_mismatch")},
	};

	PLAY(lines);
}
END_TEST

/* Locks of 1.00, 1.00 and 1.01 (T = 301) and a skim of 1.00 of 7.00: the new
 * sum is floor(301 * 600 / 700) = 258. Each for itself: 85, 85, 86 (rests 500,
 * 500, 400 of 700): two units are missing, the two rests of 500 get them. */
START_TEST(a_skim_scales_all_locks)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "7.00"),
			OK(BAL("w", "-7.00", "0.00", 2) "," BAL("a", "7.00",
				"0.00", 2))},
		{TRADE("m2", "A", "t1", "1", "1.00"),
			OK(BAL("a", "7.00", "1.00", 3)) MARKETS(MARKET("m2",
				"open", 1)) POSITIONS(POSITION("m2", "A",
				"1.00000000", "1.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m1", "B", "t2", "1", "1.00"),
			OK(BAL("a", "7.00", "2.00", 4)) MARKETS(MARKET("m1",
				"open", 1)) POSITIONS(POSITION("m1", "B",
				"1.00000000", "1.00", 1))
				TRADES(TX("t2", "recorded"))},
		{TRADE("m1", "A", "t3", "1", "1.01"),
			OK(BAL("a", "7.00", "3.01", 5)) POSITIONS(POSITION("m1",
				"A", "1.00000000", "1.01", 1))
				TRADES(TX("t3", "recorded"))},
		{TRADE("m3", "C", "t4", "2", "0") SKIM("7.01", "w"),
			NO("insufficient_funds")},
		{TRADE("m3", "C", "t4", "2", "0.50") SKIM("1.00", "w"),
			OK(BAL("a", "6.00", "3.08", 6) "," BAL("w", "-6.00",
				"0.00", 3)) MARKETS(MARKET("m3", "open",
				1)) POSITIONS(POSITION("m1", "A", "1.00000000",
				"0.86", 2) "," POSITION("m1", "B", "1.00000000",
				"0.86", 2) "," POSITION("m2", "A", "1.00000000",
				"0.86", 2) "," POSITION("m3", "C", "2.00000000",
				"0.50", 1)) TRADES(TX("t4",
				"recorded")) "\n"
					     "P a|0|0|-100|600\nP w|0|1|100|-600\n"
					     "E trade.recorded {'account':'a','market':'m3',"
					     "'outcome':'C','tx':'t4','side':'BUY',"
					     "'state':'recorded','position':'2.00000000',"
					     "'lock':'0.50','skim':'1.00'}"},
		/* its own lock is scaled with the others, then set: 86, 86, 86,
		 * 50 of 6.00, 5.99 left: 308 * 599 / 600 = 307; rests 514, 514,
		 * 514, 550; floors 85, 85, 85, 49 = 304: three units, the last
		 * one's first, then the first in byte order: its own lock does
		 * not change by that, so it is touched last */
		{TRADE("m1", "A", "t5", "3", "1.00") SKIM("0.01", "w"),
			OK(BAL("a", "5.99", "3.21", 7) "," BAL("w", "-5.99",
				"0.00", 4)) POSITIONS(POSITION("m2", "A",
				"1.00000000", "0.85", 3) "," POSITION("m1", "A",
				"3.00000000", "1.00", 3))
				TRADES(TX("t5", "recorded"))},
		/* a skim of all of it: nothing can be at stake after it */
		{TRADE("m1", "A", "t6", "3", "0.01") SKIM("5.99", "w"),
			NO("insufficient_funds")},
		{TRADE("m1", "A", "t6", "3", "0") SKIM("5.99", "w"),
			OK(BAL("a", "0.00", "0.00", 8) "," BAL("w", "0.00",
				"0.00", 5)) POSITIONS(POSITION("m1", "A",
				"3.00000000", "0.00", 4) "," POSITION("m1", "B",
				"1.00000000", "0.00", 3) "," POSITION("m2", "A",
				"1.00000000", "0.00", 4) "," POSITION("m3", "C",
				"2.00000000", "0.00", 2))
				TRADES(TX("t6", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_pool_is_deployed_once)
{
	static const struct line lines[] = {
		{"'type':'pool.deploy','market':'m','address':'0xabc'",
			OK() ",'markets':[{'market':'m','state':'open',"
			     "'address':'0xabc','version':1}]\n"
			     "E pool.deployed {'market':'m','address':'0xabc',"
			     "'version':1}"},
		{"'type':'pool.deploy','market':'m','address':'0xdef'",
			"'pool_exists','pool':{'market':'m','address':'0xabc'},"
			"'balances':[]"},
		{GROUP("{'type':'pool.deploy','market':'m','address':'0xdef'}"),
			FAILED(0, "pool_exists")},
		DEFINE("USD", "2"),
		OPEN("a"),
		/* its first trade gives it an asset */
		{TRADE("m", "A", "t1", "1", "0"),
			OK(BAL("a", "0.00", "0.00",
				2)) ",'markets':[{'market':'m','state':'open',"
				    "'address':'0xabc','version':2}]" POSITIONS(
					    POSITION("m", "A", "1.00000000",
						    "0.00", 1))
					    TRADES(TX("t1", "recorded"))},
		{TRADE("n", "A", "t2", "1", "0"),
			OK(BAL("a", "0.00", "0.00", 3)) MARKETS(MARKET("n",
				"open", 1)) POSITIONS(POSITION("n", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t2", "recorded"))},
		{"'type':'pool.deploy','market':'n','address':'0xdef',"
		 "'expected_version':{'market':{'n':1}}",
			OK() ",'markets':[{'market':'n','state':'open',"
			     "'address':'0xdef','version':2}]"},
		{"'type':'market.settle','market':'n','from':'a',"
		 "'payouts':{'A':'0'}",
			OK(BAL("a", "0.00", "0.00",
				4)) ",'markets':[{'market':'n','state':'settling',"
				    "'address':'0xdef','version':3}]"},
		{"'type':'pool.deploy','market':'n','address':'0xdef'",
			NO("market_settled")},
	};

	PLAY(lines);
}
END_TEST

/* Nothing is taken, so nothing is too much; a skim of such a stake is. */
START_TEST(a_stake_below_zero_trades_unless_it_is_skimmed)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		{"'type':'account.open','account':'a','asset':'USD',"
		 "'floor':'-9.00'",
			OK("{'account':'a','asset':'USD',"
			   "'balance':'0.00','held':'0.00','version':1}")},
		{POST("a", "w", "5.00"),
			OK(BAL("a", "-5.00", "0.00", 2) "," BAL("w", "5.00",
				"0.00", 2))},
		{TRADE("m", "YES", "t1", "1", "4.01"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t1", "1", "4.00"),
			OK(BAL("a", "-5.00", "4.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"1.00000000", "4.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m", "YES", "t2", "0", "0") SKIM("0.01", "w"),
			NO("insufficient_funds")},
		{TRADE("m", "YES", "t2", "0", "0"),
			OK(BAL("a", "-5.00", "0.00", 4)) POSITIONS(POSITION("m",
				"YES", "0.00000000", "0.00", 2))
				TRADES(TX("t2", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

/* ---- settlement ---- */

#define OF(who, outcome, tx, position, lock)                                   \
	"'type':'trade.record','account':'" who "','market':'m',"              \
	"'outcome':'" outcome "','side':'BUY','tx':'" tx                       \
	"','position':'" position "','lock':'" lock "'"
#define HELD_BY(who, outcome, qty, paid, version)                              \
	"{'account':'" who "','market':'m','outcome':'" outcome                \
	"','qty':'" qty "','lock':'0.00','paid':'" paid                        \
	"','version':" #version "}"
#define TRADED(who, outcome, qty, lock, tx, born)                              \
	OK(BAL(who, "0.00", lock, 2))                                          \
	born POSITIONS("{'account':'" who "','market':'m','outcome':'" outcome \
		       "','qty':'" qty "','lock':'" lock "','version':1}")     \
		TRADES(TX(tx, "recorded"))

/* Three holders, one who lost, and one of the three is closed meanwhile.
 * YES pays 0.335: 1, 1 and 1 units are worth 33.5 minor units each; the sums
 * are 33.5, 67, 100.5: so 33, 34 and 33 are paid, 100 in all. */
START_TEST(a_settlement_pays_the_exact_total)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("b"),
		OPEN("c"),
		OPEN("d"),
		OPEN("e"),
		OPEN("p"),
		OPEN_WORLD,
		{OF("b", "YES", "t1", "1", "0"),
			TRADED("b", "YES", "1.00000000", "0.00", "t1",
				MARKETS(MARKET("m", "open", 1)))},
		{OF("c", "YES", "t2", "1", "0"),
			TRADED("c", "YES", "1.00000000", "0.00", "t2", "")},
		{OF("d", "NO", "t3", "5", "0"),
			TRADED("d", "NO", "5.00000000", "0.00", "t3", "")},
		{OF("e", "YES", "t4", "1", "0"),
			TRADED("e", "YES", "1.00000000", "0.00", "t4", "")},
		{POST("w", "p", "0.99"),
			OK(BAL("w", "-0.99", "0.00", 2) "," BAL("p", "0.99",
				"0.00", 2))},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			NO("insufficient_funds")},
		{POST("w", "p", "0.02"),
			OK(BAL("w", "-1.01", "0.00", 3) "," BAL("p", "1.01",
				"0.00", 3))},
		{"'type':'market.settle','market':'x','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			NO("market_not_found")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1000000.1'}",
			"X\n" NO("invalid")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{}",
			"X\n" NO("invalid")},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1000000'},'dry_run':true",
			NO("insufficient_funds") ",'dry_run':true"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0.335'}",
			OK(BAL("p", "1.01", "1.00", 4)) MARKETS(MARKET("m",
				"settling",
				2)) "\n"
				    "E market.settling {'market':'m','payer':'p',"
				    "'total':'1.00','version':2}"},
		{OF("b", "YES", "t5", "9", "0"), NO("market_settled")},
		{OF("b", "YES", "t1", "9", "0"),
			OK() TRADES(TX("t1", "confirmed")) ",'confirmed':true"},
		{"'type':'account.close','account':'e'",
			OK(BAL("e", "0.00", "0.00", 3))},
		{"@pay m 2",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.34", "0.33", 5) "," BAL("b", "0.33",
				"0.00", 3) "," BAL("c", "0.34", "0.00",
				3) "]" MARKETS(MARKET("m", "settling",
				3)) POSITIONS(HELD_BY("b", "YES", "1.00000000",
				"0.33", 2) "," HELD_BY("c", "YES", "1.00000000",
				"0.34", 2)) "\nQ p|0|0|-33|68\nQ b|0|1|33|33\n"
					    "Q p|0|2|-34|34\nQ c|0|3|34|34"},
		/* d lost; e is closed: 33 stay with the payer */
		{"@pay m 2",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.34", "0.00", 6) "]" MARKETS(MARKET("m",
				"settled", 4)) POSITIONS(HELD_BY("d", "NO",
				"5.00000000", "0.00",
				2)) "\nU market.settled {'market':'m','paid':'0.67',"
				    "'unpaid':'0.33','holders':3,'unpaid_holders':1,"
				    "'version':4}"},
		{"@pay m 2", "! a payment for what is not settling: m"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'0'}",
			NO("market_settled")},
	};

	PLAY(lines);
}
END_TEST

/* A page locks the accounts that it pays: what is due on them comes first. It
 * releases locks; half units at scale 0 go by the sum: 0.5, 1.0, 1.5. */
START_TEST(a_page_releases_locks_and_settles_what_is_due)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{POST("w", "a", "10.00"),
			OK(BAL("w", "-10.00", "0.00", 2) "," BAL("a", "10.00",
				"0.00", 2))},
		{PLACE("a", "6.00", "h1") UNTIL("00:05"),
			OK(BAL("a", "10.00", "6.00", 3)) HOLDS(
				"{'hold':'h1','account':'a','amount':'6.00',"
				"'state':'held','expires_at':"
				"'2026-11-21T10:00:05.000000Z'}")},
		{TRADE("m", "YES", "t1", "0.005", "3.00"),
			OK(BAL("a", "10.00", "9.00", 4)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "YES",
				"0.00500000", "3.00", 1))
				TRADES(TX("t1", "recorded"))},
		{TRADE("m", "NO", "t2", "0.005", "1.00"),
			OK(BAL("a", "10.00", "10.00", 5)) POSITIONS(
				POSITION("m", "NO", "0.00500000", "1.00", 1))
				TRADES(TX("t2", "recorded"))},
		{"'type':'market.settle','market':'m','from':'w',"
		 "'payouts':{'YES':'1','NO':'1'}",
			OK(BAL("w", "-10.00", "0.01", 3))
				MARKETS(MARKET("m", "settling", 2))},
		{"@+5", ""},
		{"@pay m 500",
			"T 'hold.expire','status':'applied','balances':[" BAL("a", "10.00", "4.00", 6) "]" HOLDS(
				"{'hold':'h1','account':'a','amount':'6.00',"
				"'state':'expired','expires_at':"
				"'2026-11-21T10:00:05.000000Z'}") "\n"
								  "T 'market.pay','status':'applied','balances':[" BAL(
									  "w",
									  "-10.01",
									  "0.00",
									  4) "," BAL("a",
									  "10.01",
									  "0.00",
									  7) "]" MARKETS(MARKET("m",
									  "settled",
									  3))
									  POSITIONS(
										  "{'account':'a','market':'m','outcome':'YES',"
										  "'qty':'0.00500000','lock':'0.00',"
										  "'paid':'0.00','version':2},"
										  "{'account':'a','market':'m','outcome':'NO',"
										  "'qty':'0.00500000','lock':'0.00',"
										  "'paid':'0.01','version':2}")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_market_without_positions_ends_with_an_empty_page)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN("p"),
		{"'type':'pool.deploy','market':'m','address':'x'",
			OK() ",'markets':[{'market':'m','state':'open',"
			     "'address':'x','version':1}]"},
		{"'type':'market.settle','market':'m','from':'p',"
		 "'payouts':{'YES':'1'}",
			OK(BAL("p", "0.00", "0.00",
				2)) ",'markets':[{'market':'m','state':'settling',"
				    "'address':'x','version':2}]"},
		{"@pay m 500",
			"T 'market.pay','status':'applied','balances':[" BAL(
				"p", "0.00", "0.00",
				3) "],"
				   "'markets':[{'market':'m','state':'settled',"
				   "'address':'x','version':3}]\n"
				   "U market.settled {'market':'m','paid':'0.00',"
				   "'unpaid':'0.00','holders':0,'unpaid_holders':0,"
				   "'version':3}"},
	};

	PLAY(lines);
}
END_TEST

/* ---- the gates ---- */

#define RATE(rule, limit, remaining, reset)                                    \
	",'rate':{'rule':'" rule "','limit':" #limit                           \
	",'remaining':" #remaining ",'reset':'2026-11-21T10:00:" reset         \
	".000000Z'}"
#define RECEIVE(sku) "'type':'stock.receive','sku':'" sku "','qty':'1'"

/* A request, unlike what happened already, which no rule refuses. */
#define NEW_ASSET(asset) "'type':'asset.define','asset':'" asset "','scale':2"

START_TEST(rates_count_what_passed_the_gates)
{
	static const struct line lines[] = {
		{"@rate r,actor,2,10,1,asset.define,order.fill", ""},
		{NEW_ASSET("A"), OK() RATE("r", 2, 1, "10")},
		{NEW_ASSET("B") ",'dry_run':true",
			OK() RATE("r", 2, 1, "10") ",'dry_run':true"},
		{NEW_ASSET("B") ",'actor':'x'", OK() RATE("r", 2, 1, "10")},
		/* refused by the books: it counts */
		{"@+1", ""},
		{NEW_ASSET("A"), NO("asset_exists") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C"), NO("rate_limited") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C") ",'actor':''",
			NO("rate_limited") RATE("r", 2, 0, "10")},
		{NEW_ASSET("C") ",'dry_run':true",
			NO("rate_limited")
				RATE("r", 2, 0, "10") ",'dry_run':true"},
		{"'type':'stock.reserve','sku':'k','qty':'9'",
			NO("sku_not_found")},
		/* a fact is neither refused nor counted, whatever the rule says */
		{"'type':'order.fill','order':'o','fill':'f','qty':'1',"
		 "'price':'1'",
			NO("order_not_found")},
		/* (t - window, t]: the first leaves at 10 s */
		{"@+9", ""},
		{NEW_ASSET("D"), OK() RATE("r", 2, 0, "11")},
		/* nothing is counted: a dry run is told no reset */
		{"@+10", ""},
		{NEW_ASSET("E") ",'dry_run':true",
			OK() ",'rate':{'rule':'r','limit':2,'remaining':2},"
			     "'dry_run':true"},
		/* a group: each member */
		{GROUP("{" NEW_ASSET("E") "},{" NEW_ASSET("F") "},{" NEW_ASSET(
			 "G") "}"),
			NO("rate_limited") ",'rate':{'rule':'r','limit':2,'remaining':2}"},
		{GROUP("{" NEW_ASSET("E") "},{" NEW_ASSET("F") "}"),
			OK() RATE("r", 2, 0, "30")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(an_organisations_rate_is_split_into_shares)
{
	static const struct line lines[] = {
		{"@rate z,org,5,10,2,asset.define,group", ""},
		{"@rate b,actor,2,10,1,asset.define", ""},
		{"@part 3", ""},
		/* share 1 of 2: 2 of 5; equal remaining: by name */
		{NEW_ASSET("A") ",'actor':'1'", OK() RATE("b", 2, 1, "10")},
		{NEW_ASSET("B") ",'actor':'2'", OK() RATE("z", 2, 0, "10")},
		{NEW_ASSET("C") ",'actor':'3'",
			NO("rate_limited") RATE("z", 2, 0, "10")},
		{"@part 4", ""},
		{NEW_ASSET("C") ",'actor':'3'", OK() RATE("b", 2, 1, "10")},
		{GROUP("{" NEW_ASSET("D") "}") ",'actor':'4'",
			OK() RATE("z", 3, 0, "10")},
		{GROUP("{'type':'stock.adjust','sku':'k','delta':'1'}"),
			NO("rate_limited") RATE("z", 3, 0, "10")},
	};

	PLAY(lines);
}
END_TEST

START_TEST(a_pause_refuses_requests_and_no_facts)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{PLACE("w", "1.00", "h"),
			OK(BAL("w", "0.00", "1.00", 2))
				HOLDS(HOLD("h", "w", "1.00", "held"))},
		{"@pause transfer.post,hold.capture,trade.record", ""},
		{POST("w", "a", "1.00"), NO("trading_paused")},
		{POST("w", "a", "1.00") ",'dry_run':true",
			NO("trading_paused") ",'dry_run':true"},
		{GROUP("{" RECEIVE("k") "},{" POST("w", "a", "1.00") "}"),
			NO("trading_paused")},
		{CAPTURE("h", "a"),
			OK(BAL("w", "-1.00", "0.00", 3) "," BAL("a", "1.00",
				"0.00", 2))
				HOLDS("{'hold':'h','account':'w','amount':'1.00',"
				      "'state':'captured','captured':'1.00'}")},
		{TRADE("m", "A", "t1", "1", "0"), NO("trading_paused")},
		{TRADE("m", "A", "t1", "1", "0") ",'settled':false",
			NO("trading_paused")},
		{TRADE("m", "A", "t1", "1", "0") ",'settled':true",
			OK(BAL("a", "1.00", "0.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t1", "confirmed"))},
	};

	PLAY(lines);
}
END_TEST

START_TEST(versions_are_of_rows_that_the_command_names)
{
	static const struct line lines[] = {
		DEFINE("USD", "2"),
		OPEN_WORLD,
		OPEN("a"),
		{PLACE("w", "1.00", "h") ",'expected_version':{'hold':{'h':0},"
					 "'account':{'w':1}}",
			OK(BAL("w", "0.00", "1.00", 2))
				HOLDS(HOLD("h", "w", "1.00", "held"))},
		{CAPTURE("h", "a") ",'expected_version':{'account':{'w':2}}",
			"X\n" NO("invalid")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':0}}",
			NO("version_conflict")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':1},"
				   "'account':{'a':1}}",
			OK(BAL("w", "-1.00", "0.00", 3) "," BAL("a", "1.00",
				"0.00", 2))
				HOLDS("{'hold':'h','account':'w','amount':'1.00',"
				      "'state':'captured','captured':'1.00'}")},
		{CAPTURE("h", "a") ",'expected_version':{'hold':{'h':2}}",
			NO("hold_captured")},
		{"'type':'transfer.reverse','transfer':'$1',"
		 "'expected_version':{'account':{'a':2}}",
			"X\n" NO("invalid")},
		{TRADE("m", "A", "t1", "1", "0") ",'expected_version':"
						 "{'position':{'a/m/B':0}}",
			"X\n" NO("invalid")},
		{TRADE("m", "A", "t1", "1", "0") ",'expected_version':"
						 "{'position':{'a/m/A':1}}",
			NO("version_conflict")},
		{TRADE("m", "A", "t1", "1",
			 "0") ",'expected_version':"
			      "{'position':{'a/m/A':0},'market':{'m':0}}",
			OK(BAL("a", "1.00", "0.00", 3)) MARKETS(MARKET("m",
				"open", 1)) POSITIONS(POSITION("m", "A",
				"1.00000000", "0.00", 1))
				TRADES(TX("t1", "recorded"))},
	};

	PLAY(lines);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("serial_model");
	TCase *t = tcase_create("scenarios");

	tcase_add_test(t, accounts_have_limits_and_an_end);
	tcase_add_test(t, shards_are_one_account_in_rows);
	tcase_add_test(t, holds_end_once);
	tcase_add_test(t, holds_run_out_at_their_deadline);
	tcase_add_test(t, transfers_are_reversed_once);
	tcase_add_test(t, amounts_leave_no_int64);
	tcase_add_test(t, stock_is_adjusted_down_to_what_is_reserved);
	tcase_add_test(t, a_group_is_all_or_nothing);
	tcase_add_test(t, orders_move_as_the_table_says);
	tcase_add_test(t, a_lost_order_may_be_found);
	tcase_add_test(t, trades_set_positions_and_confirm);
	tcase_add_test(t, a_stake_below_zero_trades_unless_it_is_skimmed);
	tcase_add_test(t, a_skim_scales_all_locks);
	tcase_add_test(t, a_pool_is_deployed_once);
	tcase_add_test(t, a_settlement_pays_the_exact_total);
	tcase_add_test(t, a_page_releases_locks_and_settles_what_is_due);
	tcase_add_test(t, a_market_without_positions_ends_with_an_empty_page);
	tcase_add_test(t, rates_count_what_passed_the_gates);
	tcase_add_test(t, an_organisations_rate_is_split_into_shares);
	tcase_add_test(t, a_pause_refuses_requests_and_no_facts);
	tcase_add_test(t, versions_are_of_rows_that_the_command_names);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
