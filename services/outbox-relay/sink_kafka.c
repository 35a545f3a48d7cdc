/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_kafka: one producer, a small table of topics, and the settlement.
 *
 * A topic:
 *	UNKNOWN --asked, there--> KNOWN --a report says it is not--> UNKNOWN
 *	   |  '--asked, not there, for topic_wait--> MISSING
 *	   '<-------------- asked again, there --------'
 * An answer that does not come (brokers away) is no answer: it neither makes a
 * topic missing nor counts into topic_wait.
 *
 * A message for a partition that its topic does not have goes by its key: the
 * number is then wrong, but the record is not lost.
 */
#include "sink_kafka.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "failure.h"
#include "io/kafka_topic.h"

#define ASK_EVERY_MS 500
#define ASK_MISSING_MS 2000
#define ASK_TIMEOUT_MS 1000
#define STATISTICS_MS 500 /* the first tells that a broker is there */

enum topic_state { TOPIC_UNKNOWN, TOPIC_KNOWN, TOPIC_MISSING };

struct topic {
	const struct route_topic *route; /* NULL: never met */
	enum topic_state state;
	bool wanted; /* a row waits for it */
	bool absent; /* absent_since is set */
	struct ch_mono absent_since;
	struct ch_mono ask_at;
	int32_t partitions;
	bool told_partition;
};

struct sink_kafka {
	struct lanes *lanes;
	struct sink_options opt;
	struct topic *topics;
	int topic_count;
	bool settling;
	bool dropping;
	struct ch_mono now;
	struct ch_kafka_header *headers;
	size_t header_room;
};

static enum retry_cause cause_of(enum ch_kafka_class class)
{
	switch (failure_of_kafka(class)) {
	case FAILURE_POISON:
		return RETRY_REFUSED;
	case FAILURE_PERMANENT:
		return RETRY_TOPIC;
	case FAILURE_NONE:
	case FAILURE_TRANSIENT:
	case FAILURE_OUTAGE:
	case FAILURE_QUOTA:
		break;
	}
	return RETRY_OUTAGE;
}

static void
forget_topic(struct sink_kafka *s, const struct route_topic *route)
{
	if (route != NULL && route->number < s->topic_count)
		s->topics[route->number].state = TOPIC_UNKNOWN;
}

static void
delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct sink_kafka *s = ctx;
	struct event *e = opaque;
	struct sink_report r = {
		d->class == CH_KAFKA_OK, cause_of(d->class), d->name, d->text};

	if (s->dropping)
		return;
	if (!r.ok)
		s->settling = true;
	if (!r.ok && r.cause == RETRY_TOPIC)
		forget_topic(s, e->topic);
	s->opt.reported(s->opt.ctx, e, &r);
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
	s->lanes = lanes_open(&params, err);
	if (s->lanes == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
sink_kafka_close(struct sink_kafka *s, int deadline_ms)
{
	if (s == NULL)
		return;
	lanes_close(s->lanes, deadline_ms);
	free(s->topics);
	free(s->headers);
	free(s);
}

static struct topic *
topic_of(struct sink_kafka *s, const struct route_topic *route)
{
	int n = route->number;

	if (n >= s->topic_count) {
		s->topics = ch_xrealloc(s->topics, (size_t)n + 1,
			sizeof(*s->topics));
		memset(&s->topics[s->topic_count], 0,
			(size_t)(n + 1 - s->topic_count) * sizeof(*s->topics));
		s->topic_count = n + 1;
	}
	s->topics[n].route = route;
	return &s->topics[n];
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
	if (m->part < 0)
		return CH_KAFKA_BY_KEY;
	if (m->part < t->partitions)
		return m->part;
	if (!t->told_partition)
		ch_warn("sink.partition_missing", CH_S("topic", t->route->name),
			CH_I("part", m->part),
			CH_I("partitions", t->partitions));
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
		t->state = TOPIC_UNKNOWN;
		t->wanted = true;
		return SINK_WAIT;
	case CH_ECLOSED:
		s->settling = true;
		return SINK_SETTLING;
	default: /* CH_EFULL, CH_EKAFKA: neither is the record's fault */
		return SINK_FULL;
	}
}

enum sink_verdict
sink_kafka_send(struct sink_kafka *s, struct event *e,
	const struct route_topic *route, const struct message *m,
	struct ch_err *err)
{
	struct topic *t = topic_of(s, route);
	struct ch_kafka_message out;

	if (s->settling)
		return SINK_SETTLING;
	if (t->state == TOPIC_MISSING && e->source == EVENT_RETRY) {
		/* an operator released it: the topic may have been made */
		t->state = TOPIC_UNKNOWN;
		t->absent = false;
		t->ask_at = s->now;
	}
	if (t->state == TOPIC_UNKNOWN) {
		t->wanted = true;
		return SINK_WAIT;
	}
	if (t->state == TOPIC_MISSING) {
		t->wanted = true;
		ch_err_set(err, CH_ENOTFOUND,
			"topic %s does not exist: "
			"create it, then replay",
			route->name);
		return SINK_REFUSED;
	}
	out = (struct ch_kafka_message){
		.topic = route->name,
		.partition = partition_of(t, m),
		.key = m->key,
		.value = m->value,
		.headers = headers_of(s, m),
		.header_count = m->header_count,
		.opaque = e,
	};
	return verdict_of(s, t,
		ch_kafka_producer_send(lanes_now(s->lanes), &out, err));
}

/* true when the topic's rows can move now. */
static bool
answer(struct sink_kafka *s, struct topic *t, const struct ch_kafka_topic *k)
{
	t->ask_at = (struct ch_mono){s->now.ns + ASK_EVERY_MS * 1000000LL};
	if (k->exists) {
		if (t->state == TOPIC_MISSING || t->absent)
			ch_info("sink.topic_found",
				CH_S("topic", t->route->name));
		t->state = TOPIC_KNOWN;
		t->partitions = k->partitions;
		t->wanted = t->absent = false;
		return true;
	}
	if (!t->absent) {
		t->absent = true;
		t->absent_since = s->now;
	}
	if (ch_mono_ms_since(s->now, t->absent_since) < s->opt.topic_wait_ms)
		return false;
	t->ask_at = (struct ch_mono){s->now.ns + ASK_MISSING_MS * 1000000LL};
	if (t->state == TOPIC_MISSING)
		return false;
	t->state = TOPIC_MISSING;
	ch_error("sink.topic_missing", CH_S("topic", t->route->name),
		CH_S("do", "create the topic, then dlq replay"));
	return true;
}

static bool
ask_topics(struct sink_kafka *s)
{
	struct ch_kafka_topic k;
	struct ch_err err = CH_ERR_INIT;
	bool changed = false;
	int i;

	for (i = 0; i < s->topic_count; i++) {
		struct topic *t = &s->topics[i];

		if (!t->wanted || t->state == TOPIC_KNOWN ||
			t->ask_at.ns > s->now.ns)
			continue;
		if (ch_kafka_topic_partitions(
			    ch_kafka_producer_raw(lanes_now(s->lanes)),
			    t->route->name, ASK_TIMEOUT_MS, &k,
			    &err) == CH_OK) {
			changed |= answer(s, t, &k);
			continue;
		}
		ch_debug("sink.ask", CH_S("topic", t->route->name),
			CH_ERR(&err));
		t->ask_at =
			(struct ch_mono){s->now.ns + ASK_EVERY_MS * 1000000LL};
		break; /* the brokers are away: ask one at a time */
	}
	return changed;
}

enum sink_turn
sink_kafka_turn(struct sink_kafka *s, struct ch_mono now)
{
	struct ch_err err = CH_ERR_INIT;

	s->now = now;
	lanes_poll(s->lanes);
	if (ch_kafka_producer_fatal(lanes_now(s->lanes), &err)) {
		ch_error("sink.rebuild", CH_ERR(&err),
			CH_U("pending",
				ch_kafka_producer_pending(
					lanes_now(s->lanes))));
		if (ch_kafka_producer_reopen(lanes_now(s->lanes), &err) !=
			CH_OK)
			ch_error("sink.reopen", CH_ERR(&err));
		s->settling = true;
	}
	if (s->settling &&
		ch_kafka_producer_pending(lanes_now(s->lanes)) == 0 &&
		ch_kafka_producer_raw(lanes_now(s->lanes)) != NULL) {
		s->settling = false;
		return SINK_SETTLED;
	}
	return ask_topics(s) ? SINK_TOPICS : SINK_QUIET;
}

void
sink_kafka_drop(struct sink_kafka *s)
{
	struct ch_err err = CH_ERR_INIT;

	s->dropping = true;
	if (ch_kafka_producer_pending(lanes_now(s->lanes)) > 0 &&
		ch_kafka_producer_reopen(lanes_now(s->lanes), &err) != CH_OK)
		ch_error("sink.reopen", CH_ERR(&err));
	s->dropping = false;
	s->settling = false;
}

size_t
sink_kafka_pending(const struct sink_kafka *s)
{
	return ch_kafka_producer_pending(lanes_now(s->lanes));
}

bool
sink_kafka_reachable(const struct sink_kafka *s)
{
	return ch_kafka_producer_reachable(lanes_now(s->lanes));
}

bool
sink_kafka_want(struct sink_kafka *s, enum lane lane)
{
	return s->settling || lanes_want(s->lanes, lane, s->now);
}

int
sink_kafka_fd(const struct sink_kafka *s, enum lane lane)
{
	return lanes_fd(s->lanes, lane);
}

int64_t
sink_kafka_next_ms(const struct sink_kafka *s, struct ch_mono now)
{
	int64_t next = s->settling ? 50 : -1, ms;
	int i;

	for (i = 0; i < s->topic_count; i++) {
		const struct topic *t = &s->topics[i];

		if (!t->wanted || t->state == TOPIC_KNOWN)
			continue;
		ms = (t->ask_at.ns - now.ns) / 1000000 + 1;
		if (next < 0 || ms < next)
			next = ms > 0 ? ms : 0;
	}
	return next;
}

int
sink_kafka_missing_count(const struct sink_kafka *s)
{
	int i, n = 0;

	for (i = 0; i < s->topic_count; i++)
		n += s->topics[i].state == TOPIC_MISSING;
	return n;
}
