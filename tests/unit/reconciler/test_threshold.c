/* SPDX-License-Identifier: Apache-2.0 */
#include "check_suite.h"
#include "threshold.h"

static struct threshold
read_threshold(const char *text)
{
	struct threshold t;
	struct ch_err err = CH_ERR_INIT;
	ck_assert_msg(threshold_parse(text, &t, &err) == 0, "%s", err.text);
	return t;
}

START_TEST(a_difference_above_the_threshold_pauses)
{
	struct threshold t = read_threshold("100");
	ck_assert_int_eq(threshold_weigh(&t, true, 100), THRESHOLD_ALERT);
	ck_assert_int_eq(threshold_weigh(&t, true, 101), THRESHOLD_PAUSE);
	ck_assert_int_eq(threshold_weigh(&t, true, INT64_MAX), THRESHOLD_PAUSE);
}
END_TEST

START_TEST(zero_pauses_on_any_difference_but_none)
{
	struct threshold t = read_threshold("0");
	ck_assert_int_eq(threshold_weigh(&t, true, 1), THRESHOLD_PAUSE);
	ck_assert_int_eq(threshold_weigh(&t, true, 0), THRESHOLD_ALERT);
	ck_assert_int_eq(threshold_weigh(&t, false, 0), THRESHOLD_OK);
	ck_assert_int_eq(threshold_weigh(&t, false, 7), THRESHOLD_OK);
}
END_TEST

START_TEST(never_only_alerts)
{
	struct threshold t = read_threshold(" never ");
	ck_assert_int_eq(threshold_weigh(&t, true, INT64_MAX), THRESHOLD_ALERT);
}
END_TEST

START_TEST(what_is_no_threshold_is_refused_with_its_text)
{
	static const char *const wrong[] = {"", "-1", "1.5", "always", "Never",
		"1 000", "9223372036854775808", "0x10"};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct threshold t;
		struct ch_err err = CH_ERR_INIT;
		ck_assert_int_eq(threshold_parse(wrong[i], &t, &err),
			CH_ECONFIG);
		ck_assert_ptr_nonnull(strstr(err.text, wrong[i]));
		ck_assert_ptr_nonnull(strstr(err.text, "never"));
	}
	ck_assert_int_eq(read_threshold("9223372036854775807").above,
		INT64_MAX);
}
END_TEST

START_TEST(an_organisation_is_paused_alone)
{
	struct scopes s;
	scopes_init(&s, 2);
	scopes_add(&s, CH_VIEW("acme"));
	scopes_add(&s, CH_VIEW("beta"));
	scopes_add(&s, CH_VIEW("acme"));
	ck_assert(!s.everybody);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_str_eq(scopes_of(&s, CH_VIEW("acme")), "acme");
	ck_assert_str_eq(scopes_of(&s, CH_VIEW("beta")), "beta");
	ck_assert_ptr_null(scopes_of(&s, CH_VIEW("gamma")));
}
END_TEST

START_TEST(more_organisations_than_the_limit_are_everybody)
{
	struct scopes s;
	scopes_init(&s, 2);
	scopes_add(&s, CH_VIEW("a"));
	scopes_add(&s, CH_VIEW("b"));
	scopes_add(&s, CH_VIEW("c"));
	ck_assert(s.everybody);
	ck_assert_str_eq(scopes_of(&s, CH_VIEW("a")), "trading");
	scopes_init(&s, 0);
	scopes_add(&s, CH_VIEW("a"));
	ck_assert(s.everybody);
}
END_TEST

START_TEST(what_has_no_organisation_is_everybody)
{
	char name[THRESHOLD_ORG_MAX + 1];
	struct scopes s;
	scopes_init(&s, 64);
	scopes_add(&s, CH_VIEW(""));
	ck_assert(s.everybody);
	/* a name that does not fit must not be taken for another */
	memset(name, 'x', sizeof(name));
	scopes_init(&s, 64);
	scopes_add(&s, (struct ch_view){name, sizeof(name)});
	ck_assert(s.everybody);
}
END_TEST

START_TEST(the_limit_has_a_limit)
{
	struct scopes s;
	char name[16];
	scopes_init(&s, 1000000);
	for (int i = 0; i < THRESHOLD_SCOPES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "org%d", i);
		scopes_add(&s, ch_view_of(name));
	}
	ck_assert(!s.everybody);
	scopes_add(&s, CH_VIEW("one more"));
	ck_assert(s.everybody);
}
END_TEST

SUITE_MAIN("threshold", a_difference_above_the_threshold_pauses,
	zero_pauses_on_any_difference_but_none, never_only_alerts,
	what_is_no_threshold_is_refused_with_its_text,
	an_organisation_is_paused_alone,
	more_organisations_than_the_limit_are_everybody,
	what_has_no_organisation_is_everybody, the_limit_has_a_limit)
