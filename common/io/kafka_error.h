/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_error: what a librdkafka error code asks the owner to do.
 *
 * One const table, kafka_error.c; a code that it does not name is TRANSIENT:
 * an unknown code never parks a record.
 *
 * Thread: any. Pure.
 */
#ifndef CH_IO_KAFKA_ERROR_H
#define CH_IO_KAFKA_ERROR_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

enum ch_kafka_class {
	CH_KAFKA_OK,
	CH_KAFKA_TRANSIENT, /* the same request may succeed in a moment */
	CH_KAFKA_OUTAGE,    /* brokers away or unable; costs no attempt */
	CH_KAFKA_PERMANENT, /* this record will never be accepted */
	CH_KAFKA_TOPIC,	    /* the topic: unknown, or no right to it */
	CH_KAFKA_FATAL,	    /* this client instance is finished: reopen */
};

enum ch_kafka_class ch_kafka_error_class(rd_kafka_resp_err_t code);
/* "transient", "outage", "permanent", "topic", "fatal", "ok". */
const char *ch_kafka_class_name(enum ch_kafka_class class);

/* What partition_error says of a log that was cut below the start and has grown
 * past it again (another leader's): where the two part, 0 when the log has
 * nothing of that leader's epoch, INT64_MAX when the text does not say where;
 * -1: it says nothing of this. */
int64_t ch_kafka_error_cut(const char *text);

#endif
