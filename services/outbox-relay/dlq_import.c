/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq_import: letters of other systems' dead-letter topics.
 */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/signals.h"
#include "dlq_private.h"

struct session {
	const struct dlq *d;
	int signals; /* -1: the first one ends the process */
	bool stopping;
	int64_t gone;
};

static bool
stopping(void *ctx)
{
	struct session *s = ctx;

	if (s->signals >= 0 && ch_signals_next(s->signals) == CH_SIGNAL_STOP)
		s->stopping = true;
	return s->stopping;
}

static void
warned(void *ctx, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "dlq: %s\n", text);
}

static void
print_counts(const struct session *s, const char *topic,
	const struct import_counts *c)
{
	enum dialect d;

	printf("%s: %" PRId64 " records, %" PRId64 " letters%s", topic,
		c->records, c->stored,
		s->d->dry_run ? " would be stored" : " stored");
	if (c->came_back > 0)
		printf(", %" PRId64 " of them replays that came back",
			c->came_back);
	if (c->repeated > 0)
		printf(", %" PRId64 " imported before", c->repeated);
	if (c->known > 0)
		printf(", %" PRId64 " in the list as rejected already",
			c->known);
	if (c->gone > 0)
		printf(", up to %" PRId64 " gone", c->gone);
	printf("\n");
	for (d = DIALECT_UNKNOWN; d < DIALECTS; d++)
		if (c->by_dialect[d] > 0)
			printf("  %-14s %" PRId64 "\n", dialect_name(d),
				c->by_dialect[d]);
}

static void
ended(void *ctx, const char *topic, const struct import_counts *counts)
{
	struct session *s = ctx;
	struct ch_buf b = CH_BUF_INIT;

	s->gone += counts->gone;
	if (s->d->form == DLQ_JSON) {
		import_add_json(&b, topic, counts);
		printf("%s\n", ch_buf_str(&b));
		ch_buf_free(&b);
	} else {
		print_counts(s, topic, counts);
	}
}

int
dlq_import(struct dlq *d)
{
	struct session s = {.d = d, .signals = -1};
	struct ch_err err = CH_ERR_INIT;
	int rc = CH_OK;

	if (d->follow) {
		s.signals = ch_signals_open(DLQ_FAILED, &err);
		if (s.signals < 0)
			return dlq_say_failed(&err);
	}
	rc = import_run(d->rt->params, d->pg,
		&(struct import_options){.topics = d->topics,
			.topic_count = d->topic_count,
			.from = d->from,
			.from_time = d->from_time,
			.follow = d->follow,
			.dry_run = d->dry_run,
			.actor = d->actor,
			.reason = d->reason != NULL ? d->reason : "dry run",
			.clock = d->rt->clock,
			.stopping = stopping,
			.warned = warned,
			.ended = ended,
			.ctx = &s},
		&err);
	if (rc != CH_OK) {
		(void)dlq_say_failed(&err);
		dlq_hint_kafka(rc);
		return rc == CH_ENOTFOUND  ? DLQ_REFUSED
			: rc == CH_ECONFIG ? CH_EXIT_CONFIG
					   : DLQ_FAILED;
	}
	return s.gone > 0 ? DLQ_REFUSED : DLQ_DONE;
}
