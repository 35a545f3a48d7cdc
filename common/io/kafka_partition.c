/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_partition: the consumer's table of topics and partitions, with where
 * each stands. Entries are made when first met and kept until the end, so that
 * names stay interned and a pause is remembered over an assignment.
 */
#include "kafka_consumer_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct kc_topic *
ch_kc_topic_get(struct ch_kafka_consumer *c, const char *name)
{
	struct kc_topic *t = c->last;

	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	t = ch_map_get(c->topics, ch_view_of(name));
	if (t == NULL) {
		t = ch_xcalloc(1, sizeof(*t));
		t->name = ch_xstrdup(name);
		(void)ch_map_put(c->topics, ch_view_of(name), t);
	}
	c->last = t;
	return t;
}

void
ch_kc_topic_free(void *p)
{
	struct kc_topic *t = p;

	free(t->partitions);
	free(t->name);
	free(t);
}

struct kc_partition *
ch_kc_partition_get(struct kc_topic *t, int32_t number)
{
	size_t i;

	assert(number >= 0);
	if ((size_t)number >= t->count) {
		t->partitions = ch_xrealloc(t->partitions, (size_t)number + 1,
			sizeof(*t->partitions));
		for (i = t->count; i <= (size_t)number; i++)
			t->partitions[i] = (struct kc_partition){
				.number = (int32_t)i, .next = -1, .at_end = -1};
		t->count = (size_t)number + 1;
	}
	return &t->partitions[number];
}

/* NULL unless assigned. */
struct kc_partition *
ch_kc_partition_find(const struct ch_kafka_consumer *c, const char *topic,
	int32_t number)
{
	struct kc_topic *t = ch_map_get(c->topics, ch_view_of(topic));

	if (t == NULL || number < 0 || (size_t)number >= t->count ||
		!t->partitions[number].assigned)
		return NULL;
	return &t->partitions[number];
}

void
ch_kc_partition_take(struct ch_kafka_consumer *c, struct kc_partition *p,
	int64_t offset)
{
	if (!p->assigned)
		c->assigned_count++;
	p->assigned = true;
	p->started = offset != CH_KAFKA_NOT_NOW;
	p->first = offset;
	p->next = offset >= 0 ? offset : -1;
	p->at_end = -1;
	p->dead = false;
}

void
ch_kc_partition_drop(struct ch_kafka_consumer *c, struct kc_partition *p)
{
	if (p->assigned)
		c->assigned_count--;
	p->assigned = false;
	p->started = false;
	p->next = -1;
}
