/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure: what a target's answer means, Kafka's and an HTTP endpoint's, in
 * one table.
 *
 *	transient  it may pass in a moment: sent again, costs an attempt (over
 *		   Kafka only of what was sent alone: retry.h)
 *	outage	   the target is away: no attempt, the breaker counts it
 *	permanent  the target takes nothing like this: a dead letter
 *	poison	   the target does not take this one: a dead letter
 *	quota	   too much at once: no attempt, the breaker waits as told
 *	unclear	   it failed, and the answer does not say whether the target or
 *		   this one is at fault: transient when the target takes others,
 *		   else an outage (target.h)
 *	denied	   no right to the target: no attempt until patience ends, then
 *		   permanent (target.h)
 *
 * Of Kafka a code's own row counts before its class's: common/io/kafka_error.c
 * says what a code means to every daemon, a row here what it means to a
 * delivery beyond that.
 *
 * What no row names is transient: an unknown answer condemns nothing.
 *
 * Thread: any. Pure but for its inputs' names.
 */
#ifndef RELAY_FAILURE_H
#define RELAY_FAILURE_H

#include <stdbool.h>

#include "io/http_client.h"
#include "io/kafka_error.h"

enum failure {
	FAILURE_NONE,
	FAILURE_TRANSIENT,
	FAILURE_OUTAGE,
	FAILURE_PERMANENT,
	FAILURE_POISON,
	FAILURE_QUOTA,
	FAILURE_UNCLEAR,
	FAILURE_DENIED
};
#define FAILURES (FAILURE_DENIED + 1)

/* A report's: what librdkafka says, and how kafka_producer reads it. */
enum failure failure_of_kafka(rd_kafka_resp_err_t code,
	enum ch_kafka_class class);
/* status: 0: none came, whatever the class. */
enum failure failure_of_http(enum ch_http_class class, int status);
/* "none", "transient", ...: for logs and metric labels. */
const char *failure_name(enum failure f);

#endif
