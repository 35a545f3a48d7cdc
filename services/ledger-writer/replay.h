/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: `ledger-writer replay --into <schema>`: the books rebuilt from a
 * snapshot and the log, and compared.
 *
 * The books are only read. All is decided by the deciding half that the writer
 * itself uses (redo.h). It catches up with the log round by round; the last
 * round and the comparison share one REPEATABLE READ transaction, so that the
 * books are compared as they were at one vector of offsets, with writers at
 * work meanwhile.
 *
 * Thread: main.
 */
#ifndef LEDGER_REPLAY_H
#define LEDGER_REPLAY_H

#include "daemon/daemon.h"

extern const char replay_manual[];
/* A subcommand's run(). Exit status 0: equal; 2: not. */
int replay_run(const struct ch_runtime *rt, int argc, char **argv);

#endif
