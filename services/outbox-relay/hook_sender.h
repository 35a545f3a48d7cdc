/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_sender: deliveries in hand, over HTTP, and what became of each.
 *
 * Per endpoint: at most its concurrency in hand, none begun at 8 MiB of bodies,
 * one of a key, and a breaker that lets nothing go to a target that is away. An
 * address that is not public is refused when it is connected to, whatever name
 * led there, unless the endpoint says allow_private; such endpoints have
 * connections of their own.
 *
 * Thread: loop; answers come in from the HTTP client's threads.
 */
#ifndef RELAY_HOOK_SENDER_H
#define RELAY_HOOK_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/breaker.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "endpoint.h"
#include "failure.h"
#include "hook_request.h"
#include "io/pg_array.h"

struct hook_sender;

enum hook_verdict {
	HOOK_DONE,  /* taken */
	HOOK_AGAIN, /* in wait_ms; it cost an attempt */
	HOOK_BURY,  /* a dead letter */
	HOOK_LATER  /* it stays due, behind others: the target is away, or
		       asks for patience */
};

/* One delivery in hand: taken, filled, sent, judged, settled. */
struct hook_flight {
	struct hook_flight *next;
	struct hook_sender *sender;
	size_t endpoint; /* its place among the endpoints */
	struct hook_delivery delivery;
	struct ch_arena arena; /* of its views */
	struct ch_breaker_pass pass;
	struct ch_mono sent_at;
	int64_t bytes; /* of its body, once it is sent */

	/* what came back */
	enum ch_http_class class;
	int status, retry_after_s;
	int64_t elapsed_us;
	struct ch_buf response; /* its first bytes */
	char reason[CH_ERR_TEXT_MAX];

	/* and what that means */
	enum failure failure;
	enum hook_verdict verdict;
	int64_t wait_ms;
};

/* ca_file: NULL: the system's. endpoints must outlive it. */
struct hook_sender *hook_sender_open(const struct endpoints *endpoints,
	const char *ca_file, struct ch_err *err);
/* Ends what is under way; waits for that, not for answers. */
void hook_sender_close(struct hook_sender *s);
/* Readable when an answer is there. */
int hook_sender_fd(const struct hook_sender *s);

/* How many deliveries of the endpoint may be taken now. */
size_t hook_sender_room(const struct hook_sender *s, size_t endpoint,
	struct ch_mono now);
/* And up to how many bytes of bodies the last of them may begin. */
int64_t hook_sender_bytes(const struct hook_sender *s, size_t endpoint);
/* The digests of its keys in hand. */
void hook_sender_busy(const struct hook_sender *s, size_t endpoint,
	struct ch_pg_array *digests);
/* A flight to be filled, within the room; then sent, or freed. */
struct hook_flight *hook_sender_take(struct hook_sender *s, size_t endpoint);
void hook_sender_send(struct hook_sender *s, struct hook_flight *f,
	struct ch_mono now, struct ch_time wall);
/* The next one that came back, judged; NULL: none. Its key is in hand until it
 * is freed. */
struct hook_flight *hook_sender_next(struct hook_sender *s, struct ch_mono now,
	struct ch_time wall);
void hook_sender_done(struct hook_sender *s, struct hook_flight *f);

size_t hook_sender_in_hand(const struct hook_sender *s);
enum ch_breaker_state hook_sender_breaker(const struct hook_sender *s,
	size_t endpoint);
/* Of the breaker: when something may go again, in ms; -1: it is not open. */
int64_t hook_sender_opens_ms(const struct hook_sender *s, size_t endpoint,
	struct ch_mono now);

#endif
