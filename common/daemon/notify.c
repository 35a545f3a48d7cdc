/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: see notify.h; the protocol is sd_notify(3): one datagram of lines to
 * the socket that NOTIFY_SOCKET names ('@' at its start: abstract). A
 * supervisor that does not listen is no error of ours.
 */
#include "daemon/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void
ch_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = path != NULL ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

int64_t
ch_notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	int64_t n;

	if (usec == NULL ||
		ch_view_int(ch_view_of(usec), 1000, INT64_MAX, &n) < 0)
		return 0;
	return n / 2000 > 0 ? n / 2000 : 1;
}
