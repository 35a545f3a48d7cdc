/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish against librdkafka's mock cluster, which can be made to fail as a
 * real broker cannot: fatal sequence errors, in the middle of a stream.
 */
#include <poll.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "publish.h"
#include "record.h"
#include "suite.h"

#define TOPIC "market.trades"
#define PARTITIONS 3
#define RECORDS 5000
#define MARKETS 7
#define DEADLINE_MS 30000
#define PRODUCE 0 /* ApiKey */

struct bench {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct ch_kafka_conf *conf;
	struct ch_metrics *metrics;
	struct meters meters;
	struct ch_ring *queue;
	struct publish *publish;
};

static void
open_bench(struct bench *b)
{
	static const struct ch_metric_desc *const tables[] = {
		trade_stream_metrics, NULL};
	struct ch_err err = CH_ERR_INIT;
	char text[256];

	ch_log_init("test", CH_LOG_ERROR, false);
	b->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text,
		sizeof(text));
	ck_assert_ptr_nonnull(b->rk);
	b->cluster = rd_kafka_mock_cluster_new(b->rk, 1);
	ck_assert_ptr_nonnull(b->cluster);
	rd_kafka_mock_topic_create(b->cluster, TOPIC, PARTITIONS, 1);
	b->conf = ch_kafka_conf_new();
	ck_assert_int_eq(ch_kafka_conf_set(b->conf, "bootstrap.servers",
				 rd_kafka_mock_cluster_bootstraps(b->cluster),
				 &err),
		0);
	b->metrics = ch_metrics_new("trade-stream", tables);
	meters_init(&b->meters, b->metrics);
	b->queue = ch_ring_new(RECORDS * 2, 64 << 20);
	ck_assert_int_eq(publish_open(&b->publish,
				 &(struct publish_options){.conf = b->conf,
					 .client_id = "test",
					 .topic = TOPIC,
					 .clock = &ch_clock_real,
					 .meters = &b->meters,
					 .queue = b->queue},
				 &err),
		0);
}

static void
close_bench(struct bench *b)
{
	publish_close(b->publish);
	ch_ring_free(b->queue, free);
	ch_kafka_conf_free(b->conf);
	ch_metrics_free(b->metrics);
	rd_kafka_mock_cluster_destroy(b->cluster);
	rd_kafka_destroy(b->rk);
}

/* Record number n of market n % MARKETS; its value is its number. */
static void
push(struct bench *b, unsigned n)
{
	struct trade t = {.asset = {"1", 1}};
	struct ch_buf scratch = CH_BUF_INIT;
	struct ch_sha256 id =
		ch_sha256_of((struct ch_view){(const char *)&n, sizeof(n)});
	struct record *r;

	snprintf(t.condition, sizeof(t.condition), "market-%u", n % MARKETS);
	snprintf(t.tx, sizeof(t.tx), "%u", n);
	r = record_new(&t, id, ch_clock_mono(&ch_clock_real), &scratch);
	ck_assert_int_eq(ch_ring_push(b->queue, r, record_bytes(r)), 0);
	ch_buf_free(&scratch);
}

static bool
is_late(struct ch_mono began)
{
	return ch_mono_ms_since(ch_clock_mono(&ch_clock_real), began) >
		DEADLINE_MS;
}

static void
turn_until_idle(struct bench *b)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);

	do {
		struct ch_err err = CH_ERR_INIT;
		struct pollfd fd = {publish_fd(b->publish), POLLIN, 0};
		int rc = publish_turn(b->publish, &err);

		(void)poll(&fd, 1, rc < 10 ? rc : 10);

		ck_assert_msg(rc >= 0, "%s", err.text);
		ck_assert_msg(!is_late(began), "not idle: %s",
			publish_problem(b->publish));
	} while (ch_ring_count(b->queue) > 0 || !publish_is_idle(b->publish));
}

static rd_kafka_t *
open_reader(const struct bench *b)
{
	rd_kafka_topic_partition_list_t *all =
		rd_kafka_topic_partition_list_new(PARTITIONS);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *reader;

	rd_kafka_conf_set(conf, "bootstrap.servers",
		rd_kafka_mock_cluster_bootstraps(b->cluster), text,
		sizeof(text));
	rd_kafka_conf_set(conf, "group.id", "reader", text, sizeof(text));
	reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	ck_assert_ptr_nonnull(reader);
	for (int p = 0; p < PARTITIONS; p++)
		rd_kafka_topic_partition_list_add(all, TOPIC, p)->offset = 0;
	rd_kafka_assign(reader, all);
	rd_kafka_topic_partition_list_destroy(all);
	return reader;
}

static unsigned
number_of(const rd_kafka_message_t *m)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *root = ch_json_parse(&arena,
		(struct ch_view){m->payload, m->len}, 64, NULL);
	struct ch_view text;
	int64_t n = -1;

	ck_assert(ch_json_str(root, "tx_hash", &text));
	ck_assert_int_eq(ch_view_int(text, 0, RECORDS - 1, &n), 0);
	ch_arena_free(&arena);
	return (unsigned)n;
}

/* Every record is there; those of one market, without repetitions, are in
 * order. Returns how many stand there twice. */
static unsigned
read_back(const struct bench *b)
{
	rd_kafka_t *reader = open_reader(b);
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	bool *seen = ch_xcalloc(RECORDS, sizeof(*seen));
	unsigned newest[MARKETS] = {0};
	unsigned found = 0;
	unsigned twice = 0;

	while (found < RECORDS) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 100);

		ck_assert_msg(!is_late(began), "%u of %d", found, RECORDS);
		if (m == NULL || m->err != 0) {
			if (m != NULL)
				rd_kafka_message_destroy(m);
			continue;
		}
		unsigned n = number_of(m);

		twice += seen[n] ? 1 : 0;
		if (!seen[n]) {
			ck_assert_msg(n >= newest[n % MARKETS],
				"%u of market %u after %u", n, n % MARKETS,
				newest[n % MARKETS]);
			newest[n % MARKETS] = n;
			found++;
		}
		seen[n] = true;
		rd_kafka_message_destroy(m);
	}
	rd_kafka_consumer_close(reader);
	rd_kafka_destroy(reader);
	free(seen);
	return twice;
}

START_TEST(all_records_arrive_in_order_and_once)
{
	struct bench b;

	open_bench(&b);
	for (unsigned n = 0; n < RECORDS; n++)
		push(&b, n);
	turn_until_idle(&b);
	ck_assert_uint_eq(read_back(&b), 0);
	ck_assert_int_eq(ch_series_value(ch_metrics_get(b.metrics,
				 TM_PUBLISHED)),
		RECORDS);
	close_bench(&b);
}
END_TEST

START_TEST(a_finished_client_is_replaced_and_nothing_is_lost)
{
	struct bench b;

	open_bench(&b);
	for (unsigned n = 0; n < RECORDS; n++) {
		push(&b, n);
		if (n % 1000 == 500)
			rd_kafka_mock_push_request_errors(b.cluster, PRODUCE, 1,
				RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
		if (n % 100 == 0)
			(void)publish_turn(b.publish, NULL);
	}
	turn_until_idle(&b);
	(void)read_back(&b);
	ck_assert_int_ge(
		ch_series_value(ch_metrics_get(b.metrics, TM_REOPENED)), 1);
	ck_assert_ptr_null(publish_problem(b.publish));
	close_bench(&b);
}
END_TEST

START_TEST(errors_that_pass_are_outlived)
{
	struct bench b;

	open_bench(&b);
	for (unsigned n = 0; n < RECORDS; n++) {
		push(&b, n);
		if (n % 500 == 0)
			rd_kafka_mock_push_request_errors(b.cluster, PRODUCE, 2,
				RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
				RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
		if (n % 100 == 0)
			(void)publish_turn(b.publish, NULL);
	}
	turn_until_idle(&b);
	(void)read_back(&b);
	close_bench(&b);
}
END_TEST

SUITE_MAIN("publish", all_records_arrive_in_order_and_once,
	a_finished_client_is_replaced_and_nothing_is_lost,
	errors_that_pass_are_outlived)
