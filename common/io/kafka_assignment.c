/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_assignment: which partitions are read, and from where: rebalances,
 * manual assignment, start, pause, resume.
 *
 * Three facts of librdkafka 2.x that this file leans on: an application's
 * pause survives unassign and assign (so a start always resumes); a seek is
 * carried out in order with pause and resume of the same partition; and after
 * an offset that the log does not hold the partition's fetcher is dead and
 * ignores seeks, so that such a partition is assigned anew.
 *
 * And a trap: a partition that waits for its start (CH_KAFKA_NOT_NOW) must not
 * be assigned at a logical offset (END). librdkafka asks the broker for it, and
 * an answer that a seek has overtaken makes it ask again and go there: the
 * records between are skipped in silence. Offset 0 asks nothing; the partition
 * is paused before it is assigned, and the start seeks.
 */
#include "kafka_consumer_private.h"

#include <assert.h>

#include "base/log.h"

#define HELD_AT 0 /* what librdkafka gets for CH_KAFKA_NOT_NOW */

static int
not_assigned(struct ch_err *err, const char *topic, int32_t number)
{
	return ch_err_set(err, CH_ENOTFOUND,
		"partition %s-%d is not assigned to this process", topic,
		number);
}

/* ---- pausing, all in librdkafka's lists ---- */

static void
set_paused(struct ch_kafka_consumer *c, rd_kafka_topic_partition_list_t *list,
	bool paused)
{
	rd_kafka_topic_partition_t *e;
	rd_kafka_resp_err_t code;
	int i;

	if (list->cnt == 0)
		return;
	code = paused ? rd_kafka_pause_partitions(c->rk, list)
		      : rd_kafka_resume_partitions(c->rk, list);
	for (i = 0; i < list->cnt; i++) {
		e = &list->elems[i];
		if (code != 0 || e->err != 0)
			ch_warn("kafka.pause", CH_S("topic", e->topic),
				CH_I("partition", e->partition),
				CH_B("pause", paused),
				CH_S("error",
					rd_kafka_err2name(code != 0 ? code
								    : e->err)));
		ch_kc_partition_get(ch_kc_topic_get(c, e->topic), e->partition)
			->paused = paused;
	}
}

static void
set_one_paused(struct ch_kafka_consumer *c, const char *topic, int32_t number,
	bool paused)
{
	rd_kafka_topic_partition_list_t *one =
		rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(one, topic, number);
	set_paused(c, one, paused);
	rd_kafka_topic_partition_list_destroy(one);
}

/* After an assign: holds what is not started, lets go what an earlier
 * assignment left paused. */
static void
align_pauses(struct ch_kafka_consumer *c,
	const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *hold, *go;
	struct kc_partition *p;
	int i;

	hold = rd_kafka_topic_partition_list_new(list->cnt);
	go = rd_kafka_topic_partition_list_new(list->cnt);
	for (i = 0; i < list->cnt; i++) {
		p = ch_kc_partition_get(ch_kc_topic_get(c,
						list->elems[i].topic),
			list->elems[i].partition);
		if (!p->started || p->paused)
			rd_kafka_topic_partition_list_add(p->started ? go
								     : hold,
				list->elems[i].topic, p->number);
	}
	set_paused(c, hold, true);
	set_paused(c, go, false);
	rd_kafka_topic_partition_list_destroy(hold);
	rd_kafka_topic_partition_list_destroy(go);
}

/* Before an assign, so that nothing is fetched at HELD_AT. A partition that
 * librdkafka has not met yet cannot be paused: align_pauses() does it then. */
static void
hold_early(struct ch_kafka_consumer *c,
	const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *hold =
		rd_kafka_topic_partition_list_new(list->cnt);
	int i;

	for (i = 0; i < list->cnt; i++)
		if (!ch_kc_partition_get(ch_kc_topic_get(c,
						 list->elems[i].topic),
			    list->elems[i].partition)
				->started)
			rd_kafka_topic_partition_list_add(hold,
				list->elems[i].topic, list->elems[i].partition);
	if (hold->cnt > 0)
		(void)rd_kafka_pause_partitions(c->rk, hold);
	rd_kafka_topic_partition_list_destroy(hold);
}

/* ---- rebalances ---- */

static bool
is_cooperative(rd_kafka_t *rk)
{
	return strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
}

void
ch_kc_log_error(const char *event, rd_kafka_error_t *e)
{
	if (e == NULL)
		return;
	ch_error(event, CH_S("error", rd_kafka_error_string(e)),
		CH_S("code", rd_kafka_error_name(e)));
	rd_kafka_error_destroy(e);
}

static void
rebalance_assign(struct ch_kafka_consumer *c,
	rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code;
	struct kc_topic *t;
	int64_t offset;
	int i;

	for (i = 0; i < list->cnt; i++) {
		rd_kafka_topic_partition_t *e = &list->elems[i];

		t = ch_kc_topic_get(c, e->topic);
		offset = CH_KAFKA_NOT_NOW;
		if (c->events.assigned != NULL)
			offset = c->events.assigned(c->ctx, t->name,
				e->partition);
		ch_kc_partition_take(c, ch_kc_partition_get(t, e->partition),
			offset);
		e->offset = offset != CH_KAFKA_NOT_NOW ? offset : HELD_AT;
	}
	hold_early(c, list);
	if (is_cooperative(c->rk)) {
		ch_kc_log_error("kafka.assign",
			rd_kafka_incremental_assign(c->rk, list));
	} else {
		code = rd_kafka_assign(c->rk, list);
		if (code != 0)
			ch_error("kafka.assign",
				CH_S("code", rd_kafka_err2name(code)));
	}
	align_pauses(c, list);
}

static void
rebalance_revoke(struct ch_kafka_consumer *c,
	rd_kafka_topic_partition_list_t *list)
{
	bool lost = rd_kafka_assignment_lost(c->rk) != 0;
	struct kc_partition *p;
	struct kc_topic *t;
	int i;

	for (i = 0; i < list->cnt; i++) {
		t = ch_kc_topic_get(c, list->elems[i].topic);
		p = ch_kc_partition_get(t, list->elems[i].partition);
		if (!p->assigned)
			continue;
		if (lost)
			c->counts.lost++;
		if (c->events.revoked != NULL && !c->manual)
			c->events.revoked(c->ctx, t->name, p->number, lost);
		ch_kc_partition_drop(c, p);
	}
	if (is_cooperative(c->rk))
		ch_kc_log_error("kafka.unassign",
			rd_kafka_incremental_unassign(c->rk, list));
	else
		(void)rd_kafka_assign(c->rk, NULL);
}

void
ch_kc_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct ch_kafka_consumer *c = opaque;

	c->counts.rebalances++;
	c->reachable = true;
	ch_info("kafka.rebalance",
		CH_S("what",
			code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
				? "assign"
				: "revoke"),
		CH_I("partitions", list != NULL ? list->cnt : 0),
		CH_S("protocol", rd_kafka_rebalance_protocol(rk)));
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		rebalance_assign(c, list);
	} else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		rebalance_revoke(c, list);
	} else {
		c->counts.errors++;
		ch_error("kafka.rebalance",
			CH_S("code", rd_kafka_err2name(code)));
		(void)rd_kafka_assign(rk, NULL);
	}
}

/* ---- what to read ---- */

int
ch_kafka_consumer_subscribe(struct ch_kafka_consumer *c,
	const char *const *topics, size_t n, struct ch_err *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	size_t i;

	assert(!c->manual);
	list = rd_kafka_topic_partition_list_new((int)n);
	for (i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, topics[i],
			RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != 0)
		return ch_err_set(err, CH_EKAFKA, "subscribe: %s (%s)",
			rd_kafka_err2str(code), rd_kafka_err2name(code));
	return 0;
}

struct collect {
	struct ch_kafka_consumer *c;
	rd_kafka_topic_partition_list_t *list;
};

/* Adds what is assigned now, to go on where it stands. */
static bool
collect_assigned(void *ctx, struct ch_view key, void *value)
{
	struct collect *k = ctx;
	struct kc_topic *t = value;
	struct kc_partition *p;
	size_t i;

	(void)key;
	for (i = 0; i < t->count; i++) {
		p = &t->partitions[i];
		if (p->assigned)
			rd_kafka_topic_partition_list_add(k->list, t->name,
				p->number)
				->offset = p->next >= 0 ? p->next : p->first;
	}
	return true;
}

/* NOT_NOW is ours. */
static void
hide_not_now(rd_kafka_topic_partition_list_t *list)
{
	int i;

	for (i = 0; i < list->cnt; i++)
		if (list->elems[i].offset == CH_KAFKA_NOT_NOW)
			list->elems[i].offset = HELD_AT;
}

static bool
drop_all(void *ctx, struct ch_view key, void *value)
{
	struct kc_topic *t = value;
	size_t i;

	(void)key;
	for (i = 0; i < t->count; i++)
		ch_kc_partition_drop(ctx, &t->partitions[i]);
	return true;
}

/* Assigns a list (offsets set) and takes it over. */
static int
assign_list(struct ch_kafka_consumer *c, rd_kafka_topic_partition_list_t *list,
	struct ch_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, list);
	int i;

	if (code == 0) {
		ch_map_each(c->topics, drop_all, c);
		for (i = 0; i < list->cnt; i++)
			ch_kc_partition_take(c,
				ch_kc_partition_get(
					ch_kc_topic_get(c,
						list->elems[i].topic),
					list->elems[i].partition),
				list->elems[i].offset);
		align_pauses(c, list);
	}
	rd_kafka_topic_partition_list_destroy(list);
	if (code != 0)
		return ch_err_set(err, CH_EKAFKA, "assign: %s (%s)",
			rd_kafka_err2str(code), rd_kafka_err2name(code));
	return 0;
}

int
ch_kafka_consumer_assign(struct ch_kafka_consumer *c,
	const struct ch_kafka_position *positions, size_t n, struct ch_err *err)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)n);
	size_t i;

	assert(c->manual);
	for (i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, positions[i].topic,
			positions[i].partition)
			->offset = positions[i].offset;
	return assign_list(c, list, err);
}

int
ch_kafka_consumer_assign_topic(struct ch_kafka_consumer *c, const char *topic,
	int64_t offset, int timeout_ms, struct ch_err *err)
{
	struct ch_kafka_topic facts;
	struct collect k = {c, NULL};
	int32_t i;
	int rc;

	assert(c->manual);
	rc = ch_kafka_topic_partitions(c->rk, topic, timeout_ms, &facts, err);
	if (rc != 0)
		return rc;
	if (!facts.exists)
		return ch_err_set(err, CH_ENOTFOUND, "topic %s does not exist",
			topic);
	k.list = rd_kafka_topic_partition_list_new(facts.partitions);
	ch_map_each(c->topics, collect_assigned, &k);
	for (i = 0; i < facts.partitions; i++)
		if (ch_kc_partition_find(c, topic, i) == NULL)
			rd_kafka_topic_partition_list_add(k.list, topic, i)
				->offset = offset;
	return assign_list(c, k.list, err);
}

static rd_kafka_resp_err_t
code_of(rd_kafka_error_t *e)
{
	rd_kafka_resp_err_t code = 0;

	if (e != NULL) {
		code = rd_kafka_error_code(e);
		rd_kafka_error_destroy(e);
	}
	return code;
}

static void
place(rd_kafka_topic_partition_t *e, int64_t offset, int32_t leader_epoch)
{
	e->offset = offset;
	rd_kafka_topic_partition_set_leader_epoch(e, leader_epoch);
}

/* Gives a partition a new fetcher, at the place in `one`. */
static rd_kafka_resp_err_t
assign_anew(struct ch_kafka_consumer *c, rd_kafka_topic_partition_list_t *one)
{
	struct collect k = {c, NULL};
	rd_kafka_topic_partition_t *e = &one->elems[0];
	rd_kafka_resp_err_t code;

	if (is_cooperative(c->rk)) {
		code = code_of(rd_kafka_incremental_unassign(c->rk, one));
		if (code == 0)
			code = code_of(rd_kafka_incremental_assign(c->rk, one));
		return code;
	}
	k.list = rd_kafka_topic_partition_list_new(1);
	ch_map_each(c->topics, collect_assigned, &k);
	place(rd_kafka_topic_partition_list_find(k.list, e->topic,
		      e->partition),
		e->offset, rd_kafka_topic_partition_get_leader_epoch(e));
	hide_not_now(k.list);
	code = rd_kafka_assign(c->rk, NULL);
	if (code == 0)
		code = rd_kafka_assign(c->rk, k.list);
	rd_kafka_topic_partition_list_destroy(k.list);
	return code;
}

static rd_kafka_resp_err_t
seek(struct ch_kafka_consumer *c, rd_kafka_topic_partition_list_t *one)
{
	rd_kafka_error_t *e = rd_kafka_seek_partitions(c->rk, one, 0);
	rd_kafka_resp_err_t code = e != NULL ? code_of(e) : one->elems[0].err;

	/* That is how a seek that does not wait succeeds. */
	return code == RD_KAFKA_RESP_ERR__IN_PROGRESS ? 0 : code;
}

int
ch_kafka_consumer_start(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t offset, struct ch_err *err)
{
	return ch_kafka_consumer_start_behind(c, topic, partition, offset, -1,
		err);
}

int
ch_kafka_consumer_start_behind(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t offset, int32_t leader_epoch,
	struct ch_err *err)
{
	struct kc_partition *p = ch_kc_partition_find(c, topic, partition);
	rd_kafka_topic_partition_list_t *one;
	rd_kafka_resp_err_t code;

	if (p == NULL)
		return not_assigned(err, topic, partition);
	one = rd_kafka_topic_partition_list_new(1);
	place(rd_kafka_topic_partition_list_add(one, topic, partition), offset,
		leader_epoch);
	code = p->dead ? assign_anew(c, one) : seek(c, one);
	if (code == 0) {
		ch_kc_partition_take(c, p, offset);
		set_paused(c, one, false);
	}
	rd_kafka_topic_partition_list_destroy(one);
	if (code != 0)
		return ch_err_set(err, CH_EKAFKA, "start of %s-%d: %s", topic,
			partition, rd_kafka_err2name(code));
	return 0;
}

int
ch_kafka_consumer_pause(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err)
{
	struct kc_partition *p = ch_kc_partition_find(c, topic, partition);

	if (p == NULL)
		return not_assigned(err, topic, partition);
	if (!p->paused)
		set_one_paused(c, topic, partition, true);
	return 0;
}

int
ch_kafka_consumer_resume(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, struct ch_err *err)
{
	struct kc_partition *p = ch_kc_partition_find(c, topic, partition);

	if (p == NULL)
		return not_assigned(err, topic, partition);
	if (p->started && p->paused)
		set_one_paused(c, topic, partition, false);
	return 0;
}
