/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: `ledger-writer archive`: one day of a partitioned table into one
 * file, its digest and number of rows recorded by ch.record_archive().
 *
 * The file is CSV with a header, gzipped, in a fixed order and without a time
 * of its own: the same rows give the same bytes, so that an archive can be
 * written again and compared. It appears whole under its name, after fsync, in
 * the moment in which the record is made.
 *
 * Thread: main.
 */
#ifndef LEDGER_ARCHIVE_H
#define LEDGER_ARCHIVE_H

#include <stdbool.h>

#include "daemon/daemon.h"
#include "io/pg.h"

/* A day that is to be archived into a directory. */
struct archive_order {
	const char *table, *day, *into, *actor, *reason;
	bool again; /* it has another archive already: records a further one */
	bool dry_run;
};

/* What is wrong with an order, or NULL. */
const char *archive_problem(const struct archive_order *o);
/* Archives it, saying what it does. An exit status. */
int archive_day(const struct ch_runtime *rt, struct ch_pg *pg,
	const struct archive_order *o);

extern const char archive_manual[];
/* A subcommand's run(). Exit status 2: refused, another digest included. */
int archive_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
