/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_cache: what was put in comes out, names of other kinds and
 * organisations do not meet, and a name in use outlives any number of others.
 */
#include <stdio.h>

#include "check_suite.h"
#include "name_cache.h"

static struct ch_view
numbered(char buf[32], int n)
{
	(void)snprintf(buf, 32, "user-%09d", n);
	return ch_view_of(buf);
}

START_TEST(test_found_as_put)
{
	struct name_cache *c = name_cache_new();
	struct name_fact f = {
		.id = 7, .text = CH_VIEW("USD"), .scale = 2, .place = 99};
	struct name_fact got;

	ck_assert(!name_cache_find(c, NAME_ACCOUNT, 1, CH_VIEW("a"), &got));
	name_cache_put(c, NAME_ACCOUNT, 1, CH_VIEW("a"), &f);
	ck_assert(name_cache_find(c, NAME_ACCOUNT, 1, CH_VIEW("a"), &got));
	ck_assert_int_eq(got.id, 7);
	ck_assert_int_eq(got.scale, 2);
	ck_assert_uint_eq(got.place, 99);
	ck_assert(ch_view_eq(got.text, CH_VIEW("USD")));
	ck_assert(!name_cache_find(c, NAME_SKU, 1, CH_VIEW("a"), &got));
	ck_assert(!name_cache_find(c, NAME_ACCOUNT, 2, CH_VIEW("a"), &got));
	ck_assert(!name_cache_find(c, NAME_ACCOUNT, 1, CH_VIEW("ab"), &got));
	name_cache_free(c);
}
END_TEST

START_TEST(test_place_moves)
{
	struct name_cache *c = name_cache_new();
	struct name_fact got;

	name_cache_move(c, NAME_ACCOUNT, 1, CH_VIEW("a"), 5); /* unknown */
	name_cache_put(c, NAME_ACCOUNT, 1, CH_VIEW("a"),
		&(struct name_fact){.id = 1});
	name_cache_move(c, NAME_ACCOUNT, 1, CH_VIEW("a"), 5);
	ck_assert(name_cache_find(c, NAME_ACCOUNT, 1, CH_VIEW("a"), &got));
	ck_assert_uint_eq(got.place, 5);
	name_cache_clear(c);
	ck_assert(!name_cache_find(c, NAME_ACCOUNT, 1, CH_VIEW("a"), &got));
	ck_assert_uint_eq(name_cache_count(c), 0);
	name_cache_free(c);
}
END_TEST

START_TEST(test_bounded_and_fresh)
{
	struct name_cache *c = name_cache_new();
	struct name_fact usd = {.text = CH_VIEW("USD"), .scale = 2};
	struct name_fact got;
	char buf[32];
	size_t most = 0;
	bool first_gone = false;

	for (int i = 1; i <= 1000000; i++) {
		usd.id = i;
		name_cache_put(c, NAME_ACCOUNT, 1, numbered(buf, i), &usd);
		if (name_cache_count(c) > most)
			most = name_cache_count(c);
		if (i % 1000 != 0)
			continue;
		/* met all the time: stays */
		ck_assert(name_cache_find(c, NAME_ACCOUNT, 1,
			numbered(buf, 500 + i % 2000 / 1000), &got));
		ck_assert_int_eq(got.id, 500 + i % 2000 / 1000);
		ck_assert(ch_view_eq(got.text, CH_VIEW("USD")));
		/* the last one is there */
		ck_assert(name_cache_find(c, NAME_ACCOUNT, 1, numbered(buf, i),
			&got));
		ck_assert_int_eq(got.id, i);
	}
	first_gone =
		!name_cache_find(c, NAME_ACCOUNT, 1, numbered(buf, 1), &got);
	ck_assert(first_gone);
	ck_assert_uint_lt(most, 2 * NAME_CACHE_BYTES / 40);
	name_cache_free(c);
}
END_TEST

START_TEST(test_long_names_are_not_kept)
{
	struct name_cache *c = name_cache_new();
	char name[300] = {0};
	struct ch_view v = {name, sizeof(name)};
	struct name_fact got;

	name_cache_put(c, NAME_SKU, 1, v, &(struct name_fact){.id = 1});
	ck_assert(!name_cache_find(c, NAME_SKU, 1, v, &got));
	name_cache_free(c);
}
END_TEST

START_TEST(test_one_is_forgotten)
{
	struct name_cache *c = name_cache_new();
	struct name_fact f = {.text = CH_VIEW("USD"), .scale = 2};
	struct name_fact got;
	char buf[32];

	for (int i = 1; i <= 20000; i++) {
		f.id = i;
		name_cache_put(c, NAME_ACCOUNT, 1, numbered(buf, i), &f);
	}
	for (int i = 1; i <= 20000; i += 3)
		name_cache_forget(c, NAME_ACCOUNT, 1, numbered(buf, i));
	name_cache_forget(c, NAME_ACCOUNT, 2, numbered(buf, 2));
	name_cache_forget(c, NAME_SKU, 1, numbered(buf, 2));
	for (int i = 1; i <= 20000; i++) {
		bool there = name_cache_find(c, NAME_ACCOUNT, 1,
			numbered(buf, i), &got);
		ck_assert_int_eq(there, i % 3 != 1);
	}
	f.id = 7;
	name_cache_put(c, NAME_ACCOUNT, 1, numbered(buf, 1), &f);
	ck_assert(name_cache_find(c, NAME_ACCOUNT, 1, numbered(buf, 1), &got));
	ck_assert_int_eq(got.id, 7);
	name_cache_free(c);
}
END_TEST

SUITE_MAIN("name_cache", test_found_as_put, test_place_moves,
	test_bounded_and_fresh, test_one_is_forgotten,
	test_long_names_are_not_kept)
