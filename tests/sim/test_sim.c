/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation itself (world.h), in two halves: thousands of histories in
 * which ledger-writer makes no mistake, and each mistake of bug.h, made on
 * purpose, found within BUG_HISTORIES, and by what that mistake does: a message
 * that says something else would be a fault of the twins.
 *
 * SEED= and HISTORIES= (5000) choose the first half; the second one has SEED=
 * too. When a history fails, what `make sim` needs to play it again is printed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_suite.h"
#include "sim.h"

#define HISTORIES 5000
#define BUG_HISTORIES 20000 /* the rarest need some thousands */
#define SECONDS 300	    /* a sanitizer's build included */
#define MARKS 5

/* What may be said of each; NULL: no more. */
static const char *const marks[BUGS][MARKS] = {
	[BUG_NO_FENCE] = {"two outcomes", "records are not consumed",
		"something due is not settled"},
	[BUG_NO_OFFSET] = {"two outcomes"},
	[BUG_DECIDES_UNLOCKED] = {", answer:", "what is committed: ",
		"decided_at goes back", "a timer for what is not due"},
	[BUG_OLD_NUMBER] = {"two batches have the number"},
	/* or the writer sees that its offset went back, and stops */
	[BUG_DOUBT_LOST] = {"two outcomes", "records are not consumed"},
	[BUG_DOUBT_DONE] = {"has no outcome"},
	[BUG_ZOMBIE_COMMITS] = {"log_seq moved by", "an id twice",
		"unique violation", ", answer:", "decided_at goes back"},
	[BUG_TIMER_DROPPED] = {"due and not settled"},
	[BUG_SWEEP_SLEEPS] = {"something due is not settled"},
	[BUG_PARKS_INNOCENT] = {"an innocent"},
	[BUG_STARTS_AT_END] = {"the books are not opened", "has no outcome",
		"records are not consumed"},
	[BUG_KEEPS_TURNED] = {"records are not consumed", "two outcomes",
		"has no outcome", "something due is not settled"},
	[BUG_PAGE_TWICE] = {"what is committed: held", ", page:"},
	[BUG_STALE_PAUSE] = {"trading_paused"},
	[BUG_NO_UNIQUE] = {"an id twice"},
	[BUG_LOG_SEQ_KEPT] = {"log_seq moved by"},
	[BUG_OWNER_UNLOCKED] = {", answer:", "what is committed: ",
		"decided_at goes back", "a timer for what is not due"},
	[BUG_TIME_BACK] = {"decided_at goes back"},
	[BUG_OWNER_LIVES] = {"records are not consumed",
		"something due is not settled"},
	[BUG_FILL_TWICE] = {", answer:"},
	[BUG_FILL_LOST] = {"has no outcome"},
	[BUG_FILLS_UNFENCED] = {"two outcomes", "records are not consumed"},
	[BUG_LETTER_DROPPED] = {", rejected:"},
	[BUG_ORDER_UNLOCKED] = {", answer:", "what is committed: ",
		"decided_at goes back"},
	[BUG_TRADE_TWICE] = {", answer:"},
	[BUG_PRINT_LOST] = {"has no outcome"},
	[BUG_PRINT_TWICE] = {"stands twice in trades_public"},
	[BUG_SKIM_REST] = {", answer:"},
};

static uint64_t seed;

static uint64_t
histories(void)
{
	const char *text = getenv("HISTORIES");

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10)
					     : HISTORIES;
}

START_TEST(no_history_without_a_mistake_fails)
{
	struct sim s = {.seed = seed, .count = histories()};
	bool good = sim_run(&s);
	char room[64];

	printf("%llu histories, %llu batches in %.1f s of CPU time: %.0f a "
	       "minute\n",
		(unsigned long long)s.played,
		(unsigned long long)s.counts.batches, (double)s.cpu_us / 1e6,
		(double)s.played * 60e6 / (double)(s.cpu_us + 1));
	ck_assert_msg(good, "SEED=%llu FIRST=%llu HISTORIES=1: %s",
		(unsigned long long)s.seed, (unsigned long long)(s.played - 1),
		s.failure);
	/* what never befell them was not tested */
	for (unsigned i = 0; s.count >= HISTORIES && i < EVENTS; i++)
		ck_assert_msg(s.counts.of[i] > 0,
			"SEED=%llu: no %s in %llu "
			"histories",
			(unsigned long long)s.seed,
			sim_event_name(i, room, sizeof(room)),
			(unsigned long long)s.count);
}
END_TEST

static bool
says(const char *failure, enum sim_bug bug)
{
	for (size_t i = 0; i < MARKS && marks[bug][i] != NULL; i++) {
		if (strstr(failure, marks[bug][i]) != NULL)
			return true;
	}
	return false;
}

START_TEST(a_mistake_is_found_by_what_it_does)
{
	struct sim s = {
		.seed = seed, .count = BUG_HISTORIES, .bug = (enum sim_bug)_i};
	bool good = sim_run(&s);

	printf("%-18s after %llu histories\n", sim_bug_names[_i],
		(unsigned long long)s.played);
	ck_assert_msg(!good, "SEED=%llu BUG=%s: not found in %d histories",
		(unsigned long long)s.seed, sim_bug_names[_i], BUG_HISTORIES);
	ck_assert_msg(says(s.failure, s.bug),
		"SEED=%llu BUG=%s FIRST=%llu "
		"HISTORIES=1, found by something else: %s",
		(unsigned long long)s.seed, sim_bug_names[_i],
		(unsigned long long)(s.played - 1), s.failure);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim");
	TCase *tc = tcase_create("sim");
	SRunner *sr = srunner_create(s);
	int failed;

	seed = suite_seed();
	tcase_set_timeout(tc, SECONDS);
	tcase_add_test(tc, no_history_without_a_mistake_fails);
	tcase_add_loop_test(tc, a_mistake_is_found_by_what_it_does,
		BUG_NONE + 1, BUGS);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
