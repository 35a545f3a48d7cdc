/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_stub: see ws_stub.h. RFC 6455 by hand, only as far as the modes need it.
 */
#include "ws_stub.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAGMENT 4000
#define FLOOD (64u << 20)

struct ws_stub {
	pthread_t thread;
	enum ws_stub_mode mode;
	int listen_fd;
	int port;
	atomic_int accepted;
	atomic_bool stop;
};

static bool
put(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static void
put_frame(int fd, bool final, unsigned opcode, const void *bytes, size_t n)
{
	unsigned char head[10] = {
		(unsigned char)((final ? 0x80u : 0u) | opcode)};
	size_t len = 2;

	if (n < 126)
		head[1] = (unsigned char)n;
	else if (n < 65536) {
		head[1] = 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		len = 4;
	} else {
		head[1] = 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)(n >> (56 - 8 * i));
		len = 10;
	}
	if (put(fd, head, len))
		(void)put(fd, bytes, n);
}

/* Reads up to the empty line; true with the client's key. */
static bool
read_request(int fd, char key[64])
{
	char buf[4096];
	size_t n = 0;
	const char *p;

	while (n < sizeof(buf) - 1) {
		ssize_t r = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);

		if (r <= 0)
			return false;
		n += (size_t)r;
		buf[n] = '\0';
		if (strstr(buf, "\r\n\r\n") != NULL)
			break;
	}
	p = strcasestr(buf, "sec-websocket-key:");
	return p != NULL && sscanf(p + 18, " %63s", key) == 1;
}

static void
put_upgrade(int fd, const char *key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[128], answer[256];
	unsigned char sha[20], base64[32];
	int n = snprintf(text, sizeof(text), "%s%s", key, guid);

	EVP_Digest(text, (size_t)n, sha, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock(base64, sha, sizeof(sha));
	n = snprintf(answer, sizeof(answer),
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64);
	(void)put(fd, answer, (size_t)n);
}

static void
put_fragments(int fd)
{
	char block[FRAGMENT];

	memset(block, 'a', sizeof(block));
	put_frame(fd, false, 1, block, sizeof(block));
	put_frame(fd, true, 9, "ping", 4);
	memset(block, 'b', sizeof(block));
	put_frame(fd, false, 0, block, sizeof(block));
	memset(block, 'c', sizeof(block));
	put_frame(fd, true, 0, block, sizeof(block));
	put_frame(fd, true, 1, "end", 3);
}

static void
put_long(int fd, int byte, size_t n)
{
	char *block = malloc(n);

	assert(block != NULL);
	memset(block, byte, n);
	put_frame(fd, true, 1, block, n);
	free(block);
}

static bool
get(int fd, unsigned char *out, size_t n)
{
	return recv(fd, out, n, MSG_WAITALL) == (ssize_t)n;
}

/* One masked frame below 126 bytes; false at the end. */
static bool
echo_frame(int fd)
{
	unsigned char head[6], body[126];
	size_t n;

	if (!get(fd, head, sizeof(head)))
		return false;
	n = head[1] & 0x7f;
	if (n >= sizeof(body) || (n > 0 && !get(fd, body, n)) ||
		(head[0] & 0x0f) == 8)
		return false;
	for (size_t i = 0; i < n; i++)
		body[i] ^= head[2 + i % 4];
	if ((head[0] & 0x0f) == 1)
		put_frame(fd, true, 1, body, n);
	return true;
}

/* Until the client goes away, or the stub is stopped. */
static void
wait_for_end(struct ws_stub *s, int fd)
{
	char ignored[512];

	while (!atomic_load(&s->stop)) {
		struct pollfd p = {fd, POLLIN, 0};

		if (poll(&p, 1, 50) > 0 &&
			recv(fd, ignored, sizeof(ignored), 0) <= 0)
			return;
	}
}

static void
opened(struct ws_stub *s, int fd)
{
	static const unsigned char going_away[] = {0x03, 0xe9, 'b', 'y', 'e'};

	switch (s->mode) {
	case WS_STUB_DROP:
		put_frame(fd, true, 1, "hello", 5);
		return;
	case WS_STUB_CLOSE_FRAME:
		put_frame(fd, true, 8, going_away, sizeof(going_away));
		wait_for_end(s, fd);
		return;
	case WS_STUB_FRAGMENTS:
		put_fragments(fd);
		wait_for_end(s, fd);
		return;
	case WS_STUB_HUGE:
		put_long(fd, 'x', 100000);
		wait_for_end(s, fd);
		return;
	case WS_STUB_FLOOD:
	case WS_STUB_FLOOD_FF:
		put_long(fd, s->mode == WS_STUB_FLOOD ? 'x' : 0xff, FLOOD);
		wait_for_end(s, fd);
		return;
	case WS_STUB_ECHO:
		while (echo_frame(fd))
			;
		return;
	case WS_STUB_SILENT:
	case WS_STUB_TOO_MANY:
	case WS_STUB_CLOSE_FIRST:
	case WS_STUB_GARBAGE:
		return;
	}
}

static void
serve(struct ws_stub *s, int fd)
{
	static const char too_many[] =
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
		"Content-Length: 0\r\n\r\n";
	static const char garbage[] = "\x15\x03\x01 what is this\r\n\r\n";
	char key[64];

	if (s->mode == WS_STUB_SILENT) {
		wait_for_end(s, fd);
		return;
	}
	if (!read_request(fd, key) || s->mode == WS_STUB_CLOSE_FIRST)
		return;
	if (s->mode == WS_STUB_TOO_MANY || s->mode == WS_STUB_GARBAGE) {
		if (s->mode == WS_STUB_TOO_MANY)
			(void)put(fd, too_many, sizeof(too_many) - 1);
		else
			(void)put(fd, garbage, sizeof(garbage) - 1);
		wait_for_end(s, fd);
		return;
	}
	put_upgrade(fd, key);
	opened(s, fd);
}

static void *
stub_main(void *arg)
{
	struct ws_stub *s = arg;

	while (!atomic_load(&s->stop)) {
		struct pollfd p = {s->listen_fd, POLLIN, 0};
		int fd = -1;

		if (poll(&p, 1, 50) > 0)
			fd = accept(s->listen_fd, NULL, NULL);
		if (fd < 0)
			continue;
		atomic_fetch_add(&s->accepted, 1);
		serve(s, fd);
		close(fd);
	}
	return NULL;
}

struct ws_stub *
ws_stub_start(enum ws_stub_mode mode)
{
	struct ws_stub *s = calloc(1, sizeof(*s));
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int rc;

	assert(s != NULL);
	s->mode = mode;
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = bind(s->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
			listen(s->listen_fd, 16) == 0 &&
			getsockname(s->listen_fd, (struct sockaddr *)&sa,
				&len) == 0
		? pthread_create(&s->thread, NULL, stub_main, s)
		: -1;
	assert(rc == 0);
	s->port = ntohs(sa.sin_port);
	return s;
}

int
ws_stub_port(const struct ws_stub *s)
{
	return s->port;
}

int
ws_stub_accepted(const struct ws_stub *s)
{
	return atomic_load(&s->accepted);
}

void
ws_stub_stop(struct ws_stub *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
	free(s);
}
