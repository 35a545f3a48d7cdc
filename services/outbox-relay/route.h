/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: which topic an event goes to, and what happens to its key when the
 * topic refuses it.
 *
 * command_log, answers	 the results topic
 * rejected		 "<topic>.dlq"; a refused one never blocks its key
 * outbox		 the first rule that names its aggregatetype, else
 *			 "<prefix><aggregatetype>" as Debezium does
 * application		 the topic that the contract gave the row
 *
 * Rules are text: "<aggregatetype>=<topic>[:<policy>]", a policy "block",
 * "skip" or "skip-after-<attempts>". Two are built in: fleet.control and
 * fleet.alerts go to the topics of their names.
 *
 * Each topic met is interned and numbered, so that others keep what they know
 * of it in an array. At most ROUTE_TOPICS_MAX: aggregate types come from the
 * application, and a list of topics must not grow without end.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "event.h"

#define ROUTE_TOPIC_MAX 249 /* Kafka's own limit */
#define ROUTE_TOPICS_MAX 4096

enum route_policy {
	ROUTE_BLOCK, /* later rows of a refused row's key wait */
	ROUTE_SKIP   /* they go on */
};

#define ROUTE_ATTEMPTS_MAX 100

/* "block", "skip": as many attempts as the failure deserves (retry.h);
 * "skip-after-<attempts>": so many. false: none of these. */
struct route_rule {
	enum route_policy policy;
	unsigned attempts; /* 0: by the failure */
};
bool route_rule_read(struct ch_view text, struct route_rule *out);
extern const char route_rule_forms[];

struct route_topic {
	char name[ROUTE_TOPIC_MAX + 1];
	enum route_policy policy;
	unsigned attempts; /* of struct route_rule */
	bool stored; /* known from a letter alone: its policy is not yet */
	int number;  /* 0, 1, ...; stays */
	const char *label; /* of metrics: results, dlq, outbox, or a rule's
			      topic */
};

struct route_options {
	const char *results_topic;
	const char *outbox_prefix; /* "outbox.event." */
	struct route_rule results_policy;
	struct route_rule outbox_policy;
	const char *const *rules; /* ends with NULL; may be NULL */
};

struct route_table;

/* NULL with CH_ECONFIG when a rule or topic name is none. Options are
 * copied. */
struct route_table *route_new(const struct route_options *opt,
	struct ch_err *err);
void route_free(struct route_table *t);
/* NULL with CH_EINVAL (no legal topic name) or CH_EFULL (too many topics):
 * the row is refused for good. */
struct route_topic *route_find(struct route_table *t, const struct event *e,
	struct ch_err *err);
/* What its topic is called, legal or not: appended. */
void route_name(const struct route_table *t, const struct event *e,
	struct ch_buf *out);
/* Topics met so far; number in [0, count). */
struct route_topic *route_topic_at(const struct route_table *t, int number);
/* The topic of that name, of a stored letter or waiting row; it blocks until a
 * row of its own tells its policy. */
struct route_topic *route_stored(struct route_table *t, struct ch_view name,
	struct ch_err *err);

#endif
