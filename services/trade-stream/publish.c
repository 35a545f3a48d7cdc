/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: see publish.h.
 *
 * The window is a ring of records between three rising counters:
 *
 *	head: oldest not acknowledged   next: to be sent next   tail: end
 *
 *	... | delivered, freed | head  sent  next  waiting  tail | free ...
 *
 * A failure (`broken`) stops sending; once nothing is in flight, next goes
 * back to head, and records that were delivered meanwhile are passed over.
 */
#include "publish.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/kafka_producer.h"
#include "record.h"

#define WINDOW 8192 /* records; a power of two */
#define IDLE_MS 1000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define CLOSE_MS 500
#define MESSAGE_MAX 65536 /* a record is at most a few KiB */
#define MS_NS INT64_C(1000000)

struct publish {
	struct publish_options opt;
	struct ch_kafka_producer *producer;
	struct ch_series *failures[CH_KAFKA_FATAL + 1];
	struct ch_backoff backoff;
	struct ch_rng rng;
	struct ch_mono retry_at;
	bool broken;
	struct ch_err problem;
	uint64_t head, next, tail;
	struct record *window[WINDOW];
};

static struct record **
slot(struct publish *p, uint64_t n)
{
	return &p->window[n % WINDOW];
}

static struct ch_mono
mono_now(const struct publish *p)
{
	return ch_clock_mono(p->opt.clock);
}

/* Logged when the problem begins and when its text changes, not each time. */
static void
set_problem(struct publish *p, const char *text)
{
	int64_t wait = ch_backoff_next(&p->backoff, &p->rng);

	p->retry_at.ns = mono_now(p).ns + wait * MS_NS;
	if (strcmp(p->problem.text, text) == 0)
		return;
	(void)ch_err_set(&p->problem, CH_EKAFKA, "%s", text);
	ch_warn("publish.problem", CH_S("topic", p->opt.topic),
		CH_S("error", text), CH_I("retry_ms", wait),
		CH_U("unacknowledged", p->tail - p->head));
}

static void
clear_problem(struct publish *p)
{
	ch_backoff_reset(&p->backoff);
	if (p->problem.code == CH_OK)
		return;
	ch_err_clear(&p->problem);
	ch_info("publish.recovered", CH_S("topic", p->opt.topic));
}

static void
reject(struct publish *p, struct record *r, const char *why)
{
	r->state = RECORD_REJECTED;
	ch_metric_add(p->opt.meters->metrics, TM_REJECTED, 1);
	ch_error("publish.rejected", CH_S("topic", p->opt.topic),
		CH_S("error", why),
		CH_V("record", ((struct ch_view){r->value, r->len})));
}

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct publish *p = ctx;
	struct record *r = opaque;
	struct ch_metrics *metrics = p->opt.meters->metrics;
	int64_t took_ns = mono_now(p).ns - r->received.ns;

	if (d->class == CH_KAFKA_OK) {
		r->state = RECORD_DELIVERED;
		ch_metric_add(metrics, TM_PUBLISHED, 1);
		ch_metric_observe(metrics, TM_PUBLISH_TIME, took_ns / 1000);
		clear_problem(p);
		return;
	}
	ch_series_add(p->failures[d->class], 1);
	if (d->class == CH_KAFKA_PERMANENT) {
		reject(p, r, d->text);
		return;
	}
	r->state = RECORD_WAITING;
	if (!p->broken)
		set_problem(p, d->text);
	p->broken = true;
}

static int
open_producer(struct publish *p, struct ch_err *err)
{
	struct ch_kafka_producer_params params = {
		.conf = p->opt.conf,
		.client_id = p->opt.client_id,
		.linger_ms = -1,
		.max_queued_messages = 2 * WINDOW,
		.message_max_bytes = MESSAGE_MAX,
		.delivered = on_delivered,
		.ctx = p,
	};

	p->producer = ch_kafka_producer_open(&params, err);
	if (p->producer != NULL)
		return 0;
	return err != NULL && err->code != CH_OK ? (int)err->code : CH_EKAFKA;
}

int
publish_open(struct publish **out, const struct publish_options *opt,
	struct ch_err *err)
{
	struct publish *p = ch_xcalloc(1, sizeof(*p));
	int rc;

	p->opt = *opt;
	p->backoff = (struct ch_backoff){
		.base_ms = RETRY_MIN_MS, .cap_ms = RETRY_MAX_MS};
	ch_rng_seed_system(&p->rng);
	for (int c = CH_KAFKA_TRANSIENT; c <= CH_KAFKA_FATAL; c++)
		p->failures[c] =
			ch_metrics_series(opt->meters->metrics, TM_FAILURES,
				ch_kafka_class_name((enum ch_kafka_class)c));
	rc = open_producer(p, err);
	if (rc != 0) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

static void
take_from_queue(struct publish *p)
{
	struct record *r;

	while (publish_takes(p) && (r = ch_ring_pop(p->opt.queue)) != NULL)
		*slot(p, p->tail++) = r;
}

static int
send_record(struct publish *p, struct record *r, struct ch_err *err)
{
	struct ch_kafka_message m = {
		.topic = p->opt.topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = ch_view_of(r->key),
		.value = {r->value, r->len},
		.opaque = r,
	};

	return ch_kafka_producer_send(p->producer, &m, err);
}

/* true: go on with the next record. */
static bool
send_next(struct publish *p)
{
	struct record *r = *slot(p, p->next);
	struct ch_err err = CH_ERR_INIT;
	int rc;

	if (r->state == RECORD_WAITING) {
		rc = send_record(p, r, &err);
		if (rc == CH_EFULL)
			return false;
		if (rc == CH_ERANGE || rc == CH_EINVAL) {
			reject(p, r, err.text);
		} else if (rc != 0) {
			p->broken = true;
			set_problem(p, err.text);
			return false;
		} else {
			r->state = RECORD_SENT;
		}
	}
	p->next++;
	return true;
}

static void
send_waiting(struct publish *p)
{
	if (p->broken || mono_now(p).ns < p->retry_at.ns)
		return;
	while (p->next < p->tail && send_next(p))
		continue;
}

static void
free_acknowledged(struct publish *p)
{
	while (p->head < p->next) {
		struct record **r = slot(p, p->head);

		if ((*r)->state != RECORD_DELIVERED &&
			(*r)->state != RECORD_REJECTED)
			break;
		free(*r);
		*r = NULL;
		p->head++;
	}
}

/* After a failure: first let every record in flight be reported. A finished
 * client reports them all when it is reopened. */
static int
recover(struct publish *p, struct ch_err *err)
{
	int rc;

	if (ch_kafka_producer_fatal(p->producer, NULL)) {
		rc = ch_kafka_producer_reopen(p->producer, err);
		if (rc != 0)
			return rc;
		ch_metric_add(p->opt.meters->metrics, TM_REOPENED, 1);
		p->broken = true;
	}
	if (!p->broken || ch_kafka_producer_pending(p->producer) > 0)
		return 0;
	p->next = p->head;
	p->broken = false;
	return 0;
}

static int
wait_ms(const struct publish *p)
{
	int64_t left = (p->retry_at.ns - mono_now(p).ns) / MS_NS + 1;

	if (p->next == p->tail || left <= 0 || left > IDLE_MS)
		return IDLE_MS;
	return (int)left;
}

int
publish_turn(struct publish *p, struct ch_err *err)
{
	struct ch_metrics *metrics = p->opt.meters->metrics;
	int rc;

	(void)ch_kafka_producer_poll(p->producer, 0);
	rc = recover(p, err);
	if (rc != 0)
		return rc;
	free_acknowledged(p);
	take_from_queue(p);
	send_waiting(p);
	ch_metric_set(metrics, TM_UNACKED, (int64_t)(p->tail - p->head));
	ch_metric_set(metrics, TM_QUEUE_TRADES,
		(int64_t)ch_ring_count(p->opt.queue));
	ch_metric_set(metrics, TM_QUEUE_BYTES,
		(int64_t)ch_ring_bytes(p->opt.queue));
	return wait_ms(p);
}

bool
publish_takes(const struct publish *p)
{
	return p->tail - p->head < WINDOW;
}

bool
publish_is_idle(const struct publish *p)
{
	return p->head == p->tail;
}

int
publish_fd(const struct publish *p)
{
	return ch_kafka_producer_fd(p->producer);
}

const char *
publish_problem(const struct publish *p)
{
	if (p->problem.code != CH_OK)
		return p->problem.text;
	if (!ch_kafka_producer_reachable(p->producer))
		return "no broker answers";
	return NULL;
}

void
publish_close(struct publish *p)
{
	uint64_t lost = 0;

	if (p == NULL)
		return;
	(void)ch_kafka_producer_close(p->producer, CLOSE_MS);
	for (uint64_t n = p->head; n < p->tail; n++) {
		struct record *r = *slot(p, n);

		lost += r->state != RECORD_DELIVERED ? 1 : 0;
		free(r);
	}
	if (lost > 0)
		ch_error("publish.lost", CH_S("topic", p->opt.topic),
			CH_U("trades", lost));
	free(p);
}
