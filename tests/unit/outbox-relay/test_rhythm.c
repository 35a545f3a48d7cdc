/* SPDX-License-Identifier: Apache-2.0 */
/* rhythm: single rows go at once, many are gathered, a backlog in pieces. */
#include "check_suite.h"

#include "rhythm.h"

#define MS INT64_C(1000000)

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){ms * MS};
}

/* The pauses after a second of so many rows, evenly. */
static struct rhythm_pause
after_second_of(int64_t rows, bool behind, bool local)
{
	struct rhythm r;

	rhythm_init(&r, 4, at_ms(0));
	for (int64_t ms = 1; ms <= 1000; ms++)
		rhythm_rows(&r, rows * ms / 1000 - rows * (ms - 1) / 1000,
			behind, local, at_ms(ms));
	return rhythm_pause(&r);
}

START_TEST(single_rows_go_at_once)
{
	for (int64_t rows = 0; rows < 900; rows += 37) {
		struct rhythm_pause p = after_second_of(rows, false, rows & 1);

		ck_assert_int_eq(p.read_ns, 0);
		ck_assert_int_eq(p.send_ns, 0);
	}
}
END_TEST

START_TEST(many_rows_are_gathered_as_long_as_is_allowed)
{
	ck_assert_int_eq(after_second_of(1000, false, false).read_ns, 4 * MS);
	ck_assert_int_eq(after_second_of(90000, false, false).read_ns, 4 * MS);
	ck_assert_int_eq(after_second_of(5000, false, true).read_ns, 4 * MS);
}
END_TEST

/* Else the walsender would stand still before its reader comes back. */
START_TEST(a_unix_socket_is_read_before_it_is_full)
{
	for (int64_t rows = 10000; rows <= 200000; rows += 10000) {
		int64_t pause = after_second_of(rows, false, true).read_ns;

		ck_assert_int_gt(pause, 0);
		ck_assert_int_le(rows * pause / (1000 * MS), 40);
	}
}
END_TEST

START_TEST(behind_the_socket_is_emptied_and_rows_are_kept_back)
{
	struct rhythm_pause tcp = after_second_of(500, true, false);
	struct rhythm_pause unix_socket = after_second_of(500, true, true);
	int64_t filled = 75 * 1000 * MS / 200000; /* at 200,000 rows a second */

	ck_assert_int_ge(tcp.read_ns, 4 * MS);
	ck_assert_int_eq(tcp.send_ns, 0);
	ck_assert_int_gt(unix_socket.read_ns, 0);
	ck_assert_int_le(unix_socket.read_ns, filled);
	ck_assert_int_ge(unix_socket.send_ns, 4 * MS);
}
END_TEST

START_TEST(the_first_row_after_a_flood_does_not_wait)
{
	struct rhythm r;

	rhythm_init(&r, 4, at_ms(0));
	rhythm_rows(&r, 100000, false, false, at_ms(1000));
	ck_assert_int_eq(rhythm_pause(&r).read_ns, 4 * MS);
	rhythm_rows(&r, 1, false, false, at_ms(3000));
	ck_assert_int_eq(rhythm_pause(&r).read_ns, 0);
}
END_TEST

START_TEST(zero_gathers_nothing)
{
	struct rhythm r;

	rhythm_init(&r, 0, at_ms(0));
	rhythm_rows(&r, 100000, false, false, at_ms(1000));
	ck_assert_int_eq(rhythm_pause(&r).read_ns, 0);
}
END_TEST

/* Else each window around the bound would change the producer. */
START_TEST(bulk_ends_later_than_it_begins)
{
	struct rhythm r;

	rhythm_init(&r, 4, at_ms(0));
	rhythm_rows(&r, 900, false, false, at_ms(1000));
	ck_assert(!rhythm_is_bulk(&r));
	rhythm_rows(&r, 1000, false, false, at_ms(2000));
	ck_assert(rhythm_is_bulk(&r));
	rhythm_rows(&r, 600, false, false, at_ms(3000));
	ck_assert(rhythm_is_bulk(&r));
	rhythm_rows(&r, 400, false, false, at_ms(4000));
	ck_assert(!rhythm_is_bulk(&r));
}
END_TEST

START_TEST(few_old_rows_are_bulk_until_nothing_is_read)
{
	struct rhythm r;

	rhythm_init(&r, 4, at_ms(0));
	rhythm_rows(&r, 1, true, false, at_ms(1000));
	ck_assert(rhythm_is_bulk(&r));
	rhythm_rows(&r, 0, true, false, at_ms(1001));
	ck_assert(rhythm_is_bulk(&r));
	rhythm_rows(&r, 0, true, false, at_ms(2000));
	ck_assert(!rhythm_is_bulk(&r));
}
END_TEST

SUITE_MAIN("rhythm", single_rows_go_at_once,
	many_rows_are_gathered_as_long_as_is_allowed,
	a_unix_socket_is_read_before_it_is_full,
	behind_the_socket_is_emptied_and_rows_are_kept_back,
	the_first_row_after_a_flood_does_not_wait, zero_gathers_nothing,
	bulk_ends_later_than_it_begins,
	few_old_rows_are_bulk_until_nothing_is_read)
