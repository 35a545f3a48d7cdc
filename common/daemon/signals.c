/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals: see signals.h.
 *
 * All signals are blocked in every thread; a small thread waits for them with
 * sigwait(3), so no code runs in signal context. It passes them to the main
 * thread by a pipe, and ends the process itself at the second SIGTERM or
 * SIGINT, so that works when the main thread hangs too.
 */
#include "daemon/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"

static int pipe_fds[2] = {-1, -1};
static int forced_status;

static void
watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
}

static void
pass_on(enum ch_signal s)
{
	char byte = (char)s;

	/* A full pipe holds enough of them. */
	(void)!write(pipe_fds[1], &byte, 1);
}

static void *
wait_for_signals(void *arg)
{
	sigset_t set;
	int stops = 0;

	(void)arg;
	pthread_setname_np(pthread_self(), "signals");
	watched(&set);
	for (;;) {
		int sig = 0;

		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig == SIGHUP)
			pass_on(CH_SIGNAL_RELOAD);
		else if (sig == SIGUSR1)
			pass_on(CH_SIGNAL_DEBUG);
		else if (++stops == 1)
			pass_on(CH_SIGNAL_STOP);
		else {
			ch_warn("daemon.forced_exit", CH_I("signal", sig));
			_exit(forced_status);
		}
	}
	return NULL;
}

int
ch_signals_open(int second_stop_status, struct ch_err *err)
{
	pthread_t thread;
	sigset_t set;
	int rc;

	(void)signal(SIGPIPE, SIG_IGN);
	forced_status = second_stop_status;
	watched(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return ch_err_errno(err, errno, "cannot make a pipe");
	rc = pthread_create(&thread, NULL, wait_for_signals, NULL);
	if (rc != 0)
		return ch_err_errno(err, rc, "cannot start the signal thread");
	pthread_detach(thread);
	return pipe_fds[0];
}

enum ch_signal
ch_signals_next(int fd)
{
	char byte;
	ssize_t n = read(fd, &byte, 1);

	return n == 1 ? (enum ch_signal)byte : CH_SIGNAL_NONE;
}
