/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_store: the SQL of webhook_deliveries and webhook_keys.
 *
 * Each function sends one bounded statement on a connection that the loop
 * turns (io/pg.h: send, ready, finish); what it reads of the answer has a
 * function of its own. Codes as in io/pg.h.
 *
 * Thread: loop.
 */
#ifndef RELAY_HOOK_STORE_H
#define RELAY_HOOK_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "endpoint.h"
#include "event.h"
#include "hook_sender.h"
#include "io/pg.h"

/* Locks the endpoints of a text array for the session, and waits for it; *out
 * has the name of one that another session has, or no row. PQclear(). */
int hook_store_own(struct ch_pg *session, struct ch_pg_array *endpoints,
	PGresult **out, struct ch_err *err);

/* Rows to be inserted, column by column. */
struct hook_rows {
	struct ch_pg_array endpoint, digest, key, event, aggregatetype, type,
		body, traceparent, at, content;
	size_t count, bytes;
};

void hook_rows_init(struct hook_rows *r);
void hook_rows_clear(struct hook_rows *r);
void hook_rows_free(struct hook_rows *r);
/* What a filter sees of an event. */
void hook_rows_names(const struct event *e, struct ch_arena *arena,
	struct ch_view *aggregatetype, struct ch_view *type);
void hook_rows_add(struct hook_rows *r, const char *endpoint,
	const struct event *e);

int hook_store_put(struct ch_pg *pg, struct hook_rows *rows,
	struct ch_err *err);
/* Of its result: how many of the rows have an id that another event of their
 * endpoint has; *id is one of them, in the result. */
int64_t hook_store_reused(const PGresult *res, struct ch_view *id);

/* No row begins behind so many bytes of bodies. newest: only keys that were not
 * refused yet, the newest first. */
int hook_store_page(struct ch_pg *pg, const char *endpoint,
	struct ch_pg_array *busy, size_t limit, int64_t bytes, bool newest,
	struct ch_err *err);
/* Row i, copied into the arena; *version is the key's. out->id 0: the key has
 * nothing pending. */
int hook_store_row(const PGresult *res, int i, struct ch_arena *arena,
	struct hook_delivery *out, int64_t *version, struct ch_err *err);
/* Takes keys out that were seen empty at these versions. */
int hook_store_empty(struct ch_pg *pg, const char *endpoint,
	struct ch_pg_array *digests, struct ch_pg_array *versions,
	struct ch_err *err);

/* As the flight's verdict says. */
int hook_store_settle(struct ch_pg *pg, const struct endpoint *e,
	const struct hook_flight *f, struct ch_time now, struct ch_err *err);
/* Of its result: the row is that event's still, as it was taken. False: nothing
 * was written. */
bool hook_store_settled(const PGresult *res);

/* names: of all endpoints, a text array. */
int hook_store_look(struct ch_pg *pg, struct ch_pg_array *names,
	struct ch_err *err);
int hook_store_figures(struct ch_pg *pg, struct ch_pg_array *names,
	struct ch_err *err);
int hook_store_forget(struct ch_pg *pg, int64_t age_ms, struct ch_err *err);

#endif
