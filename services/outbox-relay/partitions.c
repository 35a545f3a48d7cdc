/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partitions: see partitions.h. What is missing is the function's to say
 * (ensure_partitions() of install.sql), which waits 2 s for a lock at most.
 */
#include "partitions.h"

#include "base/log.h"
#include "outbox_relay_sql.h"

#define EVERY_MS 600000
#define TOLD_MS 5000 /* after some were made: it tells all sessions then */

static const struct ch_pg_stmt able_stmt = {
	"", outbox_relay_sql_partitions_able};
static const struct ch_pg_stmt ensure_stmt = {
	"", outbox_relay_sql_partitions_ensure};
static const struct ch_pg_stmt missing_stmt = {
	"", outbox_relay_sql_partitions_missing};

static void
next(struct relay *r, int64_t ms)
{
	r->partitions_at.ns = r->now.ns + ms * 1000000;
}

static int
ensure(struct relay *r, struct ch_err *err)
{
	int32_t made = 0;
	PGresult *res;
	int rc = ch_pg_query(r->pg, &ensure_stmt, NULL, &res, err);

	if (rc != CH_OK)
		return rc;
	ch_pg_get_i32(res, 0, 0, &made);
	PQclear(res);
	if (made > 0) {
		ch_info("relay.partitions_made", CH_S("table", r->table),
			CH_I("count", made));
		next(r, TOLD_MS);
	}
	return CH_OK;
}

/* Of a table that an install.sql of before has partitioned nothing is known. */
static int
look(struct relay *r, bool told, struct ch_err *err)
{
	int64_t missing = 0;
	PGresult *res;
	int rc;

	if (!told)
		return CH_OK;
	rc = ch_pg_query(r->pg, &missing_stmt, NULL, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_pg_get_i64(res, 0, 0, &missing);
	PQclear(res);
	if (missing > 0)
		ch_warn("relay.partitions_missing", CH_S("table", r->table),
			CH_I("count", missing), CH_I("again_ms", EVERY_MS));
	r->partitions_missing = missing;
	return CH_OK;
}

/* Logs what PostgreSQL refused; negative when the connection is lost. */
static int
told_refusal(struct relay *r, int rc, const struct ch_err *err)
{
	if (rc == CH_OK || !ch_pg_is_up(r->pg))
		return rc;
	ch_warn("relay.partition_not_made", CH_S("table", r->table),
		CH_ERR(err), CH_I("again_ms", EVERY_MS));
	return CH_OK;
}

int
partitions_turn(struct relay *r, struct ch_err *err)
{
	bool able = false, told = false;
	PGresult *res;
	int rc;

	if (r->contract == NULL ||
		ch_mono_ms_since(r->now, r->partitions_at) < 0)
		return CH_OK;
	next(r, EVERY_MS);
	rc = ch_pg_query(r->pg, &able_stmt, NULL, &res, err);
	if (rc != CH_OK)
		return rc;
	ch_pg_get_bool(res, 0, 0, &able);
	ch_pg_get_bool(res, 0, 1, &told);
	PQclear(res);
	rc = told_refusal(r, able ? ensure(r, err) : CH_OK, err);
	return rc == CH_OK ? told_refusal(r, look(r, told, err), err) : rc;
}
