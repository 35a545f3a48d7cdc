/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: polling, with the group's word turned into partition states.
 *
 * The callbacks run inside of poll, also while a batch waits for PostgreSQL;
 * they touch states only. A partition taken away in the middle of a batch is
 * settled by the fence: that batch commits before the new owner's claim, or
 * not at all.
 */
#include "intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "meters.h"
#include "route.h"

#define FETCH_KBYTES 256
#define GATHER_TURN 64 /* records taken before looking elsewhere */
#define REOPEN_CLOSE_MS 2000
#define REOPEN_EVERY_MS 60000 /* sooner, another process has our name */
#define PAUSE_AFTER_MS 1000   /* full for so long: pause and poll */

static const char *const topics_of[TOPIC_KINDS] = {
	[TOPIC_COMMANDS] = "commands_topics",
	[TOPIC_TRADES] = "trades_topics",
	[TOPIC_FILLS] = "fills_topics"};

static bool
is_listed(const struct intake *in, enum topic_kind kind, const char *topic)
{
	size_t n = 0;
	const char *const *names =
		ch_params_list(in->rt->params, topics_of[kind], &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], topic) == 0)
			return true;
	return false;
}

static enum topic_kind
kind_of(const struct intake *in, const char *topic)
{
	if (is_listed(in, TOPIC_TRADES, topic))
		return TOPIC_TRADES;
	return is_listed(in, TOPIC_FILLS, topic) ? TOPIC_FILLS : TOPIC_COMMANDS;
}

/* How many bytes at the end of the topic's name say whose it is; 0: it is bound
 * to nobody. */
static size_t
bound_org_len(const struct intake *in, const struct partition *p)
{
	const char *prefix = ch_params_str(in->rt->params, "bound_topics");
	size_t len = strlen(prefix);
	if (len == 0 || p->kind != TOPIC_COMMANDS ||
		strncmp(p->topic, prefix, len) != 0)
		return 0;
	return strlen(p->topic + len);
}

static int64_t
on_assigned(void *ctx, const char *topic, int32_t part)
{
	struct intake *in = ctx;
	struct partition *p = partitions_get(&in->partitions, topic, part);
	p->kind = kind_of(in, topic);
	p->org_len = bound_org_len(in, p);
	p->attempts = 0;
	p->alone = 0;
	p->held = 0;
	p->told = false;
	p->hinted = -1;
	p->cut = -1;
	partition_forget_seen(p);
	partition_want(p, ch_clock_mono(in->rt->clock));
	return CH_KAFKA_NOT_NOW;
}

static void
on_revoked(void *ctx, const char *topic, int32_t part, bool lost)
{
	struct intake *in = ctx;
	(void)lost; /* the fence does not care */
	partition_move(partitions_get(&in->partitions, topic, part),
		PARTITION_GONE);
}

static void
on_topic_unknown(void *ctx)
{
	((struct intake *)ctx)->doubtful = true;
}

static void
on_error(void *ctx, const char *topic, int32_t part, rd_kafka_resp_err_t code,
	const char *text)
{
	struct intake *in = ctx;
	ch_warn("partition.error", CH_S("topic", topic), CH_I("part", part),
		CH_S("kafka", rd_kafka_err2name(code)), CH_S("error", text));
	if (part >= 0 && code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		struct partition *p =
			partitions_get(&in->partitions, topic, part);
		p->outside = true;
		p->cut = ch_kafka_error_cut(text);
		if (p->state == PARTITION_OWNED)
			partition_want(p, ch_clock_mono(in->rt->clock));
	}
}

/* ---- open ---- */

static int
open_consumer(struct intake *in, const struct ch_kafka_conf *conf,
	struct ch_err *err)
{
	const struct ch_params *p = in->rt->params;
	const char *instance = ch_params_str(p, "instance");
	int prefetch = (int)(ch_params_bytes(p, "prefetch") / 1024);
	/* What a record costs in the client beside its bytes is not in
	 * prefetch, and each partition passes its bound by one fetch. */
	int ahead = (int)ch_params_int(p, "batch_records");
	struct ch_kafka_consumer_params cp = {.conf = conf,
		.client_id = ch_params_str(p, "client_id"),
		.group_id = ch_params_str(p, "group"),
		.group_instance_id = instance[0] != '\0' ? instance : NULL,
		.group_protocol = ch_params_str(p, "group_protocol"),
		.session_timeout_ms = (int)ch_params_ms(p, "session_timeout"),
		.queued_max_kbytes = prefetch,
		.queued_min_messages = ahead,
		.fetch_kbytes = FETCH_KBYTES,
		.fetch_wait_max_ms = 100,
		.events = {.assigned = on_assigned,
			.revoked = on_revoked,
			.partition_error = on_error,
			.topic_unknown = on_topic_unknown},
		.ctx = in};
	in->consumer = ch_kafka_consumer_open(&cp, err);
	if (in->consumer == NULL)
		return err->code;
	in->ends = ch_kafka_ends_new(ch_kafka_consumer_raw(in->consumer));
	return 0;
}

static int
subscribe(struct intake *in, struct ch_err *err)
{
	const char *names[128];
	size_t count = 0;
	for (size_t k = 0; k < TOPIC_KINDS; k++) {
		size_t n = 0;
		const char *const *list =
			ch_params_list(in->rt->params, topics_of[k], &n);
		for (size_t i = 0; i < n && count < 128; i++)
			names[count++] = list[i];
	}
	return ch_kafka_consumer_subscribe(in->consumer, names, count, err);
}

static void
close_consumer(struct intake *in, int deadline_ms)
{
	ch_kafka_ends_free(in->ends);
	in->ends = NULL;
	(void)ch_kafka_consumer_close(in->consumer, deadline_ms);
	in->consumer = NULL;
}

static int
join_group(struct intake *in, struct ch_err *err)
{
	const struct ch_runtime *rt = in->rt;
	struct ch_kafka_conf *conf = ch_client_kafka_conf(rt->params, err);
	int rc;
	if (conf == NULL)
		return CH_ECONFIG;
	rc = open_consumer(in, conf, err);
	if (rc == 0)
		rc = subscribe(in, err);
	ch_kafka_conf_free(conf);
	return rc;
}

int
intake_open(struct intake *in, const struct ch_runtime *rt, struct ch_err *err)
{
	struct command_limits limits = {
		.value_max =
			(size_t)ch_params_bytes(rt->params, "record_bytes")};
	*in = (struct intake){.rt = rt,
		.max_records =
			(size_t)ch_params_int(rt->params, "batch_records"),
		.max_bytes =
			(size_t)ch_params_bytes(rt->params, "batch_bytes")};
	in->next = load_new(&limits);
	in->trades = trade_load_new(limits.value_max);
	in->reopen_from = ch_clock_mono(rt->clock);
	in->records[TOPIC_COMMANDS] =
		ch_metrics_series(rt->metrics, LM_RECORDS, "commands");
	in->records[TOPIC_TRADES] =
		ch_metrics_series(rt->metrics, LM_RECORDS, "trades");
	in->records[TOPIC_FILLS] =
		ch_metrics_series(rt->metrics, LM_RECORDS, "fills");
	int rc = join_group(in, err);
	if (rc != 0)
		intake_close(in, 1000);
	return rc;
}

bool
intake_was_fenced(const struct intake *in)
{
	char why[128];
	return in->fatal.code != CH_OK &&
		rd_kafka_fatal_error(ch_kafka_consumer_raw(in->consumer), why,
			sizeof(why)) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

int
intake_reopen(struct intake *in, struct ch_err *err)
{
	struct ch_mono now = ch_clock_mono(in->rt->clock);
	if (ch_mono_ms_since(now, in->reopen_from) < 0) {
		*err = in->fatal;
		return err->code;
	}
	ch_warn("kafka.reopen", CH_ERR(&in->fatal));
	ch_metric_add(in->rt->metrics, LM_REOPENED, 1);
	close_consumer(in, REOPEN_CLOSE_MS);
	partitions_free(&in->partitions);
	ch_err_clear(&in->fatal);
	in->paused = false;
	in->reopen_from.ns = now.ns + REOPEN_EVERY_MS * INT64_C(1000000);
	return join_group(in, err);
}

void
intake_close(struct intake *in, int deadline_ms)
{
	close_consumer(in, deadline_ms);
	load_free(in->next);
	trade_load_free(in->trades);
	in->next = NULL;
	in->trades = NULL;
	partitions_free(&in->partitions);
}

/* ---- gathering ---- */

static bool
is_full(const struct intake *in, size_t records, size_t bytes)
{
	return records >= in->max_records || bytes >= in->max_bytes;
}

static bool
intake_full(const struct intake *in)
{
	return is_full(in, in->next->batch.count, in->next->batch.bytes) ||
		batch_full(&in->next->batch) ||
		is_full(in, in->trades->count, in->trades->bytes);
}

/* Compaction and transactions leave holes that are right, so a hole is told
 * once; in a topic with neither it would be a record that nobody reads. */
static void
look_for_hole(struct intake *in, struct partition *p, int64_t offset)
{
	int64_t expected = partition_expect(p, offset);
	if (offset == expected)
		return;
	ch_metric_add(in->rt->metrics, LM_HOLES, 1);
	if (!p->hole_told)
		ch_warn("partition.hole", CH_S("topic", p->topic),
			CH_I("part", p->part), CH_I("expected", expected),
			CH_I("offset", offset));
	p->hole_told = true;
}

static void
take(struct intake *in, const struct ch_kafka_record *r)
{
	struct partition *p =
		partitions_get(&in->partitions, r->topic, r->partition);
	if (p->state != PARTITION_OWNED || r->offset < p->next_offset)
		return; /* it will be read again, or was applied */
	look_for_hole(in, p, r->offset);
	if (p->kind == TOPIC_COMMANDS && p->siblings > 0 &&
		r->key.ptr != NULL && route_of(r->key, p->siblings) != p->part)
		ch_metric_add(in->rt->metrics, LM_MISROUTED, 1);
	struct batch_header few[16];
	size_t n = ch_kafka_record_header_count(r);
	struct batch_header *headers =
		n <= 16 ? few : ch_xmalloc(n * sizeof(*headers));
	for (size_t i = 0; i < n; i++) {
		const char *name = "";
		ch_kafka_record_header_at(r, i, &name, &headers[i].value);
		headers[i].name = ch_view_of(name);
	}
	struct ch_time at;
	bool has_time = batch_record_time(r->timestamp_ms, &at);
	struct batch_record record = {.offset = r->offset,
		.leader_epoch = r->leader_epoch,
		.has_timestamp = has_time,
		.timestamp = at,
		.key = r->key,
		.value = r->value,
		.headers = headers,
		.header_count = n,
		.read_again = partition_decided(p, r->offset)};
	if (p->kind == TOPIC_TRADES)
		trade_load_add(in->trades, p, &record);
	else
		load_add(&in->next, p, &record);
	if (headers != few)
		free(headers);
	ch_series_add(in->records[p->kind], 1);
}

static void
pause_all(struct intake *in, bool pause)
{
	if (in->paused == pause)
		return;
	in->paused = pause;
	for (size_t i = 0; i < in->partitions.count; i++) {
		struct partition *p = in->partitions.items[i];
		if (p->state != PARTITION_OWNED)
			continue;
		if (pause)
			(void)ch_kafka_consumer_pause(in->consumer, p->topic,
				p->part, NULL);
		else
			(void)ch_kafka_consumer_resume(in->consumer, p->topic,
				p->part, NULL);
	}
}

void
intake_gather(struct intake *in)
{
	struct ch_mono now = ch_clock_mono(in->rt->clock);
	bool full = intake_full(in) || in->draining;
	if (full && ch_mono_ms_since(now, in->polled_at) < PAUSE_AFTER_MS)
		return;
	pause_all(in, full);
	in->polled_at = now;
	struct ch_kafka_record r;
	for (int i = 0; i < GATHER_TURN && in->fatal.code == CH_OK; i++) {
		int got =
			ch_kafka_consumer_poll(in->consumer, 0, &r, &in->fatal);
		if (got <= 0)
			return;
		take(in, &r);
		ch_kafka_record_free(&r);
		if (intake_full(in) && !full)
			return;
	}
}

int
intake_fd(const struct intake *in)
{
	if (intake_full(in) || in->draining)
		return -1;
	return ch_kafka_consumer_fd(in->consumer);
}

void
intake_disown_all(struct intake *in, struct ch_mono retry_at)
{
	for (size_t i = 0; i < in->partitions.count; i++) {
		struct partition *p = in->partitions.items[i];
		/* a stopped one, too: an operator may have put it right */
		if (p->state != PARTITION_OWNED &&
			p->state != PARTITION_STOPPED)
			continue;
		(void)ch_kafka_consumer_pause(in->consumer, p->topic, p->part,
			NULL);
		partition_want(p, retry_at);
	}
	load_clear(in->next);
	trade_load_clear(in->trades);
}

void
intake_commit_hints(struct intake *in)
{
	struct ch_kafka_position at[256];
	size_t n = 0;
	if (in->consumer == NULL || !ch_kafka_consumer_reachable(in->consumer))
		return; /* it would wait there, and fence a later membership */
	for (size_t i = 0; i < in->partitions.count && n < 256; i++) {
		struct partition *p = in->partitions.items[i];
		if (p->state != PARTITION_OWNED || p->hinted == p->next_offset)
			continue;
		p->hinted = p->next_offset;
		at[n++] = (struct ch_kafka_position){
			p->topic, p->part, p->next_offset};
	}
	if (n > 0)
		ch_kafka_consumer_commit(in->consumer, at, n);
}

/* ---- how much waits ---- */

static void
hear_end(void *ctx, const char *topic, int32_t part, int64_t end)
{
	struct intake *in = ctx;
	for (size_t i = 0; i < in->partitions.count; i++) {
		struct partition *p = in->partitions.items[i];
		if (p->part == part && strcmp(p->topic, topic) == 0)
			p->end = end;
	}
}

void
intake_hear_ends(struct intake *in)
{
	ch_kafka_ends_serve(in->ends, hear_end, in);
	for (size_t i = 0; i < in->partitions.count; i++) {
		struct partition *p = in->partitions.items[i];
		int64_t low, high;
		if (p->state == PARTITION_GONE)
			continue;
		if (p->state != PARTITION_OWNED || in->paused)
			ch_kafka_ends_want(in->ends, p->topic, p->part);
		else if (ch_kafka_consumer_watermarks(in->consumer, p->topic,
				 p->part, &low, &high) == 0)
			p->end = high;
	}
	ch_kafka_ends_ask(in->ends);
}
