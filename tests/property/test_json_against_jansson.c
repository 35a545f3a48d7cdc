/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our JSON reader against jansson: random documents, half of them broken, are
 * accepted by both or by none, and hold the same values. N= documents (default
 * 200000) from SEED= (printed).
 *
 * Left out, and counted: numbers that jansson cannot hold (ours stay text);
 * documents over our limits of depth and values; and documents with a NUL
 * byte that only we refuse: jansson 2.14 loses a NUL that directly follows a
 * number or a word. Those have unit tests.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/rng.h"

#define MAX_NODES 2000

static struct ch_rng rng;
static uint64_t rounds = 200000;

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	int64_t value;

	if (text == NULL || *text == '\0' ||
		ch_view_int(ch_view_of(text), 0, INT64_MAX, &value) != 0)
		return otherwise;
	return (uint64_t)value;
}

/* ---- random documents ---- */

static void
add_space(struct ch_buf *b)
{
	static const char spaces[] = " \t\r\n";

	while (ch_rng_chance(&rng, 1, 5))
		ch_buf_addc(b, spaces[ch_rng_below(&rng, 4)]);
}

static void
add_digits(struct ch_buf *b, uint64_t max)
{
	for (uint64_t n = ch_rng_below(&rng, max) + 1; n > 0; n--)
		ch_buf_addc(b, (char)('0' + ch_rng_below(&rng, 10)));
}

static void
add_number(struct ch_buf *b)
{
	if (ch_rng_chance(&rng, 1, 3))
		ch_buf_addc(b, '-');
	if (ch_rng_chance(&rng, 1, 5)) {
		ch_buf_addc(b, '0');
	} else {
		ch_buf_addc(b, (char)('1' + ch_rng_below(&rng, 9)));
		if (ch_rng_chance(&rng, 3, 4))
			add_digits(b, ch_rng_chance(&rng, 1, 50) ? 30 : 17);
	}
	if (ch_rng_chance(&rng, 1, 3)) {
		ch_buf_addc(b, '.');
		add_digits(b, 12);
	}
	if (ch_rng_chance(&rng, 1, 6)) {
		ch_buf_addc(b, ch_rng_chance(&rng, 1, 2) ? 'e' : 'E');
		if (ch_rng_chance(&rng, 1, 2))
			ch_buf_addc(b, ch_rng_chance(&rng, 1, 2) ? '+' : '-');
		add_digits(b, 2);
	}
}

static void
add_unicode_escape(struct ch_buf *b)
{
	unsigned high = 0xd800 + (unsigned)ch_rng_below(&rng, 0x400);
	unsigned low = 0xdc00 + (unsigned)ch_rng_below(&rng, 0x400);
	unsigned any = (unsigned)ch_rng_below(&rng, 0x10000);

	if (ch_rng_chance(&rng, 1, 3)) {
		ch_buf_printf(b, "\\u%04x\\u%04X", high, low);
		return;
	}
	/* now and then a lone surrogate or \u0000, which both refuse */
	if (any >= 0xd800 && any <= 0xdfff && !ch_rng_chance(&rng, 1, 20))
		any = 'a';
	if (ch_rng_chance(&rng, 1, 2))
		any &= 0x7f;
	if (any == 0 && !ch_rng_chance(&rng, 1, 20))
		any = 'b';
	ch_buf_printf(b, "\\u%04x", any);
}

static void
add_string_piece(struct ch_buf *b)
{
	static const char escapes[] = "\"\\/bfnrt";
	static const char *const wide[] = {"\xc3\xa9", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "\xc2\x80", "\xef\xbf\xbf", "\x7f",
		"\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};

	switch (ch_rng_below(&rng, 8)) {
	case 0:
		ch_buf_addc(b, '\\');
		ch_buf_addc(b, escapes[ch_rng_below(&rng, 8)]);
		break;
	case 1:
		add_unicode_escape(b);
		break;
	case 2:
		ch_buf_adds(b, wide[ch_rng_below(&rng, 8)]);
		break;
	default:
		for (uint64_t n = ch_rng_below(&rng, 6); n > 0; n--)
			ch_buf_addc(b, (char)('a' + ch_rng_below(&rng, 26)));
		break;
	}
}

static void
add_string(struct ch_buf *b)
{
	ch_buf_addc(b, '"');
	while (ch_rng_chance(&rng, 2, 3))
		add_string_piece(b);
	ch_buf_addc(b, '"');
}

/* Few enough names that some objects hold one twice. */
static void
add_name(struct ch_buf *b)
{
	if (ch_rng_chance(&rng, 1, 3))
		add_string(b);
	else if (ch_rng_chance(&rng, 1, 20))
		ch_buf_printf(b, "\"\\u00%02xn\"",
			(unsigned)(0x61 + ch_rng_below(&rng, 4)));
	else
		ch_buf_printf(b, "\"%c%c%u\"",
			(char)('a' + ch_rng_below(&rng, 4)), 'n',
			(unsigned)ch_rng_below(&rng, 40));
}

static void add_value(struct ch_buf *b, int depth);

static void
add_container(struct ch_buf *b, int depth, bool object)
{
	uint64_t n = ch_rng_chance(&rng, 1, 40) ? 60 : ch_rng_below(&rng, 6);

	ch_buf_addc(b, object ? '{' : '[');
	add_space(b);
	for (uint64_t i = 0; i < n; i++) {
		if (i > 0)
			ch_buf_addc(b, ',');
		add_space(b);
		if (object) {
			add_name(b);
			add_space(b);
			ch_buf_addc(b, ':');
		}
		/* one or two children go on, the others are leaves */
		add_value(b, i < 2 ? depth + 1 : 100);
		add_space(b);
	}
	ch_buf_addc(b, object ? '}' : ']');
}

static void
add_value(struct ch_buf *b, int depth)
{
	static const char *const words[] = {"true", "false", "null"};

	add_space(b);
	switch (ch_rng_below(&rng, depth < 8 ? 7 : 4)) {
	case 0:
		add_number(b);
		break;
	case 1:
	case 2:
		add_string(b);
		break;
	case 3:
		ch_buf_adds(b, words[ch_rng_below(&rng, 3)]);
		break;
	default:
		add_container(b, depth, ch_rng_chance(&rng, 2, 3));
		break;
	}
}

static void
break_somewhere(struct ch_buf *b)
{
	static const char bytes[] = "{}[]\",:\\/0123456789.-+eEtfnu \t\n\x01"
				    "\x1f\x7f\x80\xbf\xc0\xc3\xe2\xed\xf4\xff";
	size_t at = ch_rng_below(&rng, b->len);
	/* sizeof: the NUL at the end is one of them */
	char c = bytes[ch_rng_below(&rng, sizeof(bytes))];

	switch (ch_rng_below(&rng, 5)) {
	case 0: /* another byte */
		b->ptr[at] = c;
		break;
	case 1: /* a byte more */
		ch_buf_addc(b, c);
		memmove(b->ptr + at + 1, b->ptr + at, b->len - 1 - at);
		b->ptr[at] = c;
		break;
	case 2: /* a byte less */
		memmove(b->ptr + at, b->ptr + at + 1, b->len - 1 - at);
		b->len--;
		break;
	case 3: /* the end lost */
		if (ch_rng_chance(&rng, 1, 4))
			b->len = at + 1;
		break;
	default: /* one bit */
		b->ptr[at] = (char)(b->ptr[at] ^ (1 << ch_rng_below(&rng, 8)));
		break;
	}
}

/* ---- comparison ---- */

static void must_be_equal(const struct ch_json *ours, json_t *theirs);

static void
numbers_must_be_equal(const struct ch_json *ours, json_t *theirs)
{
	char text[400];
	int64_t value = 0;
	double x;
	double y;

	if (json_is_integer(theirs)) {
		ck_assert_int_eq(ch_view_int(ours->text, INT64_MIN, INT64_MAX,
					 &value),
			0);
		ck_assert_int_eq(value, json_integer_value(theirs));
		return;
	}
	ck_assert(json_is_real(theirs));
	ck_assert_int_eq(ch_view_copy(ours->text, text, sizeof(text)), 0);
	x = strtod(text, NULL);
	y = json_real_value(theirs);
	ck_assert_mem_eq(&x, &y, sizeof(x));
}

static void
objects_must_be_equal(const struct ch_json *ours, json_t *theirs)
{
	ck_assert(json_is_object(theirs));
	ck_assert_uint_eq(ours->count, json_object_size(theirs));
	for (const struct ch_json *m = ours->child; m != NULL; m = m->next) {
		json_t *other =
			json_object_getn(theirs, m->name.ptr, m->name.len);

		ck_assert_ptr_nonnull(other);
		must_be_equal(m, other);
	}
}

static void
arrays_must_be_equal(const struct ch_json *ours, json_t *theirs)
{
	size_t i = 0;

	ck_assert(json_is_array(theirs));
	ck_assert_uint_eq(ours->count, json_array_size(theirs));
	for (const struct ch_json *e = ours->child; e != NULL; e = e->next)
		must_be_equal(e, json_array_get(theirs, i++));
	ck_assert_uint_eq(i, ours->count);
}

static void
must_be_equal(const struct ch_json *ours, json_t *theirs)
{
	switch (ours->type) {
	case CH_JSON_NULL:
		ck_assert(json_is_null(theirs));
		break;
	case CH_JSON_FALSE:
		ck_assert(json_is_false(theirs));
		break;
	case CH_JSON_TRUE:
		ck_assert(json_is_true(theirs));
		break;
	case CH_JSON_NUMBER:
		numbers_must_be_equal(ours, theirs);
		break;
	case CH_JSON_STRING:
		ck_assert(json_is_string(theirs));
		ck_assert(ch_view_eq(ours->str,
			(struct ch_view){json_string_value(theirs),
				json_string_length(theirs)}));
		break;
	case CH_JSON_ARRAY:
		arrays_must_be_equal(ours, theirs);
		break;
	case CH_JSON_OBJECT:
	default:
		objects_must_be_equal(ours, theirs);
		break;
	}
}

static json_t *
load(struct ch_view text, json_error_t *err)
{
	return json_loadb(text.ptr, text.len,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, err);
}

/* The canonical text means the same to jansson, and is a fixed point. */
static void
canonical_must_hold(const struct ch_json *ours, json_t *theirs)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf once = CH_BUF_INIT;
	struct ch_buf twice = CH_BUF_INIT;
	const struct ch_json *again;
	json_error_t err;
	json_t *same;

	ch_json_canonical(&once, ours);
	same = load(ch_buf_view(&once), &err);
	ck_assert_ptr_nonnull(same);
	ck_assert(json_equal(same, theirs));
	again = ch_json_parse(&arena, ch_buf_view(&once), MAX_NODES, NULL);
	ck_assert_ptr_nonnull(again);
	ch_json_canonical(&twice, again);
	ck_assert_str_eq(ch_buf_str(&once), ch_buf_str(&twice));
	json_decref(same);
	ch_buf_free(&once);
	ch_buf_free(&twice);
	ch_arena_free(&arena);
}

enum outcome { BOTH_ACCEPT, BOTH_REFUSE, LEFT_OUT };

static enum outcome
compare(struct ch_arena *arena, struct ch_view text)
{
	struct ch_err err = CH_ERR_INIT;
	json_error_t their_err;
	const struct ch_json *ours =
		ch_json_parse(arena, text, MAX_NODES, &err);
	json_t *theirs = load(text, &their_err);
	enum outcome outcome = BOTH_ACCEPT;

	if (ours != NULL && theirs != NULL) {
		must_be_equal(ours, theirs);
		canonical_must_hold(ours, theirs);
	} else if (ours == NULL && theirs == NULL) {
		outcome = BOTH_REFUSE;
	} else {
		bool too_big = theirs == NULL &&
			json_error_code(&their_err) ==
				json_error_numeric_overflow;
		bool our_limit = ours == NULL &&
			(strstr(err.text, "nested deeper") != NULL ||
				strstr(err.text, "too many values") != NULL ||
				memchr(text.ptr, '\0', text.len) != NULL);

		ck_assert_msg(too_big || our_limit,
			"%s: ours '%s', jansson '%s':\n%.*s",
			ours != NULL ? "only we accept" : "only we refuse",
			err.text, their_err.text, CH_VIEW_ARG(text));
		outcome = LEFT_OUT;
	}
	json_decref(theirs);
	return outcome;
}

START_TEST(we_accept_what_jansson_accepts_and_read_the_same)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf b = CH_BUF_INIT;
	uint64_t counts[3] = {0};

	for (uint64_t i = 0; i < rounds; i++) {
		char *exact;

		ch_buf_clear(&b);
		add_value(&b, 0);
		add_space(&b);
		if (i % 2 == 1) {
			do {
				break_somewhere(&b);
			} while (b.len > 0 && ch_rng_chance(&rng, 1, 3));
		}
		/* a copy of its exact size, for the sanitizer's sake */
		exact = ch_xmalloc(b.len);
		memcpy(exact, b.ptr, b.len);
		counts[compare(&arena, (struct ch_view){exact, b.len})]++;
		free(exact);
		ch_arena_reset(&arena, 1 << 20);
	}
	printf("both accept %llu, both refuse %llu, left out %llu\n",
		(unsigned long long)counts[BOTH_ACCEPT],
		(unsigned long long)counts[BOTH_REFUSE],
		(unsigned long long)counts[LEFT_OUT]);
	(void)fflush(stdout);
	ck_assert_uint_gt(counts[BOTH_ACCEPT], rounds / 3);
	ck_assert_uint_gt(counts[BOTH_REFUSE], rounds / 10);
	ck_assert_uint_lt(counts[LEFT_OUT], rounds / 20 + 1);
	ch_buf_free(&b);
	ch_arena_free(&arena);
}
END_TEST

START_TEST(strings_we_write_come_back_from_jansson)
{
	struct ch_buf b = CH_BUF_INIT;

	for (uint64_t i = 0; i < rounds / 4; i++) {
		char bytes[40];
		size_t n = ch_rng_below(&rng, sizeof(bytes));
		struct ch_view v = {bytes, n};
		bool keep_ascii = ch_rng_chance(&rng, 1, 2);
		json_t *s;

		for (size_t k = 0; k < n; k++) {
			bytes[k] = (char)(ch_rng_below(&rng, 255) + 1);
			if (keep_ascii)
				bytes[k] &= 0x7f;
			if (bytes[k] == '\0')
				bytes[k] = '"';
		}
		ch_buf_clear(&b);
		ch_json_add_string(&b, v);
		s = load(ch_buf_view(&b), NULL);
		ck_assert_ptr_nonnull(s);
		if (ch_view_is_utf8(v))
			ck_assert(ch_view_eq(v,
				(struct ch_view){json_string_value(s),
					json_string_length(s)}));
		else
			ck_assert_ptr_nonnull(strstr(json_string_value(s),
				"\xef\xbf\xbd"));
		json_decref(s);
	}
	ch_buf_free(&b);
}
END_TEST

int
main(void)
{
	uint64_t seed;
	Suite *suite = suite_create("json against jansson");
	TCase *cases = tcase_create("json");
	SRunner *runner = srunner_create(suite);
	int failed;

	ch_rng_secure(&seed, sizeof(seed));
	seed = from_environment("SEED", seed >> 1);
	rounds = from_environment("N", rounds);
	printf("SEED=%llu N=%llu\n", (unsigned long long)seed,
		(unsigned long long)rounds);
	(void)fflush(stdout);
	ch_rng_seed(&rng, seed);
	tcase_set_timeout(cases, 600);
	tcase_add_test(cases, we_accept_what_jansson_accepts_and_read_the_same);
	tcase_add_test(cases, strings_we_write_come_back_from_jansson);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
