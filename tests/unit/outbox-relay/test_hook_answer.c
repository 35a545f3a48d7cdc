/* SPDX-License-Identifier: Apache-2.0 */
/* hook_answer: what a letter says of an answer, and hostile answers. */
#include "check_suite.h"

#include "answer_input.h"
#include "corpus.h"
#include "hook_answer.h"

static void
expect(const struct hook_flight *f, const char *class, const char *reason)
{
	char found[HOOK_ANSWER_CLASS_MAX];
	struct ch_buf b = CH_BUF_INIT;

	hook_answer_class(f, found);
	hook_answer_reason(f, &b);
	ck_assert_str_eq(found, class);
	ck_assert_str_eq(ch_buf_str(&b), reason);
	ch_buf_free(&b);
}

START_TEST(an_answer_stands_between_quotes)
{
	struct hook_flight f = {.class = CH_HTTP_OK, .status = 422};

	ch_buf_adds(&f.response, "no \"such\"\norder");
	expect(&f, "http_422", "answered 422: \"no 'such'\\x0aorder\"");
	ch_buf_free(&f.response);
}
END_TEST

START_TEST(a_redirect_says_what_to_do)
{
	struct hook_flight f = {.class = CH_HTTP_OK, .status = 308};

	expect(&f, "http_308",
		"answered 308 (redirects are not followed: name its end as "
		"url): \"\"");
}
END_TEST

START_TEST(what_was_no_answer_has_a_class_of_its_own)
{
	struct hook_flight f = {
		.class = CH_HTTP_PROTOCOL, .reason = "cut \x1b[2J off"};

	expect(&f, "http_protocol", "cut \\x1b[2J off");
}
END_TEST

START_TEST(the_corpus_of_the_fuzzer_holds)
{
	corpus_replay("answer", 100, answer_check);
}
END_TEST

SUITE_MAIN("hook_answer", an_answer_stands_between_quotes,
	a_redirect_says_what_to_do, what_was_no_answer_has_a_class_of_its_own,
	the_corpus_of_the_fuzzer_holds)
