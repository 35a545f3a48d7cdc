/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/str.h"
#include "check_suite.h"

#define EMPTY ((struct ch_view){NULL, 0})

START_TEST(views_are_equal_by_their_bytes)
{
	ck_assert(ch_view_eq(CH_VIEW("abc"), ch_view_of("abc")));
	ck_assert(!ch_view_eq(CH_VIEW("abc"), CH_VIEW("abd")));
	ck_assert(!ch_view_eq(CH_VIEW("abc"), CH_VIEW("ab")));
	ck_assert(ch_view_eq(EMPTY, CH_VIEW("")));
	ck_assert(ch_view_eq(CH_VIEW("a\0b"), CH_VIEW("a\0b")));
	ck_assert(!ch_view_eq(CH_VIEW("a\0b"), CH_VIEW("a\0c")));
	ck_assert(ch_view_eq_str(CH_VIEW("abc"), "abc"));
	ck_assert(!ch_view_eq_str(CH_VIEW("a\0b"), "a"));
	ck_assert(ch_view_eq_str(EMPTY, NULL));
}
END_TEST

START_TEST(order_is_bytewise_and_a_prefix_comes_first)
{
	ck_assert_int_lt(ch_view_cmp(CH_VIEW("a"), CH_VIEW("b")), 0);
	ck_assert_int_lt(ch_view_cmp(CH_VIEW("a"), CH_VIEW("aa")), 0);
	ck_assert_int_gt(ch_view_cmp(CH_VIEW("\xff"), CH_VIEW("a")), 0);
	ck_assert_int_eq(ch_view_cmp(EMPTY, CH_VIEW("")), 0);
	ck_assert_int_lt(ch_view_cmp(EMPTY, CH_VIEW("a")), 0);
}
END_TEST

START_TEST(starts_finds_prefixes_only)
{
	ck_assert(ch_view_starts(CH_VIEW("abc"), CH_VIEW("ab")));
	ck_assert(ch_view_starts(CH_VIEW("abc"), EMPTY));
	ck_assert(ch_view_starts(EMPTY, EMPTY));
	ck_assert(!ch_view_starts(CH_VIEW("ab"), CH_VIEW("abc")));
	ck_assert(!ch_view_starts(CH_VIEW("abc"), CH_VIEW("b")));
}
END_TEST

START_TEST(trim_takes_white_space_from_both_ends)
{
	ck_assert(ch_view_eq_str(ch_view_trim(CH_VIEW(" \t\r\n\v\fa b ")),
		"a b"));
	ck_assert_uint_eq(ch_view_trim(CH_VIEW("  \n")).len, 0);
	ck_assert_uint_eq(ch_view_trim(EMPTY).len, 0);
}
END_TEST

START_TEST(split_gives_one_part_more_than_separators)
{
	static const struct {
		const char *text;
		size_t n;
		const char *parts[4];
	} cases[] = {{"", 0, {NULL}}, {"a", 1, {"a"}}, {",", 2, {"", ""}},
		{"a,", 2, {"a", ""}}, {",a", 2, {"", "a"}},
		{"a,bc,,d", 4, {"a", "bc", "", "d"}}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_view rest = ch_view_of(cases[i].text);
		struct ch_view part;
		size_t n = 0;

		while (ch_view_split(&rest, ',', &part)) {
			ck_assert_uint_lt(n, cases[i].n);
			ck_assert(ch_view_eq_str(part, cases[i].parts[n]));
			n++;
		}
		ck_assert_uint_eq(n, cases[i].n);
		ck_assert(!ch_view_split(&rest, ',', &part));
	}
}
END_TEST

START_TEST(an_empty_part_has_no_parts)
{
	static const char *const texts[] = {",", "a,", ",a", "a,,b"};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct ch_view rest = ch_view_of(texts[i]);
		struct ch_view part, inner;
		size_t empty = 0;

		while (ch_view_split(&rest, ',', &part)) {
			ck_assert_ptr_nonnull(part.ptr);
			if (part.len > 0)
				continue;
			empty++;
			ck_assert(!ch_view_split(&part, ':', &inner));
		}
		ck_assert_uint_ge(empty, 1);
		ck_assert(!ch_view_split(&part, ',', &inner));
	}
}
END_TEST

START_TEST(integers_are_read_up_to_both_ends_of_int64)
{
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} cases[] = {{"0", 0, 0}, {"-0", 0, 0}, {"007", 0, 7}, {"-12", 0, -12},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"9223372036854775808", CH_ERANGE, 0},
		{"-9223372036854775809", CH_ERANGE, 0},
		{"99999999999999999999999999", CH_ERANGE, 0},
		{"99999999999999999999999999x", CH_EINVAL, 0},
		{"", CH_EINVAL, 0}, {"-", CH_EINVAL, 0}, {"+1", CH_EINVAL, 0},
		{" 1", CH_EINVAL, 0}, {"1 ", CH_EINVAL, 0},
		{"--1", CH_EINVAL, 0}, {"1.0", CH_EINVAL, 0},
		{"0x10", CH_EINVAL, 0}, {"1e3", CH_EINVAL, 0}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t value = 4711;
		int rc = ch_view_int(ch_view_of(cases[i].text), INT64_MIN,
			INT64_MAX, &value);

		ck_assert_msg(rc == cases[i].rc, "'%s': %d", cases[i].text, rc);
		ck_assert_int_eq(value, rc == 0 ? cases[i].value : 4711);
	}
}
END_TEST

START_TEST(integers_keep_to_the_callers_limits)
{
	int64_t value = 0;

	ck_assert_int_eq(ch_view_int(CH_VIEW("5"), 5, 5, &value), 0);
	ck_assert_int_eq(ch_view_int(CH_VIEW("4"), 5, 9, &value), CH_ERANGE);
	ck_assert_int_eq(ch_view_int(CH_VIEW("10"), 5, 9, &value), CH_ERANGE);
	ck_assert_int_eq(value, 5);
}
END_TEST

START_TEST(utf8_is_checked_as_rfc_3629_says)
{
	static const struct {
		struct ch_view text;
		bool ok;
	} cases[] = {{{"", 0}, true}, {{NULL, 0}, true},
		{{"plain ascii of more than eight bytes", 36}, true},
		{{"\0", 1}, true}, {{"\x7f", 1}, true}, {{"\xc2\x80", 2}, true},
		{{"\xdf\xbf", 2}, true}, {{"\xe0\xa0\x80", 3}, true},
		{{"\xed\x9f\xbf", 3}, true}, {{"\xee\x80\x80", 3}, true},
		{{"\xef\xbf\xbf", 3}, true}, {{"\xf0\x90\x80\x80", 4}, true},
		{{"\xf4\x8f\xbf\xbf", 4}, true},
		{{"12345678\xc3\xa9", 10}, true}, {{"\x80", 1}, false},
		{{"\xc0\xaf", 2}, false}, {{"\xc1\xbf", 2}, false},
		{{"\xc2", 1}, false}, {{"\xc2\x7f", 2}, false},
		{{"\xe0\x9f\xbf", 3}, false}, {{"\xed\xa0\x80", 3}, false},
		{{"\xed\xbf\xbf", 3}, false}, {{"\xe2\x82", 2}, false},
		{{"\xe2\x82(", 3}, false}, {{"\xf0\x8f\xbf\xbf", 4}, false},
		{{"\xf4\x90\x80\x80", 4}, false},
		{{"\xf5\x80\x80\x80", 4}, false}, {{"\xff", 1}, false},
		{{"\xf0\x9f\x98", 3}, false}, {{"12345678\xc3", 9}, false},
		{{"1234567\xff", 8}, false}};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(ch_view_is_utf8(cases[i].text) == cases[i].ok,
			"case %zu", i);
}
END_TEST

START_TEST(copy_ends_with_nul_or_leaves_nothing)
{
	char dst[4] = "zzz";

	ck_assert_int_eq(ch_view_copy(CH_VIEW("abc"), dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "abc");
	ck_assert_int_eq(ch_view_copy(CH_VIEW("abcd"), dst, sizeof(dst)),
		CH_ERANGE);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(ch_view_copy(CH_VIEW("a\0b"), dst, sizeof(dst)),
		CH_EINVAL);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(ch_view_copy(EMPTY, dst, sizeof(dst)), 0);
	ck_assert_int_eq(ch_view_copy(EMPTY, dst, 0), CH_ERANGE);
}
END_TEST

START_TEST(a_buffer_is_a_c_string_at_any_time)
{
	struct ch_buf b = CH_BUF_INIT;

	ck_assert_str_eq(ch_buf_str(&b), "");
	ck_assert_uint_eq(ch_buf_view(&b).len, 0);
	ch_buf_add(&b, NULL, 0);
	ck_assert_str_eq(ch_buf_str(&b), "");
	ch_buf_adds(&b, "one");
	ch_buf_addc(&b, ' ');
	ch_buf_addv(&b, CH_VIEW("two"));
	ck_assert_str_eq(ch_buf_str(&b), "one two");
	ch_buf_clear(&b);
	ck_assert_str_eq(ch_buf_str(&b), "");
	ch_buf_free(&b);
	ch_buf_adds(&b, "usable");
	ck_assert_str_eq(ch_buf_str(&b), "usable");
	ch_buf_free(&b);
}
END_TEST

START_TEST(a_buffer_grows_by_single_bytes_and_by_large_pieces)
{
	struct ch_buf b = CH_BUF_INIT;

	for (int i = 0; i < 10000; i++)
		ch_buf_addc(&b, (char)('a' + i % 26));
	ck_assert_uint_eq(b.len, 10000);
	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(b.ptr[i], 'a' + i % 26);
	ch_buf_reserve(&b, 1 << 20);
	ck_assert_uint_ge(b.cap, 10000 + (1 << 20) + 1);
	ck_assert_uint_eq(strlen(b.ptr), 10000);
	ch_buf_free(&b);
}
END_TEST

START_TEST(printf_fits_texts_shorter_and_longer_than_the_room)
{
	struct ch_buf b = CH_BUF_INIT;

	for (int width = 1; width < 600; width++) {
		ch_buf_clear(&b);
		ch_buf_adds(&b, "<");
		ch_buf_printf(&b, "%*d>", width, 7);
		ck_assert_uint_eq(b.len, (size_t)width + 2);
		ck_assert_int_eq(b.ptr[b.len - 1], '>');
		ck_assert_int_eq(b.ptr[b.len], '\0');
	}
	ch_buf_free(&b);
}
END_TEST

START_TEST(big_endian_integers_have_the_high_byte_first)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_add_be16(&b, 0x0102);
	ch_buf_add_be32(&b, 0x03040506);
	ch_buf_add_be64(&b, UINT64_C(0x0708090a0b0c0d0e));
	ck_assert_mem_eq(b.ptr, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe", 14);
	ck_assert_uint_eq(ch_be16(b.ptr), 0x0102);
	ck_assert_uint_eq(ch_be32(b.ptr + 2), 0x03040506);
	ck_assert_uint_eq(ch_be64(b.ptr + 6), UINT64_C(0x0708090a0b0c0d0e));
	ch_put_be32(b.ptr, 0x11121314);
	ch_put_be64(b.ptr + 4, UINT64_C(0x15161718191a1b1c));
	ck_assert_uint_eq(ch_be32(b.ptr), 0x11121314);
	ck_assert_uint_eq(ch_be64(b.ptr + 4), UINT64_C(0x15161718191a1b1c));
	ck_assert_mem_eq(b.ptr + 12, "\xd\xe", 2);
	ch_buf_free(&b);
}
END_TEST

START_TEST(decimal_text_reaches_both_ends_of_int64)
{
	static const struct {
		int64_t value;
		const char *text;
	} cases[] = {{0, "0"}, {-1, "-1"}, {10, "10"},
		{INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_buf b = CH_BUF_INIT;

		ch_buf_add_i64(&b, cases[i].value);
		ck_assert_str_eq(ch_buf_str(&b), cases[i].text);
		ch_buf_free(&b);
	}
}
END_TEST

START_TEST(what_a_terminal_would_obey_is_shown_as_hex)
{
	static const struct {
		struct ch_view text;
		size_t max;
		const char *shown;
	} cases[] = {{CH_VIEW("plain \xc3\xa9"), 100, "plain \xc3\xa9"},
		{CH_VIEW("a\0b\n\x1b[1m\x7f"), 100,
			"a\\x00b\\x0a\\x1b[1m\\x7f"},
		{CH_VIEW("\xc2\x9b\xc2\xa0"), 100, "\\xc2\\x9b\xc2\xa0"},
		{CH_VIEW("\xff\xc3"), 100, "\\xff\\xc3"},
		{CH_VIEW("abcdef"), 4, "abcd... (6 bytes)"},
		{CH_VIEW(""), 4, ""}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_buf b = CH_BUF_INIT;

		ch_buf_add_printable(&b, cases[i].text, cases[i].max);
		ck_assert_str_eq(ch_buf_str(&b), cases[i].shown);
		ch_buf_free(&b);
	}
}
END_TEST

SUITE_MAIN("str", views_are_equal_by_their_bytes,
	order_is_bytewise_and_a_prefix_comes_first, starts_finds_prefixes_only,
	trim_takes_white_space_from_both_ends,
	split_gives_one_part_more_than_separators, an_empty_part_has_no_parts,
	integers_are_read_up_to_both_ends_of_int64,
	integers_keep_to_the_callers_limits, utf8_is_checked_as_rfc_3629_says,
	copy_ends_with_nul_or_leaves_nothing,
	a_buffer_is_a_c_string_at_any_time,
	a_buffer_grows_by_single_bytes_and_by_large_pieces,
	printf_fits_texts_shorter_and_longer_than_the_room,
	big_endian_integers_have_the_high_byte_first,
	decimal_text_reaches_both_ends_of_int64,
	what_a_terminal_would_obey_is_shown_as_hex)
