/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite: topics as Java's RegexRouter makes them. */
#include "check_suite.h"

#include "rewrite.h"

START_TEST(values_become_topics)
{
	static const struct {
		const char *regex, *replacement, *value, *topic;
	} cases[] = {
		{"(?<routedByValue>.*)", "outbox.event.${routedByValue}",
			"Order", "outbox.event.Order"},
		{"(?<routedByValue>.*)", "outbox.event.${routedByValue}", "",
			"outbox.event."},
		{"(.*)-(.*)", "$2.$1", "a-b", "b.a"},
		{"Order", "orders", "Order", "orders"},
		/* not the whole value: it stays */
		{"Order", "orders", "Orders", "Orders"},
		{"rder", "x", "Order", "Order"},
		/* whole, but the first match is shorter: that is replaced */
		{"a|ab", "x", "ab", "xb"},
		/* a group that took no part is nothing */
		{"(a)|(b)", "[$1$2]", "b", "[b]"},
		/* $12 is group 1 and a 2 when there are fewer groups */
		{"(.)(.*)", "$12", "ab", "a2"},
		{"(.)(.*)", "$0", "ab", "ab"},
		{"(?<n>.)(.*)", "\\$1\\\\${n}", "ab", "$1\\a"},
		{"(?i)order", "one", "ORDER", "one"},
		{"ü(.)", "u$1", "üé", "ué"},
		/* none of these is a class in a class, or a flag of Java's */
		{"[]a\\[&]+|\\[\\[a&&b\\]", "x", "[[a&&b]", "xb]"},
		{"[^]]\\Q[[&&]\\E(?<U>.)&&(?i-s:\\()", "${U}", "a[[&&]b&&(",
			"b"},
	};
	struct ch_buf out = CH_BUF_INIT;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct ch_err err = CH_ERR_INIT;
		struct rewrite *w =
			rewrite_new(cases[i].regex, cases[i].replacement, &err);

		ck_assert_msg(w != NULL, "%s", err.text);
		ch_buf_clear(&out);
		ck_assert_int_eq(rewrite_apply(w, ch_view_of(cases[i].value),
					 &out, &err),
			CH_OK);
		ck_assert_msg(ch_view_eq_str(ch_buf_view(&out), cases[i].topic),
			"%s: %s, not %s", cases[i].value, ch_buf_str(&out),
			cases[i].topic);
		rewrite_free(w);
	}
	ch_buf_free(&out);
}
END_TEST

START_TEST(wrong_ones_are_configuration_errors)
{
	static const struct {
		const char *regex, *replacement, *named;
	} cases[] = {
		{"(a", "x", "character 2"},
		{"a", "$1", "\"$1\""},
		{"(a)", "$", "names no group"},
		{"(?<n>a)", "${m}", "${m}"},
		{"(?<n>a)", "${n", "${n"},
		{"a", "x\\", "backslash"},
		/* Java's intersection, PCRE2's three characters and a "]" */
		{"[a-z&&[^o]]+", "x", "character 4"},
		{"(?<n>[^a[b]])", "x", "character 8"},
		{"[[:alpha:]]+", "x", "character 1"},
		{"[]&&a]", "x", "character 2"},
		{"\\Q[\\E(?iU)\\w", "x", "\"(?\""},
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct ch_err err = CH_ERR_INIT;

		ck_assert_ptr_null(rewrite_new(cases[i].regex,
			cases[i].replacement, &err));
		ck_assert_int_eq(err.code, CH_ECONFIG);
		ck_assert_msg(strstr(err.text, cases[i].named) != NULL, "%s",
			err.text);
	}
}
END_TEST

START_TEST(an_expression_that_explodes_is_given_up)
{
	struct ch_err err = CH_ERR_INIT;
	struct rewrite *w = rewrite_new("(a*)*b(?=c)", "x", &err);
	struct ch_buf value = CH_BUF_INIT, out = CH_BUF_INIT;
	int i, rc;

	for (i = 0; i < 60; i++)
		ch_buf_adds(&value, "aaaaaaaaaa");
	ch_buf_addc(&value, 'b');
	rc = rewrite_apply(w, ch_buf_view(&value), &out, &err);
	/* given up, or found not to match: never a wrong topic */
	ck_assert(rc == CH_EINVAL ||
		ch_view_eq(ch_buf_view(&out), ch_buf_view(&value)));
	ch_buf_free(&value);
	ch_buf_free(&out);
	rewrite_free(w);
}
END_TEST

SUITE_MAIN("rewrite", values_become_topics, wrong_ones_are_configuration_errors,
	an_expression_that_explodes_is_given_up)
