/* SPDX-License-Identifier: Apache-2.0 */
/* route: topics and policies. */
#include "check_suite.h"

#include <stdio.h>

#include "route.h"
#include "rows.h"

static struct route_table *
table(const char *const *rules)
{
	struct ch_err err = CH_ERR_INIT;
	struct route_table *t =
		route_new(&(struct route_options){.results_topic =
							  "ledger.results",
				  .outbox_prefix = "outbox.event.",
				  .results_policy = {ROUTE_SKIP, 0},
				  .outbox_policy = {ROUTE_BLOCK, 0},
				  .rules = rules},
			&err);

	ck_assert_msg(t != NULL, "%s", err.text);
	return t;
}

static void
expect(struct route_table *t, struct event *e, const char *topic,
	enum route_policy policy)
{
	struct route_topic *found = route_find(t, e, NULL);

	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->name, topic);
	ck_assert_int_eq(found->policy, policy);
	ck_assert_ptr_eq(route_find(t, e, NULL), found);
	event_free(e);
}

START_TEST(each_source_has_its_topic)
{
	struct ch_buf none = CH_BUF_INIT;
	struct route_table *t = table(NULL);

	bytea_array(&none, NULL, 0);
	expect(t, result_row(1, 1, "k", "{}"), "ledger.results", ROUTE_SKIP);
	expect(t, outbox_row(1, "Order", "k", "{}"), "outbox.event.Order",
		ROUTE_BLOCK);
	expect(t, outbox_row(1, "fleet.control", "k", "{}"), "fleet.control",
		ROUTE_BLOCK);
	expect(t, outbox_row(1, "fleet.alerts", "k", "{}"), "fleet.alerts",
		ROUTE_BLOCK);
	expect(t,
		rejected_row("ledger.commands", 0, ch_buf_view(&none),
			ch_buf_view(&none)),
		"ledger.commands.dlq", ROUTE_SKIP);
	route_free(t);
	ch_buf_free(&none);
}
END_TEST

START_TEST(rules_come_first)
{
	struct route_table *t = table((const char *const[]){
		"order=orders.v1:skip", "fleet.alerts=pager", NULL});

	expect(t, outbox_row(1, "order", "k", "{}"), "orders.v1", ROUTE_SKIP);
	expect(t, outbox_row(1, "fleet.alerts", "k", "{}"), "pager",
		ROUTE_BLOCK);
	route_free(t);
}
END_TEST

START_TEST(a_type_that_makes_no_topic_is_refused)
{
	static const char *const wrong[] = {
		"", "a b", "a/b", "\xc3\xa4", "a\n"};
	struct route_table *t = table(NULL);
	char longest[300];
	struct event *e;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		e = outbox_row(1, wrong[i], "k", "{}");
		ck_assert_ptr_null(route_find(t, e, NULL));
		event_free(e);
	}
	memset(longest, 'a', sizeof(longest));
	longest[240] = '\0';
	e = outbox_row(1, longest, "k", "{}");
	ck_assert_ptr_null(route_find(t, e, NULL));
	event_free(e);
	route_free(t);
}
END_TEST

START_TEST(topics_are_bounded)
{
	struct ch_buf name = CH_BUF_INIT;
	struct route_table *t = table(NULL);
	struct ch_err err = CH_ERR_INIT;
	struct event *e;
	char type[16];
	int i;

	for (i = 0; i < ROUTE_TOPICS_MAX - 1; i++) {
		snprintf(type, sizeof(type), "t%d", i);
		e = outbox_row(1, type, "k", "{}");
		ck_assert_ptr_nonnull(route_find(t, e, NULL));
		event_free(e);
	}
	e = outbox_row(1, "onemore", "k", "{}");
	ck_assert_ptr_null(route_find(t, e, &err));
	ck_assert_int_eq(err.code, CH_EFULL);
	route_name(t, e, &name);
	ck_assert_str_eq(ch_buf_str(&name), "outbox.event.onemore");
	ch_buf_free(&name);
	event_free(e);
	route_free(t);
}
END_TEST

START_TEST(a_policy_says_after_how_many_attempts)
{
	static const struct {
		const char *text;
		bool right;
		struct route_rule want;
	} rows[] = {{"block", true, {ROUTE_BLOCK, 0}},
		{"skip", true, {ROUTE_SKIP, 0}},
		{"skip-after-1", true, {ROUTE_SKIP, 1}},
		{"skip-after-100", true, {ROUTE_SKIP, 100}},
		{"skip-after-0", false, {ROUTE_BLOCK, 0}},
		{"skip-after-101", false, {ROUTE_BLOCK, 0}},
		{"skip-after-", false, {ROUTE_BLOCK, 0}},
		{"skip-after", false, {ROUTE_BLOCK, 0}},
		{"skip-after-3x", false, {ROUTE_BLOCK, 0}},
		{"", false, {ROUTE_BLOCK, 0}},
		{"drop", false, {ROUTE_BLOCK, 0}}};
	struct route_rule got;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(route_rule_read(ch_view_of(rows[i].text), &got) ==
				rows[i].right,
			"%s", rows[i].text);
		if (!rows[i].right)
			continue;
		ck_assert_int_eq(got.policy, rows[i].want.policy);
		ck_assert_uint_eq(got.attempts, rows[i].want.attempts);
	}
}
END_TEST

/* A key that a letter blocks is known before a row tells its route. */
START_TEST(a_stored_topic_takes_the_policy_of_its_route)
{
	struct route_table *t =
		table((const char *const[]){"order=orders:skip-after-4", NULL});
	struct route_topic *stored = route_stored(t, CH_VIEW("orders"), NULL);
	struct event *e = outbox_row(1, "order", "k", "{}");

	ck_assert_int_eq(stored->policy, ROUTE_BLOCK);
	ck_assert_ptr_eq(route_find(t, e, NULL), stored);
	ck_assert_int_eq(stored->policy, ROUTE_SKIP);
	ck_assert_uint_eq(stored->attempts, 4);
	ck_assert_ptr_eq(route_stored(t, CH_VIEW("orders"), NULL), stored);
	ck_assert_int_eq(stored->policy, ROUTE_SKIP);
	event_free(e);
	route_free(t);
}
END_TEST

START_TEST(wrong_rules_are_configuration_errors)
{
	static const char *const wrong[] = {"order", "=t", "order=", "o=a b",
		"o=t:later", "o=t:skip-after-0"};
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		const char *rules[] = {wrong[i], NULL};
		struct ch_err err = CH_ERR_INIT;

		ck_assert_ptr_null(
			route_new(&(struct route_options){.results_topic = "r",
					  .outbox_prefix = "p.",
					  .rules = rules},
				&err));
		ck_assert_int_eq(err.code, CH_ECONFIG);
	}
}
END_TEST

SUITE_MAIN("route", each_source_has_its_topic, rules_come_first,
	a_type_that_makes_no_topic_is_refused, topics_are_bounded,
	a_policy_says_after_how_many_attempts,
	a_stored_topic_takes_the_policy_of_its_route,
	wrong_rules_are_configuration_errors)
