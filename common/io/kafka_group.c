/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_group: see kafka_group.h. A commit goes by a queue of its own, since
 * librdkafka's own call that waits does so without a bound.
 */
#include "kafka_group.h"

static int
failed(rd_kafka_resp_err_t code, const char *what, const char *topic,
	int32_t partition, struct ch_err *err)
{
	return ch_err_set(err,
		code == RD_KAFKA_RESP_ERR__TIMED_OUT ? CH_ETIMEOUT : CH_EKAFKA,
		"%s of %s-%d: %s (%s)", what, topic, partition,
		rd_kafka_err2str(code), rd_kafka_err2name(code));
}

int
ch_kafka_group_committed(rd_kafka_t *rk, const char *topic, int32_t partition,
	int timeout_ms, int64_t *offset, struct ch_err *err)
{
	rd_kafka_topic_partition_list_t *one =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *asked =
		rd_kafka_topic_partition_list_add(one, topic, partition);
	rd_kafka_resp_err_t code = rd_kafka_committed(rk, one, timeout_ms);

	if (code == 0)
		code = asked->err;
	*offset = asked->offset >= 0 ? asked->offset : -1;
	rd_kafka_topic_partition_list_destroy(one);
	return code == 0
		? 0
		: failed(code, "committed offset", topic, partition, err);
}

int
ch_kafka_group_commit(rd_kafka_t *rk, const char *topic, int32_t partition,
	int64_t offset, int timeout_ms, struct ch_err *err)
{
	rd_kafka_queue_t *answers = rd_kafka_queue_new(rk);
	rd_kafka_topic_partition_list_t *one =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_event_t *ev = NULL;
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(one, topic, partition)->offset =
		offset;
	code = rd_kafka_commit_queue(rk, one, answers, NULL, NULL);
	if (code == 0) {
		ev = rd_kafka_queue_poll(answers, timeout_ms);
		code = ev != NULL ? rd_kafka_event_error(ev)
				  : RD_KAFKA_RESP_ERR__TIMED_OUT;
	}
	if (code == 0)
		code = rd_kafka_event_topic_partition_list(ev)->elems[0].err;
	if (ev != NULL)
		rd_kafka_event_destroy(ev);
	rd_kafka_topic_partition_list_destroy(one);
	rd_kafka_queue_destroy(answers);
	return code == 0 ? 0 : failed(code, "commit", topic, partition, err);
}
