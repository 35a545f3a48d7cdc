/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one turn = session, read, pump, acknowledge, look around.
 *
 * Nothing here waits for Kafka: what the producer does not take stays in
 * flight; when that reaches its limit, reading stops, and the server is still
 * told that we live. Waits on PostgreSQL are bounded by the connection's call
 * timeout.
 */
#include "loop.h"

#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "intake.h"
#include "partitions.h"
#include "relay.h"
#include "watch.h"

#define IDLE_MS 1000
#define LOOK_MS 1000
#define PUBLISH_MS 100
/* An answer of an endpoint is waited for so long at the end; then its event is
 * sent once more after the next start. */
#define DRAIN_HOOKS_MS 5000

enum {
	WATCH_TAIL,
	WATCH_PROMPT,
	WATCH_BULK,
	WATCH_TRIAL,
	WATCH_SQL,
	WATCH_HOOKS_SQL,
	WATCH_HOOKS
};

/* ---- start and stop ---- */

int
relay_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct relay *r;
	int rc = relay_new(&r, rt, err);

	if (rc != CH_OK)
		return rc;
	session_init(r);
	*state = r;
	return CH_OK;
}

/* ---- acknowledging ---- */

/* The last round of the tables before which nothing waits. */
static void
take_round(struct relay *r)
{
	const char *mark = inflight_position(r->inflight)->mark;
	const char *known = r->progress.snapshot;

	if (r->queue == NULL && mark != NULL &&
		(known == NULL || strcmp(known, mark) != 0))
		progress_snapshot_set(&r->progress, mark);
}

static void
take_position(struct relay *r)
{
	int state = ch_sm_state(&r->state);

	if (state == RELAY_POLLING)
		take_round(r);
	if (state != RELAY_TAILING)
		return;
	session_settle_position(r);
	position_advance(&r->position);
}

/* No further than what is durable (progress.h). */
static void
acknowledge(struct relay *r, bool force)
{
	struct ch_err err = CH_ERR_INIT;

	if (ch_sm_state(&r->state) == RELAY_TAILING &&
		tail_status(r->tail, r->progress.kept_lsn, r->now, r->wall,
			force, &err) != CH_OK)
		session_restart(r, &err);
}

/* How long until progress is written; negative: there is nothing to write. */
static int64_t
save_ms(const struct relay *r)
{
	if (!session_is_leader(r) || r->shards != NULL)
		return -1;
	return position_save_ms(&r->position,
		ch_sm_state(&r->state) == RELAY_TAILING, r->now);
}

/* The save is written while the loop goes on; at most one a second. */
static void
save_progress(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = CH_OK;

	if (!session_is_leader(r) || r->shards != NULL)
		return;
	if (r->progress.in_flight) {
		rc = ch_pg_ready(r->pg, &err);
		if (rc > 0)
			rc = progress_finish(&r->progress, r->pg, &err);
	} else if (save_ms(r) == 0) {
		position_saves(&r->position, r->now);
		rc = progress_send(&r->progress, r->pg, r->inflight, &err);
	}
	if (rc < 0)
		session_lose(r, &err);
}

static void
look_around(struct relay *r)
{
	struct ch_err err = CH_ERR_INIT;
	int rc;

	if (ch_mono_ms_since(r->now, r->published_at) >= PUBLISH_MS) {
		r->published_at = r->now;
		watch_publish(r);
	}
	if (!session_is_leader(r) || r->progress.in_flight ||
		ch_mono_ms_since(r->now, r->looked_at) < LOOK_MS)
		return;
	r->looked_at = r->now;
	rc = park_look(r->park, r->pg, &err);
	if (rc == CH_OK)
		rc = pump_sweep(r, &err);
	if (rc == CH_OK)
		rc = watch_slot(r, &err);
	if (rc == CH_OK)
		rc = source_watch_table(r, &err);
	if (rc == CH_OK)
		rc = partitions_turn(r, &err);
	if (rc != CH_OK)
		session_lose(r, &err);
}

/* ---- the turn ---- */

static void
watch_fds(struct relay *r)
{
	bool tailing = ch_sm_state(&r->state) == RELAY_TAILING;
	short events;
	int fd = hooks_sql_fd(r->hooks, &events);

	ch_runtime_watch_fd(r->rt, WATCH_HOOKS_SQL, fd, events);
	ch_runtime_watch_fd(r->rt, WATCH_HOOKS, hooks_answer_fd(r->hooks),
		POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_TAIL,
		tailing && intake_may_read(r) && r->read_at.ns <= r->now.ns
			? tail_fd(r->tail)
			: -1,
		POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_PROMPT,
		sink_kafka_fd(r->sink, LANE_PROMPT), POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_BULK,
		sink_kafka_fd(r->sink, LANE_BULK), POLLIN);
	ch_runtime_watch_fd(r->rt, WATCH_TRIAL, sink_kafka_trial_fd(r->sink),
		POLLIN);
	/* also unasked: PostgreSQL says so when it ends the session */
	ch_runtime_watch_fd(r->rt, WATCH_SQL,
		session_is_leader(r) ? ch_pg_fd(r->pg) : -1,
		r->progress.in_flight ? ch_pg_poll_events(r->pg) : POLLIN);
}

static void
earlier(int64_t *ms, int64_t other)
{
	if (other >= 0 && other < *ms)
		*ms = other;
}

/* Nothing, when the time has come. */
static void
until_then(const struct relay *r, int64_t *ms, struct ch_mono then)
{
	if (then.ns > r->now.ns)
		earlier(ms, (then.ns - r->now.ns + 999999) / 1000000);
}

static int
sleep_ms(const struct relay *r)
{
	int64_t ms = IDLE_MS;

	earlier(&ms, sink_kafka_next_ms(r->sink, r->now));
	earlier(&ms, hooks_next_ms(r->hooks, r->now));
	until_then(r, &ms, r->retry_at);
	until_then(r, &ms, r->wake_at);
	until_then(r, &ms, r->delete_at);
	until_then(r, &ms, r->park_at);
	until_then(r, &ms, r->waiting_at);
	until_then(r, &ms, r->horizon.look_at);
	if (r->shards != NULL)
		earlier(&ms, POLL_BALANCE_MS);
	if (ch_sm_state(&r->state) == RELAY_POLLING) {
		ms = ms < r->poll_ms ? ms : r->poll_ms;
		until_then(r, &ms, r->poll_at);
		if (intake_polls_now(r))
			ms = 0;
	}
	if (ch_sm_state(&r->state) == RELAY_SCANNING && r->scan_done &&
		!r->draining)
		ms = 0;
	earlier(&ms, save_ms(r));
	return (int)ms;
}

/* The pauses of rhythm.h are shorter than a millisecond. */
static void
wake_in_time(const struct relay *r, struct ch_mono then)
{
	if (then.ns > r->now.ns)
		ch_runtime_wake_at(r->rt, then);
}

/* What it has made durable may let the position move. */
static void
turn_hooks(struct relay *r)
{
	if (r->hooks == NULL)
		return;
	hooks_turn(r->hooks, r->may_send && session_is_leader(r), r->draining,
		r->now, r->wall);
	inflight_advance(r->inflight);
}

static bool
hooks_drained(const struct relay *r)
{
	return hooks_is_idle(r->hooks) ||
		ch_mono_ms_since(r->now, r->drain_since) >= DRAIN_HOOKS_MS;
}

int
relay_step(void *state, struct ch_err *err)
{
	struct relay *r = state;
	struct ch_err trouble = CH_ERR_INIT;
	int before;
	bool more;

	r->now = ch_clock_mono(r->rt->clock);
	r->wall = ch_clock_wall(r->rt->clock);
	before = ch_sm_state(&r->state);
	session_turn(r);
	more = intake_turn(r);
	if (pump_turn(r, &trouble) != CH_OK)
		session_lose(r, &trouble);
	turn_hooks(r);
	poll_delete(r);
	take_position(r);
	save_progress(r);
	acknowledge(r, false);
	look_around(r);
	watch_fds(r);
	if (r->fatal.code != CH_OK && pump_is_idle(r)) {
		*err = r->fatal;
		err->code = CH_ECONFIG; /* a restart would not help */
		return CH_ECONFIG;
	}
	if (more || r->more || before != ch_sm_state(&r->state))
		return 0;
	wake_in_time(r, r->read_at);
	wake_in_time(r, pump_send_at(r));
	return sleep_ms(r);
}

/* For a topic that takes nothing, for the next attempt of a key, or for letters
 * that are locked: nobody knows how long, and the rows are read again. */
static bool
only_waits(const struct relay *r)
{
	bool locked = r->park_at.ns != 0;

	return (r->told_open || retry_held(r->retry) > 0 || locked) &&
		sink_kafka_pending(r->sink) == 0 &&
		inflight_next(r->inflight) == NULL &&
		(park_queued(r->park) == 0 || locked);
}

bool
relay_drain(void *state)
{
	struct relay *r = state;

	if (!r->draining) {
		ch_info("relay.drain",
			CH_U("events", inflight_events(r->inflight)));
		r->drain_since = r->now;
	}
	r->draining = true;
	inflight_abandon(r->inflight);
	/* without a leader's connections nothing can be acknowledged */
	if (!session_is_leader(r))
		return true;
	return (inflight_is_empty(r->inflight) || only_waits(r) ||
		       !sink_kafka_reachable(r->sink)) &&
		hooks_drained(r);
}

void
relay_stop(void *state)
{
	struct relay *r = state;
	struct ch_err err = CH_ERR_INIT;

	inflight_advance(r->inflight);
	poll_delete(r);
	take_position(r);
	if (session_is_leader(r) && r->shards == NULL &&
		progress_save(&r->progress, r->pg, r->inflight, &err) != CH_OK)
		ch_warn("relay.save", CH_ERR(&err));
	acknowledge(r, true);
	session_close(r);
	sink_kafka_drop(r->sink);
	relay_free(r);
}

bool
relay_ready(void *state, struct ch_buf *verbose)
{
	return watch_ready(state, verbose);
}
