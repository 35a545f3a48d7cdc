/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: what PostgreSQL refuses alone is out after the second time, comes back
 * by itself, and is told of once.
 */
#include "check_suite.h"

#include "aside.h"

static const struct due_ref hold = {ROW_HOLD, 7};
static const struct due_ref reservation = {ROW_RESERVATION, 7};
static const struct due_ref market = {ROW_MARKET, 7};

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){ms * 1000000};
}

static struct aside a;

static void
setup(void)
{
	a = (struct aside){NULL, 0, 0};
}

static void
teardown(void)
{
	aside_free(&a);
}

START_TEST(the_second_refusal_is_enough)
{
	ck_assert(!aside_refused(&a, hold));
	ck_assert(!aside_has(&a, hold));
	ck_assert(aside_refused(&a, hold));
	ck_assert(!aside_has(&a, hold)); /* that is for the caller to do */
	ck_assert(aside_put(&a, hold, at_ms(100)));
	ck_assert(aside_has(&a, hold));
}
END_TEST

START_TEST(kinds_and_numbers_are_counted_apart)
{
	ck_assert(!aside_refused(&a, hold));
	ck_assert(!aside_refused(&a, market));
	ck_assert(!aside_refused(&a, (struct due_ref){ROW_HOLD, 8}));
	ck_assert(aside_refused(&a, hold));
	ck_assert(!aside_refused(&a, reservation));
	(void)aside_put(&a, hold, at_ms(100));
	ck_assert(!aside_has(&a, reservation));
	ck_assert(!aside_has(&a, market));
	ck_assert_uint_eq(aside_count(&a, ROW_HOLD), 1);
	ck_assert_uint_eq(aside_count(&a, ROW_MARKET), 0);
}
END_TEST

START_TEST(who_passes_in_between_begins_anew)
{
	ck_assert(!aside_refused(&a, market));
	aside_passed(&a, market);
	ck_assert(!aside_refused(&a, market));
	ck_assert(aside_refused(&a, market));
	aside_passed(&a, hold); /* of whom nothing is known */
	ck_assert_uint_eq(a.count, 1);
}
END_TEST

START_TEST(it_comes_back_by_itself_and_is_told_of_once)
{
	(void)aside_put(&a, hold, at_ms(100));
	(void)aside_put(&a, market, at_ms(200));
	ck_assert_uint_eq(aside_take_back(&a, at_ms(99)), 0);
	ck_assert_uint_eq(aside_take_back(&a, at_ms(100)), 1);
	ck_assert(!aside_has(&a, hold));
	ck_assert(aside_has(&a, market));
	ck_assert_uint_eq(aside_take_back(&a, at_ms(150)), 0);
	/* two refusals again, and nobody is called again */
	ck_assert(!aside_refused(&a, hold));
	ck_assert(aside_refused(&a, hold));
	ck_assert(!aside_put(&a, hold, at_ms(300)));
	ck_assert(aside_has(&a, hold));
	/* once it has passed it is as new */
	ck_assert_uint_eq(aside_take_back(&a, at_ms(400)), 2);
	aside_passed(&a, hold);
	ck_assert(aside_put(&a, hold, at_ms(500)));
}
END_TEST

START_TEST(numbers_are_listed_by_kind)
{
	size_t at = 0;
	int64_t sum = 0, number;

	for (int64_t i = 1; i <= 100; i++) {
		(void)aside_put(&a, (struct due_ref){ROW_HOLD, i}, at_ms(i));
		(void)aside_put(&a, (struct due_ref){ROW_MARKET, 1000 + i},
			at_ms(1000));
	}
	ck_assert_uint_eq(aside_take_back(&a, at_ms(50)), 50);
	while ((number = aside_next(&a, ROW_HOLD, &at)) != 0)
		sum += number;
	ck_assert_int_eq(sum, (51 + 100) * 50 / 2);
	ck_assert_uint_eq(aside_count(&a, ROW_HOLD), 50);
	ck_assert_uint_eq(aside_count(&a, ROW_MARKET), 100);
	ck_assert_uint_eq(aside_count(&a, ROW_RESERVATION), 0);
	ck_assert_str_eq(aside_kind_name(ROW_HOLD), "hold");
	ck_assert_str_eq(aside_kind_name(ROW_MARKET), "market");
	ck_assert_str_eq(aside_kind_name(ROW_RESERVATION), "reservation");
}
END_TEST

FIXTURE_MAIN("aside", setup, teardown, the_second_refusal_is_enough,
	kinds_and_numbers_are_counted_apart, who_passes_in_between_begins_anew,
	it_comes_back_by_itself_and_is_told_of_once, numbers_are_listed_by_kind)
