/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read out of librdkafka's texts. That it still writes them so, the
 * ledger's test of a log that was cut shows.
 */
#include <check.h>
#include <stdlib.h>

#include "io/kafka_error.h"

START_TEST(where_a_log_was_cut)
{
	ck_assert_int_eq(ch_kafka_error_cut(
				 "Partition log truncation detected at offset "
				 "12 (leader epoch 3): broker end offset is 5 "
				 "(offset leader epoch 2). Reset to INVALID.: "
				 "Local: Partition log truncation detected "
				 "(broker 1)"),
		5);
	ck_assert_int_eq(ch_kafka_error_cut(
				 "No epoch found less or equal to offset 12: "
				 "broker end offset is -1 (offset leader epoch "
				 "-1).: Local: Partition log truncation "
				 "detected (broker 1)"),
		0);
	ck_assert_int_eq(ch_kafka_error_cut("other words: Local: Partition log "
					    "truncation detected"),
		INT64_MAX);
	ck_assert_int_eq(ch_kafka_error_cut("fetch failed due to requested "
					    "offset not available on the "
					    "broker: Broker: Offset out of "
					    "range (broker 1)"),
		-1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_error");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, where_a_log_was_cut);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
