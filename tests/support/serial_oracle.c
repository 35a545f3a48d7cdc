/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial_oracle: replays a log through the serial model and says where the
 * log differs. For the integration and fault tests.
 *
 *	serial-oracle <log.ndjson >report.ndjson
 *
 * Input, one JSON object a line, in the order of replay (batch, pos):
 *
 *	{"source":"kafka","decided_at":T,"part":P,"command_hex":"7b22...",
 *	 "expect":"<result as stored>"?,"parked":true?}
 *		a record. part: its partition (shards, shares of rates).
 *		command_hex: the value's bytes, encode(x,'hex');
 *		null: a tombstone. One line for a record that is in rejected
 *		and in answers: expect is the answer, or is left out. parked:
 *		error_class is 'poison'.
 *	{"source":"timer","decided_at":T,"part":P,"command_hex":...,
 *	 "expect":...,"page_size":N?}
 *		a timer's row of command_log, of any type; part: of the
 *		partition that numbers it; page_size: of a settlement (500).
 *	{"source":"positions","org":O,"market":M,"accounts":[...],
 *	 "outcomes":[...]}
 *		in which order the market's positions are numbered: before
 *		its first page.
 *	{"source":"pauses","pauses":[{"scope":S,"types":[...]}...]}
 *		what is paused from here on; replaces what was.
 *	{"source":"rates","rates":[{"name":N,"org":O?,"scope":"actor"|"org",
 *	 "types":[...],"most":N,"window_us":N,"shares":N}...],"forget":[N...]?}
 *		the rate rules from here on; windows of those to forget begin
 *		empty.
 *	{"source":"retention","lowest_day":days since 1970}
 *		the oldest day of ids that is kept from here on (0 at first).
 *
 * T: RFC 3339 in UTC as in results, or an integer of microseconds since 1970.
 *
 * Output: for each record and timer
 *	{"line":N,"results":[...],"postings":[...],"events":[...]}
 * where results are canonical (without reason, seq, a timer's id), postings
 * are "org|account|shard|leg|amount|balance_after|id in hex|decided_at in us"
 * in minor units (a timer's without id), events are "<type> <payload>" without
 * seq (a timer's without command_id); {"line":N,"difference":{"log":...,
 * "model":...}} where expect is another answer; {"line":N,"problem":text} where
 * the log cannot be right (a timer too early, something due unsettled, time
 * going back). Then every row: {"row":"a/<org>/<account>",...} (the whole list
 * of kinds is in serial_model.h), and last {"summary":{"lines":N,
 * "differences":N,"problems":N,"from_log":N,"absent":N}}.
 *
 * from_log: answers that rested on absence (a status ending in _not_found, that
 * of a group's member included, or a dry run) may differ when two writers work
 * at once: they are taken as they are (ledger.md section 3). Where the model
 * would answer otherwise, absent counts it and {"line":N,"absent":{"log":...,
 * "model":...}} says so: with one writer there is none. Exit status: 0 equal,
 * 1 different, 2 bad input.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial_model.h"

#define PAUSES_MAX 16
#define RATES_MAX 16
#define TYPES_MAX 32
#define VALUE_MAX ((size_t)64 * 1024)

struct oracle {
	struct serial_model *model;
	struct serial_now now;
	struct serial_pause pauses[PAUSES_MAX];
	const char *types[PAUSES_MAX][TYPES_MAX];
	json_t *pause_line; /* what pauses point into */
	struct serial_rate rates[RATES_MAX];
	const char *rate_types[RATES_MAX][TYPES_MAX];
	json_t *rate_line;		  /* what rates point into */
	struct serial_command **commands; /* the model keeps pointers */
	size_t command_count, command_cap;
	size_t line, differences, problems, from_log, absent;
	json_t *results, *postings, *events; /* of the running line */
};

static _Noreturn void
bad_input(const struct oracle *o, const char *what)
{
	(void)fprintf(stderr, "serial-oracle: line %zu: %s\n", o->line, what);
	exit(2);
}

static void
print_line(json_t *object)
{
	(void)json_dumpf(object, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(object);
}

static void
sink(void *ctx, enum serial_line kind, const char *text)
{
	struct oracle *o = ctx;

	if (kind == SERIAL_PROBLEM) {
		o->problems++;
		print_line(json_pack("{s:I,s:s}", "line", (json_int_t)o->line,
			"problem", text));
	} else if (kind == SERIAL_RESULT || kind == SERIAL_TIMER) {
		(void)json_array_append_new(o->results, json_string(text));
	} else if (kind == SERIAL_POSTING || kind == SERIAL_TIMER_POSTING) {
		(void)json_array_append_new(o->postings, json_string(text));
	} else if (kind != SERIAL_REJECTED) {
		(void)json_array_append_new(o->events, json_string(text));
	}
}

/* ---- reading a line ---- */

static int64_t
days_from_civil(int64_t y, int64_t m, int64_t d)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t p = y - 1;

	return p * 365 + p / 4 - p / 100 + p / 400 + before[m - 1] +
		(m > 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0)) + d -
		1 - 719162;
}

static int64_t
time_of(const struct oracle *o, const json_t *v)
{
	int y, mo, d, h, mi, s, us;

	if (json_is_integer(v))
		return json_integer_value(v);
	if (!json_is_string(v) ||
		sscanf(json_string_value(v), "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ", &y,
			&mo, &d, &h, &mi, &s, &us) != 7 ||
		mo < 1 || mo > 12)
		bad_input(o, "decided_at is no time with six digits");
	return (((days_from_civil(y, mo, d) * 24 + h) * 60 + mi) * 60 + s) *
		1000000 +
		us;
}

static unsigned
hex_digit(const struct oracle *o, char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	if (at == NULL)
		bad_input(o, "command_hex is no lower-case hexadecimal text");
	return (unsigned)(at - digits);
}

/* NULL for a tombstone. */
static char *
bytes_of(const struct oracle *o, const json_t *v, size_t *len)
{
	const char *hex = json_string_value(v);
	char *bytes;

	*len = 0;
	if (json_is_null(v))
		return NULL;
	if (hex == NULL || strlen(hex) % 2 != 0)
		bad_input(o, "command_hex is missing or odd");
	*len = strlen(hex) / 2;
	bytes = calloc(1, *len + 1);
	if (bytes == NULL)
		abort();
	for (size_t i = 0; i < *len; i++)
		bytes[i] = (char)(hex_digit(o, hex[2 * i]) << 4 |
			hex_digit(o, hex[2 * i + 1]));
	return bytes;
}

static struct serial_command *
command_of(struct oracle *o, const json_t *line)
{
	size_t len;
	char *bytes = bytes_of(o, json_object_get(line, "command_hex"), &len);
	struct serial_command *c = serial_command_new(bytes, len, VALUE_MAX);

	free(bytes);
	if (o->command_count == o->command_cap) {
		o->command_cap = o->command_cap > 0 ? o->command_cap * 2 : 1024;
		o->commands = reallocarray(o->commands, o->command_cap,
			sizeof(*o->commands));
		if (o->commands == NULL)
			abort();
	}
	o->commands[o->command_count++] = c;
	return c;
}

/* ---- comparing ---- */

/* Cuts `start..."` with its value, and the comma of a first member. */
static void
cut(char *text, const char *start)
{
	char *at = strstr(text, start);
	char *end;

	if (at == NULL)
		return;
	for (end = at + strlen(start); *end != '"' && *end != '\0'; end++)
		end += *end == '\\';
	end += *end == '"';
	end += start[0] != ',' && *end == ',';
	memmove(at, end, strlen(end) + 1);
}

static char *
canonical(const char *text, int timer)
{
	char *copy = strdup(text);

	if (copy == NULL)
		abort();
	cut(copy, ",\"reason\":\"");
	cut(copy, ",\"seq\":\"");
	if (timer)
		cut(copy, "\"id\":\"");
	return copy;
}

static int
rests_on_absence(const char *expect)
{
	return strstr(expect, "_not_found\",\"") != NULL ||
		strstr(expect, "_not_found\"},\"") != NULL ||
		strstr(expect, ",\"dry_run\":true,") != NULL;
}

/* Makes a row that another batch may have made at the same time, unseen. */
static int
makes_rows(const char *type)
{
	static const char *const makers[] = {"asset.define", "account.open",
		"hold.place", "stock.receive", "stock.reserve", "order.place",
		"trade.record", "pool.deploy"};
	size_t i;

	for (i = 0; type != NULL && i < sizeof(makers) / sizeof(makers[0]); i++)
		if (strcmp(type, makers[i]) == 0)
			return 1;
	return 0;
}

/* A group that failed behind a member that makes rows: what it makes is undone
 * with the group, and its key never met (ledger.md, section 6). So two refusals
 * may differ; neither changes a row. */
static int
failed_behind_a_maker(const struct oracle *o, const json_t *line,
	const char *expect, const char *ours)
{
	json_t *answer, *command;
	const json_t *member;
	size_t i, at, len;
	char *bytes;
	int behind = 0;

	if (strstr(expect, "\"status\":\"group_failed\"") == NULL ||
		strstr(ours, "\"status\":\"group_failed\"") == NULL)
		return 0;
	bytes = bytes_of(o, json_object_get(line, "command_hex"), &len);
	command = json_loadb(bytes, len, 0, NULL);
	answer = json_loads(expect, 0, NULL);
	at = (size_t)json_integer_value(
		json_object_get(json_object_get(answer, "failed"), "index"));
	json_array_foreach (json_object_get(command, "commands"), i, member)
		behind |= i < at &&
			makes_rows(json_string_value(json_object_get(member,
				"type")));
	json_decref(command);
	json_decref(answer);
	free(bytes);
	return behind;
}

static void
compare(struct oracle *o, const json_t *line, int timer)
{
	const char *expect = json_string_value(json_object_get(line, "expect"));
	const char *ours = "";
	char *theirs;

	if (json_array_size(o->results) > 0)
		ours = json_string_value(json_array_get(o->results,
			json_array_size(o->results) - 1));
	theirs = canonical(expect != NULL ? expect : "", timer);
	if (strcmp(ours, theirs) != 0 && expect != NULL &&
		failed_behind_a_maker(o, line, theirs, ours)) {
		o->absent++;
	} else if (strcmp(ours, theirs) != 0) {
		o->differences++;
		print_line(json_pack("{s:I,s:{s:s,s:s}}", "line",
			(json_int_t)o->line, "difference", "log", theirs,
			"model", ours));
	}
	free(theirs);
}

/* ---- the kinds of lines ---- */

static void
take_parked(struct oracle *o, const struct serial_command *c)
{
	char *text = serial_parked(c, &o->now);

	if (text != NULL)
		(void)json_array_append_new(o->results, json_string(text));
	free(text);
}

/* The whole member, which holds no braces of its own. */
static void
cut_rate(char *text)
{
	char *at = strstr(text, ",\"rate\":{\"rule\":");
	char *end = at != NULL ? strchr(at, '}') : NULL;

	if (end != NULL)
		memmove(at, end + 1, strlen(end + 1) + 1);
}

/* An answer that rests on absence: is it the model's all the same? */
static void
ask_model(struct oracle *o, const struct serial_command *c, const char *text)
{
	char *ours = serial_would(o->model, c, &o->now);
	char *theirs = strdup(text);

	if (theirs == NULL)
		abort();
	cut_rate(theirs);
	if (ours != NULL)
		cut_rate(ours);
	if (ours == NULL || strcmp(ours, theirs) != 0) {
		o->absent++;
		print_line(json_pack("{s:I,s:{s:s,s:s?}}", "line",
			(json_int_t)o->line, "absent", "log", text, "model",
			ours));
	}
	free(ours);
	free(theirs);
}

static void
take_record(struct oracle *o, const json_t *line)
{
	const struct serial_command *c = command_of(o, line);
	const char *expect = json_string_value(json_object_get(line, "expect"));
	int dry =
		expect != NULL && strstr(expect, ",\"dry_run\":true,") != NULL;
	int duplicate = expect != NULL &&
		strstr(expect, ",\"duplicate\":true}") != NULL;

	if (json_is_true(json_object_get(line, "parked"))) {
		take_parked(o, c);
	} else if (expect != NULL && !duplicate && rests_on_absence(expect)) {
		char *text = canonical(expect, 0);

		o->from_log++;
		ask_model(o, c, text);
		serial_accept(o->model, c, &o->now, text, !dry);
		(void)json_array_append_new(o->results, json_string(text));
		free(text);
	} else {
		serial_apply(o->model, c, &o->now, sink, o);
	}
	if (json_object_get(line, "expect") != NULL)
		compare(o, line, 0);
}

/* One text member of a line that must have it. */
static const char *
text_of(const struct oracle *o, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text == NULL)
		bad_input(o, name);
	return text;
}

static void
settle_timer(struct oracle *o, const json_t *line, const json_t *command)
{
	const json_t *page = json_object_get(line, "page_size");
	const char *org = text_of(o, command, "org");
	const char *type = text_of(o, command, "type");

	if (strcmp(type, "market.pay") == 0)
		serial_pay_page(o->model, org, text_of(o, command, "market"),
			json_is_integer(page) ? (size_t)json_integer_value(page)
					      : SERIAL_PAGE,
			&o->now, sink, o);
	else if (strcmp(type, "hold.expire") == 0)
		serial_expire(o->model, org, type, text_of(o, command, "hold"),
			&o->now, sink, o);
	else
		serial_expire(o->model, org, type,
			text_of(o, command, "reservation"), &o->now, sink, o);
}

static void
take_timer(struct oracle *o, const json_t *line)
{
	size_t len;
	char *bytes = bytes_of(o, json_object_get(line, "command_hex"), &len);
	json_t *command = json_loadb(bytes, len, 0, NULL);

	settle_timer(o, line, command);
	if (json_object_get(line, "expect") != NULL)
		compare(o, line, 1);
	json_decref(command);
	free(bytes);
}

static size_t
take_types(const struct oracle *o, const json_t *list, const char **types)
{
	const json_t *type;
	size_t k;

	if (json_array_size(list) > TYPES_MAX)
		bad_input(o, "too many types");
	json_array_foreach (list, k, type)
		types[k] = json_string_value(type);
	return json_array_size(list);
}

static void
take_pauses(struct oracle *o, json_t *line)
{
	const json_t *list = json_object_get(line, "pauses");
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > PAUSES_MAX)
		bad_input(o, "pauses is no array of at most 16");
	json_array_foreach (list, i, v) {
		o->pauses[i] = (struct serial_pause){text_of(o, v, "scope"),
			o->types[i],
			take_types(o, json_object_get(v, "types"),
				o->types[i])};
	}
	o->now.pauses = o->pauses;
	o->now.pause_count = json_array_size(list);
	json_decref(o->pause_line);
	o->pause_line = json_incref(line);
}

static void
take_rates(struct oracle *o, json_t *line)
{
	const json_t *list = json_object_get(line, "rates");
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > RATES_MAX)
		bad_input(o, "rates is no array of at most 16");
	json_array_foreach (list, i, v) {
		o->rates[i] = (struct serial_rate){text_of(o, v, "name"),
			json_string_value(json_object_get(v, "org")),
			strcmp(text_of(o, v, "scope"), "actor") == 0,
			o->rate_types[i],
			take_types(o, json_object_get(v, "types"),
				o->rate_types[i]),
			json_integer_value(json_object_get(v, "most")),
			json_integer_value(json_object_get(v, "window_us")),
			(int)json_integer_value(json_object_get(v, "shares"))};
	}
	o->now.rates = o->rates;
	o->now.rate_count = json_array_size(list);
	json_array_foreach (json_object_get(line, "forget"), i, v)
		serial_forget_rate(o->model, json_string_value(v));
	json_decref(o->rate_line);
	o->rate_line = json_incref(line);
}

static void
take_positions(struct oracle *o, const json_t *line)
{
	const json_t *accounts = json_object_get(line, "accounts");
	const json_t *outcomes = json_object_get(line, "outcomes");
	size_t n = json_array_size(accounts);
	const char **names = calloc(2 * n + 1, sizeof(*names));

	if (names == NULL || n != json_array_size(outcomes))
		bad_input(o, "accounts and outcomes are no pairs");
	for (size_t i = 0; i < n; i++) {
		names[i] = json_string_value(json_array_get(accounts, i));
		names[n + i] = json_string_value(json_array_get(outcomes, i));
	}
	if (!serial_pay_order(o->model, text_of(o, line, "org"),
		    text_of(o, line, "market"), names, names + n, n))
		sink(o, SERIAL_PROBLEM,
			"the market has other positions in the model");
	free(names);
}

static void
take_decision(struct oracle *o, const json_t *line, int timer)
{
	o->now.decided_at = time_of(o, json_object_get(line, "decided_at"));
	o->now.part = (int)json_integer_value(json_object_get(line, "part"));
	o->results = json_array();
	o->postings = json_array();
	o->events = json_array();
	if (timer)
		take_timer(o, line);
	else
		take_record(o, line);
	print_line(json_pack("{s:I,s:o,s:o,s:o}", "line", (json_int_t)o->line,
		"results", o->results, "postings", o->postings, "events",
		o->events));
}

static void
take_line(struct oracle *o, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	const char *source = json_string_value(json_object_get(line, "source"));

	if (source == NULL)
		bad_input(o, "no JSON object with a source");
	if (strcmp(source, "kafka") == 0)
		take_decision(o, line, 0);
	else if (strcmp(source, "timer") == 0)
		take_decision(o, line, 1);
	else if (strcmp(source, "pauses") == 0)
		take_pauses(o, line);
	else if (strcmp(source, "rates") == 0)
		take_rates(o, line);
	else if (strcmp(source, "positions") == 0)
		take_positions(o, line);
	else if (strcmp(source, "retention") == 0)
		o->now.lowest_day =
			json_integer_value(json_object_get(line, "lowest_day"));
	else
		bad_input(o, "source is no word of this file's head");
	json_decref(line);
}

int
main(void)
{
	struct oracle o = {.model = serial_model_new(false)};
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	char *rows;

	while ((len = getline(&text, &cap, stdin)) > 0) {
		o.line++;
		take_line(&o, text, (size_t)len);
	}
	free(text);
	rows = serial_dump(o.model);
	(void)fputs(rows, stdout);
	free(rows);
	print_line(json_pack("{s:{s:I,s:I,s:I,s:I,s:I}}", "summary", "lines",
		(json_int_t)o.line, "differences", (json_int_t)o.differences,
		"problems", (json_int_t)o.problems, "from_log",
		(json_int_t)o.from_log, "absent", (json_int_t)o.absent));
	serial_model_free(o.model);
	for (size_t i = 0; i < o.command_count; i++)
		serial_command_free(o.commands[i]);
	free(o.commands);
	json_decref(o.pause_line);
	json_decref(o.rate_line);
	return o.differences + o.problems > 0 ? 1 : 0;
}
