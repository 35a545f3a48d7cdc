/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: both ends of a topic for the verbs of bench-load. The consumer has no
 * group: partitions are assigned by hand, nothing is committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench_load.h"
#include "io/kafka_producer.h"

#define ASK_MS 10000

_Noreturn void
bench_die(const char *what, const char *why)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, why);
	exit(1);
}

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	int64_t *failed = ctx;

	(void)opaque;
	if (d->class != CH_KAFKA_OK)
		++*failed;
}

struct ch_kafka_producer *
bench_producer(const struct options *o, int linger_ms, int64_t *failed)
{
	struct ch_kafka_conf *conf = ch_kafka_conf_new();
	struct ch_kafka_producer *p = NULL;
	struct ch_err err = CH_ERR_INIT;
	struct ch_kafka_producer_params params = {
		.conf = conf,
		.client_id = "bench-load",
		.linger_ms = linger_ms,
		.delivered = on_delivered,
		.ctx = failed,
	};

	if (ch_kafka_conf_set(conf, "bootstrap.servers", o->bootstrap, &err) ==
		0)
		p = ch_kafka_producer_open(&params, &err);
	ch_kafka_conf_free(conf);
	if (p == NULL)
		bench_die("producer", err.text);
	return p;
}

static rd_kafka_t *
open_client(const char *bootstrap)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char group[32], why[256];
	const char *set[][2] = {{"bootstrap.servers", bootstrap},
		{"group.id", group}, {"enable.auto.commit", "false"},
		{"auto.offset.reset", "error"}, {"fetch.wait.max.ms", "100"}};
	rd_kafka_t *rk;
	size_t i;

	snprintf(group, sizeof(group), "bench-%ld", (long)getpid());
	for (i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		if (rd_kafka_conf_set(conf, set[i][0], set[i][1], why,
			    sizeof(why)) != RD_KAFKA_CONF_OK)
			bench_die(set[i][0], why);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (rk == NULL)
		bench_die("consumer", why);
	rd_kafka_poll_set_consumer(rk);
	return rk;
}

static int
partitions_of(rd_kafka_t *rk, const char *topic)
{
	struct ch_kafka_topic t;
	struct ch_err err = CH_ERR_INIT;

	if (ch_kafka_topic_partitions(rk, topic, ASK_MS, &t, &err) != 0)
		bench_die(topic, err.text);
	if (!t.exists || t.partitions > 64)
		bench_die(topic, "no such topic, or over 64 partitions");
	return t.partitions;
}

int64_t
bench_ends(rd_kafka_t *rk, const char *topic, int partitions, int64_t ends[64])
{
	int64_t low, sum = 0;
	int p;

	for (p = 0; p < partitions; p++) {
		rd_kafka_resp_err_t rc = rd_kafka_query_watermark_offsets(rk,
			topic, p, &low, &ends[p], ASK_MS);
		if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
			bench_die(topic, rd_kafka_err2str(rc));
		sum += ends[p] - low;
	}
	return sum;
}

rd_kafka_t *
bench_consumer(const char *bootstrap, const char *topic, bool from_first,
	int64_t ends[64], int *partitions)
{
	rd_kafka_t *rk = open_client(bootstrap);
	rd_kafka_topic_partition_list_t *list;
	int p;

	*partitions = partitions_of(rk, topic);
	(void)bench_ends(rk, topic, *partitions, ends);
	list = rd_kafka_topic_partition_list_new(*partitions);
	for (p = 0; p < *partitions; p++)
		rd_kafka_topic_partition_list_add(list, topic, p)->offset =
			from_first ? RD_KAFKA_OFFSET_BEGINNING : ends[p];
	if (rd_kafka_assign(rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		bench_die(topic, "cannot be assigned");
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}
