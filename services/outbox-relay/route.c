/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: rules in the order given, the first that matches wins.
 *
 * Why two maps: what an event names (a topic of rejected, an aggregatetype) is
 * looked up on every row, so the whole decision is remembered under that name,
 * with the source's letter before it; topics themselves are interned by name,
 * since two sources may lead to one topic and its order must be one.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct rule {
	char *type;
	char *topic;
	struct route_rule policy;
};

struct route_table {
	char *prefix;
	struct route_rule outbox_policy;
	struct route_topic *results;
	struct rule *rules;
	size_t rule_count;
	struct ch_map *by_name; /* topic name -> topic */
	struct ch_map *by_type; /* "o<aggregatetype>", "r<topic>" -> topic */
	struct route_topic *topics[ROUTE_TOPICS_MAX];
	int count;
};

static bool
route_is_topic_name(struct ch_view name)
{
	size_t i;

	if (name.len == 0 || name.len > ROUTE_TOPIC_MAX ||
		ch_view_eq_str(name, ".") || ch_view_eq_str(name, ".."))
		return false;
	for (i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '.' || c == '_' ||
			    c == '-'))
			return false;
	}
	return true;
}

static void
settle(struct route_topic *topic, struct route_rule policy, const char *label)
{
	topic->policy = policy.policy;
	topic->attempts = policy.attempts;
	topic->label = label != NULL ? label : topic->name;
	topic->stored = false;
}

static struct route_topic *
intern(struct route_table *t, struct ch_view name, struct route_rule policy,
	const char *label, struct ch_err *err)
{
	struct route_topic *topic = ch_map_get(t->by_name, name);

	if (topic != NULL && topic->stored)
		settle(topic, policy, label);
	if (topic != NULL)
		return topic;
	if (!route_is_topic_name(name)) {
		ch_err_set(err, CH_EINVAL,
			"\"%.*s\" is no name of a topic "
			"(1 to %d of a-z A-Z 0-9 . _ -)",
			CH_VIEW_ARG(name), ROUTE_TOPIC_MAX);
		return NULL;
	}
	if (t->count == ROUTE_TOPICS_MAX) {
		ch_err_set(err, CH_EFULL,
			"topic \"%.*s\" would be one more "
			"than %d: too many aggregate types",
			CH_VIEW_ARG(name), ROUTE_TOPICS_MAX);
		return NULL;
	}
	topic = ch_xcalloc(1, sizeof(*topic));
	ch_view_copy(name, topic->name, sizeof(topic->name));
	topic->number = t->count;
	settle(topic, policy, label);
	t->topics[t->count++] = topic;
	ch_map_put(t->by_name, name, topic);
	return topic;
}

const char route_rule_forms[] =
	"block, skip, or skip-after-<attempts> with 1 to 100 attempts";

bool
route_rule_read(struct ch_view text, struct route_rule *out)
{
	static const char after[] = "skip-after-";
	size_t len = sizeof(after) - 1;
	int64_t attempts;

	*out = (struct route_rule){ROUTE_SKIP, 0};
	if (ch_view_eq_str(text, "skip"))
		return true;
	out->policy = ROUTE_BLOCK;
	if (ch_view_eq_str(text, "block"))
		return true;
	if (text.len <= len || memcmp(text.ptr, after, len) != 0 ||
		ch_view_int((struct ch_view){text.ptr + len, text.len - len}, 1,
			ROUTE_ATTEMPTS_MAX, &attempts) != CH_OK)
		return false;
	*out = (struct route_rule){ROUTE_SKIP, (unsigned)attempts};
	return true;
}

/* "type=topic[:policy]" */
static int
rule_read(struct rule *r, const char *text, struct route_rule policy,
	struct ch_err *err)
{
	struct ch_view rest = ch_view_of(text), type, topic, word;

	r->policy = policy;
	if (!ch_view_split(&rest, '=', &type) || type.len == 0 ||
		!ch_view_split(&rest, ':', &topic) ||
		!route_is_topic_name(topic))
		return ch_err_set(err, CH_ECONFIG,
			"route \"%s\" is not "
			"<aggregatetype>=<topic>[:<policy>]",
			text);
	if (ch_view_split(&rest, '\0', &word) &&
		!route_rule_read(word, &r->policy))
		return ch_err_set(err, CH_ECONFIG,
			"route \"%s\": policy \"%.*s\" is none: write %s", text,
			CH_VIEW_ARG(word), route_rule_forms);
	r->type = ch_xviewdup(type);
	r->topic = ch_xviewdup(topic);
	return CH_OK;
}

static int
rules_read(struct route_table *t, const struct route_options *opt,
	struct ch_err *err)
{
	static const char *const built_in[] = {"fleet.control=fleet.control",
		"fleet.alerts=fleet.alerts", NULL};
	const char *const *lists[] = {opt->rules, built_in};
	size_t n = 0, i;
	const char *const *p;
	int rc;

	for (i = 0; i < 2; i++)
		for (p = lists[i]; p != NULL && *p != NULL; p++)
			n++;
	t->rules = ch_xcalloc(n, sizeof(*t->rules));
	for (i = 0; i < 2; i++) {
		for (p = lists[i]; p != NULL && *p != NULL; p++) {
			rc = rule_read(&t->rules[t->rule_count], *p,
				opt->outbox_policy, err);
			if (rc != CH_OK)
				return rc;
			t->rule_count++;
		}
	}
	return CH_OK;
}

struct route_table *
route_new(const struct route_options *opt, struct ch_err *err)
{
	struct route_table *t = ch_xcalloc(1, sizeof(*t));
	char longest[ROUTE_TOPIC_MAX * 2];

	t->by_name = ch_map_new();
	t->by_type = ch_map_new();
	t->prefix = ch_xstrdup(opt->outbox_prefix);
	t->outbox_policy = opt->outbox_policy;
	(void)snprintf(longest, sizeof(longest), "%sx", opt->outbox_prefix);
	if (!route_is_topic_name(ch_view_of(longest))) {
		ch_err_set(err, CH_ECONFIG,
			"outbox prefix \"%s\" begins no "
			"name of a topic",
			opt->outbox_prefix);
		goto fail;
	}
	t->results = intern(t, ch_view_of(opt->results_topic),
		opt->results_policy, "results", err);
	if (t->results == NULL) {
		ch_err_set(err, CH_ECONFIG,
			"results topic \"%s\" is no name "
			"of a topic",
			opt->results_topic);
		goto fail;
	}
	if (rules_read(t, opt, err) == CH_OK)
		return t;
fail:
	route_free(t);
	return NULL;
}

void
route_free(struct route_table *t)
{
	size_t i;
	int n;

	if (t == NULL)
		return;
	for (i = 0; i < t->rule_count; i++) {
		free(t->rules[i].type);
		free(t->rules[i].topic);
	}
	for (n = 0; n < t->count; n++)
		free(t->topics[n]);
	ch_map_free(t->by_name, NULL);
	ch_map_free(t->by_type, NULL);
	free(t->rules);
	free(t->prefix);
	free(t);
}

/* NULL: none. */
static const struct rule *
rule_of(const struct route_table *t, struct ch_view type)
{
	size_t i;

	for (i = 0; i < t->rule_count; i++)
		if (ch_view_eq_str(type, t->rules[i].type))
			return &t->rules[i];
	return NULL;
}

static void
name_outbox(const struct route_table *t, struct ch_view type,
	struct ch_buf *out)
{
	const struct rule *rule = rule_of(t, type);

	if (rule != NULL) {
		ch_buf_adds(out, rule->topic);
		return;
	}
	ch_buf_adds(out, t->prefix);
	ch_buf_addv(out, type);
}

static void
name_dlq(struct ch_view of, struct ch_buf *out)
{
	ch_buf_addv(out, of);
	ch_buf_adds(out, ".dlq");
}

void
route_name(const struct route_table *t, const struct event *e,
	struct ch_buf *out)
{
	switch ((enum event_source)e->source) {
	case EVENT_OUTBOX:
		name_outbox(t, event_field(e, OUTBOX_TYPE_OF_AGGREGATE), out);
		break;
	case EVENT_REJECTED:
		name_dlq(event_field(e, REJECTED_TOPIC), out);
		break;
	case EVENT_RETRY:
	case EVENT_APPLICATION:
		ch_buf_addv(out, event_field(e, WAITED_TOPIC));
		break;
	case EVENT_COMMAND_LOG:
	case EVENT_ANSWERS:
	case EVENT_SOURCES:
		ch_buf_adds(out, t->results->name);
		break;
	}
}

static struct route_topic *
outbox_topic(struct route_table *t, struct ch_view type, struct ch_err *err)
{
	const struct rule *rule = rule_of(t, type);
	struct route_topic *topic;
	struct ch_buf name = CH_BUF_INIT;

	name_outbox(t, type, &name);
	topic = intern(t, ch_buf_view(&name),
		rule != NULL ? rule->policy : t->outbox_policy,
		rule != NULL ? NULL : "outbox", err);
	ch_buf_free(&name);
	return topic;
}

static struct route_topic *
dlq_topic(struct route_table *t, struct ch_view of, struct ch_err *err)
{
	struct route_topic *topic;
	struct ch_buf name = CH_BUF_INIT;

	name_dlq(of, &name);
	topic = intern(t, ch_buf_view(&name),
		(struct route_rule){ROUTE_SKIP, 0}, "dlq", err);
	ch_buf_free(&name);
	return topic;
}

struct route_topic *
route_stored(struct route_table *t, struct ch_view name, struct ch_err *err)
{
	struct route_topic *topic = ch_map_get(t->by_name, name);

	if (topic != NULL)
		return topic;
	topic = intern(t, name, (struct route_rule){ROUTE_BLOCK, 0}, NULL, err);
	if (topic != NULL)
		topic->stored = true;
	return topic;
}

struct route_topic *
route_find(struct route_table *t, const struct event *e, struct ch_err *err)
{
	bool outbox = e->source == EVENT_OUTBOX;
	struct route_topic *topic;
	struct ch_view name;
	char key[ROUTE_TOPIC_MAX + 2];

	if (e->source == EVENT_APPLICATION)
		return intern(t, event_field(e, WAITED_TOPIC), t->outbox_policy,
			"outbox", err);
	if (e->source == EVENT_RETRY)
		return route_stored(t, event_field(e, WAITED_TOPIC), err);
	if (!outbox && e->source != EVENT_REJECTED)
		return t->results;
	name = event_field(e,
		outbox ? OUTBOX_TYPE_OF_AGGREGATE : REJECTED_TOPIC);
	if (name.len > ROUTE_TOPIC_MAX || name.len == 0) {
		ch_err_set(err, CH_EINVAL,
			"a name of %zu bytes makes no "
			"topic",
			name.len);
		return NULL;
	}
	key[0] = outbox ? 'o' : 'r';
	memcpy(key + 1, name.ptr, name.len);
	topic = ch_map_get(t->by_type, (struct ch_view){key, name.len + 1});
	if (topic != NULL)
		return topic;
	topic = outbox ? outbox_topic(t, name, err) : dlq_topic(t, name, err);
	if (topic != NULL)
		ch_map_put(t->by_type, (struct ch_view){key, name.len + 1},
			topic);
	return topic;
}

struct route_topic *
route_topic_at(const struct route_table *t, int number)
{
	return t->topics[number];
}
