/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walsender: the replication connection, up to the stream: which server it is,
 * and the slot.
 *
 * It asks for nothing that could block it for long but the making of a slot,
 * which waits for the transactions that run. Codes are those of io/pg.h; a
 * command that is given up or gets no answer ends the connection.
 *
 * Thread: loop only.
 */
#ifndef RELAY_WALSENDER_H
#define RELAY_WALSENDER_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "io/pg.h"

#define WALSENDER_SYSTEM_ID_MAX 32
#define WALSENDER_COMMAND_MS 20000

struct walsender;

/* Strings are the caller's, and outlive the walsender. */
struct walsender_options {
	const char *conninfo;
	const char *client_id;
	const char *schema;
	const char *slot; /* checked by the caller: [a-z0-9_]+ */
	/* Called now and then while a command runs long; false: give up. */
	bool (*alive)(void *ctx);
	void *ctx;
};

struct walsender_identity {
	char system_id[WALSENDER_SYSTEM_ID_MAX];
	int32_t timeline;
	int64_t started_us; /* since 1970: the server's process; 0: not known */
};

enum walsender_slot {
	WALSENDER_SLOT_MISSING,
	WALSENDER_SLOT_FREE,
	WALSENDER_SLOT_ACTIVE, /* another relay reads it */
	WALSENDER_SLOT_LOST,   /* its WAL was removed */
	WALSENDER_SLOT_FOREIGN /* another plugin or database has the name */
};

struct walsender_slot_found {
	enum walsender_slot is;
	/* What lies before it the slot never sends again, whatever position
	 * START_REPLICATION names. Of a slot that is FREE or ACTIVE. */
	uint64_t confirmed_lsn;
	int32_t reader; /* ACTIVE: the walsender's pid */
};

struct walsender *walsender_new(const struct walsender_options *opt,
	struct ch_err *err);
void walsender_free(struct walsender *w);
int walsender_connect(struct walsender *w, struct walsender_identity *out,
	struct ch_err *err);
void walsender_disconnect(struct walsender *w);
/* The connection itself, which stays the walsender's. */
struct ch_pg *walsender_pg(struct walsender *w);

/* A simple query: the only kind a walsender takes. *out is the caller's:
 * PQclear(), NULL when it failed. */
int walsender_command(struct walsender *w, const char *sql, int timeout_ms,
	PGresult **out, struct ch_err *err);

int walsender_slot_look(struct walsender *w, struct walsender_slot_found *out,
	struct ch_err *err);
/* The position from which the slot has everything, and as a snapshot, which is
 * the caller's to free(), what was committed before: some of it nobody may see
 * yet. NULL: not known; nothing that begins later is of it. */
int walsender_slot_create(struct walsender *w, uint64_t *lsn, char **before,
	struct ch_err *err);
int walsender_slot_drop(struct walsender *w, struct ch_err *err);

#endif
