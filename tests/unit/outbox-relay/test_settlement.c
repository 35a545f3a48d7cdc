/* SPDX-License-Identifier: Apache-2.0 */
/* settlement: nothing is sent again before all that was sent is reported. */
#include "check_suite.h"

#include "settlement.h"

static struct settlement s;
static struct ch_rng rng;

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){(ms + 1000) * 1000000};
}

static void
setup(void)
{
	ch_rng_seed(&rng, 1);
	settlement_init(&s);
}

START_TEST(a_good_report_begins_none)
{
	settlement_heard(&s, true, at_ms(0));
	ck_assert(!settlement_is_on(&s));
	ck_assert_int_eq(settlement_needs(&s, false, false, at_ms(60000)),
		SETTLEMENT_NOTHING);
	ck_assert(!settlement_ends(&s, 0, false));
}
END_TEST

START_TEST(it_ends_when_nothing_is_in_flight)
{
	settlement_heard(&s, false, at_ms(0));
	ck_assert(settlement_is_on(&s));
	ck_assert(!settlement_ends(&s, 1, false));
	ck_assert(!settlement_ends(&s, 0, true));
	ck_assert(settlement_ends(&s, 0, false));
	ck_assert(!settlement_is_on(&s));
	ck_assert(!settlement_ends(&s, 0, false));
}
END_TEST

/* Each report gives the rest its time. */
START_TEST(a_client_that_reports_nothing_is_rebuilt)
{
	settlement_begin(&s, at_ms(0));
	settlement_begin(&s, at_ms(1000));
	settlement_heard(&s, true, at_ms(1500));
	ck_assert_int_eq(settlement_needs(&s, false, false,
				 at_ms(1499 + SETTLEMENT_SILENT_MS)),
		SETTLEMENT_NOTHING);
	ck_assert_int_eq(settlement_needs(&s, false, false,
				 at_ms(1500 + SETTLEMENT_SILENT_MS)),
		SETTLEMENT_SILENT);
}
END_TEST

/* The client keeps what it has, and its reconnects are the probe. */
START_TEST(while_brokers_are_away_it_waits)
{
	settlement_begin(&s, at_ms(0));
	ck_assert_int_eq(settlement_needs(&s, false, true, at_ms(600000)),
		SETTLEMENT_NOTHING);
	ck_assert(settlement_is_on(&s));
}
END_TEST

START_TEST(a_client_that_has_failed_begins_one_and_is_rebuilt_at_once)
{
	ck_assert_int_eq(settlement_needs(&s, true, true, at_ms(0)),
		SETTLEMENT_FAILED);
	ck_assert(settlement_is_on(&s));
}
END_TEST

/* How long until it is rebuilt, of a client that is failed again at once. */
static int64_t
pause_after(int64_t *now)
{
	int64_t began = *now;

	settlement_rebuilt(&s, &rng, at_ms(began));
	while (settlement_needs(&s, true, false, at_ms(*now)) ==
		SETTLEMENT_NOTHING)
		++*now;
	return *now - began;
}

START_TEST(one_that_fails_again_and_again_is_rebuilt_ever_more_seldom)
{
	int64_t now = 0, longest = 0, pause;

	for (int i = 0; i < 30; i++) {
		pause = pause_after(&now);
		ck_assert_int_gt(pause, 0);
		ck_assert_int_le(pause, 30000);
		longest = pause > longest ? pause : longest;
	}
	ck_assert_int_gt(longest, 2000);
	settlement_heard(&s, true, at_ms(now));
	ck_assert_int_le(pause_after(&now), 500);
}
END_TEST

START_TEST(what_is_dropped_is_not_waited_for)
{
	settlement_begin(&s, at_ms(0));
	settlement_drop(&s);
	ck_assert(!settlement_is_on(&s));
}
END_TEST

FIXTURE_MAIN("settlement", setup, NULL, a_good_report_begins_none,
	it_ends_when_nothing_is_in_flight,
	a_client_that_reports_nothing_is_rebuilt,
	while_brokers_are_away_it_waits,
	a_client_that_has_failed_begins_one_and_is_rebuilt_at_once,
	one_that_fails_again_and_again_is_rebuilt_ever_more_seldom,
	what_is_dropped_is_not_waited_for)
