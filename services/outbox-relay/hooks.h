/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks: webhooks beside Kafka.
 *
 *	pump --hooks_take--> rows of webhook_deliveries   (before the commit counts)
 *	rows that are due --> hook_sender --HTTP--> done, again later, dead letter
 *
 * An event that an endpoint wants is held in flight until its delivery is
 * durable; from then on the row is all that there is, and no endpoint holds
 * back Kafka or the position. The guarantee: each event at least once to each
 * endpoint, under a stable id, in order per key where the policy is `block`;
 * an event that is read again within `webhooks_remember` makes no second
 * delivery.
 *
 * A PostgreSQL connection of its own carries one bounded statement at a time,
 * and nothing here waits for one but at its connecting. Only the leader's does
 * anything.
 *
 * Thread: loop. A NULL `hooks` is allowed everywhere: there are no endpoints.
 */
#ifndef RELAY_HOOKS_H
#define RELAY_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemon/daemon.h"
#include "event.h"
#include "hook_figures.h"
#include "inflight.h"
#include "io/pg.h"

struct hooks;

struct hooks_options {
	const struct ch_runtime *rt;
	struct inflight *inflight;
	struct hooks_metrics metrics;
};

/* *out NULL when the parameter `webhooks` is empty. CH_ECONFIG. */
int hooks_open(struct hooks **out, const struct hooks_options *opt,
	struct ch_err *err);
void hooks_close(struct hooks *h);
/* Its endpoints are this relay's alone in the schema for as long as the session
 * lives; before it leads. CH_EEXIST: another relay has one of them. */
int hooks_own(struct hooks *h, struct ch_pg *session, struct ch_err *err);

/* The row is about to be sent for the first time. May hold it. */
void hooks_take(struct hooks *h, struct event *e);
/* What is in flight is dropped, and will be read again. */
void hooks_drop(struct hooks *h);

/* leads: false: gives up what it has in hand. draining: takes up nothing. */
void hooks_turn(struct hooks *h, bool leads, bool draining, struct ch_mono now,
	struct ch_time wall);
/* Nothing in hand and nothing to be written. */
bool hooks_is_idle(const struct hooks *h);
/* For poll(2): -1 when there is nothing to wait for. */
int hooks_sql_fd(const struct hooks *h, short *events);
int hooks_answer_fd(const struct hooks *h);
/* When to turn again though no descriptor is ready; -1: any time. */
int64_t hooks_next_ms(const struct hooks *h, struct ch_mono now);

#endif
