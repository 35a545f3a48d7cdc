/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_producer: see the header.
 *
 * Invariant: `pending` counts accepted sends without a report; only on_report
 * lowers it. A client is destroyed after a purge whose reports were all
 * served, so none is lost with it.
 */
#include "kafka_producer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka_leaders.h"
#include "kafka_opening.h"

#define PURGE_MS 10000
#define THROTTLE_MAX_MS 30000 /* a broker's word is not taken for more */
#define HEADER_OVERHEAD 16    /* lengths around a header's name and value */

/* Properties under all their names. */
const char *const ch_kafka_producer_reserved[] = {"client.id", "acks",
	"request.required.acks", "enable.idempotence",
	"enable.gapless.guarantee", "transactional.id",
	"transaction.timeout.ms", "partitioner",
	"max.in.flight.requests.per.connection", "max.in.flight", "retries",
	"message.send.max.retries", "message.timeout.ms", "delivery.timeout.ms",
	"compression.codec", "compression.type", "linger.ms",
	"queue.buffering.max.ms", "queue.buffering.max.messages",
	"queue.buffering.max.kbytes", "message.max.bytes",
	"statistics.interval.ms", "queuing.strategy",
	"delivery.report.only.error", "msg_order_cmp", NULL};

struct ch_kafka_producer {
	rd_kafka_t *rk; /* NULL: closed */
	rd_kafka_queue_t *queue;
	struct ch_kafka_leaders *leaders; /* NULL: not asked */
	struct ch_kafka_opening *opening; /* NULL as leaders */
	struct ch_mono now;		  /* of the last poll */
	int fd;
	bool reachable;
	struct ch_mono throttled;
	bool giving_up; /* reopen or close: whatever is left is FATAL */
	size_t pending;
	struct ch_kafka_producer_params params;
	struct ch_kafka_conf *conf;
	char *client_id, *compression;
	struct ch_kafka_producer_counts counts;
	struct ch_kafka_stats stats;
};

/* ---- the client's events ---- */

/* The code's text alone. rd_kafka_message_errstr() is the payload for a
 * producer's message; rd_kafka_message_produce_errstr() points at a broker's
 * words that librdkafka may have freed by then. */
static const char *
report_text(const rd_kafka_message_t *m)
{
	return m->err == 0 ? "" : rd_kafka_err2str(m->err);
}

/* What became of it. librdkafka takes a broker's "that is a repeat" for
 * success; without an offset it may as well be the record that was sent back
 * once and overtaken (kafka_leaders.h), and is in no log. Not that of acks=0:
 * those have no offset either, and are not sent here. */
static rd_kafka_resp_err_t
code_of(const struct ch_kafka_producer *p, const rd_kafka_message_t *m)
{
	if (m->err == 0 && m->offset < 0 && !p->params.not_idempotent)
		return RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;
	return m->err;
}

static enum ch_kafka_class
class_of(const struct ch_kafka_producer *p, rd_kafka_resp_err_t code)
{
	if (code != 0 && p->giving_up)
		return CH_KAFKA_FATAL;
	if (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
		code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return CH_KAFKA_FATAL;
	return ch_kafka_error_class(code);
}

static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct ch_kafka_producer *p = opaque;
	struct ch_kafka_delivery d;

	(void)rk;
	d.code = code_of(p, m);
	d.class = class_of(p, d.code);
	d.name = rd_kafka_err2name(d.code);
	d.text = d.code == m->err ? report_text(m)
				  : "acknowledged as a repeat, without an "
				    "offset: it may stand in no log";
	d.topic = m->rkt != NULL ? rd_kafka_topic_name(m->rkt) : "";
	d.partition = m->partition;
	d.offset = d.code == 0 && m->offset >= 0 ? m->offset : -1;
	d.maybe_persisted = d.code != 0 &&
		rd_kafka_message_status(m) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
	assert(p->pending > 0);
	p->pending--;
	if (p->opening != NULL) {
		ch_kafka_opening_reported(p->opening, d.topic, d.partition,
			d.code == 0, p->now);
		if (p->pending == 0)
			ch_kafka_opening_settled(p->opening);
	}
	if (d.code == 0) {
		p->counts.delivered++;
		p->reachable = true;
	} else {
		p->counts.failed++;
	}
	if (p->params.delivered != NULL)
		p->params.delivered(p->params.ctx, m->_private, &d);
}

static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct ch_kafka_producer *p = opaque;
	enum ch_kafka_class class =
		ch_kafka_error_class((rd_kafka_resp_err_t)code);

	p->counts.errors++;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		p->reachable = false;
	ch_warn("kafka.error", CH_S("client", rd_kafka_name(rk)),
		CH_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
		CH_S("class", ch_kafka_class_name(class)),
		CH_S("text", reason));
}

static int
on_stats(rd_kafka_t *rk, char *json, size_t len, void *opaque)
{
	struct ch_kafka_producer *p = opaque;

	(void)rk;
	if (ch_kafka_stats_parse((struct ch_view){json, len}, &p->stats,
		    NULL) == 0 &&
		p->stats.brokers_up > 0)
		p->reachable = true;
	return 0; /* librdkafka frees it */
}

/* Called when a broker begins to ask, when its time changes, and with 0. */
static void
on_throttle(rd_kafka_t *rk, const char *broker, int32_t id, int ms,
	void *opaque)
{
	struct ch_kafka_producer *p = opaque;
	struct ch_mono now = ch_clock_mono(&ch_clock_real);

	(void)rk;
	if (ms <= 0)
		return;
	p->counts.throttled++;
	ch_debug("kafka.throttle", CH_S("broker", broker), CH_I("id", id),
		CH_I("ms", ms));
	ms = ms < THROTTLE_MAX_MS ? ms : THROTTLE_MAX_MS;
	now.ns += ms * INT64_C(1000000);
	if (now.ns > p->throttled.ns)
		p->throttled = now;
}

/* ---- opening ---- */

static int
number_or(int given, int otherwise)
{
	return given > 0 ? given : otherwise;
}

struct setting {
	const char *name;
	int number;
};

static int
apply_params(const struct ch_kafka_producer *p, rd_kafka_conf_t *rk,
	struct ch_err *err)
{
	const struct ch_kafka_producer_params *q = &p->params;
	const struct setting numbers[] = {
		{"linger.ms", q->linger_ms < 0 ? 5 : q->linger_ms},
		{"queue.buffering.max.messages",
			number_or(q->max_queued_messages, 100000)},
		{"queue.buffering.max.kbytes",
			number_or(q->max_queued_kbytes, 65536)},
		{"message.max.bytes", number_or(q->message_max_bytes, 1000000)},
		{"message.timeout.ms", number_or(q->message_timeout_ms, 0)},
		{"statistics.interval.ms",
			q->statistics_ms < 0
				? 0
				: number_or(q->statistics_ms, 2000)},
	};
	const char *const texts[][2] = {
		{"client.id", p->client_id},
		{"acks", "all"},
		{"partitioner", "murmur2_random"},
		{"compression.codec", p->compression},
		{"enable.idempotence", q->not_idempotent ? "false" : "true"},
		{"enable.gapless.guarantee",
			q->not_idempotent ? "false" : "true"},
	};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc = ch_kafka_conf_force_int(rk, numbers[i].name,
			numbers[i].number, err);
	if (rc == 0 && q->no_retries)
		rc = ch_kafka_conf_force_int(rk, "retries", 0, err);
	for (i = 0; rc == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		rc = ch_kafka_conf_force(rk, texts[i][0], texts[i][1], err);
	return rc;
}

static int
create_client(struct ch_kafka_producer *p, struct ch_err *err)
{
	static const uint64_t one = 1;
	rd_kafka_conf_t *conf = ch_kafka_conf_build(p->conf);
	char why[256];

	if (apply_params(p, conf, err) != 0) {
		rd_kafka_conf_destroy(conf);
		return CH_ECONFIG;
	}
	rd_kafka_conf_set_opaque(conf, p);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_stats_cb(conf, on_stats);
	rd_kafka_conf_set_throttle_cb(conf, on_throttle);
	p->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (p->rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return ch_err_set(err, CH_ECONFIG, "Kafka producer: %s", why);
	}
	p->queue = rd_kafka_queue_get_main(p->rk);
	rd_kafka_queue_io_event_enable(p->queue, p->fd, &one, sizeof(one));
	p->now = ch_clock_mono(&ch_clock_real);
	if (!p->params.not_idempotent && p->params.leaders_wait_ms >= 0) {
		p->leaders = ch_kafka_leaders_new(p->rk, p->fd,
			number_or(p->params.leaders_wait_ms, 5000));
		p->opening = ch_kafka_opening_new();
	}
	return 0;
}

static void
free_producer(struct ch_kafka_producer *p)
{
	ch_kafka_conf_free(p->conf);
	free(p->client_id);
	free(p->compression);
	if (p->fd >= 0)
		(void)close(p->fd);
	free(p);
}

struct ch_kafka_producer *
ch_kafka_producer_open(const struct ch_kafka_producer_params *params,
	struct ch_err *err)
{
	struct ch_kafka_producer *p;

	if (ch_kafka_version_check(err) != 0 ||
		ch_kafka_conf_refuse(params->conf, ch_kafka_producer_reserved,
			"the producer", err) != 0)
		return NULL;
	p = ch_xcalloc(1, sizeof(*p));
	p->params = *params;
	p->conf = ch_kafka_conf_copy(params->conf);
	p->client_id = ch_xstrdup(params->client_id != NULL ? params->client_id
							    : "countinghouse");
	p->compression =
		ch_xstrdup(params->compression != NULL ? params->compression
						       : "lz4");
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->fd < 0) {
		ch_err_errno(err, errno, "eventfd");
		free_producer(p);
		return NULL;
	}
	if (create_client(p, err) != 0) {
		free_producer(p);
		return NULL;
	}
	return p;
}

/* ---- sending ---- */

static size_t
size_of(const struct ch_kafka_message *m)
{
	size_t i, n = m->key.len + m->value.len;

	for (i = 0; i < m->header_count; i++)
		n += strlen(m->headers[i].name) + m->headers[i].value.len +
			HEADER_OVERHEAD;
	return n;
}

static rd_kafka_headers_t *
build_headers(const struct ch_kafka_message *m)
{
	rd_kafka_headers_t *h;
	size_t i;

	if (m->header_count == 0)
		return NULL;
	h = rd_kafka_headers_new(m->header_count);
	for (i = 0; i < m->header_count; i++)
		(void)rd_kafka_header_add(h, m->headers[i].name, -1,
			m->headers[i].value.ptr,
			(ssize_t)m->headers[i].value.len);
	return h;
}

/* librdkafka copies it (RD_KAFKA_MSG_F_COPY); its prototype lacks a const. */
static void
set_bytes(rd_kafka_vu_t *vu, rd_kafka_vtype_t type, struct ch_view v)
{
	vu->vtype = type;
	vu->u.mem.ptr = (void *)(uintptr_t)v.ptr;
	vu->u.mem.size = v.len;
}

static size_t
build_arguments(const struct ch_kafka_message *m, rd_kafka_headers_t *h,
	rd_kafka_vu_t *vu)
{
	size_t n = 0;

	vu[n].vtype = RD_KAFKA_VTYPE_TOPIC;
	vu[n++].u.cstr = m->topic;
	vu[n].vtype = RD_KAFKA_VTYPE_PARTITION;
	vu[n++].u.i32 =
		m->partition >= 0 ? m->partition : RD_KAFKA_PARTITION_UA;
	vu[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
	vu[n++].u.i = RD_KAFKA_MSG_F_COPY;
	vu[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
	vu[n++].u.ptr = m->opaque;
	set_bytes(&vu[n++], RD_KAFKA_VTYPE_VALUE, m->value);
	set_bytes(&vu[n++], RD_KAFKA_VTYPE_KEY, m->key);
	if (m->timestamp_ms != 0) {
		vu[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
		vu[n++].u.i64 = m->timestamp_ms;
	}
	if (h != NULL) {
		vu[n].vtype = RD_KAFKA_VTYPE_HEADERS;
		vu[n++].u.headers = h;
	}
	return n;
}

static int
refuse(struct ch_kafka_producer *p, const struct ch_kafka_message *m,
	rd_kafka_error_t *e, struct ch_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(e);
	enum ch_code rc = CH_EKAFKA;

	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rc = CH_EFULL;
	else if (code == RD_KAFKA_RESP_ERR__FATAL ||
		rd_kafka_fatal_error(p->rk, NULL, 0) != 0)
		rc = CH_ECLOSED;
	else if (ch_kafka_error_class(code) == CH_KAFKA_TOPIC)
		rc = CH_ENOTFOUND;
	else if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		rc = CH_ERANGE;
	else if (code == RD_KAFKA_RESP_ERR__INVALID_ARG ||
		ch_kafka_error_class(code) == CH_KAFKA_PERMANENT)
		rc = CH_EINVAL;
	if (rc == CH_EFULL)
		p->counts.full++;
	else if (rc == CH_ERANGE || rc == CH_EINVAL)
		p->counts.refused++;
	ch_err_set(err, rc, "send to %s: %s (%s)", m->topic,
		rd_kafka_error_string(e), rd_kafka_err2name(code));
	rd_kafka_error_destroy(e);
	return (int)rc;
}

/* Where it will go; -1: librdkafka draws one, or how many there are is not
 * known. */
static int32_t
partition_of(struct ch_kafka_producer *p, const struct ch_kafka_message *m)
{
	int32_t count = ch_kafka_leaders_partitions(p->leaders, m->topic);

	if (m->partition >= 0)
		return m->partition < count ? m->partition : -1;
	if (count == 0 || m->key.ptr == NULL)
		return -1;
	return rd_kafka_msg_partitioner_murmur2(NULL, m->key.ptr, m->key.len,
		count, NULL, NULL);
}

/* CH_EFULL: not yet. */
static int
admit(struct ch_kafka_producer *p, const struct ch_kafka_message *m,
	int32_t *partition, struct ch_err *err)
{
	if (!ch_kafka_leaders_ready(p->leaders, m->topic)) {
		p->counts.full++;
		return ch_err_set(err, CH_EFULL,
			"send to %s: its partitions' leaders are being asked",
			m->topic);
	}
	*partition = partition_of(p, m);
	if (!ch_kafka_opening_admits(p->opening, m->topic, *partition,
		    p->now)) {
		p->counts.full++;
		return ch_err_set(err, CH_EFULL,
			"send to %s: partition %" PRId32
			" has not answered this producer's first record yet",
			m->topic, *partition);
	}
	return 0;
}

int
ch_kafka_producer_send(struct ch_kafka_producer *p,
	const struct ch_kafka_message *m, struct ch_err *err)
{
	rd_kafka_vu_t vu[8];
	rd_kafka_headers_t *h;
	rd_kafka_error_t *e;
	int32_t partition = -1;
	size_t max = (size_t)number_or(p->params.message_max_bytes, 1000000);

	if (p->rk == NULL)
		return ch_err_set(err, CH_ECLOSED, "the producer is closed");
	if (m->topic == NULL || m->topic[0] == '\0') {
		p->counts.refused++;
		return ch_err_set(err, CH_EINVAL, "send: no topic's name");
	}
	if (size_of(m) > max) {
		p->counts.refused++;
		return ch_err_set(err, CH_ERANGE,
			"send to %s: a record of %zu bytes is larger than "
			"message_max_bytes=%zu",
			m->topic, size_of(m), max);
	}
	if (p->leaders != NULL && admit(p, m, &partition, err) != 0)
		return CH_EFULL;
	h = build_headers(m);
	e = rd_kafka_produceva(p->rk, vu, build_arguments(m, h, vu));
	if (e != NULL) {
		if (h != NULL)
			rd_kafka_headers_destroy(h);
		return refuse(p, m, e, err);
	}
	if (p->opening != NULL)
		ch_kafka_opening_sent(p->opening, m->topic, partition);
	p->pending++;
	p->counts.sent++;
	return 0;
}

void
ch_kafka_producer_expect(struct ch_kafka_producer *p, const char *topic)
{
	if (p->rk != NULL && p->leaders != NULL)
		(void)ch_kafka_leaders_ready(p->leaders, topic);
}

int
ch_kafka_producer_send_within(struct ch_kafka_producer *p,
	const struct ch_kafka_message *m, int timeout_ms, struct ch_err *err)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	int rc;

	while ((rc = ch_kafka_producer_send(p, m, err)) == CH_EFULL &&
		ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start) <
			timeout_ms)
		(void)ch_kafka_producer_poll(p, 10);
	return rc;
}

int
ch_kafka_producer_poll(struct ch_kafka_producer *p, int timeout_ms)
{
	uint64_t n;

	if (p->rk == NULL)
		return 0;
	p->now = ch_clock_mono(&ch_clock_real);
	/* Cleared before the queue is emptied: what comes after sets it. */
	if (read(p->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		ch_error("kafka.wake", CH_S("text", "eventfd"));
	if (p->leaders == NULL || !ch_kafka_leaders_is_asking(p->leaders))
		return rd_kafka_poll(p->rk, timeout_ms);
	ch_kafka_leaders_serve(p->leaders, timeout_ms);
	return rd_kafka_poll(p->rk, 0);
}

int
ch_kafka_producer_flush(struct ch_kafka_producer *p, int timeout_ms,
	struct ch_err *err)
{
	if (p->rk == NULL)
		return 0;
	(void)rd_kafka_flush(p->rk, timeout_ms);
	(void)rd_kafka_poll(p->rk, 0);
	if (p->pending == 0)
		return 0;
	return ch_err_set(err, CH_ETIMEOUT,
		"%zu records were not acknowledged within %d ms", p->pending,
		timeout_ms);
}

size_t
ch_kafka_producer_pending(const struct ch_kafka_producer *p)
{
	return p->pending;
}

/* ---- the end of a client ---- */

bool
ch_kafka_producer_fatal(const struct ch_kafka_producer *p, struct ch_err *err)
{
	char why[256];
	rd_kafka_resp_err_t code;

	if (p->rk == NULL) {
		ch_err_set(err, CH_ECLOSED, "the producer is closed");
		return true;
	}
	code = rd_kafka_fatal_error(p->rk, why, sizeof(why));
	if (code == 0)
		return false;
	ch_err_set(err, CH_ECLOSED, "the Kafka producer is finished: %s (%s)",
		why, rd_kafka_err2name(code));
	return true;
}

/* Reports what is left as FATAL, then destroys the client. */
static void
destroy_client(struct ch_kafka_producer *p)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	if (p->rk == NULL)
		return;
	ch_kafka_leaders_free(p->leaders);
	p->leaders = NULL;
	ch_kafka_opening_free(p->opening);
	p->opening = NULL;
	p->giving_up = true;
	(void)rd_kafka_purge(p->rk,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (p->pending > 0 &&
		ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start) <
			PURGE_MS)
		(void)rd_kafka_poll(p->rk, 50);
	if (p->pending > 0)
		ch_error("kafka.purge", CH_U("unreported", p->pending));
	rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(p->queue);
	rd_kafka_destroy(p->rk);
	p->rk = NULL;
	p->queue = NULL;
	p->pending = 0;
	p->giving_up = false;
}

int
ch_kafka_producer_reopen(struct ch_kafka_producer *p, struct ch_err *err)
{
	destroy_client(p);
	p->counts.reopened++;
	p->reachable = false;
	return create_client(p, err);
}

size_t
ch_kafka_producer_close(struct ch_kafka_producer *p, int deadline_ms)
{
	size_t left;

	if (p == NULL)
		return 0;
	(void)ch_kafka_producer_flush(p, deadline_ms, NULL);
	left = p->pending;
	destroy_client(p);
	free_producer(p);
	return left;
}

/* ---- looking at it ---- */

int
ch_kafka_producer_fd(const struct ch_kafka_producer *p)
{
	return p->fd;
}

bool
ch_kafka_producer_reachable(const struct ch_kafka_producer *p)
{
	return p->reachable;
}

struct ch_mono
ch_kafka_producer_throttled(const struct ch_kafka_producer *p)
{
	return p->throttled;
}

const struct ch_kafka_producer_counts *
ch_kafka_producer_counts(const struct ch_kafka_producer *p)
{
	return &p->counts;
}

rd_kafka_t *
ch_kafka_producer_raw(struct ch_kafka_producer *p)
{
	return p->rk;
}
