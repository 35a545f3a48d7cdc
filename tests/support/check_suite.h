/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_suite: the main() of a check program, and the seed of a random one.
 *
 *	SUITE_MAIN("walletset", test_a, test_b)
 *	FIXTURE_MAIN("aside", set_up, tear_down, test_a, test_b)
 *
 * runs all the tests named, each in a process of its own, and fails when one
 * does.
 */
#ifndef TEST_CHECK_SUITE_H
#define TEST_CHECK_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SUITE_TEST_SECONDS 120

/* Of a suite that was made by hand: one with loop tests. */
static inline int
run_made(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int
run_suite(const char *name, SFun set_up, SFun tear_down,
	const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);

	tcase_set_timeout(cases, SUITE_TEST_SECONDS);
	if (set_up != NULL)
		tcase_add_checked_fixture(cases, set_up, tear_down);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	return run_made(suite);
}

#define FIXTURE_MAIN(name, set_up, tear_down, ...)                             \
	int main(void)                                                         \
	{                                                                      \
		const TTest *const tests[] = {__VA_ARGS__};                    \
                                                                               \
		return run_suite(name, set_up, tear_down, tests,               \
			COUNT(tests));                                         \
	}
#define SUITE_MAIN(name, ...) FIXTURE_MAIN(name, NULL, NULL, __VA_ARGS__)

/* SEED= or one of today, always printed so that a failure can be repeated. */
static inline uint64_t
suite_seed(void)
{
	const char *text = getenv("SEED");
	struct ch_rng rng;
	uint64_t seed;

	ch_rng_seed_system(&rng);
	seed = ch_rng_next(&rng) % 1000000;
	if (text != NULL && text[0] != '\0')
		seed = strtoull(text, NULL, 10);
	printf("SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

#endif
