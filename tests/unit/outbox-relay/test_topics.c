/* SPDX-License-Identifier: Apache-2.0 */
/* topics: which were met, and whose trial is next. */
#include "check_suite.h"

#include "rows.h"
#include "topics.h"

#define KEYS 3

static struct topics topics;
static struct route_topic orders = {.name = "orders", .number = 4};
static struct route_topic sales = {.name = "sales", .number = 1};
static struct event *rows[KEYS];

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){(ms + 1000) * 1000000};
}

static void
setup(void)
{
	static const char *const keys[KEYS] = {"a", "b", "a"};

	topics_init(&topics);
	for (int i = 0; i < KEYS; i++) {
		rows[i] = outbox_row(i, "Order", keys[i], "{}");
		rows[i]->topic = &orders;
	}
}

static void
teardown(void)
{
	for (int i = 0; i < KEYS; i++)
		event_free(rows[i]);
	topics_free(&topics);
}

static void
opens(struct topic *t)
{
	ck_assert(target_denied(&t->target, "TOPIC_AUTHORIZATION_FAILED", "no",
		at_ms(0)));
}

START_TEST(only_those_that_were_met_are_seen)
{
	struct topic *t;

	ck_assert_ptr_null(topics_next(&topics, NULL));
	(void)topics_of(&topics, &orders);
	(void)topics_of(&topics, &sales);
	(void)topics_of(&topics, &orders);
	t = topics_next(&topics, NULL);
	ck_assert_ptr_eq(t->route, &sales);
	t = topics_next(&topics, t);
	ck_assert_ptr_eq(t->route, &orders);
	ck_assert_ptr_null(topics_next(&topics, t));
	ck_assert_int_eq(topics_next_ms(&topics, at_ms(0)), -1);
}
END_TEST

START_TEST(one_keys_suspects_are_chosen_until_all_were_asked)
{
	struct topic *t = topics_of(&topics, &orders);

	ck_assert(!topics_is_due(&topics, rows[0]));
	topics_let_try(&topics, t);
	ck_assert(topics.any_due && topics_is_due(&topics, rows[0]));
	ck_assert(topics_choose(&topics, rows[0]));
	ck_assert(!topics_choose(&topics, rows[1]));
	ck_assert(topics_choose(&topics, rows[2]));
	topics_chosen(&topics);
	ck_assert(!topics.any_due && !topics_is_due(&topics, rows[0]));
	topics_let_try(&topics, t);
	ck_assert(topics_choose(&topics, rows[1]));
}
END_TEST

/* Two rows without a key have nothing in common. */
START_TEST(a_row_without_a_key_is_chosen_alone)
{
	struct topic *t = topics_of(&topics, &orders);
	struct event *e[2] = {
		result_row(1, 1, NULL, "{}"), result_row(1, 2, NULL, "{}")};

	e[0]->topic = e[1]->topic = &orders;
	topics_let_try(&topics, t);
	ck_assert(topics_choose(&topics, e[0]));
	ck_assert(!topics_choose(&topics, e[1]));
	event_free(e[0]);
	event_free(e[1]);
}
END_TEST

START_TEST(none_is_chosen_while_another_is_on_trial)
{
	struct topic *t = topics_of(&topics, &orders);

	topics_let_try(&topics, t);
	target_tried(&t->target, at_ms(0));
	ck_assert(!topics_choose(&topics, rows[0]));
}
END_TEST

START_TEST(a_topic_that_was_never_met_is_not_due)
{
	(void)topics_of(&topics, &sales);
	ck_assert(!topics_is_due(&topics, rows[0]));
}
END_TEST

/* Its rows wait for its breaker's time, not for a choice. */
START_TEST(an_open_topic_waits_for_its_time)
{
	struct topic *t = topics_of(&topics, &orders);
	int64_t ms;

	opens(t);
	topics_look_again(&topics, &orders);
	ck_assert(!topics.any_due);
	ms = topics_next_ms(&topics, at_ms(0));
	ck_assert_int_gt(ms, 0);
	ck_assert(!topics_let_waiting_ask(&topics, at_ms(ms / 4)));
	ck_assert(topics_let_waiting_ask(&topics, at_ms(ms)));
	ck_assert(!topics_let_waiting_ask(&topics, at_ms(ms)));
}
END_TEST

START_TEST(what_rested_is_looked_at_in_all_that_flow)
{
	opens(topics_of(&topics, &sales));
	(void)topics_of(&topics, &orders);
	topics_look_at_all(&topics);
	ck_assert(topics_is_due(&topics, rows[0]));
	ck_assert(!topics.all[sales.number].due);
	ck_assert(topics.all[sales.number].target.waiting);
}
END_TEST

START_TEST(what_was_dropped_is_not_in_hand)
{
	struct topic *t = topics_of(&topics, &orders);

	target_sent(&t->target, at_ms(0));
	topics_drop(&topics, at_ms(1));
	ck_assert_uint_eq(t->target.in_hand, 0);
}
END_TEST

START_TEST(those_that_do_not_exist_are_counted)
{
	(void)topics_of(&topics, &sales);
	ck_assert_int_eq(topics_missing(&topics), 0);
	topics_of(&topics, &orders)->presence.state = PRESENCE_MISSING;
	ck_assert_int_eq(topics_missing(&topics), 1);
}
END_TEST

FIXTURE_MAIN("topics", setup, teardown, only_those_that_were_met_are_seen,
	one_keys_suspects_are_chosen_until_all_were_asked,
	a_row_without_a_key_is_chosen_alone,
	none_is_chosen_while_another_is_on_trial,
	a_topic_that_was_never_met_is_not_due, an_open_topic_waits_for_its_time,
	what_rested_is_looked_at_in_all_that_flow,
	what_was_dropped_is_not_in_hand, those_that_do_not_exist_are_counted)
