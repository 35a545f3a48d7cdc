/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what Prometheus reads, in exact text.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics.h"

enum { M_ADDED, M_DEPTH, M_WAIT, M_SIZE, M_BY, M_RATIO, M_STAMP };

static const int64_t wait_buckets[] = {1000, 1500000, 0};
static const int64_t size_buckets[] = {1, 10, 0};

static const struct ch_metric_desc table[] = {
	[M_ADDED] = {"t_added_total", CH_COUNTER, CH_UNIT_NONE, "Added.",
		{NULL}, NULL, 0},
	[M_DEPTH] = {"t_depth", CH_GAUGE, CH_UNIT_NONE, "Depth.", {NULL}, NULL,
		0},
	[M_WAIT] = {"t_wait_seconds", CH_HISTOGRAM, CH_UNIT_SECONDS,
		"Wait\nand \\ more.", {"kind"}, wait_buckets, 0},
	[M_SIZE] = {"t_size", CH_HISTOGRAM, CH_UNIT_NONE, "Size.", {NULL},
		size_buckets, 0},
	[M_BY] = {"t_by_total", CH_COUNTER, CH_UNIT_NONE, "By.",
		{"topic", "reason"}, NULL, 3},
	[M_RATIO] = {"t_fill_ratio", CH_GAUGE, CH_UNIT_RATIO, "Fill.", {NULL},
		NULL, 0},
	[M_STAMP] = {"t_last_timestamp_seconds", CH_GAUGE, CH_UNIT_SECONDS,
		"Last.", {NULL}, NULL, 0},
	{NULL, CH_GAUGE, CH_UNIT_NONE, NULL, {NULL}, NULL, 0}};
static const struct ch_metric_desc *const tables[] = {table, NULL};

static struct ch_metrics *m;
static struct ch_buf page;

static void
setup(void)
{
	m = ch_metrics_new("t", tables);
}

static void
teardown(void)
{
	ch_metrics_free(m);
	ch_buf_free(&page);
}

static void
page_has(const char *line)
{
	ch_buf_clear(&page);
	ch_metrics_render(m, &page);
	ck_assert_msg(strstr(ch_buf_str(&page), line) != NULL, "%s\nlacks %s",
		ch_buf_str(&page), line);
}

static void
page_lacks(const char *line)
{
	ch_buf_clear(&page);
	ch_metrics_render(m, &page);
	ck_assert_msg(strstr(ch_buf_str(&page), line) == NULL, "%s\nhas %s",
		ch_buf_str(&page), line);
}

START_TEST(plain_metrics_start_at_zero)
{
	page_has("# HELP t_added_total Added.\n# TYPE t_added_total counter\n"
		 "t_added_total 0\n");
	page_has("t_depth 0\n");
	page_has(
		"t_size_bucket{le=\"+Inf\"} 0\nt_size_sum 0\nt_size_count 0\n");
	page_lacks("t_by_total");
}
END_TEST

START_TEST(values_print_in_base_units_without_rounding)
{
	ch_metric_set(m, M_DEPTH, -5);
	ch_metric_set(m, M_RATIO, 1250000);
	ch_metric_set(m, M_STAMP, INT64_C(1795256732812910));
	ch_metric_add(m, M_ADDED, INT64_C(9007199254740993));
	page_has("t_depth -5\n");
	page_has("t_fill_ratio 1.25\n");
	page_has("t_last_timestamp_seconds 1795256732.81291\n");
	page_has("t_added_total 9007199254740993\n");
	ch_metric_set(m, M_STAMP, -1);
	page_has("t_last_timestamp_seconds -0.000001\n");
}
END_TEST

START_TEST(histogram_is_cumulative_with_le_inclusive)
{
	struct ch_series *s = ch_metrics_series(m, M_WAIT, "db");

	ch_series_observe(s, 1000);
	ch_series_observe(s, 1001);
	ch_series_observe(s, 2000000);
	page_has("# HELP t_wait_seconds Wait\\nand \\\\ more.\n");
	page_has("t_wait_seconds_bucket{kind=\"db\",le=\"0.001\"} 1\n"
		 "t_wait_seconds_bucket{kind=\"db\",le=\"1.5\"} 2\n"
		 "t_wait_seconds_bucket{kind=\"db\",le=\"+Inf\"} 3\n"
		 "t_wait_seconds_sum{kind=\"db\"} 2.002001\n"
		 "t_wait_seconds_count{kind=\"db\"} 3\n");
	ck_assert_int_eq(ch_series_value(s), 3);
}
END_TEST

START_TEST(series_over_the_cap_are_other)
{
	struct ch_series *a = ch_metrics_series(m, M_BY, "t1", "r");

	ck_assert_ptr_eq(a, ch_metrics_series(m, M_BY, "t1", "r"));
	(void)ch_metrics_series(m, M_BY, "t2", "r");
	(void)ch_metrics_series(m, M_BY, "t3", "r");
	ch_series_add(ch_metrics_series(m, M_BY, "t4", "r"), 2);
	ch_series_add(ch_metrics_series(m, M_BY, "t5", "x"), 3);
	page_has("t_by_total{topic=\"other\",reason=\"other\"} 5\n");
	page_lacks("t4");
	ck_assert_ptr_eq(a, ch_metrics_series(m, M_BY, "t1", "r"));
}
END_TEST

START_TEST(label_values_are_escaped)
{
	(void)ch_metrics_series(m, M_BY, "a\"b\\c\nd", "ok");
	page_has("t_by_total{topic=\"a\\\"b\\\\c\\nd\",reason=\"ok\"} 0\n");
}
END_TEST

START_TEST(hidden_series_goes_and_comes_back_from_zero)
{
	struct ch_series *s = ch_metrics_series(m, M_BY, "t1", "r");

	ch_series_add(s, 4);
	ch_series_hide(s);
	page_lacks("t_by_total");
	ck_assert_ptr_eq(s, ch_metrics_series(m, M_BY, "t1", "r"));
	page_has("t_by_total{topic=\"t1\",reason=\"r\"} 0\n");
}
END_TEST

static void *
add_many(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		ch_metric_add(m, M_ADDED, 1);
		ch_metric_observe(m, M_SIZE, i % 20);
		if (i % 1000 == 0)
			(void)ch_metrics_series(m, M_BY, "t",
				(const char *)arg);
	}
	return NULL;
}

START_TEST(updates_of_many_threads_are_all_counted)
{
	static char names[4][2] = {"a", "b", "c", "d"};
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many,
					 names[i]),
			0);
	page_has("t_added_total");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	page_has("t_added_total 80000\n");
	page_has("t_size_bucket{le=\"1\"} 8000\n"
		 "t_size_bucket{le=\"10\"} 44000\n"
		 "t_size_bucket{le=\"+Inf\"} 80000\n");
}
END_TEST

START_TEST(process_metrics_are_there)
{
	page_has("process_cpu_seconds_total ");
	page_has("process_open_fds ");
	page_has("process_max_fds ");
	page_has("process_resident_memory_bytes ");
	page_has("process_start_time_seconds ");
}
END_TEST

static const struct ch_metric_desc bad[][2] = {
	{{"Bad", CH_GAUGE, CH_UNIT_NONE, "x", {NULL}, NULL, 0}},
	{{"bad_count", CH_COUNTER, CH_UNIT_NONE, "x", {NULL}, NULL, 0}},
	{{"bad_total", CH_GAUGE, CH_UNIT_NONE, "x", {NULL}, NULL, 0}},
	{{"bad_time", CH_GAUGE, CH_UNIT_SECONDS, "x", {NULL}, NULL, 0}},
	{{"bad", CH_GAUGE, CH_UNIT_NONE, "", {NULL}, NULL, 0}},
	{{"bad", CH_GAUGE, CH_UNIT_NONE, "x", {"Le"}, NULL, 0}},
};

START_TEST(table_that_breaks_the_rules_aborts)
{
	const struct ch_metric_desc *const wrong[] = {bad[_i], NULL};

	(void)ch_metrics_new("t", wrong);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");
	TCase *a = tcase_create("aborts");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, plain_metrics_start_at_zero);
	tcase_add_test(t, values_print_in_base_units_without_rounding);
	tcase_add_test(t, histogram_is_cumulative_with_le_inclusive);
	tcase_add_test(t, series_over_the_cap_are_other);
	tcase_add_test(t, label_values_are_escaped);
	tcase_add_test(t, hidden_series_goes_and_comes_back_from_zero);
	tcase_add_test(t, updates_of_many_threads_are_all_counted);
	tcase_add_test(t, process_metrics_are_there);
	suite_add_tcase(s, t);
	tcase_add_loop_test_raise_signal(a, table_that_breaks_the_rules_aborts,
		6, 0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(s, a);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
