/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"
#include "suite.h"

#define MS INT64_C(1000000)

static const struct session_limits limits = {
	.ping_every_ms = 5000,
	.pong_within_ms = 12000,
	.stale_after_ms = 20000,
	.backoff_base_ms = 500,
	.backoff_cap_ms = 30000,
};

static struct session s;
static struct ch_rng rng;
static struct ch_mono now;

static void
begin(void)
{
	ch_rng_seed(&rng, 42);
	now = (struct ch_mono){INT64_C(1000000000000)};
	session_init(&s, &limits, &rng);
}

static unsigned
event(enum session_event e)
{
	return session_step(&s,
		&(struct session_input){.event = e, .now = now, .room = true});
}

static unsigned
tick_after(int64_t ms)
{
	now.ns += ms * MS;
	return event(SESSION_TICK);
}

static void
go_live(void)
{
	begin();
	ck_assert_uint_eq(event(SESSION_START), SESSION_DO_CONNECT);
	ck_assert_uint_eq(event(SESSION_OPENED), SESSION_DO_SUBSCRIBE);
	ck_assert_int_eq(session_state(&s), SESSION_SUBSCRIBING);
	ck_assert_uint_eq(event(SESSION_DATA), 0);
	ck_assert_int_eq(session_state(&s), SESSION_LIVE);
}

/* From backing off to connecting; returns the wait. */
static int64_t
wait_and_reconnect(void)
{
	int64_t wait;

	ck_assert_int_eq(session_state(&s), SESSION_BACKING_OFF);
	wait = session_due_ms(&s, now);
	ck_assert_uint_eq(tick_after(wait), SESSION_DO_CONNECT);
	ck_assert_int_eq(session_state(&s), SESSION_CONNECTING);
	return wait;
}

START_TEST(it_pings_every_five_seconds)
{
	go_live();
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(session_due_ms(&s, now), 5000);
		ck_assert_uint_eq(tick_after(4999), 0);
		ck_assert_uint_eq(tick_after(1), SESSION_DO_PING);
		ck_assert_uint_eq(event(SESSION_DATA), 0);
	}
}
END_TEST

START_TEST(answered_pings_do_not_hide_missing_data)
{
	unsigned pings = 0;

	go_live();
	for (int i = 0; i < 19; i++) {
		unsigned actions = tick_after(1000);

		ck_assert_uint_eq(actions & ~SESSION_DO_PING, 0);
		pings += actions != 0 ? 1 : 0;
		(void)event(SESSION_OTHER);
	}
	ck_assert_uint_eq(pings, 3);
	ck_assert_uint_eq(tick_after(1000), SESSION_DO_CLOSE);
	ck_assert_int_eq(session_state(&s), SESSION_STALE);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(s.reason, SESSION_SILENT);
	(void)wait_and_reconnect();
	ck_assert_uint_eq(s.connection, 2);
}
END_TEST

START_TEST(a_subscription_that_never_delivers_is_tried_again)
{
	begin();
	(void)event(SESSION_START);
	(void)event(SESSION_OPENED);
	for (int i = 0; i < 19; i++) {
		(void)tick_after(1000);
		(void)event(SESSION_OTHER);
	}
	ck_assert_uint_eq(tick_after(1000), SESSION_DO_CLOSE);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(s.reason, SESSION_NO_DATA);
}
END_TEST

START_TEST(a_dead_peer_is_found_before_the_data_watch)
{
	go_live();
	(void)tick_after(5000);
	(void)tick_after(5000);
	ck_assert_uint_eq(tick_after(1999), 0);
	ck_assert_uint_eq(tick_after(1), SESSION_DO_CLOSE);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(s.reason, SESSION_NO_PONG);
}
END_TEST

START_TEST(backoff_grows_until_data_comes_not_until_it_connects)
{
	int64_t longest = 0;

	begin();
	(void)event(SESSION_START);
	for (int i = 0; i < 30; i++) {
		int64_t wait;

		/* opened, but dropped before any data */
		(void)event(SESSION_OPENED);
		(void)event(SESSION_OTHER);
		(void)event(SESSION_CLOSED);
		ck_assert_int_eq(s.reason, SESSION_DROPPED);
		wait = wait_and_reconnect();
		ck_assert_int_ge(wait, limits.backoff_base_ms);
		ck_assert_int_le(wait, limits.backoff_cap_ms);
		longest = wait > longest ? wait : longest;
	}
	ck_assert_int_gt(longest, 8000);
	ck_assert_uint_gt(s.backoff.attempt, 5);
	(void)event(SESSION_OPENED);
	(void)event(SESSION_DATA);
	ck_assert_uint_eq(s.backoff.attempt, 0);
	(void)event(SESSION_CLOSED);
	ck_assert_int_le(session_due_ms(&s, now), 2 * limits.backoff_base_ms);
}
END_TEST

START_TEST(waits_are_jittered)
{
	int64_t first = -1;
	int different = 0;

	begin();
	(void)event(SESSION_START);
	for (int i = 0; i < 20; i++)
		(void)(event(SESSION_CLOSED), wait_and_reconnect());
	for (int i = 0; i < 20; i++) {
		int64_t wait;

		(void)event(SESSION_CLOSED);
		wait = wait_and_reconnect();
		different += first >= 0 && wait != first ? 1 : 0;
		first = wait;
	}
	ck_assert_int_gt(different, 15);
}
END_TEST

START_TEST(a_refused_attempt_honours_retry_after)
{
	begin();
	(void)event(SESSION_START);
	(void)session_step(&s,
		&(struct session_input){.event = SESSION_CLOSED,
			.now = now,
			.retry_after_ms = 60000});
	ck_assert_int_eq(s.reason, SESSION_REFUSED);
	ck_assert_int_ge(session_due_ms(&s, now), 60500);
}
END_TEST

START_TEST(after_an_overflow_it_waits_for_room)
{
	go_live();
	ck_assert_uint_eq(event(SESSION_OVERFLOW), SESSION_DO_CLOSE);
	ck_assert_int_eq(session_state(&s), SESSION_CLOSING);
	ck_assert_uint_eq(event(SESSION_OVERFLOW), 0); /* rows still came */
	ck_assert_uint_eq(event(SESSION_DATA), 0);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(s.reason, SESSION_FULL);
	for (int i = 0; i < 100; i++) {
		now.ns += session_due_ms(&s, now) * MS;
		ck_assert_uint_eq(session_step(&s,
					  &(struct session_input){
						  .event = SESSION_TICK,
						  .now = now,
						  .room = false}),
			0);
		ck_assert_int_gt(session_due_ms(&s, now), 0);
	}
	(void)wait_and_reconnect();
}
END_TEST

START_TEST(stop_ends_each_state)
{
	begin();
	ck_assert_uint_eq(event(SESSION_STOP), 0);
	ck_assert_uint_eq(event(SESSION_START), 0); /* for good */
	begin();
	(void)event(SESSION_START);
	ck_assert_uint_eq(event(SESSION_STOP), SESSION_DO_CLOSE);
	ck_assert_uint_eq(event(SESSION_OPENED), 0);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(session_state(&s), SESSION_IDLE);
	go_live();
	ck_assert_uint_eq(event(SESSION_STOP), SESSION_DO_CLOSE);
	ck_assert_uint_eq(event(SESSION_STOP), 0);
	(void)event(SESSION_CLOSED);
	ck_assert_int_eq(session_state(&s), SESSION_IDLE);
	ck_assert_int_eq(session_due_ms(&s, now), -1);
	go_live();
	(void)event(SESSION_CLOSED);
	ck_assert_uint_eq(event(SESSION_STOP), 0);
	ck_assert_int_eq(session_state(&s), SESSION_IDLE);
}
END_TEST

/* Whatever comes in whatever order: connect and close alternate with the
 * CLOSED that they are owed, and no tick is due in the past for ever. */
START_TEST(any_order_of_events_keeps_its_promises)
{
	struct ch_rng events;
	int owed = 0; /* attempts under way */

	ch_rng_seed(&events, suite_seed());
	begin();
	for (int i = 0; i < 200000; i++) {
		enum session_event e =
			(enum session_event)ch_rng_below(&events, 8);
		unsigned actions;

		if (e == SESSION_STOP && !ch_rng_chance(&events, 1, 50))
			continue;
		if ((e == SESSION_CLOSED || e == SESSION_OPENED ||
			    e == SESSION_DATA || e == SESSION_OTHER ||
			    e == SESSION_OVERFLOW) &&
			owed == 0)
			continue;
		now.ns += (int64_t)ch_rng_below(&events, 4000) * MS;
		actions = session_step(&s,
			&(struct session_input){.event = e,
				.now = now,
				.room = ch_rng_chance(&events, 1, 2) != 0});
		owed -= e == SESSION_CLOSED ? 1 : 0;
		owed += (actions & SESSION_DO_CONNECT) ? 1 : 0;
		ck_assert_int_ge(owed, 0);
		ck_assert_int_le(owed, 1);
		ck_assert((actions & SESSION_DO_CLOSE) == 0 || owed == 1);
		ck_assert_int_eq(owed,
			session_state(&s) != SESSION_IDLE &&
				session_state(&s) != SESSION_BACKING_OFF);
		if (s.stopping && session_state(&s) == SESSION_IDLE)
			session_init(&s, &limits, &rng);
	}
}
END_TEST

SUITE_MAIN("session", it_pings_every_five_seconds,
	answered_pings_do_not_hide_missing_data,
	a_subscription_that_never_delivers_is_tried_again,
	a_dead_peer_is_found_before_the_data_watch,
	backoff_grows_until_data_comes_not_until_it_connects,
	waits_are_jittered, a_refused_attempt_honours_retry_after,
	after_an_overflow_it_waits_for_room, stop_ends_each_state,
	any_order_of_events_keeps_its_promises)
