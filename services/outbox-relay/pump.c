/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump: one pass over what is in flight.
 *
 *	reports -> topics -> send in order -> park -> advance
 *
 * Invariants: a row is sent only while the lock is ours (asked once a turn):
 * another leader may have put it aside, and an operator discarded it. And only
 * when every row before it of its key was sent or put aside first. A refusal
 * stops all sending until nothing is in flight (the sink settles); then sending
 * starts again at the first undelivered row, and a suspect goes alone, so that
 * what is refused then is refused for itself. Its key is held meanwhile
 * (retry.h): each of its rows goes alone, so that none is in flight beside
 * another. An outage refuses nothing: rows stay where they are.
 */
#include <stdlib.h>

#include "base/digest.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "letter.h"
#include "relay.h"

#define SEND_MAX 2000 /* rows between two looks at reports */
/* While five records of a partition are unacknowledged, librdkafka (2.14,
 * idempotent) sends no more of it, and if it was given more, its thread asks
 * poll() without a pause: a whole CPU until the acknowledgement. So the next
 * rows wait here, and go as one batch; but a broker that is slow holds back the
 * others no longer than HOLD_MS. Single rows are spread over partitions. */
#define UNACKNOWLEDGED_BULK 5
#define UNACKNOWLEDGED_SINGLE 16
#define HOLD_MS 500
#define PARK_AGAIN_MS 1000

static struct relay_series *
series_of(struct relay *r, const struct route_topic *topic)
{
	struct relay_series *s;
	int n = topic->number;

	if (n >= r->series_count) {
		r->series = ch_xrealloc(r->series, (size_t)n + 1,
			sizeof(*r->series));
		memset(&r->series[r->series_count], 0,
			(size_t)(n + 1 - r->series_count) * sizeof(*r->series));
		r->series_count = n + 1;
	}
	s = &r->series[n];
	if (s->label == NULL) {
		s->label = topic->label;
		s->produced = ch_metrics_series(r->rt->metrics, RELAY_PRODUCED,
			s->label);
		s->delivered = ch_metrics_series(r->rt->metrics,
			RELAY_DELIVERED, s->label);
		s->open = ch_metrics_series(r->rt->metrics, RELAY_BREAKER,
			s->label);
	}
	return s;
}

static void
wake_at(struct relay *r, struct ch_mono then)
{
	if (r->wake_at.ns == 0 || then.ns < r->wake_at.ns)
		r->wake_at = then;
}

static const char *
class_of(const struct sink_report *rep)
{
	return rep->failure == FAILURE_PERMANENT
		? "topic"
		: letter_class(ch_view_of(rep->code)).ptr;
}

static void
give_up(struct relay *r, struct event *e, const struct sink_report *rep)
{
	retry_free_key(r->retry, e);
	if (rep->failure == FAILURE_PERMANENT)
		sink_kafka_gave_up(r->sink, e->topic);
	park_refuse(r->park, e, class_of(rep), rep->text);
}

static void
refused(struct relay *r, struct event *e, const struct sink_report *rep)
{
	struct retry_decision d = retry_decide(rep->failure, e->attempts,
		e->topic->attempts, rep->alone);

	if (d.spent && e->attempts < UINT16_MAX)
		e->attempts++;
	ch_metric_add(r->rt->metrics, RELAY_REFUSED, d.spent);
	if (rep->alone) /* others are sent again when the sink has settled */
		e->state = EVENT_WAITING;
	switch (d.verdict) {
	case RETRY_PARK:
		give_up(r, e, rep);
		break;
	case RETRY_LATER:
		retry_hold(r->retry, e);
		wake_at(r, retry_pause(r->retry, e, &r->rng, r->now));
		break;
	case RETRY_TRIAL:
		retry_hold(r->retry, e);
		break;
	case RETRY_AGAIN:
		break;
	}
}

/* How many rows of its key, and now and then of another, have no report yet. */
static uint32_t *
in_hand(struct relay *r, const struct event *e)
{
	struct ch_view key = event_key(e);
	uint64_t place =
		ch_hash64(key.ptr, key.len) + (uint64_t)e->topic->number;

	return &r->in_hand[place % RELAY_IN_HAND];
}

void
pump_reported(void *ctx, struct event *e, const struct sink_report *rep)
{
	struct relay *r = ctx;

	--*in_hand(r, e);
	if (rep->failure != FAILURE_NONE) {
		refused(r, e, rep);
		return;
	}
	retry_free_key(r->retry, e);
	ch_series_add(series_of(r, e->topic)->delivered, 1);
	if (e->source == EVENT_RETRY)
		park_delivered(r->park, e);
	else
		ch_series_observe(r->latency, r->wall.us - event_time(e).us);
	inflight_done(r->inflight, e);
}

/* It was put aside before, and is read again. Another event of the same id, of
 * an application that numbers anew, is none of that. */
static bool
was_put_aside(struct relay *r, const struct event *e)
{
	struct ch_view origin = event_origin(e);
	char id[EVENT_ID_MAX];
	bool same;

	if (e->source == EVENT_RETRY || retry_remembered(r->retry) == 0)
		return false;
	event_id(e, id);
	if (!retry_knows(r->retry, origin, ch_view_of(id)))
		return false;
	same = retry_remembers(r->retry, origin, ch_view_of(id),
		event_content(e));
	r->passed += same;
	r->reused += !same;
	(void)ch_view_copy(ch_view_of(id), same ? r->passed_id : r->reused_id,
		EVENT_ID_MAX);
	return same;
}

/* Once a turn: they may be many. */
static void
tell_put_aside(struct relay *r)
{
	if (r->passed > 0)
		ch_warn("relay.passed_over", CH_U("rows", r->passed),
			CH_S("last", r->passed_id),
			CH_S("why", "put aside before: see dlq list"));
	if (r->reused > 0)
		ch_warn("relay.id_reused", CH_U("rows", r->reused),
			CH_S("last", r->reused_id),
			CH_S("why",
				"a dead letter has this id and another key or "
				"value: sent as another event"));
	ch_metric_add(r->rt->metrics, RELAY_PASSED, r->passed);
	r->passed = r->reused = 0;
}

/* It leaves without the trial that it may have been chosen for. */
static void
give_up_trial(struct relay *r, struct event *e)
{
	if (e->topic == NULL || retry_held(r->retry) == 0)
		return;
	retry_free_key(r->retry, e);
	topics_look_again(sink_kafka_topics(r->sink), e->topic);
}

/* By another letter than the one it waited behind. */
static bool
is_blocked(const struct relay *r, const struct event *e, struct ch_uuid *letter)
{
	return retry_is_blocked(r->retry, e->topic->number, event_key(e),
		       letter) &&
		(e->source != EVENT_RETRY ||
			memcmp(event_field(e, WAITED_LETTER).ptr, letter->bytes,
				sizeof(letter->bytes)) != 0);
}

/* true: it may be sent. Else it is done, or to be put aside. */
static bool
admit(struct relay *r, struct event *e)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_uuid letter;

	hooks_take(r->hooks, e);
	if (e->topic == NULL)
		e->topic = route_find(r->routes, e, &err);
	if (was_put_aside(r, e)) {
		give_up_trial(r, e);
		inflight_done(r->inflight, e);
		return false;
	}
	if (e->topic == NULL) {
		park_refuse(r->park, e,
			err.code == CH_EFULL ? "too_many_topics"
					     : "invalid_topic",
			err.text);
		return false;
	}
	if (is_blocked(r, e, &letter)) {
		give_up_trial(r, e);
		park_wait(r->park, e, &letter);
		return false;
	}
	return true;
}

static const char *
refusal_class(enum ch_code code)
{
	switch ((int)code) {
	case CH_EKAFKA:
		return "topic";
	case CH_ERANGE:
		return LETTER_TOO_LARGE;
	case CH_ENOTFOUND:
		return "unknown_topic";
	default:
		return "invalid";
	}
}

static bool
blocks_key(const struct event *e)
{
	return e->topic->policy == ROUTE_BLOCK && event_key(e).ptr != NULL;
}

/* Refused without Kafka. What blocks its key is put aside only when all of the
 * key before it is delivered: what must be sent again would wait behind it.
 * false: not yet. */
static bool
refused_here(struct relay *r, struct event *e, const char *class,
	const char *reason)
{
	if (blocks_key(e) && *in_hand(r, e) > 0)
		return false;
	give_up_trial(r, e);
	park_refuse(r->park, e, class, reason);
	return true;
}

/* The sink, which says of others when they must wait, is not asked: one of its key
 * before it may wait, or be sent again. */
static bool
unreadable(struct relay *r, struct event *e, const char *why)
{
	if (!blocks_key(e) || *in_hand(r, e) > 0 ||
		!inflight_has_before(r->inflight, e))
		return refused_here(r, e, "unreadable_headers", why);
	e->state = EVENT_WAITING;
	return true;
}

static void
handed(struct relay *r, struct event *e, enum event_state state)
{
	++*in_hand(r, e);
	e->state = (uint8_t)state;
	ch_series_add(series_of(r, e->topic)->produced, 1);
}

/* false: nothing more can be sent in this turn. */
static bool
hand_over(struct relay *r, struct event *e, bool held)
{
	struct ch_err err = CH_ERR_INIT;
	struct message m;

	ch_arena_reset(&r->arena, 65536);
	if (message_of(e, &r->arena, &m, &err) != CH_OK)
		return unreadable(r, e, err.text);
	switch (sink_kafka_send(r->sink, e, &m, held, &err)) {
	case SINK_TRIED:
		handed(r, e, EVENT_TRIED);
		return true;
	case SINK_SENT:
		handed(r, e, EVENT_SENT);
		return true;
	case SINK_WAIT:
		e->state = EVENT_WAITING;
		return true;
	case SINK_REFUSED:
		return refused_here(r, e, refusal_class(err.code), err.text);
	case SINK_FULL:
	case SINK_SETTLING:
		break;
	}
	return false;
}

static bool
send_one(struct relay *r, struct event *e)
{
	struct ch_mono until = {0};
	bool held =
		retry_held(r->retry) > 0 && retry_is_held(r->retry, e, &until);

	if (until.ns <= r->now.ns)
		return hand_over(r, e, held);
	e->state = EVENT_WAITING;
	wake_at(r, until);
	return true;
}

/* Rows are gathered until their time, or until those before them are
 * acknowledged. */
struct ch_mono
pump_send_at(const struct relay *r)
{
	size_t most = rhythm_is_bulk(&r->rhythm) ? UNACKNOWLEDGED_BULK
						 : UNACKNOWLEDGED_SINGLE;

	if (sink_kafka_pending(r->sink) < most)
		return r->send_at;
	return (struct ch_mono){r->sent_at.ns + HOLD_MS * INT64_C(1000000)};
}

/* What was cut off for fairness goes on. */
static bool
gathers(const struct relay *r)
{
	return !r->draining && !r->more && pump_send_at(r).ns > r->now.ns;
}

static void
send_rows(struct relay *r)
{
	struct event *e;
	int n;

	if (gathers(r))
		return;
	r->more = false;
	if (inflight_next(r->inflight) == NULL || !r->may_send ||
		!sink_kafka_want(r->sink,
			rhythm_is_bulk(&r->rhythm) ? LANE_BULK : LANE_PROMPT))
		return;
	for (n = 0; n < SEND_MAX; n++) {
		e = inflight_next(r->inflight);
		if (e == NULL)
			break;
		if (admit(r, e) && !send_one(r, e))
			break;
	}
	tell_put_aside(r);
	r->more = n == SEND_MAX;
	if (n == 0)
		return;
	r->sent_at = r->now;
	r->send_at.ns = r->now.ns + rhythm_pause(&r->rhythm).send_ns;
	CH_FAILPOINT("relay.after_produce");
}

/* Of rows that wait for a topic which flows. */
static bool
may_go(void *ctx, struct event *e)
{
	struct relay *r = ctx;
	struct ch_mono until = {0};

	if (!topics_is_due(sink_kafka_topics(r->sink), e))
		return false;
	if (retry_held(r->retry) == 0 || !retry_is_held(r->retry, e, &until))
		return true;
	if (until.ns <= r->now.ns)
		return topics_choose(sink_kafka_topics(r->sink), e);
	wake_at(r, until);
	return false;
}

static void
wake_suspects(struct relay *r)
{
	if (r->wake_at.ns != 0 && r->wake_at.ns <= r->now.ns) {
		r->wake_at.ns = 0;
		topics_look_at_all(sink_kafka_topics(r->sink));
	}
	if (!sink_kafka_topics(r->sink)->any_due)
		return;
	inflight_wake_if(r->inflight, may_go, r);
	topics_chosen(sink_kafka_topics(r->sink));
}

static void
serve_sink(struct relay *r)
{
	switch (sink_kafka_turn(r->sink, r->now)) {
	case SINK_SETTLED:
		ch_info("relay.resend",
			CH_U("events", inflight_events(r->inflight)));
		ch_metric_add(r->rt->metrics, RELAY_REBUILT, 1);
		inflight_rewind(r->inflight);
		break;
	case SINK_TOPICS:
		inflight_wake(r->inflight);
		break;
	case SINK_QUIET:
		break;
	}
	wake_suspects(r);
}

/* rc of a look at the rows that wait. Others than these and their keys go on. */
static int
waiting_looked(struct relay *r, int rc, const struct ch_err *why)
{
	if (rc == CH_OK || !ch_pg_lock_not_had(why)) {
		r->waiting_at.ns = 0;
		return rc;
	}
	if (r->waiting_at.ns == 0)
		ch_warn("relay.waiting_locked", CH_ERR(why),
			CH_I("again_ms", PARK_AGAIN_MS));
	r->waiting_at.ns = r->now.ns + PARK_AGAIN_MS * INT64_C(1000000);
	return CH_OK;
}

int
pump_sweep(struct relay *r, struct ch_err *err)
{
	if (park_is_swept(r->park) || r->waiting_at.ns > r->now.ns)
		return CH_OK;
	return waiting_looked(r, park_sweep(r->park, r->pg, err), err);
}

/* Rows of released keys are read back while nothing else is to be sent: nothing
 * of a transaction that is half read is, however long it takes. */
static int
release_keys(struct relay *r, struct ch_err *err)
{
	int rc;

	if (!park_wants_release(r->park) || r->draining || r->park_at.ns != 0 ||
		r->waiting_at.ns > r->now.ns) {
		r->unreleased.ns = 0; /* what is locked makes no moment */
		return CH_OK;
	}
	if (park_queued(r->park) > 0 || inflight_next(r->inflight) != NULL ||
		inflight_whole_bytes(r->inflight) >=
			(size_t)r->inflight_bytes) {
		if (r->unreleased.ns == 0)
			r->unreleased = r->now;
		return CH_OK;
	}
	r->unreleased.ns = 0;
	rc = progress_settle(&r->progress, r->pg, err);
	if (rc != CH_OK)
		return rc;
	inflight_interrupt(r->inflight);
	rc = park_release(r->park, r->pg, r->inflight, r->wall, err);
	rc = waiting_looked(r, rc, err);
	inflight_resume(r->inflight);
	r->more |=
		inflight_next(r->inflight) != NULL; /* nothing else wakes us */
	return rc;
}

/* Others than these rows and their keys go on. */
static void
write_later(struct relay *r, const struct ch_err *why)
{
	if (r->park_at.ns == 0)
		ch_warn("relay.letters_locked", CH_ERR(why),
			CH_U("rows", park_queued(r->park)),
			CH_I("again_ms", PARK_AGAIN_MS));
	r->park_at.ns = r->now.ns + PARK_AGAIN_MS * INT64_C(1000000);
}

/* Without an answer it may be written: a row that waits must not be once more. */
static int
write_parked(struct relay *r, struct ch_err *err)
{
	int rc = progress_settle(&r->progress, r->pg, err);

	if (rc != CH_OK)
		return rc;
	rc = park_write(r->park, r->pg, r->inflight, err);
	if (rc != CH_OK && ch_pg_lock_not_had(err)) {
		write_later(r, err);
		return CH_OK;
	}
	r->park_at.ns = 0;
	r->unsure = rc != CH_OK && rc != CH_ESQL;
	return rc;
}

static bool
writes_now(const struct relay *r)
{
	return session_is_leader(r) && park_queued(r->park) > 0 &&
		r->park_at.ns <= r->now.ns;
}

int
pump_turn(struct relay *r, struct ch_err *err)
{
	int rc = CH_OK;

	serve_sink(r);
	r->may_send = session_may_send(r);
	send_rows(r);
	while (rc == CH_OK && writes_now(r))
		rc = write_parked(r, err);
	if (rc == CH_OK && session_is_leader(r))
		rc = release_keys(r, err);
	inflight_advance(r->inflight);
	return rc;
}

bool
pump_is_idle(const struct relay *r)
{
	return inflight_is_empty(r->inflight) && park_queued(r->park) == 0;
}

void
pump_drop(struct relay *r)
{
	sink_kafka_drop(r->sink);
	memset(r->in_hand, 0, sizeof(r->in_hand));
	hooks_drop(r->hooks);
	park_clear(r->park);
	inflight_clear(r->inflight);
	r->rounds = r->unsure = false;
	position_drop(&r->position);
	r->wake_at.ns = r->park_at.ns = r->waiting_at.ns = 0;
	if (r->queue != NULL)
		queue_clear(r->queue);
}
