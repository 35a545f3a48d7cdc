/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: see watchdog.h. A thread looks four times within the limit; the
 * loop only stores a time. Invariant: it never aborts a process that kicked
 * within the limit. It logs before it aborts, so the reason is in the log.
 */
#include "daemon/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct ch_watchdog {
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool stop; /* under mu */
	int64_t limit_ms;
	atomic_llong kicked_ns;
};

static int64_t
now_ns(void)
{
	return ch_clock_mono(&ch_clock_real).ns;
}

int64_t
ch_watchdog_age_ms(const struct ch_watchdog *w)
{
	return (now_ns() - atomic_load(&w->kicked_ns)) / 1000000;
}

int64_t
ch_watchdog_limit_ms(const struct ch_watchdog *w)
{
	return w->limit_ms;
}

void
ch_watchdog_kick(struct ch_watchdog *w)
{
	atomic_store(&w->kicked_ns, now_ns());
}

static void
wait_ms(struct ch_watchdog *w, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&w->cond, &w->mu, &until);
}

static void *
watch(void *arg)
{
	struct ch_watchdog *w = arg;
	int64_t before = now_ns();

	pthread_setname_np(pthread_self(), "watchdog");
	pthread_mutex_lock(&w->mu);
	while (!w->stop) {
		int64_t age, slept;

		wait_ms(w, w->limit_ms / 4 + 1);
		slept = (now_ns() - before) / 1000000;
		before = now_ns();
		age = ch_watchdog_age_ms(w);
		/* The whole process may have been stopped (SIGSTOP, a frozen
		 * VM): then the loop gets its full time again. */
		if (slept > w->limit_ms / 2 + 1000)
			ch_watchdog_kick(w);
		else if (!w->stop && age > w->limit_ms) {
			ch_error("watchdog.abort", CH_I("age_ms", age),
				CH_I("limit_ms", w->limit_ms));
			abort();
		}
	}
	pthread_mutex_unlock(&w->mu);
	return NULL;
}

int
ch_watchdog_start(struct ch_watchdog **out, int64_t limit_ms,
	struct ch_err *err)
{
	struct ch_watchdog *w = ch_xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int rc = 0;

	w->limit_ms = limit_ms;
	ch_watchdog_kick(w);
	pthread_mutex_init(&w->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
	if (limit_ms > 0)
		rc = pthread_create(&w->thread, NULL, watch, w);
	if (rc != 0) {
		free(w);
		return ch_err_errno(err, rc, "cannot start the watchdog");
	}
	*out = w;
	return 0;
}

void
ch_watchdog_stop(struct ch_watchdog *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->mu);
	w->stop = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mu);
	if (w->limit_ms > 0)
		pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->mu);
	pthread_cond_destroy(&w->cond);
	free(w);
}
