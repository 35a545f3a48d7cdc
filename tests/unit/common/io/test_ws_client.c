/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_client against a stub server that fails in every way that a real one has:
 * each attempt ends with exactly one closed(), with its cause.
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/ws_client.h"
#include "ws_stub.h"

#define WAIT_MS 30000
#define CONNECT_MS 25000 /* of an attempt that is not to end by it */

struct seen {
	pthread_mutex_t mu;
	pthread_cond_t cond;
	int opened, closed, messages;
	struct ch_ws_closed end;
	char reason[300];
	char first[20000];
	size_t first_len;
	char last[64];
	struct ch_ws_client *again; /* connect again from closed() */
};

static struct ch_net *net;
static struct seen seen;

static void
on_opened(void *ctx)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->mu);
	s->opened++;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->mu);
}

static void
on_message(void *ctx, struct ch_view text)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->mu);
	if (s->messages++ == 0) {
		s->first_len = text.len;
		(void)ch_view_copy(text, s->first, sizeof(s->first));
	}
	(void)ch_view_copy(text, s->last, sizeof(s->last));
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->mu);
}

static void
on_closed(void *ctx, const struct ch_ws_closed *why)
{
	struct seen *s = ctx;

	pthread_mutex_lock(&s->mu);
	s->closed++;
	s->end = *why;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", why->reason);
	if (s->again != NULL)
		(void)ch_ws_client_connect(s->again);
	s->again = NULL;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->mu);
}

/* Waits until *counter >= want, or fails the test. */
static void
wait_for(const int *counter, int want, const char *what)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&seen.mu);
	while (*counter < want && rc == 0)
		rc = pthread_cond_timedwait(&seen.cond, &seen.mu, &until);
	pthread_mutex_unlock(&seen.mu);
	ck_assert_msg(rc == 0, "no %s within %d ms", what, WAIT_MS);
}

static struct ch_ws_client *
client_for(const char *url, int connect_ms)
{
	struct ch_ws_client_options opt = {.url = url,
		.connect_timeout_ms = connect_ms,
		.max_message = 65536,
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.ctx = &seen};
	struct ch_ws_client *c = NULL;
	struct ch_err err = CH_ERR_INIT;

	ck_assert_msg(ch_ws_client_new(&c, net, &opt, &err) == 0, "%s",
		err.text);
	return c;
}

static struct ch_ws_client *
client_at(int port, int connect_ms)
{
	char url[64];

	(void)snprintf(url, sizeof(url), "ws://127.0.0.1:%d/ws/x?y=z", port);
	return client_for(url, connect_ms);
}

static void
setup(void)
{
	struct ch_err err = CH_ERR_INIT;

	memset(&seen, 0, sizeof(seen));
	pthread_mutex_init(&seen.mu, NULL);
	pthread_cond_init(&seen.cond, NULL);
	ck_assert_int_eq(ch_net_start(&net, NULL, &err), 0);
}

static void
teardown(void)
{
	ch_net_stop(net);
}

/* Runs one attempt against a stub and stops at its closed(). */
static void
run(enum ws_stub_mode mode, int connect_ms)
{
	struct ws_stub *stub = ws_stub_start(mode);
	struct ch_ws_client *c = client_at(ws_stub_port(stub), connect_ms);

	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.closed, 1, "closed()");
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
	ws_stub_stop(stub);
}

START_TEST(refused_port_is_told_once)
{
	/* nobody listens on port 1, and no client's socket sits there */
	struct ch_ws_client *c = client_at(1, CONNECT_MS);

	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.closed, 1, "closed()");
	ck_assert_int_eq(seen.end.code, CH_EIO);
	ck_assert(!seen.end.was_open);
	ck_assert_int_eq(seen.end.http_status, 0);
	ck_assert_str_ne(seen.reason, "");
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
}
END_TEST

START_TEST(unknown_name_is_told_once)
{
	struct ch_ws_client *c =
		client_for("ws://localhost.invalid/x", CONNECT_MS);

	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.closed, 1, "closed()");
	ck_assert_int_eq(seen.end.code, CH_EIO);
	ck_assert_ptr_nonnull(strstr(seen.reason, "localhost.invalid"));
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
}
END_TEST

START_TEST(silent_server_ends_at_the_deadline)
{
	run(WS_STUB_SILENT, 300);
	ck_assert_int_eq(seen.end.code, CH_ETIMEOUT);
	ck_assert_ptr_nonnull(strstr(seen.reason, "300 ms"));
}
END_TEST

START_TEST(upgrade_answered_429_tells_status_and_retry_after)
{
	run(WS_STUB_TOO_MANY, CONNECT_MS);
	ck_assert_int_eq(seen.end.http_status, 429);
	ck_assert_int_eq(seen.end.retry_after_s, 7);
	ck_assert_int_eq(seen.end.code, CH_EPROTO);
	ck_assert_int_eq(seen.opened, 0);
}
END_TEST

START_TEST(close_before_the_answer_is_told_once)
{
	run(WS_STUB_CLOSE_FIRST, CONNECT_MS);
	ck_assert_int_eq(seen.opened, 0);
	ck_assert_int_eq(seen.end.code, CH_EIO);
}
END_TEST

START_TEST(garbage_instead_of_http_is_told_once)
{
	run(WS_STUB_GARBAGE, 1000);
	ck_assert_int_eq(seen.opened, 0);
	ck_assert(!seen.end.was_open);
}
END_TEST

START_TEST(drop_after_open_is_told_once)
{
	run(WS_STUB_DROP, CONNECT_MS);
	ck_assert_int_eq(seen.opened, 1);
	ck_assert(seen.end.was_open);
	ck_assert_int_eq(seen.end.code, CH_ECLOSED);
	ck_assert_str_eq(seen.first, "hello");
}
END_TEST

START_TEST(close_frame_tells_its_code)
{
	run(WS_STUB_CLOSE_FRAME, CONNECT_MS);
	ck_assert_int_eq(seen.end.close_code, 1001);
	ck_assert(seen.end.was_open);
}
END_TEST

START_TEST(fragments_with_a_ping_between_are_one_message)
{
	struct ws_stub *stub = ws_stub_start(WS_STUB_FRAGMENTS);
	struct ch_ws_client *c = client_at(ws_stub_port(stub), CONNECT_MS);

	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.messages, 2, "second message");
	ck_assert_uint_eq(seen.first_len, 12000);
	for (size_t i = 0; i < 12000; i++)
		ck_assert_int_eq(seen.first[i], "abc"[i / 4000]);
	ck_assert_str_eq(seen.last, "end");
	ck_assert_int_eq(seen.messages, 2);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
	ws_stub_stop(stub);
}
END_TEST

START_TEST(message_over_the_cap_ends_the_connection)
{
	run(WS_STUB_HUGE, CONNECT_MS);
	ck_assert_int_eq(seen.messages, 0);
	ck_assert_int_eq(seen.end.code, CH_EPROTO);
}
END_TEST

/* libwebsockets 4.3.5 fills its receive buffer past the end when the callback
 * asks for a close with -1 and the peer goes on: megabytes of that hit memory
 * that is not there, with or without a sanitizer. */
START_TEST(a_peer_that_goes_on_over_the_cap_writes_nothing)
{
	run(WS_STUB_FLOOD, CONNECT_MS);
	ck_assert_int_eq(seen.opened, 1);
	ck_assert_int_eq(seen.messages, 0);
	ck_assert_int_eq(seen.end.code, CH_EPROTO);
	ck_assert_str_eq(seen.reason, "message over max_message");
}
END_TEST

/* The same peer with bytes that are no UTF-8: libwebsockets' own check must
 * stay off, for it leaves the buffer full in the same way. */
START_TEST(a_peer_that_floods_with_no_utf8_writes_nothing)
{
	run(WS_STUB_FLOOD_FF, CONNECT_MS);
	ck_assert_int_eq(seen.messages, 0);
	ck_assert_int_eq(seen.end.code, CH_EPROTO);
}
END_TEST

START_TEST(sent_text_comes_back_and_close_is_told)
{
	struct ws_stub *stub = ws_stub_start(WS_STUB_ECHO);
	struct ch_ws_client *c = client_at(ws_stub_port(stub), CONNECT_MS);

	ck_assert_int_eq(ch_ws_client_send(c, CH_VIEW("early")), CH_ECLOSED);
	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.opened, 1, "opened()");
	for (int i = 1; i <= 20; i++)
		ck_assert_int_eq(ch_ws_client_send(c, CH_VIEW("PING")), 0);
	wait_for(&seen.messages, 20, "echo");
	ck_assert_str_eq(seen.last, "PING");
	ch_ws_client_close(c);
	wait_for(&seen.closed, 1, "closed()");
	ck_assert_int_eq(seen.end.code, CH_ECLOSED);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
	ws_stub_stop(stub);
}
END_TEST

START_TEST(connect_from_closed_is_a_new_attempt)
{
	struct ws_stub *stub = ws_stub_start(WS_STUB_DROP);
	struct ch_ws_client *c = client_at(ws_stub_port(stub), CONNECT_MS);

	seen.again = c;
	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.closed, 2, "second closed()");
	ck_assert_int_eq(seen.opened, 2);
	ck_assert_int_eq(ws_stub_accepted(stub), 2);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 2);
	ws_stub_stop(stub);
}
END_TEST

START_TEST(free_while_resolving_or_connecting_tells_closed)
{
	struct ws_stub *stub = ws_stub_start(WS_STUB_SILENT);
	struct ch_ws_client *c = client_at(ws_stub_port(stub), CONNECT_MS);

	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
	c = client_for("ws://localhost.invalid/x", CONNECT_MS);
	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 2);
	ws_stub_stop(stub);
}
END_TEST

START_TEST(untrusted_or_no_tls_is_refused)
{
	struct ws_stub *stub = ws_stub_start(WS_STUB_GARBAGE);
	struct ch_ws_client *c;
	char url[64];

	(void)snprintf(url, sizeof(url), "wss://127.0.0.1:%d/",
		ws_stub_port(stub));
	c = client_for(url, 1500); /* maybe by that, for it says nothing */
	ck_assert_int_eq(ch_ws_client_connect(c), 0);
	wait_for(&seen.closed, 1, "closed()");
	ck_assert_int_eq(seen.opened, 0);
	ch_ws_client_free(c);
	ck_assert_int_eq(seen.closed, 1);
	ws_stub_stop(stub);
}
END_TEST

static const char *const bad_urls[] = {"", "http://x/", "ws://", "ws:///x",
	"ws://u:p@host/", "ws://h:0/", "ws://h:65536/", "ws://h:x/",
	"ws://[::1/", "ws://:80/"};

START_TEST(bad_url_is_refused)
{
	struct ch_ws_client_options opt = {.url = bad_urls[_i]};
	struct ch_ws_client *c = NULL;
	struct ch_err err = CH_ERR_INIT;

	ck_assert_int_eq(ch_ws_client_new(&c, net, &opt, &err), CH_EINVAL);
	ck_assert_ptr_null(c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ws_client");
	TCase *t = tcase_create("ws_client");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 90);
	tcase_add_test(t, refused_port_is_told_once);
	tcase_add_test(t, unknown_name_is_told_once);
	tcase_add_test(t, silent_server_ends_at_the_deadline);
	tcase_add_test(t, upgrade_answered_429_tells_status_and_retry_after);
	tcase_add_test(t, close_before_the_answer_is_told_once);
	tcase_add_test(t, garbage_instead_of_http_is_told_once);
	tcase_add_test(t, drop_after_open_is_told_once);
	tcase_add_test(t, close_frame_tells_its_code);
	tcase_add_test(t, fragments_with_a_ping_between_are_one_message);
	tcase_add_test(t, message_over_the_cap_ends_the_connection);
	tcase_add_test(t, a_peer_that_goes_on_over_the_cap_writes_nothing);
	tcase_add_test(t, a_peer_that_floods_with_no_utf8_writes_nothing);
	tcase_add_test(t, sent_text_comes_back_and_close_is_told);
	tcase_add_test(t, connect_from_closed_is_a_new_attempt);
	tcase_add_test(t, free_while_resolving_or_connecting_tells_closed);
	tcase_add_test(t, untrusted_or_no_tls_is_refused);
	tcase_add_loop_test(t, bad_url_is_refused, 0,
		sizeof(bad_urls) / sizeof(bad_urls[0]));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
