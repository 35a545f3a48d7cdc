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
				  .results_policy = ROUTE_SKIP,
				  .outbox_policy = ROUTE_BLOCK,
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
	event_free(e);
	route_free(t);
}
END_TEST

START_TEST(wrong_rules_are_configuration_errors)
{
	static const char *const wrong[] = {
		"order", "=t", "order=", "o=a b", "o=t:later"};
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
	wrong_rules_are_configuration_errors)
