/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever is on call is told something about every status that an answer can
 * have, and where the id is taken, that the mended command needs a new one
 * unless there is nothing to mend.
 */
#include <check.h>
#include <stdlib.h>

#include "advice.h"
#include "ledger.h"

START_TEST(every_status_has_its_own_advice)
{
	const char *duplicate = advice_of(CH_VIEW("duplicate"));

	ck_assert_ptr_nonnull(duplicate);
	for (int i = 0; i < STATUS_COUNT; i++) {
		const char *text =
			advice_of(ch_view_of(ledger_statuses[i].name));

		ck_assert_msg(text != NULL && text != duplicate, "%s",
			ledger_statuses[i].name);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(text,
				advice_of(ch_view_of(ledger_statuses[k].name)));
	}
}
END_TEST

START_TEST(what_takes_the_id_does_not_say_that_it_is_free)
{
	for (int i = 0; i < STATUS_COUNT; i++) {
		const char *text =
			advice_of(ch_view_of(ledger_statuses[i].name));
		bool is_free = strstr(text, "still free") != NULL;
		bool taken = strstr(text, "for good, so") != NULL;

		ck_assert_msg(!(is_free && ledger_statuses[i].takes_id), "%s",
			ledger_statuses[i].name);
		ck_assert_msg(!(taken && !ledger_statuses[i].takes_id), "%s",
			ledger_statuses[i].name);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("advice");
	TCase *tc = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, every_status_has_its_own_advice);
	tcase_add_test(tc, what_takes_the_id_does_not_say_that_it_is_free);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
