/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure: the table.
 */
#include "failure.h"

#include <stddef.h>

#define E(code) RD_KAFKA_RESP_ERR_##code, RD_KAFKA_RESP_ERR_##code

enum origin {
	OF_KAFKA_CODE,
	OF_KAFKA,
	OF_HTTP_CLIENT,
	OF_BROKEN_ANSWER,
	OF_HTTP_STATUS
};

/* The first row that fits counts. */
static const struct {
	enum origin origin;
	int first, last;
	enum failure failure;
} table[] = {
	/* limits of the cluster, not of the record: they pass when less comes */
	{OF_KAFKA_CODE, E(THROTTLING_QUOTA_EXCEEDED), FAILURE_QUOTA},
	{OF_KAFKA_CODE, E(POLICY_VIOLATION), FAILURE_QUOTA},
	{OF_KAFKA_CODE, E(_QUEUE_FULL), FAILURE_QUOTA},
	/* an operator took it away, and may give it back */
	{OF_KAFKA_CODE, E(TOPIC_AUTHORIZATION_FAILED), FAILURE_DENIED},

	/* "unexpected server error": a broken broker, or a record that breaks
	 * it */
	{OF_KAFKA_CODE, E(UNKNOWN), FAILURE_UNCLEAR},

	{OF_KAFKA, CH_KAFKA_OK, CH_KAFKA_OK, FAILURE_NONE},
	{OF_KAFKA, CH_KAFKA_TRANSIENT, CH_KAFKA_TRANSIENT, FAILURE_TRANSIENT},
	{OF_KAFKA, CH_KAFKA_OUTAGE, CH_KAFKA_OUTAGE, FAILURE_OUTAGE},
	{OF_KAFKA, CH_KAFKA_FATAL, CH_KAFKA_FATAL, FAILURE_OUTAGE},
	{OF_KAFKA, CH_KAFKA_TOPIC, CH_KAFKA_TOPIC, FAILURE_PERMANENT},
	{OF_KAFKA, CH_KAFKA_PERMANENT, CH_KAFKA_PERMANENT, FAILURE_POISON},

	{OF_HTTP_CLIENT, CH_HTTP_TIMEOUT, CH_HTTP_TLS, FAILURE_OUTAGE},
	/* it hung up, or what came is no HTTP: so does a balancer with nobody
	 * behind it */
	{OF_HTTP_CLIENT, CH_HTTP_PROTOCOL, CH_HTTP_PROTOCOL, FAILURE_OUTAGE},
	{OF_HTTP_CLIENT, CH_HTTP_TOO_LARGE, CH_HTTP_OTHER, FAILURE_TRANSIENT},
	/* a status came, and then it broke off */
	{OF_BROKEN_ANSWER, CH_HTTP_PROTOCOL, CH_HTTP_PROTOCOL,
		FAILURE_TRANSIENT},
	{OF_BROKEN_ANSWER, CH_HTTP_TIMEOUT, CH_HTTP_TLS, FAILURE_OUTAGE},

	{OF_HTTP_STATUS, 200, 299, FAILURE_NONE},
	{OF_HTTP_STATUS, 300, 399, FAILURE_PERMANENT}, /* never followed */
	{OF_HTTP_STATUS, 400, 400, FAILURE_POISON},
	{OF_HTTP_STATUS, 408, 408, FAILURE_TRANSIENT},
	{OF_HTTP_STATUS, 409, 409, FAILURE_TRANSIENT}, /* of two at once */
	{OF_HTTP_STATUS, 413, 414, FAILURE_POISON},
	{OF_HTTP_STATUS, 422, 422, FAILURE_POISON},
	{OF_HTTP_STATUS, 423, 423, FAILURE_TRANSIENT},
	{OF_HTTP_STATUS, 425, 425, FAILURE_TRANSIENT},
	{OF_HTTP_STATUS, 429, 429, FAILURE_QUOTA},
	{OF_HTTP_STATUS, 431, 431, FAILURE_POISON},
	{OF_HTTP_STATUS, 400, 499, FAILURE_PERMANENT},
	{OF_HTTP_STATUS, 500, 500, FAILURE_TRANSIENT},
	{OF_HTTP_STATUS, 501, 501, FAILURE_PERMANENT},
	{OF_HTTP_STATUS, 502, 504, FAILURE_OUTAGE},
	{OF_HTTP_STATUS, 505, 505, FAILURE_PERMANENT},
	{OF_HTTP_STATUS, 520, 530, FAILURE_OUTAGE}, /* of a proxy before it */
};

/* true: a row names it. */
static bool
find(enum origin origin, int code, enum failure *out)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].origin == origin && code >= table[i].first &&
			code <= table[i].last) {
			*out = table[i].failure;
			return true;
		}
	return false;
}

static enum failure
look_up(enum origin origin, int code)
{
	enum failure f;

	return find(origin, code, &f) ? f : FAILURE_TRANSIENT;
}

enum failure
failure_of_kafka(rd_kafka_resp_err_t code, enum ch_kafka_class class)
{
	enum failure f;

	return find(OF_KAFKA_CODE, (int)code, &f)
		? f
		: look_up(OF_KAFKA, (int)class);
}

enum failure
failure_of_http(enum ch_http_class class, int status)
{
	if (class == CH_HTTP_OK)
		return look_up(OF_HTTP_STATUS, status);
	return look_up(status != 0 ? OF_BROKEN_ANSWER : OF_HTTP_CLIENT,
		(int)class);
}

const char *
failure_name(enum failure f)
{
	static const char *const names[FAILURES] = {"none", "transient",
		"outage", "permanent", "poison", "quota", "unclear", "denied"};

	return names[f];
}
