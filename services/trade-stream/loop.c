/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: see loop.h.
 *
 *	network thread: feed -> rows -> [queue] -> main thread: publish -> Kafka
 *
 * The main thread only moves records from the queue to Kafka. It sleeps on the
 * queue's descriptor while it would take a record, and on the producer's.
 */
#include "loop.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "feed.h"
#include "params.h"
#include "publish.h"
#include "walletfile.h"

#define SLOT_QUEUE 0
#define SLOT_PRODUCER 1

enum publish_choice { CHOICE_TRADES, CHOICE_ORDERS_MATCHED, CHOICE_BOTH };

struct loop {
	const struct ch_runtime *rt;
	struct meters meters;
	struct ch_ring *queue;
	struct walletset *wallets; /* NULL: all */
	struct feed *feed;
	struct publish *publish;
	int64_t stale_after_ms;
	bool draining;
};

static int
open_publish(struct loop *l, struct ch_err *err)
{
	const struct ch_params *params = l->rt->params;
	struct ch_kafka_conf *conf = ch_client_kafka_conf(params, err);
	struct publish_options opt = {
		.conf = conf,
		.client_id = ch_params_str(params, "client_id"),
		.topic = ch_params_str(params, "topic"),
		.clock = l->rt->clock,
		.meters = &l->meters,
		.queue = l->queue,
	};
	int rc;

	if (conf == NULL)
		return CH_ECONFIG;
	rc = publish_open(&l->publish, &opt, err);
	ch_kafka_conf_free(conf);
	return rc;
}

static int
open_feed(struct loop *l, struct ch_err *err)
{
	const struct ch_params *p = l->rt->params;
	int choice = ch_params_enum(p, "publish");
	struct feed_options opt = {
		.net = l->rt->net,
		.url = ch_params_str(p, "feed_url"),
		.connect_timeout_ms = (int)ch_params_ms(p, "connect_timeout"),
		.limits = {.ping_every_ms = ch_params_ms(p, "ping_every"),
			.pong_within_ms = ch_params_ms(p, "pong_within"),
			.stale_after_ms = l->stale_after_ms,
			.backoff_base_ms = ch_params_ms(p, "backoff_min"),
			.backoff_cap_ms = ch_params_ms(p, "backoff_max")},
		.queue_trades = ch_params_int(p, "queue_trades"),
		.queue_bytes = ch_params_bytes(p, "queue_bytes"),
		.rows = {.clock = l->rt->clock,
			.meters = &l->meters,
			.queue = l->queue,
			.publish = {[TRADE_TRADES] =
					    choice != CHOICE_ORDERS_MATCHED,
				[TRADE_ORDERS_MATCHED] =
					choice != CHOICE_TRADES},
			.identity_window_ms =
				ch_params_ms(p, "identity_window"),
			.identity_keys = ch_params_int(p, "identity_keys")},
	};

	return feed_open(&l->feed, &opt, l->wallets, err);
}

static void
count_wallets(struct loop *l)
{
	size_t n = l->wallets != NULL ? walletset_count(l->wallets) : 0;

	ch_metric_set(l->meters.metrics, TM_WALLETS, (int64_t)n);
	ch_info("wallets.read", CH_U("wallets", n));
}

static int
open_all(struct loop *l, struct ch_err *err)
{
	const struct ch_params *p = l->rt->params;
	int rc = walletfile_read(&l->wallets, ch_params_str(p, "wallets"), err);

	if (rc != 0)
		return rc;
	count_wallets(l);
	l->queue = ch_ring_new((size_t)ch_params_int(p, "queue_trades"),
		(size_t)ch_params_bytes(p, "queue_bytes"));
	rc = open_publish(l, err);
	return rc != 0 ? rc : open_feed(l, err);
}

int
loop_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct loop *l = ch_xcalloc(1, sizeof(*l));
	int rc;

	l->rt = rt;
	l->stale_after_ms = ch_params_ms(rt->params, "stale_after");
	meters_init(&l->meters, rt->metrics);
	rc = open_all(l, err);
	if (rc != 0) {
		loop_stop(l);
		return rc;
	}
	ch_runtime_watch_fd(rt, SLOT_PRODUCER, publish_fd(l->publish), POLLIN);
	*state = l;
	return 0;
}

int
loop_step(void *state, struct ch_err *err)
{
	struct loop *l = state;
	int wait = publish_turn(l->publish, err);
	bool takes = publish_takes(l->publish);

	ch_runtime_watch_fd(l->rt, SLOT_QUEUE,
		takes ? ch_ring_fd(l->queue) : -1, POLLIN);
	if (wait > 0 && takes && ch_ring_count(l->queue) > 0)
		return 0;
	return wait;
}

/* The feed first: nothing new comes; then the queue and Kafka run empty. */
bool
loop_drain(void *state)
{
	struct loop *l = state;

	if (!l->draining) {
		l->draining = true;
		feed_close(l->feed);
	}
	return feed_is_closed(l->feed) && ch_ring_count(l->queue) == 0 &&
		publish_is_idle(l->publish);
}

void
loop_stop(void *state)
{
	struct loop *l = state;

	feed_free(l->feed);
	publish_close(l->publish);
	if (l->queue != NULL) {
		if (ch_ring_count(l->queue) > 0)
			ch_error("queue.lost",
				CH_U("trades", ch_ring_count(l->queue)));
		ch_ring_free(l->queue, free);
	}
	walletset_free(l->wallets);
	free(l);
}

static bool
ready_age(struct ch_buf *verbose, const char *name, int64_t age_ms,
	int64_t limit_ms, const char *state)
{
	char why[128];

	if (age_ms < 0)
		(void)snprintf(why, sizeof(why), "none yet; session %s", state);
	else
		(void)snprintf(why, sizeof(why),
			"none for %lld ms (limit %lld); session %s",
			(long long)age_ms, (long long)limit_ms, state);
	return ch_ready_line(verbose, name, age_ms >= 0 && age_ms <= limit_ms,
		why);
}

/* The published type may be the rarer one, hence its longer limit. */
bool
loop_ready(void *state, struct ch_buf *verbose)
{
	struct loop *l = state;
	struct feed_status s = feed_status(l->feed);
	const char *name = session_state_name(s.state);
	const char *problem = publish_problem(l->publish);
	bool ok;

	ok = ready_age(verbose, "feed", s.data_age_ms, l->stale_after_ms, name);
	ok &= ready_age(verbose, "published_type", s.row_age_ms,
		3 * l->stale_after_ms, name);
	ok &= ch_ready_line(verbose, "kafka", problem == NULL,
		problem != NULL ? problem : "");
	return ok;
}

int
loop_reload(void *state, struct ch_err *err)
{
	struct loop *l = state;
	struct walletset *former = l->wallets;
	struct walletset *fresh = NULL;
	const char *path = ch_params_str(l->rt->params, "wallets");
	int rc = walletfile_read(&fresh, path, err);

	ch_series_add(rc == 0 ? l->meters.reload_ok : l->meters.reload_failed,
		1);
	if (rc != 0)
		return rc;
	feed_watch(l->feed, fresh);
	l->wallets = fresh;
	walletset_free(former);
	count_wallets(l);
	return 0;
}
