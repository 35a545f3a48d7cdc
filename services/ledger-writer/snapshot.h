/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: `ledger-writer snapshot`: takes a snapshot of the books through
 * ch.take_snapshot(), alone in a short REPEATABLE READ transaction, and lets
 * ch.verify_snapshot() hold it against the postings.
 *
 * Thread: main.
 */
#ifndef LEDGER_SNAPSHOT_H
#define LEDGER_SNAPSHOT_H

#include <stdbool.h>

#include "daemon/daemon.h"
#include "io/pg.h"

/* Takes one and verifies it; dry_run only counts. An exit status. */
int snapshot_take_verified(const struct ch_runtime *rt, struct ch_pg *pg,
	const char *actor, const char *reason, bool dry_run);

extern const char snapshot_manual[];
/* A subcommand's run(). Exit status 2: it does not agree with the postings. */
int snapshot_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
