/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"
#include "check_suite.h"

static struct pace
pace_of(int64_t width)
{
	return (struct pace){
		.width = width, .least = 10, .most = 1000, .aim_ms = 100};
}

START_TEST(a_slow_or_failed_step_halves)
{
	struct pace p = pace_of(400);
	pace_took(&p, 101, false);
	ck_assert_int_eq(p.width, 200);
	pace_took(&p, 1, true);
	ck_assert_int_eq(p.width, 100);
}
END_TEST

START_TEST(a_halving_that_saves_nothing_is_undone)
{
	struct pace p = pace_of(400);
	pace_took(&p, 200, false);
	ck_assert_int_eq(p.width, 200);
	pace_took(&p, 190, false);
	ck_assert_int_eq(p.width, 400);
	/* so that a fixed cost never shrinks the steps away */
	for (int i = 0; i < 100; i++)
		pace_took(&p, 200, false);
	ck_assert_int_ge(p.width, 200);
	/* one that saves is kept */
	p = pace_of(400);
	pace_took(&p, 400, false);
	pace_took(&p, 200, false);
	ck_assert_int_eq(p.width, 100);
	/* and a timeout halves in any case */
	p = pace_of(400);
	for (int i = 0; i < 10; i++)
		pace_took(&p, 3000, true);
	ck_assert_int_eq(p.width, p.least);
}
END_TEST

/* The log's check at its minimum: a statement whose cost is not its rows. */
START_TEST(a_fixed_cost_lets_the_width_grow_on)
{
	struct pace p = pace_of(10);
	for (int i = 0; i < 8; i++)
		pace_took(&p, 1000 + i % 2, false);
	ck_assert_int_eq(p.width, p.most);
	pace_took(&p, 1000, false);
	ck_assert_int_eq(p.width, p.most);
}
END_TEST

START_TEST(growing_ends_where_it_costs)
{
	struct pace p = {
		.width = 10, .least = 10, .most = 1 << 20, .aim_ms = 100};
	/* 200 ms whatever the width, and 1 ms for each row */
	for (int i = 0; i < 1000; i++) {
		pace_took(&p, 200 + p.width, false);
		ck_assert_int_le(p.width, 400);
	}
	ck_assert_int_ge(p.width, 40);
}
END_TEST

START_TEST(a_quick_step_doubles_up_to_the_most)
{
	struct pace p = pace_of(400);
	pace_took(&p, 24, false);
	ck_assert_int_eq(p.width, 800);
	pace_took(&p, 0, false);
	ck_assert_int_eq(p.width, 1000);
	pace_took(&p, 0, false);
	ck_assert_int_eq(p.width, 1000);
}
END_TEST

START_TEST(between_a_quarter_and_the_aim_it_stays)
{
	struct pace p = pace_of(400);
	pace_took(&p, 25, false);
	pace_took(&p, 100, false);
	ck_assert_int_eq(p.width, 400);
}
END_TEST

START_TEST(it_never_leaves_its_limits_nor_overflows)
{
	struct ch_rng rng;
	struct pace p = {
		.width = 1, .least = 1, .most = INT64_MAX, .aim_ms = 50};
	ch_rng_seed(&rng, suite_seed());
	for (int i = 0; i < 100; i++)
		pace_took(&p, 0, false);
	ck_assert_int_eq(p.width, INT64_MAX);
	for (int i = 0; i < 10000; i++) {
		pace_took(&p, (int64_t)ch_rng_below(&rng, 200),
			ch_rng_chance(&rng, 1, 10));
		ck_assert_int_ge(p.width, p.least);
		ck_assert_int_le(p.width, p.most);
	}
}
END_TEST

SUITE_MAIN("pace", a_slow_or_failed_step_halves,
	a_halving_that_saves_nothing_is_undone,
	a_fixed_cost_lets_the_width_grow_on, growing_ends_where_it_costs,
	a_quick_step_doubles_up_to_the_most,
	between_a_quarter_and_the_aim_it_stays,
	it_never_leaves_its_limits_nor_overflows)
