/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real broker cannot be made to do on demand, on librdkafka's mock
 * cluster: brokers that go away under load, refusals injected by code, a member
 * thrown out of its group. (it_kafka.c has the rest, on a real broker.)
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/kafka_consumer.h"
#include "io/kafka_producer.h"

#define WAIT_MS 30000
#define TOPIC "mock"
#define OPAQUES 5000
#define API_PRODUCE 0
#define API_HEARTBEAT 12

static rd_kafka_t *host; /* carries the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct ch_kafka_conf *conf;
static struct ch_kafka_producer *producer;
static struct ch_err err;

static uint8_t reports[OPAQUES];
static size_t ok, permanent, fatal, other, maybe;
static size_t last_ok_opaque;
static bool ordered;

static int64_t
now_ms(void)
{
	return ch_clock_mono(&ch_clock_real).ns / 1000000;
}

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	size_t i = (size_t)(uintptr_t)opaque;

	(void)ctx;
	ck_assert_uint_lt(i, OPAQUES);
	reports[i]++;
	maybe += d->maybe_persisted;
	if (d->class == CH_KAFKA_OK) {
		ok++;
		if (i > 0 && i < last_ok_opaque)
			ordered = false;
		last_ok_opaque = i;
	} else if (d->class == CH_KAFKA_PERMANENT) {
		permanent++;
	} else if (d->class == CH_KAFKA_FATAL) {
		fatal++;
	} else {
		other++;
	}
}

static void
setup(void)
{
	rd_kafka_conf_t *c = rd_kafka_conf_new();
	char why[256];
	struct ch_kafka_producer_params p = {.linger_ms = 1,
		.statistics_ms = 100,
		.leaders_wait_ms = -1, /* the mock has no controller to ask */
		.delivered = on_delivered};

	ch_log_init("test_kafka_mock", CH_LOG_ERROR, false);
	err = (struct ch_err)CH_ERR_INIT;
	host = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof(why));
	ck_assert_ptr_nonnull(host);
	cluster = rd_kafka_mock_cluster_new(host, 1);
	ck_assert_ptr_nonnull(cluster);
	ck_assert_int_eq(rd_kafka_mock_topic_create(cluster, TOPIC, 2, 1), 0);
	rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 100);
	conf = ch_kafka_conf_new();
	ck_assert_int_eq(ch_kafka_conf_set(conf, "bootstrap.servers",
				 rd_kafka_mock_cluster_bootstraps(cluster),
				 &err),
		0);
	ck_assert_int_eq(ch_kafka_conf_set(conf, "reconnect.backoff.max.ms",
				 "200", &err),
		0);
	memset(reports, 0, sizeof(reports));
	ok = permanent = fatal = other = maybe = last_ok_opaque = 0;
	ordered = true;
	p.conf = conf;
	producer = ch_kafka_producer_open(&p, &err);
	ck_assert_msg(producer != NULL, "%s", err.text);
}

static void
teardown(void)
{
	(void)ch_kafka_producer_close(producer, 100);
	ch_kafka_conf_free(conf);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
}

static int
send_one(size_t i)
{
	char text[24];
	struct ch_kafka_message m = {
		.topic = TOPIC, .partition = 0, .opaque = (void *)(uintptr_t)i};

	(void)snprintf(text, sizeof(text), "%zu", i);
	m.value = ch_view_of(text);
	return ch_kafka_producer_send(producer, &m, &err);
}

static void
send_range(size_t from, size_t to)
{
	for (; from < to; from++)
		ck_assert_msg(send_one(from) == 0, "%s", err.text);
}

static void
expect_once(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert_msg(reports[i] == 1, "%zu: %u", i, reports[i]);
}

START_TEST(an_outage_delays_and_loses_nothing)
{
	int64_t until = now_ms() + WAIT_MS;

	send_range(0, 1000);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	ck_assert(ch_kafka_producer_reachable(producer));
	rd_kafka_mock_broker_set_down(cluster, 1);
	send_range(1000, 2000);
	while (ch_kafka_producer_reachable(producer) && now_ms() < until)
		(void)ch_kafka_producer_poll(producer, 20);
	ck_assert(!ch_kafka_producer_reachable(producer));
	ck_assert_int_eq(ch_kafka_producer_flush(producer, 100, &err),
		CH_ETIMEOUT);
	ck_assert_uint_eq(ch_kafka_producer_pending(producer), 1000);
	ck_assert_uint_eq(ok, 1000); /* an outage is no answer */
	rd_kafka_mock_broker_set_up(cluster, 1);
	send_range(2000, 2500);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	ck_assert(ch_kafka_producer_reachable(producer));
	expect_once(2500);
	ck_assert_uint_eq(ok, 2500);
	ck_assert(ordered);
}
END_TEST

START_TEST(passing_refusals_are_retried_in_order)
{
	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 4,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	send_range(0, 3000);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	expect_once(3000);
	ck_assert_uint_eq(ok, 3000);
	ck_assert(ordered);
}
END_TEST

START_TEST(after_a_fatal_error_reopen_goes_on)
{
	int64_t until = now_ms() + WAIT_MS;
	size_t before, i = 0, sent = 0;
	int rc = 0;

	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	while (!ch_kafka_producer_fatal(producer, &err) && now_ms() < until) {
		if (i < 2000 && (rc = send_one(i)) == 0)
			i++;
		(void)ch_kafka_producer_poll(producer, 1);
	}
	ck_assert(ch_kafka_producer_fatal(producer, &err));
	ck_assert_int_eq(err.code, CH_ECLOSED);
	ck_assert_int_eq(send_one(i), CH_ECLOSED);
	before = i;
	ck_assert_int_eq(ch_kafka_producer_reopen(producer, &err), 0);
	ck_assert_uint_eq(ch_kafka_producer_pending(producer), 0);
	expect_once(before);
	ck_assert_uint_eq(reports[before], 0); /* it was not accepted */
	ck_assert_uint_eq(ok + fatal, before);
	ck_assert_uint_gt(fatal, 0);
	ck_assert_uint_gt(maybe, 0);
	/* The owner sends again what was not acknowledged. */
	memset(reports, 0, sizeof(reports));
	ok = 0;
	sent = 500;
	send_range(0, sent);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	expect_once(sent);
	ck_assert_uint_eq(ok, sent);
	ck_assert_uint_eq(ch_kafka_producer_counts(producer)->reopened, 1);
}
END_TEST

START_TEST(a_refused_record_is_permanent)
{
	int64_t until = now_ms() + WAIT_MS;

	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_INVALID_RECORD);
	ck_assert_int_eq(send_one(0), 0);
	while (permanent == 0 && now_ms() < until)
		(void)ch_kafka_producer_poll(producer, 20);
	ck_assert_uint_eq(permanent, 1);
	ck_assert_uint_eq(maybe, 0);
	while (!ch_kafka_producer_fatal(producer, &err) && now_ms() < until)
		(void)ch_kafka_producer_poll(producer, 20);
	ck_assert_int_eq(ch_kafka_producer_reopen(producer, &err), 0);
	ck_assert_int_eq(send_one(1), 0);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	expect_once(2);
}
END_TEST

START_TEST(a_repeat_without_a_place_is_not_delivered)
{
	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
	ck_assert_int_eq(send_one(0), 0);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	ck_assert_uint_eq(ok, 0);
	ck_assert_uint_eq(other, 1);
	ck_assert_uint_eq(maybe, 1);
	ck_assert(!ch_kafka_producer_fatal(producer, &err));
	/* The owner sends it again. */
	ck_assert_int_eq(send_one(1), 0);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	ck_assert_uint_eq(ok, 1);
}
END_TEST

START_TEST(close_keeps_its_deadline_in_an_outage)
{
	struct ch_kafka_producer_params p = {.conf = conf,
		.linger_ms = 1,
		.leaders_wait_ms = -1,
		.delivered = on_delivered};
	struct ch_kafka_producer *mine = ch_kafka_producer_open(&p, &err);
	struct ch_kafka_message m = {
		.topic = TOPIC, .partition = 0, .value = CH_VIEW("x")};
	int64_t start;
	size_t i;

	ck_assert_ptr_nonnull(mine);
	ck_assert_int_eq(ch_kafka_producer_send(mine, &m, &err), 0);
	ck_assert_int_eq(ch_kafka_producer_flush(mine, WAIT_MS, &err), 0);
	rd_kafka_mock_broker_set_down(cluster, 1);
	for (i = 1; i < 100; i++) {
		m.opaque = (void *)(uintptr_t)i;
		ck_assert_int_eq(ch_kafka_producer_send(mine, &m, &err), 0);
	}
	start = now_ms();
	ck_assert_uint_eq(ch_kafka_producer_close(mine, 300), 99);
	ck_assert_int_lt(now_ms() - start, WAIT_MS);
	expect_once(100);
	ck_assert_uint_eq(fatal, 99);
}
END_TEST

/* ---- the consumer ---- */

struct owner {
	struct ch_kafka_consumer *c;
	int assigned, revoked, lost, held;
	size_t records;
	char order[64]; /* 'a' and 'r', as they came */
};

static void
note(struct owner *o, char what)
{
	size_t n = strlen(o->order);

	if (n + 1 < sizeof(o->order))
		o->order[n] = what;
}

static int64_t
on_assigned(void *ctx, const char *t, int32_t partition)
{
	struct owner *o = ctx;

	(void)t;
	(void)partition;
	o->assigned++;
	o->held++;
	ck_assert_int_le(o->held, 2);
	note(o, 'a');
	return 0;
}

static void
on_revoked(void *ctx, const char *t, int32_t partition, bool lost)
{
	struct owner *o = ctx;

	(void)t;
	(void)partition;
	o->revoked++;
	o->held--;
	ck_assert_int_ge(o->held, 0);
	o->lost += lost;
	note(o, 'r');
}

static void
open_consumer(struct owner *o, const char *strategy)
{
	struct ch_kafka_consumer_params p = {.conf = conf,
		.group_id = "g",
		.strategy = strategy,
		.session_timeout_ms = 6000,
		.fetch_wait_max_ms = 10,
		.statistics_ms = 100,
		.events = {.assigned = on_assigned, .revoked = on_revoked},
		.ctx = o};
	const char *const topics[] = {TOPIC};

	o->c = ch_kafka_consumer_open(&p, &err);
	ck_assert_msg(o->c != NULL, "%s", err.text);
	ck_assert_int_eq(ch_kafka_consumer_subscribe(o->c, topics, 1, &err), 0);
}

static void
turn(struct owner *o)
{
	struct ch_kafka_record r;
	int rc = ch_kafka_consumer_poll(o->c, 20, &r, &err);

	ck_assert_msg(rc >= 0, "%s", err.text);
	if (rc != 1)
		return;
	ck_assert_int_gt(o->held, 0);
	o->records++;
	ch_kafka_record_free(&r);
}

static void
member_is_thrown_out(const char *strategy)
{
	struct owner o = {0};
	int64_t until = now_ms() + WAIT_MS;

	send_range(0, 100);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	open_consumer(&o, strategy);
	while (o.records < 100 && now_ms() < until)
		turn(&o);
	ck_assert_int_eq(o.assigned, 2);
	rd_kafka_mock_push_request_errors(cluster, API_HEARTBEAT, 1,
		RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
	while (o.assigned < 4 && now_ms() < until)
		turn(&o);
	ck_assert_str_eq(o.order, "aarraa");
	ck_assert_int_eq(o.lost, 2);
	/* From the offset that the owner named, all of it again. */
	while (o.records < 200 && now_ms() < until)
		turn(&o);
	ck_assert_uint_eq(o.records, 200);
	ck_assert_uint_eq(ch_kafka_consumer_counts(o.c).lost, 2);
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 5000), 0);
	ck_assert_int_eq(o.held, 0);
}

START_TEST(a_member_thrown_out_loses_and_comes_back)
{
	member_is_thrown_out("cooperative-sticky");
}
END_TEST

START_TEST(a_member_thrown_out_loses_and_comes_back_eager)
{
	member_is_thrown_out("range");
}
END_TEST

START_TEST(a_consumer_closes_in_an_outage)
{
	struct owner o = {0};
	int64_t until = now_ms() + WAIT_MS, start;

	open_consumer(&o, NULL);
	while (o.assigned < 2 && now_ms() < until)
		turn(&o);
	rd_kafka_mock_broker_set_down(cluster, 1);
	while (ch_kafka_consumer_reachable(o.c) && now_ms() < until)
		turn(&o);
	ck_assert(!ch_kafka_consumer_reachable(o.c));
	start = now_ms();
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 500), 0);
	ck_assert_int_lt(now_ms() - start, WAIT_MS);
	ck_assert_int_eq(o.held, 0); /* all were told */
}
END_TEST

START_TEST(records_that_are_held_do_not_hang_a_close)
{
	struct ch_kafka_record r = {0};
	struct owner o = {0};
	int64_t until = now_ms() + WAIT_MS;
	int rc = 0;

	send_range(0, 10);
	ck_assert_int_eq(ch_kafka_producer_flush(producer, WAIT_MS, &err), 0);
	open_consumer(&o, NULL);
	while (rc != 1 && now_ms() < until)
		rc = ch_kafka_consumer_poll(o.c, 20, &r, &err);
	ck_assert_int_eq(rc, 1);
	/* Nine others lie in the queue, fetched in the same answer. */
	ck_assert_uint_eq(ch_kafka_consumer_close(o.c, 2000), 1);
	ck_assert(ch_view_eq_str(r.value, "0")); /* still readable */
	ch_kafka_record_free(&r);
}
END_TEST

START_TEST(descriptions_from_a_dead_cluster_end_in_time)
{
	struct ch_kafka_producer_params p = {.conf = conf};
	struct ch_kafka_producer *mine;
	struct ch_kafka_topic t;
	char id[CH_KAFKA_CLUSTER_ID_MAX];
	int64_t start = now_ms();
	rd_kafka_t *rk;

	rd_kafka_mock_broker_set_down(cluster, 1);
	mine = ch_kafka_producer_open(&p, &err);
	ck_assert_ptr_nonnull(mine);
	rk = ch_kafka_producer_raw(mine);
	ck_assert_int_eq(ch_kafka_topic_describe(rk, TOPIC, 300, &t, &err),
		CH_ETIMEOUT);
	ck_assert(!t.exists);
	ck_assert_int_eq(ch_kafka_topic_partitions(rk, TOPIC, 300, &t, &err),
		CH_ETIMEOUT);
	ck_assert_int_eq(ch_kafka_cluster_id(rk, 300, id, &err), CH_ETIMEOUT);
	ck_assert(!ch_kafka_producer_reachable(mine));
	ck_assert_uint_eq(ch_kafka_producer_close(mine, 100), 0);
	ck_assert_int_lt(now_ms() - start, WAIT_MS);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_mock");
	TCase *t = tcase_create("kafka_mock");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 180);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_outage_delays_and_loses_nothing);
	tcase_add_test(t, passing_refusals_are_retried_in_order);
	tcase_add_test(t, after_a_fatal_error_reopen_goes_on);
	tcase_add_test(t, a_refused_record_is_permanent);
	tcase_add_test(t, a_repeat_without_a_place_is_not_delivered);
	tcase_add_test(t, close_keeps_its_deadline_in_an_outage);
	tcase_add_test(t, a_member_thrown_out_loses_and_comes_back);
	tcase_add_test(t, a_member_thrown_out_loses_and_comes_back_eager);
	tcase_add_test(t, a_consumer_closes_in_an_outage);
	tcase_add_test(t, records_that_are_held_do_not_hang_a_close);
	tcase_add_test(t, descriptions_from_a_dead_cluster_end_in_time);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
