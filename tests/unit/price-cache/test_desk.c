/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the desk does, case by case. Times are ms since the start.
 */
#include "desk_world.h"

static struct desk *desk;
static struct desk_limits limits;

static void
start(void)
{
	desk = desk_new(&limits, 7, world_received, NULL, at_ms(0).mono);
}

static void
setup_default(void)
{
	limits = world_limits();
	start();
}

static struct question *
ask(unsigned n, int64_t now)
{
	struct market_id id = id_of(n);

	return desk_ask(desk, &id, 1, at_ms(now));
}

static enum cache_status
status_of(const struct question *q, int64_t now)
{
	return desk_status(desk, q->items[0], at_ms(now));
}

/* Asks, expects an answer at once, and closes. */
static enum cache_status
ask_now(unsigned n, int64_t now)
{
	struct question *q = ask(n, now);
	enum cache_status s;

	ck_assert_uint_eq(q->pending, 0);
	s = status_of(q, now);
	desk_close(desk, q);
	return s;
}

static struct desk_call
next_call(int64_t now, enum lane lane)
{
	struct desk_call call;

	desk_tick(desk, at_ms(now));
	ck_assert_msg(desk_next_call(desk, &call, at_ms(now)),
		"no call at %lld", (long long)now);
	ck_assert_str_eq(lane_name(call.lane), lane_name(lane));
	return call;
}

static void
no_call(int64_t now)
{
	struct desk_call call;

	desk_tick(desk, at_ms(now));
	ck_assert(!desk_next_call(desk, &call, at_ms(now)));
}

static void
tell(const struct desk_call *call, enum desk_outcome outcome, struct price *p,
	int64_t now)
{
	struct price_list l = {NULL, 0, 0, 0};
	struct desk_answer a = {call->id, outcome, REASON_STATUS, -1, &l};

	if (p != NULL)
		world_add(&l, p);
	desk_answer(desk, &a, at_ms(now));
}

static void
tell_price(const struct desk_call *call, unsigned n, int64_t now)
{
	tell(call, DESK_ANSWERED, world_price(id_of(n), 250, MARKET_OPEN, true),
		now);
}

/* One question is done; its status. */
static enum cache_status
take_one(int64_t now)
{
	struct question *q = desk_next_done(desk);
	enum cache_status s;

	ck_assert_ptr_nonnull(q);
	s = status_of(q, now);
	desk_close(desk, q);
	return s;
}

static void
fill(unsigned n, int64_t now)
{
	struct desk_call call;

	ck_assert_ptr_nonnull(ask(n, now));
	call = next_call(now + 2, LANE_OPEN);
	tell_price(&call, n, now + 2);
	ck_assert_int_eq((int)take_one(now + 2), CACHE_FRESH);
}

START_TEST(a_herd_makes_one_call_and_is_let_go_together)
{
	struct desk_call call;

	setup_default();
	for (int i = 0; i < 200; i++)
		ck_assert_uint_eq(ask(1, 0)->pending, 1);
	call = next_call(2, LANE_OPEN);
	ck_assert_uint_eq(call.count, 1);
	for (int i = 0; i < 50; i++)
		(void)ask(1, 10);
	no_call(50);
	tell_price(&call, 1, 100);
	for (int i = 0; i < 250; i++)
		ck_assert_int_eq((int)take_one(100), CACHE_FRESH);
	ck_assert_ptr_null(desk_next_done(desk));
	ck_assert_int_eq((int)ask_now(1, 2099), CACHE_FRESH);
	no_call(2099);
	desk_free(desk);
}
END_TEST

START_TEST(keys_of_many_requests_share_calls)
{
	struct desk_call call;
	size_t keys = 0;
	int calls = 0;

	setup_default();
	for (unsigned n = 0; n < 120; n++)
		(void)ask(n, 0);
	desk_tick(desk, at_ms(2));
	while (desk_next_call(desk, &call, at_ms(2))) {
		keys += call.count;
		calls++;
	}
	ck_assert_int_eq(calls, 3);
	ck_assert_uint_eq(keys, 120);
	desk_free(desk);
}
END_TEST

START_TEST(absent_from_the_open_markets_means_ask_for_closed_ones)
{
	struct desk_call call;

	setup_default();
	(void)ask(1, 0);
	(void)ask(2, 0);
	call = next_call(2, LANE_OPEN);
	tell(&call, DESK_ANSWERED, NULL, 10);
	call = next_call(12, LANE_CLOSED);
	ck_assert_uint_eq(call.count, 2);
	tell(&call, DESK_ANSWERED,
		world_price(id_of(1), 0, MARKET_RESOLVED, true), 20);
	ck_assert_int_eq((int)take_one(20), CACHE_PINNED);
	ck_assert_int_eq((int)take_one(20), CACHE_UNKNOWN);
	/* remembered; a pinned one is never asked for again */
	ck_assert_int_eq((int)ask_now(2, 29000), CACHE_UNKNOWN);
	ck_assert_int_eq((int)ask_now(1, 100000000), CACHE_PINNED);
	no_call(29000);
	ck_assert_uint_eq(ask(2, 30021)->pending, 1);
	(void)next_call(30023, LANE_OPEN);
	desk_free(desk);
}
END_TEST

START_TEST(an_unreadable_market_is_not_called_unknown)
{
	struct price_list l = {NULL, 0, 0, 1};
	struct desk_call call;
	struct desk_answer a = {0, DESK_ANSWERED, REASON_NONE, -1, &l};

	setup_default();
	(void)ask(1, 0);
	call = next_call(2, LANE_OPEN);
	a.call = call.id;
	desk_answer(desk, &a, at_ms(10));
	call = next_call(12, LANE_MARKET);
	tell(&call, DESK_FAILED, NULL, 20);
	ck_assert_int_eq((int)take_one(20), CACHE_ERROR);
	desk_free(desk);
}
END_TEST

START_TEST(a_hanging_primary_is_hedged_and_the_fallback_answers)
{
	struct desk_call slow, call;

	setup_default();
	(void)ask(1, 0);
	slow = next_call(2, LANE_OPEN);
	no_call(299);
	call = next_call(302, LANE_MARKET);
	tell_price(&call, 1, 310);
	ck_assert_int_eq((int)take_one(310), CACHE_FRESH);
	/* the late answer is the older one: it changes nothing */
	tell(&slow, DESK_ANSWERED,
		world_price(id_of(1), 999, MARKET_OPEN, true), 1000);
	{
		struct question *q = ask(1, 1001);

		ck_assert_int_eq(world_milli(q->items[0]), 250);
		desk_close(desk, q);
	}
	desk_free(desk);
}
END_TEST

START_TEST(the_primarys_word_that_there_is_none_ends_a_hedge)
{
	struct desk_call call;

	setup_default();
	(void)ask(1, 0);
	call = next_call(2, LANE_OPEN);
	tell(&call, DESK_ANSWERED, NULL, 10);
	call = next_call(12, LANE_CLOSED);
	(void)next_call(302, LANE_MARKET);
	tell(&call, DESK_ANSWERED, NULL, 310);
	ck_assert_int_eq((int)take_one(310), CACHE_UNKNOWN);
	desk_free(desk);
}
END_TEST

START_TEST(a_market_with_tokens_is_hedged_by_midpoints)
{
	setup_default();
	fill(1, 0);
	(void)ask(1, 3000);
	(void)next_call(3002, LANE_OPEN);
	/* it waits only stale_wait, so somebody else has to wait for it */
	ck_assert_uint_eq(ask(1, 3100)->pending, 1);
	desk_tick(desk, at_ms(3300));
	(void)next_call(3302, LANE_MIDPOINTS);
	desk_free(desk);
}
END_TEST

START_TEST(a_waiter_that_leaves_does_not_cancel_the_call)
{
	struct desk_call call;

	setup_default();
	limits.upstream[UPSTREAM_FALLBACK].configured = false;
	desk_free(desk);
	start();
	(void)ask(1, 0);
	call = next_call(2, LANE_OPEN);
	(void)ask(1, 1400);
	desk_tick(desk, at_ms(1500));
	ck_assert_int_eq((int)take_one(1500), CACHE_MISSING);
	tell_price(&call, 1, 1600);
	ck_assert_int_eq((int)take_one(1600), CACHE_FRESH);
	desk_free(desk);
}
END_TEST

START_TEST(both_down_the_last_price_is_served_stale)
{
	struct desk_call call;

	setup_default();
	fill(1, 0);
	(void)ask(1, 5000);
	call = next_call(5002, LANE_OPEN);
	tell(&call, DESK_FAILED, NULL, 5003);
	call = next_call(5005, LANE_MIDPOINTS);
	tell(&call, DESK_FAILED, NULL, 5006);
	ck_assert_int_eq((int)take_one(5006), CACHE_STALE);
	/* left alone for a while, at once for everybody */
	ck_assert_int_eq((int)ask_now(1, 5400), CACHE_STALE);
	no_call(5410);
	/* older than stale_max: no price any more */
	ck_assert_uint_eq(ask(1, 700000)->pending, 1);
	desk_free(desk);
}
END_TEST

START_TEST(an_open_breaker_answers_at_once)
{
	struct desk_call call;
	int64_t now = 5000;

	limits = world_limits();
	limits.upstream[UPSTREAM_FALLBACK].configured = false;
	start();
	fill(1, 0);
	for (unsigned n = 10; n < 13; n++) {
		(void)ask(n, now);
		call = next_call(now + 2, LANE_OPEN);
		tell(&call, DESK_FAILED, NULL, now + 3);
		ck_assert_int_eq((int)take_one(now + 3), CACHE_ERROR);
	}
	ck_assert_int_eq((int)ask_now(1, now + 4), CACHE_STALE);
	ck_assert_int_eq((int)ask_now(77, now + 4), CACHE_ERROR);
	no_call(now + 10);
	desk_free(desk);
}
END_TEST

START_TEST(a_429_sends_everybody_to_the_fallback_until_retry_after)
{
	struct desk_answer a = {
		0, DESK_LIMITED, REASON_RATE_LIMITED, 7000, NULL};
	struct desk_call call;

	setup_default();
	(void)ask(1, 0);
	call = next_call(2, LANE_OPEN);
	a.call = call.id;
	desk_answer(desk, &a, at_ms(3));
	call = next_call(5, LANE_MARKET);
	tell_price(&call, 1, 6);
	ck_assert_int_eq((int)take_one(6), CACHE_FRESH);
	(void)ask(2, 6900);
	(void)next_call(6902, LANE_MARKET);
	(void)ask(3, 7100);
	(void)next_call(7102, LANE_OPEN);
	desk_free(desk);
}
END_TEST

START_TEST(a_batch_refused_for_its_size_is_halved)
{
	struct desk_call call;

	setup_default();
	for (unsigned n = 0; n < 40; n++)
		(void)ask(n, 0);
	call = next_call(2, LANE_OPEN);
	ck_assert_uint_eq(call.count, 40);
	tell(&call, DESK_TOO_MANY, NULL, 3);
	call = next_call(5, LANE_OPEN);
	ck_assert_uint_eq(call.count, 20);
	call = next_call(5, LANE_OPEN);
	ck_assert_uint_eq(call.count, 20);
	desk_free(desk);
}
END_TEST

START_TEST(a_read_near_the_end_renews_in_the_background)
{
	struct desk_call call;

	limits = world_limits();
	limits.refresh_ahead_ms = 400;
	start();
	fill(1, 0);
	ck_assert_int_eq((int)ask_now(1, 1500), CACHE_FRESH);
	no_call(1510);
	ck_assert_int_eq((int)ask_now(1, 1700), CACHE_FRESH);
	ck_assert_int_eq((int)ask_now(1, 1701), CACHE_FRESH);
	call = next_call(1702, LANE_OPEN);
	no_call(1702);
	tell_price(&call, 1, 1800);
	ck_assert_int_eq((int)ask_now(1, 3700), CACHE_FRESH);
	ck_assert_uint_eq(desk_counts(desk)->background, 2);
	desk_free(desk);
}
END_TEST

START_TEST(made_up_ids_do_not_push_prices_out)
{
	limits = world_limits();
	limits.cache.max_unknown = 20;
	limits.cache.max_markets = 20;
	limits.upstream[UPSTREAM_PRIMARY].burst = 10000;
	start();
	for (unsigned n = 0; n < 10; n++)
		fill(n, 0);
	for (unsigned n = 100; n < 1000; n++) {
		struct question *q = ask(n, 10);
		struct desk_call call;

		ck_assert_ptr_nonnull(q);
		call = next_call(12, LANE_OPEN);
		tell(&call, DESK_ANSWERED, NULL, 12);
		call = next_call(14, LANE_CLOSED);
		tell(&call, DESK_ANSWERED, NULL, 14);
		ck_assert_int_eq((int)take_one(14), CACHE_UNKNOWN);
		ck_assert_uint_le(cache_count(desk_cache(desk), false), 20);
	}
	for (unsigned n = 0; n < 10; n++)
		ck_assert_int_eq((int)ask_now(n, 100), CACHE_FRESH);
	desk_free(desk);
}
END_TEST

START_TEST(too_many_waiting_are_refused_and_warm_ones_still_served)
{
	limits = world_limits();
	limits.max_questions = 5;
	start();
	fill(1, 0);
	for (unsigned n = 10; n < 15; n++)
		ck_assert_ptr_nonnull(ask(n, 10));
	ck_assert_ptr_null(ask(20, 10));
	ck_assert_int_eq((int)ask_now(1, 10), CACHE_FRESH);
	desk_free(desk);
}
END_TEST

START_TEST(calls_keep_to_the_rate)
{
	struct desk_call call;
	int calls = 0;

	limits = world_limits();
	limits.upstream[UPSTREAM_PRIMARY].per_second = 10;
	limits.upstream[UPSTREAM_PRIMARY].burst = 2;
	limits.upstream[UPSTREAM_FALLBACK].configured = false;
	start();
	for (int64_t now = 0; now < 10000; now += 5) {
		(void)ask((unsigned)now / 5, now);
		desk_tick(desk, at_ms(now));
		while (desk_next_call(desk, &call, at_ms(now))) {
			struct price_list l = {NULL, 0, 0, 0};
			struct desk_answer a = {
				call.id, DESK_ANSWERED, REASON_NONE, -1, &l};

			for (size_t i = 0; i < call.count; i++)
				world_add(&l,
					world_price(call.entries[i]->id, 5,
						MARKET_OPEN, false));
			desk_answer(desk, &a, at_ms(now));
			calls++;
		}
		for (struct question *q; (q = desk_next_done(desk)) != NULL;)
			desk_close(desk, q);
	}
	ck_assert_int_le(calls, 102);
	ck_assert_int_ge(calls, 95);
	desk_free(desk);
}
END_TEST

START_TEST(second_attempts_have_a_budget)
{
	struct desk_call call;
	int seconds = 0;
	int64_t now = 0;

	limits = world_limits();
	limits.upstream[UPSTREAM_PRIMARY].breaker.threshold = 1000000;
	start();
	for (unsigned n = 0; n < 400; n++, now += 100) {
		struct question *q = ask(n, now);

		ck_assert_ptr_nonnull(q);
		call = next_call(now + 2, LANE_OPEN);
		tell(&call, DESK_FAILED, NULL, now + 3);
		desk_tick(desk, at_ms(now + 6));
		if (desk_next_call(desk, &call, at_ms(now + 6))) {
			tell_price(&call, n, now + 6);
			seconds++;
		}
		(void)take_one(now + 6);
	}
	/* 20 at first, then one for five calls */
	ck_assert_int_ge(seconds, 95);
	ck_assert_int_le(seconds, 105);
	desk_free(desk);
}
END_TEST

START_TEST(a_restored_price_is_stale_and_a_resolved_one_pinned)
{
	setup_default();
	desk_restore(desk, world_price(id_of(1), 5, MARKET_OPEN, true),
		UPSTREAM_PRIMARY, at_ms(-100).wall, at_ms(0));
	desk_restore(desk, world_price(id_of(2), 5, MARKET_RESOLVED, true),
		UPSTREAM_PRIMARY, at_ms(-90000000).wall, at_ms(0));
	ck_assert_int_eq((int)ask_now(2, 1), CACHE_PINNED);
	ck_assert_uint_eq(ask(1, 1)->pending, 1);
	desk_tick(desk, at_ms(301));
	ck_assert_int_eq((int)take_one(301), CACHE_STALE);
	desk_free(desk);
}
END_TEST

SUITE_MAIN("desk", a_herd_makes_one_call_and_is_let_go_together,
	keys_of_many_requests_share_calls,
	absent_from_the_open_markets_means_ask_for_closed_ones,
	an_unreadable_market_is_not_called_unknown,
	a_hanging_primary_is_hedged_and_the_fallback_answers,
	the_primarys_word_that_there_is_none_ends_a_hedge,
	a_market_with_tokens_is_hedged_by_midpoints,
	a_waiter_that_leaves_does_not_cancel_the_call,
	both_down_the_last_price_is_served_stale,
	an_open_breaker_answers_at_once,
	a_429_sends_everybody_to_the_fallback_until_retry_after,
	a_batch_refused_for_its_size_is_halved,
	a_read_near_the_end_renews_in_the_background,
	made_up_ids_do_not_push_prices_out,
	too_many_waiting_are_refused_and_warm_ones_still_served,
	calls_keep_to_the_rate, second_attempts_have_a_budget,
	a_restored_price_is_stale_and_a_resolved_one_pinned)
