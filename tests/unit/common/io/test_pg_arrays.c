/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary values and arrays against bytes written out by hand from PostgreSQL's
 * documentation of the wire format (it_pg.c sends them to a real server), and
 * the reader against hostile bytes.
 */
#include <check.h>
#include <stdlib.h>

#include "io/pg_array.h"

static void
expect(struct ch_view got, const void *want, size_t n)
{
	ck_assert_uint_eq(got.len, n);
	ck_assert_mem_eq(got.ptr, want, n);
}

START_TEST(an_empty_array_has_no_dimension)
{
	static const char want[] = "\0\0\0\0"
				   "\0\0\0\0"
				   "\0\0\0\x14";
	struct ch_pg_array a;

	ch_pg_array_init(&a, CH_PG_INT8_ARRAY);
	expect(ch_pg_array_view(&a), want, sizeof(want) - 1);
	ch_pg_array_free(&a);
}
END_TEST

START_TEST(int8_with_a_null)
{
	static const char want[] = "\0\0\0\1"
				   "\0\0\0\1"
				   "\0\0\0\x14"
				   "\0\0\0\2"
				   "\0\0\0\1"
				   "\0\0\0\x08"
				   "\xff\xff\xff\xff\xff\xff\xff\xfe"
				   "\xff\xff\xff\xff";
	struct ch_pg_array a;

	ch_pg_array_init(&a, CH_PG_INT8_ARRAY);
	ch_pg_array_i64(&a, -2);
	ch_pg_array_null(&a);
	expect(ch_pg_array_view(&a), want, sizeof(want) - 1);
	/* Clear keeps nothing of it. */
	ch_pg_array_clear(&a);
	ck_assert_int_eq(a.count, 0);
	ck_assert(!a.nulls);
	ch_pg_array_i64(&a, 1);
	ck_assert_mem_eq(ch_pg_array_view(&a).ptr, "\0\0\0\1\0\0\0\0", 8);
	ch_pg_array_free(&a);
}
END_TEST

START_TEST(text_keeps_its_bytes)
{
	static const char want[] = "\0\0\0\1"
				   "\0\0\0\0"
				   "\0\0\0\x19"
				   "\0\0\0\2"
				   "\0\0\0\1"
				   "\0\0\0\2"
				   "a,"
				   "\0\0\0\0";
	struct ch_pg_array a;

	ch_pg_array_init(&a, CH_PG_TEXT_ARRAY);
	ch_pg_array_text(&a, CH_VIEW("a,"));
	ch_pg_array_text(&a, CH_VIEW(""));
	expect(ch_pg_array_view(&a), want, sizeof(want) - 1);
	ch_pg_array_free(&a);
}
END_TEST

START_TEST(every_value_has_its_length)
{
	struct ch_uuid u = {{1, 2, 3}};
	struct ch_buf b = CH_BUF_INIT;

	ch_pg_put_bool(&b, true);
	expect(ch_buf_view(&b), "\0\0\0\1\1", 5);
	ch_buf_clear(&b);
	ch_pg_put_i16(&b, -1);
	expect(ch_buf_view(&b), "\0\0\0\2\xff\xff", 6);
	ch_buf_clear(&b);
	ch_pg_put_i32(&b, INT32_MIN);
	expect(ch_buf_view(&b), "\0\0\0\4\x80\0\0\0", 8);
	ch_buf_clear(&b);
	ch_pg_put_uuid(&b, &u);
	ck_assert_uint_eq(b.len, 20);
	ch_buf_clear(&b);
	/* 2000-01-01 is PostgreSQL's zero. */
	ch_pg_put_time(&b, (struct ch_time){946684800000000});
	expect(ch_buf_view(&b), "\0\0\0\x08\0\0\0\0\0\0\0\0", 12);
	ch_buf_clear(&b);
	ch_pg_put_day(&b, 10956);
	expect(ch_buf_view(&b), "\0\0\0\4\xff\xff\xff\xff", 8);
	ch_buf_clear(&b);
	ch_pg_put_jsonb(&b, CH_VIEW("{}"));
	expect(ch_buf_view(&b), "\0\0\0\3\1{}", 7);
	ch_buf_clear(&b);
	ch_pg_put_null(&b);
	expect(ch_buf_view(&b), "\xff\xff\xff\xff", 4);
	ch_buf_free(&b);
}
END_TEST

START_TEST(what_was_written_is_read)
{
	struct ch_pg_array_reader r;
	struct ch_pg_array a;
	struct ch_view v;

	ch_pg_array_init(&a, CH_PG_TEXT_ARRAY);
	ch_pg_array_text(&a, CH_VIEW("one"));
	ch_pg_array_null(&a);
	ch_pg_array_text(&a, CH_VIEW(""));
	ck_assert_int_eq(ch_pg_array_open(&r, ch_pg_array_view(&a)), 0);
	ck_assert_int_eq(r.left, 3);
	ck_assert_uint_eq(r.element, CH_PG_TEXT);
	ck_assert(ch_pg_array_next(&r, &v) && ch_view_eq_str(v, "one"));
	ck_assert(ch_pg_array_next(&r, &v) && v.ptr == NULL);
	ck_assert(ch_pg_array_next(&r, &v) && v.ptr != NULL && v.len == 0);
	ck_assert(!ch_pg_array_next(&r, &v));
	ck_assert_int_eq(r.left, 0);
	ch_pg_array_free(&a);
}
END_TEST

START_TEST(every_cut_of_an_array_is_refused_or_ends_short)
{
	struct ch_pg_array_reader r;
	struct ch_pg_array a;
	struct ch_view whole, v;
	char *copy;
	size_t n;

	ch_pg_array_init(&a, CH_PG_INT8_ARRAY);
	ch_pg_array_i64(&a, 1);
	ch_pg_array_i64(&a, 2);
	whole = ch_pg_array_view(&a);
	for (n = 0; n < whole.len; n++) {
		copy = malloc(n + 1); /* so that a sanitizer sees overreads */
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, whole.ptr, n);
		if (ch_pg_array_open(&r, (struct ch_view){copy, n}) == 0) {
			while (ch_pg_array_next(&r, &v))
				;
			ck_assert_int_gt(r.left, 0);
		}
		free(copy);
	}
	ch_pg_array_free(&a);
}
END_TEST

START_TEST(two_dimensions_and_false_counts_are_refused)
{
	static const char two[] = "\0\0\0\2"
				  "\0\0\0\0"
				  "\0\0\0\x14"
				  "\0\0\0\1"
				  "\0\0\0\1"
				  "\0\0\0\1"
				  "\0\0\0\1";
	static const char many[] = "\0\0\0\1"
				   "\0\0\0\0"
				   "\0\0\0\x14"
				   "\x7f\xff\xff\xff"
				   "\0\0\0\1"
				   "\0\0\0\1"
				   "x";
	struct ch_pg_array_reader r;

	ck_assert_int_eq(ch_pg_array_open(&r,
				 (struct ch_view){two, sizeof(two) - 1}),
		CH_EPROTO);
	ck_assert_int_eq(ch_pg_array_open(&r,
				 (struct ch_view){many, sizeof(many) - 1}),
		CH_EPROTO);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pg_arrays");
	TCase *t = tcase_create("pg_arrays");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, an_empty_array_has_no_dimension);
	tcase_add_test(t, int8_with_a_null);
	tcase_add_test(t, text_keeps_its_bytes);
	tcase_add_test(t, every_value_has_its_length);
	tcase_add_test(t, what_was_written_is_read);
	tcase_add_test(t, every_cut_of_an_array_is_refused_or_ends_short);
	tcase_add_test(t, two_dimensions_and_false_counts_are_refused);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
