/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_ends: the answers come by a queue of its own.
 */
#include "kafka_ends.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka_ask.h"

#define REQUEST_MS 5000

struct ch_kafka_ends {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_topic_partition_list_t *wanted;
	bool asked; /* an answer is due */
};

static void
forget_wanted(struct ch_kafka_ends *e)
{
	if (e->wanted != NULL)
		rd_kafka_topic_partition_list_destroy(e->wanted);
	e->wanted = rd_kafka_topic_partition_list_new(16);
}

struct ch_kafka_ends *
ch_kafka_ends_new(rd_kafka_t *rk)
{
	struct ch_kafka_ends *e = ch_xcalloc(1, sizeof(*e));

	e->rk = rk;
	e->queue = rd_kafka_queue_new(rk);
	forget_wanted(e);
	return e;
}

void
ch_kafka_ends_free(struct ch_kafka_ends *e)
{
	if (e == NULL)
		return;
	rd_kafka_topic_partition_list_destroy(e->wanted);
	rd_kafka_queue_destroy(e->queue);
	free(e);
}

void
ch_kafka_ends_want(struct ch_kafka_ends *e, const char *topic,
	int32_t partition)
{
	if (rd_kafka_topic_partition_list_find(e->wanted, topic, partition) ==
		NULL)
		(void)rd_kafka_topic_partition_list_add(e->wanted, topic,
			partition);
}

void
ch_kafka_ends_ask(struct ch_kafka_ends *e)
{
	if (e->asked || e->wanted->cnt == 0)
		return;
	ch_kafka_ask_ends(e->rk, e->wanted, REQUEST_MS, e->queue, NULL);
	e->asked = true;
	forget_wanted(e);
}

static void
tell_ends(rd_kafka_event_t *ev, ch_kafka_end_fn *tell, void *ctx)
{
	const rd_kafka_ListOffsetsResultInfo_t **all;
	size_t n;

	all = rd_kafka_ListOffsets_result_infos(
		rd_kafka_event_ListOffsets_result(ev), &n);
	for (size_t i = 0; i < n; i++) {
		const rd_kafka_topic_partition_t *p =
			rd_kafka_ListOffsetsResultInfo_topic_partition(all[i]);

		if (p->err == 0 && p->offset >= 0)
			tell(ctx, p->topic, p->partition, p->offset);
	}
}

void
ch_kafka_ends_serve(struct ch_kafka_ends *e, ch_kafka_end_fn *tell, void *ctx)
{
	rd_kafka_event_t *ev;

	while ((ev = rd_kafka_queue_poll(e->queue, 0)) != NULL) {
		e->asked = false;
		if (rd_kafka_event_error(ev) != 0)
			ch_debug("kafka.ends",
				CH_S("error",
					rd_kafka_err2name(
						rd_kafka_event_error(ev))));
		else if (rd_kafka_event_type(ev) ==
			RD_KAFKA_EVENT_LISTOFFSETS_RESULT)
			tell_ends(ev, tell, ctx);
		rd_kafka_event_destroy(ev);
	}
}
