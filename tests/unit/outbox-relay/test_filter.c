/* SPDX-License-Identifier: Apache-2.0 */
/* filter: expressions become predicates, or a refusal that names the place. */
#include "check_suite.h"

#include "corpus.h"
#include "filter.h"
#include "filter_input.h"

static void
check_sql(const char *text, const char *sql)
{
	struct ch_err err = CH_ERR_INIT;
	struct filter f;
	int rc = filter_compile(ch_view_of(text), 7, &f, &err);

	ck_assert_msg(rc == CH_OK, "%s: %s", text, err.text);
	ck_assert_str_eq(ch_buf_str(&f.sql), sql);
	filter_free(&f);
}

START_TEST(each_field_is_compared_as_its_type)
{
	check_sql("class = 'x'", "coalesce(error_class = $7, false)");
	check_sql("topic !~ '^a'", "NOT coalesce(topic ~ $7, false)");
	check_sql("key = 'k'", "coalesce(record_key = $7, false)");
	check_sql("value ~ 'v'", "coalesce(letter_text(value) ~ $7, false)");
	check_sql("partition != 3", "NOT coalesce(part = $7, false)");
	check_sql("bytes >= 10", "coalesce(octet_length(value) >= $7, false)");
	check_sql("age > 2h",
		"coalesce(extract(epoch FROM now() - at) * 1000000 > $7, "
		"false)");
	check_sql("at < '2026-11-29T08:00:00Z'", "coalesce(at < $7, false)");
	check_sql("header.foo = 'bar'",
		"EXISTS (SELECT FROM unnest(header_names, header_values) AS h "
		"(n, v) WHERE h.n = $7 AND h.v = $8)");
	check_sql("header.'odd name' !~ \"b\"",
		"NOT EXISTS (SELECT FROM unnest(header_names, header_values) "
		"AS h (n, v) WHERE h.n = $7 AND letter_text(h.v) ~ $8)");
}
END_TEST

/* What is asked for by the name of before is found by that of now. */
START_TEST(records_that_are_too_large_have_one_class)
{
	static const struct {
		const char *text, *value;
	} cases[] = {{"class = 'MSG_SIZE_TOO_LARGE'", "too_large"},
		{"class in ('MSG_SIZE_TOO_LARGE')", "too_large"},
		{"class != 'too_large'", "too_large"},
		{"class ~ 'MSG_SIZE_TOO_LARGE'", "MSG_SIZE_TOO_LARGE"},
		{"reason = 'MSG_SIZE_TOO_LARGE'", "MSG_SIZE_TOO_LARGE"}};
	struct filter f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_int_eq(filter_compile(ch_view_of(cases[i].text), 7,
					 &f, NULL),
			CH_OK);
		ck_assert(ch_view_eq_str(f.args[0].text, cases[i].value));
		filter_free(&f);
	}
}
END_TEST

START_TEST(and_binds_closer_than_or_and_not_closest)
{
	check_sql("not class='a' or class='b' AND kind='c'",
		"NOT coalesce(error_class = $7, false) OR "
		"coalesce(error_class = $8, false) AND "
		"coalesce(kind = $9, false)");
	check_sql("(class='a' or class='b') and not (kind='c')",
		"(coalesce(error_class = $7, false) OR "
		"coalesce(error_class = $8, false)) AND NOT "
		"(coalesce(kind = $9, false))");
	check_sql("key not in ('a','b')",
		"NOT (coalesce(record_key = $7, false) OR "
		"coalesce(record_key = $8, false))");
	check_sql("attempts in (1)", "(coalesce(attempts = $7, false))");
}
END_TEST

START_TEST(values_travel_as_arguments)
{
	struct filter f;

	ck_assert_int_eq(filter_compile(CH_VIEW("topic = 'it''s; --\"' and "
						"age<=90s and replays=-1 and "
						"at>'1970-01-01T00:00:01Z'"),
				 1, &f, NULL),
		CH_OK);
	ck_assert_uint_eq(f.arg_count, 4);
	ck_assert(ch_view_eq_str(f.args[0].text, "it's; --\""));
	ck_assert_int_eq(f.args[0].type, FILTER_TEXT);
	ck_assert_int_eq(f.args[1].number, 90000000);
	ck_assert_int_eq(f.args[2].number, -1);
	ck_assert_int_eq(f.args[3].type, FILTER_TIME);
	ck_assert_int_eq(f.args[3].number, 1000000);
	ck_assert(strstr(ch_buf_str(&f.sql), "it's") == NULL);
	ck_assert(!f.names_state);
	filter_free(&f);
	ck_assert_int_eq(filter_compile(CH_VIEW("state = 'x'"), 1, &f, NULL),
		CH_OK);
	ck_assert(f.names_state);
	filter_free(&f);
}
END_TEST

static void
check_refused(const char *text, const char *said)
{
	struct ch_err err = CH_ERR_INIT;
	struct filter f;

	ck_assert_msg(filter_compile(ch_view_of(text), 1, &f, &err) ==
			CH_EINVAL,
		"%s", text);
	ck_assert_msg(strncmp(err.text, said, strlen(said)) == 0,
		"%s: \"%s\" is not \"%s\"", text, err.text, said);
	filter_free(&f);
}

START_TEST(a_refusal_names_place_found_and_expected)
{
	check_refused("", "filter, byte 1: found the end, expected a field: ");
	check_refused("clas = 'x'",
		"filter, byte 1: found `clas`, expected a field: ");
	check_refused("class 'x'",
		"filter, byte 7: found `'x'`, expected one of = != ~ !~ in");
	check_refused("class < 'x'",
		"filter, byte 7: found `<`, expected one of = != ~ !~ in");
	check_refused("age ~ 'x'",
		"filter, byte 5: found `~`, expected one of = != < <= > >= in");
	check_refused("class = x",
		"filter, byte 9: found `x`, expected a text in quotes");
	check_refused("age > 2",
		"filter, byte 7: found `2`, expected a duration: 90s");
	check_refused("at > 'noon'",
		"filter, byte 6: found `'noon'`, expected a time like ");
	check_refused("bytes = 1h",
		"filter, byte 9: found `1h`, expected a number");
	check_refused("class = 'x",
		"filter, byte 9: the text that begins here has no closing");
	check_refused("class = 'x' class = 'y'",
		"filter, byte 13: found `class`, expected and, or or the end");
	check_refused("(class = 'x'",
		"filter, byte 13: found the end, expected and, or or )");
	check_refused("class in 'x'",
		"filter, byte 10: found `'x'`, expected ( and the values");
	check_refused("class in ('x' 'y')",
		"filter, byte 15: found `'y'`, expected , or )");
	check_refused("class not = 'x'",
		"filter, byte 11: found `=`, expected in");
	check_refused("header. = 'x'",
		"filter, byte 9: found `=`, expected the header's name");
	check_refused("class = 'x'; DROP",
		"filter, byte 12: found `;`, expected and, or or the end");
	check_refused("\xff", "filter, byte 1: it is no UTF-8 text");
}
END_TEST

START_TEST(depth_length_and_values_are_bounded)
{
	struct ch_buf b = CH_BUF_INIT;
	int i;

	for (i = 0; i < FILTER_DEPTH_MAX; i++)
		ch_buf_addc(&b, '(');
	ch_buf_adds(&b, "class = 'x'");
	check_refused(ch_buf_str(&b),
		"filter, byte 17: more than 16 levels of not and ( )");
	ch_buf_clear(&b);
	for (i = 0; i < FILTER_ARGS_MAX; i++)
		ch_buf_adds(&b, "bytes = 1 or ");
	ch_buf_adds(&b, "bytes = 1");
	check_refused(ch_buf_str(&b),
		"filter, byte 321: more than 24 values: ");
	ch_buf_clear(&b);
	for (i = 0; i <= FILTER_TEXT_MAX; i++)
		ch_buf_addc(&b, ' ');
	check_refused(ch_buf_str(&b), "filter: 4097 bytes, at most 4096: ");
	ch_buf_free(&b);
}
END_TEST

START_TEST(a_duration_has_a_unit)
{
	int64_t us = 0;

	ck_assert(filter_duration(CH_VIEW("2h"), &us));
	ck_assert_int_eq(us, 7200000000);
	ck_assert(!filter_duration(CH_VIEW("2"), &us));
	ck_assert(!filter_duration(CH_VIEW("h"), &us));
	ck_assert(!filter_duration(CH_VIEW("-1h"), &us));
	ck_assert(!filter_duration(CH_VIEW("100001d"), &us));
}
END_TEST

START_TEST(the_corpus_of_the_fuzzer_holds)
{
	corpus_replay("filter", 100, filter_check);
}
END_TEST

SUITE_MAIN("filter", each_field_is_compared_as_its_type,
	records_that_are_too_large_have_one_class,
	and_binds_closer_than_or_and_not_closest, values_travel_as_arguments,
	a_refusal_names_place_found_and_expected,
	depth_length_and_values_are_bounded, a_duration_has_a_unit,
	the_corpus_of_the_fuzzer_holds)
