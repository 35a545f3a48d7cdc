/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full_disk: preloaded into a process, it makes the directories of FULL_DISKS
 * (a:b) as full disks are, each while its file "full" is there. For machines on
 * which a test may not mount a small disk, and where a disk is full for a moment
 * only.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name, ...)                                                        \
	static __typeof__(name) *real;                                         \
	if (real == NULL)                                                      \
		*(void **)&real = dlsym(RTLD_NEXT, #name);                     \
	return real(__VA_ARGS__)

/* Would writing up to `end` make the file longer on a disk that is full? */
static int
refused(int fd, off_t end)
{
	char disks[1024], link[64], path[1024], flag[1100];
	struct stat st;
	const char *all = getenv("FULL_DISKS");
	ssize_t n;

	if (all == NULL || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
		end <= st.st_size)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	(void)snprintf(disks, sizeof(disks), "%s", all);
	for (char *rest = NULL, *disk = strtok_r(disks, ":", &rest);
		disk != NULL; disk = strtok_r(NULL, ":", &rest)) {
		size_t len = strlen(disk);
		(void)snprintf(flag, sizeof(flag), "%s/full", disk);
		if (strncmp(path, disk, len) == 0 && path[len] == '/' &&
			access(flag, F_OK) == 0)
			return 1;
	}
	return 0;
}

ssize_t
pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if (refused(fd, at + (off_t)n)) {
		errno = ENOSPC;
		return -1;
	}
	REAL(pwrite, fd, buf, n, at);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	off_t end = at;

	for (int i = 0; i < count; i++)
		end += (off_t)iov[i].iov_len;
	if (refused(fd, end)) {
		errno = ENOSPC;
		return -1;
	}
	REAL(pwritev, fd, iov, count, at);
}

/* What a JVM calls. */
ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	return pwrite(fd, buf, n, at);
}

ssize_t
write(int fd, const void *buf, size_t n)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (at >= 0 && refused(fd, at + (off_t)n)) {
		errno = ENOSPC;
		return -1;
	}
	REAL(write, fd, buf, n);
}
