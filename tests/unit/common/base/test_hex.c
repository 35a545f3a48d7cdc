/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "check_suite.h"

START_TEST(all_bytes_come_back)
{
	unsigned char all[256];
	unsigned char back[256];
	char text[513];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	ch_hex_encode(all, sizeof(all), text);
	ck_assert_uint_eq(strlen(text), 512);
	ck_assert_mem_eq(text, "000102", 6);
	ck_assert_str_eq(text + 506, "fdfeff");
	ck_assert(ch_hex_decode(ch_view_of(text), back, sizeof(back)));
	ck_assert_mem_eq(all, back, sizeof(all));
}
END_TEST

START_TEST(both_cases_are_read_and_only_lower_is_written)
{
	unsigned char out[2];
	struct ch_buf b = CH_BUF_INIT;

	ck_assert(ch_hex_decode(CH_VIEW("aBFf"), out, sizeof(out)));
	ch_buf_adds(&b, "0x");
	ch_buf_add_hex(&b, out, sizeof(out));
	ck_assert_str_eq(ch_buf_str(&b), "0xabff");
	ch_buf_free(&b);
}
END_TEST

START_TEST(any_other_text_is_refused_and_writes_nothing)
{
	static const char *const cases[] = {"", "a", "abc", "abcde", "abcdef",
		"abcg", "0x12", "ab d", "AB-D", "/:@`", "abc\x80"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char out[2] = {1, 2};

		ck_assert_msg(!ch_hex_decode(ch_view_of(cases[i]), out,
				      sizeof(out)),
			"%s", cases[i]);
		ck_assert_mem_eq(out, "\1\2", 2);
	}
}
END_TEST

START_TEST(nothing_is_no_text)
{
	char text[1] = {'x'};
	struct ch_buf b = CH_BUF_INIT;

	ch_hex_encode(NULL, 0, text);
	ck_assert_str_eq(text, "");
	ck_assert(ch_hex_decode((struct ch_view){NULL, 0}, NULL, 0));
	ch_buf_add_hex(&b, NULL, 0);
	ck_assert_str_eq(ch_buf_str(&b), "");
	ch_buf_free(&b);
}
END_TEST

SUITE_MAIN("hex", all_bytes_come_back,
	both_cases_are_read_and_only_lower_is_written,
	any_other_text_is_refused_and_writes_nothing, nothing_is_no_text)
