/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: precedence, limits, what an error says, secrets, groups, reload.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/params.h"
#include "daemon/roff.h"

static const struct ch_param table[] = {
	{"name", CH_PARAM_STRING, "anna", 2, 8, NULL, CH_PARAM_RELOADABLE,
		"a name"},
	{"count", CH_PARAM_INT, "3", 1, 10, NULL, 0, "a count"},
	{"wait_time", CH_PARAM_DURATION, "250ms", 0, 60000, NULL, 0, "a wait"},
	{"size", CH_PARAM_BYTES, "64KiB", 1, 1 << 30, NULL, 0, "a size"},
	{"fast", CH_PARAM_BOOL, "false", 0, 0, NULL, 0, "fast or not"},
	{"mode", CH_PARAM_ENUM, "b", 0, 0, "a|b|c", 0, "a mode"},
	{"url", CH_PARAM_URL, NULL, 0, 0, "http|https", 0, "a URL"},
	{"database_url", CH_PARAM_CONNINFO, NULL, 0, 0, NULL, 0, "database"},
	{"brokers", CH_PARAM_LIST, "h:1, i:2", 1, 3, NULL, 0, "brokers"},
	{"token", CH_PARAM_SECRET, NULL, 0, 0, NULL, CH_PARAM_RELOADABLE,
		"a token"},
	{"kafka", CH_PARAM_GROUP, NULL, 0, 0, NULL, 0, "properties"},
	{"config", CH_PARAM_PATH, NULL, 0, 0, NULL, 0, "file"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};
static const struct ch_param need[] = {
	{"must", CH_PARAM_STRING, NULL, 0, 0, NULL, CH_PARAM_REQUIRED,
		"must be given"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};
static const struct ch_param *const tables[] = {table, NULL};
static const struct ch_param *const needing[] = {table, need, NULL};

static struct ch_err err;
static char dir[] = "/tmp/ch-params-XXXXXX";
static char path[64], secret_path[64];

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/conf", dir);
	(void)snprintf(secret_path, sizeof(secret_path), "%s/secret", dir);
	ch_err_clear(&err);
}

static void
teardown(void)
{
	(void)unlink(path);
	(void)unlink(secret_path);
	(void)rmdir(dir);
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Up to three flags and three variables; NULL ends. */
static struct ch_params *
read_with(const char *const *flags, const char *const *env)
{
	static char *argv[8];
	static char *envp[8];
	static char text[16][256];
	struct ch_params *p = NULL;
	int argc = 0, n = 0, e = 0;

	(void)snprintf(text[n], sizeof(text[n]), "my-svc");
	argv[argc++] = text[n++];
	for (; flags != NULL && *flags != NULL; flags++) {
		(void)snprintf(text[n], sizeof(text[n]), "%s", *flags);
		argv[argc++] = text[n++];
	}
	argv[argc] = NULL;
	for (; env != NULL && *env != NULL; env++) {
		(void)snprintf(text[n], sizeof(text[n]), "%s", *env);
		envp[e++] = text[n++];
	}
	envp[e] = NULL;
	(void)ch_params_read(&p, "my-svc", tables, argc, argv, envp, &err);
	return p;
}

#define FLAGS(...)                                                             \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__ __VA_OPT__(, ) NULL                                \
	}

START_TEST(defaults_have_their_types)
{
	struct ch_params *p = read_with(NULL, NULL);
	size_t n = 0;

	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert_str_eq(ch_params_str(p, "name"), "anna");
	ck_assert_int_eq(ch_params_int(p, "count"), 3);
	ck_assert_int_eq(ch_params_ms(p, "wait_time"), 250);
	ck_assert_int_eq(ch_params_bytes(p, "size"), 65536);
	ck_assert(!ch_params_bool(p, "fast"));
	ck_assert_int_eq(ch_params_enum(p, "mode"), 1);
	ck_assert_str_eq(ch_params_str(p, "url"), "");
	ck_assert_str_eq(ch_params_list(p, "brokers", &n)[1], "i:2");
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(ch_params_secret(p, "token").len, 0);
	ck_assert(!ch_params_is_set(p, "name"));
	ch_params_free(p);
}
END_TEST

/* Each source alone and in company: the strongest wins. */
START_TEST(flag_wins_over_own_variable_over_shared_over_file)
{
	char config[80];
	struct ch_params *p;

	(void)snprintf(config, sizeof(config), "--config=%s", path);
	put_file(path, "# a comment\n\n  name = file  \ncount=4\n");
	p = read_with(FLAGS(config), NULL);
	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert_str_eq(ch_params_str(p, "name"), "file");
	ck_assert_int_eq(ch_params_int(p, "count"), 4);
	ch_params_free(p);
	p = read_with(FLAGS(config), FLAGS("CH_NAME=shared"));
	ck_assert_str_eq(ch_params_str(p, "name"), "shared");
	ch_params_free(p);
	p = read_with(FLAGS(config),
		FLAGS("MY_SVC_NAME=own", "CH_NAME=shared"));
	ck_assert_str_eq(ch_params_str(p, "name"), "own");
	ck_assert(ch_params_is_set(p, "name"));
	ch_params_free(p);
	p = read_with(FLAGS(config, "--name=flag"),
		FLAGS("MY_SVC_NAME=own", "CH_NAME="));
	ck_assert_str_eq(ch_params_str(p, "name"), "flag");
	ch_params_free(p);
}
END_TEST

START_TEST(config_file_is_named_by_variable_too)
{
	char variable[80];
	struct ch_params *p;

	(void)snprintf(variable, sizeof(variable), "MY_SVC_CONFIG=%s", path);
	put_file(path, "fast = true\n");
	p = read_with(NULL, FLAGS(variable));
	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert(ch_params_bool(p, "fast"));
	ch_params_free(p);
}
END_TEST

START_TEST(arguments_after_the_options_are_left)
{
	struct ch_params *p = read_with(FLAGS("--wait-time", "30s", "--fast",
						"dlq", "--reason=x"),
		NULL);
	char **argv;

	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert_int_eq(ch_params_ms(p, "wait_time"), 30000);
	ck_assert(ch_params_bool(p, "fast"));
	ck_assert_int_eq(ch_params_args(p, &argv), 2);
	ck_assert_str_eq(argv[0], "dlq");
	ck_assert_str_eq(argv[1], "--reason=x");
	ch_params_free(p);
}
END_TEST

/* What is refused, and what the refusal has to name. */
static const struct {
	const char *flag;
	const char *env;
	const char *file;
	const char *says[4];
} refusals[] = {
	{"--nmae=x", NULL, NULL, {"nmae", "flag --nmae", "name?", NULL}},
	{"--count=11", NULL, NULL,
		{"count", "\"11\"", "1 to 10", "flag --count"}},
	{"--count=0", NULL, NULL, {"\"0\"", "1 to 10", NULL}},
	{"--count=three", NULL, NULL, {"\"three\"", "whole number", NULL}},
	{"--count=3x", NULL, NULL, {"\"3x\"", NULL}},
	{"--count=99999999999999999999", NULL, NULL, {"count", NULL}},
	{"--wait-time=5", NULL, NULL, {"wait_time", "units", NULL}},
	{"--wait-time=2m", NULL, NULL, {"0 to 1m", NULL}},
	{"--wait-time=9223372036854775807d", NULL, NULL, {"too large", NULL}},
	{"--size=5MB", NULL, NULL, {"KiB", NULL}},
	{"--fast=maybe", NULL, NULL, {"true or false", NULL}},
	{"--mode=d", NULL, NULL, {"\"d\"", "a|b|c", NULL}},
	{"--mode=", NULL, NULL, {"a|b|c", NULL}},
	{"--url=ftp://x", NULL, NULL, {"ftp://x", "http|https", NULL}},
	{"--url=nonsense", NULL, NULL, {"nonsense", NULL}},
	{"--brokers=a,,b", NULL, NULL, {"empty item", NULL}},
	{"--brokers=a,b,c,d", NULL, NULL, {"1 to 3 items", NULL}},
	{"--name=x", NULL, NULL, {"too short", "2 to 8", NULL}},
	{"-x", NULL, NULL, {"-x", NULL}},
	{"--token=geheim", NULL, NULL, {"token_file", NULL}},
	{NULL, "CH_TOKEN=geheim", NULL, {"token_file", "CH_TOKEN", NULL}},
	{NULL, NULL, "token = geheim\n", {"token_file", "conf:1", NULL}},
	{NULL, "CH_TOKEN_FILE=/nonexistent/x", NULL,
		{"/nonexistent/x", "No such file", NULL}},
	{"--kafka.sasl.password=geheim", NULL, NULL,
		{"kafka.sasl.password_file", NULL}},
	{"--database-url=postgresql://u:geheim@h/d", NULL, NULL,
		{"database_url", "command line", NULL}},
	{"--database-url=host=h password=geheim", NULL, NULL,
		{"command line", NULL}},
	{NULL, "MY_SVC_COUNT=77", NULL, {"environment MY_SVC_COUNT", NULL}},
	{NULL, NULL, "count = 3\ncuont = 4\n",
		{"cuont", "conf:2", "count?", NULL}},
	{NULL, NULL, "count 3\n", {"conf:1", "key = value", NULL}},
	{NULL, NULL, "count = 3\n\ncount = 4\n",
		{"twice", "lines 1 and 3", NULL}},
	{"--config=/nonexistent/conf", NULL, NULL,
		{"/nonexistent/conf", "flag --config", NULL}},
	{NULL, NULL, "config = x\n", {"config", "conf:1", NULL}},
};

START_TEST(wrong_value_is_refused_by_name_value_and_origin)
{
	char config[80];
	const char *flags[3] = {NULL};
	const char *env[2] = {refusals[_i].env, NULL};
	struct ch_params *p;
	int n = 0;

	if (refusals[_i].file != NULL) {
		(void)snprintf(config, sizeof(config), "--config=%s", path);
		put_file(path, refusals[_i].file);
		flags[n++] = config;
	}
	if (refusals[_i].flag != NULL)
		flags[n++] = refusals[_i].flag;
	p = read_with(flags, env);
	ck_assert_msg(p == NULL, "case %d was taken", _i);
	ck_assert_int_eq(err.code, CH_ECONFIG);
	for (int i = 0; i < 4 && refusals[_i].says[i] != NULL; i++)
		ck_assert_msg(strstr(err.text, refusals[_i].says[i]) != NULL,
			"case %d: \"%s\" lacks \"%s\"", _i, err.text,
			refusals[_i].says[i]);
	ck_assert_msg(strstr(err.text, "geheim") == NULL, "%s", err.text);
}
END_TEST

START_TEST(required_key_names_every_way_to_give_it)
{
	struct ch_params *p = NULL;
	char *argv[] = {NULL, NULL};
	char *envp[] = {NULL};

	ck_assert_int_eq(ch_params_read(&p, "my-svc", needing, 1, argv, envp,
				 &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "must: required"));
	ck_assert_ptr_nonnull(strstr(err.text, "MY_SVC_MUST"));
	ck_assert_ptr_nonnull(strstr(err.text, "CH_MUST"));
}
END_TEST

START_TEST(required_key_behind_the_command_is_pointed_at)
{
	struct ch_params *p = NULL;
	char name[] = "my-svc", word[] = "explain", flag[] = "--must=x",
	     other[] = "--mustard=x";
	char *late[] = {name, word, flag, NULL};
	char *none[] = {name, word, other, NULL};
	char *envp[] = {NULL};

	ck_assert_int_eq(ch_params_read(&p, "my-svc", needing, 3, late, envp,
				 &err),
		CH_ECONFIG);
	ck_assert_str_eq(err.text,
		"must: required, and given behind the command: parameters go "
		"before it (--must=... explain)");
	ck_assert_int_eq(ch_params_read(&p, "my-svc", needing, 3, none, envp,
				 &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "not given by a flag"));
}
END_TEST

/* Also where nothing is outside of the limits of what must be given. */
START_TEST(required_comes_before_the_limits)
{
	static const struct ch_param list[] = {
		{"hosts", CH_PARAM_LIST, NULL, 1, 3, NULL, CH_PARAM_REQUIRED,
			"hosts"},
		{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};
	const struct ch_param *const both[] = {table, list, NULL};
	struct ch_params *p = NULL;
	char name[] = "my-svc", flag[] = "--hosts=";
	char *argv[] = {name, flag, NULL};
	char *envp[] = {NULL};

	ck_assert_int_eq(ch_params_read(&p, "my-svc", both, 1, argv, envp,
				 &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text,
		"hosts: required, and not "
		"given by a flag, MY_SVC_HOSTS"));
	ck_assert_int_eq(ch_params_read(&p, "my-svc", both, 2, argv, envp,
				 &err),
		CH_ECONFIG);
	ck_assert_str_eq(err.text,
		"hosts: required, and empty (from flag --hosts)");
}
END_TEST

START_TEST(every_value_knows_where_it_was_read)
{
	char config[80];
	struct ch_params *p;

	(void)snprintf(config, sizeof(config), "--config=%s", path);
	put_file(path, "# a comment\nsize = 1KiB\nkafka.acks = all\n");
	p = read_with(FLAGS(config, "--kafka.linger.ms=5", "--count=4"),
		FLAGS("CH_NAME=bert"));
	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert_str_eq(ch_params_origin(p, "count"), "flag --count");
	ck_assert_str_eq(ch_params_origin(p, "name"), "environment CH_NAME");
	ck_assert_ptr_nonnull(strstr(ch_params_origin(p, "size"), "conf:2"));
	ck_assert_str_eq(ch_params_origin(p, "mode"), "the default");
	ck_assert_str_eq(ch_params_member_origin(p, "kafka", "linger.ms"),
		"flag --kafka.linger.ms");
	ck_assert_ptr_nonnull(
		strstr(ch_params_member_origin(p, "kafka", "acks"), "conf:3"));
	ch_params_free(p);
}
END_TEST

START_TEST(secret_comes_from_its_file_and_never_goes_out)
{
	char variable[80], member[100];
	struct ch_buf out = CH_BUF_INIT;
	struct ch_params *p;

	put_file(secret_path, "geheim\n");
	(void)snprintf(variable, sizeof(variable), "CH_TOKEN_FILE=%s",
		secret_path);
	(void)snprintf(member, sizeof(member),
		"MY_SVC_KAFKA__SASL_PASSWORD_FILE=%s", secret_path);
	p = read_with(NULL,
		FLAGS(variable, member,
			"CH_DATABASE_URL=postgresql://u:geheim@h/d?password=geheim",
			"CH_URL=http://u:geheim@h/"));
	ck_assert_msg(p != NULL, "%s", err.text);
	ck_assert(ch_view_eq_str(ch_params_secret(p, "token"), "geheim"));
	ch_params_dump(&out, p);
	ch_params_dump_json(&out, p);
	ck_assert_msg(strstr(ch_buf_str(&out), "geheim") == NULL, "%s",
		ch_buf_str(&out));
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "u:****@h/d"));
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "kafka.sasl.password"));
	ck_assert_ptr_nonnull(strstr(ch_params_str(p, "database_url"),
		"geheim"));
	ch_buf_free(&out);
	ch_params_free(p);
}
END_TEST

static void
collect(void *ctx, const char *key, const char *value)
{
	ch_buf_printf(ctx, "%s=%s;", key, value);
}

START_TEST(group_collects_pairs_and_the_strongest_wins)
{
	char config[80];
	struct ch_buf out = CH_BUF_INIT;
	struct ch_params *p;

	(void)snprintf(config, sizeof(config), "--config=%s", path);
	put_file(path, "kafka.linger.ms = 5\nkafka.client.id = x y\n");
	p = read_with(FLAGS(config, "--kafka.linger.ms=7"),
		FLAGS("CH_KAFKA__SASL_MECHANISM=PLAIN"));
	ck_assert_msg(p != NULL, "%s", err.text);
	ch_params_group(p, "kafka", collect, &out);
	ck_assert_str_eq(ch_buf_str(&out),
		"linger.ms=7;client.id=x y;sasl.mechanism=PLAIN;");
	ch_buf_free(&out);
	ch_params_free(p);
}
END_TEST

START_TEST(variables_that_the_platform_sets_are_no_error)
{
	struct ch_params *p = read_with(NULL,
		FLAGS("MY_SVC_PORT=tcp://10.0.0.1:80", "CH_STATE=/x"));

	ck_assert_msg(p != NULL, "%s", err.text);
	ch_params_free(p);
}
END_TEST

START_TEST(reload_takes_what_may_change_and_names_the_rest)
{
	char config[80], file[80];
	struct ch_buf ignored = CH_BUF_INIT;
	struct ch_params *p;

	put_file(secret_path, "one");
	(void)snprintf(config, sizeof(config), "--config=%s", path);
	(void)snprintf(file, sizeof(file), "--token-file=%s", secret_path);
	put_file(path, "name = old\ncount = 3\n");
	p = read_with(FLAGS(config, file), NULL);
	ck_assert_msg(p != NULL, "%s", err.text);
	put_file(path, "name = new\ncount = 4\n");
	put_file(secret_path, "two");
	ck_assert_int_eq(ch_params_reload(p, &ignored, &err), 0);
	ck_assert_str_eq(ch_params_str(p, "name"), "new");
	ck_assert(ch_view_eq_str(ch_params_secret(p, "token"), "two"));
	ck_assert_int_eq(ch_params_int(p, "count"), 3);
	ck_assert_str_eq(ch_buf_str(&ignored), "count");
	put_file(path, "name = newer\ncount = x\n");
	ck_assert_int_eq(ch_params_reload(p, &ignored, &err), CH_ECONFIG);
	ck_assert_str_eq(ch_params_str(p, "name"), "new");
	ch_buf_free(&ignored);
	ch_params_free(p);
}
END_TEST

START_TEST(sample_and_reference_name_every_key)
{
	struct ch_buf sample = CH_BUF_INIT, page = CH_BUF_INIT;

	ch_params_sample(&sample, "my-svc", tables);
	ch_params_reference(&page, "my-svc", tables);
	for (const struct ch_param *q = table; q->name != NULL; q++) {
		ck_assert_ptr_nonnull(strstr(ch_buf_str(&page), q->name));
		if (strcmp(q->name, "config") != 0)
			ck_assert_ptr_nonnull(strstr(ch_buf_str(&sample),
				q->name));
	}
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&page), "a\\|b\\|c"));
	ch_buf_free(&sample);
	ch_buf_free(&page);
}
END_TEST

START_TEST(the_manual_names_every_option_and_is_escaped)
{
	struct ch_buf page = CH_BUF_INIT;

	ch_params_man(&page, "my-svc", tables);
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&page), "MY_SVC_OPTION"));
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&page), "\n.TP\n\\fB\\-\\-"));
	ch_buf_clear(&page);
	ch_roff_add_example(&page, ".so /etc\n'x \\d a-b ^~`");
	ck_assert_str_eq(ch_buf_str(&page),
		".EX\n\\&.so /etc\n\\&\\(aqx \\ed a\\-b "
		"\\(ha\\(ti\\(ga\n.EE\n");
	ch_buf_free(&page);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("params");
	TCase *t = tcase_create("params");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_manual_names_every_option_and_is_escaped);
	tcase_add_test(t, defaults_have_their_types);
	tcase_add_test(t, flag_wins_over_own_variable_over_shared_over_file);
	tcase_add_test(t, config_file_is_named_by_variable_too);
	tcase_add_test(t, arguments_after_the_options_are_left);
	tcase_add_loop_test(t, wrong_value_is_refused_by_name_value_and_origin,
		0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(t, required_key_names_every_way_to_give_it);
	tcase_add_test(t, required_key_behind_the_command_is_pointed_at);
	tcase_add_test(t, required_comes_before_the_limits);
	tcase_add_test(t, every_value_knows_where_it_was_read);
	tcase_add_test(t, secret_comes_from_its_file_and_never_goes_out);
	tcase_add_test(t, group_collects_pairs_and_the_strongest_wins);
	tcase_add_test(t, variables_that_the_platform_sets_are_no_error);
	tcase_add_test(t, reload_takes_what_may_change_and_names_the_rest);
	tcase_add_test(t, sample_and_reference_name_every_key);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
