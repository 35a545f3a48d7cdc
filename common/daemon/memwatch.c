/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memwatch: see memwatch.h. Reads /proc/self/statm; where there is none it
 * says -1 and never warns.
 */
#include "daemon/memwatch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int64_t
ch_memwatch_rss(void)
{
	char buf[128];
	const char *second;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	second = strchr(buf, ' ');
	if (second == NULL)
		return -1;
	return strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

int64_t
ch_memwatch_turn(struct ch_memwatch *w, struct ch_mono now)
{
	int64_t rss;
	bool over;

	if (w->last.ns != 0 &&
		ch_mono_ms_since(now, w->last) < CH_MEMWATCH_EVERY_MS)
		return -1;
	w->last = now;
	rss = ch_memwatch_rss();
	over = w->limit_bytes > 0 && rss > w->limit_bytes;
	if (over && !w->over)
		ch_warn("memory.over_limit", CH_I("rss_bytes", rss),
			CH_I("limit_bytes", w->limit_bytes),
			CH_S("next",
				"look at queue gauges; raise "
				"memory_warn or lower the buffers"));
	w->over = over;
	return rss;
}
