/* SPDX-License-Identifier: Apache-2.0 */
/* presence: a topic is missing only after answers that said so, for long. */
#include "check_suite.h"

#include "base/log.h"
#include "presence.h"

#define WAIT_MS 10000

static const struct ch_kafka_topic there = {.exists = true, .partitions = 6};
static const struct ch_kafka_topic nowhere = {.exists = false};
static struct presence p;

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){(ms + 1000) * 1000000};
}

static bool
answered(const struct ch_kafka_topic *is, int64_t ms)
{
	return presence_answer(&p, is, "orders", WAIT_MS, at_ms(ms));
}

static void
setup(void)
{
	ch_log_init("test_presence", CH_LOG_ERROR, false);
	p = (struct presence){0};
	presence_want(&p);
}

START_TEST(nobody_is_asked_for_what_nobody_wants)
{
	p = (struct presence){0};
	ck_assert(!presence_is_due(&p, at_ms(0)));
	ck_assert_int_eq(presence_next_ms(&p, at_ms(0)), -1);
	presence_want(&p);
	ck_assert(presence_is_due(&p, at_ms(0)));
	ck_assert_int_eq(presence_next_ms(&p, at_ms(0)), 0);
}
END_TEST

START_TEST(what_is_there_is_not_asked_again)
{
	ck_assert(answered(&there, 0));
	ck_assert_int_eq(p.state, PRESENCE_KNOWN);
	ck_assert_int_eq(p.partitions, 6);
	presence_want(&p);
	ck_assert(!presence_is_due(&p, at_ms(100000)));
	ck_assert_int_eq(presence_next_ms(&p, at_ms(100000)), -1);
}
END_TEST

START_TEST(it_is_missing_only_when_its_time_is_over)
{
	ck_assert(!answered(&nowhere, 0));
	ck_assert(!presence_is_due(&p, at_ms(1)));
	ck_assert(!answered(&nowhere, WAIT_MS - 1));
	ck_assert_int_eq(p.state, PRESENCE_UNKNOWN);
	ck_assert(answered(&nowhere, WAIT_MS));
	ck_assert_int_eq(p.state, PRESENCE_MISSING);
	/* said once: what waited has gone aside */
	ck_assert(!answered(&nowhere, WAIT_MS + 5000));
}
END_TEST

/* Brokers that are away make no topic missing, however long. */
START_TEST(silence_counts_for_nothing)
{
	for (int64_t ms = 0; ms < 10 * WAIT_MS; ms += 500)
		presence_silence(&p, at_ms(ms));
	ck_assert(!answered(&nowhere, 10 * WAIT_MS));
	ck_assert_int_eq(p.state, PRESENCE_UNKNOWN);
}
END_TEST

START_TEST(it_waits_between_two_questions)
{
	int64_t ms;

	presence_silence(&p, at_ms(0));
	ms = presence_next_ms(&p, at_ms(0));
	ck_assert_int_gt(ms, 0);
	ck_assert(!presence_is_due(&p, at_ms(ms / 2)));
	ck_assert(presence_is_due(&p, at_ms(ms)));
	ck_assert_int_eq(presence_next_ms(&p, at_ms(ms)), 0);
}
END_TEST

START_TEST(a_missing_one_is_found_when_it_was_made)
{
	(void)answered(&nowhere, 0);
	(void)answered(&nowhere, WAIT_MS);
	ck_assert(presence_is_due(&p, at_ms(2 * WAIT_MS)));
	ck_assert(answered(&there, 2 * WAIT_MS));
	ck_assert_int_eq(p.state, PRESENCE_KNOWN);
}
END_TEST

/* An operator made it, and sends the letter again: asked at once, and with all
 * of its time. */
START_TEST(hope_asks_a_missing_one_anew)
{
	(void)answered(&nowhere, 0);
	(void)answered(&nowhere, WAIT_MS);
	presence_hope(&p, at_ms(WAIT_MS));
	ck_assert_int_eq(p.state, PRESENCE_UNKNOWN);
	ck_assert(presence_is_due(&p, at_ms(WAIT_MS)));
	ck_assert(!answered(&nowhere, WAIT_MS));
	ck_assert(!answered(&nowhere, 2 * WAIT_MS - 1));
	ck_assert(answered(&nowhere, 2 * WAIT_MS));
}
END_TEST

START_TEST(a_deleted_one_gets_its_time_too)
{
	(void)answered(&there, 0);
	presence_doubt(&p);
	presence_want(&p);
	ck_assert(!answered(&nowhere, 100000));
	ck_assert_int_eq(p.state, PRESENCE_UNKNOWN);
	ck_assert(answered(&nowhere, 100000 + WAIT_MS));
	ck_assert_int_eq(p.state, PRESENCE_MISSING);
}
END_TEST

/* Somebody added partitions, or a row names one in error: asked, seldom. */
START_TEST(a_partition_that_is_not_there_is_asked_for_once_in_a_while)
{
	int asked = 0;

	(void)answered(&there, 0);
	ck_assert(presence_has(&p, 5));
	ck_assert(!presence_has(&p, 6));
	for (int64_t ms = 0; ms < 60000; ms += 10) {
		if (!presence_recount(&p, at_ms(ms)))
			continue;
		asked++;
		ck_assert(presence_is_due(&p, at_ms(ms)));
		(void)answered(&there, ms);
		ck_assert_int_eq(p.state, PRESENCE_KNOWN);
	}
	ck_assert_int_ge(asked, 2);
	ck_assert_int_le(asked, 4);
}
END_TEST

/* Its records are tried: they tell when the right is there. */
START_TEST(a_denied_answer_makes_it_known_but_for_its_partitions)
{
	presence_denied(&p, at_ms(0));
	ck_assert_int_eq(p.state, PRESENCE_KNOWN);
	ck_assert(presence_has(&p, 1000));
	presence_doubt(&p);
	presence_want(&p);
	ck_assert(answered(&there, 1000));
	ck_assert(!presence_has(&p, 6));
}
END_TEST

FIXTURE_MAIN("presence", setup, NULL, nobody_is_asked_for_what_nobody_wants,
	what_is_there_is_not_asked_again,
	it_is_missing_only_when_its_time_is_over, silence_counts_for_nothing,
	it_waits_between_two_questions, a_missing_one_is_found_when_it_was_made,
	a_partition_that_is_not_there_is_asked_for_once_in_a_while,
	a_denied_answer_makes_it_known_but_for_its_partitions,
	hope_asks_a_missing_one_anew, a_deleted_one_gets_its_time_too)
