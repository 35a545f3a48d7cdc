/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_check: what librdkafka and libpq would refuse is refused before, with
 * the key, the problem and the place. No broker, no server.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/client_check.h"

static const struct ch_param table[] = {
	{"bootstrap", CH_PARAM_LIST, "h:1", 0, 8, NULL, 0, "brokers"},
	{"kafka", CH_PARAM_GROUP, NULL, 0, 0, NULL, 0, "properties"},
	{"database_url", CH_PARAM_CONNINFO, NULL, 0, 0, NULL, 0, "database"},
	{"passfile", CH_PARAM_PATH, NULL, 0, 0, NULL, 0, "a file"},
	{"ca_file", CH_PARAM_PATH, NULL, 0, 0, NULL, 0, "a file"},
	{"listen", CH_PARAM_STRING, ":0", 1, 64, NULL, 0, "an address"},
	{NULL, CH_PARAM_STRING, NULL, 0, 0, NULL, 0, NULL}};
static const char *const reserved[] = {"acks", "linger.ms", NULL};

static struct ch_err err;

static void
setup(void)
{
	ch_err_clear(&err);
	(void)unsetenv("PGPASSFILE");
}

/* All checks, in the order of a service. */
static int
check_flags(const char *one, const char *two)
{
	const struct ch_param *const tables[] = {table, NULL};
	char text[2][256];
	char name[] = "svc";
	char *argv[] = {name, text[0], text[1], NULL};
	char *envp[] = {NULL};
	struct ch_params *p;
	int rc;

	(void)snprintf(text[0], sizeof(text[0]), "%s", one);
	(void)snprintf(text[1], sizeof(text[1]), "%s", two != NULL ? two : "");
	ck_assert_msg(ch_params_read(&p, "svc", tables, two != NULL ? 3 : 2,
			      argv, envp, &err) == 0,
		"%s", err.text);
	rc = ch_client_check_listen(p, "listen", &err);
	if (rc == 0)
		rc = ch_client_check_file(p, "ca_file", &err);
	if (rc == 0)
		rc = ch_client_check_kafka(p, reserved, &err);
	if (rc == 0)
		rc = ch_client_check_database(p, "passfile", &err);
	ch_params_free(p);
	return rc;
}

static const struct {
	const char *flag;
	const char *second;
	const char *says[3];
} refusals[] = {
	{"--bootstrap=h:0", NULL,
		{"bootstrap: \"h:0\"", "from flag --bootstrap"}},
	{"--bootstrap=h:1,i:65536", NULL, {"\"i:65536\""}},
	{"--bootstrap=h:x", NULL, {"\"h:x\""}},
	{"--bootstrap=:9092", NULL, {"\":9092\""}},
	{"--bootstrap=[::1:9092", NULL, {"[::1:9092"}},
	{"--kafka.no.such=1", NULL,
		{"kafka.no.such (from flag --kafka.no.such)", "No such"}},
	{"--kafka.socket.keepalive.enable=maybe", NULL,
		{"kafka.socket.keepalive.enable (from flag", "maybe"}},
	{"--kafka.socket.timeout.ms=-7", NULL,
		{"kafka.socket.timeout.ms (from flag", "range"}},
	{"--kafka.acks=1", NULL,
		{"kafka.acks (from flag --kafka.acks)",
			"decided by the daemon"}},
	{"--kafka.linger.ms=1", NULL, {"kafka.linger.ms (from"}},
	{"--kafka.bootstrap.servers=h:1", NULL,
		{"kafka.bootstrap.servers", "`bootstrap`"}},
	{"--kafka.metadata.broker.list=h:1", NULL,
		{"kafka.metadata.broker.list", "`bootstrap`"}},
	{"--kafka.plugin.library.paths=x.so", NULL,
		{"kafka.plugin.library.paths", "cannot be set"}},
	{"--kafka.enable.ssl.certificate.verification=false", NULL,
		{"enable.ssl.certificate.verification", "always on"}},
	{"--kafka.security.protocol=ssl",
		"--kafka.ssl.ca.location=/nonexistent",
		{"kafka.ssl.ca.location (from flag --kafka.ssl.ca.location)"}},
	{"--database-url=nonsense=1", NULL,
		{"database_url (from flag --database-url)", "nonsense"}},
	{"--database-url=dbname=d passfile=/nonexistent", NULL,
		{"database_url (from", "passfile", "/nonexistent"}},
	{"--passfile=/nonexistent", NULL,
		{"passfile (from flag --passfile)", "/nonexistent", "No such"}},
	{"--passfile=/tmp", NULL, {"passfile (from", "no regular file"}},
	{"--ca-file=/nonexistent", NULL,
		{"ca_file (from flag --ca-file)", "/nonexistent", "No such"}},
	{"--listen=nonsense", NULL,
		{"listen (from flag --listen)", "nonsense", "host:port"}},
};

START_TEST(a_refusal_names_key_problem_and_place)
{
	int rc = check_flags(refusals[_i].flag, refusals[_i].second);

	ck_assert_msg(rc == CH_ECONFIG, "%s was taken", refusals[_i].flag);
	ck_assert_int_eq(err.code, CH_ECONFIG);
	for (int i = 0; i < 3 && refusals[_i].says[i] != NULL; i++)
		ck_assert_msg(strstr(err.text, refusals[_i].says[i]) != NULL,
			"\"%s\" lacks \"%s\"", err.text, refusals[_i].says[i]);
}
END_TEST

START_TEST(a_passfile_of_everybody_is_refused_by_either_way)
{
	char path[] = "/tmp/ch-client-XXXXXX";
	char flag[64], url[96];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	(void)snprintf(flag, sizeof(flag), "--passfile=%s", path);
	(void)snprintf(url, sizeof(url),
		"--database-url=postgresql://u@h/d?passfile=%s", path);
	ck_assert_msg(check_flags(flag, url) == 0, "%s", err.text);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(check_flags(flag, NULL), CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "passfile (from flag"));
	ck_assert_ptr_nonnull(strstr(err.text, "0644"));
	ck_assert_int_eq(check_flags(url, NULL), CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "database_url (from flag"));
	ck_assert_ptr_nonnull(strstr(err.text, "0644"));
	(void)unlink(path);
}
END_TEST

static const char *const right[] = {"--bootstrap=h",
	"--bootstrap=", "--bootstrap=h:9092,[::1]:9092,10.0.0.1:1",
	"--bootstrap=SSL://h:9093", "--kafka.socket.keepalive.enable=false",
	"--listen=[::1]:0", "--kafka.security.protocol=ssl",
	"--database-url=postgresql://u@h/d",
	"--database-url=host=/run/pg dbname=d"};

START_TEST(what_is_right_is_taken)
{
	ck_assert_msg(check_flags(right[_i], NULL) == 0, "%s: %s", right[_i],
		err.text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client_check");
	TCase *t = tcase_create("client_check");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, a_refusal_names_key_problem_and_place, 0,
		(int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(t, a_passfile_of_everybody_is_refused_by_either_way);
	tcase_add_loop_test(t, what_is_right_is_taken, 0,
		(int)(sizeof(right) / sizeof(right[0])));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
