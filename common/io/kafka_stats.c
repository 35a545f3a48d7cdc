/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_stats: see the header. librdkafka's STATISTICS.md names the members.
 * Partitions that this client does not own (fetch_state other than active)
 * and the internal partition -1 are not counted.
 */
#include "kafka_stats.h"

#include "base/json.h"
#include "base/mem.h"

#define NODES_MAX 4000000

static int64_t
number(const struct ch_json *obj, const char *name)
{
	int64_t v;

	return ch_json_i64(obj, name, &v) ? v : 0;
}

static void
add_brokers(const struct ch_json *brokers, struct ch_kafka_stats *s)
{
	const struct ch_json *b, *rtt;
	struct ch_view state;
	int64_t avg, p99, sum = 0, measured = 0;

	for (b = brokers != NULL ? brokers->child : NULL; b != NULL;
		b = b->next) {
		s->tx_errors += number(b, "txerrs");
		if (number(b, "nodeid") < 0)
			continue;
		s->brokers++;
		if (!ch_json_str(b, "state", &state) ||
			!ch_view_eq_str(state, "UP"))
			continue;
		s->brokers_up++;
		rtt = ch_json_get(b, "rtt");
		avg = number(rtt, "avg");
		p99 = number(rtt, "p99");
		if (avg > 0) {
			sum += avg;
			measured++;
		}
		if (p99 > s->rtt_p99_us)
			s->rtt_p99_us = p99;
	}
	s->rtt_avg_us = measured > 0 ? sum / measured : 0;
}

static void
add_partition(const struct ch_json *p, struct ch_kafka_stats *s)
{
	struct ch_view state;
	int64_t lag;

	if (number(p, "partition") < 0)
		return;
	s->fetchq_msgs += number(p, "fetchq_cnt");
	s->fetchq_bytes += number(p, "fetchq_size");
	if (!ch_json_str(p, "fetch_state", &state) ||
		!ch_view_eq_str(state, "active"))
		return;
	lag = number(p, "consumer_lag"); /* -1: not known */
	if (lag <= 0)
		return;
	s->lag_total += lag;
	if (lag > s->lag_max)
		s->lag_max = lag;
}

static void
add_topics(const struct ch_json *topics, struct ch_kafka_stats *s)
{
	const struct ch_json *t, *p;

	for (t = topics != NULL ? topics->child : NULL; t != NULL;
		t = t->next) {
		p = ch_json_get(t, "partitions");
		for (p = p != NULL ? p->child : NULL; p != NULL; p = p->next)
			add_partition(p, s);
	}
}

int
ch_kafka_stats_parse(struct ch_view json, struct ch_kafka_stats *out,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_kafka_stats s = {0};
	const struct ch_json *root, *cgrp;

	root = ch_json_parse(&arena, json, NODES_MAX, err);
	if (root == NULL) {
		ch_arena_free(&arena);
		return CH_EINVAL;
	}
	s.at_us = number(root, "time") * 1000000;
	s.msgs_queued = number(root, "msg_cnt");
	s.bytes_queued = number(root, "msg_size");
	s.tx_msgs = number(root, "txmsgs");
	s.tx_bytes = number(root, "txmsg_bytes");
	s.rx_msgs = number(root, "rxmsgs");
	s.rx_bytes = number(root, "rxmsg_bytes");
	add_brokers(ch_json_get(root, "brokers"), &s);
	add_topics(ch_json_get(root, "topics"), &s);
	cgrp = ch_json_get(root, "cgrp");
	s.rebalances = number(cgrp, "rebalance_cnt");
	s.assignment_size = number(cgrp, "assignment_size");
	ch_arena_free(&arena);
	*out = s;
	return 0;
}
