/* SPDX-License-Identifier: Apache-2.0 */
/* column: PostgreSQL's binary values as Connect's converters write them. */
#include "check_suite.h"

#include "base/hex.h"
#include "column.h"

static void
expect_of(uint32_t oid, int32_t modifier, const char *hex, const char *text,
	const char *json)
{
	enum column_kind kind = column_kind_of(oid, modifier);
	struct ch_buf out = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct ch_view v = {"", strlen(hex) / 2};
	char bytes[256];

	ck_assert(ch_hex_decode(ch_view_of(hex), bytes, v.len));
	if (v.len > 0)
		v.ptr = bytes;
	ck_assert_msg(column_add_text(&out, kind, v, &err) == CH_OK, "%s",
		err.text);
	ck_assert_str_eq(ch_buf_str(&out), text);
	ch_buf_clear(&out);
	ck_assert_int_eq(column_add_json(&out, kind, v, &err), CH_OK);
	ck_assert_str_eq(ch_buf_str(&out), json);
	ch_buf_free(&out);
}

static void
expect(uint32_t oid, const char *hex, const char *text, const char *json)
{
	expect_of(oid, -1, hex, text, json);
}

START_TEST(each_type_has_its_text)
{
	expect(25, "6162", "ab", "\"ab\"");
	expect(25, "", "", "\"\"");
	expect(1042, "61622020", "ab  ", "\"ab  \"");
	expect(3802, "017b2261223a205b5d7d", "{\"a\": []}",
		"\"{\\\"a\\\": []}\"");
	expect(2950, "00112233445566778899aabbccddeeff",
		"00112233-4455-6677-8899-aabbccddeeff",
		"\"00112233-4455-6677-8899-aabbccddeeff\"");
	expect(16, "01", "true", "true");
	expect(16, "00", "false", "false");
	expect(21, "8000", "-32768", "-32768");
	expect(23, "ffffffff", "-1", "-1");
	expect(20, "7fffffffffffffff", "9223372036854775807",
		"9223372036854775807");
	expect(17, "", "", "\"\"");
	expect(17, "00", "AA==", "\"AA==\"");
	expect(17, "00ff", "AP8=", "\"AP8=\"");
	expect(17, "00ff61", "AP9h", "\"AP9h\"");
	expect(1082, "00000000", "10957", "10957");
	expect(1082, "7fffffff", "infinity", "\"infinity\"");
	expect(1114, "ffffffffffffffff", "946684799999999", "946684799999999");
	expect(1114, "8000000000000000", "-infinity", "\"-infinity\"");
	expect(1114, "7fffffff00000000", "9223372036854775807",
		"9223372036854775807");
	expect(1184, "0000000000000000", "2000-01-01T00:00:00.000000Z",
		"\"2000-01-01T00:00:00.000000Z\"");
}
END_TEST

START_TEST(timestamps_have_the_digits_of_their_column)
{
	/* half a second before 2000, and before 1970 */
	static const char half[] = "fffffffffff85ee0";
	static const char old[] = "fffca2fec4c07ee0";

	expect_of(1114, 6, half, "946684799500000", "946684799500000");
	expect_of(1114, 4, half, "946684799500000", "946684799500000");
	expect_of(1114, 3, half, "946684799500", "946684799500");
	expect_of(1114, 0, old, "-500", "-500");
	expect_of(1114, 3, "7fffffffffffffff", "infinity", "\"infinity\"");
	expect_of(1184, 6, half, "1999-12-31T23:59:59.500000Z",
		"\"1999-12-31T23:59:59.500000Z\"");
	expect_of(1184, 5, half, "1999-12-31T23:59:59.50000Z",
		"\"1999-12-31T23:59:59.50000Z\"");
	expect_of(1184, 1, half, "1999-12-31T23:59:59.5Z",
		"\"1999-12-31T23:59:59.5Z\"");
	expect_of(1184, 0, half, "1999-12-31T23:59:59Z",
		"\"1999-12-31T23:59:59Z\"");
	expect_of(1184, 0, "8000000000000000", "-infinity", "\"-infinity\"");
}
END_TEST

START_TEST(years_of_more_or_less_than_four_digits)
{
	expect(1184, "046120ce758a6000", "+12000-01-01T00:00:00.000000Z",
		"\"+12000-01-01T00:00:00.000000Z\"");
	expect(1184, "7fffff4795db4000", "+294276-12-31T00:00:00.000000Z",
		"\"+294276-12-31T00:00:00.000000Z\"");
	expect(1184, "0380e70b913b7fff", "9999-12-31T23:59:59.999999Z",
		"\"9999-12-31T23:59:59.999999Z\"");
	expect(1184, "ff1fc63d1bb12000", "0000-01-01T00:00:00.000000Z",
		"\"0000-01-01T00:00:00.000000Z\"");
	expect(1184, "ff1af9deec5b2000", "-0043-03-15T00:00:00.000000Z",
		"\"-0043-03-15T00:00:00.000000Z\"");
	expect(1184, "fd0f7fd1ccef4000", "-4712-01-02T00:00:00.000000Z",
		"\"-4712-01-02T00:00:00.000000Z\"");
}
END_TEST

START_TEST(strings_are_escaped_as_jackson_does)
{
	static const char text[] = "\"\\\b\t\n\f\r\v\x01\x1f\x7f/é\u2028"
				   "\U0001f600z";
	static const char json[] =
		"\"\\\"\\\\\\b\\t\\n\\f\\r\\u000B\\u0001\\u001F\x7f/é\u2028"
		"\\uD83D\\uDE00z\"";
	struct ch_buf out = CH_BUF_INIT;

	ck_assert_int_eq(column_add_json(&out, COLUMN_TEXT, ch_view_of(text),
				 NULL),
		CH_OK);
	ck_assert_str_eq(ch_buf_str(&out), json);
	ch_buf_free(&out);
}
END_TEST

START_TEST(values_of_a_wrong_size_are_refused)
{
	static const uint32_t oids[] = {16, 20, 2950, 1082, 1114, 1184, 3802};
	struct ch_buf out = CH_BUF_INIT;
	size_t i;

	for (i = 0; i < COUNT(oids); i++) {
		enum column_kind kind = column_kind_of(oids[i], -1);
		struct ch_view three = CH_VIEW("abc");

		ck_assert_int_eq(column_add_text(&out, kind, three, NULL),
			CH_EPROTO);
		ck_assert_int_eq(column_add_json(&out, kind, three, NULL),
			CH_EPROTO);
	}
	ck_assert_int_eq(column_add_text(&out, COLUMN_OTHER, CH_VIEW("a"),
				 NULL),
		CH_ECONFIG);
	ch_buf_free(&out);
}
END_TEST

START_TEST(types_that_debezium_shows_otherwise_are_not_known)
{
	ck_assert_int_eq(column_kind_of(1700, -1), COLUMN_OTHER);
	ck_assert_int_eq(column_kind_of(701, -1), COLUMN_OTHER);
	ck_assert(column_is_json(114) && column_is_json(3802));
	ck_assert(!column_is_json(25));
}
END_TEST

START_TEST(blank_is_what_java_trims)
{
	ck_assert(column_is_blank(COLUMN_TEXT, CH_VIEW("")));
	ck_assert(column_is_blank(COLUMN_TEXT, CH_VIEW(" \t\n\x01")));
	ck_assert(!column_is_blank(COLUMN_TEXT, CH_VIEW("\xc2\xa0")));
	ck_assert(!column_is_blank(COLUMN_TEXT, CH_VIEW(" a")));
	ck_assert(!column_is_blank(COLUMN_BYTES, CH_VIEW("")));
	ck_assert(!column_is_blank(COLUMN_JSONB, CH_VIEW("\x01\"\"")));
}
END_TEST

SUITE_MAIN("column", each_type_has_its_text,
	timestamps_have_the_digits_of_their_column,
	years_of_more_or_less_than_four_digits,
	strings_are_escaped_as_jackson_does, values_of_a_wrong_size_are_refused,
	types_that_debezium_shows_otherwise_are_not_known,
	blank_is_what_java_trims)
