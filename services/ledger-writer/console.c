/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: see console.h.
 */
#include "console.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define CALL_MS 60000
#define TELL_MS 1000

/* ---- options ---- */

int
console_usage(const char *manual, const char *problem)
{
	const char *end = strchr(manual, '\n');

	(void)fprintf(stderr, "%s\n%.*s\n(--help tells more)\n", problem,
		(int)(end - manual), manual);
	return CH_EXIT_USAGE;
}

static const struct console_option *
find_option(const struct console_option *o, struct ch_view name)
{
	while (o->name != NULL && !ch_view_eq_str(name, o->name))
		o++;
	return o->name != NULL ? o : NULL;
}

/* Takes the option at argv[*i]; what is wrong with it, or NULL. */
static const char *
take_option(const struct console_option *options, int argc, char **argv, int *i)
{
	const char *equals = strchr(argv[*i], '=');
	struct ch_view name = ch_view_of(argv[*i] + 2);
	const struct console_option *o;

	if (equals != NULL)
		name.len = (size_t)(equals - argv[*i] - 2);
	o = find_option(options, name);
	if (o == NULL)
		return "no such option";
	if (o->flag != NULL) {
		*o->flag = true;
		return equals == NULL ? NULL : "takes no value";
	}
	if (equals != NULL)
		*o->text = equals + 1;
	else if (*i + 1 < argc)
		*o->text = argv[++*i];
	return *o->text != NULL && **o->text != '\0' ? NULL : "needs a value";
}

bool
console_options(const char *manual, const struct console_option *options,
	int argc, char **argv, int *words, char ***word)
{
	struct ch_buf problem = CH_BUF_INIT;
	bool literal = false;
	int kept = 1;

	for (int i = 1; i < argc && problem.len == 0; i++) {
		const char *wrong = NULL;
		int at = i;

		if (literal || argv[i][0] != '-')
			argv[kept++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			literal = true;
		else if (argv[i][1] != '-')
			wrong = "no such option";
		else
			wrong = take_option(options, argc, argv, &i);
		if (wrong != NULL)
			ch_buf_printf(&problem, "%s %.60s: %s", argv[0],
				argv[at], wrong);
	}
	*words = kept - 1;
	*word = argv + 1;
	if (problem.len == 0)
		return true;
	(void)console_usage(manual, ch_buf_str(&problem));
	ch_buf_free(&problem);
	return false;
}

bool
console_who(const char *manual, const char *actor, const char *reason)
{
	if (actor != NULL && reason != NULL)
		return true;
	(void)console_usage(manual,
		"a change needs --actor and --reason: who does it, and why");
	return false;
}

bool
console_day(const char *text)
{
	char time[32];
	struct ch_time t;

	return strlen(text) == 10 &&
		snprintf(time, sizeof(time), "%sT00:00:00Z", text) > 0 &&
		ch_time_parse(ch_view_of(time), &t);
}

/* ---- PostgreSQL ---- */

struct ch_pg *
console_connect(const struct ch_runtime *rt, const char *command, bool writes)
{
	const char *passfile = ch_params_str(rt->params, "passfile");
	struct ch_err err = CH_ERR_INIT;
	struct ch_buf name = CH_BUF_INIT;
	struct ch_pg *pg;

	ch_buf_printf(&name, "%s %s", rt->service, command);
	pg = ch_pg_new(
		&(struct ch_pg_params){
			.conninfo = ch_params_str(rt->params, "database_url"),
			.application_name = ch_buf_str(&name),
			.passfile = passfile[0] != '\0' ? passfile : NULL,
			.search_path = ch_params_str(rt->params, "schema"),
			.call_timeout_ms = CALL_MS,
			.read_write = writes,
			.on_connect = "SET TimeZone = 'UTC'; SET jit = off; "
				      "SET client_min_messages = warning"},
		&err);
	if (pg == NULL || ch_pg_connect(pg, &err) != 0) {
		(void)fprintf(stderr, "%s: %s\n", command, err.text);
		ch_pg_free(pg);
		pg = NULL;
	}
	ch_buf_free(&name);
	return pg;
}

/* States in which the schema's functions say no: 55000, 22023, P0002, 25001,
 * 55P03, 42P01. */
static bool
is_refusal(const char *sqlstate)
{
	static const char *const states[] = {
		"55000", "22023", "P0002", "25001", "55P03", "42P01"};
	size_t i = 0;

	while (i < sizeof(states) / sizeof(states[0]) &&
		strcmp(states[i], sqlstate) != 0)
		i++;
	return i < sizeof(states) / sizeof(states[0]);
}

int
console_failed(const struct ch_pg *pg, const char *command,
	const struct ch_err *err)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: %s\n", command, err->text);
	if (pg != NULL && err->code == CH_ESQL &&
		ch_pg_failure(pg)->hint[0] != '\0')
		(void)fprintf(stderr, "%s: %s\n", command,
			ch_pg_failure(pg)->hint);
	return pg != NULL && err->code == CH_ESQL && is_refusal(err->sqlstate)
		? CONSOLE_REFUSED
		: CONSOLE_FAILED;
}

/* ---- printing ---- */

void
console_print(struct ch_view v, size_t max)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_add_printable(&b, v, max);
	(void)fwrite(ch_buf_str(&b), 1, b.len, stdout);
	ch_buf_free(&b);
}

void
console_pair(const char *name, struct ch_view v)
{
	printf("  %-10s ", name);
	console_print(v, SIZE_MAX);
	printf("\n");
}

/* ---- progress ---- */

void
console_progress_begin(struct console_progress *p, const struct ch_clock *clock,
	const char *what, int64_t of)
{
	*p = (struct console_progress){.clock = clock,
		.what = what,
		.began = ch_clock_mono(clock),
		.of = of};
	p->told = p->began;
}

int64_t
console_progress_ms(const struct console_progress *p)
{
	return ch_mono_ms_since(ch_clock_mono(p->clock), p->began);
}

void
console_progress(struct console_progress *p, int64_t done)
{
	struct ch_mono now = ch_clock_mono(p->clock);
	int64_t ms = ch_mono_ms_since(now, p->began);

	if (ch_mono_ms_since(now, p->told) < TELL_MS)
		return;
	p->told = now;
	(void)fprintf(stderr, "%s %" PRId64, p->what, done);
	if (p->of > 0)
		(void)fprintf(stderr, " of %" PRId64, p->of);
	(void)fprintf(stderr, ", %" PRId64 "/s", done * 1000 / ms);
	if (p->of > done && done > 0)
		(void)fprintf(stderr, ", %" PRId64 " s left",
			(p->of - done) * ms / done / 1000 + 1);
	(void)fprintf(stderr, "\n");
}
