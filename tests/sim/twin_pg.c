/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_pg: see twin_pg.h. The statements themselves are in twin_sql.c.
 */
#include "twin_pg.h"

#include <stdlib.h>

#include "base/mem.h"
#include "twin_sql.h"
#include "world.h"

/* ---- the connection ---- */

struct ch_pg *
ch_pg_new(const struct ch_pg_params *params, struct ch_err *err)
{
	struct ch_pg *pg = ch_xcalloc(1, sizeof(*pg));

	(void)params;
	(void)err;
	pg->process = world_now()->running;
	pg->early_offset = -1;
	if (pg->process->pg == NULL)
		pg->process->pg = pg;
	return pg;
}

void
ch_pg_free(struct ch_pg *pg)
{
	if (pg == NULL)
		return;
	ch_pg_disconnect(pg);
	if (pg->process->pg == pg)
		pg->process->pg = NULL;
	free(pg->script.list);
	free(pg);
}

static struct server *
server_of(const struct ch_pg *pg)
{
	return &pg->process->world->server;
}

static struct world *
world_of(const struct ch_pg *pg)
{
	return pg->process->world;
}

int
ch_pg_connect(struct ch_pg *pg, struct ch_err *err)
{
	ch_pg_disconnect(pg);
	if (pg->process->killed)
		return ch_err_set(err, CH_EIO, "the process is dead");
	pg->backend = server_connect(server_of(pg));
	if (pg->backend == NULL)
		return ch_err_set(err, CH_EIO, "no connection");
	pg->up = true;
	pg->generation++;
	return 0;
}

struct twin_statement {
	const struct ch_pg_stmt *stmt;
	struct ch_pg_args args; /* values: copies */
	PGresult *result;
};

static void
forget_script(struct twin_script *sc)
{
	for (size_t i = 0; i < sc->count; i++) {
		struct twin_statement *st = &sc->list[i];

		for (int k = 0; k < st->args.count; k++)
			free((void *)(uintptr_t)st->args.values[k]);
		PQclear(st->result);
	}
	sc->count = 0;
	sc->at = 0;
	sc->rows_done = 0;
	sc->is_sent = false;
}

static void
forget_statement(struct ch_pg *pg)
{
	forget_script(&pg->script);
	PQclear(pg->result);
	pg->result = NULL;
	pg->stmt = NULL;
	pg->is_commit = false;
	pg->answered = false;
	if (pg->backend != NULL)
		pg->backend->busy = false;
	pg->process->in_server = false;
}

void
ch_pg_disconnect(struct ch_pg *pg)
{
	struct backend *b = pg->backend;

	forget_statement(pg);
	pg->backend = NULL;
	pg->up = false;
	if (b == NULL)
		return;
	if (b->state == BACKEND_ENDED)
		b->state = BACKEND_FREE;
	else
		server_leave(server_of(pg), b, false);
}

bool
ch_pg_is_up(const struct ch_pg *pg)
{
	return pg->up && !pg->process->killed;
}

int
ch_pg_backend_pid(const struct ch_pg *pg)
{
	return pg->backend != NULL ? pg->backend->pid : 0;
}

const struct ch_pg_failure *
ch_pg_failure(const struct ch_pg *pg)
{
	return &pg->failure;
}

bool
twin_pg_in_transaction(const struct ch_pg *pg)
{
	return pg != NULL && pg->backend != NULL &&
		(pg->backend->state == BACKEND_OPEN ||
			pg->backend->state == BACKEND_COMMITTING);
}

/* ---- losing it ---- */

static bool
is_usable(const struct ch_pg *pg)
{
	return ch_pg_is_up(pg) && pg->backend != NULL &&
		pg->backend->state != BACKEND_ENDED;
}

static void
note_doubt(struct ch_pg *pg, const struct backend *b)
{
	for (int i = 0; i < b->move_count; i++) {
		const struct fence_move *m = &b->moves[i];

		pg->doubts[m->part] = (struct twin_doubt){true,
			server_of(pg)->fences[m->part].next_offset,
			m->next_offset};
	}
}

/* A COMMIT that was sent: done, lost, or done later. */
static void
leave_commit(struct ch_pg *pg, struct backend *b)
{
	struct server *s = server_of(pg);
	unsigned fate = world_below(world_of(pg), 3);

	note_doubt(pg, b);
	world_count(world_of(pg),
		fate == 0	    ? EVENT_DOUBT_DONE
			: fate == 1 ? EVENT_DOUBT_LOST
				    : EVENT_DOUBT_LATE);
	if (fate == 0)
		server_commit(s, b);
	else
		b->will_commit = fate == 2;
	server_leave(s, b, fate == 2);
}

void
twin_pg_cut(struct ch_pg *pg)
{
	struct backend *b = pg->backend;
	struct server *s = server_of(pg);

	if (b == NULL)
		return;
	pg->backend = NULL;
	b->busy = false;
	if (b->state == BACKEND_ENDED) {
		b->state = BACKEND_FREE;
	} else if (b->state == BACKEND_COMMITTING) {
		leave_commit(pg, b);
	} else {
		if (world_one_in(world_of(pg), 2)) /* it had arrived */
			b->claims = twin_sql_claimed_part(pg) + 1;
		server_leave(s, b, world_one_in(world_of(pg), 2));
	}
}

static int
lost(struct ch_pg *pg, struct ch_err *err)
{
	struct proc *p = pg->process;

	if (pg->is_commit && pg->backend != NULL &&
		pg->backend->state == BACKEND_ENDED)
		world_count(world_of(pg), EVENT_DOUBT_LOST);
	ch_pg_disconnect(pg);
	pg->failure = (struct ch_pg_failure){
		.class = CH_PG_RETRY, .session_ended = true};
	proc_out_of_server(p);
	return ch_err_set(err, CH_EIO, "the connection is lost");
}

/* ---- one statement ---- */

int
ch_pg_send(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	if (!is_usable(pg))
		return lost(pg, err);
	pg->stmt = stmt;
	pg->args = args;
	pg->answered = false;
	pg->early_offset = -1;
	pg->sent_at = world_of(pg)->now.us;
	pg->ready_at = pg->sent_at + world_below(world_of(pg), 800);
	pg->backend->busy = true;
	pg->process->in_server = true;
	proc_point(pg->process,
		twin_sql_claimed_part(pg) >= 0 ? POINT_CLAIM : POINT_QUERY);
	return 0;
}

int
ch_pg_fd(const struct ch_pg *pg)
{
	(void)pg;
	return -1;
}

short
ch_pg_poll_events(const struct ch_pg *pg)
{
	(void)pg;
	return 0;
}

static void
do_commit(struct ch_pg *pg)
{
	struct world *w = world_of(pg);

	pg->answered = true;
	pg->err = (struct ch_err)CH_ERR_INIT;
	if (!w->calm && world_one_in(w, 150)) {
		world_count(w, EVENT_COMMIT_REFUSED);
		(void)twin_pg_fail(pg, "40001", "could not serialize",
			&pg->err);
	} else {
		server_commit(server_of(pg), pg->backend);
	}
}

/* As far as it comes; true: to its end, or to the first that fails. */
static bool
run_script(struct ch_pg *pg)
{
	struct twin_script *sc = &pg->script;
	bool is_done = true;

	while (is_done && sc->at < sc->count && pg->err.code == CH_OK) {
		struct twin_statement *st = &sc->list[sc->at];

		pg->stmt = st->stmt;
		pg->args = &st->args;
		is_done = twin_sql_run(pg);
		st->result = pg->result;
		pg->result = NULL;
		sc->at += is_done;
	}
	pg->stmt = NULL;
	return is_done;
}

int
ch_pg_ready(struct ch_pg *pg, struct ch_err *err)
{
	(void)err;
	if (!is_usable(pg) && !pg->answered)
		return CH_EIO;
	if (pg->answered)
		return 1;
	if (world_of(pg)->now.us < pg->ready_at)
		return 0;
	if (pg->is_commit)
		do_commit(pg);
	else if (pg->script.is_sent)
		pg->answered = run_script(pg);
	else
		pg->answered = twin_sql_run(pg);
	return pg->answered;
}

int
ch_pg_finish(struct ch_pg *pg, PGresult **out, struct ch_err *err)
{
	bool was_claim = twin_sql_claimed_part(pg) >= 0;
	int rc;

	if (!pg->answered)
		return lost(pg, err);
	rc = pg->err.code;
	if (rc != 0)
		*err = pg->err;
	if (out != NULL && rc == 0) {
		*out = pg->result;
		pg->result = NULL;
	}
	forget_statement(pg);
	proc_out_of_server(pg->process);
	proc_point(pg->process, was_claim ? POINT_CLAIMED : POINT_QUERY);
	return rc;
}

/* Only end_blockers, over a second connection: it does not wait. */
int
ch_pg_query(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err)
{
	if (!is_usable(pg))
		return ch_err_set(err, CH_EIO, "the connection is lost");
	pg->stmt = stmt;
	pg->args = args;
	(void)twin_sql_run(pg);
	*out = pg->result;
	pg->result = NULL;
	pg->stmt = NULL;
	return 0;
}

/* ---- transactions ---- */

int
ch_pg_rollback(struct ch_pg *pg, struct ch_err *err)
{
	if (!ch_pg_is_up(pg))
		return 0;
	if (!is_usable(pg))
		return lost(pg, err);
	server_rollback(server_of(pg), pg->backend);
	return 0;
}

int
ch_pg_commit_send(struct ch_pg *pg, struct ch_err *err)
{
	if (!is_usable(pg))
		return ch_err_set(err, CH_EIO, "the connection is lost");
	pg->backend->state = BACKEND_COMMITTING;
	pg->backend->busy = true;
	pg->backend->in_copy = false;
	pg->is_commit = true;
	pg->answered = false;
	pg->ready_at = world_of(pg)->now.us + world_below(world_of(pg), 1500);
	pg->process->in_server = true;
	proc_point(pg->process, POINT_SENT);
	return 0;
}

enum ch_pg_outcome
ch_pg_commit_finish(struct ch_pg *pg, struct ch_err *err)
{
	bool committed;

	if (!pg->is_commit && pg->backend == NULL && !pg->up)
		return CH_PG_NOT_COMMITTED; /* it was never sent */
	if (!pg->answered) {
		pg->is_commit = true;
		(void)lost(pg, err);
		return CH_PG_IN_DOUBT;
	}
	committed = pg->err.code == 0;
	if (!committed)
		*err = pg->err;
	forget_statement(pg);
	proc_out_of_server(pg->process);
	proc_point(pg->process, POINT_COMMITTED);
	return committed ? CH_PG_COMMITTED : CH_PG_NOT_COMMITTED;
}

int
twin_pg_fail(struct ch_pg *pg, const char *sqlstate, const char *text,
	struct ch_err *err)
{
	pg->failure = (struct ch_pg_failure){
		.class = ch_pg_class_of(sqlstate, false)};
	(void)ch_view_copy(ch_view_of(sqlstate), pg->failure.sqlstate,
		sizeof(pg->failure.sqlstate));
	(void)ch_view_copy(CH_VIEW("command_log"), pg->failure.table,
		sizeof(pg->failure.table));
	server_rollback(server_of(pg), pg->backend);
	(void)ch_err_set(err, CH_ESQL, "%s", text);
	(void)ch_view_copy(ch_view_of(sqlstate), err->sqlstate,
		sizeof(err->sqlstate));
	return CH_ESQL;
}

/* ---- scripts ---- */

int
twin_pg_enter(struct ch_pg *pg, struct ch_err *err)
{
	if (!is_usable(pg))
		return lost(pg, err);
	pg->backend->busy = true;
	pg->process->in_server = true;
	return 0;
}

int
twin_pg_step(struct session *s, enum sim_point at, struct ch_err *err)
{
	struct ch_pg *pg = s->pg;

	if (is_usable(pg))
		proc_point(pg->process, at);
	if (is_usable(pg) && pg->process->stopped_until == 0 &&
		world_one_in(world_of(pg), 3))
		s->meanwhile(s->ctx);
	return is_usable(pg) ? 0 : lost(pg, err);
}

int
twin_pg_wait(struct session *s, bool (*take)(struct ch_pg *pg, void *ctx),
	void *ctx, struct ch_err *err)
{
	struct ch_pg *pg = s->pg;
	struct world *w = world_of(pg);
	int64_t until = w->now.us + TWIN_LOCK_TIMEOUT_US;
	bool waited = false;

	while (!take(pg, ctx)) {
		if (!waited)
			world_count(w, EVENT_LOCK_WAITED);
		waited = true;
		if (w->now.us > until) {
			world_count(w, EVENT_LOCK_TIMEOUT);
			return twin_pg_fail(pg, "55P03", "lock timeout", err);
		}
		proc_wait(pg->process, until + 1);
		if (is_usable(pg) && pg->process->stopped_until == 0)
			s->meanwhile(s->ctx);
		if (!is_usable(pg))
			return lost(pg, err);
	}
	return 0;
}

void
twin_pg_leave(struct ch_pg *pg)
{
	if (pg->backend != NULL) {
		pg->backend->busy = false;
		pg->backend->since = world_of(pg)->now.us;
	}
	pg->process->in_server = false;
	proc_out_of_server(pg->process);
}

int
twin_pg_copy(struct ch_pg *pg, struct ch_err *err)
{
	if (!is_usable(pg))
		return lost(pg, err);
	pg->backend->in_copy = true;
	pg->backend->copies_since = world_of(pg)->now.us;
	pg->process->in_server = false;
	proc_point(pg->process, POINT_COPY);
	if (!is_usable(pg))
		return lost(pg, err);
	pg->process->in_server = true;
	pg->backend->in_copy = false;
	return 0;
}

/* ---- scripts whose statements are known ---- */

static void
copy_args(struct ch_pg_args *to, const struct ch_pg_args *from)
{
	to->count = from != NULL ? from->count : 0;
	for (int i = 0; i < to->count; i++) {
		to->lengths[i] = from->lengths[i];
		to->values[i] = from->values[i] == NULL
			? NULL
			: ch_xviewdup((struct ch_view){
				  from->values[i], (size_t)from->lengths[i]});
	}
}

int
ch_pg_pipeline_add(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err)
{
	struct twin_script *sc = &pg->script;

	if (!is_usable(pg))
		return ch_err_set(err, CH_EIO, "the connection is lost");
	if (sc->count == sc->cap) {
		sc->cap = sc->cap > 0 ? sc->cap * 2 : 8;
		sc->list = ch_xrealloc(sc->list, sc->cap, sizeof(*sc->list));
	}
	sc->list[sc->count] = (struct twin_statement){.stmt = stmt};
	copy_args(&sc->list[sc->count++].args, args);
	return 0;
}

int
ch_pg_pipeline_sync(struct ch_pg *pg, struct ch_err *err)
{
	if (!is_usable(pg))
		return lost(pg, err);
	pg->script.is_sent = true;
	pg->answered = false;
	pg->err = (struct ch_err)CH_ERR_INIT;
	pg->sent_at = world_of(pg)->now.us;
	pg->ready_at = pg->sent_at + world_below(world_of(pg), 800);
	pg->backend->busy = true;
	pg->process->in_server = true;
	proc_point(pg->process, POINT_SCRIPT);
	return 0;
}

int
ch_pg_pipeline_run(struct ch_pg *pg, PGresult **results, size_t n,
	size_t *failed, struct ch_err *err)
{
	struct twin_script *sc = &pg->script;
	int rc;

	*failed = 0;
	if (!pg->answered)
		return lost(pg, err);
	rc = pg->err.code;
	if (rc != 0)
		*err = pg->err;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		results[i] = sc->list[i].result;
		sc->list[i].result = NULL;
	}
	forget_statement(pg);
	if (pg->backend != NULL)
		pg->backend->since = world_of(pg)->now.us;
	proc_out_of_server(pg->process);
	proc_point(pg->process, POINT_SCRIPT);
	return rc;
}

void
ch_pg_results_clear(PGresult **results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		PQclear(results[i]);
		results[i] = NULL;
	}
}
