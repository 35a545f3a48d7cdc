/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/ring.h"
#include "check_suite.h"

static int items[1000];

static bool
readable(const struct ch_ring *r)
{
	struct pollfd p = {ch_ring_fd(r), POLLIN, 0};

	return poll(&p, 1, 0) == 1;
}

START_TEST(items_come_out_in_the_order_they_went_in)
{
	struct ch_ring *r = ch_ring_new(3, 1000);
	size_t in = 0;
	size_t out = 0;

	/* rounds of different sizes, so that the array wraps everywhere */
	for (size_t round = 0; round < 300; round++) {
		for (size_t n = 0; n < round % 3 + 1; n++)
			ck_assert_int_eq(
				ch_ring_push(r, &items[in++ % 1000], 1), 0);
		while (out < in)
			ck_assert_ptr_eq(ch_ring_pop(r), &items[out++ % 1000]);
		ck_assert_ptr_null(ch_ring_pop(r));
	}
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(a_ring_full_by_count_refuses)
{
	struct ch_ring *r = ch_ring_new(2, 1000);

	ck_assert_int_eq(ch_ring_push(r, &items[0], 0), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 0), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[2], 0), CH_EFULL);
	ck_assert_uint_eq(ch_ring_count(r), 2);
	ck_assert_ptr_eq(ch_ring_pop(r), &items[0]);
	ck_assert_int_eq(ch_ring_push(r, &items[2], 0), 0);
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(a_ring_full_by_bytes_refuses)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	ck_assert_int_eq(ch_ring_push(r, &items[0], 60), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 41), CH_EFULL);
	ck_assert_int_eq(ch_ring_push(r, &items[1], SIZE_MAX), CH_EFULL);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 40), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[2], 1), CH_EFULL);
	ck_assert_int_eq(ch_ring_push(r, &items[2], 0), 0);
	ck_assert_uint_eq(ch_ring_bytes(r), 100);
	(void)ch_ring_pop(r);
	ck_assert_uint_eq(ch_ring_bytes(r), 40);
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(an_item_over_the_limit_passes_alone)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	ck_assert_int_eq(ch_ring_push(r, &items[0], 500), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 1), CH_EFULL);
	ck_assert_ptr_eq(ch_ring_pop(r), &items[0]);
	ck_assert_uint_eq(ch_ring_bytes(r), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 1), 0);
	ck_assert_int_eq(ch_ring_push(r, &items[0], 500), CH_EFULL);
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(the_fd_is_readable_exactly_while_items_wait)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	for (int round = 0; round < 3; round++) {
		ck_assert(!readable(r));
		ck_assert_int_eq(ch_ring_push(r, &items[0], 1), 0);
		ck_assert(readable(r));
		ck_assert_int_eq(ch_ring_push(r, &items[1], 1), 0);
		(void)ch_ring_pop(r);
		ck_assert(readable(r));
		(void)ch_ring_pop(r);
	}
	ck_assert(!readable(r));
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(a_closed_ring_gives_what_it_has_and_takes_nothing)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	ck_assert_int_eq(ch_ring_push(r, &items[0], 1), 0);
	ch_ring_close(r);
	ch_ring_close(r);
	ck_assert_int_eq(ch_ring_push(r, &items[1], 1), CH_ECLOSED);
	ck_assert(readable(r));
	ck_assert_ptr_eq(ch_ring_pop_wait(r, 10000), &items[0]);
	ck_assert_ptr_null(ch_ring_pop_wait(r, 10000));
	ck_assert(readable(r));
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(closing_an_empty_ring_makes_it_readable)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	ch_ring_close(r);
	ck_assert(readable(r));
	ck_assert_ptr_null(ch_ring_pop(r));
	ck_assert(readable(r));
	ch_ring_free(r, NULL);
}
END_TEST

START_TEST(waiting_ends_at_the_timeout)
{
	struct ch_ring *r = ch_ring_new(10, 100);
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	ck_assert_ptr_null(ch_ring_pop_wait(r, 30));
	ck_assert_int_ge(ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start),
		30);
	ck_assert_ptr_null(ch_ring_pop_wait(r, 0));
	ck_assert_ptr_null(ch_ring_pop_wait(r, -1));
	ch_ring_free(r, NULL);
}
END_TEST

static void *
push_one_soon(void *arg)
{
	(void)poll(NULL, 0, 20);
	ck_assert_int_eq(ch_ring_push(arg, &items[0], 1), 0);
	return NULL;
}

static void *
close_soon(void *arg)
{
	(void)poll(NULL, 0, 20);
	ch_ring_close(arg);
	return NULL;
}

START_TEST(a_waiting_reader_is_woken_by_an_item_and_by_closing)
{
	struct ch_ring *r = ch_ring_new(10, 100);
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, push_one_soon, r), 0);
	ck_assert_ptr_eq(ch_ring_pop_wait(r, 30000), &items[0]);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, close_soon, r), 0);
	ck_assert_ptr_null(ch_ring_pop_wait(r, 30000));
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ch_ring_free(r, NULL);
}
END_TEST

#define PER_PRODUCER 20000

struct traffic {
	struct ch_ring *ring;
	atomic_llong sum;
	atomic_int taken;
};

static void *
produce(void *arg)
{
	struct traffic *t = arg;

	for (intptr_t i = 1; i <= PER_PRODUCER; i++) {
		while (ch_ring_push(t->ring, &items[i % 1000], 1) != 0)
			(void)poll(NULL, 0, 1);
	}
	return NULL;
}

static void *
consume(void *arg)
{
	struct traffic *t = arg;
	int *item;

	while ((item = ch_ring_pop_wait(t->ring, 30000)) != NULL) {
		atomic_fetch_add(&t->sum, (long long)(item - items));
		atomic_fetch_add(&t->taken, 1);
	}
	return NULL;
}

START_TEST(nothing_is_lost_between_threads)
{
	struct traffic t = {ch_ring_new(64, 50), 0, 0};
	pthread_t threads[4];
	long long want = 0;

	for (int i = 1; i <= PER_PRODUCER; i++)
		want += 2 * (i % 1000);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
					 i < 2 ? produce : consume, &t),
			0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ch_ring_close(t.ring);
	for (size_t i = 2; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(atomic_load(&t.taken), 2 * PER_PRODUCER);
	ck_assert_int_eq(atomic_load(&t.sum), want);
	ch_ring_free(t.ring, NULL);
}
END_TEST

START_TEST(free_frees_what_is_left)
{
	struct ch_ring *r = ch_ring_new(10, 100);

	ck_assert_int_eq(ch_ring_push(r, ch_xmalloc(5), 5), 0);
	ck_assert_int_eq(ch_ring_push(r, ch_xmalloc(5), 5), 0);
	ch_ring_free(r, free); /* the leak check of the asan flavour decides */
	ch_ring_free(NULL, free);
}
END_TEST

SUITE_MAIN("ring", items_come_out_in_the_order_they_went_in,
	a_ring_full_by_count_refuses, a_ring_full_by_bytes_refuses,
	an_item_over_the_limit_passes_alone,
	the_fd_is_readable_exactly_while_items_wait,
	a_closed_ring_gives_what_it_has_and_takes_nothing,
	closing_an_empty_ring_makes_it_readable, waiting_ends_at_the_timeout,
	a_waiting_reader_is_woken_by_an_item_and_by_closing,
	nothing_is_lost_between_threads, free_frees_what_is_left)
