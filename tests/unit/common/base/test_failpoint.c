/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failpoints do what their file says, at the hit that it says, and write it
 * down before. Compiled with the switch on, whatever the flavour.
 */
#ifndef CH_FAILPOINTS
#define CH_FAILPOINTS
#endif
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The library's copy is empty unless the flavour is failpoints. */
#define ch_failpoint_hit test_failpoint_hit
#include "../../../../common/base/failpoint.c"

static char rules_path[] = "/tmp/test_failpoint.rules.XXXXXX";
static char log_path[] = "/tmp/test_failpoint.log.XXXXXX";

static void
setup(void)
{
	(void)close(mkstemp(rules_path));
	(void)close(mkstemp(log_path));
	(void)setenv("CH_FAILPOINTS_FILE", rules_path, 1);
	(void)setenv("CH_FAILPOINTS_LOG", log_path, 1);
}

static void
teardown(void)
{
	(void)unlink(rules_path);
	(void)unlink(log_path);
}

static void
write_rules(const char *text)
{
	FILE *f = fopen(rules_path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static int
log_lines(const char *start)
{
	char line[256];
	FILE *f = fopen(log_path, "r");
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strncmp(line, start, strlen(start)) == 0;
	(void)fclose(f);
	return n;
}

START_TEST(nothing_happens_without_a_rule)
{
	ck_assert(!CH_FAILPOINT_ERR("a"));
	write_rules("# b=err\nnonsense\nc=err@x\n");
	ck_assert(!CH_FAILPOINT_ERR("b"));
	ck_assert(!CH_FAILPOINT_ERR("c"));
	(void)unlink(rules_path);
	ck_assert(!CH_FAILPOINT_ERR("a"));
	ck_assert_int_eq(log_lines(""), 0);
}
END_TEST

START_TEST(err_acts_at_each_hit_or_at_the_nth)
{
	write_rules("a=err\nb=err@3\n");
	ck_assert(CH_FAILPOINT_ERR("a"));
	ck_assert(CH_FAILPOINT_ERR("a"));
	ck_assert(!CH_FAILPOINT_ERR("b"));
	ck_assert(!CH_FAILPOINT_ERR("b"));
	ck_assert(CH_FAILPOINT_ERR("b"));
	ck_assert(!CH_FAILPOINT_ERR("b"));
	ck_assert_int_eq(log_lines("a err "), 2);
	ck_assert_int_eq(log_lines("b err "), 1);
	/* Read again when it changed. */
	write_rules("b=err@6\n");
	ck_assert(!CH_FAILPOINT_ERR("a"));
	ck_assert(!CH_FAILPOINT_ERR("b"));
	ck_assert(CH_FAILPOINT_ERR("b"));
}
END_TEST

static int
status_of_child(const char *name)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		CH_FAILPOINT(name);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFSTOPPED(status)) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	return status;
}

START_TEST(processes_end_as_told_and_it_is_written_down)
{
	int status;

	write_rules("k=kill\ns=stop\nx=exit:7\nz=sleep:1\n");
	status = status_of_child("k");
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = status_of_child("s");
	ck_assert(WIFSTOPPED(status));
	status = status_of_child("x");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = status_of_child("z");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_eq(log_lines("k kill "), 1);
	ck_assert_int_eq(log_lines("s stop "), 1);
	ck_assert_int_eq(log_lines("x exit "), 1);
	ck_assert_int_eq(log_lines("z sleep "), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("failpoint");
	TCase *t = tcase_create("failpoint");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, nothing_happens_without_a_rule);
	tcase_add_test(t, err_acts_at_each_hit_or_at_the_nth);
	tcase_add_test(t, processes_end_as_told_and_it_is_written_down);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
