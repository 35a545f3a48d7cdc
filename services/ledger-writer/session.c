/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: connecting, waiting, and statements in one round trip.
 *
 * Planner settings of the connection: the writer only ever probes indexes, a
 * key at a time. Forbidding the other ways keeps a statement that was planned
 * while a table was empty from becoming a scan of the full one. One plan for all
 * values: planning anew for each batch costs more than a small batch itself.
 */
#include "session.h"

#include <poll.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_writer_sql.h"

#define WAIT_SLICE_MS 50
/* A writer stopped between two statements keeps its locks for so long. */
#define IDLE_MS 5000

static const struct ch_pg_stmt ensure_partitions = {
	"", ledger_writer_sql_ensure_partitions};

static const char on_connect[] =
	"SET enable_seqscan = off; SET enable_bitmapscan = off; "
	"SET enable_hashjoin = off; SET enable_mergejoin = off; "
	"SET enable_material = off; SET jit = off; "
	"SET plan_cache_mode = force_generic_plan; "
	"SET default_transaction_isolation = 'read committed'; "
	"SET client_min_messages = warning";

static struct ch_pg_params
connection(const struct ch_runtime *rt)
{
	const struct ch_params *p = rt->params;
	const char *passfile = ch_params_str(p, "passfile");
	int lock_ms = (int)ch_params_ms(p, "lock_timeout");
	return (struct ch_pg_params){
		.conninfo = ch_params_str(p, "database_url"),
		.application_name = ch_params_str(p, "client_id"),
		.passfile = passfile[0] != '\0' ? passfile : NULL,
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = (int)ch_params_ms(p, "call_timeout"),
		.lock_timeout_ms = lock_ms,
		.idle_in_transaction_ms = IDLE_MS,
		.read_write = true,
		.on_connect = on_connect,
	};
}

int
session_open(struct session *s, const struct ch_runtime *rt, struct ch_err *err)
{
	struct ch_pg_params params = connection(rt);
	*s = (struct session){.rt = rt,
		.backoff = {.base_ms = 50, .cap_ms = 5000, .attempt = 0}};
	ch_rng_seed_system(&s->rng);
	s->pg = ch_pg_new(&params, err);
	return s->pg != NULL ? 0 : err->code;
}

void
session_close(struct session *s)
{
	ch_pg_free(s->pg);
	s->pg = NULL;
}

bool
session_is_up(const struct session *s)
{
	return ch_pg_is_up(s->pg);
}

bool
session_ready(struct session *s)
{
	if (ch_pg_is_up(s->pg))
		return true;
	struct ch_mono now = ch_clock_mono(s->rt->clock);
	if (ch_mono_ms_since(now, s->retry_at) < 0)
		return false;
	struct ch_err err = CH_ERR_INIT;
	if (ch_pg_connect(s->pg, &err) == 0) {
		s->connections++;
		ch_backoff_reset(&s->backoff);
		ch_err_clear(&s->why);
		ch_info("postgres.up", CH_I("pid", ch_pg_backend_pid(s->pg)));
		return true;
	}
	int64_t wait = ch_backoff_next(&s->backoff, &s->rng);
	s->retry_at = (struct ch_mono){
		ch_clock_mono(s->rt->clock).ns + wait * 1000000};
	s->why = err;
	ch_warn("postgres.down", CH_ERR(&err), CH_I("retry_in_ms", wait));
	return false;
}

int
session_wait_ms(const struct session *s)
{
	if (ch_pg_is_up(s->pg))
		return 0;
	int64_t ms =
		-ch_mono_ms_since(ch_clock_mono(s->rt->clock), s->retry_at);
	return ms > 0 ? (int)ms : 0;
}

bool
session_await(struct session *s, int at_most_ms)
{
	struct ch_mono began = ch_clock_mono(s->rt->clock);
	for (;;) {
		if (ch_pg_ready(s->pg, NULL) != 0)
			return true;
		if (s->meanwhile != NULL)
			s->meanwhile(s->ctx);
		struct pollfd fds[2] = {
			{ch_pg_fd(s->pg), ch_pg_poll_events(s->pg), 0},
			{s->meanwhile_fd != NULL ? s->meanwhile_fd(s->ctx) : -1,
				POLLIN, 0}};
		if (ch_pg_ready(s->pg, NULL) != 0)
			return true;
		(void)poll(fds, 2, WAIT_SLICE_MS);
		int64_t ms =
			ch_mono_ms_since(ch_clock_mono(s->rt->clock), began);
		if (at_most_ms >= 0 && ms >= at_most_ms)
			return false;
		if (ms >= ch_params_ms(s->rt->params, "call_timeout"))
			return true; /* finish ends it with a timeout */
	}
}

int
session_query(struct session *s, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err)
{
	if (out != NULL)
		*out = NULL;
	int rc = ch_pg_send(s->pg, stmt, args, err);
	if (rc != 0)
		return rc;
	(void)session_await(s, -1);
	return ch_pg_finish(s->pg, out, err);
}

int
session_ensure_partitions(struct session *s, int32_t *made, struct ch_err *err)
{
	PGresult *res = NULL;
	int rc = session_query(s, &ensure_partitions, NULL, &res, err);
	if (rc == 0 && made != NULL) {
		struct ch_pg_row r = ch_pg_row(res, 0);
		*made = ch_pg_next_i32(&r);
	}
	PQclear(res);
	return rc;
}

struct ch_pg *
session_second(const struct session *s, struct ch_err *err)
{
	struct ch_pg_params params = connection(s->rt);
	params.on_connect = NULL;
	struct ch_pg *pg = ch_pg_new(&params, err);
	if (pg != NULL && ch_pg_connect(pg, err) != 0) {
		ch_pg_free(pg);
		return NULL;
	}
	return pg;
}

/* ---- scripts ---- */

void
script_init(struct script *sc, struct session *s)
{
	*sc = (struct script){.s = s};
}

size_t
script_add(struct script *sc, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args)
{
	if (sc->count == sc->cap) {
		sc->cap = sc->cap > 0 ? sc->cap * 2 : 32;
		sc->results =
			ch_xrealloc(sc->results, sc->cap, sizeof(PGresult *));
	}
	sc->results[sc->count] = NULL;
	if (sc->err.code == CH_OK &&
		ch_pg_pipeline_add(sc->s->pg, stmt, args, &sc->err) == 0)
		return sc->count++;
	return sc->count;
}

int
script_run(struct script *sc, struct ch_err *err)
{
	if (sc->err.code != CH_OK) {
		*err = sc->err;
		ch_pg_disconnect(sc->s->pg); /* half a script was queued */
		return err->code;
	}
	if (sc->count == sc->ran)
		return 0;
	size_t failed = 0;
	int rc = ch_pg_pipeline_sync(sc->s->pg, err);
	if (rc == 0)
		(void)session_await(sc->s, -1);
	size_t first = sc->ran;
	sc->ran = sc->count;
	return ch_pg_pipeline_run(sc->s->pg, sc->results + first,
		sc->count - first, &failed, err);
}

const PGresult *
script_result(const struct script *sc, size_t at)
{
	return at < sc->count ? sc->results[at] : NULL;
}

void
script_clear(struct script *sc)
{
	ch_pg_results_clear(sc->results, sc->count);
	sc->count = 0;
	sc->ran = 0;
	ch_err_clear(&sc->err);
}

void
script_free(struct script *sc)
{
	script_clear(sc);
	free(sc->results);
	sc->results = NULL;
	sc->cap = 0;
}
