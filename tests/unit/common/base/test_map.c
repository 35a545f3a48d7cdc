/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "check_suite.h"

START_TEST(a_put_value_is_found_until_deleted)
{
	struct ch_map *m = ch_map_new();
	int one = 1;
	int two = 2;

	ck_assert_ptr_null(ch_map_get(m, CH_VIEW("a")));
	ck_assert_ptr_null(ch_map_put(m, CH_VIEW("a"), &one));
	ck_assert_ptr_eq(ch_map_get(m, CH_VIEW("a")), &one);
	ck_assert_ptr_eq(ch_map_put(m, CH_VIEW("a"), &two), &one);
	ck_assert_uint_eq(ch_map_count(m), 1);
	ck_assert_ptr_eq(ch_map_del(m, CH_VIEW("a")), &two);
	ck_assert_ptr_null(ch_map_del(m, CH_VIEW("a")));
	ck_assert_uint_eq(ch_map_count(m), 0);
	ch_map_free(m, NULL);
}
END_TEST

START_TEST(keys_are_bytes_of_any_length)
{
	struct ch_map *m = ch_map_new();
	static const struct ch_view keys[] = {{NULL, 0}, {"\0", 1}, {"\0\0", 2},
		{"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"12345678", 8},
		{"12345678\0", 9}, {"1234567812345678", 16}};
	int values[COUNT(keys)];

	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_ptr_null(ch_map_put(m, keys[i], &values[i]));
	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_ptr_eq(ch_map_get(m, keys[i]), &values[i]);
	ck_assert_ptr_eq(ch_map_get(m, CH_VIEW("")), &values[0]);
	ch_map_free(m, NULL);
}
END_TEST

START_TEST(keys_are_copied)
{
	struct ch_map *m = ch_map_new();
	char key[] = "key";
	int value = 0;

	(void)ch_map_put(m, ch_view_of(key), &value);
	key[0] = 'X';
	ck_assert_ptr_eq(ch_map_get(m, CH_VIEW("key")), &value);
	ck_assert_ptr_null(ch_map_get(m, ch_view_of(key)));
	ch_map_free(m, NULL);
}
END_TEST

struct walk {
	struct ch_map *m;
	char seen[64];
	int left;
	bool deletes;
};

static bool
note_key(void *ctx, struct ch_view key, void *value)
{
	struct walk *w = ctx;

	(void)value;
	strncat(w->seen, key.ptr, key.len);
	if (w->deletes)
		(void)ch_map_del(w->m,
			ch_view_of(strrchr(w->seen, key.ptr[0])));
	return --w->left > 0;
}

START_TEST(iteration_follows_insertion_and_stops_when_told)
{
	struct ch_map *m = ch_map_new();
	struct walk all = {m, "", 100, false};
	struct walk two = {m, "", 2, false};
	int v = 0;

	for (const char *k = "zaybx"; *k != '\0'; k++)
		(void)ch_map_put(m, (struct ch_view){k, 1}, &v);
	(void)ch_map_put(m, CH_VIEW("z"), &v); /* replaced: keeps its place */
	(void)ch_map_del(m, CH_VIEW("y"));
	ch_map_each(m, note_key, &all);
	ck_assert_str_eq(all.seen, "zabx");
	ch_map_each(m, note_key, &two);
	ck_assert_str_eq(two.seen, "za");
	ch_map_free(m, NULL);
}
END_TEST

START_TEST(an_entry_may_be_deleted_while_it_is_visited)
{
	struct ch_map *m = ch_map_new();
	struct walk w = {m, "", 100, true};
	int v = 0;

	for (const char *k = "abcdef"; *k != '\0'; k++)
		(void)ch_map_put(m, (struct ch_view){k, 1}, &v);
	ch_map_each(m, note_key, &w);
	ck_assert_str_eq(w.seen, "abcdef");
	ck_assert_uint_eq(ch_map_count(m), 0);
	ch_map_free(m, NULL);
}
END_TEST

START_TEST(many_keys_are_all_kept)
{
	struct ch_map *m = ch_map_new();
	static int values[50000];

	for (size_t i = 0; i < COUNT(values); i++) {
		char key[16];
		int n = snprintf(key, sizeof(key), "key-%zu", i);

		ck_assert_ptr_null(ch_map_put(m,
			(struct ch_view){key, (size_t)n}, &values[i]));
	}
	ck_assert_uint_eq(ch_map_count(m), COUNT(values));
	for (size_t i = 0; i < COUNT(values); i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key-%zu", i);
		ck_assert_ptr_eq(ch_map_get(m, ch_view_of(key)), &values[i]);
	}
	ch_map_free(m, NULL);
}
END_TEST

START_TEST(free_frees_the_values_when_asked_to)
{
	struct ch_map *m = ch_map_new();

	(void)ch_map_put(m, CH_VIEW("a"), ch_xmalloc(10));
	(void)ch_map_put(m, CH_VIEW("b"), ch_xmalloc(10));
	ch_map_free(m, free); /* the leak check of the asan flavour decides */
	ch_map_free(NULL, free);
}
END_TEST

SUITE_MAIN("map", a_put_value_is_found_until_deleted,
	keys_are_bytes_of_any_length, keys_are_copied,
	iteration_follows_insertion_and_stops_when_told,
	an_entry_may_be_deleted_while_it_is_visited, many_keys_are_all_kept,
	free_frees_the_values_when_asked_to)
