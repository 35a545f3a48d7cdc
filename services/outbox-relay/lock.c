/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: taken by trying, proven by listening.
 */
#include "lock.h"

#include <poll.h>

#include "base/log.h"
#include "outbox_relay_sql.h"
#include "relay.h"

#define FREE_MS 5000

static const struct ch_pg_stmt lock_stmt = {
	"relay_lock", outbox_relay_sql_lock_try};
static const struct ch_pg_stmt free_lock_stmt = {
	"relay_lock_free", outbox_relay_sql_lock_free};

int
lock_take(struct relay *r, bool *taken, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	*taken = false;
	r->proven_at = ch_clock_mono(r->rt->clock);
	if (r->shards != NULL)
		return shards_join(r->shards, r->pg, taken, err);
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	rc = ch_pg_query(r->pg, &lock_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_pg_get_bool(res, 0, 0, taken);
	PQclear(res);
	return CH_OK;
}

int
lock_end_holder(struct relay *r, struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int32_t pid;
	int rc, i;

	if (ch_mono_ms_since(r->now, r->freed_at) < FREE_MS)
		return CH_OK;
	r->freed_at = r->now;
	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, r->slot);
	rc = ch_pg_query(r->pg, &free_lock_stmt, &args, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "look at the leader's session");
	for (i = 0; i < PQntuples(res); i++)
		if (ch_pg_get_i32(res, i, 0, &pid))
			ch_warn("relay.leader_ended", CH_S("slot", r->slot),
				CH_I("backend", pid));
	PQclear(res);
	return CH_OK;
}

/* An answer to a save, or the end of the session. */
static bool
has_heard(const struct relay *r)
{
	struct pollfd p = {ch_pg_fd(r->pg), POLLIN, 0};

	return poll(&p, 1, 0) != 0;
}

int
lock_prove(struct relay *r, struct ch_err *err)
{
	struct ch_mono now = ch_clock_mono(r->rt->clock);
	bool trusted = ch_mono_ms_since(now, r->proven_at) < LOCK_TRUSTED_MS;
	bool asked = r->progress.in_flight;
	int rc;

	if (trusted && !has_heard(r))
		return CH_OK;
	rc = progress_settle(&r->progress, r->pg, err);
	if (rc != CH_OK || (trusted && asked))
		return rc;
	rc = ch_pg_exec(r->pg, "SELECT", err);
	if (rc == CH_OK)
		r->proven_at = now;
	return rc;
}
