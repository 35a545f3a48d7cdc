/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_figures: what is shown of each endpoint.
 *
 * Counters of what became of deliveries; gauges of what waits, read from
 * PostgreSQL now and then by whoever leads, and 0 elsewhere.
 *
 * Thread: loop.
 */
#ifndef RELAY_HOOK_FIGURES_H
#define RELAY_HOOK_FIGURES_H

#include "base/clock.h"
#include "daemon/metrics.h"
#include "endpoint.h"
#include "hook_sender.h"
#include "io/pg.h"

/* Metrics by their place in the service's table. */
struct hooks_metrics {
	int pending, oldest, delivered, failed, letters, blocked, blocked_since,
		breaker;
};

struct hook_series;

struct hook_figures {
	struct ch_metrics *metrics;
	struct hooks_metrics ids;
	const struct endpoints *endpoints;
	struct hook_series *series; /* of each endpoint */
};

/* endpoints must outlive it. */
void hook_figures_open(struct hook_figures *f, struct ch_metrics *metrics,
	const struct hooks_metrics *ids, const struct endpoints *endpoints);
/* Of one that was never opened, too. */
void hook_figures_close(struct hook_figures *f);
/* Another leader shows the gauges from here on. */
void hook_figures_zero(struct hook_figures *f);
/* It was not taken. */
void hook_figures_failed(struct hook_figures *f,
	const struct hook_flight *what);
/* Its verdict is written. */
void hook_figures_settled(struct hook_figures *f,
	const struct hook_flight *what);
void hook_figures_breakers(struct hook_figures *f,
	const struct hook_sender *sender);
/* The answer of hook_store_figures(). */
void hook_figures_read(struct hook_figures *f, const PGresult *res,
	struct ch_time now);

#endif
