/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: poll, batch, transaction.
 */
#include "import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "foreign.h"
#include "io/kafka_consumer.h"
#include "io/kafka_topic.h"
#include "message.h"

#define POLL_MS 200
#define STALL_MS 60000
#define CLOSE_MS 5000
#define BATCH_RECORDS 500
#define BATCH_BYTES (4 << 20)
#define BATCH_MS 1000 /* a record waits no longer for others */
#define PREFETCH_KBYTES 16384

struct import {
	const struct import_options *opt;
	struct import_source source;
	struct import_topic *topics;
	size_t topic_count;
	struct ch_kafka_record batch[BATCH_RECORDS];
	size_t batch_count, batch_bytes;
	struct ch_mono batch_began, heard;
	struct ch_err failed; /* told by a callback */
	bool unknown;	      /* a broker does not know a topic: look */
};

static struct ch_mono
mono(const struct import *im)
{
	return ch_clock_mono(im->opt->clock);
}

static struct import_topic *
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
	struct import_topic *t = topic_of(im, topic);

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
	struct import_topic *t = topic_of(im, topic);

	if (part < 0 || part >= t->part_count)
		return;
	import_topic_at_end(t, part, offset);
	im->heard = mono(im);
}

static void
topic_unknown(void *ctx)
{
	struct import *im = ctx;

	im->unknown = true;
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
		rc = audit_write(im->source.pg,
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

static int
queue_record(struct import *im, const struct ch_kafka_record *k,
	struct ch_arena *arena, enum dialect *dialect, struct ch_err *err)
{
	struct import_topic *t = topic_of(im, k->topic);
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
	r.at = import_topic_stored(t, k, ch_clock_wall(im->opt->clock));
	*dialect = r.origin.dialect;
	return foreign_put(im->source.pg, &t->log, &r, im->opt->actor, err);
}

static int
queue_cursors(struct import *im, struct ch_err *err)
{
	int rc = CH_OK;
	size_t i;

	for (i = 0; rc == CH_OK && i < im->topic_count; i++)
		rc = import_topic_move(&im->topics[i], im->source.pg,
			im->opt->actor, err);
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
	size_t n = ch_pg_pipeline_count(im->source.pg), failed = 0, i;
	PGresult **results = ch_xcalloc(n + 1, sizeof(*results));
	const struct ch_kafka_record *k;
	int rc = ch_pg_pipeline_run(im->source.pg, results, n, &failed, err);

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
	const struct import_topic *x = a, *y = b;

	return strcmp(x->log.topic, y->log.topic);
}

static int
store(struct import *im, enum dialect *dialects, enum foreign_outcome *outcomes,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	int rc = ch_pg_begin(im->source.pg, err);
	size_t i;

	/* no letter is stored before the trail says so, nor is it tried */
	if (rc == CH_OK && im->opt->dry_run)
		rc = audit(im, "dlq.import", err);
	qsort(im->batch, im->batch_count, sizeof(*im->batch), compare_places);
	for (i = 0; rc == CH_OK && i < im->batch_count; i++)
		rc = queue_record(im, &im->batch[i], &arena, &dialects[i], err);
	if (rc == CH_OK)
		rc = queue_cursors(im, err);
	if (rc == CH_OK && ch_pg_pipeline_count(im->source.pg) > 0)
		rc = run_queued(im, outcomes, err);
	CH_FAILPOINT("relay.before_import");
	if (rc == CH_OK && !im->opt->dry_run &&
		ch_pg_commit(im->source.pg, err) != CH_PG_COMMITTED)
		rc = CH_EIO;
	CH_FAILPOINT("relay.after_import");
	(void)ch_pg_rollback(im->source.pg, NULL);
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
	im->heard = mono(im);
	if (im->batch_count == 0)
		im->batch_began = im->heard;
	im->batch[im->batch_count++] = *k;
	im->batch_bytes += k->key.len + k->value.len;
	import_topic_read(topic_of(im, k->topic), k->partition, k->offset);
}

/* Is what a broker did not know gone, or another topic of its name? A broker
 * that has just heard of it is no reason to end. */
static int
look_at_topics(struct import *im, struct ch_err *err)
{
	int rc = CH_OK;
	size_t i;

	im->unknown = false;
	for (i = 0; rc == CH_OK && i < im->topic_count; i++)
		rc = import_topic_look(&im->topics[i], &im->source, err);
	return rc;
}

static int
look_after(struct import *im, struct ch_err *err)
{
	int rc = CH_OK;
	size_t i;

	if (im->failed.code != CH_OK)
		return ch_err_set(err, im->failed.code, "%s", im->failed.text);
	if (im->unknown)
		rc = look_at_topics(im, err);
	for (i = 0; rc == CH_OK && i < im->topic_count; i++)
		rc = import_topic_restart(&im->topics[i], &im->source, err);
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

	if (im->opt->follow)
		return im->opt->stopping(im->opt->ctx);
	for (i = 0; i < im->topic_count; i++)
		if (!import_topic_is_read(&im->topics[i]))
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
		got = ch_kafka_consumer_poll(im->source.consumer, POLL_MS, &k,
			err);
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
assign(struct import *im, struct ch_err *err)
{
	struct ch_kafka_position *at;
	size_t n = 0, i;
	int rc;

	for (i = 0; i < im->topic_count; i++)
		n += (size_t)im->topics[i].part_count;
	at = ch_xcalloc(n, sizeof(*at));
	n = 0;
	for (i = 0; i < im->topic_count; i++) {
		import_topic_positions(&im->topics[i], at + n);
		n += (size_t)im->topics[i].part_count;
	}
	rc = ch_kafka_consumer_assign(im->source.consumer, at, n, err);
	free(at);
	return rc;
}

static int
open_all(struct import *im, struct ch_err *err)
{
	const struct import_options *opt = im->opt;
	int rc = ch_kafka_cluster_id(ch_kafka_consumer_raw(im->source.consumer),
		IMPORT_ASK_MS, im->source.cluster, err);
	size_t i;

	im->topics = ch_xcalloc(opt->topic_count, sizeof(*im->topics));
	for (i = 0; rc == CH_OK && i < opt->topic_count; i++)
		rc = import_topic_open(&im->topics[im->topic_count++],
			&im->source, opt->topics[i], err);
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
	im->source =
		(struct import_source){.consumer = open_consumer(p, im, err),
			.pg = pg,
			.clock = opt->clock,
			.from = opt->from,
			.from_time = opt->from_time,
			.warned = opt->warned,
			.ctx = opt->ctx};
	if (im->source.consumer != NULL)
		rc = run(im, err);
	for (i = 0; i < im->batch_count; i++)
		ch_kafka_record_free(&im->batch[i]);
	ch_kafka_consumer_close(im->source.consumer, CLOSE_MS);
	for (i = 0; i < im->topic_count; i++)
		import_topic_close(&im->topics[i]);
	free(im->topics);
	free(im);
	return rc;
}
