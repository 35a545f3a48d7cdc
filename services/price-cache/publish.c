/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: see publish.h.
 */
#include "publish.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/kafka_producer.h"

#define IN_FLIGHT_MAX 4096
#define BUSY_MS 100
#define IDLE_MS 1000
#define CLOSE_MS 1000

struct publish {
	struct publish_options opt;
	struct ch_kafka_producer *producer;
	struct latest *latest;
	struct ch_buf text;
	bool failing;
	bool closing;
};

static void
fail(struct publish *p, const char *why)
{
	ch_metric_add(p->opt.meters->metrics, PM_PUBLISH_FAILURES, 1);
	if (!p->failing)
		ch_warn("prices.not_published", CH_S("topic", p->opt.topic),
			CH_S("error", why));
	p->failing = true;
}

static void
on_delivered(void *ctx, void *opaque, const struct ch_kafka_delivery *d)
{
	struct publish *p = ctx;
	struct update *u = opaque;

	if (d->class == CH_KAFKA_OK) {
		ch_metric_add(p->opt.meters->metrics, PM_PUBLISHED, 1);
		p->failing = false;
		update_free(u);
		return;
	}
	fail(p, d->text);
	if (d->class == CH_KAFKA_PERMANENT || p->closing)
		update_free(u);
	else
		publish_put(p, u);
}

int
publish_open(struct publish **out, const struct publish_options *opt,
	struct ch_err *err)
{
	struct publish *p = ch_xcalloc(1, sizeof(*p));
	struct ch_kafka_producer_params params = {
		.conf = opt->conf,
		.client_id = opt->client_id,
		.linger_ms = -1,
		.max_queued_messages = 2 * IN_FLIGHT_MAX,
		.delivered = on_delivered,
		.ctx = p,
	};

	p->opt = *opt;
	p->latest = latest_new(opt->max_markets);
	p->producer = ch_kafka_producer_open(&params, err);
	if (p->producer == NULL) {
		publish_close(p);
		return err != NULL && err->code != CH_OK ? (int)err->code
							 : CH_EKAFKA;
	}
	*out = p;
	return 0;
}

void
publish_put(struct publish *p, struct update *u)
{
	if (latest_put(p->latest, u))
		ch_series_add(p->opt.meters->dropped_publish, 1);
}

/* true: go on with the next. */
static bool
send_one(struct publish *p, struct update *u)
{
	struct ch_err err = CH_ERR_INIT;
	char id[MARKET_ID_TEXT + 1];
	struct ch_kafka_message m = {
		.topic = p->opt.topic,
		.partition = CH_KAFKA_BY_KEY,
		.key = {id, MARKET_ID_TEXT},
		.opaque = u,
	};
	int rc;

	market_id_format(&u->price->id, id);
	ch_buf_clear(&p->text);
	update_add_json(&p->text, u);
	m.value = ch_buf_view(&p->text);
	rc = ch_kafka_producer_send(p->producer, &m, &err);
	if (rc == 0)
		return true;
	if (rc == CH_ERANGE || rc == CH_EINVAL) {
		fail(p, err.text);
		update_free(u);
		return true;
	}
	if (rc != CH_EFULL)
		fail(p, err.text);
	publish_put(p, u);
	return false;
}

int
publish_turn(struct publish *p, struct ch_err *err)
{
	struct update *u;
	int rc;

	(void)ch_kafka_producer_poll(p->producer, 0);
	if (ch_kafka_producer_fatal(p->producer, NULL)) {
		rc = ch_kafka_producer_reopen(p->producer, err);
		if (rc != 0)
			return rc;
	}
	while (ch_kafka_producer_pending(p->producer) < IN_FLIGHT_MAX &&
		(u = latest_take(p->latest)) != NULL)
		if (!send_one(p, u))
			break;
	ch_metric_set(p->opt.meters->metrics, PM_PUBLISH_PENDING,
		(int64_t)(latest_count(p->latest) +
			ch_kafka_producer_pending(p->producer)));
	return latest_count(p->latest) > 0 ? BUSY_MS : IDLE_MS;
}

int
publish_fd(const struct publish *p)
{
	return ch_kafka_producer_fd(p->producer);
}

bool
publish_is_idle(const struct publish *p)
{
	return !ch_kafka_producer_reachable(p->producer) ||
		(latest_count(p->latest) == 0 &&
			ch_kafka_producer_pending(p->producer) == 0);
}

void
publish_close(struct publish *p)
{
	size_t left;

	if (p == NULL)
		return;
	p->closing = true;
	left = ch_kafka_producer_close(p->producer, CLOSE_MS) +
		latest_count(p->latest);
	if (left > 0)
		ch_warn("prices.left", CH_S("topic", p->opt.topic),
			CH_U("markets", left));
	latest_free(p->latest);
	ch_buf_free(&p->text);
	free(p);
}
