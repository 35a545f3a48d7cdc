/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_day: `ledger-writer drop-day`: drops a day of a partitioned table through
 * ch.drop_day(), or says what still stands against it.
 *
 * Thread: main.
 */
#ifndef LEDGER_DROP_DAY_H
#define LEDGER_DROP_DAY_H

#include <stdbool.h>

#include "daemon/daemon.h"
#include "io/pg.h"

/* A day that is to be dropped. */
struct drop_order {
	const char *table, *day, *actor, *reason;
	bool dry_run;
};

/* Drops it, saying what was asked of it. An exit status. */
int drop_day(struct ch_pg *pg, const struct drop_order *d);

extern const char drop_day_manual[];
/* A subcommand's run(). Exit status 2: the day stays. */
int drop_day_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
