/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_sql: the single statements of ledger-writer in a simulation: claims and
 * what a sweep asks for, with answers as libpq gives them; those of trades.c are
 * in twin_trades.c.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TWIN_SQL_H
#define TESTS_SIM_TWIN_SQL_H

#include <stdbool.h>

#include "twin_pg.h"

/* Does the statement that was sent: pg->result, or pg->err. false: it waits for
 * somebody's lock. A statement that is not known aborts. */
bool twin_sql_run(struct ch_pg *pg);
/* The partition of a claim that is under way; -1: it is none. */
int twin_sql_claimed_part(const struct ch_pg *pg);

/* ---- for who answers one ---- */

struct ch_view twin_sql_arg(const struct ch_pg *pg, int i);
int64_t twin_sql_i64(const struct ch_pg *pg, int i);
/* The partition that the first two arguments name. */
int twin_sql_part(const struct ch_pg *pg);
/* An answer without rows. types: a letter a column: 4 int4, 8 int8, t text, b
 * bool, d date, z timestamptz. */
void twin_sql_begin(struct ch_pg *pg, const char *types);
void twin_sql_put_int(struct ch_pg *pg, int row, int col, int64_t v,
	size_t len);
/* A lock is not had: false, or true when that took too long. */
bool twin_sql_waited(struct ch_pg *pg);

#endif
