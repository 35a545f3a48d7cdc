/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit: what operators did to the dead letters, read back.
 *
 * Thread: any, with a connection of its own.
 */
#ifndef RELAY_AUDIT_H
#define RELAY_AUDIT_H

#include <stdint.h>

#include "base/err.h"
#include "io/pg.h"

/* Rows: number, JSON text; the newest first. subject: a letter's id or
 * "plan 4"; NULL: any. before: only lower numbers; 0: all. */
int audit_find(struct ch_pg *pg, const char *subject, int64_t before,
	int64_t limit, PGresult **out, struct ch_err *err);

#endif
