/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_private: what the files of the pg module share. Not for its users.
 *
 * A connection has at most one request under way: a single statement or a
 * pipeline. pg_io.c collects its answers as they arrive; `ask` says what is
 * expected and what came so far.
 */
#ifndef CH_IO_PG_PRIVATE_H
#define CH_IO_PG_PRIVATE_H

#include "base/map.h"
#include "pg.h"

enum pg_ask_kind {
	PG_ASK_NONE,
	PG_ASK_SINGLE,	 /* one query; ends with a NULL result */
	PG_ASK_PIPELINE, /* entries, then the sync's answer */
	PG_ASK_ROWS,	 /* one query; who asked takes its results himself */
};

struct pg_entry {
	const struct ch_pg_stmt *stmt;
	bool prepare; /* a PREPARE of ours; its answer is not the caller's */
};

struct pg_ask {
	enum pg_ask_kind kind;
	bool synced; /* pipeline: everything sent */
	bool done;   /* all answers are here */
	struct ch_mono deadline;
	/* single */
	PGresult *result; /* the last, or the first that failed */
	/* pipeline */
	struct pg_entry *entries;
	size_t entry_count, entry_cap;
	size_t adds;	    /* entries that are the caller's */
	size_t answered;    /* entries whose answer came */
	PGresult **results; /* one for each add, room for entry_cap */
	size_t result_count;
	PGresult *error;  /* the first failure, if any */
	size_t failed_at; /* the add that it belongs to */
};

struct ch_pg {
	PGconn *conn; /* NULL: not connected */
	char *conninfo, *application_name, *passfile, *replication;
	char *options; /* -c name=value ... */
	char *on_connect;
	int connect_timeout_s, call_timeout_ms, tcp_user_timeout_ms;
	bool read_write, verify_tls;
	uint64_t generation;
	struct ch_map *prepared; /* name -> SQL text, of this connection */
	struct pg_ask ask;
	bool commit_sent;
	struct ch_pg_failure failure;
};

/* ---- pg_target.c ---- */

/* For PQconninfoFree(); NULL with CH_ECONFIG. The error never repeats a
 * password. */
PQconninfoOption *ch_pg_target_parse(const char *conninfo, struct ch_err *err);
/* NULL when not given. */
const char *ch_pg_option_of(const PQconninfoOption *opts, const char *keyword);

/* ---- pg.c ---- */

/* As ch_pg_send(), in single-row mode; nothing is collected. */
int ch_pg_send_rows(struct ch_pg *pg, const struct ch_pg_stmt *stmt,
	const struct ch_pg_args *args, struct ch_err *err);

/* ---- pg_io.c ---- */

struct ch_mono ch_pg_deadline(const struct ch_pg *pg);
/* Reads and writes what the socket takes; collects answers. 0, or negative
 * when the connection is broken (and now closed). */
int ch_pg_pump(struct ch_pg *pg, struct ch_err *err);
/* Pumps until the answers are complete. */
int ch_pg_wait(struct ch_pg *pg, struct ch_err *err);
/* Sends what libpq has buffered; answers of an ask are collected meanwhile. */
int ch_pg_flush(struct ch_pg *pg, struct ch_err *err);
/* Waits for the socket. 0, CH_ETIMEOUT (closed) or CH_EIO (closed). */
int ch_pg_poll(struct ch_pg *pg, short events, struct ch_mono deadline,
	struct ch_err *err);
void ch_pg_ask_begin(struct ch_pg *pg, enum pg_ask_kind kind);
void ch_pg_ask_synced(struct ch_pg *pg); /* a pipeline is sent: time runs */
void ch_pg_ask_drop(struct ch_pg *pg);	 /* frees, back to NONE */
/* Answer of a single ask: takes it over. */
int ch_pg_take_result(struct ch_pg *pg, PGresult **out, struct ch_err *err);

/* Records the failure that libpq's connection tells, closes it: CH_EIO. */
int ch_pg_fail_connection(struct ch_pg *pg, const char *doing,
	struct ch_err *err);
/* Records the failure that a result tells. CH_ESQL, or CH_EIO and closed when
 * the session ended with it. Does not clear res. */
int ch_pg_fail_result(struct ch_pg *pg, const PGresult *res,
	struct ch_err *err);
/* CH_ECLOSED unless connected and idle (no ask under way). */
int ch_pg_need_idle(struct ch_pg *pg, struct ch_err *err);

#endif
