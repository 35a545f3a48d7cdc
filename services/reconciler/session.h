/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the reconciler's one connection to PostgreSQL, and whether this
 * process is the active one.
 *
 * The active one is whose session holds an advisory lock; all it writes goes
 * through that same session, so that one which lost the lock cannot write any
 * more. A process that was stopped gives way: the server ends a session that
 * was idle for too long (idle_session_timeout), and the lock with it.
 *
 * Failure: connecting is tried again with backoff; whoever was active before
 * must be elected anew.
 *
 * Thread: loop only.
 */
#ifndef RECONCILER_SESSION_H
#define RECONCILER_SESSION_H

#include <stdbool.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "daemon/daemon.h"
#include "io/pg.h"

enum session_role { SESSION_DOWN, SESSION_STANDBY, SESSION_ACTIVE };

struct session {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	struct ch_rng rng;
	struct ch_backoff backoff;
	struct ch_mono retry_at;
	enum session_role role;
	uint64_t elected;  /* counts the times this process became active */
	struct ch_err why; /* of the last failure; code 0: none */
};

/* Does not connect. */
int session_open(struct session *s, const struct ch_runtime *rt,
	struct ch_err *err);
void session_close(struct session *s);
/* Connects when that is due, and asks for the lock while it is not ours. */
enum session_role session_turn(struct session *s);
/* How long until the next try to connect, in ms. */
int session_wait_ms(const struct session *s);
/* One statement, bounded by `statement_timeout`. As ch_pg_query(). */
int session_query(struct session *s, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err);
/* The same with a timeout of its own. */
int session_query_long(struct session *s, int timeout_ms,
	const struct ch_pg_stmt *stmt, const struct ch_pg_args *args,
	PGresult **out, struct ch_err *err);

#endif
