/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_topic: see the header. Answers of the admin API arrive on a queue of
 * our own, so that nothing of the client's is served here.
 */
#include "kafka_topic.h"

#include <stdio.h>
#include <string.h>

#include "kafka_ask.h"

static int
fail(struct ch_err *err, const char *topic, rd_kafka_resp_err_t code,
	const char *text)
{
	bool late = code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
		code == RD_KAFKA_RESP_ERR__TRANSPORT ||
		code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;

	return ch_err_set(err, late ? CH_ETIMEOUT : CH_EKAFKA,
		"topic %s: %s (%s)", topic, text, rd_kafka_err2name(code));
}

static bool
is_absent(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

static int
read_description(const rd_kafka_TopicDescription_t *d, const char *topic,
	struct ch_kafka_topic *out, struct ch_err *err)
{
	const rd_kafka_error_t *e = rd_kafka_TopicDescription_error(d);
	const rd_kafka_Uuid_t *id;
	int64_t high, low;
	size_t n;

	if (e != NULL && rd_kafka_error_code(e) != 0) {
		if (is_absent(rd_kafka_error_code(e)))
			return 0;
		return fail(err, topic, rd_kafka_error_code(e),
			rd_kafka_error_string(e));
	}
	(void)rd_kafka_TopicDescription_partitions(d, &n);
	out->exists = n > 0;
	out->partitions = (int32_t)n;
	id = rd_kafka_TopicDescription_topic_id(d);
	high = rd_kafka_Uuid_most_significant_bits(id);
	low = rd_kafka_Uuid_least_significant_bits(id);
	out->has_id = out->exists && (high != 0 || low != 0);
	ch_put_be64(out->id.bytes, (uint64_t)high);
	ch_put_be64(out->id.bytes + 8, (uint64_t)low);
	return 0;
}

int
ch_kafka_topic_read(rd_kafka_event_t *ev, const char *topic,
	struct ch_kafka_topic *out, struct ch_err *err)
{
	const rd_kafka_DescribeTopics_result_t *res;
	const rd_kafka_TopicDescription_t **all;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (ev == NULL)
		return fail(err, topic, RD_KAFKA_RESP_ERR__TIMED_OUT,
			"no answer from the brokers");
	if (rd_kafka_event_error(ev) != 0)
		return fail(err, topic, rd_kafka_event_error(ev),
			rd_kafka_event_error_string(ev));
	res = rd_kafka_event_DescribeTopics_result(ev);
	if (res == NULL)
		return ch_err_set(err, CH_EPROTO,
			"topic %s: an answer of another kind", topic);
	all = rd_kafka_DescribeTopics_result_topics(res, &n);
	if (n != 1)
		return ch_err_set(err, CH_EPROTO, "topic %s: %zu descriptions",
			topic, n);
	return read_description(all[0], topic, out, err);
}

int
ch_kafka_topic_describe(rd_kafka_t *rk, const char *topic, int timeout_ms,
	struct ch_kafka_topic *out, struct ch_err *err)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_event_t *ev;
	int rc;

	ch_kafka_ask_topic(rk, topic, timeout_ms, q, NULL);
	ev = rd_kafka_queue_poll(q, timeout_ms + 100);
	rc = ch_kafka_topic_read(ev, topic, out, err);
	if (ev != NULL)
		rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(q);
	return rc;
}

int
ch_kafka_topic_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms,
	struct ch_kafka_topic *out, struct ch_err *err)
{
	const struct rd_kafka_metadata *m = NULL;
	rd_kafka_topic_t *t;
	rd_kafka_resp_err_t code;

	memset(out, 0, sizeof(*out));
	t = rd_kafka_topic_new(rk, topic, NULL);
	if (t == NULL)
		return fail(err, topic, rd_kafka_last_error(),
			"not a topic name");
	code = rd_kafka_metadata(rk, 0, t, &m, timeout_ms);
	if (code == 0 && m->topic_cnt == 1)
		code = m->topics[0].err;
	if (code == 0 && m->topic_cnt == 1) {
		out->partitions = m->topics[0].partition_cnt;
		out->exists = out->partitions > 0;
	}
	if (m != NULL)
		rd_kafka_metadata_destroy(m);
	rd_kafka_topic_destroy(t);
	if (code == 0 || is_absent(code))
		return 0;
	out->denied = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	return fail(err, topic, code, rd_kafka_err2str(code));
}

int
ch_kafka_cluster_id(rd_kafka_t *rk, int timeout_ms,
	char out[CH_KAFKA_CLUSTER_ID_MAX], struct ch_err *err)
{
	char *id = rd_kafka_clusterid(rk, timeout_ms);
	int rc;

	if (id == NULL)
		return ch_err_set(err, CH_ETIMEOUT,
			"Kafka did not tell its cluster id within %d ms",
			timeout_ms);
	rc = ch_view_copy(ch_view_of(id), out, CH_KAFKA_CLUSTER_ID_MAX);
	rd_kafka_mem_free(rk, id);
	if (rc != 0)
		return ch_err_set(err, CH_EPROTO,
			"Kafka's cluster id is longer than %d bytes",
			CH_KAFKA_CLUSTER_ID_MAX - 1);
	return 0;
}
