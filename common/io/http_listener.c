/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_listener: binds the server's address and accepts connections.
 *
 * Accepting is ours, not libwebsockets', for three reasons: the limits on
 * connections hold before anything is read, bind(2)'s error reaches the
 * operator, and no server is chosen by the Host header, which the client
 * writes. Out of file descriptors it stops to accept for 100 ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/http_server_impl.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64
#define ACCEPT_AGAIN_MS 100

static void
adopt(struct ch_http_server *s, int fd, const struct sockaddr *sa,
	socklen_t len)
{
	lws_adopt_desc_t desc;
	struct http_conn *c;
	uint32_t slot;
	struct lws *wsi;
	int on = 1;
	char peer[NI_MAXHOST];

	if (atomic_load(&s->connections) >= s->slot_count) {
		close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (getnameinfo(sa, len, peer, sizeof(peer), NULL, 0, NI_NUMERICHOST) !=
		0)
		memcpy(peer, "?", 2);
	c = ch_http_conn_new(s, peer);
	slot = c->slot;
	memset(&desc, 0, sizeof(desc));
	desc.vh = s->vhost;
	desc.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP;
	desc.fd.sockfd = fd;
	desc.opaque = c;
	wsi = lws_adopt_descriptor_vhost_via_info(&desc);
	if (wsi == NULL) { /* lws has closed fd */
		if (s->slots[slot] == c)
			ch_http_conn_free(c);
		return;
	}
	c->wsi = wsi;
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
}

void
ch_http_listener_resume(void *server)
{
	struct ch_http_server *s = server;

	if (s->listener != NULL)
		(void)lws_rx_flow_control(s->listener, 1);
}

void
ch_http_listener_accept(struct ch_http_server *s)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct sockaddr *sa = (struct sockaddr *)&ss;
		int fd = accept4(s->listen_fd, sa, &len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			adopt(s, fd, sa, len);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* EMFILE and the like: poll(2) would spin. */
		ch_warn("http.accept", CH_S("server", s->name),
			CH_I("errno", errno), CH_S("next", "raise ulimit -n"));
		(void)lws_rx_flow_control(s->listener, 0);
		ch_net_timer_set(s->accept_again, ACCEPT_AGAIN_MS);
		return;
	}
}

/* "127.0.0.1:80", "[::1]:80", ":80" and "localhost:80". */
static int
split_listen(const char *listen_on, char host[256], char port[8])
{
	const char *colon = strrchr(listen_on, ':');
	struct ch_view h;
	int64_t n;

	if (colon == NULL ||
		ch_view_int(ch_view_of(colon + 1), 0, 65535, &n) < 0)
		return CH_EINVAL;
	h = (struct ch_view){listen_on, (size_t)(colon - listen_on)};
	if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']')
		h = (struct ch_view){h.ptr + 1, h.len - 2};
	(void)snprintf(port, 8, "%d", (int)n);
	return ch_view_copy(h, host, 256);
}

static int
bind_one(const struct sockaddr *sa, socklen_t len, bool reuse_port)
{
	int on = 1, off = 0, saved;
	int fd = socket(sa->sa_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (reuse_port)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (sa->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
			sizeof(off));
	if (bind(fd, sa, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
bound_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char port[8] = "0";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		(void)getnameinfo((struct sockaddr *)&ss, len, NULL, 0, port,
			sizeof(port), NI_NUMERICSERV);
	return (int)strtol(port, NULL, 10);
}

/* An empty host is all addresses: IPv6 with v4 mapped in, or IPv4 where there
 * is no IPv6. */
static int
bind_any(uint16_t port, bool reuse_port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6,
		.sin6_addr = in6addr_any,
		.sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_ANY),
		.sin_port = htons(port)};
	int fd = bind_one((struct sockaddr *)&six, sizeof(six), reuse_port);

	return fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
		? fd
		: bind_one((struct sockaddr *)&four, sizeof(four), reuse_port);
}

static int
bind_host(const char *host, const char *port, bool reuse_port, int *resolved)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	int fd = -1, saved = 0;

	*resolved = getaddrinfo(host, port, &hints, &list);
	if (*resolved != 0)
		return -1;
	for (struct addrinfo *ai = list; ai != NULL && fd < 0;
		ai = ai->ai_next) {
		fd = bind_one(ai->ai_addr, ai->ai_addrlen, reuse_port);
		saved = errno;
	}
	freeaddrinfo(list);
	errno = saved;
	return fd;
}

static int
split(const char *listen, char host[256], char port[8], struct ch_err *err)
{
	if (split_listen(listen, host, port) == 0)
		return 0;
	return ch_err_set(err, CH_EINVAL,
		"listen address \"%s\" is not "
		"host:port, [v6]:port or :port",
		listen);
}

int
ch_http_listen_check(const char *listen, struct ch_err *err)
{
	char host[256], port[8];

	return split(listen, host, port, err);
}

int
ch_http_listener_open(struct ch_http_server *s, struct ch_err *err)
{
	char host[256], port[8];
	int resolved = 0;

	if (split(s->opt.listen, host, port, err) < 0)
		return CH_EINVAL;
	s->listen_fd = host[0] == '\0'
		? bind_any((uint16_t)strtoul(port, NULL, 10), s->opt.reuse_port)
		: bind_host(host, port, s->opt.reuse_port, &resolved);
	if (resolved != 0)
		return ch_err_set(err, CH_EINVAL, "listen address \"%s\": %s",
			s->opt.listen, gai_strerror(resolved));
	if (s->listen_fd < 0)
		return ch_err_errno(err, errno, "cannot listen on %s",
			s->opt.listen);
	s->port = bound_port(s->listen_fd);
	return 0;
}
