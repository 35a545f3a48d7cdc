/* SPDX-License-Identifier: Apache-2.0 */
/* Each test reads back through a pipe what was written to stderr. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "check_suite.h"

static int pipe_out = -1;
static char got[64 * 1024];

static void
catch_stderr(bool json)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	ck_assert_int_eq(close(ends[1]), 0);
	pipe_out = ends[0];
	ck_assert_int_eq(fcntl(pipe_out, F_SETFL, O_NONBLOCK), 0);
	ch_log_init("test-svc", CH_LOG_INFO, json);
}

/* All that was written since the last call. */
static const char *
written(void)
{
	ssize_t n = read(pipe_out, got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

/* Without the time, which has always the same length. */
static const char *
written_after_time(void)
{
	const char *line = written();

	ck_assert_uint_gt(strlen(line), 28);
	ck_assert_int_eq(line[26], 'Z');
	return line + 27;
}

START_TEST(a_line_is_time_level_service_event_and_fields)
{
	catch_stderr(false);
	ch_info("batch.commit", CH_I("part", -3), CH_U("n", UINT64_MAX),
		CH_S("topic", "ledger.commands"), CH_B("first", true),
		CH_B("last", false), CH_V("id", CH_VIEW("abc")),
		CH_I("min", INT64_MIN));
	ck_assert_str_eq(written_after_time(),
		" level=info svc=test-svc event=batch.commit part=-3"
		" n=18446744073709551615 topic=ledger.commands first=true"
		" last=false id=abc min=-9223372036854775808\n");
}
END_TEST

START_TEST(an_event_needs_no_fields)
{
	catch_stderr(false);
	ch_warn("alone");
	ck_assert_str_eq(written_after_time(),
		" level=warn svc=test-svc event=alone\n");
}
END_TEST

START_TEST(empty_strings_are_left_out)
{
	struct ch_err err = {CH_EIO, "", "broken pipe"};

	catch_stderr(false);
	ch_error("e", CH_S("a", ""), CH_S("b", NULL),
		CH_V("c", ((struct ch_view){NULL, 0})), CH_ERR(&err));
	ck_assert_str_eq(written_after_time(),
		" level=error svc=test-svc event=e error=\"broken pipe\""
		" code=EIO\n");
}
END_TEST

START_TEST(hostile_values_cannot_end_their_line_or_quotes)
{
	static const struct {
		struct ch_view value;
		const char *text;
	} cases[] = {{{"a b", 3}, "\"a b\""}, {{"a=b", 3}, "\"a=b\""},
		{{"a\"b", 3}, "\"a\\\"b\""}, {{"a\\b", 3}, "\"a\\\\b\""},
		{{"a\nb\rc\td", 7}, "\"a\\nb\\rc\\td\""},
		{{"a\0b", 3}, "\"a\\u0000b\""},
		{{"\x1b[2J", 4}, "\"\\u001b[2J\""},
		{{"\x7f", 1}, "\"\\u007f\""}, {{"\xc2\x9b", 2}, "\"\\u009b\""},
		{{"\xc3\xa9", 2}, "\"\xc3\xa9\""},
		{{"\xff.", 2}, "\"\xef\xbf\xbd.\""},
		{{"\xed\xa0\x80", 3},
			"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}};

	catch_stderr(false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char want[128];

		ch_info("e", CH_V("v", cases[i].value));
		(void)snprintf(want, sizeof(want),
			" level=info svc=test-svc event=e v=%s\n",
			cases[i].text);
		ck_assert_str_eq(written_after_time(), want);
	}
}
END_TEST

START_TEST(json_lines_are_json)
{
	json_t *root;

	catch_stderr(true);
	ch_info("e", CH_S("s", "a \"b\"\n"), CH_I("i", -5), CH_B("b", true));
	root = json_loads(written(), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(json_string_value(json_object_get(root, "s")),
		"a \"b\"\n");
	ck_assert_str_eq(json_string_value(json_object_get(root, "level")),
		"info");
	ck_assert_str_eq(json_string_value(json_object_get(root, "svc")),
		"test-svc");
	ck_assert_str_eq(json_string_value(json_object_get(root, "event")),
		"e");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "i")), -5);
	ck_assert(json_is_true(json_object_get(root, "b")));
	ck_assert_int_eq(got[strlen(got) - 1], '\n');
	json_decref(root);
}
END_TEST

START_TEST(long_lines_are_cut_marked_and_still_one_line)
{
	static char big[20000];

	catch_stderr(false);
	for (size_t n = 7900; n < 8300; n++) {
		const char *line;
		size_t len;

		memset(big, 'x', n);
		big[n] = '\0';
		big[n / 2] = n % 2 == 0 ? ' ' : 'x';
		ch_info("e", CH_S("v", big), CH_I("after", 1));
		line = written();
		len = strlen(line);
		ck_assert_uint_le(len, 8192);
		ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
		ck_assert(strstr(line, " after=1\n") != NULL ||
			strstr(line, " cut=true\n") != NULL);
		ck_assert(n < 8200 || strstr(line, " cut=true\n") != NULL);
	}
}
END_TEST

START_TEST(a_cut_json_line_is_still_json)
{
	static char big[20000];

	catch_stderr(true);
	for (size_t n = 1000; n < 1400; n++) {
		json_t *root;

		for (size_t i = 0; i < n; i++)
			memcpy(big + 6 * i, "\x01\xe2\x82\xac\"\\", 6);
		ch_info("e", CH_V("v", ((struct ch_view){big, 6 * n})),
			CH_I("after", 1));
		root = json_loads(written(), JSON_REJECT_DUPLICATES, NULL);
		ck_assert_ptr_nonnull(root);
		ck_assert((json_object_get(root, "after") != NULL) !=
			(json_object_get(root, "cut") != NULL));
		json_decref(root);
	}
}
END_TEST

START_TEST(levels_below_the_minimum_say_nothing)
{
	catch_stderr(false);
	ch_debug("quiet");
	ck_assert_str_eq(written(), "");
	ch_log_level_set(CH_LOG_ERROR);
	ch_warn("quiet");
	ck_assert_str_eq(written(), "");
	ch_log_level_set(CH_LOG_DEBUG);
	ck_assert_int_eq(ch_log_level_get(), CH_LOG_DEBUG);
	ch_debug("loud", CH_I("n", 1));
	ck_assert_ptr_nonnull(strstr(written(), "level=debug"));
}
END_TEST

START_TEST(level_names_are_exact)
{
	enum ch_log_level level = CH_LOG_INFO;

	ck_assert_int_eq(ch_log_level_parse("error", &level), 0);
	ck_assert_int_eq(level, CH_LOG_ERROR);
	ck_assert_int_eq(ch_log_level_parse("debug", &level), 0);
	ck_assert_int_eq(level, CH_LOG_DEBUG);
	ck_assert_int_eq(ch_log_level_parse("Debug", &level), CH_EINVAL);
	ck_assert_int_eq(ch_log_level_parse("", &level), CH_EINVAL);
	ck_assert_int_eq(level, CH_LOG_DEBUG);
}
END_TEST

START_TEST(a_line_that_cannot_be_written_is_counted_and_errno_kept)
{
	catch_stderr(false);
	ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(close(pipe_out), 0);
	ck_assert_uint_eq(ch_log_dropped(), 0);
	errno = ENOENT;
	ch_info("lost");
	ck_assert_int_eq(errno, ENOENT);
	ch_info("lost");
	ck_assert_uint_eq(ch_log_dropped(), 2);
}
END_TEST

static void *
write_many(void *arg)
{
	char fill[200];

	memset(fill, 'a', sizeof(fill) - 1);
	fill[sizeof(fill) - 1] = '\0';
	for (int i = 0; i < 50; i++)
		ch_info("e", CH_S("who", arg), CH_S("fill", fill));
	return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
	static char name_a[] = "a";
	static char name_b[] = "b";
	pthread_t a;
	pthread_t b;
	char *rest = got;
	char *line;
	int lines = 0;

	catch_stderr(false);
	ck_assert_int_eq(pthread_create(&a, NULL, write_many, name_a), 0);
	ck_assert_int_eq(pthread_create(&b, NULL, write_many, name_b), 0);
	ck_assert_int_eq(pthread_join(a, NULL), 0);
	ck_assert_int_eq(pthread_join(b, NULL), 0);
	(void)written();
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		ck_assert_int_eq(line[0], '2');
		ck_assert_uint_eq(strlen(line), 27 + 44 + 199);
		lines++;
	}
	ck_assert_int_eq(lines, 100);
}
END_TEST

SUITE_MAIN("log", a_line_is_time_level_service_event_and_fields,
	an_event_needs_no_fields, empty_strings_are_left_out,
	hostile_values_cannot_end_their_line_or_quotes, json_lines_are_json,
	long_lines_are_cut_marked_and_still_one_line,
	a_cut_json_line_is_still_json, levels_below_the_minimum_say_nothing,
	level_names_are_exact,
	a_line_that_cannot_be_written_is_counted_and_errno_kept,
	lines_of_threads_do_not_mix)
