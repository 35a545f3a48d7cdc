/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker.h"
#include "suite.h"

static const struct breaker_limits limits = {3, 1000, 8000};
static struct ch_rng rng;

static struct breaker
fresh(void)
{
	struct breaker b;

	ch_rng_seed(&rng, 1);
	breaker_init(&b, "test", &limits, &rng);
	return b;
}

static struct ch_mono
ms(int64_t n)
{
	return at_ms(n).mono;
}

static void
fail_once(struct breaker *b, int64_t now)
{
	breaker_failed(b, breaker_enter(b, ms(now)), ms(now));
}

START_TEST(it_opens_after_failures_in_a_row)
{
	struct breaker b = fresh();

	fail_once(&b, 0);
	fail_once(&b, 1);
	breaker_ok(&b, breaker_enter(&b, ms(2)));
	fail_once(&b, 3);
	fail_once(&b, 4);
	ck_assert(breaker_allows(&b, ms(4)));
	fail_once(&b, 5);
	ck_assert_int_eq((int)breaker_state(&b), BREAKER_OPEN);
	ck_assert(!breaker_allows(&b, ms(6)));
	ck_assert(!breaker_allows(&b, ms(1004)));
}
END_TEST

static struct breaker
opened(void)
{
	struct breaker b = fresh();

	for (int i = 0; i < 3; i++)
		fail_once(&b, 0);
	return b;
}

START_TEST(after_its_time_one_probe_goes_out)
{
	struct breaker b = opened();
	struct breaker_pass probe;

	ck_assert(breaker_allows(&b, ms(1000)));
	probe = breaker_enter(&b, ms(1000));
	ck_assert(!breaker_allows(&b, ms(1000)));
	ck_assert(!breaker_allows(&b, ms(900000)));
	breaker_ok(&b, probe);
	ck_assert(breaker_allows(&b, ms(1001)));
	ck_assert_int_eq((int)breaker_state(&b), BREAKER_CLOSED);
}
END_TEST

START_TEST(a_failed_probe_opens_it_for_longer)
{
	struct breaker b = opened();
	int64_t now = 1000, longest = 0;

	for (int i = 0; i < 50; i++) {
		int64_t from = now;

		fail_once(&b, now);
		while (!breaker_allows(&b, ms(now)))
			now++;
		ck_assert_int_ge(now - from, 1000);
		ck_assert_int_le(now - from, 8000);
		if (now - from > longest)
			longest = now - from;
	}
	ck_assert_int_gt(longest, 4000);
	ck_assert_uint_eq(b.opened, 51);
}
END_TEST

START_TEST(calls_of_an_earlier_state_do_not_count)
{
	struct breaker b = fresh();
	struct breaker_pass old = breaker_enter(&b, ms(0));
	struct breaker_pass probe;

	for (int i = 0; i < 3; i++)
		fail_once(&b, 0);
	breaker_ok(&b, old); /* it was sent before */
	ck_assert(!breaker_allows(&b, ms(1)));
	probe = breaker_enter(&b, ms(1000));
	breaker_failed(&b, old, ms(1001));
	ck_assert_int_eq((int)breaker_state(&b), BREAKER_HALF_OPEN);
	breaker_ok(&b, probe);
	ck_assert_int_eq((int)breaker_state(&b), BREAKER_CLOSED);
}
END_TEST

START_TEST(a_429_opens_it_for_the_time_named)
{
	static const struct {
		int64_t told, least, most;
	} rows[] = {{7000, 7000, 7000}, {0, 1000, 1000},
		{86400000, 300000, 300000}, {-1, 1000, 1000}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct breaker b = fresh();

		breaker_limited(&b, breaker_enter(&b, ms(0)), rows[i].told,
			ms(0));
		ck_assert(!breaker_allows(&b, ms(rows[i].least - 1)));
		ck_assert(breaker_allows(&b, ms(rows[i].most)));
	}
}
END_TEST

SUITE_MAIN("breaker", it_opens_after_failures_in_a_row,
	after_its_time_one_probe_goes_out, a_failed_probe_opens_it_for_longer,
	calls_of_an_earlier_state_do_not_count,
	a_429_opens_it_for_the_time_named)
