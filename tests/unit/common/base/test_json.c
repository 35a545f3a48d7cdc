/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "check_suite.h"

#define MANY 100000

static struct ch_arena arena = CH_ARENA_INIT;

static const struct ch_json *
parse(struct ch_view text)
{
	struct ch_err err = CH_ERR_INIT;
	const struct ch_json *root = ch_json_parse(&arena, text, MANY, &err);

	ck_assert_int_eq(err.code, root != NULL ? CH_OK : CH_EINVAL);
	return root;
}

static const struct ch_json *
must_parse(const char *text)
{
	const struct ch_json *root = parse(ch_view_of(text));

	ck_assert_msg(root != NULL, "refused: %s", text);
	return root;
}

START_TEST(each_kind_of_value_is_known_by_type_and_text)
{
	static const struct {
		const char *text;
		enum ch_json_type type;
	} cases[] = {{"null", CH_JSON_NULL}, {"true", CH_JSON_TRUE},
		{"false", CH_JSON_FALSE}, {"0", CH_JSON_NUMBER},
		{"-0", CH_JSON_NUMBER}, {"-12.50e+07", CH_JSON_NUMBER},
		{"1E-5", CH_JSON_NUMBER}, {"0.0", CH_JSON_NUMBER},
		{"0e0", CH_JSON_NUMBER}, {"\"\"", CH_JSON_STRING},
		{"\"a\\n\"", CH_JSON_STRING}, {"[]", CH_JSON_ARRAY},
		{"[1 ,\t2]", CH_JSON_ARRAY}, {"{}", CH_JSON_OBJECT},
		{"{ \"a\" : 1 }", CH_JSON_OBJECT}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_buf b = CH_BUF_INIT;
		const struct ch_json *root;

		ch_buf_printf(&b, " \t\r\n%s \t\r\n", cases[i].text);
		root = parse(ch_buf_view(&b));
		ck_assert_ptr_nonnull(root);
		ck_assert_int_eq(root->type, cases[i].type);
		ck_assert(ch_view_eq_str(root->text, cases[i].text));
		ch_buf_free(&b);
	}
	ch_arena_free(&arena);
}
END_TEST

START_TEST(what_is_no_json_is_refused)
{
	static const char *const cases[] = {"", " ", "nul", "nulll", "True",
		"NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "1.",
		".5", "1.e5", "1e", "1e+", "0x10", "1 2", "'a'", "\"", "\"a",
		"\"\\", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"",
		"\"\\u\"", "\"a\nb\"", "\"\x1f\"", "[", "]", "[1", "[1,",
		"[1,]", "[,1]", "[1 2]", "{", "}", "{\"a\"",
		"{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
		"{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":}",
		"[}", "{]", "{}{}", "[] x", "true1", "1a", "// c\n1", "/* */1",
		"\xef\xbb\xbf{}", "\xc2\xa0[1]", "[1]\v", "\f1",
		"{\"a\":1,\"a\":2}", "\"\\ud800\"", "\"\\udc00\"",
		"\"\\udc00\\udc00\"", "\"\\ud800\\u0041\"",
		"\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\\"",
		"\"\\ud83d\\u00e9\"", "\"\\u0000\"", "{\"\\u0000\":1}",
		"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xc3\"", "\"\xe2\x82\"",
		"\"\\n\xff\"", "\"\\n\n\"", "\"\\n"};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(parse(ch_view_of(cases[i])) == NULL,
			"accepted: %s", cases[i]);
	ck_assert_ptr_null(parse((struct ch_view){NULL, 0}));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(a_nul_byte_is_refused_wherever_it_stands)
{
	static const char text[] = "{\"abcdefgh\": [1, \"ij\\n\", true] }";

	for (size_t i = 0; i < sizeof(text); i++) {
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		ck_assert_ptr_null(parse((struct ch_view){copy, sizeof(text)}));
		if (i < sizeof(text) - 1)
			ck_assert_ptr_null(parse((struct ch_view){
				copy, sizeof(text) - 1}));
	}
	ch_arena_free(&arena);
}
END_TEST

START_TEST(each_prefix_of_a_document_is_refused_within_its_bounds)
{
	static const char text[] =
		"{\"a\\u00e9\": [1.5e3, \"b\\ud83d\\ude00c\","
		" true, null, false, {}], \"\xc3\xa9\": -0}";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *exact = ch_xmalloc(n);

		memcpy(exact, text, n);
		ck_assert_ptr_null(parse((struct ch_view){exact, n}));
		free(exact);
	}
	ck_assert_ptr_nonnull(parse(CH_VIEW(text)));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(the_error_names_the_byte_and_the_reason)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {{"{\"a\" 1}",
			     "not valid JSON at byte 5: expected ':' behind "
			     "the name"},
		{"[1,2", "not valid JSON at byte 4: expected ',' or ']'"},
		{"{} x",
			"not valid JSON at byte 3: bytes behind the "
			"document's end"},
		{"",
			"not valid JSON at byte 0: expected a value, but the "
			"document ends"},
		{"[\"\xff\"]",
			"not valid JSON at byte 2: bytes that are not "
			"UTF-8 in a string"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_err err = CH_ERR_INIT;

		ck_assert_ptr_null(ch_json_parse(&arena,
			ch_view_of(cases[i].text), MANY, &err));
		ck_assert_str_eq(err.text, cases[i].message);
	}
	ck_assert_ptr_null(ch_json_parse(&arena, CH_VIEW("["), MANY, NULL));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(strings_are_unescaped)
{
	static const struct {
		const char *text;
		struct ch_view value;
	} cases[] = {{"\"\"", {"", 0}}, {"\"abc\"", {"abc", 3}},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
		{"\"\\u0041\\u00e9\\u20AC\"", {"A\xc3\xa9\xe2\x82\xac", 6}},
		{"\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
			{"\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
				12}},
		{"\"\\ud800\\udc00\\uDBFF\\uDFFF\"",
			{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8}},
		{"\"x\\u005c\"", {"x\\", 2}}, {"\"\\\\\"", {"\\", 1}},
		{"\"long plain text first\\nthen more of it, and \xc3\xa9\"",
			{"long plain text first\nthen more of it, and "
			 "\xc3\xa9",
				45}},
		{"\"\xf0\x9f\x98\x80 \x7f\"", {"\xf0\x9f\x98\x80 \x7f", 6}}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct ch_json *root = must_parse(cases[i].text);

		ck_assert(ch_view_eq(root->str, cases[i].value));
		ck_assert(ch_view_eq_str(root->text, cases[i].text));
	}
	ch_arena_free(&arena);
}
END_TEST

START_TEST(a_special_byte_is_seen_at_each_place_of_a_word)
{
	static const struct {
		const char *bytes;
		bool ok;
	} cases[] = {{"\\n", true}, {"\xc3\xa9", true}, {"\x7f", true},
		{"\x1f", false}, {"\xff", false}, {"\n", false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int at = 0; at < 20; at++) {
			struct ch_buf b = CH_BUF_INIT;

			ch_buf_printf(&b, "\"%.*s%s%.*s\"", at,
				"!!!!!!!!!!!!!!!!!!!!", cases[i].bytes, 20 - at,
				"~~~~~~~~~~~~~~~~~~~~");
			ck_assert_msg((parse(ch_buf_view(&b)) != NULL) ==
					cases[i].ok,
				"case %zu at %d", i, at);
			ch_buf_free(&b);
		}
	}
	ch_arena_free(&arena);
}
END_TEST

START_TEST(numbers_stay_text_whatever_their_size)
{
	const char *text = "{\"d\":0.57,\"id\":1146170185093428471209875091238"
			   "47501238475012384750123847501238475012384750}";
	const struct ch_json *root = must_parse(text);
	int64_t value = 0;

	ck_assert(ch_view_eq_str(ch_json_get(root, "d")->text, "0.57"));
	ck_assert_uint_eq(ch_json_get(root, "id")->text.len, 75);
	ck_assert(!ch_json_i64(root, "id", &value));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(duplicate_names_are_found_after_unescaping)
{
	static const char *const cases[] = {"{\"a\":1,\"\\u0061\":2}",
		"{\"\":1,\"\":2}", "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
		"[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "{\"/\":1,\"\\/\":2}"};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_ptr_null(parse(ch_view_of(cases[i])));
	ck_assert_ptr_nonnull(
		must_parse("{\"a\":{\"a\":{\"a\":1}},\"A\":1,\"aa\":2}"));
	ch_arena_free(&arena);
}
END_TEST

/* {"n0":0,...} with n names; the one at `twice` stands once more at the end
 * when twice >= 0. */
static const struct ch_json *
parse_object_of(int n, int twice)
{
	struct ch_buf b = CH_BUF_INIT;
	const struct ch_json *root;

	ch_buf_addc(&b, '{');
	for (int i = 0; i < n; i++) {
		ch_json_add_comma(&b);
		ch_buf_printf(&b, "\"n%d\":%d", i, i);
	}
	if (twice >= 0)
		ch_buf_printf(&b, ",\"n%d\":0", twice);
	ch_buf_addc(&b, '}');
	root = parse(ch_arena_view(&arena, ch_buf_view(&b)));
	ch_buf_free(&b);
	return root;
}

START_TEST(duplicate_names_are_found_in_objects_of_any_size)
{
	for (int n = 1; n < 80; n++) {
		const struct ch_json *root = parse_object_of(n, -1);

		ck_assert_ptr_nonnull(root);
		ck_assert_uint_eq(root->count, (size_t)n);
		for (int twice = 0; twice < n; twice++)
			ck_assert_ptr_null(parse_object_of(n, twice));
		ch_arena_reset(&arena, 1 << 20);
	}
	ck_assert_ptr_nonnull(parse_object_of(50000, -1));
	ck_assert_ptr_null(parse_object_of(50000, 49999));
	ch_arena_free(&arena);
}
END_TEST

static const struct ch_json *
parse_nested(int depth, char open, const char *inner, char close)
{
	struct ch_buf b = CH_BUF_INIT;
	const struct ch_json *root;

	for (int i = 0; i < depth; i++) {
		ch_buf_addc(&b, open);
		if (open == '{')
			ch_buf_adds(&b, "\"a\":");
	}
	ch_buf_adds(&b, inner);
	for (int i = 0; i < depth; i++)
		ch_buf_addc(&b, close);
	root = parse(ch_arena_view(&arena, ch_buf_view(&b)));
	ch_buf_free(&b);
	return root;
}

START_TEST(thirty_two_levels_pass_and_thirty_three_do_not)
{
	ck_assert_ptr_nonnull(parse_nested(32, '[', "1", ']'));
	ck_assert_ptr_null(parse_nested(33, '[', "1", ']'));
	ck_assert_ptr_nonnull(parse_nested(32, '{', "1", '}'));
	ck_assert_ptr_null(parse_nested(33, '{', "1", '}'));
	ck_assert_ptr_null(parse_nested(1000000, '[', "", ']'));
	/* depth is that of nesting, not a count of containers */
	ck_assert_ptr_nonnull(must_parse("[[],[],[],[],[],[],[],[],[],[],[],[],"
					 "[],[],[],[],[],[],[],[],[],[],[],[],"
					 "[],[],[],[],[],[],[],[],[],[],[]]"));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(the_number_of_values_is_bounded)
{
	struct ch_err err = CH_ERR_INIT;

	ck_assert_ptr_nonnull(ch_json_parse(&arena, CH_VIEW("[1,{\"a\":2}]"), 4,
		&err));
	ck_assert_ptr_null(ch_json_parse(&arena, CH_VIEW("[1,{\"a\":2}]"), 3,
		&err));
	ck_assert_int_eq(err.code, CH_EINVAL);
	ck_assert_ptr_null(ch_json_parse(&arena, CH_VIEW("1"), 0, &err));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(children_stand_in_the_order_of_the_input)
{
	const struct ch_json *root = must_parse(
		"{\"z\":[1,\"two\",null],\"a\":{\"b\":false},\"\\u006d\":3}");
	const struct ch_json *m = root->child;

	ck_assert_uint_eq(root->count, 3);
	ck_assert(ch_view_eq_str(m->name, "z"));
	ck_assert_uint_eq(m->count, 3);
	ck_assert(ch_view_eq_str(m->text, "[1,\"two\",null]"));
	ck_assert(ch_view_eq_str(m->child->next->str, "two"));
	ck_assert_int_eq(m->child->next->next->type, CH_JSON_NULL);
	ck_assert_ptr_null(m->child->next->next->next);
	m = m->next;
	ck_assert(ch_view_eq_str(m->name, "a"));
	ck_assert(ch_view_eq_str(m->text, "{\"b\":false}"));
	m = m->next;
	ck_assert(ch_view_eq_str(m->name, "m"));
	ck_assert_ptr_null(m->next);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(members_are_taken_by_name_and_type)
{
	const struct ch_json *root = must_parse(
		"{\"s\":\"text\",\"i\":-42,\"f\":1.0,\"e\":1e2,\"t\":true,"
		"\"n\":null,\"min\":-9223372036854775808,"
		"\"over\":9223372036854775808}");
	struct ch_view s = {NULL, 0};
	int64_t i = 0;
	bool b = false;

	ck_assert(ch_json_str(root, "s", &s) && ch_view_eq_str(s, "text"));
	ck_assert(ch_json_i64(root, "i", &i) && i == -42);
	ck_assert(ch_json_i64(root, "min", &i) && i == INT64_MIN);
	ck_assert(ch_json_bool(root, "t", &b) && b);
	ck_assert(!ch_json_str(root, "i", &s) && !ch_json_str(root, "x", &s));
	ck_assert(!ch_json_i64(root, "f", &i) && !ch_json_i64(root, "e", &i));
	ck_assert(!ch_json_i64(root, "s", &i) &&
		!ch_json_i64(root, "over", &i) && !ch_json_i64(root, "x", &i));
	ck_assert(!ch_json_bool(root, "n", &b) && !ch_json_bool(root, "x", &b));
	ck_assert(ch_view_eq_str(s, "text") && i == INT64_MIN && b);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(get_finds_nothing_in_what_is_no_object)
{
	ck_assert_ptr_null(ch_json_get(NULL, "a"));
	ck_assert_ptr_null(ch_json_get(must_parse("[1]"), ""));
	ck_assert_ptr_null(ch_json_get(must_parse("\"a\""), "a"));
	ck_assert_ptr_nonnull(ch_json_get(must_parse("{\"\":1}"), ""));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(canonical_text_is_sorted_and_minimal)
{
	static const struct {
		const char *text;
		const char *canonical;
	} cases[] = {{" 1.50 ", "1.50"}, {"-0E+5", "-0E+5"}, {"{ }", "{}"},
		{"[ ]", "[]"}, {" [ 1 , [ ] , { } ] ", "[1,[],{}]"},
		{"{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}"},
		{"{\"b\":{\"d\":1,\"c\":2},\"aa\":[],\"a\":0,\"\":9,\"B\":7}",
			"{\"\":9,\"B\":7,\"a\":0,\"aa\":[],\"b\":{\"c\":2,"
			"\"d\":1}}"},
		{"\"\\u0041\\/\\u000a\\u001F\\u007f\\ud83d\\ude00\\\"\\\\\"",
			"\"A/\\n\\u001f\x7f\xf0\x9f\x98\x80\\\"\\\\\""},
		{"{\"\\u00e9\":1,\"z\":2}", "{\"z\":2,\"\xc3\xa9\":1}"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_buf b = CH_BUF_INIT;

		ch_json_canonical(&b, must_parse(cases[i].text));
		ck_assert_str_eq(ch_buf_str(&b), cases[i].canonical);
		ch_buf_free(&b);
	}
	ch_arena_free(&arena);
}
END_TEST

START_TEST(canonical_text_of_canonical_text_is_the_same)
{
	struct ch_buf once = CH_BUF_INIT;
	struct ch_buf twice = CH_BUF_INIT;

	ch_json_canonical(&once, parse_object_of(100, -1));
	ch_json_canonical(&twice, must_parse(ch_buf_str(&once)));
	ck_assert_str_eq(ch_buf_str(&once), ch_buf_str(&twice));
	ck_assert(ch_view_starts(ch_buf_view(&once),
		CH_VIEW("{\"n0\":0,\"n1\":1,\"n10\":10")));
	ch_buf_free(&once);
	ch_buf_free(&twice);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(written_strings_are_escaped_and_valid)
{
	static const struct {
		struct ch_view value;
		const char *text;
	} cases[] = {{{"", 0}, "\"\""}, {{NULL, 0}, "\"\""},
		{{"a\"b\\c/d", 7}, "\"a\\\"b\\\\c/d\""},
		{{"\b\f\n\r\t\x01", 6}, "\"\\b\\f\\n\\r\\t\\u0001\""},
		{{"a\0b", 3}, "\"a\\u0000b\""},
		{{"\xc3\xa9\xe2\x82\xac", 5}, "\"\xc3\xa9\xe2\x82\xac\""},
		{{"a\xff\xc0z", 4}, "\"a\xef\xbf\xbd\xef\xbf\xbdz\""},
		{{"\xe2\x82", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ch_buf b = CH_BUF_INIT;

		ch_json_add_string(&b, cases[i].value);
		ck_assert_str_eq(ch_buf_str(&b), cases[i].text);
		ch_buf_free(&b);
	}
}
END_TEST

START_TEST(the_writer_sets_commas_by_itself)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_addc(&b, '{');
	ch_json_add_member(&b, "s", CH_VIEW("ends in ["));
	ch_json_add_member_i64(&b, "i", INT64_MIN);
	ch_json_add_member_bool(&b, "t", true);
	ch_json_add_member_bool(&b, "f", false);
	ch_json_add_name(&b, "list");
	ch_buf_addc(&b, '[');
	for (int i = 0; i < 3; i++) {
		ch_json_add_comma(&b);
		ch_buf_add_i64(&b, i);
	}
	ch_buf_adds(&b, "]}");
	ck_assert_str_eq(ch_buf_str(&b),
		"{\"s\":\"ends in [\",\"i\":-9223372036854775808,\"t\":true,"
		"\"f\":false,\"list\":[0,1,2]}");
	ck_assert_ptr_nonnull(parse(ch_buf_view(&b)));
	ch_buf_free(&b);
	ch_arena_free(&arena);
}
END_TEST

SUITE_MAIN("json", each_kind_of_value_is_known_by_type_and_text,
	what_is_no_json_is_refused, a_nul_byte_is_refused_wherever_it_stands,
	each_prefix_of_a_document_is_refused_within_its_bounds,
	the_error_names_the_byte_and_the_reason, strings_are_unescaped,
	a_special_byte_is_seen_at_each_place_of_a_word,
	numbers_stay_text_whatever_their_size,
	duplicate_names_are_found_after_unescaping,
	duplicate_names_are_found_in_objects_of_any_size,
	thirty_two_levels_pass_and_thirty_three_do_not,
	the_number_of_values_is_bounded,
	children_stand_in_the_order_of_the_input,
	members_are_taken_by_name_and_type,
	get_finds_nothing_in_what_is_no_object,
	canonical_text_is_sorted_and_minimal,
	canonical_text_of_canonical_text_is_the_same,
	written_strings_are_escaped_and_valid, the_writer_sets_commas_by_itself)
