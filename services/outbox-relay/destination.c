/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination: see destination.h.
 */
#include "destination.h"

#include <inttypes.h>
#include <stdio.h>

#include "letters.h"
#include "replay.h"

void
destination_look_init(struct destination_look *l,
	const struct ch_params *params)
{
	*l = (struct destination_look){
		.params = params, .unlooked = CH_ERR_INIT};
}

void
destination_look_end(struct destination_look *l)
{
	topic_look_close(l->topics);
	l->topics = NULL;
}

static void
add_topic(struct destination_look *l, struct ch_view topic, int64_t part,
	struct destination *out)
{
	struct topic_seen seen;

	if (l->topics == NULL && l->unlooked.code == CH_OK)
		l->topics = topic_look_open(l->params, &l->unlooked);
	if (l->topics == NULL)
		return;
	seen = topic_look_at(l->topics, topic, part);
	out->lacks = seen.state == TOPIC_MISSING || seen.state == TOPIC_SHORT;
	if (seen.state == TOPIC_MISSING)
		(void)snprintf(out->words, sizeof(out->words),
			"this topic does not exist: create it first");
	else if (seen.state == TOPIC_SHORT)
		(void)snprintf(out->words, sizeof(out->words),
			"this topic has no such partition, but %" PRId32,
			seen.partitions);
	else if (seen.state == TOPIC_THERE)
		(void)snprintf(out->words, sizeof(out->words),
			"it exists, %" PRId32 " partitions", seen.partitions);
}

static void
add_endpoint(struct ch_pg *pg, struct ch_view topic, struct destination *out)
{
	bool missing = false;

	if (letters_endpoint_missing(pg, topic, &missing, NULL) != CH_OK)
		return;
	out->lacks = missing;
	if (missing)
		(void)snprintf(out->words, sizeof(out->words),
			"no running relay has this endpoint");
}

struct destination
destination_of(struct destination_look *l, struct ch_pg *pg,
	struct ch_view topic, int64_t part)
{
	struct destination out = {.lacks = false};

	if (!replay_is_target(topic)) {
		out.lacks = true;
		(void)snprintf(out.words, sizeof(out.words),
			"no topic can be that: they will be held; plan them "
			"with --to");
	} else if (ch_view_starts(topic, CH_VIEW("webhook:"))) {
		add_endpoint(pg, topic, &out);
	} else {
		add_topic(l, topic, part, &out);
	}
	return out;
}

const char *
destination_untold(const struct destination_look *l)
{
	if (l->topics != NULL)
		return topic_look_untold(l->topics);
	return l->unlooked.code != CH_OK ? l->unlooked.text : NULL;
}
