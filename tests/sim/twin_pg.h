/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_pg: io/pg.h in a simulation: a client's connection to server.h.
 *
 * The statements of fence.c, sweep.c, alert.c, loop.c and trades.c are known by
 * their SQL and answered with libpq's own results. The long scripts of a batch
 * (names.c, lock.c, write.c) are not: twin_names.c, twin_lock.c and
 * twin_write.c do what they do, in their order, with the calls below.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TWIN_PG_H
#define TESTS_SIM_TWIN_PG_H

#include <stdbool.h>

#include "event.h"
#include "io/pg.h"
#include "server.h"
#include "session.h"

#define TWIN_LOCK_TIMEOUT_US INT64_C(2500000)

/* The answer to a COMMIT whose connection broke. */
struct twin_doubt {
	bool open;
	int64_t old_offset, new_offset;
};

/* Statements that go out together, and what has come of them. */
struct twin_script {
	struct twin_statement *list;
	size_t count, cap;
	size_t at;	  /* the first without an answer */
	size_t rows_done; /* of that one, which waits */
	bool is_sent;
};

struct ch_pg {
	struct proc *process;
	struct backend *backend; /* NULL: none, or it is not the client's now */
	bool up;		 /* as far as the client knows */
	uint64_t generation;
	struct ch_pg_failure failure;
	/* the statement under way */
	const struct ch_pg_stmt *stmt; /* NULL: none */
	const struct ch_pg_args *args;
	bool is_commit;
	bool answered;
	int64_t sent_at, ready_at;
	PGresult *result;
	struct ch_err err;
	int64_t early_offset;			/* BUG_NO_OFFSET; -1: none */
	struct twin_doubt doubts[SERVER_PARTS]; /* for bugs that trust them */
	struct twin_script script;
};

/* Does its backend hold a transaction? pg may be NULL. */
bool twin_pg_in_transaction(const struct ch_pg *pg);
/* The connection is gone; the server hears of it now or later. What was sent
 * may still be done. */
void twin_pg_cut(struct ch_pg *pg);

/* ---- the steps of a script ---- */

/* The script is sent: 0, or the code for a connection that is gone. */
int twin_pg_enter(struct ch_pg *pg, struct ch_err *err);
/* Something may happen here, while Kafka is polled. As above. */
int twin_pg_step(struct session *s, enum sim_point at, struct ch_err *err);
/* Until take() is true: 0, or a code: the connection is gone, 55P03. */
int twin_pg_wait(struct session *s, bool (*take)(struct ch_pg *pg, void *ctx),
	void *ctx, struct ch_err *err);
/* PostgreSQL refuses the statement, and with it the transaction. */
int twin_pg_fail(struct ch_pg *pg, const char *sqlstate, const char *text,
	struct ch_err *err);
/* All answers are here: a writer that was stopped meanwhile stays here. */
void twin_pg_leave(struct ch_pg *pg);
/* Rows come from the client: when that is stopped, the server waits for it. As
 * above. */
int twin_pg_copy(struct ch_pg *pg, struct ch_err *err);

#endif
