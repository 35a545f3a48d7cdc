/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the relay as the skeleton turns it.
 *
 * Thread: main.
 */
#ifndef RELAY_LOOP_H
#define RELAY_LOOP_H

#include "base/err.h"
#include "base/str.h"
#include "daemon/daemon.h"

int relay_start(void **state, const struct ch_runtime *rt, struct ch_err *err);
int relay_step(void *state, struct ch_err *err);
bool relay_drain(void *state);
void relay_stop(void *state);
bool relay_ready(void *state, struct ch_buf *verbose);

#endif
