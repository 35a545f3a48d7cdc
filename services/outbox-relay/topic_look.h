/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_look: which of the topics that are to be sent to are there, for dry
 * runs. Only asks (DescribeTopics): no topic is made by that.
 *
 * Each topic is asked for once. Brokers that do not answer are not asked again:
 * what is left is not known, and nobody waits for it.
 *
 * Thread: belongs to one thread, which waits: 3 s at most for brokers that do
 * not answer.
 */
#ifndef RELAY_TOPIC_LOOK_H
#define RELAY_TOPIC_LOOK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "daemon/params.h"

struct topic_look;

/* No network yet. NULL with CH_ECONFIG. */
struct topic_look *topic_look_open(const struct ch_params *p,
	struct ch_err *err);
/* NULL is allowed. */
void topic_look_close(struct topic_look *l);

enum topic_state {
	TOPIC_UNKNOWN, /* nobody answers, or the right to know is missing */
	TOPIC_THERE,
	TOPIC_MISSING,
	TOPIC_SHORT /* it is there, but not this partition */
};
struct topic_seen {
	enum topic_state state;
	int32_t partitions;
};
/* part < 0: any. */
struct topic_seen topic_look_at(struct topic_look *l, struct ch_view topic,
	int64_t part);
/* Why any is TOPIC_UNKNOWN; NULL: none is. */
const char *topic_look_untold(const struct topic_look *l);

#endif
