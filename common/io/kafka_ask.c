/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_ask: librdkafka's admin API (see the header).
 */
#include "kafka_ask.h"

static rd_kafka_AdminOptions_t *
options(rd_kafka_t *rk, rd_kafka_admin_op_t op, int timeout_ms, void *opaque)
{
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, op);
	char why[64];

	(void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, why,
		sizeof(why));
	rd_kafka_AdminOptions_set_opaque(o, opaque);
	return o;
}

void
ch_kafka_ask_topic(rd_kafka_t *rk, const char *topic, int timeout_ms,
	rd_kafka_queue_t *to, void *opaque)
{
	const char *names[1] = {topic};
	rd_kafka_TopicCollection_t *c =
		rd_kafka_TopicCollection_of_topic_names(names, 1);
	rd_kafka_AdminOptions_t *o = options(rk,
		RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout_ms, opaque);

	rd_kafka_DescribeTopics(rk, c, o, to);
	rd_kafka_AdminOptions_destroy(o);
	rd_kafka_TopicCollection_destroy(c);
}

void
ch_kafka_ask_ends(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *of,
	int timeout_ms, rd_kafka_queue_t *to, void *opaque)
{
	rd_kafka_AdminOptions_t *o =
		options(rk, RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout_ms, opaque);
	int i;

	for (i = 0; i < of->cnt; i++)
		of->elems[i].offset = RD_KAFKA_OFFSET_SPEC_LATEST;
	rd_kafka_ListOffsets(rk, of, o, to);
	rd_kafka_AdminOptions_destroy(o);
}
