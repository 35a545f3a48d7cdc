/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: trade-stream's metrics, one table, and the series that are asked for
 * on every frame.
 *
 * Thread: any.
 */
#ifndef TRADE_STREAM_METERS_H
#define TRADE_STREAM_METERS_H

#include "daemon/metrics.h"
#include "frame.h"
#include "session.h"

enum trade_stream_meter {
	TM_CONNECTED,
	TM_CONNECTS,
	TM_RECONNECTS,
	TM_LAST_MESSAGE,
	TM_LAST_ROW,
	TM_FRAMES,
	TM_REFUSED,
	TM_UNWATCHED,
	TM_REPEATED,
	TM_CUT,
	TM_DROPPED,
	TM_QUEUED,
	TM_PUBLISHED,
	TM_FEED_LAG,
	TM_PUBLISH_TIME,
	TM_QUEUE_TRADES,
	TM_QUEUE_BYTES,
	TM_UNACKED,
	TM_FAILURES,
	TM_REJECTED,
	TM_REOPENED,
	TM_WALLETS,
	TM_RELOADS,
};

extern const struct ch_metric_desc trade_stream_metrics[];

struct meters {
	struct ch_metrics *metrics;
	struct ch_series *reconnects[SESSION_REASONS];
	struct ch_series *last_row[TRADE_SOURCES];
	struct ch_series *rows[TRADE_SOURCES]; /* frames that held a row */
	struct ch_series *frames[FRAME_KINDS]; /* trade: unused */
	struct ch_series *refused[FRAME_REASONS];
	struct ch_series *unwatched;
	struct ch_series *repeated;
	struct ch_series *dropped;
	struct ch_series *reload_ok;
	struct ch_series *reload_failed;
};

/* Makes every series at once, so that each stands at 0 from the start. */
void meters_init(struct meters *m, struct ch_metrics *metrics);

#endif
