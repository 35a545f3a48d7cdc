/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: tells systemd (Type=notify) what the daemon does, without
 * libsystemd. Without NOTIFY_SOCKET everything here does nothing.
 *
 * Thread: main.
 */
#ifndef CH_DAEMON_NOTIFY_H
#define CH_DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..." */
void ch_notify(const char *state);
/* Half of WatchdogSec= in ms, or 0: how often to send WATCHDOG=1. */
int64_t ch_notify_watchdog_ms(void);

#endif
