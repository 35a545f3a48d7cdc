/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep: `ledger-writer upkeep`: what is to be done each night, as one command
 * for a timer: a verified snapshot, days that are kept no longer, rate windows
 * of actors gone quiet. Each step is one that an operator can take by hand;
 * what may not go stays, is named with what keeps it, and the rest is done.
 *
 * Thread: main.
 */
#ifndef LEDGER_UPKEEP_H
#define LEDGER_UPKEEP_H

#include "daemon/daemon.h"

extern const char upkeep_manual[];
/* A subcommand's run(). Exit status 2: something stays that is due. */
int upkeep_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
