/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and histograms, read by Prometheus.
 *
 * One table per service; the row's index (an enum beside the table) names the
 * metric in code. A series is one metric with one set of label values: ask for
 * it once, keep the pointer, update it from any thread without a lock.
 *
 * Everything is int64. CH_UNIT_SECONDS is observed, added and set in
 * MICROSECONDS and printed in seconds; CH_UNIT_RATIO in millionths. Labels are
 * few and closed (topic, reason): a metric keeps at most max_series of them,
 * further values are counted under the value "other". Never put an account,
 * a wallet or an id into a label.
 *
 * Thread: any.
 */
#ifndef CH_DAEMON_METRICS_H
#define CH_DAEMON_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum ch_metric_type { CH_COUNTER, CH_GAUGE, CH_HISTOGRAM };

enum ch_metric_unit {
	CH_UNIT_NONE,	 /* a count of things */
	CH_UNIT_SECONDS, /* given in microseconds */
	CH_UNIT_BYTES,
	CH_UNIT_RATIO /* given in millionths */
};

#define CH_METRIC_LABELS_MAX 3

struct ch_metric_desc {
	const char *name; /* ledger_commands_total: counters end in _total,
			     seconds in _seconds, bytes in _bytes */
	enum ch_metric_type type;
	enum ch_metric_unit unit;
	const char *help;
	const char *labels[CH_METRIC_LABELS_MAX]; /* names; unused ones NULL */
	const int64_t *buckets; /* upper bounds in the metric's raw unit,
				   rising, ends with 0; NULL: 500 us to 10 s
				   for seconds, 1 to 10,000 otherwise */
	int max_series;		/* 0: 64 */
};

struct ch_metrics;
struct ch_series;

/* tables: NULL-ended array of tables, each ending with name NULL. Metric ids
 * count through the FIRST table from 0; a wrong table is our bug and asserts
 * (names, suffixes, help). */
struct ch_metrics *ch_metrics_new(const char *service,
	const struct ch_metric_desc *const tables[]);
void ch_metrics_free(struct ch_metrics *m);

/* The series of metric `id`, as many label values as it has labels, as
 * C strings: ch_metrics_series(m, LW_COMMANDS, "applied"). Lives as long as m.
 * Never NULL. Takes a lock: call it once and keep the result. */
struct ch_series *ch_metrics_series_(struct ch_metrics *m, int id,
	const char *const values[CH_METRIC_LABELS_MAX]);
#define ch_metrics_series(m, id, ...)                                          \
	ch_metrics_series_((m), (id),                                          \
		(const char *const[CH_METRIC_LABELS_MAX]){__VA_ARGS__})
/* The only series of a metric without labels. */
struct ch_series *ch_metrics_get(struct ch_metrics *m, int id);

void ch_series_add(struct ch_series *s, int64_t n); /* counter: n >= 0 */
void ch_series_set(struct ch_series *s, int64_t v); /* gauge; or a counter kept
						       elsewhere */
void ch_series_observe(struct ch_series *s, int64_t v); /* histogram */
int64_t ch_series_value(const struct ch_series *s);	/* histogram: count */

/* Shorthands for metrics without labels. */
void ch_metric_add(struct ch_metrics *m, int id, int64_t n);
void ch_metric_set(struct ch_metrics *m, int id, int64_t v);
void ch_metric_observe(struct ch_metrics *m, int id, int64_t v);

/* Takes a series out of the exposition (a partition that was revoked); the
 * next ch_metrics_series() of these values brings it back from 0. The pointer
 * stays valid. */
void ch_series_hide(struct ch_series *s);

/* Prometheus text format 0.0.4, with the process_* set. */
#define CH_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void ch_metrics_render(struct ch_metrics *m, struct ch_buf *out);
/* For the manual page. */
void ch_metrics_man(struct ch_buf *out,
	const struct ch_metric_desc *const tables[]);
/* Markdown table for the reference page. */
void ch_metrics_reference(struct ch_buf *out,
	const struct ch_metric_desc *const tables[]);

#endif
