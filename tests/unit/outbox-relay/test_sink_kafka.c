/* SPDX-License-Identifier: Apache-2.0 */
/* sink_kafka: a client that is finished as soon as it is made, on librdkafka's
 * mock cluster, which refuses each its number. */
#include "check_suite.h"

#include <poll.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/log.h"
#include "sink_kafka.h"

#define WAIT_MS 60000
#define INIT_PRODUCER_ID 22
#define MS INT64_C(1000000)

static rd_kafka_t *host; /* carries the mock cluster */
static rd_kafka_mock_cluster_t *cluster;
static struct ch_kafka_conf *conf;
static struct sink_kafka *sink;
static struct ch_err err;

static void
reported(void *ctx, struct event *e, const struct sink_report *r)
{
	(void)ctx;
	(void)e;
	(void)r;
}

static void
refuse_clients(void)
{
	rd_kafka_resp_err_t no[32];
	size_t i;

	for (i = 0; i < 32; i++)
		no[i] = RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
	rd_kafka_mock_push_request_errors_array(cluster, INIT_PRODUCER_ID, 32,
		no);
	rd_kafka_mock_start_request_tracking(cluster);
}

static void
setup(void)
{
	char why[256];
	struct sink_options opt = {.client_id = "test",
		.message_max_bytes = 1000000,
		.queue_kbytes = 1024,
		.reported = reported};

	ch_log_init("test_sink_kafka", CH_LOG_ERROR, false);
	host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why,
		sizeof(why));
	ck_assert_ptr_nonnull(host);
	cluster = rd_kafka_mock_cluster_new(host, 1);
	refuse_clients();
	conf = ch_kafka_conf_new();
	ck_assert_int_eq(ch_kafka_conf_set(conf, "bootstrap.servers",
				 rd_kafka_mock_cluster_bootstraps(cluster),
				 &err),
		0);
	opt.conf = conf;
	sink = sink_kafka_open(&opt, &err);
	ck_assert_msg(sink != NULL, "%s", err.text);
}

static void
teardown(void)
{
	sink_kafka_close(sink, 0);
	ch_kafka_conf_free(conf);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
}

/* How many clients have asked for their number, ever. */
static size_t
clients(void)
{
	rd_kafka_mock_request_t **all;
	size_t n, i, found = 0;

	all = rd_kafka_mock_get_requests(cluster, &n);
	for (i = 0; i < n; i++)
		found += rd_kafka_mock_request_api_key(all[i]) ==
			INIT_PRODUCER_ID;
	rd_kafka_mock_request_destroy_array(all, n);
	return found;
}

static void
turn(int64_t at_ms)
{
	struct pollfd p = {sink_kafka_fd(sink, LANE_PROMPT), POLLIN, 0};

	(void)poll(&p, 1, 10);
	(void)sink_kafka_turn(sink, (struct ch_mono){at_ms * MS});
}

static void
turn_until(int64_t at_ms, size_t count)
{
	struct ch_mono since = ch_clock_mono(&ch_clock_real);

	while (clients() < count) {
		ck_assert_int_lt(ch_mono_ms_since(ch_clock_mono(&ch_clock_real),
					 since),
			WAIT_MS);
		turn(at_ms);
	}
	ck_assert_uint_eq(clients(), count);
}

/* Two lanes, and one of them again each time that it may be. */
START_TEST(a_client_that_cannot_live_is_made_again_seldom)
{
	int64_t at = 1000;
	int i, round;

	turn_until(at, 3);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 30; i++)
			turn(at + 499);
		ck_assert_uint_eq(clients(), 3 + (size_t)round);
		at += 30000;
		turn_until(at, 4 + (size_t)round);
	}
}
END_TEST

FIXTURE_MAIN("sink_kafka", setup, teardown,
	a_client_that_cannot_live_is_made_again_seldom)
