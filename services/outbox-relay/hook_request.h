/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_request: what one delivery is on the wire.
 *
 * Headers: those of Standard Webhooks (webhook-id, webhook-timestamp,
 * webhook-signature), Content-Type, traceparent, webhook-event-type, and the
 * endpoint's own. The id is the same in every repetition; the timestamp is that
 * of the sending, since receivers refuse old ones.
 *
 * Thread: any. Pure.
 */
#ifndef RELAY_HOOK_REQUEST_H
#define RELAY_HOOK_REQUEST_H

#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "endpoint.h"

/* A row of webhook_deliveries. */
struct hook_delivery {
	int64_t id;
	uint8_t key_digest[CH_SHA256_LEN];
	struct ch_view event_id, webhook_id, aggregatetype, type;
	struct ch_view key, body, traceparent; /* ptr NULL: none */
	struct ch_time at;
	int32_t attempts, replays;
	uint32_t content; /* as event_content() has it; 0: not known, too */
	/* without an attempt: last; by a quota: first; us 0: never */
	struct ch_time refused_at, quota_since;
};

struct hook_request {
	const char *headers[ENDPOINT_HEADERS_MAX + 8]; /* ends with NULL */
	struct ch_view body;
};

/* *out points into the arena and the endpoint. */
void hook_request_of(const struct endpoint *e, const struct hook_delivery *d,
	struct ch_time now, struct ch_arena *arena, struct hook_request *out);

#endif
