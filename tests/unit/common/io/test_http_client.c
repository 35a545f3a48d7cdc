/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client against our own server, against sockets that misbehave, and
 * against a name whose lookup does not end: getaddrinfo() of this program
 * stands before libc's.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <netdb.h>
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
#include "io/http_client.h"
#include "io/http_server.h"

#define WAIT_MS 30000

/* ---- a name server that does not answer ---- */

#define SILENT_HOST "silent.test"

static pthread_mutex_t lookup_mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t lookup_moved = PTHREAD_COND_INITIALIZER;
static int lookups;	 /* of SILENT_HOST, that hang */
static bool is_answered; /* they end */

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
	struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
		struct addrinfo **);

	if (node == NULL || strcmp(node, SILENT_HOST) != 0) {
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
		return real(node, service, hints, out);
	}
	pthread_mutex_lock(&lookup_mu);
	lookups++;
	pthread_cond_broadcast(&lookup_moved);
	while (!is_answered)
		pthread_cond_wait(&lookup_moved, &lookup_mu);
	lookups--;
	pthread_cond_broadcast(&lookup_moved);
	pthread_mutex_unlock(&lookup_mu);
	return EAI_AGAIN;
}

static void
wait_for_lookups(int want)
{
	pthread_mutex_lock(&lookup_mu);
	while (lookups != want)
		pthread_cond_wait(&lookup_moved, &lookup_mu);
	pthread_mutex_unlock(&lookup_mu);
}

static void
answer_lookups(void)
{
	pthread_mutex_lock(&lookup_mu);
	is_answered = true;
	pthread_cond_broadcast(&lookup_moved);
	pthread_mutex_unlock(&lookup_mu);
	wait_for_lookups(0);
}

static struct ch_net *net;
static struct ch_http_server *server;
static struct ch_http_client *client;
static atomic_int done_count;
static struct ch_http_result last;
static char last_body[4096], last_type[64], last_etag[64], last_reason[300];

static void
on_done(void *ctx, const struct ch_http_result *r)
{
	(void)ctx;
	last = *r;
	(void)ch_view_copy(r->body, last_body, sizeof(last_body));
	(void)ch_view_copy(r->content_type, last_type, sizeof(last_type));
	(void)ch_view_copy(r->etag, last_etag, sizeof(last_etag));
	(void)snprintf(last_reason, sizeof(last_reason), "%s", r->reason);
	atomic_fetch_add(&done_count, 1);
}

static void
get_doc(struct ch_http_req *req, void *ctx)
{
	static const struct ch_http_header headers[] = {{"etag", {"\"v1\"", 4}},
		{"retry-after", {"999999", 6}}, {NULL, {NULL, 0}}};
	struct ch_view agent = {NULL, 0};

	(void)ctx;
	(void)ch_http_req_header(req, "user-agent", &agent);
	ch_http_reply(req,
		&(struct ch_http_response){.status = 429,
			.content_type = "application/json",
			.headers = headers,
			.body = agent});
}

static void
post_doc(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	ch_http_reply(req,
		&(struct ch_http_response){
			.status = 200, .body = ch_http_req_body(req)});
}

static void
get_redirect(struct ch_http_req *req, void *ctx)
{
	static const struct ch_http_header headers[] = {
		{"location", {"/doc", 4}}, {NULL, {NULL, 0}}};

	(void)ctx;
	ch_http_reply(req,
		&(struct ch_http_response){.status = 302, .headers = headers});
}

static void
get_never(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	(void)ch_http_req_defer(req);
}

static void
get_large(struct ch_http_req *req, void *ctx)
{
	static char large[50000];

	(void)ctx;
	memset(large, 'l', sizeof(large));
	ch_http_reply(req,
		&(struct ch_http_response){
			.status = 200, .body = {large, sizeof(large)}});
}

static const struct ch_http_route routes[] = {
	{CH_HTTP_GET, "/doc", get_doc, NULL},
	{CH_HTTP_POST, "/doc", post_doc, NULL},
	{CH_HTTP_GET, "/redirect", get_redirect, NULL},
	{CH_HTTP_GET, "/never", get_never, NULL},
	{CH_HTTP_GET, "/large", get_large, NULL},
	{CH_HTTP_GET, NULL, NULL, NULL}};

static void
start_with(const struct ch_http_client_options *opt)
{
	struct ch_http_server_options so = {
		.listen = "127.0.0.1:0", .routes = routes};
	struct ch_err err = CH_ERR_INIT;

	ck_assert_int_eq(ch_net_start(&net, NULL, &err), 0);
	ck_assert_int_eq(ch_http_server_start(&server, net, &so, &err), 0);
	ck_assert_int_eq(ch_http_client_new(&client, opt, &err), 0);
}

static void
stop_all(void)
{
	ch_http_client_free(client);
	ch_http_server_stop(server);
	ch_net_stop(net);
}

static void
wait_done(int want)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);

	while (atomic_load(&done_count) < want) {
		ck_assert_msg(ch_mono_ms_since(ch_clock_mono(&ch_clock_real),
				      start) < WAIT_MS,
			"no result");
		(void)poll(NULL, 0, 2);
	}
}

static uint64_t
send_to(int port, const char *path, struct ch_http_call call)
{
	char url[128];
	uint64_t id = 0;
	struct ch_err err = CH_ERR_INIT;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	call.url = url;
	call.done = on_done;
	ck_assert_msg(ch_http_client_send(client, &call, &id, &err) == 0, "%s",
		err.text);
	return id;
}

static uint64_t
send_one(const char *path, struct ch_http_call call)
{
	return send_to(ch_http_server_port(server), path, call);
}

/* A listening socket that nobody serves. */
static int
mute(int *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

START_TEST(answer_has_status_body_type_etag_and_clamped_retry)
{
	start_with(&(struct ch_http_client_options){.user_agent = "probe/1"});
	(void)send_one("/doc", (struct ch_http_call){0});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	ck_assert_int_eq(last.status, 429);
	ck_assert_str_eq(last_body, "probe/1");
	ck_assert_str_eq(last_type, "application/json");
	ck_assert_str_eq(last_etag, "\"v1\"");
	ck_assert_int_eq(last.retry_after_s, 3600);
	ck_assert_int_gt(last.elapsed_us, 0);
	stop_all();
}
END_TEST

START_TEST(post_sends_its_body)
{
	static const char *const headers[] = {
		"Content-Type: application/json", NULL};

	start_with(NULL);
	(void)send_one("/doc",
		(struct ch_http_call){.method = "POST",
			.headers = headers,
			.body = CH_VIEW("{\"a\":1}")});
	wait_done(1);
	ck_assert_int_eq(last.status, 200);
	ck_assert_str_eq(last_body, "{\"a\":1}");
	ck_assert_int_eq(last.retry_after_s, -1);
	(void)send_one("/doc", (struct ch_http_call){.method = "POST"});
	wait_done(2);
	ck_assert_int_eq(last.status, 200);
	ck_assert_str_eq(last_body, "");
	stop_all();
}
END_TEST

START_TEST(redirect_is_not_followed)
{
	start_with(NULL);
	(void)send_one("/redirect", (struct ch_http_call){0});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	ck_assert_int_eq(last.status, 302);
	stop_all();
}
END_TEST

START_TEST(slow_answer_is_a_timeout)
{
	start_with(NULL);
	(void)send_one("/never", (struct ch_http_call){.timeout_ms = 200});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_TIMEOUT);
	ck_assert_int_eq(last.status, 0);
	ck_assert_str_ne(last_reason, "");
	stop_all();
}
END_TEST

START_TEST(large_body_is_cut_off)
{
	start_with(NULL);
	(void)send_one("/large", (struct ch_http_call){.max_body = 10000});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_TOO_LARGE);
	ck_assert_str_eq(last_body, "");
	(void)send_one("/large", (struct ch_http_call){.max_body = 50000});
	wait_done(2);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	stop_all();
}
END_TEST

START_TEST(large_body_is_cut_where_asked)
{
	start_with(NULL);
	(void)send_one("/large",
		(struct ch_http_call){.max_body = 4000, .cut_body = true});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	ck_assert_int_eq(last.status, 200);
	ck_assert_uint_eq(last.body.len, 4000);
	ck_assert_uint_eq(strlen(last_body), 4000);
	stop_all();
}
END_TEST

/* One answer of raw bytes to whoever connects first. */
static void
answer_raw(int fd, const char *head, size_t fill)
{
	char block[1000];
	int peer = accept(fd, NULL, NULL);

	ck_assert_int_ge(peer, 0);
	/* what is not read would make close() cut off what was sent */
	ck_assert(recv(peer, block, sizeof(block), 0) > 0);
	memset(block, 'h', sizeof(block));
	ck_assert(send(peer, head, strlen(head), MSG_NOSIGNAL) > 0);
	for (; fill > 0; fill--) {
		(void)send(peer, "X: ", 3, MSG_NOSIGNAL);
		(void)send(peer, block, sizeof(block), MSG_NOSIGNAL);
		(void)send(peer, "\r\n", 2, MSG_NOSIGNAL);
	}
	(void)send(peer, "\r\n", 2, MSG_NOSIGNAL);
	(void)shutdown(peer, SHUT_WR);
	while (recv(peer, block, sizeof(block), 0) > 0)
		;
	close(peer);
}

START_TEST(headers_without_end_are_cut_off)
{
	int port, fd = mute(&port);

	start_with(NULL);
	(void)send_to(port, "/", (struct ch_http_call){.timeout_ms = 20000});
	answer_raw(fd, "HTTP/1.1 200 OK\r\n", 80);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_TOO_LARGE);
	stop_all();
	close(fd);
}
END_TEST

static const char *const no_status_lines[] = {"HTTP/\327\3211 103 Early\r\n",
	"HTTP/1.1 OK\r\n", "HTTP/1.1\r\n", "HTTP/\r\n", "HTTP/1.x 200 OK\r\n",
	"HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 -20 OK\r\n",
	"http/1.1 200 OK\r\n", "HTTP/1.1 099 OK\r\n", "HTTP/1. 200 OK\r\n",
	"HTTP/1.1.1 200 OK\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/what 200 OK\r\n",
	"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"};

/* libcurl takes most of them for a 200 */
START_TEST(an_answer_without_a_status_line_is_protocol)
{
	int port, fd = mute(&port);

	start_with(NULL);
	(void)send_to(port, "/", (struct ch_http_call){0});
	answer_raw(fd, no_status_lines[_i], 0);
	wait_done(1);
	ck_assert_msg(last.class == CH_HTTP_PROTOCOL, "%s is class %d",
		no_status_lines[_i], (int)last.class);
	stop_all();
	close(fd);
}
END_TEST

static const struct {
	const char *value;
	int seconds;
} retry_afters[] = {{"0", 0}, {"7", 7}, {"0007", 7}, {" 7 ", 7}, {"3601", 3600},
	{"99999999999999999999999", 3600}, {"", -1}, {"-5", -1}, {"1.5", -1},
	{"7 s", -1}, {"soon", -1}, {"Fri, 31 Dec 2100 23:59:59 GMT", 3600},
	{"Fri, 31 Dec 9999 23:59:59 GMT", 3600}};

START_TEST(a_retry_after_that_is_none_counts_as_missing)
{
	int port, fd = mute(&port);
	char answer[256];

	start_with(NULL);
	(void)send_to(port, "/", (struct ch_http_call){0});
	(void)snprintf(answer, sizeof(answer),
		"HTTP/1.1 503 x\r\nConnection: close\r\nRetry-After: %s\r\n",
		retry_afters[_i].value);
	answer_raw(fd, answer, 0);
	wait_done(1);
	ck_assert_int_eq(last.status, 503);
	ck_assert_msg(last.retry_after_s == retry_afters[_i].seconds,
		"\"%s\" is %d", retry_afters[_i].value, last.retry_after_s);
	stop_all();
	close(fd);
}
END_TEST

START_TEST(refused_connection_and_unknown_name_are_connect)
{
	struct ch_http_call call = {
		.url = "http://localhost.invalid/", .done = on_done};

	start_with(NULL);
	/* nobody listens on port 1, and no client's socket sits there */
	(void)send_to(1, "/", (struct ch_http_call){.timeout_ms = 25000});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_CONNECT);
	ck_assert_int_eq(ch_http_client_send(client, &call, NULL, NULL), 0);
	wait_done(2);
	ck_assert_int_eq(last.class, CH_HTTP_CONNECT);
	stop_all();
}
END_TEST

START_TEST(connection_cut_without_an_answer_is_protocol)
{
	int port, fd = mute(&port), peer;
	char request[512];

	start_with(NULL);
	(void)send_to(port, "/", (struct ch_http_call){0});
	peer = accept(fd, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_gt(read(peer, request, sizeof(request)), 0);
	close(peer);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_PROTOCOL);
	close(fd);
	stop_all();
}
END_TEST

START_TEST(peer_that_speaks_no_tls_is_tls)
{
	char url[64];
	struct ch_http_call call = {.url = url, .done = on_done};

	start_with(NULL);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/",
		ch_http_server_port(server));
	ck_assert_int_eq(ch_http_client_send(client, &call, NULL, NULL), 0);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_TLS);
	stop_all();
}
END_TEST

START_TEST(cancelled_request_is_told_once)
{
	uint64_t id;

	start_with(NULL);
	id = send_one("/never", (struct ch_http_call){.timeout_ms = 60000});
	ch_http_client_cancel(client, id);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_CANCELLED);
	ch_http_client_cancel(client, id);
	ck_assert_uint_eq(ch_http_client_in_flight(client), 0);
	stop_all();
	ck_assert_int_eq(atomic_load(&done_count), 1);
}
END_TEST

START_TEST(free_tells_what_was_open)
{
	start_with(NULL);
	for (int i = 0; i < 5; i++)
		(void)send_one("/never",
			(struct ch_http_call){.timeout_ms = 60000});
	stop_all();
	ck_assert_int_eq(atomic_load(&done_count), 5);
	ck_assert_int_eq(last.class, CH_HTTP_CANCELLED);
}
END_TEST

START_TEST(in_flight_is_bounded)
{
	struct ch_http_call call = {
		.url = "http://127.0.0.1:1/", .done = on_done};
	struct ch_err err = CH_ERR_INIT;

	start_with(&(struct ch_http_client_options){.max_in_flight = 2});
	(void)send_one("/never", (struct ch_http_call){.timeout_ms = 60000});
	(void)send_one("/never", (struct ch_http_call){.timeout_ms = 60000});
	ck_assert_int_eq(ch_http_client_send(client, &call, NULL, &err),
		CH_EFULL);
	stop_all();
	ck_assert_int_eq(atomic_load(&done_count), 2);
}
END_TEST

START_TEST(guard_refuses_the_address_and_proxy_is_not_used)
{
	ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
	start_with(NULL);
	(void)send_one("/doc", (struct ch_http_call){0});
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	stop_all();
	start_with(&(struct ch_http_client_options){
		.address_ok = ch_http_address_is_public});
	(void)send_one("/doc", (struct ch_http_call){0});
	wait_done(2);
	ck_assert_int_eq(last.class, CH_HTTP_CONNECT);
	ck_assert_str_eq(last_reason, "the address is not allowed");
	stop_all();
}
END_TEST

static void
ask_silent_host(int timeout_ms)
{
	struct ch_http_call call = {.url = "http://" SILENT_HOST "/",
		.timeout_ms = timeout_ms,
		.done = on_done};

	ck_assert_int_eq(ch_http_client_send(client, &call, NULL, NULL), 0);
}

/* The lookup ends after everything else here, or the test has failed. */
START_TEST(lookup_without_end_holds_up_nobody)
{
	start_with(NULL);
	ask_silent_host(100);
	wait_for_lookups(1);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_TIMEOUT);
	(void)send_one("/doc", (struct ch_http_call){0});
	wait_done(2);
	ck_assert_int_eq(last.class, CH_HTTP_OK);
	stop_all();
	answer_lookups();
}
END_TEST

START_TEST(free_does_not_wait_for_a_lookup)
{
	start_with(NULL);
	ask_silent_host(60000);
	wait_for_lookups(1);
	stop_all();
	ck_assert_int_eq(atomic_load(&done_count), 1);
	ck_assert_int_eq(last.class, CH_HTTP_CANCELLED);
	answer_lookups();
}
END_TEST

START_TEST(cancel_does_not_wait_for_a_lookup)
{
	start_with(NULL);
	ask_silent_host(60000);
	wait_for_lookups(1);
	ch_http_client_cancel(client, 1);
	wait_done(1);
	ck_assert_int_eq(last.class, CH_HTTP_CANCELLED);
	stop_all();
	answer_lookups();
}
END_TEST

static const char *const bad_urls[] = {"", "file:///etc/passwd",
	"ftp://127.0.0.1/", "http://h/a b", "//h/", "gopher://h/"};

START_TEST(bad_url_is_refused_at_once)
{
	struct ch_http_call call = {.url = bad_urls[_i], .done = on_done};

	start_with(NULL);
	ck_assert_int_eq(ch_http_client_send(client, &call, NULL, NULL),
		CH_EINVAL);
	stop_all();
	ck_assert_int_eq(atomic_load(&done_count), 0);
}
END_TEST

static const struct {
	const char *address;
	bool public;
} addresses[] = {
	{"8.8.8.8", true},
	{"1.1.1.1", true},
	{"172.32.0.1", true},
	{"127.0.0.1", false},
	{"127.255.255.255", false},
	{"10.1.2.3", false},
	{"172.16.0.1", false},
	{"172.31.255.255", false},
	{"192.168.1.1", false},
	{"169.254.169.254", false},
	{"100.64.0.1", false},
	{"0.0.0.0", false},
	{"224.0.0.1", false},
	{"255.255.255.255", false},
	{"198.18.0.1", false},
	{"2606:4700:4700::1111", true},
	{"::1", false},
	{"::", false},
	{"fe80::1", false},
	{"fc00::1", false},
	{"fd12::1", false},
	{"ff02::1", false},
	{"::ffff:127.0.0.1", false},
	{"::ffff:8.8.8.8", true},
	{"64:ff9b::7f00:1", false},
	{"2002:7f00:1::", false},
	{"2001:db8::1", false},
};

START_TEST(address_is_public_or_not)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	const char *a = addresses[_i].address;
	bool is6 = strchr(a, ':') != NULL;

	ck_assert_int_eq(is6 ? inet_pton(AF_INET6, a, &six.sin6_addr)
			     : inet_pton(AF_INET, a, &four.sin_addr),
		1);
	ck_assert_msg(ch_http_address_is_public(NULL,
			      is6 ? (struct sockaddr *)&six
				  : (struct sockaddr *)&four,
			      is6 ? sizeof(six) : sizeof(four)) ==
			addresses[_i].public,
		"%s", a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_client");
	TCase *t = tcase_create("http_client");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 90);
	tcase_add_test(t, answer_has_status_body_type_etag_and_clamped_retry);
	tcase_add_test(t, post_sends_its_body);
	tcase_add_test(t, redirect_is_not_followed);
	tcase_add_test(t, slow_answer_is_a_timeout);
	tcase_add_test(t, large_body_is_cut_off);
	tcase_add_test(t, large_body_is_cut_where_asked);
	tcase_add_test(t, headers_without_end_are_cut_off);
	tcase_add_loop_test(t, an_answer_without_a_status_line_is_protocol, 0,
		sizeof(no_status_lines) / sizeof(no_status_lines[0]));
	tcase_add_loop_test(t, a_retry_after_that_is_none_counts_as_missing, 0,
		sizeof(retry_afters) / sizeof(*retry_afters));
	tcase_add_test(t, refused_connection_and_unknown_name_are_connect);
	tcase_add_test(t, connection_cut_without_an_answer_is_protocol);
	tcase_add_test(t, peer_that_speaks_no_tls_is_tls);
	tcase_add_test(t, cancelled_request_is_told_once);
	tcase_add_test(t, free_tells_what_was_open);
	tcase_add_test(t, in_flight_is_bounded);
	tcase_add_test(t, guard_refuses_the_address_and_proxy_is_not_used);
	tcase_add_test(t, lookup_without_end_holds_up_nobody);
	tcase_add_test(t, free_does_not_wait_for_a_lookup);
	tcase_add_test(t, cancel_does_not_wait_for_a_lookup);
	tcase_add_loop_test(t, bad_url_is_refused_at_once, 0,
		sizeof(bad_urls) / sizeof(bad_urls[0]));
	tcase_add_loop_test(t, address_is_public_or_not, 0,
		sizeof(addresses) / sizeof(addresses[0]));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
