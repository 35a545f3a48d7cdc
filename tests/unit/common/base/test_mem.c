/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "check_suite.h"

START_TEST(nothing_is_allocated_as_something)
{
	void *p = ch_xmalloc(0);
	void *q = ch_xcalloc(0, 8);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(q);
	p = ch_xrealloc(p, 0, 4);
	ck_assert_ptr_nonnull(p);
	free(p);
	free(q);
}
END_TEST

START_TEST(copies_end_with_nul)
{
	char *s = ch_xstrdup("abc");
	char *v = ch_xviewdup((struct ch_view){"abcdef", 3});
	char *e = ch_xviewdup((struct ch_view){NULL, 0});

	ck_assert_str_eq(s, "abc");
	ck_assert_str_eq(v, "abc");
	ck_assert_str_eq(e, "");
	free(s);
	free(v);
	free(e);
}
END_TEST

START_TEST(arena_objects_are_aligned_and_do_not_overlap)
{
	struct ch_arena a = CH_ARENA_INIT;
	unsigned char *objects[1000];

	for (size_t i = 0; i < COUNT(objects); i++) {
		objects[i] = ch_arena_alloc(&a, i);
		ck_assert_uint_eq((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < COUNT(objects); i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_eq(objects[i][j], i & 0xff);
	}
	ck_assert_uint_le(a.used, a.held);
	ch_arena_free(&a);
	ck_assert_uint_eq(a.held, 0);
	ck_assert_ptr_null(a.head);
}
END_TEST

START_TEST(arena_takes_an_object_larger_than_a_block)
{
	struct ch_arena a = CH_ARENA_INIT;
	size_t n = (size_t)5 << 20;
	char *big = ch_arena_calloc(&a, n, 1);
	char *small = ch_arena_alloc(&a, 10);

	for (size_t i = 0; i < n; i += 4096)
		ck_assert_int_eq(big[i], 0);
	big[n - 1] = 'x';
	small[9] = 'y';
	ck_assert_uint_ge(a.held, n);
	ch_arena_free(&a);
}
END_TEST

START_TEST(arena_copies_views_and_strings)
{
	struct ch_arena a = CH_ARENA_INIT;
	struct ch_view v = ch_arena_view(&a, (struct ch_view){"a\0b", 3});

	ck_assert_uint_eq(v.len, 3);
	ck_assert_mem_eq(v.ptr, "a\0b", 4);
	ck_assert_str_eq(ch_arena_str(&a, (struct ch_view){"abcdef", 2}), "ab");
	ck_assert_str_eq(ch_arena_str(&a, (struct ch_view){NULL, 0}), "");
	ch_arena_free(&a);
}
END_TEST

START_TEST(reset_keeps_the_largest_block_that_may_be_kept)
{
	struct ch_arena a = CH_ARENA_INIT;
	size_t held;

	for (int i = 0; i < 100; i++)
		(void)ch_arena_alloc(&a, 4096);
	ch_arena_reset(&a, 64 * 1024);
	held = a.held;
	ck_assert_uint_eq(a.used, 0);
	ck_assert_uint_gt(held, 16 * 1024);
	ck_assert_uint_le(held, 64 * 1024);
	(void)ch_arena_alloc(&a, 1000);
	ck_assert_uint_eq(a.held, held);
	ch_arena_reset(&a, 1);
	ck_assert_uint_eq(a.held, 0);
	ch_arena_free(&a);
}
END_TEST

START_TEST(an_arena_that_is_reset_each_round_stops_asking_the_system)
{
	struct ch_arena a = CH_ARENA_INIT;
	size_t held = 0;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 50; i++)
			(void)ch_arena_alloc(&a, 100);
		ck_assert(round == 0 || a.held == held);
		held = a.held;
		ch_arena_reset(&a, 1 << 20);
	}
	ch_arena_free(&a);
}
END_TEST

static void *volatile kept;

static void
allocate_all(void)
{
	kept = ch_xmalloc(SIZE_MAX / 2);
}

static void
allocate_an_overflowing_array(void)
{
	kept = ch_xrealloc(NULL, SIZE_MAX / 2, 3);
}

static void
allocate_too_many(void)
{
	kept = ch_xcalloc(SIZE_MAX / 2, 3);
}

static void
allocate_all_in_an_arena(void)
{
	struct ch_arena a = CH_ARENA_INIT;

	kept = ch_arena_alloc(&a, SIZE_MAX);
}

static void
allocate_too_many_in_an_arena(void)
{
	struct ch_arena a = CH_ARENA_INIT;

	kept = ch_arena_calloc(&a, SIZE_MAX / 2, 3);
}

/* A sanitizer may end the process in its own way: what counts is that the
 * call does not return. */
START_TEST(what_cannot_be_had_ends_the_process)
{
	static void (*const calls[])(void) = {allocate_all,
		allocate_an_overflowing_array, allocate_too_many,
		allocate_all_in_an_arena, allocate_too_many_in_an_arena};

	for (size_t i = 0; i < COUNT(calls); i++) {
		int status = 0;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			(void)close(STDERR_FILENO);
			calls[i]();
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status != 0, "call %zu returned", i);
	}
}
END_TEST

SUITE_MAIN("mem", what_cannot_be_had_ends_the_process,
	nothing_is_allocated_as_something, copies_end_with_nul,
	arena_objects_are_aligned_and_do_not_overlap,
	arena_takes_an_object_larger_than_a_block,
	arena_copies_views_and_strings,
	reset_keeps_the_largest_block_that_may_be_kept,
	an_arena_that_is_reset_each_round_stops_asking_the_system)
