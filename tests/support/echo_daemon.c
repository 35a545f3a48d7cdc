/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo_daemon: the smallest daemon on the skeleton, for its tests: it does
 * nothing but turn, be ready by command, and take a while to drain. It also
 * shows how little a main.c has to say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"

#define MS_NS INT64_C(1000000)
#define HOUR_MS 3600000

enum { M_TURNS, M_LAST_TURN, M_SIZES, M_SEEN };

static const struct ch_param params[] = {
	{"bootstrap", CH_PARAM_LIST, "127.0.0.1:9092", 1, 8, NULL, 0,
		"brokers, host:port"},
	{"workers", CH_PARAM_INT, "2", 1, 16, NULL, CH_PARAM_RELOADABLE,
		"how many"},
	{"api_key", CH_PARAM_SECRET, NULL, 0, 0, NULL, CH_PARAM_RELOADABLE,
		"key for the API"},
	{"database_url", CH_PARAM_CONNINFO, NULL, 0, 0, NULL, 0, "PostgreSQL"},
	{"kafka", CH_PARAM_GROUP, NULL, 0, 0, NULL, 0,
		"any librdkafka property"},
	{"drain_takes", CH_PARAM_DURATION, "0", 0, 60000, NULL, 0,
		"how long a drain takes"},
	{"hang", CH_PARAM_BOOL, "false", 0, 0, NULL, 0,
		"the loop stops turning"},
	{"wakes_itself", CH_PARAM_BOOL, "false", 0, 0, NULL, 0,
		"each step wants an hour, and to be woken in a millisecond"},
	{"not_ready", CH_PARAM_BOOL, "false", 0, 0, NULL, CH_PARAM_RELOADABLE,
		"say that it is not ready"},
	{"fail_start", CH_PARAM_BOOL, "false", 0, 0, NULL, 0, "start() fails"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};

static const struct ch_metric_desc metrics[] = {
	[M_TURNS] = {"echo_turns_total", CH_COUNTER, CH_UNIT_NONE,
		"Turns of the loop.", {NULL}, NULL, 0},
	[M_LAST_TURN] = {"echo_last_turn_timestamp_seconds", CH_GAUGE,
		CH_UNIT_SECONDS, "When the loop turned last.", {NULL}, NULL, 0},
	[M_SIZES] = {"echo_batch_size", CH_HISTOGRAM, CH_UNIT_NONE, "Sizes.",
		{NULL}, NULL, 0},
	[M_SEEN] = {"echo_seen_total", CH_COUNTER, CH_UNIT_NONE,
		"Seen, by kind and \"result\".", {"kind", "result"}, NULL, 3},
	{NULL, CH_GAUGE, CH_UNIT_NONE, NULL, {NULL}, NULL, 0}};

struct echo {
	const struct ch_runtime *rt;
	bool draining;
	struct ch_mono drain_since;
};

static int
echo_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct echo *e;

	if (ch_params_bool(rt->params, "fail_start"))
		return ch_err_set(err, CH_EIO, "told to fail");
	e = ch_xcalloc(1, sizeof(*e));
	e->rt = rt;
	ch_series_add(
		ch_metrics_series(rt->metrics, M_SEEN, "a \"b\"\\\n", "ok"), 1);
	*state = e;
	return 0;
}

static int
echo_step(void *state, struct ch_err *err)
{
	struct echo *e = state;
	struct ch_mono in_time;

	(void)err;
	if (ch_params_bool(e->rt->params, "hang"))
		for (;;)
			pause();
	ch_metric_add(e->rt->metrics, M_TURNS, 1);
	ch_metric_set(e->rt->metrics, M_LAST_TURN,
		ch_clock_wall(e->rt->clock).us);
	ch_metric_observe(e->rt->metrics, M_SIZES, 7);
	ch_debug("echo.turn");
	if (!ch_params_bool(e->rt->params, "wakes_itself"))
		return 20;
	in_time = ch_clock_mono(e->rt->clock);
	in_time.ns += MS_NS;
	ch_runtime_wake_at(e->rt,
		(struct ch_mono){in_time.ns + HOUR_MS * MS_NS});
	ch_runtime_wake_at(e->rt, in_time);
	return HOUR_MS;
}

static bool
echo_drain(void *state)
{
	struct echo *e = state;
	struct ch_mono now = ch_clock_mono(e->rt->clock);

	if (!e->draining)
		e->drain_since = now;
	e->draining = true;
	return ch_mono_ms_since(now, e->drain_since) >=
		ch_params_ms(e->rt->params, "drain_takes");
}

static void
echo_stop(void *state)
{
	free(state);
}

static bool
echo_ready(void *state, struct ch_buf *verbose)
{
	struct echo *e = state;
	bool ok = ch_ready_line(verbose, "postgres", true, NULL);

	return ch_ready_line(verbose, "kafka",
		       !ch_params_bool(e->rt->params, "not_ready"),
		       "told so") &&
		ok;
}

static int
echo_say(const struct ch_runtime *rt, int argc, char **argv)
{
	(void)rt;
	for (int i = 1; i < argc; i++)
		if (write(STDOUT_FILENO, argv[i], strlen(argv[i])) < 0)
			return CH_EXIT_FAILURE;
	return argc == 2 ? 7 : CH_EXIT_OK;
}

static const struct ch_subcommand subcommands[] = {
	{"say", "say <word>...", "prints the words", echo_say, NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static bool
page_of(const char *command, const char *word)
{
	if (strcmp(word, "hello") != 0)
		return false;
	printf("page of %s %s\n", command, word);
	return true;
}

int
main(int argc, char **argv)
{
	return ch_daemon_main(argc, argv,
		&(struct ch_daemon){.name = "echo-daemon",
			.summary = "turns and does nothing",
			.params = params,
			.metrics = metrics,
			.admin_port = 9199,
			.start = echo_start,
			.step = echo_step,
			.drain = echo_drain,
			.stop = echo_stop,
			.ready = echo_ready,
			.subcommands = subcommands,
			.command_page = page_of});
}
