/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_kafka: the producers, the topics, and the settlement.
 *
 * A message for a partition that its topic does not have goes by its key: the
 * number is then wrong, but the record is not lost.
 */
#include "sink_kafka.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/kafka_topic.h"
#include "settlement.h"
#include "trial.h"

#define ASK_TIMEOUT_MS 1000
#define STATISTICS_MS 500 /* the first tells that a broker is there */
/* The loop was away for so long: nobody's silence is counted. */
#define GAP_MS 1000

struct sink_kafka {
	struct lanes *lanes;
	struct sink_options opt;
	struct topics topics;
	struct trial *trial;
	struct ch_rng rng;
	struct settlement settlement;
	bool dropping;
	bool changed; /* a topic can be sent to, or not */
	struct ch_mono now;
	bool away;
	struct ch_mono away_since;
	struct ch_kafka_header *headers;
	size_t header_room;
};

/* Its next trial may be any key's: nothing of it stays in the client's hands,
 * where a trial would overtake it. */
static void
opened(struct sink_kafka *s, const struct topic *t)
{
	ch_warn("sink.breaker_open", CH_S("topic", t->route->name),
		CH_S("class", failure_name(t->target.cause)),
		CH_S("reason", t->target.why));
	settlement_begin(&s->settlement, s->now);
}

/* was: before the report. */
static void
tell_closed(const struct topic *t, bool was)
{
	if (was && !target_is_open(&t->target))
		ch_info("sink.breaker_closed", CH_S("topic", t->route->name));
}

static enum failure
failure_of(const struct sink_kafka *s, struct topic *t,
	const struct ch_kafka_delivery *d)
{
	return target_patience(&t->target, failure_of_kafka(d->code, d->class),
		s->opt.denied_wait_ms, s->now);
}

/* A purge says nothing about a topic. */
static enum failure
failure_of_topic(enum failure f, const struct ch_kafka_delivery *d)
{
	return d->class == CH_KAFKA_FATAL ? FAILURE_TRANSIENT : f;
}

static void
forget_missing(struct topic *t, const struct ch_kafka_delivery *d)
{
	if (d->class == CH_KAFKA_TOPIC)
		presence_doubt(&t->presence);
}

static void
delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct sink_kafka *s = ctx;
	struct event *e = opaque;
	struct topic *t;
	enum failure f;
	bool was;

	if (s->dropping)
		return;
	t = topics_of(&s->topics, e->topic);
	f = failure_of(s, t, d);
	was = target_is_open(&t->target);
	settlement_heard(&s->settlement, d->class == CH_KAFKA_OK, s->now);
	if (target_reported(&t->target, failure_of_topic(f, d), d->name,
		    d->text, s->now))
		opened(s, t);
	tell_closed(t, was);
	forget_missing(t, d);
	s->opt.reported(s->opt.ctx, e,
		&(struct sink_report){false, f, d->name, d->text});
}

static void
judged(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct sink_kafka *s = ctx;
	struct event *e = opaque;
	struct topic *t;
	enum failure f;
	bool was;

	if (s->dropping)
		return;
	t = topics_of(&s->topics, e->topic);
	f = failure_of(s, t, d);
	was = target_is_open(&t->target);
	f = target_judged(&t->target, f, d->name, d->text, s->now);
	if (!was && target_is_open(&t->target))
		opened(s, t);
	tell_closed(t, was);
	forget_missing(t, d);
	if (t->presence.partitions == PRESENCE_UNTOLD)
		presence_doubt(&t->presence);
	if (was || target_is_open(&t->target))
		s->changed = true;
	else
		topics_let_try(&s->topics, t);
	s->opt.reported(s->opt.ctx, e,
		&(struct sink_report){true, f, d->name, d->text});
}

static void
open_trial(struct sink_kafka *s)
{
	s->trial = trial_new(&(struct trial_options){.conf = s->opt.conf,
		.client_id = s->opt.client_id,
		.message_max_bytes = s->opt.message_max_bytes,
		.reported = judged,
		.ctx = s});
}

struct sink_kafka *
sink_kafka_open(const struct sink_options *opt, struct ch_err *err)
{
	struct sink_kafka *s = ch_xcalloc(1, sizeof(*s));
	struct ch_kafka_producer_params params = {
		.conf = opt->conf,
		.client_id = opt->client_id,
		.linger_ms = opt->linger_ms,
		.max_queued_messages = 200000,
		.max_queued_kbytes = opt->queue_kbytes,
		.message_max_bytes = opt->message_max_bytes,
		.statistics_ms = STATISTICS_MS,
		.delivered = delivered,
		.ctx = s,
	};

	s->opt = *opt;
	settlement_init(&s->settlement);
	ch_rng_seed_system(&s->rng);
	topics_init(&s->topics);
	s->lanes = lanes_open(&params, err);
	if (s->lanes == NULL) {
		free(s);
		return NULL;
	}
	open_trial(s);
	return s;
}

void
sink_kafka_close(struct sink_kafka *s, int deadline_ms)
{
	if (s == NULL)
		return;
	lanes_close(s->lanes, deadline_ms);
	trial_free(s->trial);
	topics_free(&s->topics);
	free(s->headers);
	free(s);
}

static const struct ch_kafka_header *
headers_of(struct sink_kafka *s, const struct message *m)
{
	size_t i;

	if (m->header_count > s->header_room) {
		s->header_room = m->header_count + 8;
		s->headers = ch_xrealloc(s->headers, s->header_room,
			sizeof(*s->headers));
	}
	for (i = 0; i < m->header_count; i++)
		s->headers[i] = (struct ch_kafka_header){
			m->headers[i].name, m->headers[i].value};
	return s->headers;
}

static int32_t
partition_of(struct topic *t, const struct message *m)
{
	if (m->part < 0 && !m->placed)
		return CH_KAFKA_BY_KEY;
	if (m->part >= 0 && presence_has(&t->presence, m->part))
		return m->part;
	if (!t->told_partition)
		ch_warn("sink.partition_missing", CH_S("topic", t->route->name),
			CH_I("part", m->part),
			CH_I("partitions", t->presence.partitions));
	t->told_partition = true;
	return CH_KAFKA_BY_KEY;
}

static enum sink_verdict
verdict_of(struct sink_kafka *s, struct topic *t, int rc)
{
	switch (rc) {
	case CH_OK:
		return SINK_SENT;
	case CH_ERANGE:
	case CH_EINVAL:
		return SINK_REFUSED;
	case CH_ENOTFOUND:
		presence_doubt(&t->presence);
		presence_want(&t->presence);
		return SINK_WAIT;
	case CH_ECLOSED:
		settlement_begin(&s->settlement, s->now);
		return SINK_SETTLING;
	default: /* CH_EFULL, CH_EKAFKA: neither is the record's fault */
		return SINK_FULL;
	}
}

/* What is known of the topic itself; SINK_SENT: nothing against it. */
static enum sink_verdict
ask_topic(struct sink_kafka *s, struct topic *t, const struct event *e,
	const struct message *m, struct ch_err *err)
{
	if (e->source == EVENT_RETRY) { /* an operator released it */
		target_hope(&t->target, s->now);
		presence_hope(&t->presence, s->now);
	}
	if (t->presence.state == PRESENCE_KNOWN &&
		(m->part < 0 || presence_has(&t->presence, m->part) ||
			!presence_recount(&t->presence, s->now)))
		return SINK_SENT;
	presence_want(&t->presence);
	if (t->presence.state == PRESENCE_UNKNOWN)
		return SINK_WAIT;
	ch_err_set(err, CH_ENOTFOUND,
		"topic %s does not exist: "
		"create it, then replay",
		t->route->name);
	return SINK_REFUSED;
}

static enum sink_verdict
try_alone(struct sink_kafka *s, struct topic *t,
	const struct ch_kafka_message *out, struct ch_err *err)
{
	bool was = target_is_open(&t->target);
	int rc = trial_send(s->trial, out, s->now, err);

	/* a client that was once refused a topic does not ask for it again */
	if (rc == CH_ENOTFOUND && trial_pending(s->trial) == 0)
		trial_drop(s->trial);
	if (rc == CH_ERANGE || rc == CH_EINVAL || rc == CH_ENOTFOUND)
		return verdict_of(s, t, rc);
	target_tried(&t->target, s->now);
	if (rc == CH_OK)
		return SINK_TRIED;
	/* it could not even be handed out: a trial that came to nothing */
	(void)target_judged(&t->target, FAILURE_QUOTA, "not_sent", err->text,
		s->now);
	if (!was)
		opened(s, t);
	t->target.waiting = true;
	return SINK_WAIT;
}

static enum sink_verdict
send_with_others(struct sink_kafka *s, struct topic *t,
	const struct ch_kafka_message *out, struct ch_err *err)
{
	enum sink_verdict v = verdict_of(s, t,
		ch_kafka_producer_send(lanes_now(s->lanes), out, err));

	if (v == SINK_SENT)
		target_sent(&t->target, s->now);
	return v;
}

static bool
is_throttled(const struct sink_kafka *s)
{
	return ch_kafka_producer_throttled(lanes_now(s->lanes)).ns > s->now.ns;
}

enum sink_verdict
sink_kafka_send(struct sink_kafka *s, struct event *e, const struct message *m,
	bool suspect, struct ch_err *err)
{
	struct topic *t = topics_of(&s->topics, e->topic);
	struct ch_kafka_message out = {
		.topic = e->topic->name,
		.key = m->key,
		.value = m->value,
		.headers = headers_of(s, m),
		.header_count = m->header_count,
		.opaque = e,
	};
	enum sink_verdict v;

	if (settlement_is_on(&s->settlement))
		return SINK_SETTLING;
	v = ask_topic(s, t, e, m, err);
	if (v != SINK_SENT)
		return v;
	if (is_throttled(s))
		return SINK_FULL;
	out.partition = partition_of(t, m);
	if (suspect && t->due)
		return SINK_WAIT;
	switch (target_ask(&t->target, suspect, s->now)) {
	case TARGET_TRY:
		return try_alone(s, t, &out, err);
	case TARGET_WAIT:
		return SINK_WAIT;
	case TARGET_REFUSES:
		ch_err_set(err, CH_EKAFKA, "%s", t->target.why);
		return SINK_REFUSED;
	case TARGET_SEND:
		break;
	}
	return send_with_others(s, t, &out, err);
}

void
sink_kafka_gave_up(struct sink_kafka *s, const struct route_topic *route)
{
	target_refuse(&topics_of(&s->topics, route)->target);
}

static bool
answered(struct sink_kafka *s, struct topic *t, const struct ch_kafka_topic *is)
{
	if (is->exists)
		lanes_expect(s->lanes, t->route->name);
	return presence_answer(&t->presence, is, t->route->name,
		s->opt.topic_wait_ms, s->now);
}

/* Not to be told is a right that is missing, as not to write: its breaker says
 * so, and its trials find out when it comes back. */
static void
denied(struct sink_kafka *s, struct topic *t, const struct ch_err *err)
{
	presence_denied(&t->presence, s->now);
	if (target_denied(&t->target, "TOPIC_AUTHORIZATION_FAILED", err->text,
		    s->now))
		opened(s, t);
}

/* false: the brokers are away. *changed: its rows can move now. */
static bool
ask_one(struct sink_kafka *s, struct topic *t, bool *changed)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_kafka_topic is;
	int rc = ch_kafka_topic_partitions(
		ch_kafka_producer_raw(lanes_now(s->lanes)), t->route->name,
		ASK_TIMEOUT_MS, &is, &err);

	if (rc == CH_OK) {
		*changed |= answered(s, t, &is);
		return true;
	}
	ch_debug("sink.ask", CH_S("topic", t->route->name), CH_ERR(&err));
	if (is.denied) {
		denied(s, t, &err);
		*changed = true;
		return true;
	}
	presence_silence(&t->presence, s->now);
	return false;
}

/* Each question waits for its answer: slow ones, one after another, must not
 * keep the loop from its other work. */
static bool
has_asked_long(struct ch_mono since)
{
	return ch_mono_ms_since(ch_clock_mono(&ch_clock_real), since) >=
		ASK_TIMEOUT_MS;
}

static bool
ask_topics(struct sink_kafka *s)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	struct topic *t = NULL;
	bool changed = false;

	if (ch_kafka_producer_raw(lanes_now(s->lanes)) == NULL)
		return false; /* it could not be opened again yet */
	while ((t = topics_next(&s->topics, t)) != NULL &&
		!has_asked_long(began))
		if (presence_is_due(&t->presence, s->now) &&
			!ask_one(s, t, &changed))
			break;
	return changed;
}

/* ---- the turn ---- */

static void
rebuild(struct sink_kafka *s, const struct ch_err *why)
{
	struct ch_err err = CH_ERR_INIT;

	ch_error("sink.rebuild", CH_ERR(why),
		CH_U("pending",
			ch_kafka_producer_pending(lanes_now(s->lanes))));
	if (ch_kafka_producer_reopen(lanes_now(s->lanes), &err) != CH_OK)
		ch_error("sink.reopen", CH_ERR(&err));
	s->away = false; /* not known of the new one */
	settlement_rebuilt(&s->settlement, &s->rng, s->now);
}

/* What ends a settlement that does not end by itself. */
static void
serve_client(struct sink_kafka *s)
{
	struct ch_err err = CH_ERR_INIT;
	bool failed = ch_kafka_producer_fatal(lanes_now(s->lanes), &err);

	switch (settlement_needs(&s->settlement, failed, s->away, s->now)) {
	case SETTLEMENT_NOTHING:
		break;
	case SETTLEMENT_FAILED:
		rebuild(s, &err);
		break;
	case SETTLEMENT_SILENT:
		ch_err_set(&err, CH_ETIMEOUT,
			"records in hand were not reported for %d ms",
			SETTLEMENT_SILENT_MS);
		rebuild(s, &err);
		break;
	}
}

/* Silence counts while a broker could have spoken, and we have listened. */
static void
look_for_silence(struct sink_kafka *s, struct ch_mono before)
{
	bool excused = s->away || is_throttled(s) ||
		ch_mono_ms_since(s->now, before) >= GAP_MS;
	struct topic *t = NULL;

	while ((t = topics_next(&s->topics, t)) != NULL) {
		if (t->target.in_hand == 0)
			continue;
		if (excused) {
			t->target.moved = s->now;
		} else if (target_open_stuck(&t->target, s->opt.outage_ms,
				   s->now)) {
			opened(s, t);
		}
	}
}

static void
look_for_brokers(struct sink_kafka *s)
{
	bool away = !ch_kafka_producer_reachable(lanes_now(s->lanes));

	if (away && !s->away)
		s->away_since = s->now;
	s->away = away;
}

static bool
ends(struct sink_kafka *s)
{
	struct ch_err err = CH_ERR_INIT;

	return settlement_ends(&s->settlement,
		ch_kafka_producer_pending(lanes_now(s->lanes)),
		ch_kafka_producer_fatal(lanes_now(s->lanes), &err));
}

enum sink_turn
sink_kafka_turn(struct sink_kafka *s, struct ch_mono now)
{
	struct ch_mono before = s->now;
	bool changed;

	s->now = now;
	lanes_poll(s->lanes);
	trial_turn(s->trial, now);
	look_for_brokers(s);
	look_for_silence(s, before);
	serve_client(s);
	changed = s->changed;
	s->changed = false;
	if (settlement_is_on(&s->settlement) && ends(s))
		return SINK_SETTLED;
	changed |= topics_let_waiting_ask(&s->topics, now);
	changed |= ask_topics(s);
	return changed ? SINK_TOPICS : SINK_QUIET;
}

void
sink_kafka_drop(struct sink_kafka *s)
{
	struct ch_err err = CH_ERR_INIT;

	s->dropping = true;
	if (ch_kafka_producer_pending(lanes_now(s->lanes)) > 0 &&
		ch_kafka_producer_reopen(lanes_now(s->lanes), &err) != CH_OK)
		ch_error("sink.reopen", CH_ERR(&err));
	trial_drop(s->trial);
	topics_drop(&s->topics, s->now);
	s->dropping = false;
	settlement_drop(&s->settlement);
}

/* ---- looking at it ---- */

struct topics *
sink_kafka_topics(struct sink_kafka *s)
{
	return &s->topics;
}

size_t
sink_kafka_pending(const struct sink_kafka *s)
{
	return ch_kafka_producer_pending(lanes_now(s->lanes)) +
		trial_pending(s->trial);
}

bool
sink_kafka_reachable(const struct sink_kafka *s)
{
	return ch_kafka_producer_reachable(lanes_now(s->lanes));
}

bool
sink_kafka_want(struct sink_kafka *s, enum lane lane)
{
	return settlement_is_on(&s->settlement) ||
		lanes_want(s->lanes, lane, s->now);
}

int
sink_kafka_fd(const struct sink_kafka *s, enum lane lane)
{
	return lanes_fd(s->lanes, lane);
}

int
sink_kafka_trial_fd(const struct sink_kafka *s)
{
	return trial_fd(s->trial);
}

static void
sooner(int64_t *next, int64_t ms)
{
	if (ms >= 0 && (*next < 0 || ms < *next))
		*next = ms;
}

int64_t
sink_kafka_next_ms(const struct sink_kafka *s, struct ch_mono now)
{
	int64_t next = settlement_is_on(&s->settlement) ? 50 : -1;

	if (s->topics.any_due && !settlement_is_on(&s->settlement))
		return 0;
	sooner(&next, lanes_next_ms(s->lanes, now));
	if (is_throttled(s))
		sooner(&next,
			(ch_kafka_producer_throttled(lanes_now(s->lanes)).ns -
				now.ns) /
					1000000 +
				1);
	sooner(&next, topics_next_ms(&s->topics, now));
	return next;
}

bool
sink_kafka_away(const struct sink_kafka *s, struct ch_mono *since)
{
	*since = s->away_since;
	return s->away;
}

uint64_t
sink_kafka_throttled(const struct sink_kafka *s)
{
	return lanes_throttled(s->lanes);
}
