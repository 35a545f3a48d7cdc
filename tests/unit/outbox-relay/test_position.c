/* SPDX-License-Identifier: Apache-2.0 */
/* position: it is known only of what is delivered, and written in good time. */
#include "check_suite.h"

#include "position.h"
#include "rows.h"

static struct progress progress;
static struct inflight *inflight;
static struct position position;

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){(ms + 1000) * 1000000};
}

static void
setup(void)
{
	inflight = inflight_new();
	progress_init(&progress, "slot", "me", &ch_clock_real);
	progress.saved_snapshot = true;
	position_init(&position, &progress, inflight);
	position_saves(&position, at_ms(0));
}

static void
teardown(void)
{
	progress_free(&progress);
	inflight_free(inflight);
}

/* A commit of one row. */
static void
reads(uint64_t lsn)
{
	inflight_begin(inflight, (struct ch_time){0});
	inflight_add(inflight, result_row(1, (int64_t)lsn, "k", "{}"));
	inflight_end(inflight, lsn, NULL);
}

static void
delivers(void)
{
	struct event *e;

	while ((e = inflight_next(inflight)) != NULL)
		inflight_done(inflight, e);
	inflight_advance(inflight);
}

static void
is_known(uint64_t lsn)
{
	progress.has_lsn = true;
	progress.lsn = progress.kept_lsn = lsn;
}

START_TEST(what_is_forgotten_is_not_known)
{
	is_known(100);
	position_read(&position, 200);
	ck_assert_int_eq(position_state(&position), POSITION_KNOWN);
	position_forget(&position);
	ck_assert_int_eq(position_state(&position), POSITION_NONE);
	ck_assert_uint_eq(position_of_slot(&position), 0);
	ck_assert_uint_eq(position_stream_from(&position), 0);
}
END_TEST

/* A crash before the last row of it must scan again. */
START_TEST(a_scan_counts_when_all_of_it_is_delivered)
{
	position.slot_lsn = 50;
	reads(0);
	reads(0);
	position_scanned(&position);
	ck_assert_int_eq(position_state(&position), POSITION_SCANNED);
	inflight_done(inflight, inflight_next(inflight));
	inflight_advance(inflight);
	position_settle(&position, "9:9:");
	ck_assert_int_eq(position_state(&position), POSITION_SCANNED);
	ck_assert_uint_eq(position_stream_from(&position), 50);
	delivers();
	position_settle(&position, "9:9:");
	ck_assert_int_eq(position_state(&position), POSITION_KNOWN);
	ck_assert_uint_eq(progress.lsn, 50);
	ck_assert_str_eq(progress.snapshot, "9:9:");
	ck_assert_int_eq(position_save_ms(&position, false, at_ms(1000)), 0);
}
END_TEST

START_TEST(an_applications_table_tells_no_snapshot)
{
	position_scanned(&position);
	position_settle(&position, NULL);
	ck_assert_int_eq(position_state(&position), POSITION_KNOWN);
	ck_assert_ptr_null(progress.snapshot);
}
END_TEST

START_TEST(what_was_dropped_in_a_scan_is_scanned_again)
{
	position_scanned(&position);
	position_drop(&position);
	position_settle(&position, "9:9:");
	ck_assert_int_eq(position_state(&position), POSITION_NONE);
}
END_TEST

/* The slot was told nothing further than what is durable, or made there. */
START_TEST(a_slot_is_no_further_than_what_is_kept)
{
	is_known(100);
	progress.lsn = 200;
	ck_assert_uint_eq(position_of_slot(&position), 100);
	position.slot_lsn = 150;
	ck_assert_uint_eq(position_of_slot(&position), 100);
	position_scanned(&position);
	ck_assert_uint_eq(position_of_slot(&position), 150);
	progress.kept_lsn = 200;
	ck_assert_uint_eq(position_of_slot(&position), 200);
}
END_TEST

START_TEST(the_stream_goes_on_behind_what_was_read)
{
	is_known(100);
	ck_assert_uint_eq(position_stream_from(&position), 100);
	position_read(&position, 180);
	ck_assert_uint_eq(position_stream_from(&position), 180);
	position_drop(&position);
	ck_assert_uint_eq(position_stream_from(&position), 100);
}
END_TEST

START_TEST(it_moves_over_what_is_delivered_and_never_back)
{
	position_advance(&position);
	ck_assert_uint_eq(progress.lsn, 0);
	is_known(100);
	reads(60);
	delivers();
	position_advance(&position);
	ck_assert_uint_eq(progress.lsn, 100);
	reads(160);
	position_advance(&position);
	ck_assert_uint_eq(progress.lsn, 100);
	delivers();
	position_advance(&position);
	ck_assert_uint_eq(progress.lsn, 160);
}
END_TEST

START_TEST(a_delivery_is_written_within_a_second)
{
	is_known(100);
	ck_assert_int_eq(position_save_ms(&position, true, at_ms(5000)), -1);
	reads(160);
	delivers();
	ck_assert_int_eq(position_save_ms(&position, false, at_ms(300)), 700);
	ck_assert_int_eq(position_save_ms(&position, false, at_ms(1000)), 0);
}
END_TEST

/* Our own write moves the WAL: an idle relay would wake itself for ever. */
START_TEST(without_deliveries_it_is_written_ever_more_seldom)
{
	int64_t now = 0, wait = 0, before;

	is_known(100);
	for (int i = 0; i < 20; i++) {
		before = wait;
		progress.lsn++;
		ck_assert_int_eq(position_save_ms(&position, false, at_ms(now)),
			-1);
		wait = position_save_ms(&position, true, at_ms(now));
		ck_assert_int_ge(wait, before);
		now += wait;
		position_saves(&position, at_ms(now));
	}
	ck_assert_int_gt(wait, 600000 - 1);
	progress.lsn += 32 << 20;
	ck_assert_int_eq(position_save_ms(&position, true, at_ms(now)), 1000);
}
END_TEST

FIXTURE_MAIN("position", setup, teardown, what_is_forgotten_is_not_known,
	a_scan_counts_when_all_of_it_is_delivered,
	an_applications_table_tells_no_snapshot,
	what_was_dropped_in_a_scan_is_scanned_again,
	a_slot_is_no_further_than_what_is_kept,
	the_stream_goes_on_behind_what_was_read,
	it_moves_over_what_is_delivered_and_never_back,
	a_delivery_is_written_within_a_second,
	without_deliveries_it_is_written_ever_more_seldom)
