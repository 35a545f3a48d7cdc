/* SPDX-License-Identifier: Apache-2.0 */
/* silence: a server is left when it was asked, could be heard, and was not. */
#include "check_suite.h"

#include "silence.h"

#define PATIENCE_MS 40000
#define STATUS_MS 5000

static struct silence s;

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){(ms + 1000) * 1000000};
}

/* A status every 5 s to a server that says nothing, until it is left. */
static int64_t
left_after(int64_t from, uint64_t frames, uint64_t commits)
{
	bool first = true;

	for (int64_t ms = from;; ms += STATUS_MS) {
		int64_t silent = silence_ms(&s, frames, first, at_ms(ms));

		if (silence_gives_up(&s, silent, commits))
			return ms - from;
		silence_read_dry(&s);
		first = false;
	}
}

static void
setup(void)
{
	s = (struct silence){0};
}

START_TEST(it_is_left_when_its_time_is_over)
{
	ck_assert_int_eq(left_after(0, 0, 0), PATIENCE_MS);
}
END_TEST

START_TEST(each_frame_begins_its_time_anew)
{
	for (uint64_t frames = 0; frames < 100; frames++) {
		ck_assert_int_eq(silence_ms(&s, frames, frames == 0,
					 at_ms((int64_t)frames * STATUS_MS)),
			0);
		silence_read_dry(&s);
	}
}
END_TEST

/* Kafka is away, and what the server says lies unread. */
START_TEST(what_is_not_read_is_not_silent)
{
	(void)silence_ms(&s, 1, true, at_ms(0));
	ck_assert_int_eq(silence_ms(&s, 1, false, at_ms(10 * PATIENCE_MS)), 0);
}
END_TEST

START_TEST(a_new_stream_was_not_asked_yet)
{
	silence_read_dry(&s);
	ck_assert_int_eq(silence_ms(&s, 0, true, at_ms(PATIENCE_MS)), 0);
}
END_TEST

START_TEST(patience_doubles_until_a_commit_comes)
{
	int64_t now = 0, patience = PATIENCE_MS, took;

	for (int i = 0; i < 10; i++) {
		took = left_after(now, 0, 5);
		ck_assert_int_eq(took, patience);
		patience *= i < 6 ? 2 : 1;
		now += took + 1;
	}
	ck_assert_int_eq(left_after(now, 0, 6), PATIENCE_MS);
}
END_TEST

FIXTURE_MAIN("silence", setup, NULL, it_is_left_when_its_time_is_over,
	each_frame_begins_its_time_anew, what_is_not_read_is_not_silent,
	a_new_stream_was_not_asked_yet, patience_doubles_until_a_commit_comes)
