/* SPDX-License-Identifier: Apache-2.0 */
/* json_text: the grammar of RFC 8259, and nothing beside it. */
#include "check_suite.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "json_text.h"

START_TEST(what_is_json_is_told_from_what_is_not)
{
	static const char *const good[] = {"0", "-0.5e+10", "1E-2", "\"\"",
		" null\n", "true", "false", "[]", "{}", "[[], {}, [ ]]",
		"{\"\": {\"a\" :[1 ,2]} , \"b\":\t\"\\u00e4\\n\\/\"}",
		"\"\xc3\xa4\""};
	static const char *const bad[] = {"", " ", "01", "1.", ".5", "-", "+1",
		"1e", "nul", "nulls", "True", "'a'", "\"", "\"a", "\"\\\"",
		"\"\\x\"", "\"\\u12g4\"", "\"\n\"", "[", "]", "[1", "[1,]",
		"[,1]", "[1 2]", "[1]]", "[}", "{]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "{1:2}", "1 2",
		"[1],", "\"\xff\"", "\"\xed\xa0\x80\"", "//", "NaN"};
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		ck_assert_msg(json_text_is(ch_view_of(good[i])), "%s", good[i]);
	for (i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!json_text_is(ch_view_of(bad[i])), "%s", bad[i]);
	ck_assert(!json_text_is((struct ch_view){"\"\0\"", 3}));
	ck_assert(!json_text_is((struct ch_view){"1\0", 2}));
}
END_TEST

/* What the strict reader takes is JSON; without names, escapes and depth there
 * is nothing that it refuses beyond the grammar. */
START_TEST(it_agrees_with_the_strict_reader)
{
	static const char alphabet[] = "[]{}:,\"01-.eE tn";
	struct ch_rng rng;
	char text[12];
	int n, i, len, both = 0;

	ch_rng_seed(&rng, 7);
	for (n = 0; n < 200000; n++) {
		struct ch_arena arena = CH_ARENA_INIT;
		struct ch_view v;
		bool strict, is;

		len = 1 + (int)ch_rng_below(&rng, sizeof(text));
		for (i = 0; i < len; i++)
			text[i] = alphabet[ch_rng_below(&rng,
				sizeof(alphabet) - 1)];
		v = (struct ch_view){text, (size_t)len};
		strict = ch_json_parse(&arena, v, 100, NULL) != NULL;
		is = json_text_is(v);
		ck_assert_msg(is || !strict, "%.*s", len, text);
		ck_assert_msg(strict || !is || memchr(text, '{', (size_t)len),
			"%.*s", len, text);
		both += is && strict;
		ch_arena_free(&arena);
	}
	ck_assert_int_gt(both, 1000);
}
END_TEST

SUITE_MAIN("json_text", what_is_json_is_told_from_what_is_not,
	it_agrees_with_the_strict_reader)
