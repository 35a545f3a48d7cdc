/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resend: all at once, then what is left one by one.
 */
#include "resend.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "io/kafka_topic.h"

#define ACK_MS 30000
#define ACK_LOOK_MS 100 /* then asks whether the producer has ended */
#define ROOM_MS 10000 /* for a place in the client's queue, which is bounded */
#define TOPIC_MS 10000
#define TOPICS 16 /* remembered; the letters of a plan alternate between few */

struct known_topic {
	char *name;
	int32_t parts;
};

struct resend {
	struct ch_kafka_producer *producer;
	struct resend_leave leave;
	struct known_topic
		topics[TOPICS]; /* that were asked for, and are there */
	int newest;
	/* A report's opaque is the number of its record, counted over all calls:
	 * one that comes late finds none. */
	struct resend_record *const *records;
	uintptr_t first;
	size_t count;
};

static void
delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct resend *s = ctx;
	uintptr_t i = (uintptr_t)opaque - s->first;
	struct resend_record *rec;

	if (i >= s->count)
		return;
	rec = s->records[i];
	rec->reported = true;
	rec->class = d->class;
	rec->known = d->class == CH_KAFKA_OK;
	rec->rc = rec->known
		? CH_OK
		: ch_err_set(rec->said, CH_EKAFKA, "%s refused it: %s",
			  rec->topic, d->text);
	rec->part = d->partition;
	rec->offset = d->offset;
}

struct resend *
resend_open(const struct ch_params *p, const struct resend_leave *leave,
	struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct resend *s;

	if (conf == NULL)
		return NULL;
	s = ch_xcalloc(1, sizeof(*s));
	s->leave = *leave;
	s->producer = ch_kafka_producer_open(
		&(struct ch_kafka_producer_params){.conf = conf,
			.client_id = ch_params_str(p, "client_id"),
			.message_max_bytes =
				(int)ch_params_bytes(p, "message_max"),
			.statistics_ms = -1,
			.delivered = delivered,
			.ctx = s},
		err);
	ch_kafka_conf_free(conf);
	if (s->producer != NULL)
		return s;
	free(s);
	return NULL;
}

void
resend_close(struct resend *s)
{
	int i;

	if (s == NULL)
		return;
	ch_kafka_producer_close(s->producer, 0);
	for (i = 0; i < TOPICS; i++)
		free(s->topics[i].name);
	free(s);
}

static const struct known_topic *
known_topic(const struct resend *s, const char *topic)
{
	int i;

	for (i = 0; i < TOPICS; i++)
		if (s->topics[i].name != NULL &&
			strcmp(s->topics[i].name, topic) == 0)
			return &s->topics[i];
	return NULL;
}

static int
may_send(const struct resend *s, struct ch_err *err)
{
	return s->leave.may == NULL ? CH_OK : s->leave.may(s->leave.ctx, err);
}

static int
ask_topic(struct resend *s, const char *topic, struct ch_err *err)
{
	struct known_topic *slot;
	struct ch_kafka_topic k;
	int rc = may_send(s, err);

	if (rc == CH_OK)
		rc = ch_kafka_topic_partitions(
			ch_kafka_producer_raw(s->producer), topic, TOPIC_MS, &k,
			err);
	if (rc != CH_OK)
		return rc;
	if (!k.exists)
		return ch_err_set(err, CH_ENOTFOUND,
			"topic %s does not exist: create it first", topic);
	s->newest = (s->newest + 1) % TOPICS;
	slot = &s->topics[s->newest];
	free(slot->name);
	*slot = (struct known_topic){ch_xstrdup(topic), k.partitions};
	return CH_OK;
}

int
resend_check(struct resend *s, const struct resend_record *rec,
	struct ch_err *err)
{
	const struct known_topic *known = known_topic(s, rec->topic);
	int32_t part = rec->message.part;
	int rc = known != NULL ? CH_OK : ask_topic(s, rec->topic, err);

	if (rc == CH_ENOTFOUND && rec->foreign)
		return ch_err_set(err, CH_ERANGE,
			"topic %s, which its headers name, does not exist: "
			"create it, or send it elsewhere with --to TOPIC",
			rec->topic);
	if (rc != CH_OK)
		return rc;
	known = known_topic(s, rec->topic);
	if (known == NULL || part < known->parts)
		return CH_OK;
	if (rec->foreign)
		return ch_err_set(err, CH_ERANGE,
			"partition %" PRId32 ", which its headers name, is not "
			"in topic %s, which has %" PRId32
			": send it by its key with --to %s",
			part, rec->topic, known->parts, rec->topic);
	return ch_err_set(err, CH_ERANGE,
		"partition %" PRId32 ", which it came from, is not in topic "
		"%s, which has %" PRId32 ": add partitions, or discard it",
		part, rec->topic, known->parts);
}

static int
start(struct resend *s, size_t i, struct ch_err *err)
{
	struct resend_record *rec = s->records[i];
	const struct message *m = &rec->message;
	struct ch_kafka_header *headers;
	struct ch_kafka_message out;
	size_t h;
	int rc;

	headers = ch_xcalloc(m->header_count, sizeof(*headers));
	for (h = 0; h < m->header_count; h++)
		headers[h] = (struct ch_kafka_header){
			m->headers[h].name, m->headers[h].value};
	out = (struct ch_kafka_message){.topic = rec->topic,
		.partition = m->part >= 0 ? m->part : CH_KAFKA_BY_KEY,
		.key = m->key,
		.value = m->value,
		.headers = headers,
		.header_count = m->header_count,
		.opaque = (void *)(s->first + i)};
	rec->reported = false;
	rc = ch_kafka_producer_send_within(s->producer, &out, ROOM_MS, err);
	free(headers);
	return rc;
}

/* This record, whatever is tried? Of a topic that only a header has named all
 * that it says is the letter's matter; else a topic's state stops the others
 * too. */
static bool
refused_for_good(const struct resend_record *rec, int rc)
{
	if (rc == CH_EKAFKA && rec->reported)
		return rec->class == CH_KAFKA_PERMANENT ||
			(rec->foreign && rec->class == CH_KAFKA_TOPIC);
	return rc == CH_EINVAL || rc == CH_ERANGE ||
		(rec->foreign && rc == CH_ENOTFOUND);
}

static void
refuse(struct resend_record *rec, int rc, const struct ch_err *why)
{
	struct ch_err said = *why;

	rec->known = true;
	rec->rc = CH_ERANGE;
	if (rc == CH_ERANGE) /* larger than we send at all */
		ch_err_set(rec->said, CH_ERANGE, "%s", said.text);
	else
		ch_err_set(rec->said, CH_ERANGE,
			"%s: mend the topic, or dlq edit or dlq discard the "
			"letter%s",
			said.text,
			rec->foreign ? ", or send it elsewhere with --to TOPIC"
				     : "");
}

/* Until all are reported, or the producer has ended. */
static int
settle(struct resend *s, struct ch_err *err)
{
	int waited, leave, rc = CH_ETIMEOUT;

	for (waited = 0; waited < ACK_MS && rc == CH_ETIMEOUT;
		waited += ACK_LOOK_MS) {
		rc = ch_kafka_producer_flush(s->producer, ACK_LOOK_MS, err);
		if (ch_kafka_producer_fatal(s->producer, NULL))
			return CH_OK;
		leave = rc == CH_ETIMEOUT ? may_send(s, err) : CH_OK;
		if (leave != CH_OK)
			return leave;
	}
	if (rc == CH_ETIMEOUT)
		ch_err_set(err, rc,
			"%zu records were not acknowledged within %d s",
			ch_kafka_producer_pending(s->producer), ACK_MS / 1000);
	return rc;
}

/* What the producer takes, one behind the other. */
static int
all_at_once(struct resend *s, struct ch_err *err)
{
	struct ch_err said = CH_ERR_INIT;
	int leave, rc = CH_OK;
	size_t i;

	for (i = 0; i < s->count && rc == CH_OK; i++) {
		leave = may_send(s, err);
		if (leave != CH_OK)
			return leave;
		rc = start(s, i, &said);
		CH_FAILPOINT("relay.in_replay");
		if (rc == CH_OK || !refused_for_good(s->records[i], rc))
			continue;
		refuse(s->records[i], rc, &said);
		rc = CH_OK;
	}
	return settle(s, err);
}

/* Nothing else is in flight. */
static int
alone(struct resend *s, size_t i, struct ch_err *err)
{
	struct resend_record *rec = s->records[i];
	struct ch_err said = CH_ERR_INIT;
	int rc = start(s, i, &said);

	if (rc == CH_OK)
		rc = settle(s, &said);
	if (rc == CH_OK && rec->known)
		return CH_OK;
	if (rc == CH_OK) {
		rc = CH_EKAFKA;
		ch_err_set(&said, rc, "%s",
			rec->reported ? rec->said->text : "no report");
	}
	if (!refused_for_good(rec, rc))
		return ch_err_set(err, rc, "%s", said.text);
	refuse(rec, rc, &said);
	return rec->reported ? ch_kafka_producer_reopen(s->producer, err)
			     : CH_OK;
}

static int
one_by_one(struct resend *s, struct ch_err *err)
{
	bool fresh = false;
	int rc = CH_OK;
	size_t i;

	for (i = 0; i < s->count && rc == CH_OK; i++) {
		if (s->records[i]->known)
			continue;
		rc = may_send(s, err);
		if (rc == CH_OK && !fresh)
			rc = ch_kafka_producer_reopen(s->producer, err);
		fresh = true;
		if (rc == CH_OK)
			rc = alone(s, i, err);
	}
	return rc;
}

int
resend_all(struct resend *s, struct resend_record *const *records, size_t count,
	struct ch_err *err)
{
	int rc;

	s->first += s->count;
	s->records = records;
	s->count = count;
	rc = all_at_once(s, err);
	if (rc == CH_OK)
		rc = one_by_one(s, err);
	s->first += s->count;
	s->count = 0;
	return rc;
}
