/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/io/pg against a real PostgreSQL: DATABASE_URL, a role that may create
 * tables in its own schema and terminate its own backends. Works in temporary
 * tables, and in the schema it_pg, which it makes and drops.
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/pg.h"
#include "io/pg_copy.h"
#include "io/pg_rows.h"

static struct ch_pg *pg;
static struct ch_err err;

static struct ch_pg *
open_with(int call_ms, int lock_ms)
{
	struct ch_pg_params p = {.conninfo = getenv("DATABASE_URL"),
		.application_name = "it_pg",
		.call_timeout_ms = call_ms,
		.lock_timeout_ms = lock_ms,
		.statement_timeout_ms = 60000,
		.idle_in_transaction_ms = 30000,
		.search_path = "pg_temp, it_pg",
		.read_write = true};
	struct ch_pg *c = ch_pg_new(&p, &err);

	ck_assert_msg(c != NULL, "%s", err.text);
	ck_assert_msg(ch_pg_connect(c, &err) == 0, "%s", err.text);
	return c;
}

static void
setup(void)
{
	ck_assert_msg(getenv("DATABASE_URL") != NULL,
		"DATABASE_URL is wanted: see tests/integration");
	err = (struct ch_err)CH_ERR_INIT;
	pg = open_with(20000, 500);
}

static void
teardown(void)
{
	ch_pg_free(pg);
}

static void
run(struct ch_pg *c, const char *sql)
{
	ck_assert_msg(ch_pg_exec(c, sql, &err) == 0, "%s: %s", sql, err.text);
}

static int64_t
one_i64(struct ch_pg *c, const char *sql)
{
	struct ch_pg_stmt stmt = {"", sql};
	PGresult *res;
	int64_t v;

	ck_assert_msg(ch_pg_query(c, &stmt, NULL, &res, &err) == 0, "%s: %s",
		sql, err.text);
	ck_assert(ch_pg_get_i64(res, 0, 0, &v));
	PQclear(res);
	return v;
}

/* Ends another connection's backend from a third. */
static void
terminate(const struct ch_pg *victim)
{
	struct ch_pg *other = open_with(60000, 0);
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
		"SELECT pg_terminate_backend(%d, 50000)::int",
		ch_pg_backend_pid(victim));
	ck_assert_int_eq(one_i64(other, sql), 1);
	ch_pg_free(other);
}

START_TEST(session_is_as_asked)
{
	static const struct ch_pg_stmt stmt = {"",
		"SELECT current_setting('statement_timeout'),"
		" current_setting('lock_timeout'),"
		" current_setting('idle_in_transaction_session_timeout'),"
		" current_setting('application_name'),"
		" current_setting('client_encoding'),"
		" current_setting('search_path')"};
	static const char *const want[] = {
		"1min", "500ms", "30s", "it_pg", "UTF8", "pg_temp, it_pg"};
	struct ch_view v;
	PGresult *res;
	int i;

	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	for (i = 0; i < 6; i++) {
		ck_assert(ch_pg_get_text(res, 0, i, &v));
		ck_assert_msg(ch_view_eq_str(v, want[i]), "%.*s is not %s",
			CH_VIEW_ARG(v), want[i]);
	}
	PQclear(res);
	ck_assert_uint_eq(ch_pg_generation(pg), 1);
	ck_assert(ch_pg_backend_pid(pg) > 0);
	ck_assert_int_ge(ch_pg_server_version(pg), 150000);
}
END_TEST

START_TEST(every_type_goes_there_and_back)
{
	static const struct ch_pg_stmt stmt = {"types",
		"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text,"
		" '{\"a\": 1}'::jsonb, '0/16B3748'::pg_lsn, $11,"
		" pg_current_xact_id()"};
	struct ch_uuid u = {{0xde, 0xad, 1, 2, 3, 4, 5, 6}}, u2;
	struct ch_time t = {1795254062123456};
	struct ch_pg_args a;
	struct ch_pg_row r;
	struct ch_view v;
	PGresult *res;
	int again;

	for (again = 0; again < 2; again++) { /* prepared, then reused */
		ch_pg_args_clear(&a);
		ch_pg_arg_bool(&a, true);
		ch_pg_arg_i16(&a, -7);
		ch_pg_arg_i32(&a, INT32_MIN);
		ch_pg_arg_i64(&a, INT64_MAX);
		ch_pg_arg_text(&a, CH_VIEW("grüß, '\"\\"));
		ch_pg_arg_bytea(&a, CH_VIEW("\0\xff\n"));
		ch_pg_arg_uuid(&a, &u);
		ch_pg_arg_time(&a, t);
		ch_pg_arg_day(&a, -1);
		ch_pg_arg_null(&a, CH_PG_TEXT);
		ch_pg_arg_lsn(&a, 0x123456789abcdef0);
		ck_assert_msg(ch_pg_query(pg, &stmt, &a, &res, &err) == 0, "%s",
			err.text);
		r = ch_pg_row(res, 0);
		ck_assert(ch_pg_next_bool(&r));
		ck_assert_int_eq(ch_pg_next_i32(&r), -7);
		ck_assert_int_eq(ch_pg_next_i32(&r), INT32_MIN);
		ck_assert_int_eq(ch_pg_next_i64(&r), INT64_MAX);
		ck_assert(ch_view_eq_str(ch_pg_next_text(&r), "grüß, '\"\\"));
		v = ch_pg_next_bytea(&r);
		ck_assert(ch_view_eq(v, CH_VIEW("\0\xff\n")));
		u2 = ch_pg_next_uuid(&r);
		ck_assert_mem_eq(&u, &u2, sizeof(u));
		ck_assert_int_eq(ch_pg_next_time(&r).us, t.us);
		ck_assert_int_eq(ch_pg_next_day(&r), -1);
		ck_assert_ptr_null(ch_pg_next_text_null(&r).ptr);
		ck_assert(ch_view_eq_str(ch_pg_next_text(&r), "{\"a\": 1}"));
		ck_assert_uint_eq(ch_pg_next_lsn(&r), 0x16B3748);
		ck_assert_uint_eq(ch_pg_next_lsn(&r), 0x123456789abcdef0);
		ck_assert_int_gt(ch_pg_next_i64(&r), 0);
		ck_assert(ch_pg_row_ok(&r, &err));
		/* One too many, and a wrong type, are told. */
		(void)ch_pg_next_i64(&r);
		ck_assert(!ch_pg_row_ok(&r, &err));
		ck_assert_int_eq(err.code, CH_EPROTO);
		r = ch_pg_row(res, 0);
		(void)ch_pg_next_i64(&r);
		ck_assert(!ch_pg_row_ok(&r, &err));
		PQclear(res);
	}
}
END_TEST

struct taking {
	int64_t most, taken, last;
};

static bool
take(void *ctx, const PGresult *res)
{
	struct taking *t = ctx;

	ck_assert_int_eq(PQntuples(res), 1);
	ck_assert(ch_pg_get_i64(res, 0, 0, &t->last));
	return ++t->taken < t->most;
}

START_TEST(rows_come_one_by_one)
{
	static const struct ch_pg_stmt
		many = {"it_many",
			"SELECT g, repeat('x', 1000) FROM "
			"generate_series(1, $1::int8) g"},
		breaks = {"",
			"SELECT 100 / (5 - g) FROM generate_series(1, 9) g"};
	struct taking t = {.most = 7};
	struct ch_pg_row_sink sink = {.take = take, .ctx = &t};
	struct ch_pg_args args;

	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, 20000);
	ck_assert_int_eq(ch_pg_rows(pg, &many, &args, &sink, &err), 0);
	ck_assert_int_eq(t.taken, 7);
	ck_assert_int_eq(t.last, 7);
	ck_assert_int_eq(sink.found, 20000);
	ck_assert_int_eq(PQntuples(sink.end), 0);
	ck_assert_str_eq(PQfname(sink.end, 1), "repeat");
	PQclear(sink.end);
	/* none; one that fails on its way; and the connection goes on */
	ch_pg_args_clear(&args);
	ch_pg_arg_i64(&args, 0);
	t = (struct taking){.most = 100};
	ck_assert_int_eq(ch_pg_rows(pg, &many, &args, &sink, &err), 0);
	ck_assert_int_eq(sink.found, 0);
	ck_assert_int_eq(PQnfields(sink.end), 2);
	PQclear(sink.end);
	ck_assert_int_eq(ch_pg_rows(pg, &breaks, NULL, &sink, &err), CH_ESQL);
	ck_assert_str_eq(err.sqlstate, "22012");
	ck_assert_int_eq(t.taken, 4);
	ck_assert_ptr_null(sink.end);
	ck_assert_int_eq(one_i64(pg, "SELECT 1::int8"), 1);
	ck_assert_uint_eq(ch_pg_generation(pg), 1);
}
END_TEST

START_TEST(arrays_unnest_in_order)
{
	static const struct ch_pg_stmt stmt = {"unnest",
		"SELECT a, b, c, d, e FROM unnest($1::int8[], $2::text[],"
		" $3::bytea[], $4::bool[], $5::timestamptz[])"
		" WITH ORDINALITY u(a, b, c, d, e, o) ORDER BY o"};
	struct ch_pg_array a, b, c, d, e;
	struct ch_pg_args args;
	struct ch_pg_row r;
	PGresult *res;
	char text[32];
	int64_t i;

	ch_pg_array_init(&a, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&b, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&c, CH_PG_BYTEA_ARRAY);
	ch_pg_array_init(&d, CH_PG_BOOL_ARRAY);
	ch_pg_array_init(&e, CH_PG_TIMESTAMPTZ_ARRAY);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "t,%lld\"", (long long)i);
		ch_pg_array_i64(&a, -i);
		ch_pg_array_text(&b, ch_view_of(text));
		if (i % 3 == 0)
			ch_pg_array_null(&c);
		else
			ch_pg_array_bytea(&c, CH_VIEW("\0\1"));
		ch_pg_array_bool(&d, i % 2 == 0);
		ch_pg_array_time(&e, (struct ch_time){i});
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &a);
	ch_pg_arg_array(&args, &b);
	ch_pg_arg_array(&args, &c);
	ch_pg_arg_array(&args, &d);
	ch_pg_arg_array(&args, &e);
	ck_assert_msg(ch_pg_query(pg, &stmt, &args, &res, &err) == 0, "%s",
		err.text);
	ck_assert_int_eq(PQntuples(res), 1000);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "t,%lld\"", (long long)i);
		r = ch_pg_row(res, (int)i);
		ck_assert_int_eq(ch_pg_next_i64(&r), -i);
		ck_assert(ch_view_eq_str(ch_pg_next_text(&r), text));
		ck_assert(ch_pg_next_bytea_null(&r).len == (i % 3 ? 2 : 0));
		ck_assert(ch_pg_next_bool(&r) == (i % 2 == 0));
		ck_assert_int_eq(ch_pg_next_time(&r).us, i);
		ck_assert(ch_pg_row_ok(&r, &err));
	}
	PQclear(res);
	ch_pg_array_free(&a);
	ch_pg_array_free(&b);
	ch_pg_array_free(&c);
	ch_pg_array_free(&d);
	ch_pg_array_free(&e);
}
END_TEST

START_TEST(arrays_come_back)
{
	static const struct ch_pg_stmt stmt = {"",
		"SELECT array[1, NULL, 3]::int8[], '{}'::text[],"
		" pg_catalog.array_fill(1, array[2,2])"};
	struct ch_pg_array_reader r;
	struct ch_view v;
	PGresult *res;

	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	ck_assert(ch_pg_get_array(res, 0, 0, &r));
	ck_assert_uint_eq(r.element, CH_PG_INT8);
	ck_assert(ch_pg_array_next(&r, &v) && ch_be64(v.ptr) == 1);
	ck_assert(ch_pg_array_next(&r, &v) && v.ptr == NULL);
	ck_assert(ch_pg_array_next(&r, &v) && ch_be64(v.ptr) == 3);
	ck_assert(!ch_pg_array_next(&r, &v) && r.left == 0);
	ck_assert(ch_pg_get_array(res, 0, 1, &r) && r.left == 0);
	ck_assert(!ch_pg_get_array(res, 0, 2, &r));
	PQclear(res);
}
END_TEST

static void
expect_failure(const char *sql, const char *sqlstate, enum ch_pg_class class)
{
	ck_assert_msg(ch_pg_exec(pg, sql, &err) == CH_ESQL, "%s: %s", sql,
		err.text);
	ck_assert_str_eq(err.sqlstate, sqlstate);
	ck_assert_str_eq(ch_pg_failure(pg)->sqlstate, sqlstate);
	ck_assert_msg(ch_pg_retry_class(pg) == class, "%s is %s", sqlstate,
		ch_pg_class_name(ch_pg_retry_class(pg)));
	ck_assert(ch_pg_is_up(pg));
}

START_TEST(failures_have_their_class)
{
	struct ch_pg *other;

	run(pg,
		"CREATE TEMP TABLE t (id int8 PRIMARY KEY,"
		" v int CONSTRAINT v_positive CHECK (v > 0))");
	run(pg, "INSERT INTO t VALUES (1, 1)");
	expect_failure("INSERT INTO t VALUES (1, 1)", "23505", CH_PG_CONFLICT);
	ck_assert_str_eq(ch_pg_failure(pg)->constraint, "t_pkey");
	ck_assert_str_eq(ch_pg_failure(pg)->table, "t");
	ck_assert_ptr_nonnull(strstr(err.text, "t_pkey"));
	expect_failure("INSERT INTO t VALUES (2, 0)", "23514", CH_PG_ROW);
	run(pg, "CREATE TEMP TABLE d (day date) PARTITION BY RANGE (day)");
	expect_failure("INSERT INTO d VALUES ('2026-11-21')", "23514",
		CH_PG_PARTITION_MISSING);
	expect_failure("SELECT 1/0", "22012", CH_PG_ROW);
	expect_failure("SELECT FROM nothing_of_the_kind", "42P01", CH_PG_OTHER);
	run(pg, "SET default_transaction_read_only = on");
	expect_failure("CREATE TABLE it_pg.x (i int)", "25006", CH_PG_READONLY);
	run(pg, "SET default_transaction_read_only = off");

	/* lock_timeout 500 ms */
	run(pg, "CREATE TABLE it_pg.l (id int PRIMARY KEY)");
	run(pg, "INSERT INTO it_pg.l VALUES (1)");
	other = open_with(20000, 0);
	run(other, "BEGIN; SELECT FROM it_pg.l FOR UPDATE");
	expect_failure("SELECT FROM it_pg.l FOR UPDATE", "55P03", CH_PG_RETRY);
	run(other, "ROLLBACK"); /* a backend notices later that it is alone */
	ch_pg_free(other);
	run(pg, "SELECT FROM it_pg.l FOR UPDATE");
}
END_TEST

START_TEST(a_silent_server_ends_the_connection)
{
	ch_pg_call_timeout_set(pg, 200);
	ck_assert_int_eq(ch_pg_exec(pg, "SELECT pg_sleep(30)", &err),
		CH_ETIMEOUT);
	ck_assert(!ch_pg_is_up(pg));
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);
	ck_assert_int_eq(ch_pg_exec(pg, "SELECT 1", &err), CH_ECLOSED);
	ch_pg_call_timeout_set(pg, 20000);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	ck_assert_uint_eq(ch_pg_generation(pg), 2);
	run(pg, "SELECT 1");
}
END_TEST

/* Polls as a loop does; what it ended with. */
static int
poll_until_over(bool more_time)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	int64_t ms = 0;
	int rc;

	while ((rc = ch_pg_ready(pg, &err)) == 0) {
		struct pollfd p = {ch_pg_fd(pg), ch_pg_poll_events(pg), 0};

		ck_assert_msg(ms < 20000, "no end");
		(void)poll(&p, 1, 10);
		ms = ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start);
		if (more_time)
			ch_pg_more_time(pg);
	}
	return rc;
}

START_TEST(a_loop_that_polls_has_the_deadline_too)
{
	static const struct ch_pg_stmt sleeps = {"", "SELECT pg_sleep(30)"};
	static const struct ch_pg_stmt naps = {"", "SELECT pg_sleep(1.5)"};

	ch_pg_call_timeout_set(pg, 200);
	ck_assert_int_eq(ch_pg_send(pg, &sleeps, NULL, &err), 0);
	ck_assert_int_eq(poll_until_over(false), CH_ETIMEOUT);
	ck_assert(!ch_pg_is_up(pg));
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);

	ch_pg_call_timeout_set(pg, 1000);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	ck_assert_int_eq(ch_pg_send(pg, &naps, NULL, &err), 0);
	ck_assert_int_eq(poll_until_over(true), 1);
	ck_assert_int_eq(ch_pg_finish(pg, NULL, &err), 0);

	ck_assert_int_eq(ch_pg_pipeline_add(pg, &sleeps, NULL, &err), 0);
	ck_assert_int_eq(ch_pg_pipeline_sync(pg, &err), 0);
	ck_assert_int_eq(poll_until_over(false), CH_ETIMEOUT);
	ck_assert(!ch_pg_is_up(pg));
}
END_TEST

START_TEST(a_terminated_backend_is_a_retry)
{
	static const struct ch_pg_stmt stmt = {"again", "SELECT 1::int8"};
	PGresult *res;

	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	PQclear(res);
	terminate(pg);
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), CH_EIO);
	ck_assert_ptr_null(res);
	ck_assert(!ch_pg_is_up(pg));
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);
	ck_assert_str_eq(err.sqlstate, "");
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	/* Prepared anew on the new connection. */
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	PQclear(res);
}
END_TEST

START_TEST(a_stale_plan_is_a_retry)
{
	static const struct ch_pg_stmt stmt = {"star", "SELECT * FROM it_pg.s"};
	PGresult *res;

	run(pg, "CREATE TABLE it_pg.s (a int)");
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	PQclear(res);
	run(pg, "ALTER TABLE it_pg.s ADD b int");
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), CH_EIO);
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	ck_assert_int_eq(ch_pg_query(pg, &stmt, NULL, &res, &err), 0);
	ck_assert_int_eq(PQnfields(res), 2);
	PQclear(res);
}
END_TEST

static const struct ch_pg_stmt p_begin = {"p_begin", "BEGIN"};
static const struct ch_pg_stmt p_insert = {
	"p_insert", "INSERT INTO it_pg.p VALUES ($1) RETURNING id"};
static const struct ch_pg_stmt p_count = {
	"p_count", "SELECT count(*) FROM it_pg.p"};
static const struct ch_pg_stmt p_commit = {"p_commit", "COMMIT"};

static void
add(const struct ch_pg_stmt *stmt, int64_t id)
{
	struct ch_pg_args a;

	ch_pg_args_clear(&a);
	if (id >= 0)
		ch_pg_arg_i64(&a, id);
	ck_assert_msg(ch_pg_pipeline_add(pg, stmt, &a, &err) == 0, "%s",
		err.text);
}

START_TEST(pipeline_answers_in_order)
{
	PGresult *r[5];
	size_t failed;
	int64_t v, round;

	run(pg, "CREATE TABLE it_pg.p (id int8 PRIMARY KEY)");
	for (round = 0; round < 3; round++) {
		add(&p_begin, -1);
		add(&p_insert, 10 * round);
		add(&p_insert, 10 * round + 1);
		add(&p_count, -1);
		add(&p_commit, -1);
		ck_assert_uint_eq(ch_pg_pipeline_count(pg), 5);
		ck_assert_msg(ch_pg_pipeline_run(pg, r, 5, &failed, &err) == 0,
			"%s", err.text);
		ck_assert(ch_pg_get_i64(r[2], 0, 0, &v) && v == 10 * round + 1);
		ck_assert(ch_pg_get_i64(r[3], 0, 0, &v) &&
			v == 2 * (round + 1));
		ck_assert_int_eq(ch_pg_pipeline_outcome(pg, 0, r, 5, failed),
			CH_PG_COMMITTED);
		ch_pg_results_clear(r, 5);
		/* Outside of a pipeline the same statements work. */
		ck_assert_int_eq(one_i64(pg, "SELECT 1"), 1);
	}
}
END_TEST

START_TEST(pipeline_stops_at_the_first_error)
{
	PGresult *r[5];
	size_t failed;
	int rc;

	run(pg, "CREATE TABLE it_pg.p (id int8 PRIMARY KEY)");
	add(&p_begin, -1);
	add(&p_insert, 1);
	add(&p_insert, 1);
	add(&p_count, -1); /* its PREPARE is not reached either */
	add(&p_commit, -1);
	rc = ch_pg_pipeline_run(pg, r, 5, &failed, &err);
	ck_assert_int_eq(rc, CH_ESQL);
	ck_assert_uint_eq(failed, 2);
	ck_assert_str_eq(err.sqlstate, "23505");
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_CONFLICT);
	ck_assert_ptr_nonnull(r[1]);
	ck_assert_ptr_null(r[2]);
	ck_assert_ptr_null(r[3]);
	ck_assert_ptr_null(r[4]);
	ck_assert_int_eq(ch_pg_pipeline_outcome(pg, rc, r, 5, failed),
		CH_PG_NOT_COMMITTED);
	ch_pg_results_clear(r, 5);
	ck_assert(ch_pg_in_transaction(pg));
	ck_assert_int_eq(ch_pg_rollback(pg, &err), 0);
	ck_assert_int_eq(one_i64(pg, "SELECT count(*) FROM it_pg.p"), 0);
	/* What was not prepared then is prepared now. */
	add(&p_count, -1);
	ck_assert_msg(ch_pg_pipeline_run(pg, r, 1, NULL, &err) == 0, "%s",
		err.text);
	ch_pg_results_clear(r, 1);
}
END_TEST

START_TEST(pipeline_of_full_sockets_does_not_hang)
{
	static const struct ch_pg_stmt echo = {"echo", "SELECT $1, $2"};
	enum { N = 100, LEN = 1 << 20 };
	static PGresult *r[N];
	struct ch_pg_args a;
	struct ch_view v;
	char *big = malloc(LEN);
	int64_t id;
	int i;

	ck_assert_ptr_nonnull(big);
	memset(big, 'x', LEN);
	for (i = 0; i < N; i++) {
		ch_pg_args_clear(&a);
		ch_pg_arg_i64(&a, i);
		ch_pg_arg_text(&a, (struct ch_view){big, LEN});
		ck_assert_msg(ch_pg_pipeline_add(pg, &echo, &a, &err) == 0,
			"%s", err.text);
	}
	ck_assert_msg(ch_pg_pipeline_run(pg, r, N, NULL, &err) == 0, "%s",
		err.text);
	for (i = 0; i < N; i++) {
		ck_assert(ch_pg_get_i64(r[i], 0, 0, &id) && id == i);
		ck_assert(ch_pg_get_text(r[i], 0, 1, &v) && v.len == LEN);
	}
	ch_pg_results_clear(r, N);
	free(big);
}
END_TEST

START_TEST(pipeline_on_a_dying_connection_is_in_doubt)
{
	PGresult *r[3];
	size_t failed;
	int rc;

	run(pg, "CREATE TABLE it_pg.p (id int8 PRIMARY KEY)");
	add(&p_begin, -1);
	add(&p_insert, 1);
	add(&p_commit, -1);
	terminate(pg);
	rc = ch_pg_pipeline_run(pg, r, 3, &failed, &err);
	ck_assert_int_eq(rc, CH_EIO);
	ck_assert_int_eq(ch_pg_pipeline_outcome(pg, rc, r, 3, failed),
		CH_PG_IN_DOUBT);
	ch_pg_results_clear(r, 3);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	add(&p_begin, -1);
	add(&p_commit, -1);
	ck_assert_int_eq(ch_pg_pipeline_run(pg, NULL, 2, NULL, &err), 0);
}
END_TEST

/* Waits in poll(2), as a loop does, until the answer is there. */
static int
wait_ready(struct ch_pg *c, int *rounds)
{
	struct pollfd p;
	int rc;

	*rounds = 0;
	while ((rc = ch_pg_ready(c, &err)) == 0) {
		p = (struct pollfd){ch_pg_fd(c), ch_pg_poll_events(c), 0};
		ck_assert_int_ge(poll(&p, 1, 20000), 0);
		ck_assert_int_lt(++*rounds, 1000);
	}
	return rc;
}

START_TEST(a_loop_polls_while_a_statement_runs)
{
	static const struct ch_pg_stmt slow = {
		"slow", "SELECT 7::int8 FROM pg_sleep(1)"};
	PGresult *res, *r[2];
	int64_t v;
	int rounds;

	ck_assert_int_eq(ch_pg_send(pg, &slow, NULL, &err), 0);
	ck_assert_int_eq(ch_pg_ready(pg, &err), 0); /* 1 s away */
	ck_assert_int_eq(wait_ready(pg, &rounds), 1);
	ck_assert_int_ge(rounds, 1);
	ck_assert_int_eq(ch_pg_finish(pg, &res, &err), 0);
	ck_assert(ch_pg_get_i64(res, 0, 0, &v) && v == 7);
	PQclear(res);

	/* A pipeline in two halves. */
	add(&slow, -1);
	add(&slow, -1);
	ck_assert_int_eq(ch_pg_pipeline_sync(pg, &err), 0);
	ck_assert_int_eq(ch_pg_ready(pg, &err), 0);
	ck_assert_int_eq(wait_ready(pg, &rounds), 1);
	ck_assert_int_eq(ch_pg_pipeline_run(pg, r, 2, NULL, &err), 0);
	ck_assert(ch_pg_get_i64(r[1], 0, 0, &v) && v == 7);
	ch_pg_results_clear(r, 2);

	/* A COMMIT in two halves. */
	run(pg, "CREATE TABLE it_pg.c (id int8)");
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	run(pg, "INSERT INTO it_pg.c VALUES (1)");
	ck_assert_int_eq(ch_pg_commit_send(pg, &err), 0);
	ck_assert_int_eq(wait_ready(pg, &rounds), 1);
	ck_assert_int_eq(ch_pg_commit_finish(pg, &err), CH_PG_COMMITTED);
	ck_assert_int_eq(one_i64(pg, "SELECT count(*) FROM it_pg.c"), 1);
}
END_TEST

START_TEST(a_commit_has_three_outcomes)
{
	run(pg,
		"CREATE TABLE it_pg.k (id int8 PRIMARY KEY DEFERRABLE"
		" INITIALLY DEFERRED)");
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	run(pg, "INSERT INTO it_pg.k VALUES (1)");
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_COMMITTED);
	ck_assert(!ch_pg_in_transaction(pg));

	/* The constraint speaks at COMMIT. */
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	run(pg, "INSERT INTO it_pg.k VALUES (1)");
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_NOT_COMMITTED);
	ck_assert_str_eq(err.sqlstate, "23505");

	/* COMMIT of what had failed is a rollback that says it went well. */
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	ck_assert_int_eq(ch_pg_exec(pg, "SELECT 1/0", &err), CH_ESQL);
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_NOT_COMMITTED);

	/* The answer does not come. */
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	run(pg, "INSERT INTO it_pg.k VALUES (2)");
	terminate(pg);
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_IN_DOUBT);
	ck_assert(!ch_pg_is_up(pg));
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	ck_assert_int_eq(one_i64(pg, "SELECT count(*) FROM it_pg.k"), 1);

	/* It comes too late: held up by a lock that a trigger wants. */
	run(pg,
		"CREATE FUNCTION it_pg.sleep() RETURNS trigger LANGUAGE plpgsql"
		" AS 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END'");
	run(pg,
		"CREATE CONSTRAINT TRIGGER z AFTER INSERT ON it_pg.k"
		" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
		" EXECUTE FUNCTION it_pg.sleep()");
	ck_assert_int_eq(ch_pg_begin(pg, &err), 0);
	run(pg, "INSERT INTO it_pg.k VALUES (3)");
	ch_pg_call_timeout_set(pg, 100);
	ck_assert_int_eq(ch_pg_commit(pg, &err), CH_PG_IN_DOUBT);
	ck_assert_int_eq(err.code, CH_ETIMEOUT);
	ch_pg_call_timeout_set(pg, 20000);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
}
END_TEST

static int
copy_rows(struct ch_pg_copy *c, int64_t n)
{
	struct ch_uuid u = {{1}};
	char text[64];
	int64_t i;
	int rc;

	rc = ch_pg_copy_begin(c, pg,
		"COPY it_pg.copy (a, b, c, d, e, f, g, h)"
		" FROM STDIN (FORMAT binary)",
		8, &err);
	if (rc != 0)
		return rc;
	for (i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "row %lld\t\\N",
			(long long)i);
		ch_pg_copy_row(c);
		ch_pg_copy_i64(c, i);
		ch_pg_copy_text(c, ch_view_of(text));
		if (i % 2 == 0)
			ch_pg_copy_null(c);
		else
			ch_pg_copy_bytea(c, CH_VIEW("\0\1\2"));
		ch_pg_copy_time(c, (struct ch_time){i * 1000000});
		ch_pg_copy_bool(c, i % 3 == 0);
		ch_pg_copy_uuid(c, &u);
		ch_pg_copy_jsonb(c, CH_VIEW("{\"a\":[1]}"));
		ch_pg_copy_i32(c, (int32_t)(i % 1000));
	}
	return 0;
}

static void
make_copy_table(void)
{
	run(pg,
		"CREATE TABLE it_pg.copy (a int8 PRIMARY KEY, b text, c bytea,"
		" d timestamptz, e bool, f uuid, g jsonb, h int4)");
}

START_TEST(copy_takes_rows_of_all_types)
{
	struct ch_pg_copy c;
	int64_t rows;

	make_copy_table();
	ck_assert_msg(copy_rows(&c, 100000) == 0, "%s", err.text);
	ck_assert_msg(ch_pg_copy_end(&c, &rows, &err) == 0, "%s", err.text);
	ck_assert_int_eq(rows, 100000);
	ck_assert_int_eq(
		one_i64(pg,
			"SELECT count(*) FROM it_pg.copy WHERE"
			" b = 'row ' || a || E'\\t\\\\N' AND (c IS NULL) = (a % 2 = 0)"
			" AND (c IS NULL OR c = '\\x000102')"
			" AND d = to_timestamp(a) AND e = (a % 3 = 0)"
			" AND f = '01000000-0000-0000-0000-000000000000'"
			" AND g = '{\"a\": [1]}' AND h = a % 1000"),
		100000);
	/* And none at all. */
	ck_assert_int_eq(copy_rows(&c, 0), 0);
	ck_assert_int_eq(ch_pg_copy_end(&c, &rows, &err), 0);
	ck_assert_int_eq(rows, 0);
}
END_TEST

START_TEST(copy_reports_its_failures)
{
	struct ch_pg_copy c;
	int64_t rows = -1;

	make_copy_table();
	ck_assert_int_eq(ch_pg_copy_begin(&c, pg,
				 "COPY it_pg.none FROM STDIN"
				 " (FORMAT binary)",
				 1, &err),
		CH_ESQL);
	ck_assert_str_eq(err.sqlstate, "42P01");
	ck_assert_int_eq(ch_pg_copy_end(&c, &rows, &err), CH_ESQL);
	ck_assert_int_eq(ch_pg_copy_begin(&c, pg, "SELECT 1", 1, &err),
		CH_EINVAL);
	ch_pg_copy_abandon(&c, "wrong");

	/* A duplicate, far before the last row. */
	run(pg, "INSERT INTO it_pg.copy (a) VALUES (17)");
	ck_assert_int_eq(copy_rows(&c, 50000), 0);
	ck_assert_int_eq(ch_pg_copy_end(&c, &rows, &err), CH_ESQL);
	ck_assert_str_eq(err.sqlstate, "23505");
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_CONFLICT);

	/* A wrong type: int4 bytes for an int8 column. */
	ck_assert_int_eq(ch_pg_copy_begin(&c, pg,
				 "COPY it_pg.copy (a) FROM"
				 " STDIN (FORMAT binary)",
				 1, &err),
		0);
	ch_pg_copy_row(&c);
	ch_pg_copy_i32(&c, 1);
	ck_assert_int_eq(ch_pg_copy_end(&c, &rows, &err), CH_ESQL);
	ck_assert_str_eq(err.sqlstate, "08P01");
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_OTHER);

	/* Given up. */
	ck_assert_int_eq(copy_rows(&c, 10), 0);
	ch_pg_copy_abandon(&c, "the test says so");
	ck_assert_int_eq(one_i64(pg, "SELECT count(*) FROM it_pg.copy"), 1);

	/* The backend dies inside. */
	ck_assert_int_eq(copy_rows(&c, 10), 0);
	terminate(pg);
	ck_assert_int_eq(ch_pg_copy_end(&c, &rows, &err), CH_EIO);
	ck_assert_int_eq(ch_pg_retry_class(pg), CH_PG_RETRY);
	ck_assert_int_eq(ch_pg_connect(pg, &err), 0);
	ck_assert_int_eq(one_i64(pg, "SELECT count(*) FROM it_pg.copy"), 1);
}
END_TEST

/* A cancel that comes before the statement began would find nothing. */
static void
wait_until_it_sleeps(const struct ch_pg *sleeper)
{
	struct ch_pg *other = open_with(20000, 0);
	time_t deadline = time(NULL) + 20;
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE pid = %d"
		" AND wait_event = 'PgSleep'",
		ch_pg_backend_pid(sleeper));
	while (one_i64(other, sql) != 1)
		ck_assert_msg(time(NULL) < deadline, "it does not sleep");
	ch_pg_free(other);
}

START_TEST(cancel_reaches_the_server)
{
	static const struct ch_pg_stmt slow = {"", "SELECT pg_sleep(30)"};

	ck_assert_int_eq(ch_pg_send(pg, &slow, NULL, &err), 0);
	wait_until_it_sleeps(pg);
	ck_assert_msg(ch_pg_cancel(pg, &err) == 0, "%s", err.text);
	ck_assert_int_eq(ch_pg_finish(pg, NULL, &err), CH_ESQL);
	ck_assert_str_eq(err.sqlstate, "57014");
	ck_assert(ch_pg_is_up(pg));
}
END_TEST

/* Once for the program: a schema of its own. */
static void
schema(const char *sql)
{
	struct ch_pg_params p = {.conninfo = getenv("DATABASE_URL")};
	struct ch_pg *c;
	struct ch_err e = CH_ERR_INIT;

	if (p.conninfo == NULL)
		return; /* setup() fails each test for it */
	c = ch_pg_new(&p, &e);
	if (c == NULL || ch_pg_connect(c, &e) != 0 ||
		ch_pg_exec(c, sql, &e) != 0)
		(void)fprintf(stderr, "it_pg: %s\n", e.text);
	ch_pg_free(c);
}

static void
fresh_setup(void)
{
	schema("SET client_min_messages = warning;"
	       " DROP SCHEMA IF EXISTS it_pg CASCADE; CREATE SCHEMA it_pg");
	setup();
}

int
main(void)
{
	Suite *s = suite_create("it_pg");
	TCase *t = tcase_create("it_pg");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fresh_setup, teardown);
	tcase_add_test(t, session_is_as_asked);
	tcase_add_test(t, every_type_goes_there_and_back);
	tcase_add_test(t, rows_come_one_by_one);
	tcase_add_test(t, arrays_unnest_in_order);
	tcase_add_test(t, arrays_come_back);
	tcase_add_test(t, failures_have_their_class);
	tcase_add_test(t, a_silent_server_ends_the_connection);
	tcase_add_test(t, a_loop_that_polls_has_the_deadline_too);
	tcase_add_test(t, a_terminated_backend_is_a_retry);
	tcase_add_test(t, a_stale_plan_is_a_retry);
	tcase_add_test(t, pipeline_answers_in_order);
	tcase_add_test(t, pipeline_stops_at_the_first_error);
	tcase_add_test(t, pipeline_of_full_sockets_does_not_hang);
	tcase_add_test(t, pipeline_on_a_dying_connection_is_in_doubt);
	tcase_add_test(t, a_loop_polls_while_a_statement_runs);
	tcase_add_test(t, a_commit_has_three_outcomes);
	tcase_add_test(t, copy_takes_rows_of_all_types);
	tcase_add_test(t, copy_reports_its_failures);
	tcase_add_test(t, cancel_reaches_the_server);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	schema("SET client_min_messages = warning;"
	       " DROP SCHEMA IF EXISTS it_pg CASCADE");
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
