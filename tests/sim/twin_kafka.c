/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_kafka: io/kafka_consumer.h and io/kafka_topic.h in a simulation: what
 * intake.c and fence.c call, on top of broker.h.
 *
 * It keeps the promises that those headers make and no more: calls back inside
 * of poll and close only; nothing is given out before a partition was started
 * or while it is paused; a poll may find nothing although something is there.
 */
#include <stdlib.h>

#include "io/kafka_consumer.h"
#include "io/kafka_ends.h"
#include "io/kafka_group.h"
#include "io/kafka_topic.h"
#include "twin_pg.h"
#include "world.h"

const char *const ch_kafka_consumer_reserved[] = {NULL};

struct ch_kafka_consumer *
ch_kafka_consumer_open(const struct ch_kafka_consumer_params *params,
	struct ch_err *err)
{
	struct ch_kafka_consumer *c = ch_xcalloc(1, sizeof(*c));
	struct proc *p = world_now()->running;

	(void)err;
	c->process = p;
	c->events = params->events;
	c->ctx = params->ctx;
	p->consumer = c;
	return c;
}

int
ch_kafka_consumer_subscribe(struct ch_kafka_consumer *c,
	const char *const *topics, size_t n, struct ch_err *err)
{
	(void)topics;
	(void)n;
	(void)err;
	c->joined = !c->process->killed;
	return 0;
}

static const enum sim_event turned[BROKER_TOPICS] = {
	[BROKER_COMMANDS] = EVENT_TURNED,
	[BROKER_FILLS] = EVENT_FILLS_TURNED,
	[BROKER_TRADES] = EVENT_TRADES_TURNED};
static const enum sim_event read_again[BROKER_TOPICS] = {
	[BROKER_COMMANDS] = EVENT_READ_AGAIN,
	[BROKER_FILLS] = EVENT_FILL_READ_AGAIN,
	[BROKER_TRADES] = EVENT_PRINT_READ_AGAIN};

/* ---- calls back ---- */

static void
revoke(struct ch_kafka_consumer *c, int part)
{
	const struct broker *b = &c->process->world->broker;
	struct sim_assigned *a = &c->parts[part];
	bool lost = a->lost;

	*a = (struct sim_assigned){.to_assign = a->to_assign};
	if (twin_pg_in_transaction(c->process->pg))
		world_count(c->process->world,
			turned[broker_topic_of(b, part)]);
	c->events.revoked(c->ctx, broker_topic_name(b, part),
		broker_partition(b, part), lost);
}

static void
call_back(struct ch_kafka_consumer *c)
{
	struct broker *b = &c->process->world->broker;

	for (int i = 0; i < b->part_count; i++) {
		struct sim_assigned *a = &c->parts[i];

		if (a->to_revoke) {
			revoke(c, i);
			broker_let_go(b, i, c->process);
		}
		if (a->to_assign) {
			*a = (struct sim_assigned){.assigned = true};
			(void)c->events.assigned(c->ctx,
				broker_topic_name(b, i),
				broker_partition(b, i));
		}
	}
}

size_t
ch_kafka_consumer_close(struct ch_kafka_consumer *c, int deadline_ms)
{
	(void)deadline_ms;
	if (c == NULL)
		return 0;
	if (!c->process->killed)
		broker_left(&c->process->world->broker, c->process);
	for (int i = 0; i < BROKER_PARTS; i++) {
		if (c->parts[i].assigned)
			revoke(c, i);
	}
	c->process->consumer = NULL;
	free(c);
	return 0;
}

/* ---- records ---- */

static const struct sim_record *
next_record(const struct topic_part *t, int64_t position)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->records[i].offset >= position)
			return &t->records[i];
	}
	return NULL;
}

static bool
take_from(struct ch_kafka_consumer *c, int part, struct ch_kafka_record *out)
{
	struct world *w = c->process->world;
	struct sim_assigned *a = &c->parts[part];
	const struct sim_record *r;
	struct sim_record *own;

	if (!a->started || a->paused)
		return false;
	r = next_record(&w->broker.parts[part], a->position);
	if (r == NULL)
		return false;
	own = broker_record(&w->broker, part, r->offset);
	if (own->reads++ > 0)
		world_count(w, read_again[broker_topic_of(&w->broker, part)]);
	a->position = r->offset + 1;
	*out = (struct ch_kafka_record){
		.topic = broker_topic_name(&w->broker, part),
		.partition = broker_partition(&w->broker, part),
		.offset = r->offset,
		.key = CH_VIEW("acme/a"),
		.value = {r->value, r->len},
		.timestamp_ms = r->at_ms};
	return true;
}

int
ch_kafka_consumer_poll(struct ch_kafka_consumer *c, int timeout_ms,
	struct ch_kafka_record *out, struct ch_err *err)
{
	struct proc *p = c->process;
	struct broker *b = &p->world->broker;
	int first = (int)world_below(p->world, (unsigned)b->part_count);

	(void)timeout_ms;
	if (p->killed || p->stopped_until != 0)
		return 0;
	if (c->finished)
		return ch_err_set(err, CH_EKAFKA, "its name was taken");
	call_back(c);
	if (world_one_in(p->world, 3))
		return 0;
	for (int i = 0; i < b->part_count; i++) {
		if (!take_from(c, (first + i) % b->part_count, out))
			continue;
		proc_point(p, POINT_POLL);
		return 1;
	}
	return 0;
}

void
ch_kafka_record_free(struct ch_kafka_record *r)
{
	(void)r;
}

size_t
ch_kafka_record_header_count(const struct ch_kafka_record *r)
{
	(void)r;
	return 0;
}

bool
ch_kafka_record_header_at(const struct ch_kafka_record *r, size_t idx,
	const char **name, struct ch_view *value)
{
	(void)r;
	(void)idx;
	(void)name;
	(void)value;
	return false;
}

int
ch_kafka_consumer_fd(const struct ch_kafka_consumer *c)
{
	(void)c;
	return 0;
}

/* ---- the owner's word ---- */

static int
part_of(const struct ch_kafka_consumer *c, const char *topic, int partition)
{
	return broker_part(&c->process->world->broker, ch_view_of(topic),
		partition);
}

int
ch_kafka_consumer_start_behind(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t offset, int32_t leader_epoch,
	struct ch_err *err)
{
	int part = part_of(c, topic, partition);
	struct sim_assigned *a = &c->parts[part];
	const struct world *w = c->process->world;

	(void)leader_epoch;
	if (!a->assigned)
		return ch_err_set(err, CH_ENOTFOUND, "not assigned");
	if (w->bug == BUG_STARTS_AT_END && offset < w->broker.parts[part].end)
		offset = w->broker.parts[part].end;
	a->started = true;
	a->paused = false;
	a->position = offset;
	return 0;
}

int
ch_kafka_consumer_pause(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err)
{
	(void)err;
	c->parts[part_of(c, topic, partition)].paused = true;
	return 0;
}

int
ch_kafka_consumer_resume(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err)
{
	(void)err;
	c->parts[part_of(c, topic, partition)].paused = false;
	return 0;
}

void
ch_kafka_consumer_commit(struct ch_kafka_consumer *c,
	const struct ch_kafka_position *positions, size_t n)
{
	struct broker *b = &c->process->world->broker;

	for (size_t i = 0; i < n; i++)
		b->parts[part_of(c, positions[i].topic, positions[i].partition)]
			.committed = positions[i].offset;
}

int
ch_kafka_group_committed(rd_kafka_t *rk, const char *topic, int32_t partition,
	int timeout_ms, int64_t *offset, struct ch_err *err)
{
	const struct ch_kafka_consumer *c = (const void *)rk;

	(void)timeout_ms;
	(void)err;
	*offset = c->process->world->broker.parts[part_of(c, topic, partition)]
			  .committed;
	return 0;
}

/* Nobody restarts a partition in a history. */
int
ch_kafka_group_commit(rd_kafka_t *rk, const char *topic, int32_t partition,
	int64_t offset, int timeout_ms, struct ch_err *err)
{
	(void)rk;
	(void)offset;
	(void)timeout_ms;
	return ch_err_set(err, CH_EKAFKA, "%s-%d is restarted by nobody", topic,
		partition);
}

/* ---- what is asked of it ---- */

int
ch_kafka_consumer_watermarks(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t *low, int64_t *high)
{
	*low = 0;
	*high = c->process->world->broker.parts[part_of(c, topic, partition)]
			.end;
	return 0;
}

int
ch_kafka_consumer_query_watermarks(struct ch_kafka_consumer *c,
	const char *topic, int32_t partition, int timeout_ms, int64_t *low,
	int64_t *high, struct ch_err *err)
{
	(void)timeout_ms;
	(void)err;
	return ch_kafka_consumer_watermarks(c, topic, partition, low, high);
}

/* Nothing of a history shows in a gauge. */
struct ch_kafka_ends *
ch_kafka_ends_new(rd_kafka_t *rk)
{
	(void)rk;
	return NULL;
}

void
ch_kafka_ends_free(struct ch_kafka_ends *e)
{
	(void)e;
}

void
ch_kafka_ends_want(struct ch_kafka_ends *e, const char *topic,
	int32_t partition)
{
	(void)e;
	(void)topic;
	(void)partition;
}

void
ch_kafka_ends_ask(struct ch_kafka_ends *e)
{
	(void)e;
}

void
ch_kafka_ends_serve(struct ch_kafka_ends *e, ch_kafka_end_fn *tell, void *ctx)
{
	(void)e;
	(void)tell;
	(void)ctx;
}

bool
ch_kafka_consumer_reachable(const struct ch_kafka_consumer *c)
{
	(void)c;
	return true;
}

rd_kafka_t *
ch_kafka_consumer_raw(struct ch_kafka_consumer *c)
{
	return (rd_kafka_t *)(void *)c;
}

int
ch_kafka_topic_describe(rd_kafka_t *rk, const char *topic, int timeout_ms,
	struct ch_kafka_topic *out, struct ch_err *err)
{
	const struct ch_kafka_consumer *c = (const void *)rk;
	const struct broker *b = &c->process->world->broker;

	(void)timeout_ms;
	(void)err;
	*out = (struct ch_kafka_topic){.exists = true,
		.partitions = broker_siblings(b, part_of(c, topic, 0)),
		.has_id = true,
		.id = {.bytes = {1}}};
	return 0;
}

int
ch_kafka_cluster_id(rd_kafka_t *rk, int timeout_ms,
	char out[CH_KAFKA_CLUSTER_ID_MAX], struct ch_err *err)
{
	(void)rk;
	(void)timeout_ms;
	(void)err;
	(void)memcpy(out, "sim", sizeof("sim"));
	return 0;
}

int64_t
ch_kafka_error_cut(const char *text)
{
	(void)text;
	return -1;
}

rd_kafka_resp_err_t
rd_kafka_fatal_error(rd_kafka_t *rk, char *text, size_t size)
{
	(void)rk;
	if (size > 0)
		text[0] = '\0';
	return RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

const char *
rd_kafka_err2name(rd_kafka_resp_err_t code)
{
	(void)code;
	return "?";
}
