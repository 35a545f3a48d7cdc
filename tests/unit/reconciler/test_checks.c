/* SPDX-License-Identifier: Apache-2.0 */
#include "checks.h"
#include "check_suite.h"

START_TEST(each_check_is_found_by_its_name)
{
	for (int i = 0; i < CHECKS; i++) {
		ck_assert_int_eq(check_of(ch_view_of(checks[i].name)), i);
		ck_assert_int_eq(strncmp(checks[i].pause_param, "pause_", 6),
			0);
		ck_assert_str_eq(checks[i].pause_param + 6, checks[i].name);
	}
	ck_assert_int_eq(check_of(CH_VIEW("transfer")), CHECKS);
	ck_assert_int_eq(check_of(CH_VIEW("")), CHECKS);
}
END_TEST

static bool
covers(const struct sweep *s, struct check_key k)
{
	bool above =
		k.org > s->low.org || (k.org == s->low.org && k.id > s->low.id);
	bool below = k.org < s->high.org ||
		(k.org == s->high.org && k.id <= s->high.id);
	return above && below;
}

START_TEST(a_table_that_ends_in_one_step_is_swept_at_once)
{
	struct sweep s = {.under_way = false};
	sweep_step(&s, NULL, (struct ch_time){7});
	ck_assert(covers(&s, (struct check_key){1, 1}));
	ck_assert(covers(&s, (struct check_key){INT32_MAX, INT64_MAX}));
	ck_assert_int_eq(s.began.us, 7);
	ck_assert(sweep_done(&s));
	ck_assert(!s.under_way);
	sweep_step(&s, NULL, (struct ch_time){9});
	ck_assert_int_eq(s.began.us, 9);
}
END_TEST

/* Any cutting of the key space covers each key exactly once. */
START_TEST(steps_cover_each_key_once)
{
	struct ch_rng rng;
	ch_rng_seed(&rng, suite_seed());
	for (int round = 0; round < 200; round++) {
		struct sweep s = {.under_way = false};
		struct check_key keys[20];
		int seen[20] = {0};
		struct check_key at = {0, 0};
		bool whole = false;
		for (size_t i = 0; i < COUNT(keys); i++)
			keys[i] = (struct check_key){
				(int32_t)ch_rng_below(&rng, 4),
				(int64_t)ch_rng_below(&rng, 50)};
		while (!whole) {
			at.id += (int64_t)ch_rng_below(&rng, 30) + 1;
			if (ch_rng_chance(&rng, 1, 4))
				at = (struct check_key){at.org + 1,
					(int64_t)ch_rng_below(&rng, 5)};
			struct check_key from = sweep_from(&s);
			sweep_step(&s, at.org < 5 ? &at : NULL,
				(struct ch_time){round});
			ck_assert_int_eq(from.org, s.low.org);
			ck_assert_int_eq(from.id, s.low.id);
			for (size_t i = 0; i < COUNT(keys); i++)
				seen[i] += covers(&s, keys[i]);
			whole = sweep_done(&s);
		}
		for (size_t i = 0; i < COUNT(keys); i++)
			ck_assert_int_eq(seen[i], 1);
	}
}
END_TEST

START_TEST(a_sweep_keeps_the_time_at_which_it_began)
{
	struct sweep s = {.under_way = false};
	struct check_key at = {1, 10};
	sweep_step(&s, &at, (struct ch_time){1});
	s.cut = true;
	ck_assert(!sweep_done(&s));
	sweep_step(&s, NULL, (struct ch_time){2});
	ck_assert_int_eq(s.began.us, 1);
	ck_assert(s.cut); /* the whole sweep concludes nothing from absence */
	ck_assert(sweep_done(&s));
	sweep_step(&s, &at, (struct ch_time){3});
	ck_assert_int_eq(s.began.us, 3);
	ck_assert(!s.cut);
}
END_TEST

START_TEST(a_sweep_that_is_reset_begins_with_the_first_key)
{
	struct sweep s = {.under_way = false};
	struct check_key at = {1, 10};
	sweep_step(&s, &at, (struct ch_time){1});
	(void)sweep_done(&s);
	ck_assert_int_eq(sweep_from(&s).id, 10);
	sweep_reset(&s);
	ck_assert_int_eq(sweep_from(&s).id, INT64_MIN);
	sweep_step(&s, NULL, (struct ch_time){5});
	ck_assert_int_eq(s.began.us, 5);
}
END_TEST

SUITE_MAIN("checks", each_check_is_found_by_its_name,
	a_table_that_ends_in_one_step_is_swept_at_once,
	steps_cover_each_key_once, a_sweep_keeps_the_time_at_which_it_began,
	a_sweep_that_is_reset_begins_with_the_first_key)
