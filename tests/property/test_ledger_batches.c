/* SPDX-License-Identifier: Apache-2.0 */
/*
 * However a stream of commands is cut into batches, the answers, postings,
 * events and balances are those of commands applied one at a time.
 *
 * SEED= and COMMANDS= (default 100,000) choose the load; both are printed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger_compare.h"

static struct ledger_load load;
static struct serial_command **commands;
static uint64_t seed;

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10)
					     : otherwise;
}

static void
make_load(void)
{
	size_t count = (size_t)number_of("COMMANDS", 100000);

	seed = number_of("SEED",
		(uint64_t)ch_clock_wall(&ch_clock_real).us % 1000000007);
	printf("SEED=%llu COMMANDS=%zu\n", (unsigned long long)seed, count);
	(void)fflush(stdout);
	ledger_load_make(&load, seed, count);
	commands = ch_xcalloc(count, sizeof(struct serial_command *));
	for (size_t i = 0; i < count; i++)
		commands[i] = serial_command_new(load.items[i].value,
			load.items[i].len, (size_t)64 * 1024);
}

static void
free_load(void)
{
	for (size_t i = 0; i < load.count; i++)
		serial_command_free(commands[i]);
	free(commands);
	ledger_load_free(&load);
}

static void
compare(size_t batch_size, uint64_t more)
{
	struct ledger_compare c = {.load = &load,
		.commands = commands,
		.batch_size = batch_size,
		.seed = seed + more};
	const struct core_counts *n = &c.counts;
	bool same = ledger_compare_run(&c);

	printf("batch size %zu: %zu batches, %zu retries, %zu pages, %zu "
	       "applied, %zu refused, %zu duplicates, %zu rejected, %zu timers, "
	       "%zu postings, %zu events\n",
		batch_size, c.batches, n->retries, c.pages, n->applied,
		n->refused, n->duplicates, n->rejected, n->timers, n->postings,
		n->events);
	(void)fflush(stdout);
	ck_assert_msg(same, "SEED=%llu: %s", (unsigned long long)seed,
		c.difference);
	/* a load that exercises nothing proves nothing; in few batches it may
	 * be that most are paused, or that none was decided twice */
	if (load.count >= 5000 && c.batches >= 20) {
		ck_assert_uint_gt(n->applied, load.count / 5);
		ck_assert_uint_gt(n->refused, load.count / 100);
		ck_assert_uint_gt(n->duplicates, load.count / 100);
		ck_assert_uint_gt(n->rejected, 0);
		ck_assert_uint_gt(n->timers, 0);
		ck_assert_uint_gt(c.pages, 0);
	}
	if (c.batches >= 200)
		ck_assert_uint_gt(n->retries, 0);
}

/* Every status that there is. */
START_TEST(the_load_meets_every_status)
{
	struct ledger_compare c = {.load = &load,
		.commands = commands,
		.batch_size = 50,
		.seed = seed};

	ck_assert_msg(ledger_compare_run(&c), "SEED=%llu: %s",
		(unsigned long long)seed, c.difference);
	for (unsigned k = 0; k < STATUS_COUNT; k++) {
		printf("%s=%zu ", ledger_statuses[k].name,
			c.counts.by_status[k]);
		if (load.count >= 20000)
			ck_assert_msg(c.counts.by_status[k] > 0,
				"SEED=%llu: no answer is %s",
				(unsigned long long)seed,
				ledger_statuses[k].name);
	}
	printf("\n");
}
END_TEST

static const size_t sizes[] = {1, 7, 50, 500, 5000, 0, 0};

START_TEST(any_split_gives_the_answers_of_a_serial_ledger)
{
	compare(sizes[_i], (uint64_t)_i);
}
END_TEST

/* What would this test be worth if it could not fail? */
START_TEST(seeded_bug_is_found)
{
	struct ledger_compare c = {.load = &load,
		.commands = commands,
		.batch_size = 1,
		.seed = seed,
		.bug = (enum mem_store_bug)_i};

	ck_assert_msg(!ledger_compare_run(&c),
		"SEED=%llu: bug %d was not found", (unsigned long long)seed,
		_i);
	printf("bug %d found at %.*s\n", _i, (int)strcspn(c.difference, "\n"),
		c.difference);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ledger_batches");
	TCase *equal = tcase_create("equal");
	TCase *bugs = tcase_create("bugs");

	tcase_set_timeout(equal, 300);
	tcase_set_timeout(bugs, 300);
	tcase_add_unchecked_fixture(equal, make_load, free_load);
	tcase_add_unchecked_fixture(bugs, make_load, free_load);
	tcase_add_loop_test(equal,
		any_split_gives_the_answers_of_a_serial_ledger, 0,
		(int)(sizeof(sizes) / sizeof(sizes[0])));
	tcase_add_test(equal, the_load_meets_every_status);
	tcase_add_loop_test(bugs, seeded_bug_is_found, 1, MEM_STORE_BUGS);
	suite_add_tcase(s, equal);
	suite_add_tcase(s, bugs);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
