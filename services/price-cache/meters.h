/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: price-cache's metrics, one table, and the series asked for often.
 *
 * Thread: any.
 */
#ifndef PRICE_CACHE_METERS_H
#define PRICE_CACHE_METERS_H

#include "daemon/metrics.h"
#include "desk.h"

enum price_cache_meter {
	PM_REQUESTS,
	PM_REQUEST_TIME,
	PM_IDS,
	PM_SERVED_AGE,
	PM_NOT_MODIFIED,
	PM_WAITING,
	PM_CONNECTIONS,
	PM_MARKETS,
	PM_EVICTIONS,
	PM_UPSTREAM,
	PM_UPSTREAM_TIME,
	PM_UPSTREAM_KEYS,
	PM_UPSTREAM_FLYING,
	PM_UPSTREAM_BAD,
	PM_UPSTREAM_FOREIGN,
	PM_CIRCUIT,
	PM_CIRCUIT_OPENED,
	PM_HEDGES,
	PM_BACKGROUND,
	PM_LATE,
	PM_UPDATES,
	PM_DROPPED,
	PM_STORED,
	PM_STORE_FAILURES,
	PM_STORE_PENDING,
	PM_PUBLISHED,
	PM_PUBLISH_FAILURES,
	PM_PUBLISH_PENDING,
	PM_RESTORED,
};

extern const struct ch_metric_desc price_cache_metrics[];

enum served {
	SERVED_HIT,
	SERVED_MISS,
	SERVED_COALESCED,
	SERVED_STALE,
	SERVED_ERROR,
	SERVED_REFUSED,
	SERVED_BUSY,
	SERVED_RESULTS
};

struct meters {
	struct ch_metrics *metrics;
	struct ch_series *served[SERVED_RESULTS];
	struct ch_series *ids[CACHE_MISSING];
	struct ch_series *request_time, *served_age, *not_modified;
	struct ch_series *markets[2]; /* [proven] */
	struct ch_series *keys[LANES];
	struct ch_series *flying[UPSTREAMS], *circuit[UPSTREAMS],
		*opened[UPSTREAMS];
	struct ch_series *dropped_ring, *dropped_store, *dropped_publish;
};

/* Makes every series at once, so that each stands at 0 from the start. */
void meters_init(struct meters *m, struct ch_metrics *metrics);
/* One call to an upstream has ended. Thread: HTTP client. */
void meters_upstream(struct meters *m, enum upstream_id u, bool answered,
	int status, enum reason reason, int64_t elapsed_us);
/* Shows what the desk counts. Thread: the desk's. */
void meters_show(struct meters *m, const struct desk *d);

#endif
