/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skewed_clock: preloaded into a process, it moves its wall clock by
 * SKEW_SECONDS, or by what SKEW_FILE says at that moment, or stops it at the
 * microseconds that CLOCK_FILE says; in PostgreSQL, which asks gettimeofday(),
 * only with SKEW_SERVER (librdkafka waits by that one). The test that needs it
 * builds it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The number in the file that the variable names. */
static int
number_in(const char *variable, int *fd, long long *number)
{
	const char *path = getenv(variable);
	char text[32] = "";
	if (*fd < 0 && path != NULL)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || pread(*fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	*number = strtoll(text, NULL, 10);
	return 1;
}

static long long
seconds_ahead(void)
{
	static int fd = -1;
	const char *skew = getenv("SKEW_SECONDS");
	long long ahead = 0;
	if (number_in("SKEW_FILE", &fd, &ahead) || skew == NULL)
		return ahead;
	return strtoll(skew, NULL, 10);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	static int fd = -1;
	long long us;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int rc = real(id, t);
	if (rc != 0 || id != CLOCK_REALTIME)
		return rc;
	if (number_in("CLOCK_FILE", &fd, &us)) {
		t->tv_sec = (time_t)(us / 1000000);
		t->tv_nsec = (long)(us % 1000000 * 1000);
	} else {
		t->tv_sec += seconds_ahead();
	}
	return rc;
}

int
gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	static int (*real)(struct timeval *, void *);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
	int rc = real(t, zone);
	if (rc == 0 && getenv("SKEW_SERVER") != NULL)
		t->tv_sec += seconds_ahead();
	return rc;
}
