/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: see session.h.
 *
 * Events that come at a time when they mean nothing (a frame after we asked to
 * close, a tick too early) change nothing; the state machine's table is the
 * guard against our own mistakes only.
 */
#include "session.h"

#include "base/sm.h"

#define MS_NS INT64_C(1000000)
#define NO_ROOM_RETRY_MS 250

#define TO(state) CH_SM_BIT(SESSION_##state)

static const struct ch_sm_state states[SESSION_STATES] = {
	[SESSION_IDLE] = {"idle", CH_SM_INITIAL, TO(CONNECTING)},
	[SESSION_CONNECTING] = {"connecting", 0,
		TO(SUBSCRIBING) | TO(CLOSING) | TO(BACKING_OFF)},
	[SESSION_SUBSCRIBING] = {"subscribing", 0,
		TO(LIVE) | TO(STALE) | TO(CLOSING) | TO(BACKING_OFF)},
	[SESSION_LIVE] = {"live", 0, TO(STALE) | TO(CLOSING) | TO(BACKING_OFF)},
	[SESSION_STALE] = {"stale", 0, TO(CLOSING) | TO(BACKING_OFF)},
	[SESSION_CLOSING] = {"closing", 0, TO(BACKING_OFF) | TO(IDLE)},
	[SESSION_BACKING_OFF] = {"backing_off", 0, TO(CONNECTING) | TO(IDLE)},
};

static const char *const reason_names[SESSION_REASONS] = {
	[SESSION_REFUSED] = "refused",
	[SESSION_DROPPED] = "dropped",
	[SESSION_NO_DATA] = "no_data",
	[SESSION_SILENT] = "silent",
	[SESSION_NO_PONG] = "no_pong",
	[SESSION_FULL] = "queue_full",
	[SESSION_STOPPED] = "stopped",
};

const char *
session_state_name(enum session_state state)
{
	return states[state].name;
}

const char *
session_reason_name(enum session_reason reason)
{
	return reason_names[reason];
}

enum session_state
session_state(const struct session *s)
{
	return (enum session_state)ch_sm_state(&s->sm);
}

static struct ch_mono
later(struct ch_mono t, int64_t ms)
{
	return (struct ch_mono){t.ns + ms * MS_NS};
}

static int64_t
ms_between(struct ch_mono from, struct ch_mono to)
{
	return (to.ns - from.ns) / MS_NS;
}

static bool
is_open(const struct session *s)
{
	enum session_state state = session_state(s);

	return state == SESSION_SUBSCRIBING || state == SESSION_LIVE;
}

/* Is there an attempt whose SESSION_CLOSED is still to come? */
static bool
is_under_way(const struct session *s)
{
	enum session_state state = session_state(s);

	return state != SESSION_IDLE && state != SESSION_BACKING_OFF;
}

void
session_init(struct session *s, const struct session_limits *limits,
	struct ch_rng *rng)
{
	*s = (struct session){
		.limits = *limits,
		.backoff = {.base_ms = limits->backoff_base_ms,
			.cap_ms = limits->backoff_cap_ms},
		.rng = rng,
		.reason = SESSION_STOPPED,
	};
	ch_sm_init(&s->sm, "session", states, SESSION_STATES, SESSION_IDLE);
}

static unsigned
begin_attempt(struct session *s)
{
	ch_sm_move(&s->sm, SESSION_CONNECTING);
	s->connection++;
	s->has_data = false;
	return SESSION_DO_CONNECT;
}

static unsigned
end_attempt(struct session *s, enum session_state state,
	enum session_reason reason)
{
	ch_sm_move(&s->sm, (int)state);
	s->reason = reason;
	return SESSION_DO_CLOSE;
}

static unsigned
on_start(struct session *s)
{
	if (session_state(s) != SESSION_IDLE || s->stopping)
		return 0;
	return begin_attempt(s);
}

static unsigned
on_opened(struct session *s, struct ch_mono now)
{
	if (session_state(s) != SESSION_CONNECTING)
		return 0;
	ch_sm_move(&s->sm, SESSION_SUBSCRIBING);
	s->frame_at = now;
	s->data_at = now;
	s->ping_at = later(now, s->limits.ping_every_ms);
	return SESSION_DO_SUBSCRIBE;
}

static unsigned
on_data(struct session *s, struct ch_mono now)
{
	if (!is_open(s))
		return 0;
	s->frame_at = now;
	s->data_at = now;
	if (session_state(s) == SESSION_LIVE)
		return 0;
	ch_sm_move(&s->sm, SESSION_LIVE);
	s->has_data = true;
	ch_backoff_reset(&s->backoff);
	return 0;
}

static unsigned
on_other(struct session *s, struct ch_mono now)
{
	if (is_open(s))
		s->frame_at = now;
	return 0;
}

static enum session_reason
reason_of_end(const struct session *s)
{
	if (session_state(s) == SESSION_CONNECTING)
		return SESSION_REFUSED;
	return is_open(s) ? SESSION_DROPPED : s->reason;
}

/* The server's Retry-After is a minimum: our own jitter goes on top, or all
 * its clients would come back in the same second. */
static unsigned
on_closed(struct session *s, const struct session_input *in)
{
	if (!is_under_way(s))
		return 0;
	s->reason = reason_of_end(s);
	if (s->stopping) {
		ch_sm_move(&s->sm, SESSION_IDLE);
		return 0;
	}
	ch_sm_move(&s->sm, SESSION_BACKING_OFF);
	s->retry_at = later(in->now,
		in->retry_after_ms + ch_backoff_next(&s->backoff, s->rng));
	return 0;
}

static unsigned
on_overflow(struct session *s)
{
	if (!is_open(s))
		return 0;
	return end_attempt(s, SESSION_CLOSING, SESSION_FULL);
}

static unsigned
on_stop(struct session *s)
{
	s->stopping = true;
	if (session_state(s) == SESSION_BACKING_OFF)
		ch_sm_move(&s->sm, SESSION_IDLE);
	if (!is_under_way(s) || session_state(s) == SESSION_CLOSING)
		return 0;
	return end_attempt(s, SESSION_CLOSING, SESSION_STOPPED);
}

static unsigned
tick_open(struct session *s, struct ch_mono now)
{
	if (ms_between(s->data_at, now) >= s->limits.stale_after_ms)
		return end_attempt(s, SESSION_STALE,
			s->has_data ? SESSION_SILENT : SESSION_NO_DATA);
	if (ms_between(s->frame_at, now) >= s->limits.pong_within_ms)
		return end_attempt(s, SESSION_STALE, SESSION_NO_PONG);
	if (now.ns < s->ping_at.ns)
		return 0;
	s->ping_at = later(now, s->limits.ping_every_ms);
	return SESSION_DO_PING;
}

static unsigned
tick_backing_off(struct session *s, const struct session_input *in)
{
	if (in->now.ns < s->retry_at.ns)
		return 0;
	if (!in->room) {
		s->retry_at = later(in->now, NO_ROOM_RETRY_MS);
		return 0;
	}
	return begin_attempt(s);
}

static unsigned
on_tick(struct session *s, const struct session_input *in)
{
	if (is_open(s))
		return tick_open(s, in->now);
	if (session_state(s) == SESSION_BACKING_OFF)
		return tick_backing_off(s, in);
	return 0;
}

unsigned
session_step(struct session *s, const struct session_input *in)
{
	switch (in->event) {
	case SESSION_START:
		return on_start(s);
	case SESSION_OPENED:
		return on_opened(s, in->now);
	case SESSION_DATA:
		return on_data(s, in->now);
	case SESSION_OTHER:
		return on_other(s, in->now);
	case SESSION_CLOSED:
		return on_closed(s, in);
	case SESSION_OVERFLOW:
		return on_overflow(s);
	case SESSION_STOP:
		return on_stop(s);
	case SESSION_TICK:
		return on_tick(s, in);
	}
	return 0;
}

static int64_t
earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
session_due_ms(const struct session *s, struct ch_mono now)
{
	int64_t at;

	if (session_state(s) == SESSION_BACKING_OFF) {
		at = s->retry_at.ns;
	} else if (is_open(s)) {
		at = earliest(s->ping_at.ns,
			later(s->data_at, s->limits.stale_after_ms).ns);
		at = earliest(at,
			later(s->frame_at, s->limits.pong_within_ms).ns);
	} else {
		return -1;
	}
	/* rounded up: a tick that comes too early does nothing */
	return at <= now.ns ? 0 : (at - now.ns + MS_NS - 1) / MS_NS;
}
