/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_error: see the header. Codes that mean "ask again, elsewhere or later"
 * and that librdkafka normally handles itself are TRANSIENT; what keeps a
 * whole broker or cluster from answering is OUTAGE; a record is PERMANENT only
 * for codes that say so about the record itself.
 */
#include "kafka_error.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define E(code) RD_KAFKA_RESP_ERR_##code

static const struct {
	rd_kafka_resp_err_t code;
	enum ch_kafka_class class;
} table[] = {
	{E(NO_ERROR), CH_KAFKA_OK},

	/* this record */
	{E(MSG_SIZE_TOO_LARGE), CH_KAFKA_PERMANENT},
	{E(INVALID_MSG_SIZE), CH_KAFKA_PERMANENT},
	{E(INVALID_RECORD), CH_KAFKA_PERMANENT},
	{E(INVALID_TIMESTAMP), CH_KAFKA_PERMANENT},
	{E(RECORD_LIST_TOO_LARGE), CH_KAFKA_PERMANENT},
	{E(UNSUPPORTED_FOR_MESSAGE_FORMAT), CH_KAFKA_PERMANENT},
	{E(_BAD_MSG), CH_KAFKA_PERMANENT},
	{E(_BAD_COMPRESSION), CH_KAFKA_PERMANENT},
	/* a neighbour in its batch was refused, it was not */
	{E(_INVALID_DIFFERENT_RECORD), CH_KAFKA_TRANSIENT},
	/* acknowledged without an offset: kafka_producer.h */
	{E(DUPLICATE_SEQUENCE_NUMBER), CH_KAFKA_TRANSIENT},

	/* the topic */
	{E(UNKNOWN_TOPIC_OR_PART), CH_KAFKA_TOPIC},
	{E(_UNKNOWN_TOPIC), CH_KAFKA_TOPIC},
	{E(_UNKNOWN_PARTITION), CH_KAFKA_TOPIC},
	{E(UNKNOWN_TOPIC_ID), CH_KAFKA_TOPIC},
	{E(TOPIC_EXCEPTION), CH_KAFKA_TOPIC}, /* an invalid name */
	{E(TOPIC_AUTHORIZATION_FAILED), CH_KAFKA_TOPIC},
	{E(GROUP_AUTHORIZATION_FAILED), CH_KAFKA_TOPIC},
	{E(TOPIC_DELETION_DISABLED), CH_KAFKA_TOPIC},
	{E(POLICY_VIOLATION), CH_KAFKA_TOPIC},
	{E(INVALID_REQUIRED_ACKS), CH_KAFKA_TOPIC},
	{E(OFFSET_OUT_OF_RANGE), CH_KAFKA_TOPIC},
	{E(_AUTO_OFFSET_RESET), CH_KAFKA_TOPIC},
	{E(_NO_OFFSET), CH_KAFKA_TOPIC},

	/* brokers away or unable */
	{E(_TRANSPORT), CH_KAFKA_OUTAGE},
	{E(_ALL_BROKERS_DOWN), CH_KAFKA_OUTAGE},
	{E(_RESOLVE), CH_KAFKA_OUTAGE},
	{E(_MSG_TIMED_OUT), CH_KAFKA_OUTAGE},
	{E(_TIMED_OUT), CH_KAFKA_OUTAGE},
	{E(_TIMED_OUT_QUEUE), CH_KAFKA_OUTAGE},
	{E(_ISR_INSUFF), CH_KAFKA_OUTAGE},
	{E(_NODE_UPDATE), CH_KAFKA_OUTAGE},
	{E(_SSL), CH_KAFKA_OUTAGE},
	{E(_AUTHENTICATION), CH_KAFKA_OUTAGE},
	{E(_WAIT_COORD), CH_KAFKA_OUTAGE},
	{E(_CRIT_SYS_RESOURCE), CH_KAFKA_OUTAGE},
	{E(BROKER_NOT_AVAILABLE), CH_KAFKA_OUTAGE},
	{E(REPLICA_NOT_AVAILABLE), CH_KAFKA_OUTAGE},
	{E(LEADER_NOT_AVAILABLE), CH_KAFKA_OUTAGE},
	{E(NOT_ENOUGH_REPLICAS), CH_KAFKA_OUTAGE},
	{E(NOT_ENOUGH_REPLICAS_AFTER_APPEND), CH_KAFKA_OUTAGE},
	{E(KAFKA_STORAGE_ERROR), CH_KAFKA_OUTAGE},
	{E(COORDINATOR_NOT_AVAILABLE), CH_KAFKA_OUTAGE},
	{E(COORDINATOR_LOAD_IN_PROGRESS), CH_KAFKA_OUTAGE},
	{E(REQUEST_TIMED_OUT), CH_KAFKA_OUTAGE},
	{E(NETWORK_EXCEPTION), CH_KAFKA_OUTAGE},
	{E(SASL_AUTHENTICATION_FAILED), CH_KAFKA_OUTAGE},
	{E(CLUSTER_AUTHORIZATION_FAILED), CH_KAFKA_OUTAGE},
	{E(THROTTLING_QUOTA_EXCEEDED), CH_KAFKA_OUTAGE},
	{E(UNKNOWN), CH_KAFKA_OUTAGE}, /* "unexpected server error" */
	{E(UNSUPPORTED_VERSION), CH_KAFKA_OUTAGE},
	{E(_UNSUPPORTED_FEATURE), CH_KAFKA_OUTAGE},

	/* finished */
	{E(_FATAL), CH_KAFKA_FATAL},
	{E(_FENCED), CH_KAFKA_FATAL},
	{E(_GAPLESS_GUARANTEE), CH_KAFKA_FATAL},
	{E(_DESTROY), CH_KAFKA_FATAL},
	{E(FENCED_INSTANCE_ID), CH_KAFKA_FATAL},
	{E(PRODUCER_FENCED), CH_KAFKA_FATAL},
	{E(INVALID_PRODUCER_EPOCH), CH_KAFKA_FATAL},
	{E(OUT_OF_ORDER_SEQUENCE_NUMBER), CH_KAFKA_FATAL},
	{E(UNKNOWN_PRODUCER_ID), CH_KAFKA_FATAL},
};

static const char *const names[] = {
	[CH_KAFKA_OK] = "ok",
	[CH_KAFKA_TRANSIENT] = "transient",
	[CH_KAFKA_OUTAGE] = "outage",
	[CH_KAFKA_PERMANENT] = "permanent",
	[CH_KAFKA_TOPIC] = "topic",
	[CH_KAFKA_FATAL] = "fatal",
};

enum ch_kafka_class
ch_kafka_error_class(rd_kafka_resp_err_t code)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return table[i].class;
	return CH_KAFKA_TRANSIENT;
}

const char *ch_kafka_class_name(enum ch_kafka_class class)
{
	return names[class];
}

#define END_WORDS "broker end offset is "

/* librdkafka has a code for it and hides it in a text. */
int64_t
ch_kafka_error_cut(const char *text)
{
	const char *words = strstr(text, END_WORDS);
	char *end;
	long long offset;

	if (strstr(text, rd_kafka_err2str(RD_KAFKA_RESP_ERR__LOG_TRUNCATION)) ==
		NULL)
		return -1;
	if (words == NULL)
		return INT64_MAX;
	offset = strtoll(words + strlen(END_WORDS), &end, 10);
	if (end == words + strlen(END_WORDS))
		return INT64_MAX;
	return offset < 0 ? 0 : offset;
}
