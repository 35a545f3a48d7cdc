/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: one letter at a time, in the order given, each acknowledged before
 * the next is sent, so that the order of a key's letters is kept.
 */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "dialect.h"
#include "io/kafka_producer.h"
#include "io/kafka_topic.h"
#include "message.h"
#include "params.h"

#define ACK_MS 30000
#define TOPIC_MS 10000

struct replay {
	struct ch_kafka_producer *producer;
	struct replay_options opt;
	char *known; /* the topic that was asked for last, and is there */
	int32_t known_parts;
	bool reported;
	struct ch_kafka_delivery delivery;
	char text[256];
};

static void
delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct replay *r = ctx;

	(void)opaque;
	r->reported = true;
	r->delivery = *d;
	ch_view_copy(ch_view_of(d->text), r->text, sizeof(r->text));
}

struct replay *
replay_open(const struct ch_params *p, const struct replay_options *opt,
	struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct replay *r;

	if (conf == NULL)
		return NULL;
	r = ch_xcalloc(1, sizeof(*r));
	r->opt = *opt;
	r->producer = ch_kafka_producer_open(
		&(struct ch_kafka_producer_params){.conf = conf,
			.client_id = ch_params_str(p, "client_id"),
			.message_max_bytes =
				(int)ch_params_bytes(p, "message_max"),
			.statistics_ms = -1,
			.delivered = delivered,
			.ctx = r},
		err);
	ch_kafka_conf_free(conf);
	if (r->producer != NULL)
		return r;
	free(r);
	return NULL;
}

void
replay_close(struct replay *r)
{
	if (r == NULL)
		return;
	ch_kafka_producer_close(r->producer, 0);
	free(r->known);
	free(r);
}

static int32_t
count_of(const struct letters_row *row)
{
	int32_t before = message_replay_count(row->names, row->values);

	return before > row->replays ? before : row->replays;
}

/* One that is replayed has not come back: quarantined it could be edited, and
 * count twice when it is taken after all. */
bool
replay_looped(const struct letters_row *row, int32_t replays_max)
{
	return count_of(row) >= replays_max &&
		(row->state == LETTER_PENDING ||
			row->state == LETTER_QUARANTINED);
}

/* No topic has a ':' in its name. */
static bool
is_endpoint(struct ch_view topic)
{
	return ch_view_starts(topic, CH_VIEW("webhook:"));
}

bool
replay_is_target(struct ch_view topic)
{
	return dialect_is_topic(topic) || is_endpoint(topic);
}

int
replay_redirect(struct letters_row *row, const char *to, struct ch_err *err)
{
	if (to == NULL)
		return CH_OK;
	if (!row->is_foreign && replay_is_target(row->topic))
		return ch_err_set(err, CH_EEXIST,
			"--to is for foreign letters and for those that no "
			"topic can be made of: this one (%s) goes to %.*s",
			letters_kind(row), CH_VIEW_ARG(row->topic));
	row->topic = ch_view_of(to);
	row->part = -1;
	return CH_OK;
}

/* Both null would be sent as a tombstone of nothing, or worse. */
static int
check_copied(const struct letters_row *row, struct ch_err *err)
{
	if (!row->is_foreign || row->key.ptr != NULL || row->value.ptr != NULL)
		return CH_OK;
	return ch_err_set(err, CH_ERANGE,
		"it has neither key nor value: its dead-letter topic holds no "
		"copy of the record (share groups: "
		"errors.deadletterqueue.copy.record.enable); dlq show names "
		"where that stood: discard it, or dlq edit it to the value");
}

/* It would leave the list for a delivery that nobody makes. */
static int
check_endpoint(struct ch_pg *pg, const struct letters_row *row,
	struct ch_err *err)
{
	bool missing;
	int rc;

	if (!row->is_delivery || !is_endpoint(row->topic))
		return CH_OK;
	rc = letters_endpoint_missing(pg, row->topic, &missing, err);
	if (rc != CH_OK || !missing)
		return rc;
	return ch_err_set(err, CH_ERANGE,
		"no running relay has the endpoint of %.*s: put it back into "
		"the file of webhooks, or discard the letter",
		CH_VIEW_ARG(row->topic));
}

int
replay_check(struct ch_pg *pg, const struct letters_row *row,
	const struct replay_options *opt, struct ch_err *err)
{
	struct letters_command c;
	int rc;

	if (!letter_may(opt->again ? LETTER_REPLAY_AGAIN : LETTER_REPLAY,
		    row->state, count_of(row), opt->replays_max, err))
		return err->code;
	rc = check_copied(row, err);
	if (rc != CH_OK)
		return rc;
	if (row->is_foreign && row->topic.len == 0)
		return ch_err_set(err, CH_ERANGE,
			"its headers name no topic that it came from: say which "
			"with --to TOPIC (of dlq replay or dlq plan)");
	if (!replay_is_target(row->topic))
		return ch_err_set(err, CH_ERANGE,
			"\"%.*s\" is no name that a topic can have: say which "
			"with --to TOPIC (of dlq replay or dlq plan)",
			CH_VIEW_ARG(row->topic));
	rc = check_endpoint(pg, row, err);
	if (rc == CH_OK)
		rc = letters_command(pg, row, &c, err);
	if (rc != CH_OK || !c.known)
		return rc;
	if (c.status[0] != '\0')
		return ch_err_set(err, CH_EEXIST,
			"the ledger has taken its id "
			"since: %s",
			c.status);
	if (c.expired)
		return ch_err_set(err, CH_ERANGE,
			"its id is older than the "
			"ledger keeps (before %s): it would be answered "
			"key_expired: see that nobody has sent it again, then "
			"dlq edit --new-id makes a letter of it under a new id, "
			"linked with this one: replay that",
			c.lowest_day);
	return CH_OK;
}

static int
check_topic(struct replay *r, const char *topic, struct ch_err *err)
{
	struct ch_kafka_topic k;
	int rc;

	if (r->known != NULL && strcmp(r->known, topic) == 0)
		return CH_OK;
	rc = ch_kafka_topic_partitions(ch_kafka_producer_raw(r->producer),
		topic, TOPIC_MS, &k, err);
	if (rc != CH_OK)
		return rc;
	if (!k.exists)
		return ch_err_set(err, CH_ENOTFOUND,
			"topic %s does not exist: create it first", topic);
	free(r->known);
	r->known = ch_xstrdup(topic);
	r->known_parts = k.partitions;
	return CH_OK;
}

/* That its partition is not there is this letter's matter alone; so is its
 * topic, when only a header has named that. */
static int
check_place(struct replay *r, const char *topic, const struct letters_row *row,
	struct ch_err *err)
{
	int rc = check_topic(r, topic, err);

	if (rc == CH_ENOTFOUND && row->is_foreign)
		return ch_err_set(err, CH_ERANGE,
			"topic %s, which its headers name, does not exist: "
			"create it, or send it elsewhere with --to TOPIC",
			topic);
	if (rc != CH_OK || row->part < r->known_parts)
		return rc;
	if (row->is_foreign)
		return ch_err_set(err, CH_ERANGE,
			"partition %" PRId32 ", which its headers name, is not "
			"in topic %s, which has %" PRId32
			": send it by its key with --to %s",
			row->part, topic, r->known_parts, topic);
	return ch_err_set(err, CH_ERANGE,
		"partition %" PRId32 ", which it came from, is not in topic "
		"%s, which has %" PRId32 ": add partitions, or discard it",
		row->part, topic, r->known_parts);
}

static int
send_message(struct replay *r, const char *topic, const struct message *m,
	struct ch_err *err)
{
	struct ch_kafka_header *headers;
	struct ch_kafka_message out;
	size_t i;
	int rc;

	headers = ch_xcalloc(m->header_count, sizeof(*headers));
	for (i = 0; i < m->header_count; i++)
		headers[i] = (struct ch_kafka_header){
			m->headers[i].name, m->headers[i].value};
	out = (struct ch_kafka_message){.topic = topic,
		.partition = m->part >= 0 ? m->part : CH_KAFKA_BY_KEY,
		.key = m->key,
		.value = m->value,
		.headers = headers,
		.header_count = m->header_count};
	r->reported = false;
	rc = ch_kafka_producer_send_within(r->producer, &out, ACK_MS, err);
	free(headers);
	if (rc == CH_OK)
		rc = ch_kafka_producer_flush(r->producer, ACK_MS, err);
	if (rc != CH_OK)
		return rc;
	if (!r->reported || r->delivery.class != CH_KAFKA_OK)
		return ch_err_set(err, CH_EKAFKA, "%s refused it: %s", topic,
			r->text);
	return CH_OK;
}

/* This record, whatever is tried? Of a topic that only a header has named all
 * that it says is the letter's matter; else a topic's state stops the others
 * too. */
static bool
refused_for_good(const struct replay *r, bool foreign, int rc)
{
	if (rc == CH_EKAFKA && r->reported)
		return r->delivery.class == CH_KAFKA_PERMANENT ||
			(foreign && r->delivery.class == CH_KAFKA_TOPIC);
	return rc == CH_EINVAL || (foreign && rc == CH_ENOTFOUND);
}

/* CH_ERANGE: this letter is refused for good, and the next one may go. The
 * producer, which sends without gaps, has ended with it. */
static int
send_or_hold(struct replay *r, const char *topic, bool foreign,
	const struct message *m, struct ch_err *err)
{
	struct ch_err said = CH_ERR_INIT;
	int rc = send_message(r, topic, m, &said);

	if (!refused_for_good(r, foreign, rc))
		return rc == CH_OK
			? CH_OK
			: ch_err_set(err, said.code, "%s", said.text);
	rc = ch_kafka_producer_reopen(r->producer, err);
	if (rc != CH_OK)
		return rc;
	return ch_err_set(err, CH_ERANGE,
		"%s: mend the topic, or dlq edit or dlq discard the letter%s",
		said.text,
		foreign ? ", or send it elsewhere with --to TOPIC" : "");
}

/* What was edited is another message: whoever drops repeated ids must not drop
 * it. The original's id is its header `id`, or else its letter's. */
static void
name_original(const struct letters_row *row, const char *id,
	struct ch_arena *arena, struct message *m)
{
	char original[CH_UUID_TEXT_MAX];
	struct message_header *last = &m->headers[m->header_count];
	struct message_header *h;

	ch_uuid_format(&row->original, original);
	*last = (struct message_header){
		"ch_original_id", ch_arena_view(arena, ch_view_of(original))};
	for (h = m->headers; h < last; h++) {
		if (strcmp(h->name, "ch_original_id") == 0)
			return; /* it was edited before, and came back */
		if (strcmp(h->name, "id") != 0)
			continue;
		last->value = h->value;
		h->value = ch_arena_view(arena, ch_view_of(id));
	}
	m->header_count++;
}

/* Whoever reads it again starts with the record as it was. */
static void
drop_dialects(struct message *m)
{
	size_t i, kept = 0;

	for (i = 0; i < m->header_count; i++)
		if (!dialect_adds(m->headers[i].name))
			m->headers[kept++] = m->headers[i];
	m->header_count = kept;
}

/* The record once more; *count is what its ch_replay_count says. */
static int
build(const struct letters_row *row, struct ch_arena *arena, struct message *m,
	int32_t *count, struct ch_err *err)
{
	char id[CH_UUID_TEXT_MAX], number[16];
	int rc;

	*m = (struct message){
		.key = row->key, .value = row->value, .part = row->part};
	rc = message_headers_of(row->names, row->values, 3, true, arena, m,
		err);
	if (rc != CH_OK)
		return rc;
	if (row->is_foreign)
		drop_dialects(m);
	*count = count_of(row) + 1;
	(void)snprintf(number, sizeof(number), "%" PRId32, *count);
	ch_uuid_format(&row->id, id);
	m->headers[m->header_count++] = (struct message_header){
		"ch_replay_count", ch_arena_view(arena, ch_view_of(number))};
	m->headers[m->header_count++] = (struct message_header){
		"ch_letter_id", ch_arena_view(arena, ch_view_of(id))};
	if (row->is_edit)
		name_original(row, id, arena, m);
	return CH_OK;
}

static int
send_and_write(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_arena *arena, struct ch_err *err)
{
	const char *topic = ch_arena_str(arena, row->topic);
	struct letters_decision d = {.actor = r->opt.actor,
		.reason = r->opt.reason,
		.state = row->is_delivery || row->is_foreign ? LETTER_RESOLVED
							     : LETTER_REPLAYED,
		.topic = topic,
		.plan = r->opt.plan};
	struct letter_command command;
	struct message m;
	int rc = check_place(r, topic, row, err);

	if (rc == CH_OK)
		rc = build(row, arena, &m, &d.replays, err);
	if (rc == CH_OK)
		rc = send_or_hold(r, topic, row->is_foreign, &m, err);
	if (rc != CH_OK)
		return rc;
	CH_FAILPOINT("relay.after_replay");
	if (!row->is_delivery && !row->is_foreign &&
		letter_command_of(row->value, &command))
		d.command = &command;
	d.part = r->delivery.partition;
	d.offset = r->delivery.offset;
	return letters_write(pg, row, &d, err);
}

/* An endpoint's: the relay sends it, and says so in its state. */
static int
put_back(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_arena *arena, struct ch_err *err)
{
	return letters_write(pg, row,
		&(struct letters_decision){.actor = r->opt.actor,
			.reason = r->opt.reason,
			.state = LETTER_REPLAYED,
			.replays = count_of(row) + 1,
			.topic = ch_arena_str(arena, row->topic),
			.plan = r->opt.plan},
		err);
}

static int
quarantine(struct replay *r, struct ch_pg *pg, const struct letters_row *row,
	struct ch_err *err)
{
	struct letters_decision d = {.actor = r->opt.actor,
		.reason = r->opt.reason,
		.state = LETTER_QUARANTINED,
		.replays = row->replays};
	struct ch_err failed = CH_ERR_INIT;
	int rc = CH_OK;

	if (row->state != LETTER_QUARANTINED)
		rc = letters_write(pg, row, &d, &failed);
	if (rc == CH_OK)
		return CH_ERANGE; /* err has the reason */
	return ch_err_set(err, failed.code, "%s", failed.text);
}

int
replay_locked(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	int rc = replay_check(pg, row, &r->opt, err);

	if (rc == CH_ERANGE && replay_looped(row, r->opt.replays_max))
		rc = quarantine(r, pg, row, err);
	else if (rc == CH_OK && row->is_delivery && is_endpoint(row->topic))
		rc = put_back(r, pg, row, &arena, err);
	else if (rc == CH_OK)
		rc = send_and_write(r, pg, row, &arena, err);
	ch_arena_free(&arena);
	return rc;
}

int
replay_one(struct replay *r, struct ch_pg *pg, struct letters_row *row,
	struct ch_err *err)
{
	int rc = letters_claim(pg, row, r->opt.actor, r->opt.reason, err);
	struct ch_err failed = CH_ERR_INIT;

	if (rc != CH_OK)
		return rc;
	rc = replay_locked(r, pg, row, err);
	if ((rc == CH_OK || rc == CH_ERANGE || rc == CH_EEXIST) &&
		ch_pg_commit(pg, &failed) != CH_PG_COMMITTED)
		rc = ch_err_set(err, CH_EIO, "%s", failed.text);
	else if (rc != CH_OK)
		(void)ch_pg_rollback(pg, NULL);
	return rc;
}
