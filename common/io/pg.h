/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg: one PostgreSQL connection, bounded in time, with errors in classes.
 *
 * Why: a hung server or network must never hang a loop. After connecting,
 * everything is non-blocking libpq with poll(2) up to a deadline; a call that
 * passes it closes the connection (its state is not known any more).
 *
 * Codes of all calls that talk to the server:
 *   0           done
 *   CH_ESQL     PostgreSQL refused; err->sqlstate is set, the connection is
 *               usable (inside BEGIN: roll back)
 *   CH_EIO      the connection is broken; ch_pg_connect() again
 *   CH_ETIMEOUT the deadline passed; closed; ch_pg_connect() again
 *   CH_ECLOSED  there is no connection
 * What to do then is the class: ch_pg_retry_class().
 * A COMMIT is different: ch_pg_commit().
 *
 * Statements are prepared on first use, once per connection. Arguments and
 * results are binary.
 *
 * Thread: a connection belongs to one thread.
 */
#ifndef CH_IO_PG_H
#define CH_IO_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"
#include "pg_array.h"
#include "pg_value.h"

/* ---- classes of failure ---- */

enum ch_pg_class {
	CH_PG_OK,
	CH_PG_RETRY,	/* 08, 40, 53, 55P03, 57, 58, connection: all again */
	CH_PG_CONFLICT, /* 23505: another writer was first: decide again */
	CH_PG_PARTITION_MISSING, /* 23514 without a constraint's name */
	CH_PG_ROW,	  /* 22, other 23, P0001: something in the rows */
	CH_PG_READONLY,	  /* 25006: this is a standby */
	CH_PG_PERMISSION, /* 42501, 28: an operator must act */
	CH_PG_OTHER,	  /* a wrong statement or schema: an operator */
};

/* sqlstate "" = connection lost. */
enum ch_pg_class ch_pg_class_of(const char *sqlstate, bool has_constraint);
const char *ch_pg_class_name(enum ch_pg_class class); /* "retry", ... */
/* A lock was not to be had in time (lock_timeout, NOWAIT). */
bool ch_pg_lock_not_had(const struct ch_err *err);

struct ch_pg_failure {
	enum ch_pg_class class;
	char sqlstate[CH_SQLSTATE_LEN + 1]; /* "" = connection */
	char constraint[64];		    /* "" = none named */
	char table[64];
	char hint[256];	    /* what PostgreSQL advises; "" = nothing */
	bool session_ended; /* severity FATAL or PANIC */
};

/* ---- the connection ---- */

struct ch_pg;

struct ch_pg_params {
	const char *conninfo; /* conninfo or URI; copied */
	const char *application_name;
	const char *passfile;	  /* NULL: libpq's ways */
	const char *replication;  /* NULL, or "database" */
	const char *search_path;  /* NULL: the role's */
	int connect_timeout_s;	  /* each host; 0: 5; least 2 */
	int call_timeout_ms;	  /* deadline of each call; 0: 30000 */
	int statement_timeout_ms; /* server side; 0: the server's setting */
	int lock_timeout_ms;
	int idle_in_transaction_ms;
	int tcp_user_timeout_ms; /* 0: 10000 */
	bool read_write;	 /* target_session_attrs=read-write */
	/* Runs on every new connection (SET ..., LISTEN ...); may be NULL. */
	const char *on_connect;
};

/* Does a password stand in it? (Then it must not come from argv or the
 * environment.) CH_ECONFIG when it is no conninfo (a text with a password is
 * not repeated), or when a file that it names is not as libpq wants it.
 * `passfile` stands beside it and is not looked at; where it is NULL and the
 * conninfo has none, PGPASSFILE is. No network. */
int ch_pg_target_check(const char *conninfo, const char *passfile,
	bool *has_secret, struct ch_err *err);
/* Would libpq take the password from it: a regular file that can be read, with
 * no permission for group or world? (It passes over any other with a word on
 * stderr at most.) CH_ECONFIG with path and reason. */
int ch_pg_passfile_check(const char *path, struct ch_err *err);
/* host, port, dbname, user for logs; never a secret. */
void ch_pg_target_describe(const char *conninfo, struct ch_buf *out);

/* Checks the params (CH_ECONFIG); does not connect. */
struct ch_pg *ch_pg_new(const struct ch_pg_params *params, struct ch_err *err);
void ch_pg_free(struct ch_pg *pg);
/* Connects, or closes and connects anew. Blocks at most connect_timeout for
 * each host. When to try again is the owner's. */
int ch_pg_connect(struct ch_pg *pg, struct ch_err *err);
void ch_pg_disconnect(struct ch_pg *pg);
bool ch_pg_is_up(const struct ch_pg *pg);
/* Number of connections made; a change means that session state is gone. */
uint64_t ch_pg_generation(const struct ch_pg *pg);
int ch_pg_backend_pid(const struct ch_pg *pg);
int ch_pg_server_version(const struct ch_pg *pg); /* 150020 */
bool ch_pg_in_transaction(const struct ch_pg *pg);
PGconn *ch_pg_raw(struct ch_pg *pg); /* NULL when not connected */
void ch_pg_call_timeout_set(struct ch_pg *pg, int ms);
/* Asks the server to cancel what runs (PQcancel: blocks for a connection). */
int ch_pg_cancel(struct ch_pg *pg, struct ch_err *err);

/* Of the last call that failed on this connection. */
const struct ch_pg_failure *ch_pg_failure(const struct ch_pg *pg);
enum ch_pg_class ch_pg_retry_class(const struct ch_pg *pg);
/* Fills *out and err from a result of your own (err may be NULL). */
int ch_pg_result_failure(const PGresult *res, struct ch_pg_failure *out,
	struct ch_err *err);

/* ---- statements ---- */

/* Static const in the caller; name is unique on a connection. */
struct ch_pg_stmt {
	const char *name; /* for PREPARE and logs; "" = never prepared */
	const char *sql;  /* one statement, $1... */
};

#define CH_PG_ARGS_MAX 32

/* Arguments, binary. What views and arrays point to must live until sent. */
struct ch_pg_args {
	int count;
	Oid types[CH_PG_ARGS_MAX];
	const char *values[CH_PG_ARGS_MAX];
	int lengths[CH_PG_ARGS_MAX];
	uint8_t store[CH_PG_ARGS_MAX][16];
};

void ch_pg_args_clear(struct ch_pg_args *a);
void ch_pg_arg_null(struct ch_pg_args *a, enum ch_pg_oid oid);
void ch_pg_arg_bool(struct ch_pg_args *a, bool v);
void ch_pg_arg_i16(struct ch_pg_args *a, int16_t v);
void ch_pg_arg_i32(struct ch_pg_args *a, int32_t v);
void ch_pg_arg_i64(struct ch_pg_args *a, int64_t v);
void ch_pg_arg_text(struct ch_pg_args *a,
	struct ch_view v);				 /* ptr NULL: NULL */
void ch_pg_arg_str(struct ch_pg_args *a, const char *s); /* NULL: NULL */
void ch_pg_arg_bytea(struct ch_pg_args *a, struct ch_view v);
void ch_pg_arg_uuid(struct ch_pg_args *a, const struct ch_uuid *u);
void ch_pg_arg_time(struct ch_pg_args *a, struct ch_time t);
void ch_pg_arg_day(struct ch_pg_args *a, int64_t day);
void ch_pg_arg_lsn(struct ch_pg_args *a, uint64_t lsn);
void ch_pg_arg_array(struct ch_pg_args *a, struct ch_pg_array *v);

/* SQL text without arguments, several statements allowed; rows discarded. */
int ch_pg_exec(struct ch_pg *pg, const char *sql, struct ch_err *err);
/* One statement; args may be NULL; *out (may be NULL) is the caller's:
 * PQclear(). On failure *out is NULL. */
int ch_pg_query(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, PGresult **out, struct ch_err *err);
/* The same outside of a transaction, for a statement that changes nothing: each
 * lock is waited for lock_ms, whatever the session's own patience
 * (ch_pg_lock_not_had()). */
int ch_pg_query_patient(struct ch_pg *pg, int lock_ms,
	const struct ch_pg_stmt *stmt, const struct ch_pg_args *args,
	PGresult **out, struct ch_err *err);

/* ---- one query in flight while the loop does other things ---- */

/* Sends (buffers what the socket does not take). */
int ch_pg_send(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err);
/* For poll(2). -1 when there is no connection. */
int ch_pg_fd(const struct ch_pg *pg);
/* Over a Unix socket? false when there is no connection. */
bool ch_pg_is_local(const struct ch_pg *pg);
short ch_pg_poll_events(const struct ch_pg *pg); /* POLLIN or with POLLOUT */
/* Pumps the socket: 1 = the answer is here (ch_pg_finish will not wait),
 * 0 = not yet, negative = broken; CH_ETIMEOUT (closed) when call_timeout has
 * passed since it was sent. Never waits: a loop that polls turns by the clock
 * as well. */
int ch_pg_ready(struct ch_pg *pg, struct ch_err *err);
/* What is under way may take call_timeout from now on. */
void ch_pg_more_time(struct ch_pg *pg);
/* The answer, waiting for it if need be. As ch_pg_query. */
int ch_pg_finish(struct ch_pg *pg, PGresult **out, struct ch_err *err);

/* ---- pipeline: several statements, one round trip ---- */

/* Queues a statement; its arguments are copied out before the return.
 * The first call enters pipeline mode. */
int ch_pg_pipeline_add(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err);
/* Statements queued since the last run. */
size_t ch_pg_pipeline_count(const struct ch_pg *pg);
/* Sends all with one sync and reads the answers in order: results[i] is of
 * the i-th add, or NULL when that one failed or was not reached (then err and
 * *failed tell the first that failed; the rest was not executed). n must be
 * the number of adds. Leaves pipeline mode. The caller clears the results,
 * also after a failure. results and failed may be NULL.
 * Without BEGIN/COMMIT among them they are one implicit transaction. */
int ch_pg_pipeline_run(struct ch_pg *pg, PGresult **results, size_t n,
	size_t *failed, struct ch_err *err);
void ch_pg_results_clear(PGresult **results, size_t n);
/* The same in two halves, for a loop that polls Kafka meanwhile: sync sends,
 * then fd / poll_events / ch_pg_ready (1: all answers are here), then
 * ch_pg_pipeline_run() collects. */
int ch_pg_pipeline_sync(struct ch_pg *pg, struct ch_err *err);

/* ---- transactions ---- */

int ch_pg_begin(struct ch_pg *pg, struct ch_err *err); /* READ COMMITTED */
/* Does nothing when there is no connection or no transaction. */
int ch_pg_rollback(struct ch_pg *pg, struct ch_err *err);

enum ch_pg_outcome {
	CH_PG_COMMITTED,
	CH_PG_NOT_COMMITTED, /* for certain */
	CH_PG_IN_DOUBT,	     /* the answer did not arrive, or does not say */
};
/* err is filled unless COMMITTED. */
enum ch_pg_outcome ch_pg_commit(struct ch_pg *pg, struct ch_err *err);
/* In two halves: send; fd / ch_pg_ready; then the outcome. A send that fails
 * says nothing about the transaction when it was already buffered: call
 * commit_finish in any case. */
int ch_pg_commit_send(struct ch_pg *pg, struct ch_err *err);
enum ch_pg_outcome ch_pg_commit_finish(struct ch_pg *pg, struct ch_err *err);
/* For a COMMIT that was the last statement of a pipeline: rc, failed and
 * results as ch_pg_pipeline_run() gave them. An error before the COMMIT is
 * NOT_COMMITTED. */
enum ch_pg_outcome ch_pg_pipeline_outcome(const struct ch_pg *pg, int rc,
	PGresult *const *results, size_t n, size_t failed);

/* ---- reading results (binary) ---- */

/* By position. false: NULL, another type, or no such row or column; *out is
 * then unchanged. i64 reads int2, int4, int8, oid, xid8; a sum() is numeric:
 * cast it to int8 in the SQL. */
bool ch_pg_is_null(const PGresult *res, int row, int col);
/* The bytes of whatever type, of a row and column that are there; ptr NULL:
 * NULL. Valid until PQclear. */
struct ch_view ch_pg_value(const PGresult *res, int row, int col);
bool ch_pg_get_i64(const PGresult *res, int row, int col, int64_t *out);
bool ch_pg_get_i32(const PGresult *res, int row, int col, int32_t *out);
bool ch_pg_get_bool(const PGresult *res, int row, int col, bool *out);
/* Any text-like type, json, jsonb and enums; valid until PQclear. */
bool ch_pg_get_text(const PGresult *res, int row, int col, struct ch_view *out);
bool ch_pg_get_bytea(const PGresult *res, int row, int col,
	struct ch_view *out);
bool ch_pg_get_uuid(const PGresult *res, int row, int col, struct ch_uuid *out);
bool ch_pg_get_time(const PGresult *res, int row, int col,
	struct ch_time *out); /* timestamptz; infinity is refused */
/* The same where it lies before now; else, and where it is not known, now. */
struct ch_time ch_pg_get_past(const PGresult *res, int row, int col,
	struct ch_time now);
bool ch_pg_get_day(const PGresult *res, int row, int col, int64_t *out);
bool ch_pg_get_tid(const PGresult *res, int row, int col, uint64_t *out);
bool ch_pg_get_lsn(const PGresult *res, int row, int col, uint64_t *out);
bool ch_pg_get_array(const PGresult *res, int row, int col,
	struct ch_pg_array_reader *out);
/* Rows that an INSERT, UPDATE, DELETE, COPY touched. */
int64_t ch_pg_affected(const PGresult *res);

/* One row, column after column; one check at the end:
 *	struct ch_pg_row r = ch_pg_row(res, i);
 *	id = ch_pg_next_i64(&r); name = ch_pg_next_text(&r); ...
 *	if (!ch_pg_row_ok(&r, err)) return err->code;	(CH_EPROTO)
 * A NULL or a wrong type yields 0 / empty and marks the row bad; the _null
 * variants take NULL as *null = true. */
struct ch_pg_row {
	const PGresult *res;
	int row;
	int col;
	int bad; /* first bad column, 1-based; 0 = none */
};
struct ch_pg_row ch_pg_row(const PGresult *res, int row);
bool ch_pg_row_ok(const struct ch_pg_row *r, struct ch_err *err);
bool ch_pg_next_is_null(struct ch_pg_row *r); /* and if so, skips it */
int64_t ch_pg_next_i64(struct ch_pg_row *r);
int32_t ch_pg_next_i32(struct ch_pg_row *r);
bool ch_pg_next_bool(struct ch_pg_row *r);
struct ch_view ch_pg_next_text(struct ch_pg_row *r);
struct ch_view ch_pg_next_bytea(struct ch_pg_row *r);
struct ch_uuid ch_pg_next_uuid(struct ch_pg_row *r);
struct ch_time ch_pg_next_time(struct ch_pg_row *r);
int64_t ch_pg_next_day(struct ch_pg_row *r);
uint64_t ch_pg_next_tid(struct ch_pg_row *r); /* as ch_pg_put_tid() */
uint64_t ch_pg_next_lsn(struct ch_pg_row *r);
/* NULL: *null = true, and 0 / an empty view with ptr NULL is returned. */
int64_t ch_pg_next_i64_null(struct ch_pg_row *r, bool *null);
struct ch_view ch_pg_next_text_null(struct ch_pg_row *r);
struct ch_view ch_pg_next_bytea_null(struct ch_pg_row *r);
struct ch_time ch_pg_next_time_null(struct ch_pg_row *r, bool *null);

#endif
