/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: the table of price-cache's metrics. The order is that of enum
 * price_cache_meter.
 */
#include "meters.h"

const struct ch_metric_desc price_cache_metrics[] = {
	[PM_REQUESTS] = {.name = "price_cache_requests_total",
		.type = CH_COUNTER,
		.labels = {"result"},
		.help = "Requests for prices: hit, miss, coalesced (waited for "
			"another's call), stale, error (a market without a "
			"price), refused (malformed), busy."},
	[PM_REQUEST_TIME] = {.name = "price_cache_request_wait_seconds",
		.type = CH_HISTOGRAM,
		.unit = CH_UNIT_SECONDS,
		.help = "How long requests that had to wait have waited."},
	[PM_IDS] = {.name = "price_cache_served_markets_total",
		.type = CH_COUNTER,
		.labels = {"status"},
		.help = "Markets in answers, by the status told."},
	[PM_SERVED_AGE] = {.name = "price_cache_served_age_seconds",
		.type = CH_HISTOGRAM,
		.unit = CH_UNIT_SECONDS,
		.help = "Age of the oldest price in each answer, since its "
			"upstream was asked; pinned ones left out."},
	[PM_NOT_MODIFIED] = {.name = "price_cache_not_modified_total",
		.type = CH_COUNTER,
		.help = "Requests answered with 304."},
	[PM_WAITING] = {.name = "price_cache_waiting_requests",
		.type = CH_GAUGE,
		.help = "Requests waiting for an upstream."},
	[PM_CONNECTIONS] = {.name = "price_cache_connections",
		.type = CH_GAUGE,
		.help = "Open client connections."},
	[PM_MARKETS] = {.name = "price_cache_markets",
		.type = CH_GAUGE,
		.labels = {"kind"},
		.help = "Markets in memory: priced, or without a price."},
	[PM_EVICTIONS] = {.name = "price_cache_evictions_total",
		.type = CH_COUNTER,
		.help = "Markets put out of memory for others."},
	[PM_UPSTREAM] = {.name = "price_cache_upstream_requests_total",
		.type = CH_COUNTER,
		.labels = {"upstream", "code_class"},
		.help = "Calls to upstreams by 2xx, 3xx, 4xx, 429, 5xx, "
			"timeout, connect, malformed, too_large, "
			"cancelled."},
	[PM_UPSTREAM_TIME] = {.name = "price_cache_upstream_seconds",
		.type = CH_HISTOGRAM,
		.unit = CH_UNIT_SECONDS,
		.labels = {"upstream"},
		.help = "How long those calls took."},
	[PM_UPSTREAM_KEYS] = {.name = "price_cache_upstream_markets_total",
		.type = CH_COUNTER,
		.labels = {"lane"},
		.help = "Markets asked for in calls to upstreams."},
	[PM_UPSTREAM_FLYING] = {.name = "price_cache_upstream_in_flight",
		.type = CH_GAUGE,
		.labels = {"upstream"},
		.help = "Calls under way."},
	[PM_UPSTREAM_BAD] = {.name = "price_cache_upstream_bad_markets_total",
		.type = CH_COUNTER,
		.help = "Markets in answers that could not be read."},
	[PM_UPSTREAM_FOREIGN] =
		{.name = "price_cache_upstream_foreign_markets_total",
			.type = CH_COUNTER,
			.help = "Markets in answers that were not asked for."},
	[PM_CIRCUIT] = {.name = "price_cache_circuit_state",
		.type = CH_GAUGE,
		.labels = {"upstream"},
		.help = "0 closed, 1 open, 2 half-open (one probe is out)."},
	[PM_CIRCUIT_OPENED] = {.name = "price_cache_circuit_opened_total",
		.type = CH_COUNTER,
		.labels = {"upstream"},
		.help = "Times an upstream was given up for a while."},
	[PM_HEDGES] = {.name = "price_cache_hedged_markets_total",
		.type = CH_COUNTER,
		.help = "Markets asked of the fallback while the primary was "
			"slow."},
	[PM_BACKGROUND] = {.name = "price_cache_background_renewals_total",
		.type = CH_COUNTER,
		.help = "Markets renewed shortly before they were stale."},
	[PM_LATE] = {.name = "price_cache_late_requests_total",
		.type = CH_COUNTER,
		.help = "Requests answered at their deadline."},
	[PM_UPDATES] = {.name = "price_cache_price_changes_total",
		.type = CH_COUNTER,
		.help = "Prices that differ from the last."},
	[PM_DROPPED] = {.name = "price_cache_dropped_total",
		.type = CH_COUNTER,
		.labels = {"sink"},
		.help = "Prices that a sink will not see: handover (to the main "
			"thread), table, topic. A later one makes it good."},
	[PM_STORED] = {.name = "price_cache_stored_total",
		.type = CH_COUNTER,
		.help = "Rows written to the table markets."},
	[PM_STORE_FAILURES] = {.name = "price_cache_store_failures_total",
		.type = CH_COUNTER,
		.help = "Writes that failed and are repeated."},
	[PM_STORE_PENDING] = {.name = "price_cache_store_pending",
		.type = CH_GAUGE,
		.help = "Markets waiting for the table."},
	[PM_PUBLISHED] = {.name = "price_cache_published_total",
		.type = CH_COUNTER,
		.help = "Prices acknowledged by Kafka on the prices' topic."},
	[PM_PUBLISH_FAILURES] = {.name = "price_cache_publish_failures_total",
		.type = CH_COUNTER,
		.help = "Sends that failed and are repeated."},
	[PM_PUBLISH_PENDING] = {.name = "price_cache_publish_pending",
		.type = CH_GAUGE,
		.help = "Markets waiting for the topic."},
	[PM_RESTORED] = {.name = "price_cache_restored_total",
		.type = CH_COUNTER,
		.help = "Markets read back from the table at start."},
	{.name = NULL}};

static const char *const served_names[SERVED_RESULTS] = {
	"hit", "miss", "coalesced", "stale", "error", "refused", "busy"};

static void
init_upstreams(struct meters *m, struct ch_metrics *metrics)
{
	static const char *const classes[] = {"2xx", "3xx", "4xx", "429", "5xx",
		"timeout", "connect", "malformed", "too_large", "cancelled"};

	for (int u = 0; u < UPSTREAMS; u++) {
		const char *name = upstream_name((enum upstream_id)u);

		m->flying[u] =
			ch_metrics_series(metrics, PM_UPSTREAM_FLYING, name);
		m->circuit[u] = ch_metrics_series(metrics, PM_CIRCUIT, name);
		m->opened[u] =
			ch_metrics_series(metrics, PM_CIRCUIT_OPENED, name);
		(void)ch_metrics_series(metrics, PM_UPSTREAM_TIME, name);
		for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
			(void)ch_metrics_series(metrics, PM_UPSTREAM, name,
				classes[i]);
	}
	for (int i = 0; i < LANES; i++)
		m->keys[i] = ch_metrics_series(metrics, PM_UPSTREAM_KEYS,
			lane_name((enum lane)i));
}

void
meters_init(struct meters *m, struct ch_metrics *metrics)
{
	m->metrics = metrics;
	for (int i = 0; i < SERVED_RESULTS; i++)
		m->served[i] = ch_metrics_series(metrics, PM_REQUESTS,
			served_names[i]);
	for (int i = 0; i < CACHE_MISSING; i++)
		m->ids[i] = ch_metrics_series(metrics, PM_IDS,
			cache_status_name((enum cache_status)i));
	m->request_time = ch_metrics_get(metrics, PM_REQUEST_TIME);
	m->served_age = ch_metrics_get(metrics, PM_SERVED_AGE);
	m->not_modified = ch_metrics_get(metrics, PM_NOT_MODIFIED);
	m->markets[0] = ch_metrics_series(metrics, PM_MARKETS, "unpriced");
	m->markets[1] = ch_metrics_series(metrics, PM_MARKETS, "priced");
	m->dropped_ring = ch_metrics_series(metrics, PM_DROPPED, "handover");
	m->dropped_store = ch_metrics_series(metrics, PM_DROPPED, "table");
	m->dropped_publish = ch_metrics_series(metrics, PM_DROPPED, "topic");
	init_upstreams(m, metrics);
}

static const char *
code_class(bool answered, int status, enum reason reason)
{
	if (reason == REASON_MALFORMED)
		return "malformed";
	if (!answered)
		return reason_name(reason);
	if (status == 429)
		return "429";
	return status >= 500	? "5xx"
		: status >= 400 ? "4xx"
		: status >= 300 ? "3xx"
				: "2xx";
}

void
meters_upstream(struct meters *m, enum upstream_id u, bool answered, int status,
	enum reason reason, int64_t elapsed_us)
{
	const char *name = upstream_name(u);

	ch_series_add(ch_metrics_series(m->metrics, PM_UPSTREAM, name,
			      code_class(answered, status, reason)),
		1);
	ch_series_observe(ch_metrics_series(m->metrics, PM_UPSTREAM_TIME, name),
		elapsed_us);
}

void
meters_show(struct meters *m, const struct desk *d)
{
	const struct desk_counts *n = desk_counts(d);
	const struct upstreams *up = desk_upstreams(d);

	ch_metric_set(m->metrics, PM_WAITING, (int64_t)desk_waiting(d));
	ch_metric_set(m->metrics, PM_EVICTIONS,
		(int64_t)cache_evictions(desk_cache(d)));
	ch_metric_set(m->metrics, PM_UPSTREAM_BAD, (int64_t)n->bad);
	ch_metric_set(m->metrics, PM_UPSTREAM_FOREIGN, (int64_t)n->foreign);
	ch_metric_set(m->metrics, PM_HEDGES, (int64_t)n->hedges);
	ch_metric_set(m->metrics, PM_BACKGROUND, (int64_t)n->background);
	ch_metric_set(m->metrics, PM_LATE, (int64_t)n->late);
	for (int i = 0; i < 2; i++)
		ch_series_set(m->markets[i],
			(int64_t)cache_count(desk_cache(d), i == 1));
	for (int i = 0; i < LANES; i++)
		ch_series_set(m->keys[i], (int64_t)n->keys[i]);
	for (int u = 0; u < UPSTREAMS; u++) {
		const struct ch_breaker *b = &up->breaker[u];

		ch_series_set(m->flying[u], up->flying[u]);
		ch_series_set(m->circuit[u], (int64_t)ch_breaker_state(b));
		ch_series_set(m->opened[u], (int64_t)b->opened);
	}
}
