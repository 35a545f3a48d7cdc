/* SPDX-License-Identifier: Apache-2.0 */
/* slot: what is done about a slot as it is found; the doing is tried on a real
 * one (tests/integration/relay/test_slot_*.py). */
#include "check_suite.h"

#include "slot.h"

static enum slot_plan
plan_of(enum walsender_slot is, uint64_t confirmed, uint64_t known)
{
	return slot_plan(&(struct walsender_slot_found){.is = is,
				 .confirmed_lsn = confirmed},
		known);
}

START_TEST(one_that_is_no_further_is_streamed_from)
{
	ck_assert_int_eq(plan_of(WALSENDER_SLOT_FREE, 99, 100), SLOT_STREAM);
	ck_assert_int_eq(plan_of(WALSENDER_SLOT_FREE, 100, 100), SLOT_STREAM);
}
END_TEST

/* PostgreSQL would begin there without a word. */
START_TEST(one_that_is_further_was_moved_by_another)
{
	ck_assert_int_eq(plan_of(WALSENDER_SLOT_FREE, 101, 100),
		SLOT_LEAVE_MOVED);
}
END_TEST

/* It may have rows that are in no table any more. */
START_TEST(a_free_one_is_never_made_anew)
{
	for (uint64_t confirmed = 0; confirmed < 3; confirmed++)
		for (uint64_t known = 0; known < 3; known++) {
			enum slot_plan plan =
				plan_of(WALSENDER_SLOT_FREE, confirmed, known);

			ck_assert_int_ne(plan, SLOT_MAKE_ANEW);
			ck_assert_int_ne(plan, SLOT_MAKE);
		}
}
END_TEST

START_TEST(without_a_position_the_tables_come_first)
{
	ck_assert_int_eq(plan_of(WALSENDER_SLOT_FREE, 0, 0), SLOT_SCAN);
	ck_assert_int_eq(plan_of(WALSENDER_SLOT_FREE, 100, 0), SLOT_SCAN);
}
END_TEST

START_TEST(whatever_is_known_one_that_cannot_be_read_is_not)
{
	for (uint64_t known = 0; known < 200; known += 100) {
		ck_assert_int_eq(plan_of(WALSENDER_SLOT_MISSING, 0, known),
			SLOT_MAKE);
		ck_assert_int_eq(plan_of(WALSENDER_SLOT_LOST, 0, known),
			SLOT_MAKE_ANEW);
		ck_assert_int_eq(plan_of(WALSENDER_SLOT_ACTIVE, 50, known),
			SLOT_END_READER);
		ck_assert_int_eq(plan_of(WALSENDER_SLOT_FOREIGN, 0, known),
			SLOT_REFUSE);
	}
}
END_TEST

SUITE_MAIN("slot", one_that_is_no_further_is_streamed_from,
	one_that_is_further_was_moved_by_another, a_free_one_is_never_made_anew,
	without_a_position_the_tables_come_first,
	whatever_is_known_one_that_cannot_be_read_is_not)
