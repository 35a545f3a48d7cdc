/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_stats: the few numbers that metrics need, out of librdkafka's
 * statistics JSON.
 *
 * Thread: belongs to the owner of the client. Pure.
 */
#ifndef CH_IO_KAFKA_STATS_H
#define CH_IO_KAFKA_STATS_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct ch_kafka_stats {
	int64_t at_us;	     /* wall clock of the statistics; 0 = none yet */
	int64_t brokers_up;  /* brokers with a live connection */
	int64_t brokers;     /* brokers known, bootstrap entries excluded */
	int64_t rtt_avg_us;  /* mean of the brokers that are up */
	int64_t rtt_p99_us;  /* worst of them */
	int64_t msgs_queued; /* producer: waiting or in flight */
	int64_t bytes_queued;
	int64_t tx_msgs, tx_bytes; /* since start */
	int64_t rx_msgs, rx_bytes; /* since start */
	int64_t fetchq_msgs;	   /* consumer: fetched, not yet polled */
	int64_t fetchq_bytes;
	int64_t lag_total; /* consumer: sum over assigned partitions */
	int64_t lag_max;
	int64_t rebalances; /* consumer group: since start */
	int64_t assignment_size;
	int64_t tx_errors; /* requests that failed, all brokers */
};

/* CH_EINVAL when the text is not what librdkafka sends; *out is then
 * unchanged. */
int ch_kafka_stats_parse(struct ch_view json, struct ch_kafka_stats *out,
	struct ch_err *err);

#endif
