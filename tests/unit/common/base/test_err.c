/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "check_suite.h"

START_TEST(set_returns_the_code_and_fills_the_text)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_int_eq(ch_err_set(&err, CH_ERANGE, "limit %d", 7), CH_ERANGE);
	ck_assert_int_eq(err.code, CH_ERANGE);
	ck_assert_str_eq(err.text, "limit 7");
}
END_TEST

START_TEST(set_forgets_the_sqlstate_of_an_older_error)
{
	struct ch_err err = {CH_ESQL, "40001", "old"};

	(void)ch_err_set(&err, CH_EIO, "new");
	ck_assert_str_eq(err.sqlstate, "");
}
END_TEST

START_TEST(a_null_err_still_gives_a_code)
{
	ck_assert_int_eq(ch_err_set(NULL, CH_EFULL, "x"), CH_EFULL);
	ck_assert_int_eq(ch_err_errno(NULL, ENOENT, "x"), CH_EIO);
	ck_assert_int_eq(ch_err_wrap(NULL, "x"), CH_EIO);
	ch_err_clear(NULL);
}
END_TEST

START_TEST(control_characters_become_spaces)
{
	struct ch_err err = CH_ERR_INIT;

	(void)ch_err_set(&err, CH_EIO, "%s", "a\nb\r\nc\td\x1b[0m\x7f");
	ck_assert_str_eq(err.text, "a b  c d [0m ");
}
END_TEST

START_TEST(an_error_may_be_an_argument_of_its_own_text)
{
	struct ch_err err = CH_ERR_INIT;

	(void)ch_err_set(&err, CH_EIO, "first");
	(void)ch_err_set(&err, CH_EKAFKA, "second, after %s", err.text);
	ck_assert_str_eq(err.text, "second, after first");
	(void)ch_err_wrap(&err, "around %s", err.text);
	ck_assert_str_eq(err.text,
		"around second, after first: second, after first");
}
END_TEST

START_TEST(wrap_puts_context_before_and_keeps_code_and_sqlstate)
{
	struct ch_err err = {CH_ESQL, "23505", "duplicate key"};

	ck_assert_int_eq(ch_err_wrap(&err, "insert into %s", "t"), CH_ESQL);
	ck_assert_str_eq(err.text, "insert into t: duplicate key");
	ck_assert_str_eq(err.sqlstate, "23505");
}
END_TEST

START_TEST(errno_adds_the_systems_text)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_int_eq(ch_err_errno(&err, ENOENT, "open %s", "f"), CH_EIO);
	ck_assert_str_eq(err.text, "open f: No such file or directory");
}
END_TEST

START_TEST(a_long_text_is_cut_to_the_limit)
{
	struct ch_err err = CH_ERR_INIT;
	char big[2 * CH_ERR_TEXT_MAX];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)ch_err_set(&err, CH_EIO, "%s", big);
	ck_assert_uint_eq(strlen(err.text), CH_ERR_TEXT_MAX - 1);
	(void)ch_err_wrap(&err, "%s", big);
	ck_assert_uint_eq(strlen(err.text), CH_ERR_TEXT_MAX - 1);
}
END_TEST

START_TEST(a_cut_never_leaves_half_a_character)
{
	/* one, two, three and four bytes each, at every offset */
	static const char *const characters[] = {
		"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	for (size_t c = 0; c < COUNT(characters); c++) {
		size_t n = strlen(characters[c]);

		for (size_t shift = 0; shift < 5; shift++) {
			struct ch_err err = CH_ERR_INIT;
			char big[CH_ERR_TEXT_MAX + 64] = "";

			memset(big, 'a', shift);
			for (size_t at = shift; at + n < sizeof(big); at += n)
				memcpy(big + at, characters[c], n);
			(void)ch_err_set(&err, CH_EIO, "%s", big);
			ck_assert_uint_eq((strlen(err.text) - shift) % n, 0);
			ck_assert_uint_gt(strlen(err.text),
				CH_ERR_TEXT_MAX - 1 - 4);
		}
	}
}
END_TEST

START_TEST(clear_leaves_an_empty_error)
{
	struct ch_err err = {CH_ESQL, "23505", "text"};

	ch_err_clear(&err);
	ck_assert_int_eq(err.code, CH_OK);
	ck_assert_str_eq(err.text, "");
	ck_assert_str_eq(err.sqlstate, "");
}
END_TEST

START_TEST(every_code_has_its_name)
{
	static const struct {
		enum ch_code code;
		const char *name;
	} cases[] = {{CH_OK, "OK"}, {CH_EINVAL, "EINVAL"},
		{CH_ERANGE, "ERANGE"}, {CH_ENOTFOUND, "ENOTFOUND"},
		{CH_EFULL, "EFULL"}, {CH_ETIMEOUT, "ETIMEOUT"}, {CH_EIO, "EIO"},
		{CH_ECLOSED, "ECLOSED"}, {CH_ESQL, "ESQL"},
		{CH_EKAFKA, "EKAFKA"}, {CH_EFENCED, "EFENCED"},
		{CH_ECONFIG, "ECONFIG"}, {CH_EPROTO, "EPROTO"},
		{CH_EEXIST, "EEXIST"}, {(enum ch_code) - 99, "EUNKNOWN"},
		{(enum ch_code)1, "EUNKNOWN"}};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_str_eq(ch_code_name(cases[i].code), cases[i].name);
}
END_TEST

SUITE_MAIN("err", set_returns_the_code_and_fills_the_text,
	set_forgets_the_sqlstate_of_an_older_error,
	a_null_err_still_gives_a_code, control_characters_become_spaces,
	an_error_may_be_an_argument_of_its_own_text,
	wrap_puts_context_before_and_keeps_code_and_sqlstate,
	errno_adds_the_systems_text, a_long_text_is_cut_to_the_limit,
	a_cut_never_leaves_half_a_character, clear_leaves_an_empty_error,
	every_code_has_its_name)
