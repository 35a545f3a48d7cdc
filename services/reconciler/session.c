/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: connecting, the election, and statements with a bound.
 *
 * Plans are made anew for each execution: the ranges that the checks ask for
 * differ by orders of magnitude, and planning costs less than a wrong plan.
 * Each of them is a range of an index; the planner takes ranges over two
 * columns for the whole table and would read all of it for every step.
 */
#include "session.h"

#include <stdio.h>

#include "base/log.h"
#include "reconciler_sql.h"

#define IDLE_ROUNDS 10 /* silence of so many rounds ends the session */
#define IDLE_LEAST_MS 10000
#define CALL_MARGIN_MS 2000 /* the server gives up first */

static const struct ch_pg_stmt elect = {"elect", reconciler_sql_elect};

static void
on_connect(const struct ch_runtime *rt, struct ch_buf *out)
{
	int64_t idle = IDLE_ROUNDS * ch_params_ms(rt->params, "interval");
	ch_buf_printf(out,
		"SET jit = off; SET plan_cache_mode = force_custom_plan; "
		"SET enable_seqscan = off; "
		"SET client_min_messages = warning; SET work_mem = '64MB'; "
		"SET idle_session_timeout = %lld",
		(long long)(idle > IDLE_LEAST_MS ? idle : IDLE_LEAST_MS));
}

int
session_open(struct session *s, const struct ch_runtime *rt, struct ch_err *err)
{
	const struct ch_params *p = rt->params;
	const char *passfile = ch_params_str(p, "passfile");
	int timeout = (int)ch_params_ms(p, "statement_timeout");
	struct ch_buf settings = CH_BUF_INIT;

	on_connect(rt, &settings);
	*s = (struct session){.rt = rt,
		.role = SESSION_DOWN,
		.backoff = {.base_ms = 50, .cap_ms = 5000, .attempt = 0}};
	ch_rng_seed_system(&s->rng);
	s->pg = ch_pg_new(
		&(struct ch_pg_params){
			.conninfo = ch_params_str(p, "database_url"),
			.application_name = ch_params_str(p, "client_id"),
			.passfile = passfile[0] != '\0' ? passfile : NULL,
			.search_path = ch_params_str(p, "schema"),
			.call_timeout_ms = timeout + CALL_MARGIN_MS,
			.statement_timeout_ms = timeout,
			.idle_in_transaction_ms = 5000,
			.read_write = true,
			.on_connect = ch_buf_str(&settings)},
		err);
	ch_buf_free(&settings);
	return s->pg != NULL ? 0 : err->code;
}

void
session_close(struct session *s)
{
	ch_pg_free(s->pg);
	s->pg = NULL;
}

int
session_wait_ms(const struct session *s)
{
	int64_t ms =
		-ch_mono_ms_since(ch_clock_mono(s->rt->clock), s->retry_at);
	return ms > 0 ? (int)ms : 0;
}

/* A failed try: says so once, and sets the time of the next one. */
static void
postpone(struct session *s, const char *event, const struct ch_err *err)
{
	int64_t wait = ch_backoff_next(&s->backoff, &s->rng);
	s->retry_at = (struct ch_mono){
		ch_clock_mono(s->rt->clock).ns + wait * 1000000};
	s->why = *err;
	ch_warn(event, CH_ERR(err), CH_I("retry_in_ms", wait));
}

static bool
connected(struct session *s)
{
	struct ch_err err = CH_ERR_INIT;

	if (ch_pg_is_up(s->pg))
		return true;
	if (s->role == SESSION_ACTIVE)
		ch_warn("election.lost",
			CH_S("why",
				"the connection is gone, and our lock "
				"with it"));
	s->role = SESSION_DOWN;
	if (session_wait_ms(s) > 0)
		return false;
	if (ch_pg_connect(s->pg, &err) != 0) {
		postpone(s, "postgres.down", &err);
		return false;
	}
	ch_info("postgres.up", CH_I("pid", ch_pg_backend_pid(s->pg)));
	return true;
}

/* A standby asks again each turn; the lock is free once the session of the
 * active one is gone. */
static int
ask_for_lock(struct session *s, struct ch_err *err)
{
	PGresult *res = NULL;
	bool ours = false;
	int rc = session_query(s, &elect, NULL, &res, err);

	if (rc != 0)
		return rc;
	(void)ch_pg_get_bool(res, 0, 0, &ours);
	PQclear(res);
	if (ours) {
		s->elected++;
		ch_info("election.won", CH_I("pid", ch_pg_backend_pid(s->pg)));
	} else if (s->role != SESSION_STANDBY) {
		ch_info("election.standby",
			CH_S("why", "another reconciler is active"));
	}
	s->role = ours ? SESSION_ACTIVE : SESSION_STANDBY;
	return 0;
}

enum session_role
session_turn(struct session *s)
{
	struct ch_err err = CH_ERR_INIT;

	if (!connected(s))
		return SESSION_DOWN;
	if (s->role != SESSION_ACTIVE && ask_for_lock(s, &err) != 0) {
		postpone(s, "election.failed", &err);
		ch_pg_disconnect(s->pg);
		s->role = SESSION_DOWN;
		return SESSION_DOWN;
	}
	ch_backoff_reset(&s->backoff);
	ch_err_clear(&s->why);
	return s->role;
}

int
session_query(struct session *s, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err)
{
	return ch_pg_query(s->pg, stmt, args, out, err);
}

int
session_query_long(struct session *s, int timeout_ms,
	const struct ch_pg_stmt *stmt, const struct ch_pg_args *args,
	PGresult **out, struct ch_err *err)
{
	int usual = (int)ch_params_ms(s->rt->params, "statement_timeout");
	char set[64];
	int rc;

	(void)snprintf(set, sizeof(set), "SET statement_timeout = %d",
		timeout_ms);
	rc = ch_pg_exec(s->pg, set, err);
	if (rc != 0)
		return rc;
	ch_pg_call_timeout_set(s->pg, timeout_ms + CALL_MARGIN_MS);
	rc = ch_pg_query(s->pg, stmt, args, out, err);
	ch_pg_call_timeout_set(s->pg, usual + CALL_MARGIN_MS);
	(void)snprintf(set, sizeof(set), "SET statement_timeout = %d", usual);
	if (ch_pg_is_up(s->pg) && ch_pg_exec(s->pg, set, NULL) != 0)
		ch_pg_disconnect(s->pg); /* its settings are not ours */
	return rc;
}
