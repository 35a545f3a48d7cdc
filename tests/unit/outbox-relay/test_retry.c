/* SPDX-License-Identifier: Apache-2.0 */
/* retry, target: what a failure costs, and who waits for whom. */
#include "check_suite.h"

#include "retry.h"
#include "route.h"
#include "rows.h"
#include "target.h"

#define S INT64_C(1000000000)

static const struct ch_mono start = {1000 * S};

static struct ch_mono
after(int64_t seconds)
{
	return (struct ch_mono){start.ns + seconds * S};
}

START_TEST(the_table_of_costs)
{
	static const struct {
		enum failure f;
		unsigned attempts, limit;
		bool alone;
		enum retry_verdict want;
		bool spent;
	} rows[] = {
		/* an outage or a quota is no attempt, however often */
		{FAILURE_OUTAGE, 1000, 0, true, RETRY_AGAIN, false},
		{FAILURE_OUTAGE, 1000, 1, true, RETRY_AGAIN, false},
		{FAILURE_OUTAGE, 0, 1, false, RETRY_AGAIN, false},
		{FAILURE_QUOTA, 1000, 1, true, RETRY_AGAIN, false},
		{FAILURE_QUOTA, 0, 0, false, RETRY_AGAIN, false},
		{FAILURE_UNCLEAR, 1000, 1, true, RETRY_LATER, false},
		{FAILURE_DENIED, 1000, 1, true, RETRY_AGAIN, false},
		{FAILURE_DENIED, 0, 0, false, RETRY_AGAIN, false},
		/* a batch condemns nobody */
		{FAILURE_UNCLEAR, 9, 1, false, RETRY_TRIAL, false},
		{FAILURE_POISON, 9, 1, false, RETRY_TRIAL, false},
		{FAILURE_TRANSIENT, 9, 1, false, RETRY_AGAIN, false},
		{FAILURE_PERMANENT, 9, 1, false, RETRY_AGAIN, false},
		/* alone, by the table */
		{FAILURE_POISON, 0, 0, true, RETRY_PARK, true},
		{FAILURE_PERMANENT, 0, 0, true, RETRY_AGAIN, true},
		{FAILURE_PERMANENT, 1, 0, true, RETRY_AGAIN, true},
		{FAILURE_PERMANENT, 2, 0, true, RETRY_PARK, true},
		{FAILURE_TRANSIENT, 60000, 0, true, RETRY_LATER, true},
		/* alone, by skip-after-N: the Nth is the last, of each class */
		{FAILURE_POISON, 0, 1, true, RETRY_PARK, true},
		{FAILURE_POISON, 0, 3, true, RETRY_LATER, true},
		{FAILURE_POISON, 1, 3, true, RETRY_LATER, true},
		{FAILURE_POISON, 2, 3, true, RETRY_PARK, true},
		{FAILURE_TRANSIENT, 1, 3, true, RETRY_LATER, true},
		{FAILURE_TRANSIENT, 2, 3, true, RETRY_PARK, true},
		{FAILURE_PERMANENT, 3, 5, true, RETRY_AGAIN, true},
		{FAILURE_PERMANENT, 4, 5, true, RETRY_PARK, true},
	};
	struct retry_decision d;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		d = retry_decide(rows[i].f, rows[i].attempts, rows[i].limit,
			rows[i].alone);
		ck_assert_msg(d.verdict == rows[i].want &&
				d.spent == rows[i].spent,
			"row %zu: %s", i, failure_name(rows[i].f));
	}
}
END_TEST

static struct event *
row_of(struct route_topic *topic, int64_t seq, const char *key)
{
	struct event *e = outbox_row(seq, "t", key, "{}");

	e->topic = topic;
	return e;
}

START_TEST(a_trial_holds_its_key_and_no_other)
{
	struct route_topic one = {.number = 1}, two = {.number = 2};
	struct event *suspect = row_of(&one, 1, "k");
	struct event *second = row_of(&one, 2, "k");
	struct event *other = row_of(&one, 3, "l");
	struct event *elsewhere = row_of(&two, 4, "k");
	struct retry *r = retry_new();
	struct ch_mono until;
	struct ch_rng rng;

	ch_rng_seed(&rng, 7);
	ck_assert(!retry_is_held(r, suspect, &until));
	retry_hold(r, suspect);
	retry_hold(r, suspect);
	retry_hold(r, second);
	ck_assert_uint_eq(retry_held(r), 1);
	ck_assert(retry_is_held(r, second, &until));
	ck_assert_int_eq(until.ns, 0);
	ck_assert(!retry_is_held(r, other, &until));
	ck_assert(!retry_is_held(r, elsewhere, &until));

	retry_pause(r, suspect, &rng, start);
	ck_assert(retry_is_held(r, second, &until));
	ck_assert_int_ge(until.ns, start.ns + S / 5);
	ck_assert_int_le(until.ns, start.ns + 10 * S);

	/* a row that was on no trial ends none */
	retry_free_key(r, other);
	retry_free_key(r, suspect);
	ck_assert(retry_is_held(r, second, &until));
	ck_assert_int_eq(until.ns, 0);
	retry_free_key(r, suspect);
	ck_assert_uint_eq(retry_held(r), 1);
	retry_free_key(r, second);
	ck_assert_uint_eq(retry_held(r), 0);
	retry_free(r);
	event_free(suspect);
	event_free(second);
	event_free(other);
	event_free(elsewhere);
}
END_TEST

START_TEST(a_row_without_a_key_holds_itself)
{
	struct route_topic topic = {.number = 1};
	struct ch_buf none = CH_BUF_INIT;
	struct event *a, *b;
	struct retry *r = retry_new();
	struct ch_mono until;

	bytea_array(&none, NULL, 0);
	a = rejected_row("t", 0, ch_buf_view(&none), ch_buf_view(&none));
	b = rejected_row("t", 0, ch_buf_view(&none), ch_buf_view(&none));
	a->topic = b->topic = &topic;
	a->lens[REJECTED_KEY] = b->lens[REJECTED_KEY] = -1;
	ck_assert_ptr_null(event_key(a).ptr);
	retry_hold(r, a);
	ck_assert(retry_is_held(r, a, &until));
	retry_free_key(r, a);
	ck_assert(!retry_is_held(r, b, &until));
	retry_free(r);
	event_free(a);
	event_free(b);
	ch_buf_free(&none);
}
END_TEST

START_TEST(an_outage_is_tried_by_one_record_at_a_time)
{
	struct target t;
	struct ch_rng rng;
	int64_t due;

	ch_rng_seed(&rng, 3);
	target_init(&t, "t", &rng);
	ck_assert_int_eq(target_ask(&t, false, start), TARGET_SEND);
	target_sent(&t, start);
	target_sent(&t, start);
	ck_assert(!target_open_stuck(&t, 10000, after(9)));
	ck_assert(target_open_stuck(&t, 10000, after(10)));
	ck_assert_int_eq(t.cause, FAILURE_OUTAGE);
	ck_assert_int_eq(target_ask(&t, false, after(10)), TARGET_WAIT);
	due = target_due(&t, after(10));
	ck_assert_int_ge(due, 500);
	ck_assert_int_le(due, 30001);

	ck_assert_int_eq(target_ask(&t, false, after(41)), TARGET_TRY);
	target_tried(&t, after(41));
	ck_assert_int_eq(target_ask(&t, false, after(41)), TARGET_WAIT);
	ck_assert_int_eq(target_due(&t, after(41)), -1);
	target_judged(&t, FAILURE_OUTAGE, "C", "x", after(46));
	ck_assert_int_eq(target_ask(&t, false, after(46)), TARGET_WAIT);

	ck_assert_int_eq(target_ask(&t, false, after(90)), TARGET_TRY);
	target_tried(&t, after(90));
	target_judged(&t, FAILURE_NONE, "", "", after(90));
	ck_assert(!target_is_open(&t));
	ck_assert_int_eq(target_due(&t, after(90)), 0);
	ck_assert_int_eq(target_ask(&t, false, after(90)), TARGET_SEND);
}
END_TEST

START_TEST(an_acknowledgement_is_no_silence)
{
	struct target t;
	struct ch_rng rng;

	ch_rng_seed(&rng, 3);
	target_init(&t, "t", &rng);
	ck_assert(!target_open_stuck(&t, 10000, after(1000)));
	target_sent(&t, start);
	target_sent(&t, start);
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", after(9)));
	ck_assert(!target_open_stuck(&t, 10000, after(18)));
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", after(18)));
	ck_assert(!target_open_stuck(&t, 10000, after(99)));
	/* after a quiet time it counts from the first that is sent */
	target_sent(&t, after(99));
	ck_assert(!target_open_stuck(&t, 10000, after(108)));
	ck_assert(target_open_stuck(&t, 10000, after(109)));
}
END_TEST

/* There may be no other row by which to try it. */
START_TEST(a_stuck_topic_that_takes_all_in_the_end_is_well)
{
	struct target t;
	struct ch_rng rng;

	ch_rng_seed(&rng, 7);
	target_init(&t, "t", &rng);
	target_sent(&t, start);
	target_sent(&t, start);
	ck_assert(target_open_stuck(&t, 10000, after(10)));
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", after(11)));
	ck_assert(target_is_open(&t));
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", after(11)));
	ck_assert(!target_is_open(&t));
	ck_assert_int_eq(target_ask(&t, false, after(11)), TARGET_SEND);

	/* one that was refused says otherwise, whatever comes after it */
	target_sent(&t, after(20));
	target_sent(&t, after(20));
	ck_assert(target_open_stuck(&t, 10000, after(30)));
	ck_assert(!target_reported(&t, FAILURE_OUTAGE, "C", "x", after(31)));
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", after(31)));
	ck_assert(target_is_open(&t));
}
END_TEST

START_TEST(a_topic_without_rights_refuses_when_a_row_spent_its_attempts)
{
	struct target t;
	struct ch_rng rng;

	ch_rng_seed(&rng, 5);
	target_init(&t, "t", &rng);
	target_sent(&t, start);
	ck_assert(target_reported(&t, FAILURE_PERMANENT, "DENIED", "no right",
		start));
	ck_assert_int_eq(target_ask(&t, false, start), TARGET_WAIT);
	target_tried(&t, after(31));
	target_judged(&t, FAILURE_PERMANENT, "DENIED", "no right", after(31));
	ck_assert_int_eq(target_ask(&t, false, after(31)), TARGET_WAIT);
	target_refuse(&t);
	ck_assert_int_eq(target_ask(&t, false, after(31)), TARGET_REFUSES);
	ck_assert_str_eq(t.why, "DENIED: no right");

	/* what an operator releases is tried, unless one was just now */
	target_hope(&t, after(31));
	ck_assert_int_eq(target_ask(&t, false, after(31)), TARGET_REFUSES);
	target_hope(&t, after(32));
	ck_assert_int_eq(target_ask(&t, false, after(32)), TARGET_TRY);
	target_tried(&t, after(32));
	/* its answer may let them go: nobody is refused before it */
	ck_assert_int_eq(target_ask(&t, false, after(32)), TARGET_WAIT);
	/* refused for itself: the topic answers */
	target_judged(&t, FAILURE_POISON, "SIZE", "x", after(32));
	ck_assert_int_eq(target_ask(&t, false, after(32)), TARGET_SEND);
	ck_assert_int_eq(target_ask(&t, true, after(32)), TARGET_TRY);
}
END_TEST

START_TEST(a_right_taken_away_is_waited_for)
{
	struct target t;
	struct ch_rng rng;
	int64_t ms = 60000;

	ch_rng_seed(&rng, 5);
	target_init(&t, "t", &rng);
	ck_assert_int_eq(target_patience(&t, FAILURE_DENIED, ms, start),
		FAILURE_DENIED);
	/* the brokers were away meanwhile: that says nothing of it */
	ck_assert_int_eq(target_patience(&t, FAILURE_OUTAGE, ms, after(30)),
		FAILURE_OUTAGE);
	ck_assert_int_eq(target_patience(&t, FAILURE_DENIED, ms, after(59)),
		FAILURE_DENIED);
	ck_assert_int_eq(target_patience(&t, FAILURE_DENIED, ms, after(60)),
		FAILURE_PERMANENT);
	/* given back, and taken again: it begins anew */
	ck_assert_int_eq(target_patience(&t, FAILURE_NONE, ms, after(61)),
		FAILURE_NONE);
	ck_assert_int_eq(target_patience(&t, FAILURE_DENIED, ms, after(62)),
		FAILURE_DENIED);
	/* rows wait, and one at a time tries */
	target_sent(&t, after(62));
	ck_assert(target_reported(&t, FAILURE_DENIED, "AUTH", "x", after(62)));
	ck_assert_int_eq(target_ask(&t, false, after(62)), TARGET_WAIT);
	ck_assert_int_eq(target_ask(&t, false, after(63)), TARGET_TRY);
	/* without patience it is permanent at once */
	target_init(&t, "t", &rng);
	ck_assert_int_eq(target_patience(&t, FAILURE_DENIED, 0, start),
		FAILURE_PERMANENT);
}
END_TEST

START_TEST(a_trial_given_up_lets_another_come)
{
	struct target t;
	struct ch_rng rng;

	ch_rng_seed(&rng, 5);
	target_init(&t, "t", &rng);
	target_tried(&t, start);
	ck_assert_int_eq(target_ask(&t, true, start), TARGET_WAIT);
	target_drop(&t, start);
	ck_assert_int_eq(target_ask(&t, true, after(31)), TARGET_TRY);
}
END_TEST

START_TEST(an_unclear_answer_condemns_who_fails_where_others_do_not)
{
	struct target t;
	struct ch_rng rng;

	ch_rng_seed(&rng, 5);
	target_init(&t, "t", &rng);
	target_sent(&t, start);
	target_sent(&t, start);
	ck_assert(!target_reported(&t, FAILURE_NONE, "", "", start));
	ck_assert(!target_reported(&t, FAILURE_UNCLEAR, "C", "x", start));
	target_tried(&t, start);
	/* nothing was taken since: it may be the broker */
	ck_assert_int_eq(target_judged(&t, FAILURE_UNCLEAR, "C", "x", start),
		FAILURE_UNCLEAR);
	ck_assert(target_is_open(&t));
	ck_assert_int_eq(target_ask(&t, true, after(2)), TARGET_TRY);
	target_tried(&t, after(2));
	ck_assert_int_eq(target_judged(&t, FAILURE_NONE, "", "", after(2)),
		FAILURE_NONE);
	ck_assert(!target_is_open(&t));
	target_tried(&t, after(3));
	ck_assert_int_eq(target_judged(&t, FAILURE_UNCLEAR, "C", "x", after(3)),
		FAILURE_TRANSIENT);
	ck_assert(!target_is_open(&t));
	target_tried(&t, after(4));
	ck_assert_int_eq(target_judged(&t, FAILURE_UNCLEAR, "C", "x", after(4)),
		FAILURE_UNCLEAR);
	ck_assert(target_is_open(&t));
}
END_TEST

#define ROWS 40

/* A topic, rows that were refused together, and who is asked when, as the pump
 * does: the first in order that may go, one at a time. */
struct round {
	struct target t;
	struct retry *retry;
	struct ch_rng rng;
	struct event *rows[ROWS];
	bool gone[ROWS];
	size_t left;
};

/* Only the first row is answered unclearly. */
static void
try_row(struct round *u, int i, unsigned limit, struct ch_mono now)
{
	struct event *e = u->rows[i];
	enum failure f;
	struct retry_decision d;

	target_tried(&u->t, now);
	f = target_judged(&u->t, i == 0 ? FAILURE_UNCLEAR : FAILURE_NONE, "C",
		"x", now);
	if (f != FAILURE_NONE) {
		d = retry_decide(f, e->attempts, limit, true);
		e->attempts += d.spent;
		if (d.verdict != RETRY_PARK) {
			ck_assert_int_eq(d.verdict, RETRY_LATER);
			retry_pause(u->retry, e, &u->rng, now);
			return;
		}
	}
	retry_free_key(u->retry, e);
	u->gone[i] = true;
	u->left--;
}

static void
one_turn(struct round *u, unsigned limit, struct ch_mono now)
{
	struct ch_mono until;
	int i;

	for (i = 0; i < ROWS; i++) {
		if (u->gone[i] ||
			!retry_is_held(u->retry, u->rows[i], &until) ||
			until.ns > now.ns)
			continue;
		if (target_ask(&u->t, true, now) != TARGET_TRY)
			return;
		try_row(u, i, limit, now);
	}
}

/* How many rows are left after so long, in steps of 0.1 s. */
static size_t
run_round(struct route_topic *topic, unsigned limit, int seconds)
{
	struct round u = {.retry = retry_new(), .left = ROWS};
	char key[16];
	int64_t n;
	int i;

	ch_rng_seed(&u.rng, 7);
	target_init(&u.t, "t", &u.rng);
	for (i = 0; i < ROWS; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		u.rows[i] = row_of(topic, i + 1, key);
		retry_hold(u.retry, u.rows[i]);
	}
	for (n = 0; n < 10 * (int64_t)seconds && u.left > 0; n++)
		one_turn(&u, limit,
			(struct ch_mono){start.ns + n * INT64_C(100000000)});
	for (i = 0; i < ROWS; i++)
		event_free(u.rows[i]);
	retry_free(u.retry);
	return u.left;
}

START_TEST(an_unclear_record_does_not_keep_the_others)
{
	struct route_topic topic = {.name = "t"};

	/* the first, which the broker never takes, is left; or skipped */
	ck_assert_uint_eq(run_round(&topic, 0, 600), 1);
	ck_assert_uint_eq(run_round(&topic, 1, 600), 0);
}
END_TEST

SUITE_MAIN("retry", the_table_of_costs, a_trial_holds_its_key_and_no_other,
	a_row_without_a_key_holds_itself,
	an_outage_is_tried_by_one_record_at_a_time,
	an_acknowledgement_is_no_silence,
	a_stuck_topic_that_takes_all_in_the_end_is_well,
	a_topic_without_rights_refuses_when_a_row_spent_its_attempts,
	a_trial_given_up_lets_another_come,
	an_unclear_answer_condemns_who_fails_where_others_do_not,
	an_unclear_record_does_not_keep_the_others,
	a_right_taken_away_is_waited_for)
