/* SPDX-License-Identifier: Apache-2.0 */
/* lanes: one order over both producers, and no wait for a broker that is away.
 * On librdkafka's mock cluster, which goes down when it is told to. */
#include "check_suite.h"

#include <stdio.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/log.h"
#include "lanes.h"

#define WAIT_MS 60000
#define TOPIC "mock"
#define MS INT64_C(1000000)

static rd_kafka_t *host; /* carries the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct ch_kafka_conf *conf;
static struct lanes *lanes;
static struct ch_err err;
static size_t delivered;

/* Each report is the next in order. */
static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	(void)ctx;
	if (d->class != CH_KAFKA_OK)
		return;
	ck_assert_uint_eq((size_t)(uintptr_t)opaque, delivered);
	delivered++;
}

static void
setup(void)
{
	char why[256];
	struct ch_kafka_producer_params p = {.linger_ms = 0,
		.statistics_ms = 100,
		.leaders_wait_ms = -1, /* the mock has no controller to ask */
		.delivered = on_delivered};

	ch_log_init("test_lanes", CH_LOG_ERROR, false);
	host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why,
		sizeof(why));
	ck_assert_ptr_nonnull(host);
	cluster = rd_kafka_mock_cluster_new(host, 1);
	ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, TOPIC, 1, 1), 0);
	conf = ch_kafka_conf_new();
	ck_assert_int_eq(ch_kafka_conf_set(conf, "bootstrap.servers",
				 rd_kafka_mock_cluster_bootstraps(cluster),
				 &err),
		0);
	p.conf = conf;
	delivered = 0;
	lanes = lanes_open(&p, &err);
	ck_assert_msg(lanes != NULL, "%s", err.text);
}

static void
teardown(void)
{
	lanes_close(lanes, 100);
	ch_kafka_conf_free(conf);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
}

static struct ch_mono
now(void)
{
	return ch_clock_mono(&ch_clock_real);
}

static struct ch_mono
later(struct ch_mono t, int64_t ms)
{
	return (struct ch_mono){t.ns + ms * MS};
}

static void
wait_reports(void)
{
	struct ch_mono end = later(now(), WAIT_MS);

	while (ch_kafka_producer_pending(lanes_now(lanes)) > 0) {
		ck_assert(now().ns < end.ns);
		(void)ch_kafka_producer_poll(lanes_now(lanes), 20);
	}
}

static void
send_one(size_t i)
{
	char text[24];
	struct ch_kafka_message m = {
		.topic = TOPIC, .partition = 0, .opaque = (void *)(uintptr_t)i};

	(void)snprintf(text, sizeof(text), "%zu", i);
	m.value = ch_view_of(text);
	ck_assert_int_eq(ch_kafka_producer_send(lanes_now(lanes), &m, &err),
		CH_OK);
}

START_TEST(a_change_waits_until_nothing_is_in_flight)
{
	struct ch_kafka_producer *prompt = lanes_now(lanes);
	struct ch_mono t = now();

	ck_assert(lanes_want(lanes, LANE_PROMPT, t));
	send_one(0);
	ck_assert(!lanes_want(lanes, LANE_BULK, t));
	ck_assert_ptr_eq(lanes_now(lanes), prompt);
	wait_reports();
	ck_assert(lanes_want(lanes, LANE_BULK, later(t, 1)));
	ck_assert_ptr_ne(lanes_now(lanes), prompt);
	ck_assert(lanes_want(lanes, LANE_PROMPT, later(t, 2)));
	ck_assert_ptr_eq(lanes_now(lanes), prompt);
}
END_TEST

/* The owner sleeps: with a broker away nothing else would wake it. */
START_TEST(a_change_says_when_it_is_to_be_asked_again)
{
	struct ch_mono t = now();
	int64_t ms;

	ck_assert_int_eq(lanes_next_ms(lanes, t), -1);
	send_one(0);
	ck_assert(!lanes_want(lanes, LANE_BULK, t));
	ms = lanes_next_ms(lanes, t);
	ck_assert_int_gt(ms, 0);
	ck_assert_int_eq(lanes_next_ms(lanes, later(t, 1)), ms - 1);
	ck_assert(lanes_want(lanes, LANE_BULK, later(t, ms)));
	ck_assert_int_eq(lanes_next_ms(lanes, later(t, ms)), -1);
}
END_TEST

/* The rows that asked for it were dropped: the owner must not turn without end. */
START_TEST(a_change_that_nobody_wants_any_more_wakes_nobody)
{
	struct ch_mono t = now();

	send_one(0);
	ck_assert(!lanes_want(lanes, LANE_BULK, t));
	ck_assert_int_eq(lanes_next_ms(lanes, later(t, 1000)), -1);
}
END_TEST

START_TEST(records_keep_their_order_over_changes)
{
	const struct ch_mono t = now(); /* stands: nothing is put off */
	enum lane lane = LANE_PROMPT;
	size_t i, sent = 0;

	for (i = 0; i < 40; i++) {
		size_t burst = i % 7 + 1;

		while (!lanes_want(lanes, lane, t))
			lanes_poll(lanes);
		while (burst-- > 0)
			send_one(sent++);
		lane = lane == LANE_PROMPT ? LANE_BULK : LANE_PROMPT;
	}
	wait_reports();
	ck_assert_uint_eq(delivered, sent);
}
END_TEST

/* The lane is a matter of speed: rows for other brokers must not wait. */
START_TEST(a_change_is_put_off_while_a_broker_is_away)
{
	struct ch_kafka_producer *prompt = lanes_now(lanes);
	struct ch_mono t = now();

	send_one(0);
	wait_reports();
	rd_kafka_mock_broker_set_down(cluster, 1);
	send_one(1);
	ck_assert(!lanes_want(lanes, LANE_BULK, t));
	ck_assert(!lanes_want(lanes, LANE_BULK, later(t, 49)));
	ck_assert(lanes_want(lanes, LANE_BULK, later(t, 50)));
	ck_assert_ptr_eq(lanes_now(lanes), prompt);
	ck_assert(lanes_want(lanes, LANE_BULK, later(t, 900)));
	ck_assert(!lanes_want(lanes, LANE_BULK, later(t, 1051)));
	rd_kafka_mock_broker_set_up(cluster, 1);
	wait_reports();
	ck_assert(lanes_want(lanes, LANE_BULK, later(t, 1052)));
	ck_assert_ptr_ne(lanes_now(lanes), prompt);
}
END_TEST

FIXTURE_MAIN("lanes", setup, teardown,
	a_change_waits_until_nothing_is_in_flight,
	a_change_says_when_it_is_to_be_asked_again,
	a_change_that_nobody_wants_any_more_wakes_nobody,
	records_keep_their_order_over_changes,
	a_change_is_put_off_while_a_broker_is_away)
