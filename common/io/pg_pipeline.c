/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_pipeline: several statements in one round trip (declared in pg.h).
 *
 * A statement that is not prepared yet is prepared inside the same pipeline;
 * when that does not happen (an earlier error aborts the rest), it is
 * forgotten again and prepared the next time. See pg_io.c for how answers are
 * collected while statements are still being sent.
 */
#include "pg_private.h"

#include <assert.h>

#include "base/mem.h"

static void
push_entry(struct pg_ask *a, const struct ch_pg_stmt *stmt, bool prepare)
{
	if (a->entry_count == a->entry_cap) {
		a->entry_cap = a->entry_cap == 0 ? 16 : a->entry_cap * 2;
		a->entries = ch_xrealloc(a->entries, a->entry_cap,
			sizeof(*a->entries));
		a->results = ch_xrealloc(a->results, a->entry_cap,
			sizeof(PGresult *));
	}
	a->entries[a->entry_count++] = (struct pg_entry){stmt, prepare};
	if (!prepare)
		a->adds++;
}

/* Queues PREPARE when this connection does not know the statement. */
static int
queue_prepare(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args)
{
	struct ch_view name = ch_view_of(stmt->name);

	if (ch_map_get(pg->prepared, name) != NULL)
		return 1;
	if (!PQsendPrepare(pg->conn, stmt->name, stmt->sql,
		    args != NULL ? args->count : 0,
		    args != NULL ? args->types : NULL))
		return 0;
	push_entry(&pg->ask, stmt, true);
	(void)ch_map_put(pg->prepared, name, (void *)(uintptr_t)stmt->sql);
	return 1;
}

int
ch_pg_pipeline_add(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	static const int binary[CH_PG_ARGS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1};
	int n = args != NULL ? args->count : 0;
	int rc, ok;

	if (pg->ask.kind != PG_ASK_PIPELINE) {
		rc = ch_pg_need_idle(pg, err);
		if (rc != 0)
			return rc;
		if (!PQenterPipelineMode(pg->conn))
			return ch_pg_fail_connection(pg, "pipeline", err);
		ch_pg_ask_begin(pg, PG_ASK_PIPELINE);
	}
	if (pg->ask.synced)
		return ch_err_set(err, CH_EINVAL,
			"the pipeline was sent; collect its results first");
	if (stmt->name[0] == '\0') {
		ok = PQsendQueryParams(pg->conn, stmt->sql, n,
			n > 0 ? args->types : NULL, n > 0 ? args->values : NULL,
			n > 0 ? args->lengths : NULL, binary, 1);
	} else {
		ok = queue_prepare(pg, stmt, args) &&
			PQsendQueryPrepared(pg->conn, stmt->name, n,
				n > 0 ? args->values : NULL,
				n > 0 ? args->lengths : NULL, binary, 1);
	}
	if (!ok)
		return ch_pg_fail_connection(pg, stmt->name, err);
	push_entry(&pg->ask, stmt, false);
	return 0;
}

size_t
ch_pg_pipeline_count(const struct ch_pg *pg)
{
	return pg->ask.kind == PG_ASK_PIPELINE ? pg->ask.adds : 0;
}

int
ch_pg_pipeline_sync(struct ch_pg *pg, struct ch_err *err)
{
	if (pg->conn == NULL)
		return ch_pg_need_idle(pg, err);
	if (pg->ask.kind != PG_ASK_PIPELINE)
		return ch_err_set(err, CH_EINVAL, "the pipeline is empty");
	if (pg->ask.synced)
		return 0;
	if (!PQpipelineSync(pg->conn))
		return ch_pg_fail_connection(pg, "pipeline", err);
	ch_pg_ask_synced(pg);
	return ch_pg_pump(pg, err);
}

/* Moves the answers to the caller; the first failure decides the code. */
static int
hand_over(struct ch_pg *pg, PGresult **results, size_t n, size_t *failed,
	struct ch_err *err)
{
	struct pg_ask *a = &pg->ask;
	PGresult *error = a->error;
	size_t i;
	int rc = 0;

	a->error = NULL;
	if (failed != NULL)
		*failed = error != NULL ? a->failed_at : n;
	for (i = 0; results != NULL && i < n && i < a->result_count; i++) {
		results[i] = a->results[i];
		a->results[i] = NULL;
	}
	ch_pg_ask_drop(pg);
	if (error == NULL)
		return PQexitPipelineMode(pg->conn)
			? 0
			: ch_pg_fail_connection(pg, "pipeline", err);
	rc = ch_pg_fail_result(pg, error, err);
	PQclear(error);
	if (rc == CH_ESQL && !PQexitPipelineMode(pg->conn))
		rc = ch_pg_fail_connection(pg, "pipeline", err);
	return rc;
}

int
ch_pg_pipeline_run(struct ch_pg *pg, PGresult **results, size_t n,
	size_t *failed, struct ch_err *err)
{
	size_t i;
	int rc;

	for (i = 0; results != NULL && i < n; i++)
		results[i] = NULL;
	if (failed != NULL)
		*failed = 0;
	rc = ch_pg_pipeline_sync(pg, err);
	if (rc != 0)
		return rc;
	assert(n == pg->ask.adds);
	rc = ch_pg_wait(pg, err);
	if (rc != 0)
		return rc;
	return hand_over(pg, results, n, failed, err);
}

void
ch_pg_results_clear(PGresult **results, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		PQclear(results[i]);
		results[i] = NULL;
	}
}
