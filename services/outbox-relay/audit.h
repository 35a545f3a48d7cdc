/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit: what operators did to the dead letters: one row for a call that meant
 * many, and all of it read back. (What is done to one letter or plan writes its
 * row itself.)
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_AUDIT_H
#define RELAY_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/pg.h"

/* What a call meant and how much it did; after is JSON. */
struct audit_call {
	const char *action; /* "dlq.replayed", "dlq.imported", ... */
	const char *subject, *actor, *reason, *after;
};
int audit_write(struct ch_pg *pg, const struct audit_call *a,
	struct ch_err *err);

/* Who runs this process, for the rows: $USER, else the login's name of its uid,
 * else "uid 1000". Lives as long as `out`. */
#define AUDIT_SELF_MAX 256
const char *audit_self(char out[AUDIT_SELF_MAX]);

/* Rows: number, JSON text; the newest first. subject: a letter's id or
 * "plan 4"; NULL: any. before: only lower numbers; 0: all. */
int audit_find(struct ch_pg *pg, const char *subject, int64_t before,
	int64_t limit, PGresult **out, struct ch_err *err);

#endif
