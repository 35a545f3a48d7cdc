/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the object is made of its settings, and unmade.
 *
 * Nothing is connected here: that is the session's, and Kafka's client does it
 * by itself. So what fails is the configuration (CH_ECONFIG), or a client that
 * cannot be made.
 */
#include "relay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/client_conf.h"
#include "lock.h"
#include "params.h"
#include "watch.h"

/* Progress may be lost; what is parked is written durably. A stopped leader must
 * not keep the leader's lock: a live one asks for the slot every few seconds. */
#define ON_CONNECT                                                             \
	"SET synchronous_commit = off; "                                       \
	"SET idle_session_timeout = '" LOCK_SILENT "'"
/* An application's rows that a policy hides are refused, not passed over. The
 * ledger's own policies show the relay all. */
#define ON_CONNECT_ALONE "SET row_security = off; " ON_CONNECT

static bool
still_alive(void *ctx)
{
	const struct ch_runtime *rt = ctx;

	ch_runtime_alive(rt);
	return !ch_runtime_stopping(rt);
}

static int
open_postgres(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	const char *id = ch_params_str(p, "client_id");
	struct ch_pg_params sql = {
		.conninfo = ch_params_str(p, "database_url"),
		.application_name = id,
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = 15000,
		.lock_timeout_ms = 5000,
		.idle_in_transaction_ms = 15000,
		.read_write = true,
		.on_connect =
			r->contract == NULL ? ON_CONNECT : ON_CONNECT_ALONE,
	};
	struct tail_options tail = {
		.walsender = {.conninfo = sql.conninfo,
			.client_id = id,
			.schema = sql.search_path,
			.slot = r->slot,
			.alive = session_keep_alive,
			.ctx = r},
		.publication = r->publication,
		.contract = r->contract,
		.update = r->on_update,
	};

	r->pg = ch_pg_new(&sql, err);
	if (r->pg == NULL)
		return CH_ECONFIG;
	r->tail = tail_new(&tail, err);
	return r->tail != NULL ? CH_OK : CH_ECONFIG;
}

static int
open_sink(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	struct ch_kafka_conf *conf = ch_client_kafka_conf(p, err);
	struct sink_options opt = {
		.conf = conf,
		.client_id = ch_params_str(p, "client_id"),
		.linger_ms = (int)ch_params_ms(p, "linger"),
		.message_max_bytes = (int)ch_params_bytes(p, "message_max"),
		.queue_kbytes = (int)(ch_params_bytes(p, "inflight") / 1024),
		.topic_wait_ms = ch_params_ms(p, "topic_wait"),
		.outage_ms = ch_params_ms(p, "outage_after"),
		.denied_wait_ms = ch_params_ms(p, "denied_wait"),
		.reported = pump_reported,
		.ctx = r,
	};

	if (conf == NULL)
		return CH_ECONFIG;
	r->sink = sink_kafka_open(&opt, err);
	ch_kafka_conf_free(conf);
	return r->sink != NULL ? CH_OK : CH_ECONFIG;
}

static void
make_owner(char out[64])
{
	uint64_t n;

	ch_rng_secure(&n, sizeof(n));
	(void)snprintf(out, 64, "%016" PRIx64, n);
}

void
relay_free(struct relay *r)
{
	api_close(r->api);
	sink_kafka_close(r->sink, 0);
	hooks_close(r->hooks);
	hook_orphans_close(&r->orphans);
	progress_free(&r->progress);
	horizon_clear(&r->horizon);
	scan_free(r->scan);
	reread_free(r->reread);
	queue_free(r->queue);
	shards_free(r->shards);
	park_free(r->park);
	inflight_free(r->inflight);
	retry_free(r->retry);
	route_free(r->routes);
	tail_free(r->tail);
	ch_pg_free(r->pg);
	ch_arena_free(&r->arena);
	free(r->series);
	contract_free(r->contract);
	publication_free(&r->how);
	free(r->slot);
	free(r->publication);
	free(r->table);
	free(r);
}

static void
read_settings(struct relay *r, const struct ch_params *p)
{
	char owner[64];

	r->slot = ch_xstrdup(ch_params_str(p, "slot"));
	r->publication = ch_xstrdup(ch_params_str(p, "publication"));
	r->table = ch_xstrdup(ch_params_str(p, "outbox_table"));
	publication_init(&r->how, r->publication, r->table, r->slot);
	r->on_update = (enum tail_update)ch_params_enum(p, "outbox_on_update");
	r->first_whole = ch_params_enum(p, "outbox_snapshot") == 0;
	r->source = (enum relay_source)ch_params_enum(p, "source");
	r->poll_ms = ch_params_ms(p, "poll_interval");
	r->inflight_bytes = ch_params_bytes(p, "inflight");
	r->ready_ms = ch_params_ms(p, "ready_delay");
	r->retained_max = ch_params_bytes(p, "retained_max");
	rhythm_init(&r->rhythm, ch_params_ms(p, "gather"),
		ch_clock_mono(r->rt->clock));
	make_owner(owner);
	progress_init(&r->progress, r->slot, owner, r->rt->clock);
}

/* An application's own table instead of the ledger's. */
static int
open_table(struct relay *r, const struct ch_params *p, struct ch_err *err)
{
	if (r->table[0] == '\0')
		return CH_OK;
	r->contract = relay_params_contract(p, err);
	if (r->contract == NULL)
		return CH_ECONFIG;
	r->reread = reread_new(&(struct reread_options){.contract = r->contract,
		.table = r->table,
		.order_by = ch_params_str(p, "outbox_order_by"),
		.alive = still_alive,
		.ctx = (void *)(uintptr_t)r->rt});
	r->no_order = ch_params_str(p, "outbox_order_by")[0] == '\0';
	if (r->no_order)
		ch_warn("relay.no_order", CH_S("table", r->table),
			CH_S("why", WATCH_NO_ORDER));
	if (r->source != RELAY_SOURCE_WAL)
		poll_open(r, p);
	return CH_OK;
}

static int
open_hooks(struct relay *r, struct ch_err *err)
{
	return hooks_open(&r->hooks,
		&(struct hooks_options){.rt = r->rt,
			.inflight = r->inflight,
			.metrics = {.pending = RELAY_HOOK_PENDING,
				.oldest = RELAY_HOOK_OLDEST,
				.delivered = RELAY_HOOK_DELIVERED,
				.failed = RELAY_HOOK_FAILED,
				.letters = RELAY_HOOK_LETTERS,
				.blocked = RELAY_HOOK_BLOCKED,
				.blocked_since = RELAY_HOOK_BLOCKED_SINCE,
				.breaker = RELAY_HOOK_BREAKER}},
		err);
}

int
relay_new(struct relay **out, const struct ch_runtime *rt, struct ch_err *err)
{
	struct relay *r = ch_xcalloc(1, sizeof(*r));
	int rc;

	r->rt = rt;
	read_settings(r, rt->params);
	hook_orphans_open(&r->orphans, rt->metrics, RELAY_HOOK_ORPHANED);
	r->inflight = inflight_new();
	r->retry = retry_new();
	r->scan = scan_new();
	r->routes = relay_params_routes(rt->params, err);
	rc = r->routes != NULL ? open_table(r, rt->params, err) : CH_ECONFIG;
	if (rc == CH_OK)
		rc = open_postgres(r, rt->params, err);
	if (rc == CH_OK)
		rc = open_sink(r, rt->params, err);
	if (rc == CH_OK)
		rc = open_hooks(r, err);
	if (rc == CH_OK)
		rc = api_open(&r->api, rt, err);
	if (rc != CH_OK) {
		relay_free(r);
		return rc;
	}
	position_init(&r->position, &r->progress, r->inflight);
	r->park = park_new(r->retry, r->routes, r->contract == NULL);
	r->latency = ch_metrics_get(rt->metrics, RELAY_LATENCY);
	r->kafka_open = ch_metrics_series(rt->metrics, RELAY_BREAKER, "kafka");
	r->now = r->state_since = ch_clock_mono(rt->clock);
	*out = r;
	return CH_OK;
}
