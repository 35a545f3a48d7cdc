/* SPDX-License-Identifier: Apache-2.0 */
/* hook_due: whose page is next, and when to look again. */
#include "check_suite.h"

#include "hook_due.h"

#define MS INT64_C(1000000)

static struct endpoints endpoints;
static struct hook_sender *sender;
static struct hook_due due;
static struct ch_mono now;

static void
turn(int64_t ms_later)
{
	now.ns += ms_later * MS;
	hook_due_turn(&due, sender, now, (struct ch_time){0});
}

static void
set_up(void)
{
	static const char text[] = "[a]\nurl = https://h.example/\n"
				   "sign = false\nconcurrency = 1\n"
				   "[b]\nurl = https://h.example/\n"
				   "sign = false\nconcurrency = 1\n"
				   "[c]\nurl = https://h.example/\n"
				   "sign = false\nconcurrency = 1\n";
	struct ch_err err = CH_ERR_INIT;

	ck_assert_msg(endpoints_parse(ch_view_of(text), "e", &endpoints,
			      &err) == CH_OK,
		"%s", err.text);
	sender = hook_sender_open(&endpoints, NULL, &err);
	ck_assert_msg(sender != NULL, "%s", err.text);
	now.ns = 1000 * MS;
	hook_due_open(&due, &endpoints);
	turn(0);
}

static void
tear_down(void)
{
	hook_due_close(&due);
	hook_sender_close(sender);
	endpoints_free(&endpoints);
}

static void
expect_next(size_t endpoint)
{
	ck_assert(hook_due_choose(&due));
	ck_assert_uint_eq(due.lane, endpoint);
}

START_TEST(nothing_is_asked_for_where_nothing_may_be_due)
{
	ck_assert(!hook_due_choose(&due));
	ck_assert_int_eq(hook_due_next_ns(&due, now), -1);
	hook_due_mark(&due, 2);
	ck_assert_int_eq(hook_due_next_ns(&due, now), 0);
	expect_next(2);
}
END_TEST

START_TEST(endpoints_that_always_have_something_take_turns)
{
	hook_due_mark_all(&due);
	expect_next(1);
	expect_next(2);
	expect_next(0);
	expect_next(1);
}
END_TEST

START_TEST(one_without_room_is_passed_over_and_no_reason_to_turn)
{
	struct hook_flight *f;

	hook_due_mark(&due, 1);
	f = hook_sender_take(sender, 1);
	ck_assert(!hook_due_choose(&due));
	ck_assert_int_eq(hook_due_next_ns(&due, now), -1);
	hook_due_mark(&due, 0);
	expect_next(0);
	hook_sender_done(sender, f);
	expect_next(1);
}
END_TEST

START_TEST(what_is_tried_again_is_due_at_the_soonest_of_its_times)
{
	hook_due_again(&due, 1, (struct ch_mono){now.ns + 50 * MS});
	hook_due_again(&due, 1, (struct ch_mono){now.ns + 20 * MS});
	hook_due_again(&due, 1, (struct ch_mono){now.ns + 90 * MS});
	ck_assert(!hook_due_choose(&due));
	ck_assert_int_eq(hook_due_next_ns(&due, now), 20 * MS);
	turn(19);
	ck_assert(!hook_due_choose(&due));
	turn(1);
	expect_next(1);
	turn(1); /* its time is over, it is due until it is asked for */
	ck_assert_int_eq(hook_due_next_ns(&due, now), 0);
}
END_TEST

START_TEST(one_that_was_never_opened_is_given_up_and_closed)
{
	struct hook_due never = {NULL};

	hook_due_forget(&never);
	hook_due_close(&never);
}
END_TEST

FIXTURE_MAIN("hook_due", set_up, tear_down,
	nothing_is_asked_for_where_nothing_may_be_due,
	endpoints_that_always_have_something_take_turns,
	one_without_room_is_passed_over_and_no_reason_to_turn,
	what_is_tried_again_is_due_at_the_soonest_of_its_times,
	one_that_was_never_opened_is_given_up_and_closed)
