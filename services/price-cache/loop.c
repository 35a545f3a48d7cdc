/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: see loop.h.
 *
 *	network thread: clients <-> serve, desk --> [ring] --> main thread:
 *	      ^                                        market_sink, publish
 *	      +--> HTTP client's thread: upstreams
 *
 * The main thread only feeds the sinks; that PostgreSQL or Kafka is slow or
 * away does not reach the clients.
 */
#include "loop.h"

#include <poll.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "market_sink.h"
#include "params.h"
#include "publish.h"
#include "serve.h"

#define SLOT_UPDATES 0
#define SLOT_PRODUCER 1
#define UPDATES_MAX 65536
#define UPDATES_BYTES ((size_t)64 << 20)

struct loop {
	const struct ch_runtime *rt;
	struct meters meters;
	struct ch_ring *updates;
	struct serve *serve;
	struct market_sink *sink;
	struct publish *publish; /* NULL: no Kafka */
	bool draining;
};

static int
open_publish(struct loop *l, struct ch_err *err)
{
	const struct ch_params *p = l->rt->params;
	struct publish_options opt = {
		.client_id = ch_params_str(p, "client_id"),
		.topic = ch_params_str(p, "prices_topic"),
		.max_markets = (size_t)ch_params_int(p, "max_markets"),
		.meters = &l->meters,
	};
	struct ch_kafka_conf *conf;
	size_t brokers;
	int rc;

	(void)ch_params_list(p, "bootstrap", &brokers);
	if (brokers == 0)
		return 0;
	conf = ch_client_kafka_conf(p, err);
	if (conf == NULL)
		return CH_ECONFIG;
	opt.conf = conf;
	rc = publish_open(&l->publish, &opt, err);
	ch_kafka_conf_free(conf);
	if (rc == 0)
		ch_runtime_watch_fd(l->rt, SLOT_PRODUCER,
			publish_fd(l->publish), POLLIN);
	return rc;
}

static void
on_restored(void *ctx, struct update **updates, size_t count)
{
	struct loop *l = ctx;

	serve_restore(l->serve, updates, count);
}

static int
open_sink(struct loop *l, struct ch_err *err)
{
	const struct ch_params *p = l->rt->params;
	struct market_sink_options opt = {
		.database_url = ch_params_str(p, "database_url"),
		.passfile = ch_params_str(p, "passfile"),
		.schema = ch_params_str(p, "schema"),
		.clock = l->rt->clock,
		.meters = &l->meters,
		.max_markets = (size_t)ch_params_int(p, "max_markets"),
		.every_ms = ch_params_ms(p, "store_every"),
		.restored = on_restored,
		.ctx = l,
	};

	return market_sink_open(&l->sink, &opt, err);
}

static int
open_serve(struct loop *l, struct ch_err *err)
{
	const struct ch_params *p = l->rt->params;
	int attempt_ms = (int)ch_params_ms(p, "attempt_timeout");
	struct serve_options opt = {
		.net = l->rt->net,
		.clock = l->rt->clock,
		.meters = &l->meters,
		.listen = ch_params_str(p, "listen"),
		.max_connections =
			(unsigned)ch_params_int(p, "max_connections"),
		.port_file = ch_params_str(p, "public_port_file"),
		.desk = price_cache_limits(p),
		.fetch = {.url = {ch_params_str(p, "primary_url"),
				  ch_params_str(p, "fallback_url")},
			.attempt_ms = {attempt_ms, attempt_ms},
			.max_body =
				(size_t)ch_params_bytes(p, "upstream_body_max"),
			.max_in_flight = 2 *
				(unsigned)ch_params_int(p,
					"upstream_in_flight"),
			.user_agent = ch_params_str(p, "user_agent"),
			.ca_file = ch_params_str(p, "ca_file")},
		.updates = l->updates,
	};

	return serve_open(&l->serve, &opt, err);
}

static int
open_all(struct loop *l, struct ch_err *err)
{
	int rc = open_sink(l, err);

	if (rc == 0)
		rc = open_publish(l, err);
	return rc != 0 ? rc : open_serve(l, err);
}

int
loop_start(void **state, const struct ch_runtime *rt, struct ch_err *err)
{
	struct loop *l = ch_xcalloc(1, sizeof(*l));
	uint64_t key;
	int rc;

	l->rt = rt;
	ch_rng_secure(&key, sizeof(key));
	market_id_hash_key(key);
	meters_init(&l->meters, rt->metrics);
	l->updates = ch_ring_new(UPDATES_MAX, UPDATES_BYTES);
	if (l->updates == NULL) {
		free(l);
		return ch_err_set(err, CH_EIO, "no eventfd: %m");
	}
	rc = open_all(l, err);
	if (rc != 0) {
		loop_stop(l);
		return rc;
	}
	ch_runtime_watch_fd(rt, SLOT_UPDATES, ch_ring_fd(l->updates), POLLIN);
	*state = l;
	return 0;
}

/* The table also wants what was only confirmed; the topic does not. */
static void
take_updates(struct loop *l)
{
	struct update *u;

	while ((u = ch_ring_pop(l->updates)) != NULL) {
		if (l->publish != NULL && u->changed)
			publish_put(l->publish, update_copy(u));
		market_sink_put(l->sink, u);
	}
}

int
loop_step(void *state, struct ch_err *err)
{
	struct loop *l = state;
	int sink_ms, publish_ms = 1000;

	take_updates(l);
	if (l->publish != NULL)
		publish_ms = publish_turn(l->publish, err);
	if (publish_ms < 0)
		return publish_ms;
	sink_ms = market_sink_turn(l->sink);
	return sink_ms < publish_ms ? sink_ms : publish_ms;
}

/* Clients first; then the sinks run empty, as far as they can. */
bool
loop_drain(void *state)
{
	struct loop *l = state;

	if (!l->draining) {
		l->draining = true;
		serve_drain(l->serve);
	}
	return serve_is_idle(l->serve) && ch_ring_count(l->updates) == 0 &&
		market_sink_is_idle(l->sink) &&
		(l->publish == NULL || publish_is_idle(l->publish));
}

void
loop_stop(void *state)
{
	struct loop *l = state;

	serve_close(l->serve);
	market_sink_close(l->sink);
	publish_close(l->publish);
	ch_ring_free(l->updates, update_free);
	free(l);
}

/* Serving is the job. It does so without PostgreSQL and without Kafka; the
 * metrics tell how those fare. */
bool
loop_ready(void *state, struct ch_buf *verbose)
{
	struct loop *l = state;

	return ch_ready_line(verbose, "serving", !l->draining,
		"draining: about to stop");
}
