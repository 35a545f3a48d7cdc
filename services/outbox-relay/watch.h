/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: how the relay is doing, for metrics and /readyz.
 *
 * Thread: loop only.
 */
#ifndef RELAY_WATCH_H
#define RELAY_WATCH_H

#include "base/err.h"
#include "base/str.h"
#include "relay.h"

/* Without outbox_order_by: what it means, and what to do. */
#define WATCH_NO_ORDER                                                         \
	"a first start, or a lost slot, reads the table as its rows lie: the " \
	"order per key does not hold then; set outbox_order_by to the column " \
	"that is oldest first"

/* Sets the gauges from memory; cheap enough for every turn. */
void watch_publish(struct relay *r);
/* Asks PostgreSQL about the slot and the letters, at most every 5 s. */
int watch_slot(struct relay *r, struct ch_err *err);
/* Ready: delivering, or standing by. A connection alone is not enough. */
bool watch_ready(struct relay *r, struct ch_buf *verbose);

#endif
