/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_opening: see the header.
 */
#include "kafka_opening.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* A broker forgets a producer id that wrote nothing for a day (its default
 * producer.id.expiration.ms). */
#define PROVEN_MS INT64_C(12 * 3600 * 1000)

struct partition {
	uint64_t out_in; /* the round its last record was sent in */
	bool written;
	struct ch_mono written_at;
};

struct topic {
	char *name;
	int32_t count;
	struct partition *partitions;
};

struct ch_kafka_opening {
	struct ch_map *topics;
	struct topic *last; /* mostly the next one's too */
	uint64_t round;	    /* counts settlements, from 1 */
};

struct ch_kafka_opening *
ch_kafka_opening_new(void)
{
	struct ch_kafka_opening *o = ch_xcalloc(1, sizeof(*o));

	o->topics = ch_map_new();
	o->round = 1;
	return o;
}

static void
free_topic(void *value)
{
	struct topic *t = value;

	free(t->name);
	free(t->partitions);
	free(t);
}

void
ch_kafka_opening_free(struct ch_kafka_opening *o)
{
	if (o == NULL)
		return;
	ch_map_free(o->topics, free_topic);
	free(o);
}

static struct topic *
topic_of(struct ch_kafka_opening *o, const char *name)
{
	struct topic *t = o->last;

	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	t = ch_map_get(o->topics, ch_view_of(name));
	if (t == NULL) {
		t = ch_xcalloc(1, sizeof(*t));
		t->name = ch_xstrdup(name);
		(void)ch_map_put(o->topics, ch_view_of(name), t);
	}
	o->last = t;
	return t;
}

static struct partition *
partition_of(struct ch_kafka_opening *o, const char *topic, int32_t partition)
{
	struct topic *t = topic_of(o, topic);
	size_t want = (size_t)partition + 1, have = (size_t)t->count;

	if (have < want) {
		t->partitions = ch_xrealloc(t->partitions, want,
			sizeof(*t->partitions));
		memset(&t->partitions[have], 0,
			(want - have) * sizeof(*t->partitions));
		t->count = partition + 1;
	}
	return &t->partitions[partition];
}

static bool
is_proven(const struct partition *p, struct ch_mono now)
{
	return p->written && ch_mono_ms_since(now, p->written_at) < PROVEN_MS;
}

bool
ch_kafka_opening_admits(struct ch_kafka_opening *o, const char *topic,
	int32_t partition, struct ch_mono now)
{
	const struct partition *p;

	if (partition < 0)
		return true;
	p = partition_of(o, topic, partition);
	return p->out_in != o->round || is_proven(p, now);
}

void
ch_kafka_opening_sent(struct ch_kafka_opening *o, const char *topic,
	int32_t partition)
{
	if (partition >= 0)
		partition_of(o, topic, partition)->out_in = o->round;
}

void
ch_kafka_opening_reported(struct ch_kafka_opening *o, const char *topic,
	int32_t partition, bool written, struct ch_mono now)
{
	struct partition *p;

	if (partition < 0)
		return;
	p = partition_of(o, topic, partition);
	if (written) {
		p->written = true;
		p->written_at = now;
	} else if (!is_proven(p, now)) {
		p->out_in = 0;
	}
}

void
ch_kafka_opening_settled(struct ch_kafka_opening *o)
{
	o->round++;
}
