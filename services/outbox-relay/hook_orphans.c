/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_orphans: see hook_orphans.h.
 */
#include "hook_orphans.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"

#define REMEDY                                                                 \
	"no running relay has it: put it back into the file of webhooks, or "  \
	"dlq bury it"

#define LOOK_MS 30000
#define PATIENCE_MS 20

struct hook_orphan {
	char *endpoint;
	int64_t pending; /* 0: it is none now */
	int64_t found;	 /* by the look under way */
	struct ch_series *series;
};

static const struct ch_pg_stmt orphans_stmt = {
	"webhook_orphans", outbox_relay_sql_webhook_orphans};

void
hook_orphans_open(struct hook_orphans *o, struct ch_metrics *metrics,
	int metric)
{
	*o = (struct hook_orphans){.metrics = metrics, .metric = metric};
}

void
hook_orphans_close(struct hook_orphans *o)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		free(o->items[i].endpoint);
	free(o->items);
	o->items = NULL;
	o->count = 0;
}

static struct hook_orphan *
named(struct hook_orphans *o, struct ch_view endpoint)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		if (ch_view_eq_str(endpoint, o->items[i].endpoint))
			return &o->items[i];
	o->items = ch_xrealloc(o->items, o->count + 1, sizeof(*o->items));
	o->items[o->count] =
		(struct hook_orphan){.endpoint = ch_xviewdup(endpoint)};
	return &o->items[o->count++];
}

static void
set(struct hook_orphans *o, struct hook_orphan *w)
{
	bool fresh = w->pending == 0 && w->found > 0;
	bool gone = w->pending > 0 && w->found == 0;

	w->pending = w->found;
	if (gone) {
		ch_series_hide(w->series);
		return;
	}
	if (w->pending == 0)
		return;
	/* one that was hidden is brought back by its name */
	if (fresh)
		w->series =
			ch_metrics_series(o->metrics, o->metric, w->endpoint);
	ch_series_set(w->series, w->pending);
	if (fresh)
		ch_warn("webhook.orphaned", CH_S("endpoint", w->endpoint),
			CH_I("pending", w->pending), CH_S("then", REMEDY));
}

static void
read_look(struct hook_orphans *o, const PGresult *res)
{
	size_t n;
	int i;

	for (n = 0; n < o->count; n++)
		o->items[n].found = 0;
	for (i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		struct ch_view endpoint = ch_pg_next_text(&r);

		named(o, endpoint)->found = ch_pg_next_i64(&r);
	}
	for (n = 0; n < o->count; n++)
		set(o, &o->items[n]);
}

/* The session is the leader's: who has locked the table is not waited for. */
int
hook_orphans_look(struct hook_orphans *o, struct ch_pg *pg, struct ch_mono now,
	struct ch_err *err)
{
	PGresult *res;
	int rc;

	if (o->looked_at.ns != 0 &&
		ch_mono_ms_since(now, o->looked_at) < LOOK_MS)
		return CH_OK;
	o->looked_at = now;
	rc = ch_pg_query_patient(pg, PATIENCE_MS, &orphans_stmt, NULL, &res,
		err);
	if (rc != CH_OK)
		return ch_pg_lock_not_had(err) ? CH_OK : rc;
	read_look(o, res);
	PQclear(res);
	return CH_OK;
}

void
hook_orphans_forget(struct hook_orphans *o)
{
	size_t n;

	o->looked_at.ns = 0;
	for (n = 0; n < o->count; n++) {
		o->items[n].found = 0;
		set(o, &o->items[n]);
	}
}

void
hook_orphans_note(const struct hook_orphans *o, struct ch_buf *verbose)
{
	size_t n;

	for (n = 0; n < o->count; n++)
		if (o->items[n].pending > 0)
			ch_buf_printf(verbose,
				"[+]webhooks endpoint %s has %" PRId64
				" deliveries that are not done, and %s\n",
				o->items[n].endpoint, o->items[n].pending,
				REMEDY);
}
