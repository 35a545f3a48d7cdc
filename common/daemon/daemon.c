/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: see daemon.h. The order of the start, the loop and the end of every
 * daemon.
 *
 * Invariant: what was started is stopped in the opposite order, whatever
 * failed. A failure before the loop is logged once, here, and told by the
 * exit status.
 */
#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/admin.h"
#include "daemon/cli.h"
#include "daemon/client_check.h"
#include "daemon/memwatch.h"
#include "daemon/notify.h"
#include "daemon/signals.h"
#include "daemon/watchdog.h"
#include "io/lib_versions.h"

#define WATCH_SLOTS 16
#define FD_SIGNAL WATCH_SLOTS
#define FD_WAKE (WATCH_SLOTS + 1)
#define FDS (WATCH_SLOTS + 2)
#define SLICE_NS 500000000 /* sleeps are cut so that health stays fresh */
#define DRAIN_SLICE_MS 50  /* and drain() is asked again */
#define READY_EVERY_MS 100
#define NOFILE_WANTED 65536
#define WATCHDOG_DEFAULT_MS 30000

static const struct ch_param common_params[] = {
	{"config", CH_PARAM_PATH, NULL, 0, 0, NULL, 0,
		"file with `key = value` lines"},
	{"log_level", CH_PARAM_ENUM, "info", 0, 0, "debug|info|warn|error",
		CH_PARAM_RELOADABLE, "least important events logged"},
	{"log_format", CH_PARAM_ENUM, "kv", 0, 0, "kv|json", 0,
		"key=value lines, or one JSON object a line"},
	{"admin_listen", CH_PARAM_STRING, NULL, 2, 300, NULL, 0,
		"address of /livez /readyz /metrics /config; port 0 lets the "
		"kernel choose"},
	{"admin_port_file", CH_PARAM_PATH, NULL, 0, 0, NULL, 0,
		"file that gets the admin port once it is open"},
	{"drain_deadline", CH_PARAM_DURATION, "20s", 0, 3600000, NULL,
		CH_PARAM_RELOADABLE,
		"how long work in hand may take after SIGTERM"},
	{"watchdog", CH_PARAM_DURATION, NULL, 0, 3600000, NULL, 0,
		"abort when the main loop has not turned for so long; 0 "
		"never"},
	{"memory_warn", CH_PARAM_BYTES, "0", 0, (int64_t)1 << 50, NULL,
		CH_PARAM_RELOADABLE,
		"log a warning over so much resident memory; 0 never"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};

#define COMMON_PARAMS (sizeof(common_params) / sizeof(common_params[0]))

enum common_metric {
	M_BUILD_INFO,
	M_READY,
	M_DRAINING,
	M_TURNS,
	M_TURN_SECONDS,
	M_RELOADS,
	M_RELOAD_OK,
	M_MEMORY_OVER,
	M_LOG_DROPPED,
	M_ADMIN_REQUESTS
};

static const struct ch_metric_desc common_metrics[] = {
	[M_BUILD_INFO] = {"ch_build_info", CH_GAUGE, CH_UNIT_NONE,
		"Constant 1, with the version, commit and librdkafka in use.",
		{"version", "revision", "librdkafka"}, NULL, 1},
	[M_READY] = {"ch_ready", CH_GAUGE, CH_UNIT_NONE,
		"1 while /readyz answers 200.", {NULL}, NULL, 0},
	[M_DRAINING] = {"ch_draining", CH_GAUGE, CH_UNIT_NONE,
		"1 after SIGTERM.", {NULL}, NULL, 0},
	[M_TURNS] = {"ch_loop_turns_total", CH_COUNTER, CH_UNIT_NONE,
		"Turns of the main loop.", {NULL}, NULL, 0},
	[M_TURN_SECONDS] = {"ch_loop_turn_duration_seconds", CH_HISTOGRAM,
		CH_UNIT_SECONDS, "Time inside one turn of the main loop.",
		{NULL}, NULL, 0},
	[M_RELOADS] = {"ch_config_reloads_total", CH_COUNTER, CH_UNIT_NONE,
		"Configuration reloads asked for by SIGHUP, by result.",
		{"result"}, NULL, 2},
	[M_RELOAD_OK] = {"ch_config_last_reload_successful", CH_GAUGE,
		CH_UNIT_NONE, "1 unless the last reload was refused.", {NULL},
		NULL, 0},
	[M_MEMORY_OVER] = {"ch_memory_over_limit", CH_GAUGE, CH_UNIT_NONE,
		"1 while resident memory is over memory_warn.", {NULL}, NULL,
		0},
	[M_LOG_DROPPED] = {"ch_log_lines_dropped_total", CH_COUNTER,
		CH_UNIT_NONE, "Log lines that stderr did not take.", {NULL},
		NULL, 0},
	[M_ADMIN_REQUESTS] = {"ch_admin_requests_total", CH_COUNTER,
		CH_UNIT_NONE, "Requests to the admin port.", {NULL}, NULL, 0},
	{NULL, CH_GAUGE, CH_UNIT_NONE, NULL, {NULL}, NULL, 0}};

static const struct ch_metric_desc no_metrics[] = {
	{NULL, CH_GAUGE, CH_UNIT_NONE, NULL, {NULL}, NULL, 0}};
static const struct ch_param no_params[] = {
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};

struct ch_loop {
	const struct ch_daemon *d;
	struct ch_runtime rt;
	void *state;

	/* tables: the service's first, so that its metric ids count from 0 */
	struct ch_param common[COMMON_PARAMS];
	char admin_default[32];
	struct ch_buf watchdog_default;
	const struct ch_param *params[3];
	const struct ch_metric_desc *metrics[3];
	int metric_base; /* id of common_metrics[0] */

	struct ch_watchdog *watchdog;
	struct ch_admin *admin;
	struct ch_memwatch memwatch;
	struct pollfd fds[FDS];
	struct ch_mono wake_at; /* of this turn; ns 0: when step() says */

	bool stopping;
	struct ch_mono stop_since;
	struct ch_mono ready_at;
	struct ch_mono notified_at;
	int64_t notify_every_ms;
	bool ready;
	bool debug; /* switched on by SIGUSR1 */
};

static struct ch_mono
now(const struct ch_loop *l)
{
	return ch_clock_mono(l->rt.clock);
}

static void
set_metric(struct ch_loop *l, enum common_metric m, int64_t v)
{
	ch_metric_set(l->rt.metrics, l->metric_base + (int)m, v);
}

/* ---- tables ---- */

static void
set_default(struct ch_loop *l, const char *name, const char *def)
{
	for (struct ch_param *p = l->common; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			p->def = def;
}

static void
make_tables(struct ch_loop *l)
{
	const struct ch_daemon *d = l->d;
	int64_t watchdog =
		d->watchdog_ms > 0 ? d->watchdog_ms : WATCHDOG_DEFAULT_MS;

	memcpy(l->common, common_params, sizeof(common_params));
	(void)snprintf(l->admin_default, sizeof(l->admin_default),
		"127.0.0.1:%d", d->admin_port);
	ch_buf_printf(&l->watchdog_default, "%lld%s",
		(long long)(watchdog % 1000 == 0 ? watchdog / 1000 : watchdog),
		watchdog % 1000 == 0 ? "s" : "ms");
	set_default(l, "admin_listen", l->admin_default);
	set_default(l, "watchdog", ch_buf_str(&l->watchdog_default));
	l->params[0] = d->params != NULL ? d->params : no_params;
	l->params[1] = l->common;
	l->metrics[0] = d->metrics != NULL ? d->metrics : no_metrics;
	l->metrics[1] = common_metrics;
	while (l->metrics[0][l->metric_base].name != NULL)
		l->metric_base++;
}

/* ---- start ---- */

static int
fail(const char *event, const struct ch_err *err, int status)
{
	ch_error(event, CH_ERR(err), CH_I("exit_status", status));
	return status;
}

static int
read_config(struct ch_loop *l, int argc, char **argv)
{
	struct ch_err err = CH_ERR_INIT;
	enum ch_log_level level = CH_LOG_INFO;

	if (ch_params_read(&l->rt.params, l->d->name, l->params, argc, argv,
		    environ, &err) < 0)
		return fail("config.invalid", &err, CH_EXIT_CONFIG);
	if (ch_client_check_listen(l->rt.params, "admin_listen", &err) < 0 ||
		(l->d->check != NULL && l->d->check(l->rt.params, &err) < 0))
		return fail("config.invalid", &err, CH_EXIT_CONFIG);
	(void)ch_log_level_parse(ch_params_str(l->rt.params, "log_level"),
		&level);
	ch_log_init(l->d->name, level,
		ch_params_enum(l->rt.params, "log_format") == 1);
	return 0;
}

/* No core dumps: they would hold secrets. Enough descriptors, but not the
 * 2^30 of some container engines, which tables are sized by. */
static void
set_limits(void)
{
	struct rlimit none = {0, 0}, files;

	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its leak check has to attach */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < NOFILE_WANTED ? files.rlim_max
								: NOFILE_WANTED;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void
make_metrics(struct ch_loop *l)
{
	struct ch_metrics *m;

	l->rt.metrics = m = ch_metrics_new(l->d->name, l->metrics);
	ch_series_set(ch_metrics_series(m, l->metric_base + M_BUILD_INFO,
			      ch_cli_version(), ch_cli_git_id(),
			      ch_lib_version_kafka()),
		1);
	(void)ch_metrics_series(m, l->metric_base + M_RELOADS, "ok");
	(void)ch_metrics_series(m, l->metric_base + M_RELOADS, "refused");
	set_metric(l, M_RELOAD_OK, 1);
}

static int
open_fds(struct ch_loop *l, struct ch_err *err)
{
	l->fds[FD_WAKE].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->fds[FD_WAKE].fd < 0)
		return ch_err_errno(err, errno, "cannot make an eventfd");
	l->fds[FD_SIGNAL].fd = ch_signals_open(CH_EXIT_FORCED, err);
	return l->fds[FD_SIGNAL].fd < 0 ? CH_EIO : 0;
}

static int
write_port_file(struct ch_loop *l, struct ch_err *err)
{
	const char *path = ch_params_str(l->rt.params, "admin_port_file");
	struct ch_buf tmp = CH_BUF_INIT;
	int rc = 0, saved;
	FILE *f;

	if (path[0] == '\0')
		return 0;
	ch_buf_printf(&tmp, "%s.tmp", path);
	f = fopen(ch_buf_str(&tmp), "we");
	if (f == NULL)
		rc = -1;
	else {
		rc = fprintf(f, "%d\n", ch_http_server_port(l->rt.admin));
		rc = fclose(f) == 0 && rc > 0 ? 0 : -1;
	}
	if (rc == 0)
		rc = rename(ch_buf_str(&tmp), path); /* whole, or not there */
	saved = errno;
	if (rc < 0)
		rc = ch_err_errno(err, saved,
			"admin_port_file: cannot write "
			"\"%s\"",
			path);
	ch_buf_free(&tmp);
	return rc;
}

static void
publish_config(struct ch_loop *l)
{
	struct ch_buf json = CH_BUF_INIT;

	ch_params_dump_json(&json, l->rt.params);
	ch_admin_publish_config(l->admin, ch_buf_view(&json));
	ch_buf_free(&json);
}

static int
start_admin(struct ch_loop *l, struct ch_err *err)
{
	struct ch_admin_options opt = {.service = l->d->name,
		.version = ch_cli_version(),
		.metrics = l->rt.metrics,
		.listen = ch_params_str(l->rt.params, "admin_listen")};

	if (ch_watchdog_start(&l->watchdog,
		    ch_params_ms(l->rt.params, "watchdog"), err) < 0)
		return CH_EIO;
	opt.watchdog = l->watchdog;
	if (ch_net_start(&l->rt.net, NULL, err) < 0 ||
		ch_admin_start(&l->admin, l->rt.net, &opt, err) < 0)
		return CH_EIO;
	l->rt.admin = ch_admin_server(l->admin);
	ch_admin_publish_ready(l->admin, false,
		CH_VIEW("[-]started not yet\n"));
	publish_config(l);
	return write_port_file(l, err);
}

static int
bring_up(struct ch_loop *l)
{
	struct ch_err err = CH_ERR_INIT;

	set_limits();
	make_metrics(l);
	if (open_fds(l, &err) < 0 || start_admin(l, &err) < 0)
		return fail("daemon.start_failed", &err, CH_EXIT_UNAVAILABLE);
	if (l->d->start(&l->state, &l->rt, &err) < 0)
		return fail("daemon.start_failed", &err,
			err.code == CH_ECONFIG ? CH_EXIT_CONFIG
					       : CH_EXIT_UNAVAILABLE);
	l->notify_every_ms = ch_notify_watchdog_ms();
	ch_notify("READY=1");
	ch_info("daemon.started", CH_S("version", ch_cli_version()),
		CH_S("commit", ch_cli_git_id()), CH_I("pid", getpid()),
		CH_I("admin_port", ch_http_server_port(l->rt.admin)));
	return 0;
}

static void
tear_down(struct ch_loop *l)
{
	const char *port_file = ch_params_str(l->rt.params, "admin_port_file");

	if (l->admin != NULL && port_file[0] != '\0')
		(void)unlink(port_file);
	ch_admin_stop(l->admin);
	ch_net_stop(l->rt.net);
	ch_watchdog_stop(l->watchdog);
	ch_metrics_free(l->rt.metrics);
	if (l->fds[FD_WAKE].fd >= 0)
		close(l->fds[FD_WAKE].fd);
}

/* ---- signals ---- */

static void
reload(struct ch_loop *l)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_buf ignored = CH_BUF_INIT;
	enum ch_log_level level = CH_LOG_INFO;
	int rc = ch_params_reload(l->rt.params, &ignored, &err);

	if (rc == 0) {
		(void)ch_log_level_parse(
			ch_params_str(l->rt.params, "log_level"), &level);
		ch_log_level_set(level);
		l->debug = false;
		l->memwatch.limit_bytes =
			ch_params_bytes(l->rt.params, "memory_warn");
		publish_config(l);
		if (l->d->reload != NULL)
			rc = l->d->reload(l->state, &err);
	}
	set_metric(l, M_RELOAD_OK, rc == 0);
	ch_series_add(ch_metrics_series(l->rt.metrics,
			      l->metric_base + M_RELOADS,
			      rc == 0 ? "ok" : "refused"),
		1);
	if (rc < 0)
		ch_error("config.reload_refused", CH_ERR(&err));
	else
		ch_info("config.reloaded",
			CH_S("needs_restart", ch_buf_str(&ignored)));
	ch_buf_free(&ignored);
}

static void
switch_debug(struct ch_loop *l)
{
	enum ch_log_level level = CH_LOG_INFO;

	l->debug = !l->debug;
	(void)ch_log_level_parse(ch_params_str(l->rt.params, "log_level"),
		&level);
	ch_log_level_set(l->debug ? CH_LOG_DEBUG : level);
	ch_info("log.debug", CH_B("on", l->debug));
}

static void
begin_stop(struct ch_loop *l)
{
	l->stopping = true;
	l->stop_since = now(l);
	l->ready_at.ns = 0;
	set_metric(l, M_DRAINING, 1);
	ch_notify("STOPPING=1");
	ch_info("daemon.draining",
		CH_I("deadline_ms",
			ch_params_ms(l->rt.params, "drain_deadline")));
}

static void
take_signals(struct ch_loop *l)
{
	for (;;) {
		switch (ch_signals_next(l->fds[FD_SIGNAL].fd)) {
		case CH_SIGNAL_NONE:
			return;
		case CH_SIGNAL_STOP:
			begin_stop(l);
			break;
		case CH_SIGNAL_RELOAD:
			reload(l);
			break;
		case CH_SIGNAL_DEBUG:
			switch_debug(l);
			break;
		}
	}
}

/* ---- the loop ---- */

static void
refresh_ready(struct ch_loop *l)
{
	struct ch_buf text = CH_BUF_INIT;
	bool ready = true;

	if (l->ready_at.ns != 0 &&
		ch_mono_ms_since(now(l), l->ready_at) < READY_EVERY_MS)
		return;
	l->ready_at = now(l);
	if (l->d->ready != NULL)
		ready = l->d->ready(l->state, &text);
	if (l->stopping)
		ready = ch_ready_line(&text, "running", false, "draining");
	if (ready != l->ready)
		ch_info("daemon.ready", CH_B("ready", ready));
	l->ready = ready;
	set_metric(l, M_READY, ready);
	ch_admin_publish_ready(l->admin, ready, ch_buf_view(&text));
	ch_buf_free(&text);
}

static void
housekeeping(struct ch_loop *l)
{
	ch_watchdog_kick(l->watchdog);
	refresh_ready(l);
	if (ch_memwatch_turn(&l->memwatch, now(l)) >= 0) {
		set_metric(l, M_MEMORY_OVER, l->memwatch.over);
		set_metric(l, M_LOG_DROPPED, (int64_t)ch_log_dropped());
	}
	set_metric(l, M_ADMIN_REQUESTS,
		(int64_t)ch_http_server_requests(l->rt.admin));
	if (l->notify_every_ms > 0 &&
		ch_mono_ms_since(now(l), l->notified_at) >=
			l->notify_every_ms) {
		l->notified_at = now(l);
		ch_notify("WATCHDOG=1");
	}
}

static bool
poll_fds(struct ch_loop *l, int64_t ns)
{
	struct timespec wait = {ns / 1000000000, ns % 1000000000};
	eventfd_t ignored;
	int n = ppoll(l->fds, FDS, &wait, NULL);

	if (n > 0 && l->fds[FD_WAKE].revents != 0)
		(void)eventfd_read(l->fds[FD_WAKE].fd, &ignored);
	return n > 0;
}

/* Until the service wants its next turn. */
static struct ch_mono
next_turn(const struct ch_loop *l, int64_t ms)
{
	int64_t most = l->stopping ? DRAIN_SLICE_MS : INT32_MAX;
	struct ch_mono then = now(l);

	then.ns += (ms < most ? ms : most) * 1000000;
	return l->wake_at.ns != 0 && l->wake_at.ns < then.ns ? l->wake_at
							     : then;
}

/* Or until something happens; health is kept fresh meanwhile. */
static void
sleep_until_next(struct ch_loop *l, int64_t ms)
{
	struct ch_mono end = next_turn(l, ms);
	int64_t left = end.ns - now(l).ns;

	l->wake_at.ns = 0;
	while (!poll_fds(l, left < 0 ? 0 : left < SLICE_NS ? left : SLICE_NS)) {
		left = end.ns - now(l).ns;
		if (left <= 0)
			return;
		housekeeping(l);
	}
}

static int64_t
turn(struct ch_loop *l, struct ch_err *err)
{
	struct ch_mono before = now(l);
	int64_t wait = l->d->step(l->state, err);

	ch_metric_add(l->rt.metrics, l->metric_base + M_TURNS, 1);
	ch_metric_observe(l->rt.metrics, l->metric_base + M_TURN_SECONDS,
		(now(l).ns - before.ns) / 1000);
	return wait;
}

/* Is it time to leave the loop? */
static bool
drained(struct ch_loop *l, int *status)
{
	if (!l->stopping)
		return false;
	*status = CH_EXIT_OK;
	if (l->d->drain == NULL || l->d->drain(l->state))
		return true;
	*status = CH_EXIT_DRAIN_TIMEOUT;
	return ch_mono_ms_since(now(l), l->stop_since) >=
		ch_params_ms(l->rt.params, "drain_deadline");
}

static int
run_loop(struct ch_loop *l)
{
	struct ch_err err = CH_ERR_INIT;
	int status = CH_EXIT_OK;

	l->memwatch.limit_bytes = ch_params_bytes(l->rt.params, "memory_warn");
	for (;;) {
		int64_t wait;

		take_signals(l);
		housekeeping(l);
		wait = turn(l, &err);
		if (wait < 0)
			return fail("daemon.failed", &err,
				err.code == CH_ECONFIG ? CH_EXIT_CONFIG
						       : CH_EXIT_FAILURE);
		if (drained(l, &status))
			break;
		sleep_until_next(l, wait);
	}
	if (status == CH_EXIT_DRAIN_TIMEOUT)
		ch_warn("daemon.drain_timeout",
			CH_I("deadline_ms",
				ch_params_ms(l->rt.params, "drain_deadline")));
	return status;
}

static int
serve(struct ch_loop *l)
{
	int status = bring_up(l);

	if (status == 0) {
		status = run_loop(l);
		ch_watchdog_kick(l->watchdog);
		if (l->d->stop != NULL)
			l->d->stop(l->state);
		ch_info("daemon.stopped", CH_I("exit_status", status));
	}
	tear_down(l);
	return status;
}

/* ---- the other ways to run ---- */

static int
subcommand(struct ch_loop *l, int argc, char **argv)
{
	const struct ch_subcommand *s = l->d->subcommands;
	int status;

	while (s != NULL && s->name != NULL && strcmp(s->name, argv[0]) != 0)
		s++;
	if (s == NULL || s->name == NULL) {
		ch_error("usage", CH_S("unknown_command", argv[0]),
			CH_S("next", "see --help"));
		return CH_EXIT_USAGE;
	}
	l->rt.metrics = ch_metrics_new(l->d->name, l->metrics);
	status = s->run(&l->rt, argc, argv);
	ch_metrics_free(l->rt.metrics);
	return status;
}

static int
configured(struct ch_loop *l, enum cli_mode mode)
{
	struct ch_buf text = CH_BUF_INIT;
	char **args;
	int n = ch_params_args(l->rt.params, &args);

	if (mode == CLI_DUMP)
		ch_params_dump(&text, l->rt.params);
	else if (mode == CLI_CHECK)
		ch_buf_adds(&text, "configuration OK\n");
	else
		return n > 0 ? subcommand(l, n, args) : serve(l);
	(void)fwrite(text.ptr, 1, text.len, stdout);
	ch_buf_free(&text);
	return CH_EXIT_OK;
}

int
ch_daemon_main(int argc, char **argv, const struct ch_daemon *d)
{
	struct ch_loop l = {.d = d};
	enum cli_mode mode;
	int status;

	for (int i = 0; i < FDS; i++)
		l.fds[i] = (struct pollfd){-1, POLLIN, 0};
	assert(d->name != NULL && d->summary != NULL && d->start != NULL &&
		d->step != NULL);
	l.rt = (struct ch_runtime){.service = d->name,
		.version = ch_cli_version(),
		.clock = &ch_clock_real,
		.loop = &l};
	ch_log_init(d->name, CH_LOG_INFO, false);
	mode = ch_cli_mode(&argc, argv);
	make_tables(&l);
	if (ch_cli_print(mode, d, l.params, l.metrics) ||
		ch_cli_manual(d, argc, argv))
		status = CH_EXIT_OK;
	else {
		status = read_config(&l, argc, argv);
		if (status == 0)
			status = configured(&l, mode);
	}
	ch_params_free(l.rt.params);
	ch_buf_free(&l.watchdog_default);
	return status;
}

/* ---- for services ---- */

bool
ch_ready_line(struct ch_buf *verbose, const char *name, bool ok,
	const char *why)
{
	ch_buf_printf(verbose, "%s%s %s\n", ok ? "[+]" : "[-]", name,
		ok || why == NULL ? "ok" : why);
	return ok;
}

void
ch_runtime_watch_fd(const struct ch_runtime *rt, int slot, int fd, short events)
{
	assert(slot >= 0 && slot < WATCH_SLOTS);
	rt->loop->fds[slot] = (struct pollfd){fd, events, 0};
}

void
ch_runtime_wake_at(const struct ch_runtime *rt, struct ch_mono then)
{
	struct ch_mono *at = &rt->loop->wake_at;

	if (at->ns == 0 || then.ns < at->ns)
		*at = then;
}

bool
ch_runtime_stopping(const struct ch_runtime *rt)
{
	take_signals(rt->loop);
	return rt->loop->stopping;
}

void
ch_runtime_alive(const struct ch_runtime *rt)
{
	if (rt->loop->watchdog != NULL)
		ch_watchdog_kick(rt->loop->watchdog);
}
