/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: where each partition begins, then poll, batch, transaction.
 */
#include "import.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "foreign.h"
#include "io/kafka_consumer.h"
#include "io/kafka_topic.h"
#include "message.h"

#define ASK_MS 10000
#define POLL_MS 200
#define STALL_MS 60000
#define CLOSE_MS 5000
#define BATCH_RECORDS 500
#define BATCH_BYTES (4 << 20)
#define BATCH_MS 1000 /* a record waits no longer for others */
#define PREFETCH_KBYTES 16384

struct partition {
	struct foreign_cursor cursor; /* next: as it is to be stored */
	int64_t position;	      /* the next offset to read */
	int64_t end;		      /* of the log when it was opened */
	bool ended;		      /* all up to there was read */
	bool moved;		      /* cursor is not stored yet */
	bool lost; /* its offset is not in the log any more */
};

struct topic {
	struct foreign_log log;
	struct partition *parts;
	int32_t part_count;
	struct import_counts counts;
};

struct import {
	const struct import_options *opt;
	struct ch_pg *pg;
	struct ch_kafka_consumer *consumer;
	char cluster[CH_KAFKA_CLUSTER_ID_MAX];
	struct topic *topics;
	size_t topic_count;
	struct ch_kafka_record batch[BATCH_RECORDS];
	size_t batch_count, batch_bytes;
	struct ch_mono batch_began, heard;
	struct ch_err failed; /* told by a callback */
	bool unknown;	      /* a broker does not know a topic: look */
};

__attribute__((format(printf, 2, 3))) static void
warn(const struct import *im, const char *fmt, ...)
{
	struct ch_buf text = CH_BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	ch_buf_vprintf(&text, fmt, ap);
	va_end(ap);
	im->opt->warned(im->opt->ctx, ch_buf_str(&text));
	ch_buf_free(&text);
}

static struct ch_mono
mono(const struct import *im)
{
	return ch_clock_mono(im->opt->clock);
}

static struct topic *
topic_of(struct import *im, const char *name)
{
	size_t i = 0;

	while (i + 1 < im->topic_count &&
		strcmp(im->topics[i].log.topic, name) != 0)
		i++;
	return &im->topics[i];
}

/* ---- what the consumer tells, inside of poll ---- */

static void
partition_error(void *ctx, const char *topic, int32_t part,
	rd_kafka_resp_err_t code, const char *text)
{
	struct import *im = ctx;
	struct topic *t = topic_of(im, topic);

	if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && part >= 0 &&
		part < t->part_count)
		t->parts[part].lost = true;
	else if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
		im->unknown = true;
	else
		ch_err_set(&im->failed, CH_EKAFKA, "%s[%" PRId32 "]: %s (%s)",
			topic, part, text, rd_kafka_err2name(code));
}

static void
at_end(void *ctx, const char *topic, int32_t part, int64_t offset)
{
	struct import *im = ctx;
	struct topic *t = topic_of(im, topic);
	struct partition *p;

	if (part < 0 || part >= t->part_count)
		return;
	p = &t->parts[part];
	p->ended = true;
	p->position = offset;
	/* behind markers of transactions and what compaction took */
	if (offset > p->cursor.next) {
		p->cursor.next = offset;
		p->moved = true;
	}
	im->heard = mono(im);
}

static void
topic_unknown(void *ctx)
{
	struct import *im = ctx;

	im->unknown = true;
}

/* ---- where to begin ---- */

/* A partition that was just made, or whose leader moves, is not led for a
 * moment. */
static int
ask_ends(struct import *im, const struct topic *t, int32_t part, int64_t *low,
	int64_t *high, struct ch_err *err)
{
	struct ch_mono began = mono(im);
	int rc;

	do {
		rc = ch_kafka_consumer_query_watermarks(im->consumer,
			t->log.topic, part, ASK_MS, low, high, err);
		if (rc == CH_EKAFKA)
			(void)poll(NULL, 0, POLL_MS);
	} while (rc == CH_EKAFKA && ch_mono_ms_since(mono(im), began) < ASK_MS);
	return rc;
}

static int
wanted_start(const struct import *im, const struct topic *t, int32_t part,
	int64_t low, int64_t *start, struct ch_err *err)
{
	struct partition *p = &t->parts[part];
	int rc = CH_OK;

	switch (im->opt->from) {
	case IMPORT_CURSOR:
		*start = p->cursor.known ? p->cursor.next : low;
		break;
	case IMPORT_EARLIEST:
		*start = low;
		break;
	case IMPORT_LATEST:
		*start = p->end;
		break;
	case IMPORT_TIME:
		rc = ch_kafka_consumer_query_time(im->consumer, t->log.topic,
			part, im->opt->from_time.us / 1000, ASK_MS, start, err);
		if (rc == CH_OK && *start < 0)
			*start = p->end;
		break;
	}
	return rc;
}

static void
tell_gone(const struct import *im, struct topic *t, int32_t part, int64_t from,
	int64_t to)
{
	t->counts.gone += to - from;
	warn(im,
		"%s[%" PRId32 "]: the log begins at %" PRId64
		", behind the cursor at %" PRId64 ": up to %" PRId64
		" records were dropped before they were imported; lengthen the "
		"topic's retention, or import with --follow",
		t->log.topic, part, to, from, to - from);
}

/* An unclean election of a leader does that. Who reads on at the old cursor
 * would miss what is written below it. */
static void
go_back(const struct import *im, struct topic *t, int32_t part, int64_t end)
{
	struct partition *p = &t->parts[part];

	warn(im,
		"%s[%" PRId32 "]: the cursor is at %" PRId64
		", and the log ends at %" PRId64
		": it has lost its end; going on from there, where offsets "
		"that were imported count as imported",
		t->log.topic, part, p->position, end);
	p->position = end;
	p->cursor.next = end;
	p->cursor.back = true;
	p->moved = true;
}

static int
open_partition(struct import *im, struct topic *t, int32_t part,
	struct ch_err *err)
{
	struct partition *p = &t->parts[part];
	int64_t low;
	int rc = ask_ends(im, t, part, &low, &p->end, err);

	if (rc == CH_OK)
		rc = wanted_start(im, t, part, low, &p->position, err);
	if (rc != CH_OK)
		return rc;
	if (p->position > p->end)
		go_back(im, t, part, p->end);
	if (p->position < low) {
		tell_gone(im, t, part, p->position, low);
		p->position = low;
	}
	if (p->cursor.known && p->position > p->cursor.next &&
		im->opt->from != IMPORT_CURSOR)
		warn(im,
			"%s[%" PRId32
			"]: --from passes over the offsets %" PRId64
			" to %" PRId64 ", which were not imported",
			t->log.topic, part, p->cursor.next, p->position - 1);
	/* what is read again stands in its own time */
	if (!p->cursor.known || p->position < p->cursor.next)
		p->cursor.newest = (struct ch_time){0};
	if (p->position > p->cursor.next)
		p->cursor.next = p->position;
	p->moved = true;
	p->ended = p->position == p->end;
	return CH_OK;
}

/* Brokers before 2.8 give no id. */
static struct ch_uuid
log_id_of(const struct import *im, const char *topic,
	const struct ch_kafka_topic *facts)
{
	struct ch_buf name = CH_BUF_INIT;
	struct ch_uuid id;

	if (facts->has_id)
		return facts->id;
	ch_buf_printf(&name, "%s/%s", im->cluster, topic);
	id = ch_uuid_v7_named((struct ch_time){0}, ch_buf_view(&name));
	ch_buf_free(&name);
	return id;
}

static int
open_cursors(struct import *im, struct topic *t, struct ch_err *err)
{
	struct foreign_cursor *cursors =
		ch_xcalloc((size_t)t->part_count, sizeof(*cursors));
	bool was_another, any = false;
	int rc = foreign_cursors(im->pg, &t->log, cursors, t->part_count,
		&was_another, err);
	int32_t i;

	t->parts = ch_xcalloc((size_t)t->part_count, sizeof(*t->parts));
	for (i = 0; i < t->part_count; i++) {
		t->parts[i].cursor = cursors[i];
		any |= cursors[i].known;
	}
	free(cursors);
	if (rc == CH_OK && was_another && !any)
		warn(im,
			"%s was made anew since the last import: it is read as "
			"another topic",
			t->log.topic);
	return rc;
}

static int
open_topic(struct import *im, const char *name, struct ch_err *err)
{
	struct topic *t = &im->topics[im->topic_count];
	struct ch_kafka_topic facts;
	int rc = ch_kafka_topic_describe(ch_kafka_consumer_raw(im->consumer),
		name, ASK_MS, &facts, err);
	int32_t i;

	if (rc != CH_OK)
		return rc;
	if (!facts.exists)
		return ch_err_set(err, CH_ENOTFOUND,
			"topic %s does not exist: nothing was imported", name);
	*t = (struct topic){.part_count = facts.partitions,
		.log = {.id = log_id_of(im, name, &facts),
			.cluster = im->cluster,
			.topic = name}};
	im->topic_count++;
	rc = open_cursors(im, t, err);
	for (i = 0; rc == CH_OK && i < t->part_count; i++)
		rc = open_partition(im, t, i, err);
	return rc;
}

static int
assign(struct import *im, struct ch_err *err)
{
	struct ch_kafka_position *at;
	size_t n = 0, i;
	int32_t p;
	int rc;

	for (i = 0; i < im->topic_count; i++)
		n += (size_t)im->topics[i].part_count;
	at = ch_xcalloc(n, sizeof(*at));
	n = 0;
	for (i = 0; i < im->topic_count; i++)
		for (p = 0; p < im->topics[i].part_count; p++)
			at[n++] = (struct ch_kafka_position){
				im->topics[i].log.topic, p,
				im->topics[i].parts[p].position};
	rc = ch_kafka_consumer_assign(im->consumer, at, n, err);
	free(at);
	return rc;
}

/* The log dropped it while it was read. */
static int
restart_lost(struct import *im, struct topic *t, int32_t part,
	struct ch_err *err)
{
	struct partition *p = &t->parts[part];
	int64_t low, high;
	int rc = ask_ends(im, t, part, &low, &high, err);

	if (rc != CH_OK)
		return rc;
	if (p->position > high)
		go_back(im, t, part, high);
	if (p->position < low) {
		tell_gone(im, t, part, p->position, low);
		p->position = low;
	}
	if (p->position > p->cursor.next)
		p->cursor.next = p->position;
	p->lost = false;
	p->moved = true;
	return ch_kafka_consumer_start(im->consumer, t->log.topic, part,
		p->position, err);
}

/* ---- what is written down ---- */

void
import_add_json(struct ch_buf *b, const char *topic,
	const struct import_counts *c)
{
	enum dialect d;

	ch_buf_addc(b, '{');
	ch_json_add_member(b, "topic", ch_view_of(topic));
	ch_json_add_member_i64(b, "records", c->records);
	ch_json_add_member_i64(b, "stored", c->stored);
	ch_json_add_member_i64(b, "came_back", c->came_back);
	ch_json_add_member_i64(b, "repeated", c->repeated);
	ch_json_add_member_i64(b, "known", c->known);
	ch_json_add_member_i64(b, "gone", c->gone);
	ch_json_add_name(b, "dialects");
	ch_buf_addc(b, '{');
	for (d = DIALECT_UNKNOWN; d < DIALECTS; d++)
		if (c->by_dialect[d] > 0)
			ch_json_add_member_i64(b, dialect_name(d),
				c->by_dialect[d]);
	ch_buf_adds(b, "}}");
}

/* Before the first letter, and with the counts when it ends: an import that is
 * killed has left the first. */
static int
audit(struct import *im, const char *action, struct ch_err *err)
{
	struct ch_buf after = CH_BUF_INIT, subject = CH_BUF_INIT;
	int rc = CH_OK;
	size_t i;

	for (i = 0; rc == CH_OK && i < im->topic_count; i++) {
		ch_buf_clear(&after);
		import_add_json(&after, im->topics[i].log.topic,
			&im->topics[i].counts);
		ch_buf_clear(&subject);
		ch_buf_printf(&subject, "topic %s", im->topics[i].log.topic);
		rc = audit_write(im->pg,
			&(struct audit_call){.action = action,
				.subject = ch_buf_str(&subject),
				.actor = im->opt->actor,
				.reason = im->opt->reason,
				.after = ch_buf_str(&after)},
			err);
	}
	ch_buf_free(&after);
	ch_buf_free(&subject);
	return rc;
}

/* ---- a batch ---- */

/* Never before an earlier one of its partition, never later than now. */
static struct ch_time
listed_at(const struct import *im, int64_t timestamp_ms, struct ch_time newest)
{
	struct ch_time now = ch_clock_wall(im->opt->clock), at = now;

	if (timestamp_ms > 0 && timestamp_ms < now.us / 1000)
		at.us = timestamp_ms * 1000;
	return at.us < newest.us ? newest : at;
}

static int
queue_record(struct import *im, const struct ch_kafka_record *k,
	struct ch_arena *arena, enum dialect *dialect, struct ch_err *err)
{
	struct topic *t = topic_of(im, k->topic);
	struct partition *p = &t->parts[k->partition];
	struct foreign_record r = {.part = k->partition,
		.offset = k->offset,
		.timestamp_ms = k->timestamp_ms,
		.key = k->key,
		.value = k->value};
	struct message_header *headers = ch_arena_calloc(arena,
		ch_kafka_record_header_count(k) + 1, sizeof(*headers));
	size_t n = 0;

	while (ch_kafka_record_header_at(k, n, &headers[n].name,
		&headers[n].value))
		n++;
	r.headers = headers;
	r.header_count = n;
	dialect_read(headers, n, arena, &r.origin);
	r.at = listed_at(im, k->timestamp_ms, p->cursor.newest);
	p->cursor.newest = r.at;
	if (k->offset >= p->cursor.next)
		p->cursor.next = k->offset + 1;
	p->moved = true;
	*dialect = r.origin.dialect;
	return foreign_put(im->pg, &t->log, &r, im->opt->actor, err);
}

static int
queue_cursors(struct import *im, struct ch_err *err)
{
	struct partition *p;
	int rc = CH_OK;
	size_t i;
	int32_t n;

	for (i = 0; i < im->topic_count; i++)
		for (n = 0; n < im->topics[i].part_count; n++) {
			p = &im->topics[i].parts[n];
			if (rc == CH_OK && p->moved)
				rc = foreign_move(im->pg, &im->topics[i].log, n,
					&p->cursor, im->opt->actor, err);
			p->moved = false;
			p->cursor.back = false;
		}
	return rc;
}

static void
count(struct import_counts *c, enum dialect d, enum foreign_outcome outcome)
{
	c->records++;
	c->by_dialect[d]++;
	c->stored += outcome == FOREIGN_STORED || outcome == FOREIGN_RETURNED;
	c->came_back += outcome == FOREIGN_RETURNED;
	c->repeated += outcome == FOREIGN_REPEATED;
	c->known += outcome == FOREIGN_KNOWN;
}

/* All that is queued; the first results are the records'. */
static int
run_queued(struct import *im, enum foreign_outcome *outcomes,
	struct ch_err *err)
{
	size_t n = ch_pg_pipeline_count(im->pg), failed = 0, i;
	PGresult **results = ch_xcalloc(n + 1, sizeof(*results));
	const struct ch_kafka_record *k;
	int rc = ch_pg_pipeline_run(im->pg, results, n, &failed, err);

	if (rc == CH_ESQL && failed < im->batch_count) {
		k = &im->batch[failed];
		(void)ch_err_wrap(err, "%s[%" PRId32 "]@%" PRId64, k->topic,
			k->partition, k->offset);
	}
	for (i = 0; rc == CH_OK && i < im->batch_count; i++)
		rc = foreign_outcome(results[i], &outcomes[i], err);
	ch_pg_results_clear(results, n);
	free(results);
	return rc;
}

/* In one order, so that two imports of one topic wait for each other and never
 * in a ring. */
static int
compare_places(const void *a, const void *b)
{
	const struct ch_kafka_record *x = a, *y = b;
	int by_topic = strcmp(x->topic, y->topic);

	if (by_topic != 0)
		return by_topic;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int
compare_topics(const void *a, const void *b)
{
	const struct topic *x = a, *y = b;

	return strcmp(x->log.topic, y->log.topic);
}

static int
store(struct import *im, enum dialect *dialects, enum foreign_outcome *outcomes,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	int rc = ch_pg_begin(im->pg, err);
	size_t i;

	/* no letter is stored before the trail says so, nor is it tried */
	if (rc == CH_OK && im->opt->dry_run)
		rc = audit(im, "dlq.import", err);
	qsort(im->batch, im->batch_count, sizeof(*im->batch), compare_places);
	for (i = 0; rc == CH_OK && i < im->batch_count; i++)
		rc = queue_record(im, &im->batch[i], &arena, &dialects[i], err);
	if (rc == CH_OK)
		rc = queue_cursors(im, err);
	if (rc == CH_OK && ch_pg_pipeline_count(im->pg) > 0)
		rc = run_queued(im, outcomes, err);
	CH_FAILPOINT("relay.before_import");
	if (rc == CH_OK && !im->opt->dry_run &&
		ch_pg_commit(im->pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	CH_FAILPOINT("relay.after_import");
	(void)ch_pg_rollback(im->pg, NULL);
	ch_arena_free(&arena);
	return rc;
}

static int
flush(struct import *im, struct ch_err *err)
{
	enum foreign_outcome outcomes[BATCH_RECORDS];
	enum dialect dialects[BATCH_RECORDS];
	int rc = store(im, dialects, outcomes, err);
	size_t i;

	for (i = 0; i < im->batch_count; i++) {
		if (rc == CH_OK)
			count(&topic_of(im, im->batch[i].topic)->counts,
				dialects[i], outcomes[i]);
		ch_kafka_record_free(&im->batch[i]);
	}
	im->batch_count = 0;
	im->batch_bytes = 0;
	return rc;
}

static bool
batch_due(const struct import *im, bool idle)
{
	if (im->batch_count == 0)
		return false;
	return idle || im->batch_count == BATCH_RECORDS ||
		im->batch_bytes >= BATCH_BYTES ||
		ch_mono_ms_since(mono(im), im->batch_began) >= BATCH_MS;
}

/* ---- reading ---- */

static void
take(struct import *im, const struct ch_kafka_record *k)
{
	struct topic *t = topic_of(im, k->topic);
	struct partition *p = &t->parts[k->partition];

	im->heard = mono(im);
	if (im->batch_count == 0)
		im->batch_began = im->heard;
	im->batch[im->batch_count++] = *k;
	im->batch_bytes += k->key.len + k->value.len;
	p->position = k->offset + 1;
	/* what is written meanwhile is the next import's */
	if (p->position >= p->end)
		p->ended = true;
}

/* Is what a broker did not know gone, or another topic of its name? A broker
 * that has just heard of it is no reason to end. */
static int
look_at_topics(struct import *im, struct ch_err *err)
{
	struct ch_kafka_topic facts;
	struct ch_uuid id;
	size_t i;
	int rc;

	im->unknown = false;
	for (i = 0; i < im->topic_count; i++) {
		rc = ch_kafka_topic_describe(
			ch_kafka_consumer_raw(im->consumer),
			im->topics[i].log.topic, ASK_MS, &facts, err);
		if (rc != CH_OK)
			return rc;
		id = log_id_of(im, im->topics[i].log.topic, &facts);
		if (!facts.exists ||
			memcmp(id.bytes, im->topics[i].log.id.bytes,
				sizeof(id.bytes)) != 0)
			return ch_err_set(err, CH_ENOTFOUND,
				"topic %s was deleted while it was read",
				im->topics[i].log.topic);
	}
	return CH_OK;
}

static int
look_after(struct import *im, struct ch_err *err)
{
	int rc = CH_OK;
	size_t i;
	int32_t n;

	if (im->failed.code != CH_OK)
		return ch_err_set(err, im->failed.code, "%s", im->failed.text);
	if (im->unknown)
		rc = look_at_topics(im, err);
	for (i = 0; i < im->topic_count; i++)
		for (n = 0; rc == CH_OK && n < im->topics[i].part_count; n++)
			if (im->topics[i].parts[n].lost)
				rc = restart_lost(im, &im->topics[i], n, err);
	if (rc == CH_OK && !im->opt->follow &&
		ch_mono_ms_since(mono(im), im->heard) > STALL_MS)
		rc = ch_err_set(err, CH_ETIMEOUT,
			"no record and no end of a partition for %d s: is every "
			"broker up?",
			STALL_MS / 1000);
	return rc;
}

static bool
all_read(const struct import *im)
{
	size_t i;
	int32_t n;

	if (im->opt->follow)
		return im->opt->stopping(im->opt->ctx);
	for (i = 0; i < im->topic_count; i++)
		for (n = 0; n < im->topics[i].part_count; n++)
			if (!im->topics[i].parts[n].ended)
				return false;
	return true;
}

static int
read_all(struct import *im, struct ch_err *err)
{
	struct ch_kafka_record k;
	int rc = CH_OK, got;

	im->heard = mono(im);
	while (rc == CH_OK && !all_read(im)) {
		got = ch_kafka_consumer_poll(im->consumer, POLL_MS, &k, err);
		if (got < 0)
			return got;
		if (got > 0)
			take(im, &k);
		if (batch_due(im, got == 0))
			rc = flush(im, err);
		if (rc == CH_OK)
			rc = look_after(im, err);
	}
	return rc == CH_OK ? flush(im, err) : rc;
}

/* ---- the whole ---- */

static struct ch_kafka_consumer *
open_consumer(const struct ch_params *p, struct import *im, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct ch_kafka_consumer *c;

	if (conf == NULL)
		return NULL;
	c = ch_kafka_consumer_open(
		&(struct ch_kafka_consumer_params){.conf = conf,
			.client_id = ch_params_str(p, "client_id"),
			.queued_max_kbytes = PREFETCH_KBYTES,
			.statistics_ms = -1,
			.events = {.partition_error = partition_error,
				.at_end = at_end,
				.topic_unknown = topic_unknown},
			.ctx = im},
		err);
	ch_kafka_conf_free(conf);
	return c;
}

static int
open_all(struct import *im, struct ch_err *err)
{
	const struct import_options *opt = im->opt;
	int rc = ch_kafka_cluster_id(ch_kafka_consumer_raw(im->consumer),
		ASK_MS, im->cluster, err);
	size_t i;

	im->topics = ch_xcalloc(opt->topic_count, sizeof(*im->topics));
	for (i = 0; rc == CH_OK && i < opt->topic_count; i++)
		rc = open_topic(im, opt->topics[i], err);
	/* their cursors are stored in this order */
	qsort(im->topics, im->topic_count, sizeof(*im->topics), compare_topics);
	if (rc == CH_OK && !opt->dry_run)
		rc = audit(im, "dlq.import", err);
	return rc == CH_OK ? assign(im, err) : rc;
}

static int
run(struct import *im, struct ch_err *err)
{
	int rc = open_all(im, err), told;
	size_t i;

	if (rc != CH_OK)
		return rc;
	rc = read_all(im, err);
	for (i = 0; i < im->topic_count; i++)
		im->opt->ended(im->opt->ctx, im->topics[i].log.topic,
			&im->topics[i].counts);
	told = im->opt->dry_run
		? CH_OK
		: audit(im, "dlq.imported", rc == CH_OK ? err : NULL);
	return rc == CH_OK ? told : rc;
}

int
import_run(const struct ch_params *p, struct ch_pg *pg,
	const struct import_options *opt, struct ch_err *err)
{
	struct import *im = ch_xcalloc(1, sizeof(*im));
	int rc = CH_ECONFIG;
	size_t i;

	im->opt = opt;
	im->pg = pg;
	im->consumer = open_consumer(p, im, err);
	if (im->consumer != NULL)
		rc = run(im, err);
	for (i = 0; i < im->batch_count; i++)
		ch_kafka_record_free(&im->batch[i]);
	ch_kafka_consumer_close(im->consumer, CLOSE_MS);
	for (i = 0; i < im->topic_count; i++)
		free(im->topics[i].parts);
	free(im->topics);
	free(im);
	return rc;
}
