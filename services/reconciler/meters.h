/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: the reconciler's metrics, one table.
 *
 * Thread: any.
 */
#ifndef RECONCILER_METERS_H
#define RECONCILER_METERS_H

#include "daemon/metrics.h"

enum reconciler_meter {
	RM_ACTIVE,
	RM_IMBALANCE,
	RM_BREAKS_OPEN,
	RM_BREAKS,
	RM_TRADING_PAUSED,
	RM_PAUSED_SCOPES,
	RM_PAUSES,
	RM_LAST_SUCCESS,
	RM_DURATION,
	RM_FAILURES,
	RM_SWEEP_SECONDS,
	RM_POSTINGS,
	RM_WATERMARK_LAG,
	RM_WATERMARK_TIME,
	RM_FULL_RUNNING,
	RM_FULL_DONE,
	RM_FULL_LEFT,
	RM_FULLS,
	RM_LOG_LEFT,
};

extern const struct ch_metric_desc reconciler_metrics[];

#endif
