/* SPDX-License-Identifier: Apache-2.0 */
#include "check_suite.h"

#include "base/breaker.h"

static const struct ch_breaker_limits limits = {3, 1000, 8000};
static struct ch_rng rng;

static struct ch_breaker
fresh(void)
{
	struct ch_breaker b;

	ch_rng_seed(&rng, 1);
	ch_breaker_init(&b, "test", &limits, &rng);
	return b;
}

static struct ch_mono
ms(int64_t n)
{
	return (struct ch_mono){(1000000 + n) * INT64_C(1000000)};
}

static void
fail_once(struct ch_breaker *b, int64_t now)
{
	ch_breaker_failed(b, ch_breaker_enter(b, ms(now)), ms(now));
}

START_TEST(it_opens_after_failures_in_a_row)
{
	struct ch_breaker b = fresh();

	fail_once(&b, 0);
	fail_once(&b, 1);
	ch_breaker_ok(&b, ch_breaker_enter(&b, ms(2)));
	fail_once(&b, 3);
	fail_once(&b, 4);
	ck_assert(ch_breaker_allows(&b, ms(4)));
	fail_once(&b, 5);
	ck_assert_int_eq((int)ch_breaker_state(&b), CH_BREAKER_OPEN);
	ck_assert(!ch_breaker_allows(&b, ms(6)));
	ck_assert(!ch_breaker_allows(&b, ms(1004)));
}
END_TEST

static struct ch_breaker
opened(void)
{
	struct ch_breaker b = fresh();

	for (int i = 0; i < 3; i++)
		fail_once(&b, 0);
	return b;
}

START_TEST(after_its_time_one_probe_goes_out)
{
	struct ch_breaker b = opened();
	struct ch_breaker_pass probe;

	ck_assert(ch_breaker_allows(&b, ms(1000)));
	probe = ch_breaker_enter(&b, ms(1000));
	ck_assert(!ch_breaker_allows(&b, ms(1000)));
	ck_assert(!ch_breaker_allows(&b, ms(900000)));
	ch_breaker_ok(&b, probe);
	ck_assert(ch_breaker_allows(&b, ms(1001)));
	ck_assert_int_eq((int)ch_breaker_state(&b), CH_BREAKER_CLOSED);
}
END_TEST

START_TEST(a_failed_probe_opens_it_for_longer)
{
	struct ch_breaker b = opened();
	int64_t now = 1000, longest = 0;

	for (int i = 0; i < 50; i++) {
		int64_t from = now;

		fail_once(&b, now);
		while (!ch_breaker_allows(&b, ms(now)))
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
	struct ch_breaker b = fresh();
	struct ch_breaker_pass old = ch_breaker_enter(&b, ms(0));
	struct ch_breaker_pass probe;

	for (int i = 0; i < 3; i++)
		fail_once(&b, 0);
	ch_breaker_ok(&b, old); /* it was sent before */
	ck_assert(!ch_breaker_allows(&b, ms(1)));
	probe = ch_breaker_enter(&b, ms(1000));
	ch_breaker_failed(&b, old, ms(1001));
	ck_assert_int_eq((int)ch_breaker_state(&b), CH_BREAKER_HALF_OPEN);
	ch_breaker_ok(&b, probe);
	ck_assert_int_eq((int)ch_breaker_state(&b), CH_BREAKER_CLOSED);
}
END_TEST

START_TEST(a_429_opens_it_for_the_time_named)
{
	static const struct {
		int64_t told, least, most;
	} rows[] = {{7000, 7000, 7000}, {0, 1000, 1000},
		{86400000, 300000, 300000}, {-1, 1000, 1000}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ch_breaker b = fresh();

		ch_breaker_limited(&b, ch_breaker_enter(&b, ms(0)),
			rows[i].told, ms(0));
		ck_assert(!ch_breaker_allows(&b, ms(rows[i].least - 1)));
		ck_assert(ch_breaker_allows(&b, ms(rows[i].most)));
	}
}
END_TEST

SUITE_MAIN("breaker", it_opens_after_failures_in_a_row,
	after_its_time_one_probe_goes_out, a_failed_probe_opens_it_for_longer,
	calls_of_an_earlier_state_do_not_count,
	a_429_opens_it_for_the_time_named)
