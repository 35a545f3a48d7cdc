/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which offsets belong to which log, and who of the two has lost something.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "log_match.h"
#include "partition.h"

/* Read before to 100, of a log that nobody was asked about. */
static struct log_facts
known(void)
{
	return (struct log_facts){.next_offset = 100,
		.next_log_seq = 120,
		.cut_at = -1,
		.cluster = "c",
		.topic_id = "t",
		.real_cluster = "c",
		.real_topic_id = "t",
		.high = INT64_MAX,
		.committed = 100,
		.seen = 100};
}

static void
expect(const struct log_facts *f, enum log_match match, const char *words)
{
	struct ch_err why = CH_ERR_INIT;

	ck_assert_int_eq((int)log_match(f, &why), (int)match);
	ck_assert_msg(strstr(why.text, words) != NULL, "no \"%s\" in %s", words,
		why.text);
}

START_TEST(one_log_one_history)
{
	struct log_facts f = known();

	expect(&f, LOG_MATCHES, "");
	f.seen = f.committed = -1;
	expect(&f, LOG_MATCHES, "");
	f.seen = f.committed = 99; /* told a little later */
	expect(&f, LOG_MATCHES, "");
	f.low = f.high = 100;
	expect(&f, LOG_MATCHES, "");
}
END_TEST

START_TEST(another_log)
{
	struct log_facts f = known();

	f.seen = 101; /* the ids come first */
	memcpy(f.real_cluster, "d", 2);
	expect(&f, LOG_IS_ANOTHER, "cluster c, this one is d");
	f = known();
	memcpy(f.real_topic_id, "u", 2);
	expect(&f, LOG_IS_ANOTHER, "made anew");
	f.real_topic_id[0] = '\0'; /* an old broker does not say */
	expect(&f, LOG_MATCHES, "");
}
END_TEST

START_TEST(a_log_without_the_offset)
{
	struct log_facts f = known();

	f.low = 101;
	f.high = 200;
	expect(&f, LOG_IS_SHORT, "deleted unread");
	f.low = 0;
	f.high = 99;
	expect(&f, LOG_IS_SHORT, "behind the log's end, 99");
	f.high = 200; /* it was so before, and has grown since */
	f.cut_at = 99;
	expect(&f, LOG_IS_SHORT, "seen to end at 99");
	f.cut_at = 100;
	expect(&f, LOG_MATCHES, "");
	/* never read: it begins where its log begins */
	f = known();
	f.next_offset = f.seen = f.committed = 0;
	f.fresh = true;
	f.low = 50;
	f.high = 60;
	expect(&f, LOG_MATCHES, "");
}
END_TEST

START_TEST(a_database_that_forgot)
{
	struct log_facts f = known();

	f.seen = 140;
	expect(&f, LOG_IS_AHEAD, "100 is before 140");
	expect(&f, LOG_IS_AHEAD, "of 40 offsets");
	f.topic_id[0] = f.cluster[0] = '\0'; /* by an operator's word */
	expect(&f, LOG_MATCHES, "");
	/* an empty one beside a group that has read before */
	f = known();
	f.next_offset = 0;
	f.fresh = true;
	expect(&f, LOG_IS_AHEAD, "0 is before 100");
}
END_TEST

START_TEST(offsets_that_were_decided)
{
	struct partitions ps = {NULL, 0, 0};
	struct partition *p = partitions_get(&ps, "t", 0);

	ck_assert(!partition_decided(p, 0));
	for (int64_t i = 0; i < 9; i++)
		partition_add_decided(p, i * 10, i * 10 + 5);
	ck_assert(partition_decided(p, 0) && partition_decided(p, 84));
	ck_assert(!partition_decided(p, 5) && !partition_decided(p, 9));
	ck_assert(!partition_decided(p, 85));
	partition_forget_decided(p);
	ck_assert(!partition_decided(p, 0));
	partitions_free(&ps);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log_match");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, one_log_one_history);
	tcase_add_test(tc, another_log);
	tcase_add_test(tc, a_log_without_the_offset);
	tcase_add_test(tc, a_database_that_forgot);
	tcase_add_test(tc, offsets_that_were_decided);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
