/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: the writer's one connection to PostgreSQL, and what the loop does
 * while it waits for it.
 *
 * Every statement of a batch goes out in a script: queued, sent in one round
 * trip, and while the server works `meanwhile` polls Kafka, so that the next
 * batch gathers and a rebalance is heard. A second connection is opened only
 * to end the backend of a stopped writer, and closed at once.
 *
 * Failure: a lost connection is seen by session_is_up(); whoever holds claims
 * must take them anew, because the backend that they name is gone.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_SESSION_H
#define LEDGER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "daemon/daemon.h"
#include "io/pg.h"

struct session {
	const struct ch_runtime *rt;
	struct ch_pg *pg;
	struct ch_rng rng;
	struct ch_backoff backoff;
	struct ch_mono retry_at;
	struct ch_err why;    /* of the last failure to connect; code 0: none */
	uint64_t connections; /* made so far: tells one from the next */
	/* Called while an answer is awaited; wakes on meanwhile_fd too. */
	void (*meanwhile)(void *ctx);
	int (*meanwhile_fd)(void *ctx); /* -1: nothing to wake for */
	void *ctx;
};

int session_open(struct session *s, const struct ch_runtime *rt,
	struct ch_err *err);
void session_close(struct session *s);
bool session_is_up(const struct session *s);
/* Connects when it is due. True: usable. */
bool session_ready(struct session *s);
/* How long until the next try; 0 when it is up. */
int session_wait_ms(const struct session *s);
/* Waits for the answer of what was sent (ch_pg_send, ch_pg_pipeline_sync,
 * ch_pg_commit_send), with `meanwhile`; returns when ch_pg_*finish/run will
 * not wait, or the connection is broken. at_most_ms < 0: no limit but the
 * call's own; false: the limit passed. */
bool session_await(struct session *s, int at_most_ms);
/* One statement, with `meanwhile`. As ch_pg_query(). */
int session_query(struct session *s, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err);
/* Makes yesterday's, today's and tomorrow's partitions of every table by day
 * that are missing; *made (NULL: not asked) is how many there were. */
int session_ensure_partitions(struct session *s, int32_t *made,
	struct ch_err *err);
/* A second connection with the same settings; the caller frees it. NULL with
 * err set when it cannot be had. */
struct ch_pg *session_second(const struct session *s, struct ch_err *err);

/* Several statements, one round trip. */
struct script {
	struct session *s;
	PGresult **results;
	size_t count;
	size_t ran; /* results before this one are here already */
	size_t cap;
	struct ch_err err; /* the first failure while queueing */
};

void script_init(struct script *sc, struct session *s);
/* Returns the index of the statement's result. */
size_t script_add(struct script *sc, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args);
/* Runs what was queued since the last run. 0, or the code of the first
 * statement that failed. */
int script_run(struct script *sc, struct ch_err *err);
const PGresult *script_result(const struct script *sc, size_t at);
/* Frees the results; the script may be filled again. */
void script_clear(struct script *sc);
void script_free(struct script *sc);

#endif
