/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: what the daemon skeleton calls: start, turn, drain, stop, ready,
 * reload.
 *
 * Thread: main.
 */
#ifndef TRADE_STREAM_LOOP_H
#define TRADE_STREAM_LOOP_H

#include <stdbool.h>

#include "daemon/daemon.h"

int loop_start(void **state, const struct ch_runtime *rt, struct ch_err *err);
int loop_step(void *state, struct ch_err *err);
bool loop_drain(void *state);
void loop_stop(void *state);
bool loop_ready(void *state, struct ch_buf *verbose);
/* Reads the wallet file again; on an error the former set stays. */
int loop_reload(void *state, struct ch_err *err);

#endif
