/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: two producers to the same brokers, of which one is used at a time.
 *
 * A row that comes alone must leave at once, many shall leave as one batch, and
 * librdkafka's linger is fixed for a producer's life: hence a prompt one, which
 * does not linger, and a bulk one, which does. (Without linger its thread sends
 * the first rows of a burst before it has the others; of a partition with five
 * records unacknowledged it then asks for more without a pause until they are,
 * which costs a whole CPU.)
 *
 * Invariant: records are in flight in one lane only, so that order over a
 * change is that of sending. A change that would wait long, since a broker is
 * away, is put off: what lane is used never decides whether rows are sent.
 *
 * Thread: loop only.
 */
#ifndef RELAY_LANES_H
#define RELAY_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/kafka_producer.h"

enum lane { LANE_PROMPT, LANE_BULK, LANE_COUNT };

struct lanes;

/* params.linger_ms is the prompt one's; the bulk one lingers LANES_BULK_MS, or
 * as long if that is longer. */
#define LANES_BULK_MS 3
struct lanes *lanes_open(const struct ch_kafka_producer_params *params,
	struct ch_err *err);
/* Waits at most deadline_ms for reports. NULL is allowed. */
void lanes_close(struct lanes *l, int deadline_ms);

/* The producer that is used now; never NULL. */
struct ch_kafka_producer *lanes_now(const struct lanes *l);
/* The topic will be sent to, by whichever. (A change of lanes must not make it
 * wait for brokers that have just gone away.) */
void lanes_expect(struct lanes *l, const char *topic);
/* Serves the reports of both. */
void lanes_poll(struct lanes *l);
/* This lane is wanted. false: nothing may be sent yet, since the other still
 * has records in flight. */
bool lanes_want(struct lanes *l, enum lane lane, struct ch_mono now);
/* Until a change is put off, at the latest; -1: none waits. */
int64_t lanes_next_ms(const struct lanes *l, struct ch_mono now);
/* Pauses that brokers asked both for. */
uint64_t lanes_throttled(const struct lanes *l);
/* For poll(2), POLLIN. */
int lanes_fd(const struct lanes *l, enum lane lane);

#endif
