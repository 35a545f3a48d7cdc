/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: aborts the process when its loop has not turned for too long, so
 * that the supervisor restarts what hangs.
 *
 * Thread: kick from the main thread; age from any; the watch is a thread.
 */
#ifndef CH_DAEMON_WATCHDOG_H
#define CH_DAEMON_WATCHDOG_H

#include <stdint.h>

#include "base/err.h"

struct ch_watchdog;

/* limit_ms 0: never aborts, age still works. */
int ch_watchdog_start(struct ch_watchdog **out, int64_t limit_ms,
	struct ch_err *err);
void ch_watchdog_kick(struct ch_watchdog *w);
int64_t ch_watchdog_age_ms(const struct ch_watchdog *w); /* since the kick */
int64_t ch_watchdog_limit_ms(const struct ch_watchdog *w);
void ch_watchdog_stop(struct ch_watchdog *w);

#endif
