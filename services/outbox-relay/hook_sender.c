/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_sender: see hook_sender.h.
 *
 *	loop: send --> HTTP client's thread: on_done --> mailbox, eventfd
 *	                                                    |
 *	loop: next <----------------------------------------'
 *
 * A flight belongs to the client's thread from send to the mailbox; meanwhile
 * the loop only reads its key. A timeout or a hang-up is an outage as long as
 * nothing else of the endpoint was answered meanwhile: a dead target condemns
 * nothing, and one event that a live target cannot swallow does not live for
 * ever.
 *
 * For the same reason an outage or a quota is written to its delivery, whose key
 * then stands behind the others that are due: it must not be each probe. What
 * meets an outage again while others are taken is refused, not unlucky: that
 * costs attempts. However many such keys there are, the rows remember them.
 */
#include "hook_sender.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/rng.h"

#define RESPONSE_MAX 4096
#define BREAKER_FAILURES 3
#define BREAKER_OPEN_MS 1000
#define BREAKER_OPEN_MAX_MS 300000
#define RETRY_AFTER_STATUS 503
#define LANE_BYTES ((int64_t)8 << 20) /* of bodies in hand */

struct lane {
	const struct endpoint *endpoint;
	struct ch_breaker breaker;
	struct hook_flight *flights[ENDPOINT_CONCURRENCY_MAX];
	int count;
	int64_t bytes;		    /* of their bodies */
	struct ch_mono answered_at; /* the last answer of any kind */
	struct ch_time taken_at;    /* the last time that it took one */
	bool taken_last;	    /* no outage since */
	bool told_open;
};

struct hook_sender {
	struct lane *lanes;
	size_t lane_count;
	struct ch_http_client *guarded, *inner; /* inner: allow_private */
	struct ch_rng rng;
	int wake;
	pthread_mutex_t mu;
	struct hook_flight *mailbox, **mailbox_end; /* under mu */
};

/* ---- open and close ---- */

static void
open_lanes(struct hook_sender *s, const struct endpoints *endpoints,
	unsigned *most)
{
	static const struct ch_breaker_limits limits = {
		BREAKER_FAILURES, BREAKER_OPEN_MS, BREAKER_OPEN_MAX_MS};
	size_t i;

	*most = 0;
	s->lanes = ch_xcalloc(endpoints->count, sizeof(*s->lanes));
	s->lane_count = endpoints->count;
	for (i = 0; i < endpoints->count; i++) {
		s->lanes[i].endpoint = &endpoints->items[i];
		ch_breaker_init(&s->lanes[i].breaker, endpoints->items[i].name,
			&limits, &s->rng);
		*most += (unsigned)endpoints->items[i].concurrency;
	}
}

struct hook_sender *
hook_sender_open(const struct endpoints *endpoints, const char *ca_file,
	struct ch_err *err)
{
	struct hook_sender *s = ch_xcalloc(1, sizeof(*s));
	struct ch_http_client_options opt = {
		.user_agent = "countinghouse-outbox-relay", .ca_file = ca_file};
	int rc;

	ch_rng_seed_system(&s->rng);
	pthread_mutex_init(&s->mu, NULL);
	s->mailbox_end = &s->mailbox;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	open_lanes(s, endpoints, &opt.max_in_flight);
	opt.max_per_host = opt.max_in_flight;
	rc = s->wake >= 0 ? ch_http_client_new(&s->inner, &opt, err)
			  : ch_err_set(err, CH_EIO, "no eventfd");
	opt.address_ok = ch_http_address_is_public;
	if (rc == CH_OK)
		rc = ch_http_client_new(&s->guarded, &opt, err);
	if (rc == CH_OK)
		return s;
	hook_sender_close(s);
	return NULL;
}

static void
flight_free(struct hook_flight *f)
{
	ch_arena_free(&f->arena);
	ch_buf_free(&f->response);
	free(f);
}

void
hook_sender_close(struct hook_sender *s)
{
	size_t i;
	int n;

	if (s == NULL)
		return;
	ch_http_client_free(s->guarded);
	ch_http_client_free(s->inner);
	/* all have come back: each is in its lane, and nowhere else */
	for (i = 0; i < s->lane_count; i++)
		for (n = 0; n < s->lanes[i].count; n++)
			flight_free(s->lanes[i].flights[n]);
	if (s->wake >= 0)
		(void)close(s->wake);
	pthread_mutex_destroy(&s->mu);
	free(s->lanes);
	free(s);
}

int
hook_sender_fd(const struct hook_sender *s)
{
	return s->wake;
}

/* ---- sending ---- */

size_t
hook_sender_room(const struct hook_sender *s, size_t endpoint,
	struct ch_mono now)
{
	const struct lane *l = &s->lanes[endpoint];

	if (!ch_breaker_allows(&l->breaker, now) ||
		l->count >= l->endpoint->concurrency ||
		hook_sender_bytes(s, endpoint) <= 0)
		return 0;
	return ch_breaker_state(&l->breaker) == CH_BREAKER_CLOSED
		? (size_t)(l->endpoint->concurrency - l->count)
		: 1;
}

int64_t
hook_sender_bytes(const struct hook_sender *s, size_t endpoint)
{
	return LANE_BYTES - s->lanes[endpoint].bytes;
}

void
hook_sender_busy(const struct hook_sender *s, size_t endpoint,
	struct ch_pg_array *digests)
{
	const struct lane *l = &s->lanes[endpoint];
	int i;

	for (i = 0; i < l->count; i++)
		ch_pg_array_bytea(digests,
			(struct ch_view){(const char *)l->flights[i]
						 ->delivery.key_digest,
				CH_SHA256_LEN});
}

struct hook_flight *
hook_sender_take(struct hook_sender *s, size_t endpoint)
{
	struct hook_flight *f = ch_xcalloc(1, sizeof(*f));
	struct lane *l = &s->lanes[endpoint];

	f->sender = s;
	f->endpoint = endpoint;
	f->retry_after_s = -1;
	l->flights[l->count++] = f;
	return f;
}

void
hook_sender_done(struct hook_sender *s, struct hook_flight *f)
{
	struct lane *l = &s->lanes[f->endpoint];
	int i = 0;

	while (l->flights[i] != f)
		i++;
	l->flights[i] = l->flights[--l->count];
	l->bytes -= f->bytes;
	flight_free(f);
}

static void
post(struct hook_flight *f)
{
	struct hook_sender *s = f->sender;
	uint64_t one = 1;

	f->next = NULL;
	pthread_mutex_lock(&s->mu);
	*s->mailbox_end = f;
	s->mailbox_end = &f->next;
	pthread_mutex_unlock(&s->mu);
	/* a full counter wakes as well */
	(void)!write(s->wake, &one, sizeof(one));
}

/* Thread: HTTP client. */
static void
on_done(void *ctx, const struct ch_http_result *r)
{
	struct hook_flight *f = ctx;

	f->class = r->class;
	f->status = r->status;
	f->retry_after_s = r->retry_after_s;
	f->elapsed_us = r->elapsed_us;
	ch_buf_addv(&f->response, r->body);
	(void)ch_view_copy((struct ch_view){r->reason,
				   strnlen(r->reason, CH_ERR_TEXT_MAX - 1)},
		f->reason, sizeof(f->reason));
	post(f);
}

void
hook_sender_send(struct hook_sender *s, struct hook_flight *f,
	struct ch_mono now, struct ch_time wall)
{
	struct lane *l = &s->lanes[f->endpoint];
	const struct endpoint *e = l->endpoint;
	struct ch_err err = CH_ERR_INIT;
	struct hook_request request;
	struct ch_http_call call;

	if (!ch_breaker_allows(&l->breaker, now)) {
		hook_sender_done(s, f); /* it stays due */
		return;
	}
	f->pass = ch_breaker_enter(&l->breaker, now);
	f->sent_at = now;
	f->bytes = (int64_t)f->delivery.body.len;
	l->bytes += f->bytes;
	hook_request_of(e, &f->delivery, wall, &f->arena, &request);
	call = (struct ch_http_call){.method = "POST",
		.url = e->url,
		.headers = request.headers,
		.body = request.body,
		.timeout_ms = (int)e->timeout_ms,
		/* a lookup by the second name server, a slow TLS: all of it */
		.connect_timeout_ms = (int)e->timeout_ms,
		.max_body = RESPONSE_MAX,
		.cut_body = true,
		.done = on_done,
		.ctx = f};
	if (ch_http_client_send(e->allow_private ? s->inner : s->guarded, &call,
		    NULL, &err) == CH_OK)
		return;
	f->class = CH_HTTP_OTHER;
	ch_view_copy(ch_view_of(err.text), f->reason, sizeof(f->reason));
	post(f);
}

/* ---- what came back ---- */

/* No answer of this delivery's, or a bad one, while the target takes others. */
static bool
is_its_own(const struct lane *l, const struct hook_flight *f)
{
	bool silent =
		f->class == CH_HTTP_TIMEOUT || f->class == CH_HTTP_PROTOCOL;

	if (silent && l->answered_at.ns > f->sent_at.ns)
		return true;
	return (silent || f->class == CH_HTTP_OK) &&
		f->delivery.refused_at.us != 0 && l->taken_last &&
		l->taken_at.us > f->delivery.refused_at.us;
}

static enum failure
failure_of(const struct lane *l, const struct hook_flight *f)
{
	enum failure failure = failure_of_http(f->class, f->status);

	if (f->class == CH_HTTP_OK && f->status == RETRY_AFTER_STATUS &&
		f->retry_after_s >= 0)
		return FAILURE_QUOTA;
	if (failure == FAILURE_OUTAGE && is_its_own(l, f))
		return FAILURE_TRANSIENT;
	return failure;
}

static void
tell_breaker(struct lane *l, const struct hook_flight *f, struct ch_mono now)
{
	if (f->failure == FAILURE_QUOTA)
		ch_breaker_limited(&l->breaker, f->pass,
			f->retry_after_s < 0 ? -1
					     : f->retry_after_s * INT64_C(1000),
			now);
	else if (f->class != CH_HTTP_OK || f->failure == FAILURE_OUTAGE)
		ch_breaker_failed(&l->breaker, f->pass, now);
	else
		ch_breaker_ok(&l->breaker, f->pass);
}

static void
log_breaker(struct lane *l, const struct hook_flight *f, struct ch_mono now)
{
	enum ch_breaker_state state = ch_breaker_state(&l->breaker);

	if (state == CH_BREAKER_OPEN && !l->told_open)
		ch_warn("webhook.paused", CH_S("endpoint", l->endpoint->name),
			CH_S("failure", failure_name(f->failure)),
			CH_I("status", f->status), CH_S("reason", f->reason),
			CH_I("again_ms",
				(l->breaker.until.ns - now.ns) / 1000000));
	if (state == CH_BREAKER_CLOSED && l->told_open)
		ch_info("webhook.resumed", CH_S("endpoint", l->endpoint->name));
	if (state != CH_BREAKER_HALF_OPEN)
		l->told_open = state == CH_BREAKER_OPEN;
}

/* How long its key waits: longer with each attempt, and as long as was asked,
 * within the endpoint's limits. */
static int64_t
wait_of(struct hook_sender *s, const struct endpoint *e,
	const struct hook_flight *f)
{
	struct ch_backoff b = {.base_ms = e->backoff_ms,
		.cap_ms = e->backoff_max_ms,
		.attempt = (unsigned)f->delivery.attempts};
	int64_t ms = ch_backoff_next(&b, &s->rng);
	int64_t asked = f->retry_after_s * INT64_C(1000);

	if (asked > ms)
		ms = asked < e->backoff_max_ms ? asked : e->backoff_max_ms;
	return ms;
}

static bool
is_out_of_patience(const struct endpoint *e, const struct hook_flight *f,
	struct ch_time wall)
{
	return f->delivery.quota_since.us != 0 &&
		wall.us - f->delivery.quota_since.us >=
		e->quota_max_ms * INT64_C(1000);
}

static void
note_verdict(struct lane *l, const struct hook_flight *f, struct ch_time wall)
{
	if (f->verdict == HOOK_DONE)
		l->taken_at = wall;
	if (f->verdict == HOOK_DONE || f->failure == FAILURE_OUTAGE)
		l->taken_last = f->verdict == HOOK_DONE;
}

static void
judge(struct hook_sender *s, struct hook_flight *f, struct ch_mono now,
	struct ch_time wall)
{
	struct lane *l = &s->lanes[f->endpoint];

	f->verdict = HOOK_LATER;
	if (f->class == CH_HTTP_CANCELLED)
		return;
	f->failure = failure_of(l, f);
	tell_breaker(l, f, now);
	log_breaker(l, f, now);
	if (f->class == CH_HTTP_OK)
		l->answered_at = now;
	switch (f->failure) {
	case FAILURE_NONE:
		f->verdict = HOOK_DONE;
		break;
	case FAILURE_TRANSIENT:
		f->verdict = f->delivery.attempts + 1 < l->endpoint->attempts
			? HOOK_AGAIN
			: HOOK_BURY;
		f->wait_ms = wait_of(s, l->endpoint, f);
		break;
	case FAILURE_PERMANENT:
	case FAILURE_POISON:
		f->verdict = HOOK_BURY;
		break;
	case FAILURE_QUOTA:
		if (is_out_of_patience(l->endpoint, f, wall))
			f->verdict = HOOK_BURY;
		break;
	case FAILURE_OUTAGE:
	case FAILURE_UNCLEAR: /* no answer of HTTP means it */
	case FAILURE_DENIED:  /* Kafka's alone */
		break;
	}
	note_verdict(l, f, wall);
}

struct hook_flight *
hook_sender_next(struct hook_sender *s, struct ch_mono now, struct ch_time wall)
{
	struct hook_flight *f;
	uint64_t count;

	pthread_mutex_lock(&s->mu);
	f = s->mailbox;
	if (f != NULL) {
		s->mailbox = f->next;
		if (s->mailbox == NULL)
			s->mailbox_end = &s->mailbox;
	} else {
		(void)!read(s->wake, &count, sizeof(count));
	}
	pthread_mutex_unlock(&s->mu);
	if (f != NULL)
		judge(s, f, now, wall);
	return f;
}

/* ---- figures ---- */

size_t
hook_sender_in_hand(const struct hook_sender *s)
{
	size_t n = 0, i;

	for (i = 0; i < s->lane_count; i++)
		n += (size_t)s->lanes[i].count;
	return n;
}

enum ch_breaker_state
hook_sender_breaker(const struct hook_sender *s, size_t endpoint)
{
	return ch_breaker_state(&s->lanes[endpoint].breaker);
}

int64_t
hook_sender_opens_ms(const struct hook_sender *s, size_t endpoint,
	struct ch_mono now)
{
	const struct ch_breaker *b = &s->lanes[endpoint].breaker;

	if (ch_breaker_state(b) != CH_BREAKER_OPEN)
		return -1;
	return now.ns >= b->until.ns ? 0 : (b->until.ns - now.ns) / 1000000 + 1;
}
