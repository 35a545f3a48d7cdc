/* SPDX-License-Identifier: Apache-2.0 */
/* marks: the largest of each stream, whatever order they come in. */
#include "check_suite.h"

#include "marks.h"
#include "seed.h"

#define STREAMS 9
#define NUMBERS 1000

static int64_t
seq_of(const struct marks *m, int32_t stream)
{
	struct mark at;
	size_t i;

	for (i = 0; marks_at(m, i, &at); i++)
		if (at.stream == stream)
			return at.seq;
	return 0;
}

START_TEST(none_covers_nothing)
{
	struct marks m = {0};
	struct mark at;

	ck_assert(!marks_at(&m, 0, &at));
	ck_assert(!marks_cover(&m, (struct mark){0, INT64_MIN}));
	marks_raise_all(&m, &(struct marks){0});
	ck_assert(!marks_at(&m, 0, &at));
	marks_clear(&m);
	marks_free(&m);
}
END_TEST

START_TEST(a_mark_covers_itself_and_what_is_before_it)
{
	struct marks m = {0};

	marks_raise(&m, (struct mark){7, 10});
	ck_assert(marks_cover(&m, (struct mark){7, 9}));
	ck_assert(marks_cover(&m, (struct mark){7, 10}));
	ck_assert(!marks_cover(&m, (struct mark){7, 11}));
	ck_assert(!marks_cover(&m, (struct mark){6, 9}));
	marks_free(&m);
}
END_TEST

START_TEST(each_stream_keeps_its_largest)
{
	struct ch_rng rng;
	struct marks m = {0}, copy = {0};
	int64_t model[STREAMS] = {0};

	seed_rng(&rng);

	for (int i = 0; i < NUMBERS; i++) {
		int32_t stream = (int32_t)ch_rng_below(&rng, STREAMS);
		int64_t seq = 1 + (int64_t)ch_rng_below(&rng, NUMBERS);

		if (seq > model[stream])
			model[stream] = seq;
		marks_raise(&m, (struct mark){stream, seq});
		ck_assert_int_eq(seq_of(&m, stream), model[stream]);
	}
	marks_raise_all(&copy, &m);
	for (int32_t stream = 0; stream < STREAMS; stream++)
		ck_assert_int_eq(seq_of(&copy, stream), model[stream]);
	marks_free(&m);
	marks_free(&copy);
}
END_TEST

/* Of one stream, of which the mark lies in the struct, and of many. */
START_TEST(after_a_clear_it_may_begin_lower)
{
	for (int32_t streams = 1; streams < STREAMS; streams++) {
		struct marks m = {0};

		for (int32_t stream = 0; stream < streams; stream++)
			marks_raise(&m, (struct mark){stream, 100});
		marks_clear(&m);
		ck_assert(!marks_cover(&m, (struct mark){0, 1}));
		for (int32_t stream = 0; stream < streams; stream++)
			marks_raise(&m, (struct mark){stream, 5});
		for (int32_t stream = 0; stream < streams; stream++)
			ck_assert_int_eq(seq_of(&m, stream), 5);
		marks_free(&m);
	}
}
END_TEST

SUITE_MAIN("marks", none_covers_nothing,
	a_mark_covers_itself_and_what_is_before_it,
	each_stream_keeps_its_largest, after_a_clear_it_may_begin_lower)
