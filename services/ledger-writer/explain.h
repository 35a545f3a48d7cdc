/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain: `ledger-writer explain <id>`: what became of a command, on one
 * screen.
 *
 * One statement answers it (sql/explain.sql, over ch.command_status); PostgreSQL
 * alone is needed, a standby and the role ch_operator are enough. Amounts stay
 * the decimals that PostgreSQL printed.
 *
 * Thread: main.
 */
#ifndef LEDGER_EXPLAIN_H
#define LEDGER_EXPLAIN_H

#include "daemon/daemon.h"

extern const char explain_manual[];
/* A subcommand's run(). Exit status 2: the id was not found. */
int explain_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
