/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records may go to a partition that has not seen their producer yet.
 */
#include <check.h>
#include <stdlib.h>

#include "io/kafka_opening.h"

static const struct ch_mono noon = {INT64_C(1000000000)};
static struct ch_kafka_opening *o;

static void
setup(void)
{
	o = ch_kafka_opening_new();
}

static void
teardown(void)
{
	ch_kafka_opening_free(o);
}

static struct ch_mono
hours_later(int64_t hours)
{
	return (struct ch_mono){noon.ns + hours * 3600 * INT64_C(1000000000)};
}

START_TEST(the_second_waits_for_the_first)
{
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
	ch_kafka_opening_sent(o, "t", 0);
	ck_assert(!ch_kafka_opening_admits(o, "t", 0, noon));
	ch_kafka_opening_reported(o, "t", 0, true, noon);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
	ch_kafka_opening_sent(o, "t", 0);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
}
END_TEST

START_TEST(each_partition_of_each_topic_has_a_first)
{
	ch_kafka_opening_sent(o, "t", 3);
	ck_assert(!ch_kafka_opening_admits(o, "t", 3, noon));
	ck_assert(ch_kafka_opening_admits(o, "t", 2, noon));
	ck_assert(ch_kafka_opening_admits(o, "t", 4, noon));
	ck_assert(ch_kafka_opening_admits(o, "u", 3, noon));
	ch_kafka_opening_reported(o, "t", 2, true, noon);
	ck_assert(!ch_kafka_opening_admits(o, "t", 3, noon));
}
END_TEST

START_TEST(a_refused_first_proves_nothing)
{
	ch_kafka_opening_sent(o, "t", 0);
	ch_kafka_opening_reported(o, "t", 0, false, noon);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
	ch_kafka_opening_sent(o, "t", 0);
	ck_assert(!ch_kafka_opening_admits(o, "t", 0, noon));
}
END_TEST

START_TEST(a_later_refusal_leaves_it_proven)
{
	ch_kafka_opening_sent(o, "t", 0);
	ch_kafka_opening_reported(o, "t", 0, true, noon);
	ch_kafka_opening_sent(o, "t", 0);
	ch_kafka_opening_reported(o, "t", 0, false, noon);
	ch_kafka_opening_sent(o, "t", 0);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
}
END_TEST

START_TEST(nothing_waits_when_nothing_is_out)
{
	ch_kafka_opening_sent(o, "t", 0);
	/* it went elsewhere: the topic has grown */
	ch_kafka_opening_reported(o, "t", 5, true, noon);
	ck_assert(!ch_kafka_opening_admits(o, "t", 0, noon));
	ch_kafka_opening_settled(o);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, noon));
}
END_TEST

START_TEST(a_broker_forgets_within_a_day)
{
	ch_kafka_opening_sent(o, "t", 0);
	ch_kafka_opening_reported(o, "t", 0, true, noon);
	ch_kafka_opening_sent(o, "t", 0);
	ck_assert(ch_kafka_opening_admits(o, "t", 0, hours_later(11)));
	ck_assert(!ch_kafka_opening_admits(o, "t", 0, hours_later(23)));
}
END_TEST

START_TEST(an_unknown_partition_never_waits)
{
	ch_kafka_opening_sent(o, "t", -1);
	ch_kafka_opening_reported(o, "t", -1, false, noon);
	ck_assert(ch_kafka_opening_admits(o, "t", -1, noon));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_opening");
	TCase *t = tcase_create("kafka_opening");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_second_waits_for_the_first);
	tcase_add_test(t, each_partition_of_each_topic_has_a_first);
	tcase_add_test(t, a_refused_first_proves_nothing);
	tcase_add_test(t, a_later_refusal_leaves_it_proven);
	tcase_add_test(t, nothing_waits_when_nothing_is_out);
	tcase_add_test(t, a_broker_forgets_within_a_day);
	tcase_add_test(t, an_unknown_partition_never_waits);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
