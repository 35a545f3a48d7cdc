/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-load: the fast parts of tests/bench, which Python would be too slow
 * for: commands into Kafka, a topic read whole, latencies by one clock.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "bench_load.h"

static const char usage[] =
	"usage: bench-load produce --bootstrap=B --topic=T --case=setup|hot|"
	"pair|uniform --count=N\n"
	"       bench-load latency --bootstrap=B --topic=T --results=R "
	"--case=C --count=N [--rate=N]\n"
	"       bench-load floor --bootstrap=B --topic=T --results=R "
	"--database-url=U --count=N\n"
	"       bench-load forward --bootstrap=B --topic=T "
	"--database-url=U --slot=S --publication=P\n"
	"       bench-load read --bootstrap=B --topic=T [--count=N] "
	"[--out=FILE]\n"
	"  [--accounts=N] [--seed=N] [--duplicates=%] [--refusals=%] "
	"[--seconds=N]\n";

static _Noreturn void
refuse(const char *name, const char *text)
{
	fprintf(stderr, "bench-load: --%s=%s is not understood\n%s", name, text,
		usage);
	exit(64);
}

static int64_t
number(const char *name, const char *text, int64_t max)
{
	int64_t v;

	if (ch_view_int(ch_view_of(text), 0, max, &v) != 0)
		refuse(name, text);
	return v;
}

static enum commands_case
case_of(const char *text)
{
	int i;

	for (i = 0; i < COMMANDS_CASES; i++)
		if (strcmp(text, commands_case_names[i]) == 0)
			return (enum commands_case)i;
	refuse("case", text);
}

static void
set(struct options *o, int which, const char *v)
{
	switch (which) {
	case 'b':
		o->bootstrap = v;
		break;
	case 't':
		o->topic = v;
		break;
	case 'u':
		o->database_url = v;
		break;
	case 'l':
		o->slot = v;
		break;
	case 'p':
		o->publication = v;
		break;
	case 'r':
		o->results = v;
		break;
	case 'o':
		o->out = v;
		break;
	case 'c':
		o->commands.which = case_of(v);
		break;
	case 'n':
		o->count = number("count", v, 100000000);
		break;
	case 'q':
		o->rate = number("rate", v, 1000000);
		break;
	case 's':
		o->seconds = number("seconds", v, 86400);
		break;
	case 'a':
		o->commands.accounts =
			(uint64_t)number("accounts", v, 10000000);
		break;
	case 'e':
		o->commands.seed = (uint64_t)number("seed", v, INT64_MAX);
		break;
	case 'd':
		o->commands.duplicates = (uint64_t)number("duplicates", v, 90);
		break;
	case 'f':
		o->commands.refusals = (uint64_t)number("refusals", v, 100);
		break;
	default:
		exit(64);
	}
}

static void
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"bootstrap", required_argument, NULL, 'b'},
		{"topic", required_argument, NULL, 't'},
		{"results", required_argument, NULL, 'r'},
		{"database-url", required_argument, NULL, 'u'},
		{"slot", required_argument, NULL, 'l'},
		{"publication", required_argument, NULL, 'p'},
		{"out", required_argument, NULL, 'o'},
		{"case", required_argument, NULL, 'c'},
		{"count", required_argument, NULL, 'n'},
		{"rate", required_argument, NULL, 'q'},
		{"seconds", required_argument, NULL, 's'},
		{"accounts", required_argument, NULL, 'a'},
		{"seed", required_argument, NULL, 'e'},
		{"duplicates", required_argument, NULL, 'd'},
		{"refusals", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	int64_t now_ms = ch_clock_wall(&ch_clock_real).us / 1000;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		set(o, c, optarg);
	if (o->bootstrap == NULL || o->topic == NULL) {
		fputs(usage, stderr);
		exit(64);
	}
	if (o->commands.accounts < 2)
		refuse("accounts", "less than 2");
	if (strcmp(o->verb, "produce") == 0 &&
		o->commands.which == COMMANDS_SETUP)
		o->count = (int64_t)commands_setup_count(o->commands.accounts);
	/* the last id is of now, none is of the future */
	o->commands.base_ms = now_ms - o->count / COMMANDS_PER_MS;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.commands = {.accounts = 100000, .seed = 1}, .seconds = 60};
	const char *verb = argc > 1 ? argv[1] : "";

	o.verb = verb;
	ch_log_init("bench-load", CH_LOG_ERROR, false);
	if (argc > 1)
		read_options(&o, argc - 1, argv + 1);
	if (strcmp(verb, "produce") == 0)
		return bench_produce(&o);
	if (strcmp(verb, "latency") == 0 && o.results != NULL)
		return bench_latency(&o);
	if (strcmp(verb, "floor") == 0 && o.results != NULL &&
		o.database_url != NULL)
		return bench_floor(&o);
	if (strcmp(verb, "forward") == 0 && o.database_url != NULL &&
		o.slot != NULL && o.publication != NULL)
		return bench_forward(&o);
	if (strcmp(verb, "read") == 0)
		return bench_read(&o);
	fputs(usage, stderr);
	return 64;
}
