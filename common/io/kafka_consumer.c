/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_consumer: opening, reading, closing (see the header; which partitions
 * are read is in kafka_assignment.c).
 */
#include "kafka_consumer_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Properties under all their names. */
const char *const ch_kafka_consumer_reserved[] = {"group.id",
	"group.instance.id", "group.protocol", "client.id",
	"enable.auto.commit", "auto.commit.enable", "auto.commit.interval.ms",
	"enable.auto.offset.store", "auto.offset.reset", "isolation.level",
	"enable.partition.eof", "partition.assignment.strategy",
	"session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms",
	"fetch.queue.backoff.ms", "queued.min.messages",
	"queued.max.messages.kbytes", "fetch.wait.max.ms",
	"statistics.interval.ms", "offset.store.method", "check.crcs", NULL};

/* ---- the client's own events ---- */

static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct ch_kafka_consumer *c = opaque;
	enum ch_kafka_class class =
		ch_kafka_error_class((rd_kafka_resp_err_t)code);

	c->counts.errors++;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		c->reachable = false;
	ch_warn("kafka.error", CH_S("client", rd_kafka_name(rk)),
		CH_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
		CH_S("class", ch_kafka_class_name(class)),
		CH_S("text", reason));
	if ((code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		    code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID) &&
		c->events.topic_unknown != NULL)
		c->events.topic_unknown(c->ctx);
}

static int
on_stats(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	struct ch_kafka_consumer *c = opaque;

	(void)rk;
	if (ch_kafka_stats_parse((struct ch_view){json, len}, &c->stats,
		    NULL) == 0 &&
		c->stats.brokers_up > 0)
		c->reachable = true;
	return 0; /* librdkafka frees it */
}

static void
on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct ch_kafka_consumer *c = opaque;

	(void)rk;
	(void)list;
	if (code != 0 && code != RD_KAFKA_RESP_ERR__NO_OFFSET)
		c->counts.commit_errors++;
}

/* ---- opening ---- */

struct setting {
	const char *name;
	const char *text; /* NULL: number */
	int number;
};

static const char *
text_or(const char *given, const char *otherwise)
{
	return given != NULL ? given : otherwise;
}

static int
number_or(int given, int otherwise)
{
	return given > 0 ? given : otherwise;
}

static int
apply(rd_kafka_conf_t *rk, const struct setting *s, size_t n,
	struct ch_err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		rc = s[i].text != NULL
			? ch_kafka_conf_force(rk, s[i].name, s[i].text, err)
			: ch_kafka_conf_force_int(rk, s[i].name, s[i].number,
				  err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Three signs of life fit into a session: the client's own 3 s would be later
 * than the end of a short one. */
static int
heartbeat_ms(int session_ms)
{
	return session_ms < 9000 ? session_ms / 3 : 3000;
}

/* What the group protocol "consumer" leaves to the broker cannot be set. */
static int
apply_group(rd_kafka_conf_t *rk, const struct ch_kafka_consumer_params *p,
	struct ch_err *err)
{
	const char *protocol = text_or(p->group_protocol, "classic");
	int session_ms = number_or(p->session_timeout_ms, 45000);
	const struct setting classic[] = {
		{"session.timeout.ms", NULL, session_ms},
		{"heartbeat.interval.ms", NULL, heartbeat_ms(session_ms)},
		{"partition.assignment.strategy",
			text_or(p->strategy, "cooperative-sticky"), 0},
	};
	int rc;

	rc = ch_kafka_conf_force(rk, "group.protocol", protocol, err);
	if (rc == 0 && strcmp(protocol, "classic") == 0)
		rc = apply(rk, classic, sizeof(classic) / sizeof(classic[0]),
			err);
	if (rc == 0 && p->group_instance_id != NULL)
		rc = ch_kafka_conf_force(rk, "group.instance.id",
			p->group_instance_id, err);
	return rc;
}

static int
apply_params(rd_kafka_conf_t *rk, const struct ch_kafka_consumer_params *p,
	struct ch_err *err)
{
	const struct setting settings[] = {
		{"client.id", text_or(p->client_id, "countinghouse"), 0},
		/* librdkafka wants a group's name even where none is joined */
		{"group.id", text_or(p->group_id, "countinghouse.no-group"), 0},
		{"enable.auto.commit", "false", 0},
		{"enable.auto.offset.store", "false", 0},
		{"auto.offset.reset", text_or(p->offset_reset, "error"), 0},
		{"isolation.level",
			p->read_uncommitted ? "read_uncommitted"
					    : "read_committed",
			0},
		{"enable.partition.eof",
			p->events.at_end != NULL ? "true" : "false", 0},
		{"max.poll.interval.ms", NULL,
			number_or(p->max_poll_interval_ms, 300000)},
		{"fetch.queue.backoff.ms", NULL, 5},
		{"queued.min.messages", NULL,
			number_or(p->queued_min_messages, 100000)},
		{"queued.max.messages.kbytes", NULL,
			number_or(p->queued_max_kbytes, 65536)},
		{"fetch.wait.max.ms", NULL,
			number_or(p->fetch_wait_max_ms, 500)},
		{"statistics.interval.ms", NULL,
			p->statistics_ms < 0
				? 0
				: number_or(p->statistics_ms, 2000)},
		{"check.crcs", "true", 0},
		/* that a topic is gone is heard at once, also by a client that
		 * is young */
		{"topic.metadata.propagation.max.ms", NULL, 1000},
	};
	int rc;

	rc = apply(rk, settings, sizeof(settings) / sizeof(settings[0]), err);
	if (rc == 0 && p->fetch_kbytes > 0)
		rc = ch_kafka_conf_force_int(rk, "fetch.message.max.bytes",
			p->fetch_kbytes * 1024, err);
	return rc != 0 ? rc : apply_group(rk, p, err);
}

static rd_kafka_t *
create_client(struct ch_kafka_consumer *c,
	const struct ch_kafka_consumer_params *p, struct ch_err *err)
{
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	char why[256];

	if (ch_kafka_version_check(err) != 0 ||
		ch_kafka_conf_refuse(p->conf, ch_kafka_consumer_reserved,
			"the consumer", err) != 0)
		return NULL;
	conf = ch_kafka_conf_build(p->conf);
	if (apply_params(conf, p, err) != 0) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_rebalance_cb(conf, ch_kc_rebalance);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_stats_cb(conf, on_stats);
	rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		ch_err_set(err, CH_ECONFIG, "Kafka consumer: %s", why);
	}
	return rk;
}

struct ch_kafka_consumer *
ch_kafka_consumer_open(const struct ch_kafka_consumer_params *params,
	struct ch_err *err)
{
	static const uint64_t one = 1;
	struct ch_kafka_consumer *c = ch_xcalloc(1, sizeof(*c));

	c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->fd < 0) {
		ch_err_errno(err, errno, "eventfd");
		free(c);
		return NULL;
	}
	c->events = params->events;
	c->ctx = params->ctx;
	c->manual = params->group_id == NULL;
	c->leaves = !c->manual && params->group_instance_id == NULL;
	c->rk = create_client(c, params, err);
	if (c->rk == NULL) {
		(void)close(c->fd);
		free(c);
		return NULL;
	}
	c->topics = ch_map_new();
	c->client = ch_xcalloc(1, sizeof(*c->client));
	*c->client = (struct ch_kafka_client){c->rk, c->topics, 0, false};
	(void)rd_kafka_poll_set_consumer(c->rk);
	c->queue = rd_kafka_queue_get_consumer(c->rk);
	rd_kafka_queue_io_event_enable(c->queue, c->fd, &one, sizeof(one));
	return c;
}

/* ---- closing ---- */

static bool
is_over(struct ch_mono start, int deadline_ms)
{
	return ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start) >=
		deadline_ms;
}

static bool
has_assignment(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	bool some;

	if (rd_kafka_assignment(rk, &list) != 0)
		return false;
	some = list != NULL && list->cnt > 0;
	if (list != NULL)
		rd_kafka_topic_partition_list_destroy(list);
	return some;
}

/* One event; false: there was none. */
static bool
serve_leaving(struct ch_kafka_consumer *c, rd_kafka_queue_t *q, int wait_ms,
	bool closing)
{
	rd_kafka_event_t *ev = rd_kafka_queue_poll(q, wait_ms);
	rd_kafka_resp_err_t code;

	if (ev == NULL)
		return false;
	code = rd_kafka_event_error(ev);
	if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_REBALANCE &&
		!(closing && code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) &&
		!rd_kafka_consumer_closed(c->rk))
		ch_kc_rebalance(c->rk, code,
			rd_kafka_event_topic_partition_list(ev), c);
	rd_kafka_event_destroy(ev);
	return true;
}

/*
 * A group is left in two steps. librdkafka's own close gives up the place in
 * the group even while the application still owes it the answer to a rebalance,
 * and from then on an answer may wait for ever: it goes to a thread that has
 * ended and drops it. So the subscription is taken back first, while that
 * thread lives, and what this and earlier rebalances ask is answered. A close
 * that owes nothing asks at most for a revocation, and waits for it; an
 * assignment that turns up then is out of date, and nobody waits. A member with
 * a name of its own (group_instance_id) keeps its place over a restart: to take
 * the subscription back would give it up, so it only closes.
 *
 * Rebalances come as events here, not as callbacks, since records that were
 * fetched are among them: those are dropped.
 */
static void
leave_group(struct ch_kafka_consumer *c, int deadline_ms)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	rd_kafka_error_t *e;

	if (c->leaves) {
		(void)rd_kafka_unsubscribe(c->rk);
		while (!is_over(start, deadline_ms) &&
			(serve_leaving(c, c->queue, 5, false) ||
				has_assignment(c->rk)))
			;
	}
	e = rd_kafka_consumer_close_queue(c->rk, q);
	while (e == NULL && !rd_kafka_consumer_closed(c->rk) &&
		!is_over(start, deadline_ms))
		(void)serve_leaving(c, q, 20, true);
	ch_kc_log_error("kafka.close", e);
	if (!rd_kafka_consumer_closed(c->rk))
		ch_warn("kafka.close",
			CH_S("text", "left the group without its answer"),
			CH_I("deadline_ms", deadline_ms));
	rd_kafka_queue_destroy(q);
}

/* Tells `revoked` for what a close did not. */
static bool
revoke_left(void *ctx, struct ch_view key, void *value)
{
	struct ch_kafka_consumer *c = ctx;
	struct kc_topic *t = value;
	size_t i;

	(void)key;
	for (i = 0; i < t->count; i++) {
		if (!t->partitions[i].assigned)
			continue;
		if (c->events.revoked != NULL && !c->manual)
			c->events.revoked(c->ctx, t->name, (int32_t)i, true);
		ch_kc_partition_drop(c, &t->partitions[i]);
	}
	return true;
}

size_t
ch_kafka_consumer_close(struct ch_kafka_consumer *c, int deadline_ms)
{
	size_t held;

	if (c == NULL)
		return 0;
	leave_group(c, deadline_ms);
	ch_map_each(c->topics, revoke_left, c);
	rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(c->queue);
	held = (size_t)c->client->held;
	c->client->closed = true;
	if (held == 0)
		ch_kc_client_free(c->client);
	else
		ch_warn("kafka.close", CH_S("text", "records are still held"),
			CH_U("records", held));
	(void)close(c->fd);
	free(c);
	return held;
}

/* ---- reading ---- */

static void
report_partition(struct ch_kafka_consumer *c, rd_kafka_message_t *m)
{
	struct kc_topic *t = ch_kc_topic_get(c, rd_kafka_topic_name(m->rkt));
	const char *text = rd_kafka_message_errstr(m);
	struct kc_partition *p;

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		p = ch_kc_partition_find(c, t->name, m->partition);
		if (p == NULL || !p->started || p->at_end == m->offset)
			return;
		p->at_end = m->offset;
		if (c->events.at_end != NULL)
			c->events.at_end(c->ctx, t->name, m->partition,
				m->offset);
		return;
	}
	p = ch_kc_partition_find(c, t->name, m->partition);
	if (p != NULL && m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		p->dead = true;
		if (!p->started)
			return; /* where it was held, not where it starts */
		p->started = false;
	}
	c->counts.partition_errors++;
	ch_warn("kafka.partition_error", CH_S("topic", t->name),
		CH_I("partition", m->partition),
		CH_S("code", rd_kafka_err2name(m->err)), CH_S("text", text));
	if (c->events.partition_error != NULL)
		c->events.partition_error(c->ctx, t->name, m->partition, m->err,
			text);
}

static void
report_client(struct ch_kafka_consumer *c, rd_kafka_message_t *m)
{
	c->counts.errors++;
	ch_warn("kafka.error", CH_S("client", rd_kafka_name(c->rk)),
		CH_S("code", rd_kafka_err2name(m->err)),
		CH_S("text", rd_kafka_message_errstr(m)));
}

/* true: it is the owner's now. false: dropped. */
static bool
accept_record(struct ch_kafka_consumer *c, rd_kafka_message_t *m,
	struct ch_kafka_record *out)
{
	struct kc_topic *t = ch_kc_topic_get(c, rd_kafka_topic_name(m->rkt));
	struct kc_partition *p = ch_kc_partition_get(t, m->partition);
	rd_kafka_timestamp_type_t kind;

	c->reachable = true;
	if (!p->assigned || !p->started ||
		(p->next >= 0 && m->offset < p->next)) {
		c->counts.dropped_stale++;
		return false;
	}
	p->next = m->offset + 1;
	out->topic = t->name;
	out->partition = m->partition;
	out->offset = m->offset;
	out->key = (struct ch_view){m->key, m->key_len};
	out->value = (struct ch_view){m->payload, m->len};
	out->timestamp_ms = rd_kafka_message_timestamp(m, &kind);
	out->log_append_time = kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
	out->leader_epoch = rd_kafka_message_leader_epoch(m);
	out->message = m;
	c->counts.records++;
	c->counts.bytes += m->len + m->key_len;
	return true;
}

static bool
is_fatal(struct ch_kafka_consumer *c, struct ch_err *err)
{
	char why[256];
	rd_kafka_resp_err_t code =
		rd_kafka_fatal_error(c->rk, why, sizeof(why));

	if (code == 0)
		return false;
	ch_err_set(err, CH_EKAFKA, "the Kafka consumer is finished: %s (%s)",
		why, rd_kafka_err2name(code));
	return true;
}

/* One message or NULL; keeps the descriptor readable while there may be
 * more. librdkafka writes to it only when its queue stops being empty. */
static rd_kafka_message_t *
next_message(struct ch_kafka_consumer *c, int timeout_ms)
{
	static const uint64_t one = 1;
	rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, timeout_ms);
	uint64_t n;

	if (m != NULL)
		return m;
	if (read(c->fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return NULL;
	m = rd_kafka_consumer_poll(c->rk, 0);
	if (m != NULL && write(c->fd, &one, sizeof(one)) < 0)
		ch_error("kafka.wake", CH_S("text", "eventfd"));
	return m;
}

int
ch_kafka_consumer_poll(struct ch_kafka_consumer *c, int timeout_ms,
	struct ch_kafka_record *out, struct ch_err *err)
{
	rd_kafka_message_t *m;

	while ((m = next_message(c, timeout_ms)) != NULL) {
		if (m->err == 0 && accept_record(c, m, out)) {
			c->client->held++;
			out->client = c->client;
			return 1;
		}
		if (m->err != 0 && m->rkt != NULL)
			report_partition(c, m);
		else if (m->err != 0)
			report_client(c, m);
		rd_kafka_message_destroy(m);
		if (is_fatal(c, err))
			return CH_EKAFKA;
		timeout_ms = 0; /* something happened: the loop may want it */
	}
	return is_fatal(c, err) ? CH_EKAFKA : 0;
}

/* ---- where it stands ---- */

int
ch_kafka_consumer_fd(const struct ch_kafka_consumer *c)
{
	return c->fd;
}

size_t
ch_kafka_consumer_assigned_count(const struct ch_kafka_consumer *c)
{
	return c->assigned_count;
}

int64_t
ch_kafka_consumer_position(const struct ch_kafka_consumer *c, const char *topic,
	int32_t partition)
{
	const struct kc_partition *p =
		ch_kc_partition_find(c, topic, partition);

	return p != NULL && p->started ? p->next : -1;
}

int
ch_kafka_consumer_watermarks(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t *low, int64_t *high)
{
	int64_t l = -1, h = -1;

	if (rd_kafka_get_watermark_offsets(c->rk, topic, partition, &l, &h) !=
			0 ||
		l < 0 || h < 0)
		return CH_ENOTFOUND;
	*low = l;
	*high = h;
	return 0;
}

int
ch_kafka_consumer_query_watermarks(struct ch_kafka_consumer *c,
	const char *topic, int32_t partition, int timeout_ms, int64_t *low,
	int64_t *high, struct ch_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(c->rk,
		topic, partition, low, high, timeout_ms);

	if (code == 0)
		return 0;
	return ch_err_set(err,
		code == RD_KAFKA_RESP_ERR__TIMED_OUT ? CH_ETIMEOUT : CH_EKAFKA,
		"watermarks of %s-%d: %s (%s)", topic, partition,
		rd_kafka_err2str(code), rd_kafka_err2name(code));
}

int
ch_kafka_consumer_query_time(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition, int64_t time_ms, int timeout_ms, int64_t *offset,
	struct ch_err *err)
{
	rd_kafka_topic_partition_list_t *one =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *asked =
		rd_kafka_topic_partition_list_add(one, topic, partition);
	rd_kafka_resp_err_t code;

	asked->offset = time_ms;
	code = rd_kafka_offsets_for_times(c->rk, one, timeout_ms);
	if (code == 0)
		code = asked->err;
	*offset = asked->offset;
	rd_kafka_topic_partition_list_destroy(one);
	if (code == 0)
		return 0;
	return ch_err_set(err,
		code == RD_KAFKA_RESP_ERR__TIMED_OUT ? CH_ETIMEOUT : CH_EKAFKA,
		"offset of a time in %s-%d: %s (%s)", topic, partition,
		rd_kafka_err2str(code), rd_kafka_err2name(code));
}

int64_t
ch_kafka_consumer_lag(struct ch_kafka_consumer *c, const char *topic,
	int32_t partition)
{
	int64_t low, high;
	int64_t next = ch_kafka_consumer_position(c, topic, partition);

	if (next < 0 ||
		ch_kafka_consumer_watermarks(c, topic, partition, &low,
			&high) != 0)
		return -1;
	return high > next ? high - next : 0;
}

void
ch_kafka_consumer_commit(struct ch_kafka_consumer *c,
	const struct ch_kafka_position *positions, size_t n)
{
	rd_kafka_topic_partition_list_t *list;
	size_t i;

	if (n == 0 || c->manual)
		return;
	list = rd_kafka_topic_partition_list_new((int)n);
	for (i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, positions[i].topic,
			positions[i].partition)
			->offset = positions[i].offset;
	if (rd_kafka_commit(c->rk, list, 1) != 0)
		c->counts.commit_errors++;
	rd_kafka_topic_partition_list_destroy(list);
}

struct ch_kafka_consumer_counts
ch_kafka_consumer_counts(const struct ch_kafka_consumer *c)
{
	struct ch_kafka_consumer_counts counts = c->counts;

	counts.held = c->client->held;
	return counts;
}

bool
ch_kafka_consumer_reachable(const struct ch_kafka_consumer *c)
{
	return c->reachable;
}

rd_kafka_t *
ch_kafka_consumer_raw(struct ch_kafka_consumer *c)
{
	return c->rk;
}
