/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_sql: the single statements of ledger-writer in a simulation: claims and
 * what a sweep asks for, with answers as libpq gives them.
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

#endif
