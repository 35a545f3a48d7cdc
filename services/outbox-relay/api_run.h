/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_run: a plan run in the background, one at a time.
 *
 * A thread with a connection and a producer of its own, for as long as the run
 * lasts. What became of it stands in the plan; a run is stopped in the
 * database, by whoever likes to.
 *
 * Thread: one owner; what it starts is its own.
 */
#ifndef RELAY_API_RUN_H
#define RELAY_API_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/daemon.h"

struct api_run;

struct api_run *api_run_new(const struct ch_runtime *rt);
/* Stops it and waits for the page in hand. NULL is allowed. */
void api_run_free(struct api_run *r);
/* CH_OK: begun. CH_EEXIST: another plan runs here. */
int api_run_start(struct api_run *r, int64_t plan, const char *actor,
	int64_t canary_wait_ms, struct ch_err *err);
/* The plan that runs; 0: none. said: what ended the last run, of this plan
 * (0: of any); "": it did what it should, or there was none. */
int64_t api_run_plan(struct api_run *r, int64_t plan,
	char said[CH_ERR_TEXT_MAX]);

#endif
