/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: the table of trade-stream's metrics. The order is that of enum
 * trade_stream_meter.
 */
#include "meters.h"

const struct ch_metric_desc trade_stream_metrics[] = {
	[TM_CONNECTED] = {.name = "trade_stream_ws_connected",
		.type = CH_GAUGE,
		.help = "1 while the WebSocket is open. Says nothing about "
			"data: see the last row's time."},
	[TM_CONNECTS] = {.name = "trade_stream_ws_connects_total",
		.type = CH_COUNTER,
		.help = "Connection attempts."},
	[TM_RECONNECTS] = {.name = "trade_stream_ws_reconnects_total",
		.type = CH_COUNTER,
		.labels = {"reason"},
		.help = "Connections that ended, by reason."},
	[TM_LAST_MESSAGE] =
		{.name = "trade_stream_ws_last_message_timestamp_seconds",
			.type = CH_GAUGE,
			.unit = CH_UNIT_SECONDS,
			.help = "When the last frame of any kind came."},
	[TM_LAST_ROW] = {.name = "trade_stream_last_row_timestamp_seconds",
		.type = CH_GAUGE,
		.unit = CH_UNIT_SECONDS,
		.labels = {"type"},
		.help = "When the last trade row came, of any wallet."},
	[TM_FRAMES] = {.name = "trade_stream_frames_total",
		.type = CH_COUNTER,
		.labels = {"type"},
		.help = "Frames received: trades, orders_matched, keepalive, "
			"notice, ignored, refused."},
	[TM_REFUSED] = {.name = "trade_stream_frames_refused_total",
		.type = CH_COUNTER,
		.labels = {"reason"},
		.help = "Frames refused, by the first thing found wrong."},
	[TM_UNWATCHED] = {.name = "trade_stream_rows_unwatched_total",
		.type = CH_COUNTER,
		.help = "Rows of wallets that are not watched; never queued."},
	[TM_REPEATED] = {.name = "trade_stream_rows_repeated_total",
		.type = CH_COUNTER,
		.help = "Rows that an earlier connection had brought."},
	[TM_CUT] = {.name = "trade_stream_texts_cut_total",
		.type = CH_COUNTER,
		.help = "Rows with a title, slug or outcome over its cap."},
	[TM_DROPPED] = {.name = "trade_stream_rows_dropped_total",
		.type = CH_COUNTER,
		.labels = {"reason"},
		.help = "Watched rows that were lost here: the queue to Kafka "
			"was full and the feed was closed."},
	[TM_QUEUED] = {.name = "trade_stream_trades_queued_total",
		.type = CH_COUNTER,
		.help = "Rows handed on for publishing."},
	[TM_PUBLISHED] = {.name = "trade_stream_trades_published_total",
		.type = CH_COUNTER,
		.help = "Rows that Kafka has acknowledged."},
	[TM_FEED_LAG] = {.name = "trade_stream_feed_lag_seconds",
		.type = CH_HISTOGRAM,
		.unit = CH_UNIT_SECONDS,
		.help = "From the feed's stamp on a frame to its arrival."},
	[TM_PUBLISH_TIME] = {.name = "trade_stream_publish_seconds",
		.type = CH_HISTOGRAM,
		.unit = CH_UNIT_SECONDS,
		.help = "From a row's arrival to Kafka's acknowledgement."},
	[TM_QUEUE_TRADES] = {.name = "trade_stream_queue_trades",
		.type = CH_GAUGE,
		.help = "Rows waiting for the Kafka side."},
	[TM_QUEUE_BYTES] = {.name = "trade_stream_queue_bytes",
		.type = CH_GAUGE,
		.unit = CH_UNIT_BYTES,
		.help = "Bytes waiting for the Kafka side."},
	[TM_UNACKED] = {.name = "trade_stream_unacknowledged_trades",
		.type = CH_GAUGE,
		.help = "Rows kept until Kafka acknowledges them."},
	[TM_FAILURES] = {.name = "trade_stream_delivery_failures_total",
		.type = CH_COUNTER,
		.labels = {"class"},
		.help = "Sends that failed and are repeated, by class."},
	[TM_REJECTED] = {.name = "trade_stream_trades_rejected_total",
		.type = CH_COUNTER,
		.help = "Rows that Kafka can never accept; lost and logged."},
	[TM_REOPENED] = {.name = "trade_stream_producer_reopened_total",
		.type = CH_COUNTER,
		.help = "Kafka producers made anew after a fatal error."},
	[TM_WALLETS] = {.name = "trade_stream_wallets",
		.type = CH_GAUGE,
		.help = "Wallets watched; 0: all are published."},
	[TM_RELOADS] = {.name = "trade_stream_wallet_reloads_total",
		.type = CH_COUNTER,
		.labels = {"result"},
		.help = "Readings of the wallet file on SIGHUP: ok, failed."},
	{.name = NULL}};

void
meters_init(struct meters *m, struct ch_metrics *metrics)
{
	m->metrics = metrics;
	for (int i = 0; i < SESSION_REASONS; i++)
		m->reconnects[i] = ch_metrics_series(metrics, TM_RECONNECTS,
			session_reason_name((enum session_reason)i));
	for (int i = 0; i < TRADE_SOURCES; i++) {
		const char *name = trade_source_name((enum trade_source)i);

		m->last_row[i] = ch_metrics_series(metrics, TM_LAST_ROW, name);
		m->rows[i] = ch_metrics_series(metrics, TM_FRAMES, name);
	}
	for (int i = FRAME_TRADE + 1; i < FRAME_KINDS; i++)
		m->frames[i] = ch_metrics_series(metrics, TM_FRAMES,
			frame_kind_name((enum frame_kind)i));
	for (int i = FRAME_OK + 1; i < FRAME_REASONS; i++)
		m->refused[i] = ch_metrics_series(metrics, TM_REFUSED,
			frame_reason_name((enum frame_reason)i));
	m->unwatched = ch_metrics_get(metrics, TM_UNWATCHED);
	m->repeated = ch_metrics_get(metrics, TM_REPEATED);
	m->dropped = ch_metrics_series(metrics, TM_DROPPED, "queue_full");
	m->reload_ok = ch_metrics_series(metrics, TM_RELOADS, "ok");
	m->reload_failed = ch_metrics_series(metrics, TM_RELOADS, "failed");
}
