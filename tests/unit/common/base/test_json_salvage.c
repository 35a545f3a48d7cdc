/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_salvage.h"
#include "check_suite.h"

#define A "\"id\":\"a\""
#define ORG "\"org\":\"o\""

static struct ch_arena arena = CH_ARENA_INIT;
static const char *const names[] = {"id", "org", NULL};

static const struct ch_json *
salvage(struct ch_view text)
{
	return ch_json_salvage(&arena, text, names);
}

/* What is found of "id" and "org": "a,o", with '-' for what is not. */
static const char *
found(struct ch_view text)
{
	static struct ch_buf b = CH_BUF_INIT;
	const struct ch_json *object = salvage(text);

	ch_buf_clear(&b);
	for (size_t i = 0; names[i] != NULL; i++) {
		struct ch_view str = CH_VIEW("-");

		(void)ch_json_str(object, names[i], &str);
		ch_buf_adds(&b, i > 0 ? "," : "");
		ch_buf_addv(&b, str);
	}
	return ch_buf_str(&b);
}

static void
must_find(const char *text, const char *want)
{
	const char *got = found(ch_view_of(text));

	ck_assert_msg(strcmp(got, want) == 0, "%s: \"%s\", not \"%s\"", text,
		got, want);
}

START_TEST(an_object_that_is_whole_is_read_as_the_strict_reader_does)
{
	const struct ch_json *object =
		salvage(CH_VIEW(" {\"n\":[{" A "}],\"i\\u0064\": \"x\\n\"," ORG
				"} "));

	ck_assert_int_eq(object->type, CH_JSON_OBJECT);
	ck_assert_uint_eq(object->count, 2);
	ck_assert(ch_view_eq_str(object->child->name, "id"));
	ck_assert(ch_view_eq_str(object->child->str, "x\n"));
	ck_assert(ch_view_eq_str(object->child->text, "\"x\\n\""));
	ck_assert_int_eq(object->text.ptr[0], '{');
	ck_assert_int_eq(object->text.ptr[object->text.len - 1], '}');
	must_find("{}", "-,-");
	must_find("{\"id\":7," ORG "}", "-,o");
}
END_TEST

START_TEST(what_begins_no_object_has_no_members)
{
	static const char *const cases[] = {"", " ", "x", "[{" A "}]",
		"\"{" A "}\"", "null", "}", "[" A "]", A, "\xef\xbb"};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_ptr_null(salvage(ch_view_of(cases[i])));
	ck_assert_ptr_null(salvage((struct ch_view){NULL, 0}));
}
END_TEST

START_TEST(members_around_what_is_broken_are_found)
{
	must_find("{" A ",\"x\":\"\\u0000\"," ORG "}", "a,o");
	must_find("{\"x\":1,\"x\":2," A "," ORG "}", "a,o");
	must_find("{" A "," ORG "} trailing", "a,o");
	must_find("{" A "," ORG "}{\"id\":\"b\"}", "a,o");
	must_find("{" A ",\"x\":\"\xff\xfe\"," ORG "}", "a,o");
	must_find("{" A ",\"\xff\":1," ORG "}", "a,o");
	must_find("{" A ",\"x\":tru,\"y\":01,\"z\":'q'," ORG "}", "a,o");
	must_find("{" A ",\"x\":[1,{\"y\":2],\"z\":3}," ORG "}", "a,o");
	must_find("{" A ",\"x\":\"tab\there\",," ORG ",}", "a,o");
	must_find("\xef\xbb\xbf {" A "," ORG "}", "a,o");
	must_find("{" A ",\"x\":{" A ",\"id\":\"b\"}," ORG, "a,o");
	must_find("{" ORG ",\"x\":\"a\",\"y\":[{\"id\":\"b\"}", "-,o");
	ck_assert_str_eq(found(CH_VIEW("{" A ",\0\"x\":\"\0\"," ORG "}")),
		"a,o");
}
END_TEST

START_TEST(a_name_needs_its_place_and_its_value_an_end)
{
	must_find("{\"x\":1 " A "," ORG "}", "-,o");
	must_find("{\"x\":" A "," ORG "}", "-,o");
	must_find("{x," A "," ORG "}", "a,o");
	must_find("{\"id\" \"a\"," ORG "}", "-,o");
	must_find("{\"id\"::\"a\"," ORG "}", "-,o");
	must_find("{\"id\":\"a\"x," ORG "}", "-,o");
	must_find("{\"id\":\"a\"]," ORG "}", "-,-"); /* it ended there */
	must_find("{\"id\":\"a,\"org\":\"o\"}", "-,-");
	must_find("{" ORG ",\"id\":\"a,\"type\":\"t\"}", "-,o");
	must_find("{\"id\":\"a\\u0000\"," ORG "}", "-,o");
	must_find("{\"id\":\"\xc3\"," ORG "}", "-,o");
	must_find("{\"id\":\"\\ud800\"," ORG "}", "-,o");
	must_find("{\"id\":[\"a\"]," ORG "}", "-,o");
	must_find("{id:\"a\"," ORG "}", "-,o");
	must_find("{\"i\\d\":\"a\"," ORG "}", "-,o");
}
END_TEST

START_TEST(a_name_that_stands_twice_counts_when_both_say_the_same)
{
	must_find("{" A "," A "," ORG "}", "a,o");
	must_find("{" A ",\"\\u0069d\":\"\\u0061\"," ORG "}", "a,o");
	must_find("{" A ",\"id\":\"b\"," ORG "}", "-,o");
	must_find("{" A ",\"id\":\"b\"," A "," ORG "}", "-,o");
	must_find("{" A ",\"id\":null," ORG "}", "-,o");
	must_find("{\"id\":\"\\u0000\"," A "," ORG "}", "-,o");
	must_find("{" A "," ORG ",\"org\":\"p\"}", "a,-");
}
END_TEST

/* Cut anywhere: what is found is what the whole says, and each member from its
 * closing quote on. */
START_TEST(each_prefix_says_nothing_else_than_the_whole)
{
	static const char whole[] =
		"{\"x\":{\"id\":\"n\",\"y\":[\"\\\"\"]}, \"id\" :"
		" \"a\\\\\\\"\", \"org\":\"o\",\"z\":\"\\u0000\"}";
	size_t id_end = (size_t)(strstr(whole, ", \"org\"") - whole);
	size_t org_end = (size_t)(strstr(whole, ",\"z\"") - whole);

	for (size_t n = 0; n < sizeof(whole); n++) {
		/* a copy of exactly n bytes, so that ASan sees a step too far */
		char *text = ch_xviewdup((struct ch_view){whole, n});
		const char *want = n < id_end ? "-,-"
			: n < org_end	      ? "a\\\",-"
					      : "a\\\",o";

		ck_assert_msg(strcmp(found((struct ch_view){text, n}), want) ==
				0,
			"%zu bytes: %s", n, found((struct ch_view){text, n}));
		free(text);
	}
}
END_TEST

START_TEST(depth_costs_no_stack_and_the_rest_is_found_behind_it)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_adds(&b, "{" A ",\"x\":");
	for (int i = 0; i < 1000000; i++)
		ch_buf_addc(&b, i % 2 == 0 ? '[' : '{');
	ck_assert_str_eq(found(ch_buf_view(&b)), "a,-");
	for (int i = 0; i < 1000000; i++)
		ch_buf_addc(&b, i % 3 == 0 ? ']' : '}');
	ch_buf_adds(&b, "," ORG "}");
	ck_assert_str_eq(found(ch_buf_view(&b)), "a,o");
	ch_buf_free(&b);
}
END_TEST

SUITE_MAIN("json_salvage",
	an_object_that_is_whole_is_read_as_the_strict_reader_does,
	what_begins_no_object_has_no_members,
	members_around_what_is_broken_are_found,
	a_name_needs_its_place_and_its_value_an_end,
	a_name_that_stands_twice_counts_when_both_say_the_same,
	each_prefix_says_nothing_else_than_the_whole,
	depth_costs_no_stack_and_the_rest_is_found_behind_it)
