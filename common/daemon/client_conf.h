/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_conf: the Kafka client's configuration, from the params that every
 * daemon with a Kafka client has: the list `bootstrap` and the group `kafka`.
 *
 * Thread: main only, as params.
 */
#ifndef CH_DAEMON_CLIENT_CONF_H
#define CH_DAEMON_CLIENT_CONF_H

#include "base/err.h"
#include "daemon/params.h"
#include "io/kafka_conf.h"

/* The caller's, to be freed with ch_kafka_conf_free(); NULL with err set
 * (CH_ECONFIG) when librdkafka refuses a property. */
struct ch_kafka_conf *ch_client_kafka_conf(const struct ch_params *p,
	struct ch_err *err);

#endif
