/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_leaders: see the header. Two questions a topic: which partitions it
 * has (DescribeTopics), and the end of each (ListOffsets), which only a leader
 * that is at work answers.
 */
#include "kafka_leaders.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "kafka_ask.h"
#include "kafka_topic.h"

#define ABSENT_AGAIN_MS 1000
#define REQUEST_MS 2000

enum state {
	ASKING,
	READY,
	ABSENT,
};

struct topic {
	char *name;
	enum state state;
	bool asked;	      /* an answer is due */
	struct ch_mono since; /* ASKING: the first question; ABSENT: the last */
	rd_kafka_topic_partition_list_t *ends; /* what ListOffsets is asked */
};

struct ch_kafka_leaders {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	struct ch_map *topics;
	struct topic *last; /* of ready(): mostly the next one's too */
	size_t due;	    /* answers */
	int patience_ms;
};

static struct ch_mono
now(void)
{
	return ch_clock_mono(&ch_clock_real);
}

/* ---- questions ---- */

static void
ask_partitions(struct ch_kafka_leaders *l, struct topic *t)
{
	ch_kafka_ask_topic(l->rk, t->name, REQUEST_MS, l->queue, t);
	t->asked = true;
	l->due++;
}

static void
ask_leaders(struct ch_kafka_leaders *l, struct topic *t)
{
	ch_kafka_ask_ends(l->rk, t->ends, REQUEST_MS, l->queue, t);
	t->asked = true;
	l->due++;
}

/* ---- answers ---- */

static void
list_ends(struct topic *t, int32_t partitions)
{
	int32_t i;

	if (t->ends != NULL)
		rd_kafka_topic_partition_list_destroy(t->ends);
	t->ends = rd_kafka_topic_partition_list_new(partitions);
	for (i = 0; i < partitions; i++)
		(void)rd_kafka_topic_partition_list_add(t->ends, t->name, i);
}

/* CH_ENOTFOUND: there is no such topic. */
static int
take_partitions(struct topic *t, rd_kafka_event_t *ev, struct ch_err *err)
{
	struct ch_kafka_topic facts;
	int rc = ch_kafka_topic_read(ev, t->name, &facts, err);

	if (rc != 0)
		return rc;
	if (!facts.exists)
		return CH_ENOTFOUND;
	list_ends(t, facts.partitions);
	return 0;
}

static int
take_leaders(const struct topic *t, rd_kafka_event_t *ev, struct ch_err *err)
{
	const rd_kafka_ListOffsetsResultInfo_t **all;
	rd_kafka_resp_err_t code = rd_kafka_event_error(ev);
	size_t i, n = 0;

	if (code == 0)
		all = rd_kafka_ListOffsets_result_infos(
			rd_kafka_event_ListOffsets_result(ev), &n);
	for (i = 0; code == 0 && i < n; i++)
		code = rd_kafka_ListOffsetsResultInfo_topic_partition(all[i])
			       ->err;
	return code == 0 ? 0
			 : ch_err_set(err, CH_EKAFKA, "leaders of %s: %s",
				   t->name, rd_kafka_err2name(code));
}

static void
give_up(const struct ch_kafka_leaders *l, struct topic *t,
	const struct ch_err *why)
{
	ch_warn("kafka.leaders", CH_S("topic", t->name), CH_ERR(why),
		CH_I("waited_ms", l->patience_ms),
		CH_S("next", "records are sent without the leaders' word"));
	t->state = READY;
}

static void
ask_on(struct ch_kafka_leaders *l, struct topic *t, bool partitions_known)
{
	if (t->state == ABSENT)
		t->since = now();
	t->state = ASKING;
	if (partitions_known)
		ask_leaders(l, t);
	else
		ask_partitions(l, t);
}

static void
take_answer(struct ch_kafka_leaders *l, rd_kafka_event_t *ev)
{
	struct topic *t = rd_kafka_event_opaque(ev);
	bool of_topic =
		rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT;
	struct ch_err err = CH_ERR_INIT;
	int rc = of_topic ? take_partitions(t, ev, &err)
			  : take_leaders(t, ev, &err);

	l->due--;
	t->asked = false;
	if (rc == CH_ENOTFOUND) {
		t->state = ABSENT;
		t->since = now();
	} else if (rc == 0 && !of_topic) {
		t->state = READY;
	} else if (rc != 0 &&
		ch_mono_ms_since(now(), t->since) > l->patience_ms) {
		give_up(l, t, &err);
	} else {
		ask_on(l, t, rc == 0);
	}
}

void
ch_kafka_leaders_serve(struct ch_kafka_leaders *l, int timeout_ms)
{
	rd_kafka_event_t *ev;

	while (l->due > 0 &&
		(ev = rd_kafka_queue_poll(l->queue, timeout_ms)) != NULL) {
		take_answer(l, ev);
		rd_kafka_event_destroy(ev);
		timeout_ms = 0;
	}
}

bool
ch_kafka_leaders_is_asking(const struct ch_kafka_leaders *l)
{
	return l->due > 0;
}

/* ---- a topic ---- */

static struct topic *
topic_of(struct ch_kafka_leaders *l, const char *name)
{
	struct topic *t = l->last;

	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	t = ch_map_get(l->topics, ch_view_of(name));
	if (t == NULL) {
		t = ch_xcalloc(1, sizeof(*t));
		t->name = ch_xstrdup(name);
		t->since = now();
		(void)ch_map_put(l->topics, ch_view_of(name), t);
		ask_partitions(l, t);
	}
	l->last = t;
	return t;
}

bool
ch_kafka_leaders_ready(struct ch_kafka_leaders *l, const char *topic)
{
	struct topic *t = topic_of(l, topic);

	if (t->state == ABSENT && !t->asked &&
		ch_mono_ms_since(now(), t->since) > ABSENT_AGAIN_MS)
		ask_partitions(l, t);
	return t->state != ASKING;
}

int32_t
ch_kafka_leaders_partitions(struct ch_kafka_leaders *l, const char *topic)
{
	const struct topic *t = topic_of(l, topic);

	return t->state == READY && t->ends != NULL ? t->ends->cnt : 0;
}

struct ch_kafka_leaders *
ch_kafka_leaders_new(rd_kafka_t *rk, int wake, int patience_ms)
{
	static const uint64_t one = 1;
	struct ch_kafka_leaders *l = ch_xcalloc(1, sizeof(*l));

	l->rk = rk;
	l->patience_ms = patience_ms;
	l->queue = rd_kafka_queue_new(rk);
	l->topics = ch_map_new();
	rd_kafka_queue_io_event_enable(l->queue, wake, &one, sizeof(one));
	return l;
}

static void
free_topic(void *value)
{
	struct topic *t = value;

	if (t->ends != NULL)
		rd_kafka_topic_partition_list_destroy(t->ends);
	free(t->name);
	free(t);
}

void
ch_kafka_leaders_free(struct ch_kafka_leaders *l)
{
	if (l == NULL)
		return;
	rd_kafka_queue_io_event_enable(l->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(l->queue);
	ch_map_free(l->topics, free_topic);
	free(l);
}
