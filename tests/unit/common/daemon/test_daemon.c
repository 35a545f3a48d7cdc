/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: a real process on the skeleton (tests/support/echo_daemon.c), asked
 * by command line, signals and its admin port. The process is found in
 * $OUT/bin, or as named by ECHO_DAEMON.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "daemon/daemon.h"
#include "io/http_client.h"

#define WAIT_MS 30000
#define ARGS_MAX 12

static char dir[] = "/tmp/ch-daemon-XXXXXX";
static char port_file[64], out_file[64], err_file[64], conf_file[64],
	secret_file[64], notify_path[64], program[512];
static pid_t pid;
static bool as_nobody;

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static struct ch_buf
get_file(const char *name)
{
	struct ch_buf b = CH_BUF_INIT;
	char block[4096];
	FILE *f = fopen(name, "re");
	size_t n;

	while (f != NULL && (n = fread(block, 1, sizeof(block), f)) > 0)
		ch_buf_add(&b, block, n);
	if (f != NULL)
		(void)fclose(f);
	return b;
}

static void
file_has(const char *name, const char *text)
{
	struct ch_buf b = get_file(name);

	ck_assert_msg(strstr(ch_buf_str(&b), text) != NULL, "%s lacks \"%s\"",
		ch_buf_str(&b), text);
	ch_buf_free(&b);
}

static void
file_lacks(const char *name, const char *text)
{
	struct ch_buf b = get_file(name);

	ck_assert_msg(strstr(ch_buf_str(&b), text) == NULL, "%s has \"%s\"",
		ch_buf_str(&b), text);
	ch_buf_free(&b);
}

static void
setup(void)
{
	const char *bin = getenv("ECHO_DAEMON");
	const char *out = getenv("OUT");

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(port_file, sizeof(port_file), "%s/port", dir);
	(void)snprintf(out_file, sizeof(out_file), "%s/out", dir);
	(void)snprintf(err_file, sizeof(err_file), "%s/err", dir);
	(void)snprintf(conf_file, sizeof(conf_file), "%s/conf", dir);
	(void)snprintf(secret_file, sizeof(secret_file), "%s/secret", dir);
	(void)snprintf(notify_path, sizeof(notify_path), "%s/notify", dir);
	(void)snprintf(program, sizeof(program), "%s%s",
		bin != NULL	      ? bin
			: out != NULL ? out
				      : "build/debug",
		bin != NULL ? "" : "/bin/echo-daemon");
	ck_assert_msg(access(program, X_OK) == 0, "no %s", program);
	put_file(secret_file, "geheim\n");
	put_file(conf_file, "workers = 3\n");
	pid = 0;
}

static void
teardown(void)
{
	const char *const files[] = {port_file, out_file, err_file, conf_file,
		secret_file, notify_path};

	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	(void)rmdir(dir);
}

static void
redirect(int fd, const char *name)
{
	int to = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (to < 0 || dup2(to, fd) < 0)
		_exit(99);
}

static void
spawn(const char *const *args)
{
	char *argv[ARGS_MAX] = {program};
	int n = 1;

	for (; args[n - 1] != NULL; n++)
		argv[n] = strdup(args[n - 1]);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		redirect(STDOUT_FILENO, out_file);
		redirect(STDERR_FILENO, err_file);
		if (as_nobody && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(97);
		(void)execv(program, argv);
		_exit(98);
	}
	for (int i = 1; i < n; i++)
		free(argv[i]);
}

static int64_t
elapsed(struct ch_mono since)
{
	return ch_mono_ms_since(ch_clock_mono(&ch_clock_real), since);
}

/* The exit status, or 128 + signal. */
static int
finish(void)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		ck_assert_msg(elapsed(start) < WAIT_MS, "it does not end");
		(void)poll(NULL, 0, 5);
	}
	ck_assert_int_eq(got, pid);
	pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define RUN(...)                                                               \
	(spawn((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}),        \
		finish())

static int port;
static char admin_port_flag[96], config_flag[96], key_flag[96];

/* Starts the daemon and waits for its admin port. */
static void
start_daemon(const char *extra, const char *more)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	const char *args[] = {"--admin-listen=127.0.0.1:0", admin_port_flag,
		config_flag, key_flag, extra, more, NULL};
	struct ch_buf b = CH_BUF_INIT;

	(void)snprintf(admin_port_flag, sizeof(admin_port_flag),
		"--admin-port-file=%s", port_file);
	(void)snprintf(config_flag, sizeof(config_flag), "--config=%s",
		conf_file);
	(void)snprintf(key_flag, sizeof(key_flag), "--api-key-file=%s",
		secret_file);
	spawn(args);
	while (b.len == 0) {
		ck_assert_msg(elapsed(start) < WAIT_MS, "no admin port");
		(void)poll(NULL, 0, 5);
		b = get_file(port_file);
	}
	port = (int)strtol(ch_buf_str(&b), NULL, 10);
	ch_buf_free(&b);
}

struct page {
	struct ch_buf body;
	char type[128];
	int status;
	int fd; /* a pipe's end that done() writes to */
};

static void
on_done(void *ctx, const struct ch_http_result *r)
{
	struct page *p = ctx;

	p->status = r->status;
	ch_buf_addv(&p->body, r->body);
	(void)ch_view_copy(r->content_type, p->type, sizeof(p->type));
	(void)!write(p->fd, "x", 1);
}

static struct page
ask(const char *path)
{
	struct page p = {.status = 0};
	struct ch_http_client *c = NULL;
	char url[128];
	struct ch_http_call call = {
		.url = url, .timeout_ms = 4000, .done = on_done, .ctx = &p};
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	p.fd = fds[1];
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	ck_assert_int_eq(ch_http_client_new(&c, NULL, NULL), 0);
	ck_assert_int_eq(ch_http_client_send(c, &call, NULL, NULL), 0);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ch_http_client_free(c);
	close(fds[0]);
	close(fds[1]);
	return p;
}

/* Asks until the status comes. */
static void
ask_until(const char *path, int status, const char *contains)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	for (;;) {
		struct page p = ask(path);
		bool ok = p.status == status &&
			strstr(ch_buf_str(&p.body), contains) != NULL;

		ck_assert_msg(ok || elapsed(start) < WAIT_MS, "%s: %d %s", path,
			p.status, ch_buf_str(&p.body));
		ch_buf_free(&p.body);
		if (ok)
			return;
		(void)poll(NULL, 0, 20);
	}
}

START_TEST(help_version_sample_and_reference_come_from_the_tables)
{
	ck_assert_int_eq(RUN("--help"), 0);
	file_has(out_file, "--workers=");
	file_has(out_file, "--api-key-file=");
	file_has(out_file, "--drain-deadline=");
	file_has(out_file, "say <word>");
	ck_assert_int_eq(RUN("--version"), 0);
	file_has(out_file, "librdkafka 2.");
	file_has(out_file, "libpq ");
	file_has(out_file, "libcurl ");
	file_has(out_file, "libwebsockets 4.");
	file_has(out_file, "OpenSSL ");
	ck_assert_int_eq(RUN("--reference"), 0);
	file_has(out_file, "| `workers` | integer | `2` |");
	file_has(out_file, "| `echo_turns_total` | counter |");
	ck_assert_int_eq(RUN("--sample-config"), 0);
	file_has(out_file, "#workers = 2");
}
END_TEST

START_TEST(a_word_of_a_command_may_have_a_page)
{
	ck_assert_int_eq(RUN("say", "hello", "--help"), 0);
	file_has(out_file, "page of say hello");
	ck_assert_int_eq(RUN("say", "else", "-h"), 0);
	file_has(out_file, "say <word>");
	ck_assert_int_eq(RUN("say", "--help"), 0);
	file_has(out_file, "say <word>");
}
END_TEST

START_TEST(sample_configuration_is_valid)
{
	char flag[96];

	ck_assert_int_eq(RUN("--sample-config"), 0);
	ck_assert_int_eq(rename(out_file, conf_file), 0);
	(void)snprintf(flag, sizeof(flag), "--config=%s", conf_file);
	ck_assert_int_eq(RUN("--check-config", flag), 0);
}
END_TEST

START_TEST(check_config_is_0_or_78_with_the_reason)
{
	ck_assert_int_eq(RUN("--check-config"), CH_EXIT_OK);
	file_has(out_file, "configuration OK");
	ck_assert_int_eq(RUN("--check-config", "--wrokers=3"), CH_EXIT_CONFIG);
	file_has(err_file, "wrokers");
	file_has(err_file, "did you mean workers?");
	ck_assert_int_eq(RUN("--workers=99"), CH_EXIT_CONFIG);
	file_has(err_file, "1 to 16");
}
END_TEST

START_TEST(secret_in_argv_is_refused_and_not_repeated)
{
	ck_assert_int_eq(RUN("--api-key=geheim"), CH_EXIT_CONFIG);
	file_has(err_file, "api_key_file");
	file_lacks(err_file, "geheim");
	ck_assert_int_eq(RUN("--database-url=postgresql://u:geheim@h/d"),
		CH_EXIT_CONFIG);
	file_lacks(err_file, "geheim");
}
END_TEST

START_TEST(subcommand_runs_with_its_own_status)
{
	ck_assert_int_eq(RUN("--workers=3", "say", "hallo"), 7);
	file_has(out_file, "hallo");
	ck_assert_int_eq(RUN("sing"), CH_EXIT_USAGE);
	file_has(err_file, "sing");
}
END_TEST

START_TEST(failed_start_is_69_and_taken_port_too)
{
	char flag[64];

	ck_assert_int_eq(RUN("--admin-listen=127.0.0.1:0", "--fail-start"),
		CH_EXIT_UNAVAILABLE);
	file_has(err_file, "told to fail");
	start_daemon(NULL, NULL);
	(void)snprintf(flag, sizeof(flag), "--admin-listen=127.0.0.1:%d", port);
	{
		pid_t first = pid;

		ck_assert_int_eq(RUN(flag), CH_EXIT_UNAVAILABLE);
		pid = first;
	}
	file_has(err_file, "admin_listen");
}
END_TEST

START_TEST(admin_port_tells_health_metrics_and_masked_config)
{
	struct page p;

	start_daemon(NULL, NULL);
	ask_until("/readyz?verbose", 200, "[+]kafka ok\n");
	ask_until("/livez", 200, "[+]loop");
	p = ask("/config");
	ck_assert_int_eq(p.status, 200);
	ck_assert_str_eq(p.type, "application/json");
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&p.body),
		"\"workers\":{\"value\":\"3\""));
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&p.body),
		"\"api_key\":{\"value\":\"****\""));
	ck_assert_ptr_null(strstr(ch_buf_str(&p.body), "geheim"));
	ch_buf_free(&p.body);
	p = ask("/metrics");
	ck_assert_str_eq(p.type, CH_METRICS_CONTENT_TYPE);
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&p.body), "ch_build_info{"));
	ch_buf_free(&p.body);
	ask_until("/nope", 404, "Not Found");
	file_lacks(err_file, "geheim");
}
END_TEST

START_TEST(metrics_pass_promtool)
{
	struct page p;
	pid_t tool;
	int status = -1, fds[2];

	start_daemon(NULL, NULL);
	p = ask("/metrics");
	ck_assert_int_eq(pipe(fds), 0);
	tool = fork();
	if (tool == 0) {
		close(fds[1]);
		(void)dup2(fds[0], STDIN_FILENO);
		(void)execlp("promtool", "promtool", "check", "metrics",
			(char *)NULL);
		_exit(97);
	}
	close(fds[0]);
	ck_assert_int_eq(write(fds[1], p.body.ptr, p.body.len),
		(ssize_t)p.body.len);
	close(fds[1]);
	ck_assert_int_eq(waitpid(tool, &status, 0), tool);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"promtool says %d", WEXITSTATUS(status));
	ch_buf_free(&p.body);
}
END_TEST

START_TEST(not_ready_is_503_with_the_reason)
{
	start_daemon("--not-ready", NULL);
	ask_until("/readyz?verbose", 503, "[-]kafka told so\n");
	ask_until("/livez", 200, "[+]loop");
}
END_TEST

static int64_t
turns(void)
{
	static const char name[] = "\necho_turns_total ";
	struct page p = ask("/metrics");
	const char *at = strstr(ch_buf_str(&p.body), name);
	int64_t n;

	ck_assert_ptr_nonnull(at);
	n = strtoll(at + strlen(name), NULL, 10);
	ch_buf_free(&p.body);
	return n;
}

START_TEST(a_step_that_wants_an_hour_is_woken_when_it_said)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	start_daemon("--wakes-itself", NULL);
	while (turns() < 20)
		ck_assert_msg(elapsed(start) < WAIT_MS, "it sleeps on");
}
END_TEST

START_TEST(first_sigterm_drains_and_readyz_says_so)
{
	start_daemon("--drain-takes=3s", NULL);
	ask_until("/readyz", 200, "ready");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ask_until("/readyz?verbose", 503, "[-]running draining");
	ck_assert_int_eq(finish(), CH_EXIT_OK);
	file_has(err_file, "event=daemon.draining");
	file_has(err_file, "event=daemon.stopped exit_status=0");
	ck_assert_int_ne(access(port_file, F_OK), 0);
}
END_TEST

START_TEST(drain_ends_at_its_deadline)
{
	start_daemon("--drain-takes=60s", "--drain-deadline=300ms");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_int_eq(finish(), CH_EXIT_DRAIN_TIMEOUT);
	file_has(err_file, "event=daemon.drain_timeout");
}
END_TEST

START_TEST(second_sigterm_exits_at_once)
{
	start_daemon("--drain-takes=60s", "--drain-deadline=10m");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ask_until("/readyz", 503, "not ready");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_int_eq(finish(), CH_EXIT_FORCED);
}
END_TEST

/* Until the process has taken the signal that was sent to it. */
static void
wait_taken(int number)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	unsigned long long pending = ~0ULL;
	char name[64];

	(void)snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	while ((pending >> (number - 1) & 1) != 0) {
		struct ch_buf b = get_file(name);
		const char *line = strstr(ch_buf_str(&b), "ShdPnd:");

		ck_assert_ptr_nonnull(line);
		pending = strtoull(line + strlen("ShdPnd:"), NULL, 16);
		ch_buf_free(&b);
		ck_assert_msg(elapsed(start) < WAIT_MS, "signal %d not taken",
			number);
		(void)poll(NULL, 0, 2);
	}
}

START_TEST(second_sigterm_ends_a_daemon_that_hangs)
{
	start_daemon("--hang", NULL);
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	wait_taken(SIGTERM); /* two signals at once would be one */
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_int_eq(finish(), CH_EXIT_FORCED);
}
END_TEST

START_TEST(hanging_loop_fails_livez_and_is_aborted)
{
	/* alive is half of that: the time to see it */
	start_daemon("--hang", "--watchdog=8s");
	ask_until("/livez", 503, "[-]loop");
	ck_assert_int_eq(finish(), 128 + SIGABRT);
	file_has(err_file, "event=watchdog.abort");
}
END_TEST

START_TEST(sighup_reloads_and_keeps_the_old_on_error)
{
	start_daemon(NULL, NULL);
	put_file(conf_file, "workers = 9\nnot_ready = true\n");
	ck_assert_int_eq(kill(pid, SIGHUP), 0);
	ask_until("/config", 200, "\"workers\":{\"value\":\"9\"");
	ask_until("/readyz", 503, "not ready");
	put_file(conf_file, "workers = 99\n");
	ck_assert_int_eq(kill(pid, SIGHUP), 0);
	ask_until("/metrics", 200,
		"ch_config_reloads_total{result=\"refused\"} 1");
	ask_until("/metrics", 200, "ch_config_last_reload_successful 0");
	ask_until("/config", 200, "\"workers\":{\"value\":\"9\"");
	file_has(err_file, "event=config.reload_refused");
}
END_TEST

START_TEST(sigusr1_switches_debug_logging)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	struct ch_buf b = CH_BUF_INIT;

	start_daemon(NULL, NULL);
	file_lacks(err_file, "event=echo.turn");
	ck_assert_int_eq(kill(pid, SIGUSR1), 0);
	while (strstr(ch_buf_str(&b), "event=echo.turn") == NULL) {
		ck_assert_msg(elapsed(start) < WAIT_MS, "no debug line");
		(void)poll(NULL, 0, 10);
		ch_buf_free(&b);
		b = get_file(err_file);
	}
	ch_buf_free(&b);
}
END_TEST

START_TEST(systemd_is_told_ready_and_stopping)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {WAIT_MS / 1000, 0};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[64] = "";

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", notify_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setenv("NOTIFY_SOCKET", notify_path, 1);
	(void)setenv("WATCHDOG_USEC", "200000", 1);
	start_daemon(NULL, NULL);
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_str_eq(text, "READY=1");
	memset(text, 0, sizeof(text));
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_str_eq(text, "WATCHDOG=1");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	while (strcmp(text, "STOPPING=1") != 0) {
		memset(text, 0, sizeof(text));
		ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	}
	ck_assert_int_eq(finish(), 0);
	close(fd);
}
END_TEST

/* The build may be below a folder that only root enters. */
static void
copy_program(const char *to)
{
	struct ch_buf b = get_file(program);
	FILE *f = fopen(to, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(b.ptr, 1, b.len, f), b.len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(to, 0755), 0);
	ch_buf_free(&b);
}

START_TEST(runs_as_any_user)
{
	char copy[64];

	(void)snprintf(copy, sizeof(copy), "%s/program", dir);
	copy_program(copy);
	(void)snprintf(program, sizeof(program), "%s", copy);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(chmod(secret_file, 0644), 0);
	ck_assert_int_eq(chmod(conf_file, 0644), 0);
	as_nobody = geteuid() == 0;
	start_daemon(NULL, NULL);
	ask_until("/metrics", 200, "process_open_fds");
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(unlink(copy), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("daemon");
	TCase *t = tcase_create("daemon");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t,
		help_version_sample_and_reference_come_from_the_tables);
	tcase_add_test(t, a_word_of_a_command_may_have_a_page);
	tcase_add_test(t, sample_configuration_is_valid);
	tcase_add_test(t, check_config_is_0_or_78_with_the_reason);
	tcase_add_test(t, secret_in_argv_is_refused_and_not_repeated);
	tcase_add_test(t, subcommand_runs_with_its_own_status);
	tcase_add_test(t, failed_start_is_69_and_taken_port_too);
	tcase_add_test(t, admin_port_tells_health_metrics_and_masked_config);
	tcase_add_test(t, metrics_pass_promtool);
	tcase_add_test(t, not_ready_is_503_with_the_reason);
	tcase_add_test(t, a_step_that_wants_an_hour_is_woken_when_it_said);
	tcase_add_test(t, first_sigterm_drains_and_readyz_says_so);
	tcase_add_test(t, drain_ends_at_its_deadline);
	tcase_add_test(t, second_sigterm_exits_at_once);
	tcase_add_test(t, second_sigterm_ends_a_daemon_that_hangs);
	tcase_add_test(t, hanging_loop_fails_livez_and_is_aborted);
	tcase_add_test(t, sighup_reloads_and_keeps_the_old_on_error);
	tcase_add_test(t, sigusr1_switches_debug_logging);
	tcase_add_test(t, systemd_is_told_ready_and_stopping);
	tcase_add_test(t, runs_as_any_user);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
