/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the life of our connection to the feed, as decisions.
 *
 *	idle -> connecting -> subscribing -> live
 *	            |             |           | \__ closing (overflow, stop)
 *	            |             +-- stale --+         |
 *	            +------> backing off <--------------+
 *
 * The feed is silent when it breaks: pings are answered on a socket that will
 * never carry a trade again. So what counts is the age of the last data frame
 * alone, and only a data frame proves a connection good and resets the
 * backoff. A second, shorter watch wants any frame at all (the answer to our
 * pings): it finds a dead peer before the data watch does.
 *
 * Takes events and `now`, returns what to do as SESSION_DO_* bits; the owner
 * does it. After SESSION_DO_CONNECT and SESSION_DO_CLOSE the owner owes one
 * SESSION_CLOSED, sooner or later.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef TRADE_STREAM_SESSION_H
#define TRADE_STREAM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/sm.h"

enum session_state {
	SESSION_IDLE,
	SESSION_CONNECTING,
	SESSION_SUBSCRIBING, /* open and subscribed; no data frame yet */
	SESSION_LIVE,
	SESSION_STALE,	 /* too long without frames: closing */
	SESSION_CLOSING, /* closing for another reason */
	SESSION_BACKING_OFF,
	SESSION_STATES
};

enum session_event {
	SESSION_START,
	SESSION_OPENED,
	SESSION_DATA,  /* a trade row came */
	SESSION_OTHER, /* any other frame came */
	SESSION_CLOSED,
	SESSION_OVERFLOW, /* a watched row found no room in the queue */
	SESSION_STOP,
	SESSION_TICK
};

/* Why the last connection ended. */
enum session_reason {
	SESSION_REFUSED, /* never opened */
	SESSION_DROPPED, /* the peer or the network ended it */
	SESSION_NO_DATA, /* subscribed, and no data frame ever came */
	SESSION_SILENT,	 /* data frames stopped */
	SESSION_NO_PONG, /* no frame of any kind, not even to our pings */
	SESSION_FULL,	 /* the queue to Kafka was full */
	SESSION_STOPPED,
	SESSION_REASONS
};

#define SESSION_DO_CONNECT 1u
#define SESSION_DO_SUBSCRIBE 2u
#define SESSION_DO_PING 4u
#define SESSION_DO_CLOSE 8u

struct session_limits {
	int64_t ping_every_ms;
	int64_t pong_within_ms;
	int64_t stale_after_ms;
	int64_t backoff_base_ms;
	int64_t backoff_cap_ms;
};

struct session_input {
	enum session_event event;
	struct ch_mono now;
	int64_t retry_after_ms; /* SESSION_CLOSED: the server's wish, or 0 */
	bool room; /* SESSION_TICK: may a new connection be filled? */
};

struct session {
	struct ch_sm sm;
	struct session_limits limits;
	struct ch_backoff backoff;
	struct ch_rng *rng;
	enum session_reason reason;
	uint64_t connection; /* number of the attempt, from 1 */
	bool has_data;	     /* a data frame came on this connection */
	bool stopping;
	struct ch_mono ping_at;
	struct ch_mono frame_at; /* last frame, or the opening */
	struct ch_mono data_at;	 /* last data frame, or the opening */
	struct ch_mono retry_at;
};

/* rng is kept; the owner seeds it. */
void session_init(struct session *s, const struct session_limits *limits,
	struct ch_rng *rng);
unsigned session_step(struct session *s, const struct session_input *in);
/* Until the next SESSION_TICK is due, >= 0; -1: none is. */
int64_t session_due_ms(const struct session *s, struct ch_mono now);
enum session_state session_state(const struct session *s);

const char *session_state_name(enum session_state state);
const char *session_reason_name(enum session_reason reason);

#endif
