/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_topics: dry runs, and plans, say whether their targets are there.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dlq_private.h"
#include "replay.h"
#include "topic_look.h"

static void
add_topic(struct dlq *d, struct ch_view topic, int64_t part,
	struct dlq_target *out)
{
	struct ch_err err = CH_ERR_INIT;
	struct topic_seen seen;

	if (d->look == NULL)
		d->look = topic_look_open(d->rt->params, &err);
	if (d->look == NULL) {
		d->unlooked = err;
		return;
	}
	seen = topic_look_at(d->look, topic, part);
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
add_endpoint(struct dlq *d, struct ch_view topic, struct dlq_target *out)
{
	bool missing = false;

	if (letters_endpoint_missing(d->pg, topic, &missing, NULL) != CH_OK)
		return;
	out->lacks = missing;
	if (missing)
		(void)snprintf(out->words, sizeof(out->words),
			"no running relay has this endpoint");
}

struct dlq_target
dlq_target_of(struct dlq *d, struct ch_view topic, int64_t part)
{
	struct dlq_target out = {.lacks = false};

	if (!replay_is_target(topic)) {
		out.lacks = true;
		(void)snprintf(out.words, sizeof(out.words),
			"no topic can be that: they will be held; plan them "
			"with --to");
	} else if (ch_view_starts(topic, CH_VIEW("webhook:"))) {
		add_endpoint(d, topic, &out);
	} else {
		add_topic(d, topic, part, &out);
	}
	return out;
}

void
dlq_report_topics(const struct dlq *d)
{
	const char *why = d->look != NULL   ? topic_look_untold(d->look)
		: d->unlooked.code != CH_OK ? d->unlooked.text
					    : NULL;

	if (why != NULL)
		(void)fprintf(stderr,
			"dlq: the names of the topics are legal; whether they "
			"exist was not checked: %s\n",
			why);
}
