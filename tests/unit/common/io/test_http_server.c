/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server over plain sockets: what a client sees, answers from other
 * threads, clients that go away, limits, streams and WebSockets.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/http_server.h"
#include "io/ws_client.h"

#define WAIT_MS 30000
#define MANY 200

static struct ch_net *net;
static struct ch_http_server *server;
static _Atomic uint64_t deferred[MANY];
static atomic_int deferred_count, stream_closed, ws_closed, ws_accepted;
static _Atomic uint64_t stream_ref;

static void
get_hello(struct ch_http_req *req, void *ctx)
{
	struct ch_view name = CH_VIEW("nobody"), etag = CH_VIEW("-");
	char body[256];
	struct ch_http_header headers[] = {
		{"x-tag", {NULL, 0}}, {NULL, {NULL, 0}}};

	(void)ctx;
	(void)ch_http_req_query(req, "name", &name);
	(void)ch_http_req_header(req, "x-request-id", &etag);
	headers[0].value = etag;
	(void)snprintf(body, sizeof(body), "hello %.*s from %s\n",
		CH_VIEW_ARG(name), ch_http_req_peer(req));
	ch_http_reply(req,
		&(struct ch_http_response){.status = 200,
			.headers = headers,
			.body = ch_view_of(body)});
}

static void
get_below(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	ch_http_reply(req,
		&(struct ch_http_response){
			.status = 200, .body = ch_http_req_rest(req)});
}

static void
post_echo(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	ch_http_reply(req,
		&(struct ch_http_response){
			.status = 201, .body = ch_http_req_body(req)});
}

static void
get_later(struct ch_http_req *req, void *ctx)
{
	struct ch_http_ref ref = ch_http_req_defer(req);

	(void)ctx;
	atomic_store(&deferred[atomic_load(&deferred_count) % MANY], ref.id);
	atomic_fetch_add(&deferred_count, 1);
}

static void
get_big(struct ch_http_req *req, void *ctx)
{
	size_t n = 3 << 20;
	char *big = malloc(n);

	(void)ctx;
	ck_assert_ptr_nonnull(big);
	memset(big, 'z', n);
	ch_http_reply(req,
		&(struct ch_http_response){.status = 200, .body = {big, n}});
	free(big);
}

static void
on_stream_closed(struct ch_http_ref ref, void *ctx)
{
	(void)ctx;
	ck_assert_uint_eq(ref.id, atomic_load(&stream_ref));
	atomic_fetch_add(&stream_closed, 1);
}

static void
get_stream(struct ch_http_req *req, void *ctx)
{
	struct ch_http_response head = {.status = 200,
		.content_type = "text/event-stream",
		.body = CH_VIEW("data: 0\n\n")};

	(void)ctx;
	atomic_store(&stream_ref,
		ch_http_req_stream(req, &head, on_stream_closed, NULL).id);
}

static int
ws_accept(struct ch_http_req *req, void *ctx, void **session)
{
	struct ch_view token;

	(void)ctx;
	if (!ch_http_req_query(req, "token", &token))
		return 401;
	*session = &ws_accepted;
	atomic_fetch_add(&ws_accepted, 1);
	return 0;
}

static void
ws_message(struct ch_http_ref ref, struct ch_view text, void *ctx,
	void *session)
{
	(void)ctx;
	ck_assert_ptr_eq(session, &ws_accepted);
	if (ch_view_eq_str(text, "bye"))
		ch_http_close(server, ref);
	else
		ck_assert_int_eq(ch_http_send(server, ref, text), 0);
}

static void
ws_end(struct ch_http_ref ref, void *ctx, void *session)
{
	(void)ref;
	(void)ctx;
	(void)session;
	atomic_fetch_add(&ws_closed, 1);
}

static const struct ch_http_route routes[] = {
	{CH_HTTP_GET, "/hello", get_hello, NULL},
	{CH_HTTP_GET, "/below/", get_below, NULL},
	{CH_HTTP_POST, "/echo", post_echo, NULL},
	{CH_HTTP_GET, "/later", get_later, NULL},
	{CH_HTTP_GET, "/big", get_big, NULL},
	{CH_HTTP_GET, "/stream", get_stream, NULL},
	{CH_HTTP_GET, NULL, NULL, NULL}};
static const struct ch_ws_route ws_routes[] = {
	{"/ws", ws_accept, NULL, ws_message, ws_end, NULL},
	{NULL, NULL, NULL, NULL, NULL, NULL}};

static void
start_server(unsigned max_connections, int timeout_ms)
{
	struct ch_http_server_options opt = {.name = "test",
		.listen = "127.0.0.1:0",
		.routes = routes,
		.ws_routes = ws_routes,
		.max_connections = max_connections,
		.max_body = 1000,
		.max_queue = 65536,
		.request_timeout_ms = timeout_ms};
	struct ch_err err = CH_ERR_INIT;

	ck_assert_msg(ch_net_start(&net, NULL, &err) == 0, "%s", err.text);
	ck_assert_msg(ch_http_server_start(&server, net, &opt, &err) == 0, "%s",
		err.text);
}

static void
stop_server(void)
{
	ch_http_server_stop(server);
	ch_net_stop(net);
}

static int
dial(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)ch_http_server_port(server))};
	struct timeval tv = {WAIT_MS / 1000, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void
put(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
		(ssize_t)strlen(text));
}

/* Reads until `until` appears, or the end of the connection. */
static void
get(int fd, struct ch_buf *out, const char *until)
{
	char block[16384];
	ssize_t n;

	while (strstr(ch_buf_str(out), until) == NULL &&
		(n = recv(fd, block, sizeof(block), 0)) > 0)
		ch_buf_add(out, block, (size_t)n);
}

static void
ask(const char *request, const char *until, struct ch_buf *out)
{
	int fd = dial();

	put(fd, request);
	get(fd, out, until);
	close(fd);
}

/* Polls a counter with a deadline. */
static void
until_at_least(atomic_int *counter, int want, const char *what)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	while (atomic_load(counter) < want) {
		ck_assert_msg(ch_mono_ms_since(ch_clock_mono(&ch_clock_real),
				      start) < WAIT_MS,
			"no %s", what);
		(void)poll(NULL, 0, 2);
	}
}

struct exchange {
	const char *request;
	const char *status;
	const char *contains;
};

static const struct exchange exchanges[] = {
	{"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		"hello nobody from 127.0.0.1\n"},
	{"GET /hello?x=1&name=a%20b%26c HTTP/1.1\r\n\r\n", "HTTP/1.1 200",
		"hello a b&c from"},
	{"GET /hello HTTP/1.1\r\nX-Request-Id: r-7\r\n\r\n", "HTTP/1.1 200",
		"x-tag: r-7\r\n"},
	{"GET /below/a/b HTTP/1.1\r\n\r\n", "HTTP/1.1 200", "\r\n\r\na/b"},
	{"GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "Connection: close"},
	{"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nab\r\nc",
		"HTTP/1.1 201", "\r\n\r\nab\r\nc"},
	{"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 201",
		"Content-Length: 0"},
	{"POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 201",
		"Content-Length: 0"},
	{"GET /nope HTTP/1.1\r\n\r\n", "HTTP/1.1 404", "404 Not Found\n"},
	{"DELETE /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 405", "Allow: GET, HEAD"},
	{"PATCH /echo HTTP/1.1\r\n\r\n", "HTTP/1.1 405", "Allow: POST"},
	{"GET /hello HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400",
		"Connection: close"},
	{"POST /echo HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", "HTTP/1.1 400",
		"Connection: close"},
	{"POST /echo HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413",
		"Connection: close"},
	{"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 411", "Connection: close"},
	{"NONSENSE\r\n\r\n", "HTTP/1.1 400", "Connection: close"},
	{"\x16\x03\x01\x02", "HTTP/1.1 400", "Connection: close"},
	{"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 401",
		"Connection: close"},
	{"GET /hello HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 404",
		"Connection: close"},
	{"GET /ws?token=1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 400",
		"Connection: close"},
};

START_TEST(request_gets_its_answer)
{
	const struct exchange *x = &exchanges[_i];
	struct ch_buf out = CH_BUF_INIT;

	start_server(0, 0);
	ask(x->request, x->contains, &out);
	ck_assert_msg(strncmp(ch_buf_str(&out), x->status, strlen(x->status)) ==
			0,
		"%s -> %s", x->request, ch_buf_str(&out));
	ck_assert_msg(strstr(ch_buf_str(&out), x->contains) != NULL, "%s -> %s",
		x->request, ch_buf_str(&out));
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(head_has_the_length_and_no_body)
{
	struct ch_buf out = CH_BUF_INIT;
	int fd;

	start_server(0, 0);
	fd = dial();
	put(fd, "HEAD /hello HTTP/1.1\r\n\r\n");
	put(fd, "GET /below/end HTTP/1.1\r\n\r\n");
	get(fd, &out, "\r\n\r\nend");
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "Content-Length: 28"));
	ck_assert_ptr_null(strstr(ch_buf_str(&out), "hello nobody"));
	close(fd);
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(kept_connection_serves_many_requests)
{
	int fd;

	start_server(0, 0);
	fd = dial();
	for (int i = 0; i < 50; i++) {
		struct ch_buf out = CH_BUF_INIT;
		char want[32], request[64];

		(void)snprintf(want, sizeof(want), "hello n%d ", i);
		(void)snprintf(request, sizeof(request),
			"GET /hello?name=n%d HTTP/1.1\r\n\r\n", i);
		put(fd, request);
		get(fd, &out, want);
		ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), want));
		ch_buf_free(&out);
	}
	ck_assert_uint_eq(ch_http_server_connections(server), 1);
	ck_assert_uint_eq(ch_http_server_requests(server), 50);
	close(fd);
	stop_server();
}
END_TEST

START_TEST(many_deferred_requests_are_answered_from_this_thread)
{
	int fds[MANY];

	start_server(0, 0);
	for (int i = 0; i < MANY; i++) {
		fds[i] = dial();
		put(fds[i], "GET /later HTTP/1.1\r\n\r\n");
	}
	until_at_least(&deferred_count, MANY, "200 requests");
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(
			ch_http_reply_later(server,
				(struct ch_http_ref){atomic_load(&deferred[i])},
				&(struct ch_http_response){.status = 200,
					.content_type = "application/json",
					.body = CH_VIEW("{\"done\":true}")}),
			0);
	for (int i = 0; i < MANY; i++) {
		struct ch_buf out = CH_BUF_INIT;

		get(fds[i], &out, "{\"done\":true}");
		ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "done"));
		ch_buf_free(&out);
		close(fds[i]);
	}
	stop_server();
}
END_TEST

START_TEST(answer_for_a_client_that_has_gone_is_dropped)
{
	struct ch_buf out = CH_BUF_INIT;
	struct ch_http_ref ref;
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	int fd;

	start_server(0, 0);
	fd = dial();
	put(fd, "GET /later HTTP/1.1\r\n\r\n");
	until_at_least(&deferred_count, 1, "request");
	ref.id = atomic_load(&deferred[0]);
	close(fd);
	while (ch_http_server_connections(server) > 0) {
		ck_assert(ch_mono_ms_since(ch_clock_mono(&ch_clock_real),
				  start) < WAIT_MS);
		(void)poll(NULL, 0, 2);
	}
	ck_assert_int_eq(ch_http_reply_later(server, ref,
				 &(struct ch_http_response){.status = 200}),
		0);
	ask("GET /hello HTTP/1.1\r\n\r\n", "hello nobody", &out);
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "hello nobody"));
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(late_answer_does_not_reach_the_next_request)
{
	struct ch_buf out = CH_BUF_INIT;
	struct ch_http_ref first;
	int fd;

	start_server(0, 3000);
	fd = dial();
	put(fd, "GET /later HTTP/1.1\r\n\r\n");
	until_at_least(&deferred_count, 1, "request");
	first.id = atomic_load(&deferred[0]);
	get(fd, &out, "deadline passed"); /* 504, the connection is kept */
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "HTTP/1.1 504"));
	ch_buf_clear(&out);
	put(fd, "GET /later HTTP/1.1\r\n\r\n");
	until_at_least(&deferred_count, 2, "second request");
	(void)ch_http_reply_later(server, first,
		&(struct ch_http_response){
			.status = 200, .body = CH_VIEW("stale")});
	(void)ch_http_reply_later(server,
		(struct ch_http_ref){atomic_load(&deferred[1])},
		&(struct ch_http_response){
			.status = 200, .body = CH_VIEW("fresh")});
	get(fd, &out, "fresh");
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "fresh"));
	ck_assert_ptr_null(strstr(ch_buf_str(&out), "stale"));
	close(fd);
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(body_that_does_not_come_gets_408)
{
	struct ch_buf out = CH_BUF_INIT;

	start_server(0, 300);
	ask("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
		"deadline passed", &out);
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "HTTP/1.1 408"));
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(connection_over_the_limit_gets_503)
{
	struct ch_buf out = CH_BUF_INIT;
	int a, b;

	start_server(2, 0);
	a = dial();
	b = dial();
	put(a, "GET /hello HTTP/1.1\r\n\r\n");
	get(a, &out, "hello nobody");
	ch_buf_clear(&out);
	put(b, "GET /hello HTTP/1.1\r\n\r\n");
	get(b, &out, "hello nobody");
	ch_buf_clear(&out);
	ask("GET /hello HTTP/1.1\r\n\r\n", "503 Service", &out);
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "HTTP/1.1 503"));
	close(a);
	close(b);
	ch_buf_free(&out);
	stop_server();
}
END_TEST

START_TEST(slow_reader_gets_all_of_a_big_body)
{
	char block[16384];
	size_t total = 0, head = 0;
	ssize_t n;
	int fd;

	start_server(0, 0);
	fd = dial();
	put(fd, "GET /big HTTP/1.1\r\nConnection: close\r\n\r\n");
	(void)poll(NULL, 0, 100); /* the socket's buffers fill up */
	while ((n = recv(fd, block, sizeof(block), 0)) > 0) {
		if (head == 0) {
			const char *end =
				memmem(block, (size_t)n, "\r\n\r\n", 4);

			ck_assert_ptr_nonnull(end);
			head = (size_t)(end + 4 - block);
		}
		total += (size_t)n;
	}
	ck_assert_uint_eq(total - head, 3 << 20);
	close(fd);
	stop_server();
}
END_TEST

START_TEST(stream_is_chunked_bounded_and_ends_once)
{
	struct ch_buf out = CH_BUF_INIT;
	struct ch_http_ref ref;
	int fd;

	start_server(0, 0);
	fd = dial();
	put(fd, "GET /stream HTTP/1.1\r\n\r\n");
	get(fd, &out, "9\r\ndata: 0\n\n\r\n");
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out),
		"Transfer-Encoding: chunked"));
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "text/event-stream"));
	ref.id = atomic_load(&stream_ref);
	ck_assert_int_eq(ch_http_send(server, ref, CH_VIEW("data: 1\n\n")), 0);
	get(fd, &out, "data: 1");
	ch_http_close(server, ref);
	get(fd, &out, "0\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(ch_buf_str(&out), "\r\n0\r\n\r\n"));
	until_at_least(&stream_closed, 1, "closed()");
	close(fd);
	stop_server();
	ck_assert_int_eq(atomic_load(&stream_closed), 1);
	ch_buf_free(&out);
}
END_TEST

START_TEST(stream_of_a_client_that_goes_away_is_closed_once)
{
	struct ch_buf out = CH_BUF_INIT;
	int fd;

	start_server(0, 0);
	fd = dial();
	put(fd, "GET /stream HTTP/1.1\r\n\r\n");
	get(fd, &out, "data: 0");
	close(fd);
	until_at_least(&stream_closed, 1, "closed()");
	(void)ch_http_send(server,
		(struct ch_http_ref){atomic_load(&stream_ref)}, CH_VIEW("x"));
	stop_server();
	ck_assert_int_eq(atomic_load(&stream_closed), 1);
	ch_buf_free(&out);
}
END_TEST

static atomic_int c_opened, c_closed, c_messages;
static atomic_int c_status;
static char c_last[64];

static void
c_on_opened(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&c_opened, 1);
}

static void
c_on_message(void *ctx, struct ch_view text)
{
	(void)ctx;
	(void)ch_view_copy(text, c_last, sizeof(c_last));
	atomic_fetch_add(&c_messages, 1);
}

static void
c_on_closed(void *ctx, const struct ch_ws_closed *why)
{
	(void)ctx;
	atomic_store(&c_status, why->http_status);
	atomic_fetch_add(&c_closed, 1);
}

static struct ch_ws_client *
ws_dial(const char *path)
{
	char url[64];
	struct ch_ws_client_options opt = {.url = url,
		.opened = c_on_opened,
		.message = c_on_message,
		.closed = c_on_closed};
	struct ch_ws_client *c = NULL;

	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%d%s",
		ch_http_server_port(server), path);
	ck_assert_int_eq(ch_ws_client_new(&c, net, &opt, NULL), 0);
	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	return c;
}

START_TEST(websocket_is_accepted_echoes_and_ends_once)
{
	struct ch_ws_client *c;

	start_server(0, 0);
	c = ws_dial("/ws?token=1");
	until_at_least(&c_opened, 1, "opened()");
	ck_assert_int_eq(ch_ws_client_send(c, CH_VIEW("hallo")), 0);
	until_at_least(&c_messages, 1, "echo");
	ck_assert_str_eq(c_last, "hallo");
	ck_assert_int_eq(ch_ws_client_send(c, CH_VIEW("bye")), 0);
	until_at_least(&c_closed, 1, "closed() at the client");
	until_at_least(&ws_closed, 1, "closed() at the server");
	ch_ws_client_free(c);
	stop_server();
	ck_assert_int_eq(atomic_load(&ws_closed), 1);
}
END_TEST

START_TEST(websocket_that_is_refused_tells_the_status)
{
	struct ch_ws_client *c;

	start_server(0, 0);
	c = ws_dial("/ws");
	until_at_least(&c_closed, 1, "closed()");
	ck_assert_int_eq(atomic_load(&c_status), 401);
	ck_assert_int_eq(atomic_load(&ws_closed), 0);
	ch_ws_client_free(c);
	stop_server();
}
END_TEST

START_TEST(stop_ends_what_is_open)
{
	struct ch_ws_client *c;
	struct ch_buf out = CH_BUF_INIT;
	int fd;

	start_server(0, 0);
	c = ws_dial("/ws?token=1");
	until_at_least(&c_opened, 1, "opened()");
	fd = dial();
	put(fd, "GET /stream HTTP/1.1\r\n\r\n");
	get(fd, &out, "data: 0");
	ch_http_server_stop(server);
	ck_assert_int_eq(atomic_load(&stream_closed), 1);
	ck_assert_int_eq(atomic_load(&ws_closed), 1);
	until_at_least(&c_closed, 1, "closed() at the client");
	close(fd);
	ch_ws_client_free(c);
	ch_net_stop(net);
	ch_buf_free(&out);
}
END_TEST

START_TEST(taken_port_is_an_error_that_names_it)
{
	struct ch_http_server *second = NULL;
	struct ch_err err = CH_ERR_INIT;
	char listen_on[32];
	struct ch_http_server_options opt = {
		.listen = listen_on, .routes = routes};

	start_server(0, 0);
	(void)snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%d",
		ch_http_server_port(server));
	ck_assert_int_eq(ch_http_server_start(&second, net, &opt, &err),
		CH_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, listen_on));
	opt.listen = "nonsense";
	ck_assert_int_eq(ch_http_server_start(&second, net, &opt, &err),
		CH_EINVAL);
	stop_server();
}
END_TEST

static int
later_ms(void)
{
	return 50;
}

static atomic_int timer_fired;

static void
on_timer(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&timer_fired, 1);
}

static void
set_timer(void *ctx)
{
	ch_net_timer_set(ctx, later_ms());
}

static void
free_timer(void *ctx)
{
	ch_net_timer_free(ctx);
}

START_TEST(timer_fires_once_and_not_early)
{
	struct ch_net_timer *t;
	struct ch_mono start;

	start_server(0, 0);
	t = ch_net_timer_new(net, on_timer, NULL);
	start = ch_clock_mono(&ch_clock_real);
	ck_assert_int_eq(ch_net_call_wait(net, set_timer, t), 0);
	until_at_least(&timer_fired, 1, "timer");
	ck_assert_int_ge(ch_mono_ms_since(ch_clock_mono(&ch_clock_real), start),
		later_ms() - 1);
	ck_assert_int_eq(ch_net_call_wait(net, free_timer, t), 0);
	stop_server();
	ck_assert_int_eq(atomic_load(&timer_fired), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_server");
	TCase *t = tcase_create("http_server");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 90);
	tcase_add_loop_test(t, request_gets_its_answer, 0,
		sizeof(exchanges) / sizeof(exchanges[0]));
	tcase_add_test(t, head_has_the_length_and_no_body);
	tcase_add_test(t, kept_connection_serves_many_requests);
	tcase_add_test(t, many_deferred_requests_are_answered_from_this_thread);
	tcase_add_test(t, answer_for_a_client_that_has_gone_is_dropped);
	tcase_add_test(t, late_answer_does_not_reach_the_next_request);
	tcase_add_test(t, body_that_does_not_come_gets_408);
	tcase_add_test(t, connection_over_the_limit_gets_503);
	tcase_add_test(t, slow_reader_gets_all_of_a_big_body);
	tcase_add_test(t, stream_is_chunked_bounded_and_ends_once);
	tcase_add_test(t, stream_of_a_client_that_goes_away_is_closed_once);
	tcase_add_test(t, websocket_is_accepted_echoes_and_ends_once);
	tcase_add_test(t, websocket_that_is_refused_tells_the_status);
	tcase_add_test(t, stop_ends_what_is_open);
	tcase_add_test(t, taken_port_is_an_error_that_names_it);
	tcase_add_test(t, timer_fires_once_and_not_early);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
