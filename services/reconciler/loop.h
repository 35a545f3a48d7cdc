/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the callbacks that main.c hands to the skeleton.
 *
 * Thread: main.
 */
#ifndef RECONCILER_LOOP_H
#define RECONCILER_LOOP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "daemon/daemon.h"

int reconciler_start(void **state, const struct ch_runtime *rt,
	struct ch_err *err);
int reconciler_step(void *state, struct ch_err *err);
void reconciler_stop(void *state);
bool reconciler_ready(void *state, struct ch_buf *verbose);

#endif
