/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the table of what an operator may set.
 *
 * There is no row for the subscription: the venue drops the connection on
 * anything but the one text that it knows, and filters that it accepts deliver
 * nothing (notes/market-feed.md, section 1.2).
 */
#include "params.h"

#include "daemon/client_check.h"
#include "daemon/client_params.h"
#include "io/kafka_producer.h"
#include "walletfile.h"

const struct ch_param trade_stream_params[] = {
	{.name = "feed_url",
		.type = CH_PARAM_URL,
		.choices = "ws|wss",
		.flags = CH_PARAM_REQUIRED,
		.help = "the exchange's WebSocket, ws:// or wss://"},
	CH_CLIENT_BOOTSTRAP(1, CH_PARAM_REQUIRED, ""), CH_CLIENT_KAFKA,
	CH_CLIENT_ID("trade-stream", 128, "client id towards Kafka"),
	{.name = "topic",
		.type = CH_PARAM_STRING,
		.def = "market.trades",
		.min = 1,
		.max = 249,
		.help = "topic to publish to"},
	{.name = "wallets",
		.type = CH_PARAM_PATH,
		.flags = CH_PARAM_RELOADABLE,
		.help = "file of wallets to publish, one a line; read again on "
			"SIGHUP; empty: all wallets"},
	{.name = "publish",
		.type = CH_PARAM_ENUM,
		.def = "trades",
		.choices = "trades|orders_matched|both",
		.help = "which rows are published; both means a taker's fill "
			"twice, told apart by source"},
	{.name = "ping_every",
		.type = CH_PARAM_DURATION,
		.def = "5s",
		.min = 100,
		.max = 60000,
		.help = "a text PING this often keeps the feed sending"},
	{.name = "pong_within",
		.type = CH_PARAM_DURATION,
		.def = "12s",
		.min = 200,
		.max = 120000,
		.help = "no frame of any kind for so long: reconnect"},
	{.name = "stale_after",
		.type = CH_PARAM_DURATION,
		.def = "20s",
		.min = 500,
		.max = 600000,
		.help = "no trade for so long: reconnect, and not ready"},
	{.name = "connect_timeout",
		.type = CH_PARAM_DURATION,
		.def = "10s",
		.min = 100,
		.max = 60000,
		.help = "name, TCP, TLS and upgrade together"},
	{.name = "backoff_min",
		.type = CH_PARAM_DURATION,
		.def = "500ms",
		.min = 10,
		.max = 60000,
		.help = "shortest wait before a reconnect"},
	{.name = "backoff_max",
		.type = CH_PARAM_DURATION,
		.def = "30s",
		.min = 10,
		.max = 600000,
		.help = "longest wait before a reconnect"},
	{.name = "queue_trades",
		.type = CH_PARAM_INT,
		.def = "65536",
		.min = 16,
		.max = 4194304,
		.help = "trades that may wait for Kafka; when there are more "
			"the feed is closed until half are gone"},
	{.name = "queue_bytes",
		.type = CH_PARAM_BYTES,
		.def = "64MiB",
		.min = 65536,
		.max = 4294967296,
		.help = "bytes that may wait for Kafka"},
	{.name = "identity_window",
		.type = CH_PARAM_DURATION,
		.def = "10m",
		.min = 1000,
		.max = 86400000,
		.help = "how long equal fills are counted after the last one"},
	{.name = "identity_keys",
		.type = CH_PARAM_INT,
		.def = "131072",
		.min = 1024,
		.max = 16777216,
		.help = "how many different fills are counted at a time (about "
			"170 bytes each)"},
	{.name = NULL}};

int
trade_stream_params_check(const struct ch_params *p, struct ch_err *err)
{
	struct walletset *wallets = NULL;

	if (ch_params_check_order(p, "backoff_min", "backoff_max", err) != 0 ||
		ch_params_check_order(p, "ping_every", "pong_within", err) !=
			0 ||
		ch_params_check_order(p, "ping_every", "stale_after", err) !=
			0 ||
		ch_client_check_kafka(p, ch_kafka_producer_reserved, err) != 0)
		return CH_ECONFIG;
	if (walletfile_read(&wallets, ch_params_str(p, "wallets"), err) != 0) {
		(void)ch_err_wrap(err, "wallets (from %s)",
			ch_params_origin(p, "wallets"));
		return CH_ECONFIG;
	}
	walletset_free(wallets);
	return 0;
}
