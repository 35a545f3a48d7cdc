/* SPDX-License-Identifier: Apache-2.0 */
/*
 * horizon: a number is drawn first, so that every transaction that could be
 * meant is below the largest that has ended, and what has not ended is listed by
 * each snapshot.
 */
#include "horizon.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"

#define LOOK_MS 100
#define LONG_MS 1000
#define TELL_MS 60000

static const struct ch_pg_stmt set_stmt = {
	"relay_horizon_set", outbox_relay_sql_horizon_set};
static const struct ch_pg_stmt look_stmt = {
	"relay_horizon_look", outbox_relay_sql_horizon_look};

void
horizon_clear(struct horizon *h)
{
	free(h->before);
	*h = (struct horizon){.before = NULL};
}

int
horizon_set(struct horizon *h, char *before, struct ch_pg *pg,
	struct ch_mono now, struct ch_err *err)
{
	struct ch_view all;
	PGresult *res;
	int rc;

	horizon_clear(h);
	h->before = before;
	h->since = h->look_at = now;
	rc = ch_pg_query(pg, &set_stmt, NULL, &res, err);
	if (rc != CH_OK)
		return rc;
	if (!ch_pg_get_text(res, 0, 0, &all))
		rc = ch_err_set(err, CH_EPROTO, "no transaction's number");
	else if (before == NULL)
		h->before = ch_xviewdup(all);
	PQclear(res);
	return rc;
}

static void
tell(struct horizon *h, const PGresult *res, struct ch_mono now)
{
	struct ch_pg_row row = ch_pg_row(res, 0);
	struct ch_view xid = ch_pg_next_text(&row);
	int32_t backend = ch_pg_next_i32(&row);
	struct ch_view prepared = ch_pg_next_text(&row);
	int64_t ms = ch_mono_ms_since(now, h->since);

	if (ms < LONG_MS)
		return;
	if (prepared.len > 0)
		(void)snprintf(h->waits_for, sizeof(h->waits_for),
			"transaction %.*s, prepared as %.*s", (int)xid.len,
			xid.ptr, (int)(prepared.len < 100 ? prepared.len : 100),
			prepared.ptr);
	else
		(void)snprintf(h->waits_for, sizeof(h->waits_for),
			"transaction %.*s of backend %" PRId32, (int)xid.len,
			xid.ptr, backend);
	if (h->told_at.ns != 0 && ch_mono_ms_since(now, h->told_at) < TELL_MS)
		return;
	h->told_at = now;
	ch_warn("relay.scan_waits", CH_S("for", h->waits_for),
		CH_I("since_ms", ms),
		CH_S("why",
			"it may have committed before the slot began, and its "
			"rows do not show yet: a synchronous standby that is "
			"away, or a transaction left open"));
}

int
horizon_is_past(struct horizon *h, struct ch_pg *pg, struct ch_mono now,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	bool past;
	int rc;

	if (h->before == NULL)
		return 1;
	if (h->look_at.ns > now.ns)
		return 0;
	h->look_at = (struct ch_mono){now.ns + LOOK_MS * INT64_C(1000000)};
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, h->before);
	rc = ch_pg_query(pg, &look_stmt, &args, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "look at what runs");
	past = PQntuples(res) == 0;
	if (!past)
		tell(h, res, now);
	PQclear(res);
	if (past)
		horizon_clear(h);
	return past;
}
