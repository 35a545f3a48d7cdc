/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one turn of ledger-writer: poll, claim, apply, store, sweep.
 *
 * Thread: loop only.
 */
#ifndef LEDGER_LOOP_H
#define LEDGER_LOOP_H

#include <stdbool.h>

#include "base/err.h"
#include "daemon/daemon.h"

int loop_start(void **state, const struct ch_runtime *rt, struct ch_err *err);
int loop_step(void *state, struct ch_err *err);
bool loop_ready(void *state, struct ch_buf *verbose);
void loop_stop(void *state);

#endif
