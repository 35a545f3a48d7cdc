/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLSTATE to class, conninfo checks: what the ledger's protocol (section 3)
 * says must be retried, decided again, or parked.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pg.h"

static const struct {
	const char *sqlstate;
	bool constraint;
	enum ch_pg_class want;
} cases[] = {
	{"", false, CH_PG_RETRY}, /* the connection is gone */
	{"00000", false, CH_PG_OK},
	{"01000", false, CH_PG_OK},
	{"08006", false, CH_PG_RETRY},
	{"08P01", false, CH_PG_OTHER}, /* protocol_violation: ours */
	{"40001", false, CH_PG_RETRY}, /* serialization_failure */
	{"40P01", false, CH_PG_RETRY}, /* deadlock_detected */
	{"53100", false, CH_PG_RETRY}, /* disk_full */
	{"53300", false, CH_PG_RETRY}, /* too_many_connections */
	{"55P03", false, CH_PG_RETRY}, /* lock_not_available */
	{"55000", false, CH_PG_OTHER},
	{"57014", false, CH_PG_RETRY}, /* query_canceled */
	{"57P01", false, CH_PG_RETRY}, /* admin_shutdown */
	{"57P03", false, CH_PG_RETRY}, /* cannot_connect_now */
	{"57P04", false, CH_PG_OTHER}, /* database_dropped */
	{"58030", false, CH_PG_RETRY}, /* io_error */
	{"23505", true, CH_PG_CONFLICT},
	{"23514", false, CH_PG_PARTITION_MISSING},
	{"23514", true, CH_PG_ROW},
	{"23502", false, CH_PG_ROW},
	{"23503", true, CH_PG_ROW},
	{"22003", false, CH_PG_ROW}, /* numeric_value_out_of_range */
	{"22021", false, CH_PG_ROW}, /* character_not_in_repertoire */
	{"P0001", false, CH_PG_ROW}, /* raise_exception: a trigger's word */
	{"P0002", false, CH_PG_OTHER},
	{"25006", false, CH_PG_READONLY},
	{"25P02", false, CH_PG_OTHER}, /* in_failed_sql_transaction */
	{"25P03", false, CH_PG_RETRY},
	{"28P01", false, CH_PG_PERMISSION},
	{"42501", false, CH_PG_PERMISSION},
	{"42P01", false, CH_PG_OTHER}, /* undefined_table */
	{"42601", false, CH_PG_OTHER}, /* syntax_error */
	{"0A000", false, CH_PG_OTHER},
	{"XX000", false, CH_PG_OTHER},
	{"ZZ999", true, CH_PG_OTHER},
};

START_TEST(each_sqlstate_has_its_class)
{
	size_t i = (size_t)_i;

	ck_assert_msg(ch_pg_class_of(cases[i].sqlstate, cases[i].constraint) ==
			cases[i].want,
		"%s is %s", cases[i].sqlstate,
		ch_pg_class_name(ch_pg_class_of(cases[i].sqlstate,
			cases[i].constraint)));
}
END_TEST

START_TEST(a_lock_that_is_not_had_is_told_from_other_failures)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert(!ch_pg_lock_not_had(&err));
	ch_err_set(&err, CH_ESQL, "canceling statement due to lock timeout");
	(void)snprintf(err.sqlstate, sizeof(err.sqlstate), "55P03");
	ck_assert(ch_pg_lock_not_had(&err));
	(void)snprintf(err.sqlstate, sizeof(err.sqlstate), "57014");
	ck_assert(!ch_pg_lock_not_had(&err));
}
END_TEST

START_TEST(a_password_in_a_conninfo_is_seen)
{
	static const struct {
		const char *conninfo;
		bool secret;
	} all[] = {
		{"host=db user=u password=x", true},
		{"postgresql://u:x@db/d", true},
		{"postgresql://u@db/d?password=x", true},
		{"postgresql://u@db/d?sslpassword=x", true},
		{"postgresql://u@db1,db2/d?sslmode=verify-full", false},
		{"host=/run/pg dbname=d passfile=''", false},
		{"", false},
	};
	struct ch_err err = CH_ERR_INIT;
	bool secret;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		ck_assert_int_eq(ch_pg_target_check(all[i].conninfo, NULL,
					 &secret, &err),
			0);
		ck_assert_msg(secret == all[i].secret, "%s", all[i].conninfo);
	}
	ck_assert_int_eq(ch_pg_target_check("nonsense", NULL, &secret, &err),
		CH_ECONFIG);
	ck_assert_int_eq(err.code, CH_ECONFIG);
}
END_TEST

START_TEST(a_conninfo_that_cannot_be_read_shows_no_secret)
{
	static const char *const all[] = {
		"host=h password=hunter2 hunter2",
		"postgresql://u:hunter2@[::1/d",
		"postgresql://u:hunter2@h/d?hunter2",
	};
	struct ch_err err = CH_ERR_INIT;
	bool secret;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		ck_assert_int_eq(ch_pg_target_check(all[i], NULL, &secret,
					 &err),
			CH_ECONFIG);
		ck_assert_msg(strstr(err.text, "hunter2") == NULL, "%s",
			err.text);
	}
}
END_TEST

static void
put_secret(char *path, mode_t mode)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "*:*:*:*:x\n", 10), 10);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* As libpq: owner only. What it takes, and what it passes over. */
START_TEST(a_passfile_is_for_its_owner_only)
{
	static const struct {
		mode_t mode;
		bool taken;
	} all[] = {{0600, true}, {0400, true}, {0700, true}, {0640, false},
		{0604, false}, {0610, false}, {0620, false}, {0644, false},
		{0440, false}};
	char path[] = "/tmp/ch-passfile-XXXXXX";
	char text[128], mode[8];
	struct ch_err err = CH_ERR_INIT;
	bool secret;

	put_secret(path, all[_i].mode);
	(void)snprintf(text, sizeof(text), "dbname=d passfile=%s", path);
	(void)snprintf(mode, sizeof(mode), "%04o", all[_i].mode);
	ck_assert_int_eq(ch_pg_passfile_check(path, &err) == 0, all[_i].taken);
	ck_assert_int_eq(ch_pg_target_check(text, NULL, &secret, &err) == 0,
		all[_i].taken);
	(void)unlink(path);
	if (all[_i].taken)
		return;
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "passfile: "));
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_ptr_nonnull(strstr(err.text, mode));
}
END_TEST

START_TEST(a_passfile_is_a_file_that_is_there)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_int_eq(ch_pg_passfile_check("/nonexistent", &err),
		CH_ECONFIG);
	ck_assert_int_eq(err.code, CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
	ck_assert_int_eq(ch_pg_passfile_check("/tmp", &err), CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "no regular file"));
}
END_TEST

/* A key that root owns may be the group's to read, a passfile may not. */
START_TEST(keys_and_certificates_are_looked_at)
{
	char path[] = "/tmp/ch-key-XXXXXX";
	char text[128];
	struct ch_err err = CH_ERR_INIT;
	bool secret;

	put_secret(path, 0640);
	(void)snprintf(text, sizeof(text), "dbname=d sslkey=%s", path);
	ck_assert_int_eq(ch_pg_target_check(text, NULL, &secret, &err),
		geteuid() == 0 ? 0 : CH_ECONFIG);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(ch_pg_target_check(text, NULL, &secret, &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "sslkey: "));
	(void)snprintf(text, sizeof(text), "dbname=d sslrootcert=%s", path);
	ck_assert_int_eq(ch_pg_target_check(text, NULL, &secret, &err), 0);
	(void)unlink(path);
	ck_assert_int_eq(ch_pg_target_check(text, NULL, &secret, &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "sslrootcert: "));
	ck_assert_int_eq(ch_pg_target_check("sslrootcert=system", NULL, &secret,
				 &err),
		0);
	ck_assert_int_eq(ch_pg_target_check("sslkey=pkcs11:token", NULL,
				 &secret, &err),
		0);
}
END_TEST

START_TEST(the_passfile_of_the_environment_counts_when_it_is_used)
{
	struct ch_err err = CH_ERR_INIT;
	bool secret;

	ck_assert_int_eq(setenv("PGPASSFILE", "/nonexistent", 1), 0);
	ck_assert_int_eq(ch_pg_target_check("dbname=d", NULL, &secret, &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "PGPASSFILE"));
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent"));
	ck_assert_int_eq(
		ch_pg_target_check("dbname=d", "/other", &secret, &err), 0);
	ck_assert_int_eq(ch_pg_target_check("dbname=d password=x", NULL,
				 &secret, &err),
		0);
	ck_assert_int_eq(setenv("PGPASSFILE", "/dev/null", 1), 0);
	ck_assert_int_eq(ch_pg_target_check("dbname=d", NULL, &secret, &err),
		0);
}
END_TEST

START_TEST(a_description_shows_no_secret)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_pg_target_describe(
		"postgresql://u:hunter2@db:5433/d?sslpassword=hunter2", &b);
	ck_assert_ptr_null(strstr(ch_buf_str(&b), "hunter2"));
	ck_assert_str_eq(ch_buf_str(&b), "host=db port=5433 dbname=d user=u");
	ch_buf_free(&b);
}
END_TEST

START_TEST(without_a_connection_nothing_is_pretended)
{
	static const struct ch_pg_stmt stmt = {"x", "SELECT 1"};
	struct ch_err err = CH_ERR_INIT;
	struct ch_pg_params p = {.conninfo = "host=/nowhere dbname=d"};
	struct ch_pg *pg = ch_pg_new(&p, &err);
	PGresult *res;

	ck_assert_ptr_nonnull(pg);
	ck_assert(!ch_pg_is_up(pg));
	ck_assert_int_eq(ch_pg_fd(pg), -1);
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), CH_ECLOSED);
	ck_assert_ptr_null(res);
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);
	/* A COMMIT that was never sent did not commit. */
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_NOT_COMMITTED);
	ck_assert_int_eq(ch_pg_rollback(pg, &err), 0);
	ck_assert_int_eq(ch_pg_connect(pg, &err), CH_EIO);
	ck_assert_int_eq(err.code, CH_EIO);
	ck_assert_str_eq(err.sqlstate, "");
	ch_pg_free(pg);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pg_class");
	TCase *t = tcase_create("pg_class");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, each_sqlstate_has_its_class, 0,
		(int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(t, a_lock_that_is_not_had_is_told_from_other_failures);
	tcase_add_test(t, a_password_in_a_conninfo_is_seen);
	tcase_add_test(t, a_conninfo_that_cannot_be_read_shows_no_secret);
	tcase_add_loop_test(t, a_passfile_is_for_its_owner_only, 0, 9);
	tcase_add_test(t, a_passfile_is_a_file_that_is_there);
	tcase_add_test(t, keys_and_certificates_are_looked_at);
	tcase_add_test(t,
		the_passfile_of_the_environment_counts_when_it_is_used);
	tcase_add_test(t, a_description_shows_no_secret);
	tcase_add_test(t, without_a_connection_nothing_is_pretended);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
