/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_figures: see hook_figures.h.
 */
#include "hook_figures.h"

#include <stdlib.h>

#include "base/mem.h"
#include "failure.h"

struct hook_series {
	struct ch_series *pending, *oldest, *delivered, *letters, *blocked,
		*blocked_since, *breaker;
};

void
hook_figures_open(struct hook_figures *f, struct ch_metrics *metrics,
	const struct hooks_metrics *ids, const struct endpoints *endpoints)
{
	size_t i;

	*f = (struct hook_figures){
		.metrics = metrics, .ids = *ids, .endpoints = endpoints};
	f->series = ch_xcalloc(endpoints->count, sizeof(*f->series));
	for (i = 0; i < endpoints->count; i++) {
		struct ch_metrics *m = metrics;
		const char *name = endpoints->items[i].name;

		f->series[i] = (struct hook_series){
			.pending = ch_metrics_series(m, ids->pending, name),
			.oldest = ch_metrics_series(m, ids->oldest, name),
			.delivered = ch_metrics_series(m, ids->delivered, name),
			.letters = ch_metrics_series(m, ids->letters, name),
			.blocked = ch_metrics_series(m, ids->blocked, name),
			.blocked_since =
				ch_metrics_series(m, ids->blocked_since, name),
			.breaker = ch_metrics_series(m, ids->breaker, name)};
	}
}

void
hook_figures_close(struct hook_figures *f)
{
	free(f->series);
	f->series = NULL;
}

void
hook_figures_zero(struct hook_figures *f)
{
	size_t i;

	for (i = 0; f->series != NULL && i < f->endpoints->count; i++) {
		struct hook_series *s = &f->series[i];

		ch_series_set(s->pending, 0);
		ch_series_set(s->oldest, 0);
		ch_series_set(s->blocked, 0);
		ch_series_set(s->blocked_since, 0);
		ch_series_set(s->breaker, 0);
	}
}

void
hook_figures_failed(struct hook_figures *f, const struct hook_flight *what)
{
	ch_series_add(ch_metrics_series(f->metrics, f->ids.failed,
			      f->endpoints->items[what->endpoint].name,
			      failure_name(what->failure)),
		1);
}

void
hook_figures_settled(struct hook_figures *f, const struct hook_flight *what)
{
	struct hook_series *s = &f->series[what->endpoint];

	if (what->verdict == HOOK_DONE)
		ch_series_add(s->delivered, 1);
	else if (what->verdict == HOOK_BURY)
		ch_series_add(s->letters, 1);
}

void
hook_figures_breakers(struct hook_figures *f, const struct hook_sender *sender)
{
	size_t i;

	for (i = 0; i < f->endpoints->count; i++)
		ch_series_set(f->series[i].breaker,
			(int64_t)hook_sender_breaker(sender, i));
}

static int64_t
age_of(const PGresult *res, int row, int col, struct ch_time now)
{
	struct ch_time at;

	if (!ch_pg_get_time(res, row, col, &at) || at.us > now.us)
		return 0;
	return now.us - at.us;
}

void
hook_figures_read(struct hook_figures *f, const PGresult *res,
	struct ch_time now)
{
	int64_t n;
	int i;

	for (i = 0; i < (int)f->endpoints->count && i < PQntuples(res); i++) {
		struct hook_series *s = &f->series[i];

		if (ch_pg_get_i64(res, i, 0, &n))
			ch_series_set(s->pending, n);
		ch_series_set(s->oldest, age_of(res, i, 1, now));
		if (ch_pg_get_i64(res, i, 2, &n))
			ch_series_set(s->blocked, n);
		ch_series_set(s->blocked_since, age_of(res, i, 3, now));
	}
}
