/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals: what the daemon was asked for from outside, as events that the main
 * thread reads from an fd. No code runs in signal context. A second SIGTERM or
 * SIGINT ends the process at once, also when the main thread hangs.
 *
 * Thread: open once, before any other thread is started (they inherit the
 * mask); next: main.
 */
#ifndef CH_DAEMON_SIGNALS_H
#define CH_DAEMON_SIGNALS_H

#include "base/err.h"

enum ch_signal {
	CH_SIGNAL_NONE,
	CH_SIGNAL_STOP,	  /* first SIGTERM or SIGINT */
	CH_SIGNAL_RELOAD, /* SIGHUP */
	CH_SIGNAL_DEBUG	  /* SIGUSR1 */
};

/* SIGPIPE is ignored from here on. The second SIGTERM or SIGINT exits with
 * second_stop_status. Returns the fd to sleep on, or negative. */
int ch_signals_open(int second_stop_status, struct ch_err *err);
/* The next signal that came, without waiting. */
enum ch_signal ch_signals_next(int fd);

#endif
