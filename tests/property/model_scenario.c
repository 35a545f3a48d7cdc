/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_scenario.h"
#include "model_text.h"
#include "serial_model.h"

#define START INT64_C(1795255200000000) /* 2026-11-21T10:00:00Z */
#define LINES_MAX 64
#define LISTS_MAX 8

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

void
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
