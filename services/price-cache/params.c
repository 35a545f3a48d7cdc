/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the table of what an operator may set.
 *
 * Defaults: the rates are half of what the venue documents for Gamma /markets
 * (300 in 10 s) and CLOB /midpoints (500 in 10 s); its latency can be 3 s, so
 * attempts may take longer than any client waits.
 */
#include "params.h"

#include "daemon/client_check.h"
#include "daemon/client_params.h"
#include "io/kafka_producer.h"

const struct ch_param price_cache_params[] = {
	{.name = "listen",
		.type = CH_PARAM_STRING,
		.def = "127.0.0.1:9606",
		.min = 2,
		.max = 128,
		.help = "public address, host:port; port 0: any"},
	{.name = "public_port_file",
		.type = CH_PARAM_PATH,
		.help = "file that gets the public port once it listens"},
	{.name = "max_connections",
		.type = CH_PARAM_INT,
		.def = "2048",
		.min = 1,
		.max = 100000,
		.help = "client connections; more get 503"},
	{.name = "primary_url",
		.type = CH_PARAM_URL,
		.choices = "http|https",
		.flags = CH_PARAM_REQUIRED,
		.help = "Gamma-like API: GET <url>/markets?condition_ids=..."},
	{.name = "fallback_url",
		.type = CH_PARAM_URL,
		.choices = "http|https",
		.help = "CLOB-like API: POST <url>/midpoints, GET "
			"<url>/markets/<id>; empty: none"},
	{.name = "user_agent",
		.type = CH_PARAM_STRING,
		.def = "countinghouse-price-cache",
		.min = 1,
		.max = 200,
		.help = "User-Agent towards the upstreams"},
	{.name = "ca_file",
		.type = CH_PARAM_PATH,
		.help = "CA bundle for https upstreams; empty: the system's"},
	{.name = "ttl",
		.type = CH_PARAM_DURATION,
		.def = "2s",
		.min = 50,
		.max = 3600000,
		.help = "how long a price is fresh"},
	{.name = "refresh_ahead",
		.type = CH_PARAM_DURATION,
		.def = "400ms",
		.min = 0,
		.max = 3600000,
		.help = "a read so near the end of the ttl renews the price in "
			"the background; 0ms: never"},
	{.name = "budget",
		.type = CH_PARAM_DURATION,
		.def = "1500ms",
		.min = 10,
		.max = 60000,
		.help = "longest wait of a client for a market without a price"},
	{.name = "stale_wait",
		.type = CH_PARAM_DURATION,
		.def = "300ms",
		.min = 0,
		.max = 60000,
		.help = "longest wait of a client for a fresher price; then the "
			"last one, stale"},
	{.name = "stale_max",
		.type = CH_PARAM_DURATION,
		.def = "10m",
		.min = 1000,
		.max = 604800000,
		.help = "older prices are not served any more"},
	{.name = "hedge",
		.type = CH_PARAM_DURATION,
		.def = "300ms",
		.min = 1,
		.max = 60000,
		.help = "the primary silent for so long: the fallback is asked "
			"as well"},
	{.name = "unknown_ttl",
		.type = CH_PARAM_DURATION,
		.def = "30s",
		.min = 100,
		.max = 86400000,
		.help = "how long an unknown market is remembered as such"},
	{.name = "error_ttl",
		.type = CH_PARAM_DURATION,
		.def = "1s",
		.min = 10,
		.max = 60000,
		.help = "after a failure a market is left alone for half of "
			"this to all of it"},
	{.name = "attempt_timeout",
		.type = CH_PARAM_DURATION,
		.def = "4s",
		.min = 10,
		.max = 120000,
		.help = "longest call to an upstream"},
	{.name = "window",
		.type = CH_PARAM_DURATION,
		.def = "2ms",
		.min = 0,
		.max = 1000,
		.help = "markets asked for within it share an upstream call"},
	{.name = "primary_batch",
		.type = CH_PARAM_INT,
		.def = "50",
		.min = 1,
		.max = 100,
		.help = "markets in one call of the primary"},
	{.name = "fallback_batch",
		.type = CH_PARAM_INT,
		.def = "100",
		.min = 1,
		.max = 250,
		.help = "markets in one /midpoints call of the fallback"},
	{.name = "primary_rate",
		.type = CH_PARAM_INT,
		.def = "15",
		.min = 1,
		.max = 100000,
		.help = "calls a second to the primary"},
	{.name = "fallback_rate",
		.type = CH_PARAM_INT,
		.def = "25",
		.min = 1,
		.max = 100000,
		.help = "calls a second to the fallback"},
	{.name = "rate_burst",
		.type = CH_PARAM_INT,
		.def = "150",
		.min = 1,
		.max = 100000,
		.help = "calls to an upstream at once after a "
			"pause"},
	{.name = "upstream_in_flight",
		.type = CH_PARAM_INT,
		.def = "64",
		.min = 1,
		.max = 1000,
		.help = "calls to an upstream under way at a time"},
	{.name = "upstream_body_max",
		.type = CH_PARAM_BYTES,
		.def = "4MiB",
		.min = 1024,
		.max = 67108864,
		.help = "largest answer of an upstream, unpacked"},
	{.name = "breaker_failures",
		.type = CH_PARAM_INT,
		.def = "5",
		.min = 1,
		.max = 1000,
		.help = "failed or slow calls in a row after which an upstream "
			"is left alone"},
	{.name = "breaker_open",
		.type = CH_PARAM_DURATION,
		.def = "1s",
		.min = 10,
		.max = 600000,
		.help = "for how long at first; then one probe"},
	{.name = "breaker_open_max",
		.type = CH_PARAM_DURATION,
		.def = "30s",
		.min = 10,
		.max = 3600000,
		.help = "and at most"},
	{.name = "max_markets",
		.type = CH_PARAM_INT,
		.def = "50000",
		.min = 16,
		.max = 10000000,
		.help = "markets with a price in memory (about 1 KiB each)"},
	{.name = "max_unknown",
		.type = CH_PARAM_INT,
		.def = "50000",
		.min = 128,
		.max = 10000000,
		.help = "market ids without a price in memory (about 0.3 KiB "
			"each)"},
	{.name = "max_waiting",
		.type = CH_PARAM_INT,
		.def = "10000",
		.min = 1,
		.max = 1000000,
		.help = "requests that may wait for upstreams; more get 503"},
	CH_CLIENT_BOOTSTRAP(0, 0, "; empty: prices are not published"),
	CH_CLIENT_KAFKA,
	CH_CLIENT_ID("price-cache", 128, "client id towards Kafka"),
	{.name = "prices_topic",
		.type = CH_PARAM_STRING,
		.def = "market.prices",
		.min = 1,
		.max = 249,
		.help = "topic for prices that changed (compacted)"},
	CH_CLIENT_DATABASE(0, ", for the table markets (empty: none)"),
	CH_CLIENT_PASSFILE, CH_CLIENT_SCHEMA("the table"),
	{.name = "store_every",
		.type = CH_PARAM_DURATION,
		.def = "500ms",
		.min = 10,
		.max = 60000,
		.help = "how often prices are written to the table"},
	{.name = NULL}};

int
price_cache_params_check(const struct ch_params *p, struct ch_err *err)
{
	if (ch_params_check_order(p, "breaker_open", "breaker_open_max", err) !=
			0 ||
		ch_params_check_order(p, "hedge", "budget", err) != 0 ||
		ch_params_check_order(p, "hedge", "attempt_timeout", err) !=
			0 ||
		ch_params_check_order(p, "stale_wait", "budget", err) != 0 ||
		ch_params_check_order(p, "refresh_ahead", "ttl", err) != 0 ||
		ch_params_check_order(p, "ttl", "stale_max", err) != 0 ||
		ch_client_check_listen(p, "listen", err) != 0 ||
		ch_client_check_file(p, "ca_file", err) != 0 ||
		ch_client_check_kafka(p, ch_kafka_producer_reserved, err) != 0)
		return CH_ECONFIG;
	return ch_client_check_database(p, "passfile", err);
}

static struct upstream_limits
upstream_limits(const struct ch_params *p, const char *url, const char *rate)
{
	return (struct upstream_limits){
		.configured = ch_params_str(p, url)[0] != '\0',
		.breaker = {.threshold = ch_params_int(p, "breaker_failures"),
			.open_ms = ch_params_ms(p, "breaker_open"),
			.open_max_ms = ch_params_ms(p, "breaker_open_max")},
		.per_second = ch_params_int(p, rate),
		.burst = ch_params_int(p, "rate_burst"),
		.in_flight = ch_params_int(p, "upstream_in_flight"),
	};
}

struct desk_limits
price_cache_limits(const struct ch_params *p)
{
	return (struct desk_limits){
		.cache = {.ttl_ms = ch_params_ms(p, "ttl"),
			.stale_max_ms = ch_params_ms(p, "stale_max"),
			.unknown_ttl_ms = ch_params_ms(p, "unknown_ttl"),
			.error_ttl_ms = ch_params_ms(p, "error_ttl"),
			.max_markets = ch_params_int(p, "max_markets"),
			.max_unknown = ch_params_int(p, "max_unknown")},
		.upstream = {[UPSTREAM_PRIMARY] = upstream_limits(p,
				     "primary_url", "primary_rate"),
			[UPSTREAM_FALLBACK] = upstream_limits(p, "fallback_url",
				"fallback_rate")},
		.batch = {[LANE_OPEN] = ch_params_int(p, "primary_batch"),
			[LANE_CLOSED] = ch_params_int(p, "primary_batch"),
			[LANE_MIDPOINTS] = ch_params_int(p, "fallback_batch"),
			[LANE_MARKET] = 1},
		.window_ms = ch_params_ms(p, "window"),
		.budget_ms = ch_params_ms(p, "budget"),
		.stale_wait_ms = ch_params_ms(p, "stale_wait"),
		.hedge_ms = ch_params_ms(p, "hedge"),
		.refresh_ahead_ms = ch_params_ms(p, "refresh_ahead"),
		.max_questions = ch_params_int(p, "max_waiting"),
	};
}
