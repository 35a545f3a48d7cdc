/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_look: see topic_look.h.
 */
#include "topic_look.h"

#include <stdlib.h>

#include "base/mem.h"
#include "daemon/client_conf.h"
#include "io/kafka_producer.h"
#include "io/kafka_topic.h"

#define ASK_MS 3000

struct asked {
	char *name;
	struct topic_seen seen;
};

struct topic_look {
	struct ch_kafka_producer *client;
	struct asked *items;
	size_t count;
	bool is_silent; /* no broker has answered */
	struct ch_err untold;
};

struct topic_look *
topic_look_open(const struct ch_params *p, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct topic_look *l;

	if (conf == NULL)
		return NULL;
	l = ch_xcalloc(1, sizeof(*l));
	l->client = ch_kafka_producer_open(
		&(struct ch_kafka_producer_params){.conf = conf,
			.client_id = ch_params_str(p, "client_id"),
			.not_idempotent = true,
			.leaders_wait_ms = -1,
			.statistics_ms = -1},
		err);
	ch_kafka_conf_free(conf);
	if (l->client != NULL)
		return l;
	free(l);
	return NULL;
}

void
topic_look_close(struct topic_look *l)
{
	size_t i;

	if (l == NULL)
		return;
	ch_kafka_producer_close(l->client, 0);
	for (i = 0; i < l->count; i++)
		free(l->items[i].name);
	free(l->items);
	free(l);
}

static struct topic_seen
ask(struct topic_look *l, const char *topic)
{
	struct ch_kafka_topic is;
	int rc;

	if (l->is_silent)
		return (struct topic_seen){TOPIC_UNKNOWN, 0};
	rc = ch_kafka_topic_describe(ch_kafka_producer_raw(l->client), topic,
		ASK_MS, &is, &l->untold);
	l->is_silent = rc == CH_ETIMEOUT;
	if (rc != CH_OK)
		return (struct topic_seen){TOPIC_UNKNOWN, 0};
	return (struct topic_seen){
		is.exists ? TOPIC_THERE : TOPIC_MISSING, is.partitions};
}

static struct topic_seen
seen_of(struct topic_look *l, struct ch_view topic)
{
	struct asked *fresh;
	size_t i;

	for (i = l->count; i > 0; i--)
		if (ch_view_eq_str(topic, l->items[i - 1].name))
			return l->items[i - 1].seen;
	l->items = ch_xrealloc(l->items, l->count + 1, sizeof(*l->items));
	fresh = &l->items[l->count++];
	fresh->name = ch_xviewdup(topic);
	fresh->seen = ask(l, fresh->name);
	return fresh->seen;
}

struct topic_seen
topic_look_at(struct topic_look *l, struct ch_view topic, int64_t part)
{
	struct topic_seen seen = seen_of(l, topic);

	if (seen.state == TOPIC_THERE && part >= seen.partitions)
		seen.state = TOPIC_SHORT;
	return seen;
}

const char *
topic_look_untold(const struct topic_look *l)
{
	return l->untold.code != CH_OK ? l->untold.text : NULL;
}
