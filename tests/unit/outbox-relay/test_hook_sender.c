/* SPDX-License-Identifier: Apache-2.0 */
/* hook_sender: against a server of our own, verdict by verdict. */
#include "check_suite.h"

#include <poll.h>
#include <string.h>

#include "hook_sender.h"
#include "io/http_server.h"

#define WAIT_MS 20000

static struct ch_net *net;
static struct ch_http_server *server;
static struct endpoints endpoints;
static struct hook_sender *sender;
static struct ch_mono now;
static struct ch_time wall = {INT64_C(1000000000)};

static void
reply(struct ch_http_req *req, int status, const char *retry_after)
{
	struct ch_http_header headers[] = {
		{"retry-after", ch_view_of(retry_after)}, {NULL, {NULL, 0}}};

	ch_http_reply(req,
		&(struct ch_http_response){.status = status,
			.headers = retry_after != NULL ? headers : NULL,
			.body = CH_VIEW("said")});
}

static void
post_ok(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	reply(req, 200, NULL);
}

static void
post_gone(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	reply(req, 410, NULL);
}

static void
post_fails(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	reply(req, 500, "7");
}

static void
post_busy(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	reply(req, 429, "7");
}

static void
post_never(struct ch_http_req *req, void *ctx)
{
	(void)ctx;
	(void)ch_http_req_defer(req);
}

/* Keys from 66 on have a bad body. */
static void
post_bad_or_good(struct ch_http_req *req, void *ctx)
{
	struct ch_view body = ch_http_req_body(req);

	(void)ctx;
	reply(req, memchr(body.ptr, 'B', body.len) != NULL ? 503 : 200, NULL);
}

static const struct ch_http_route routes[] = {
	{CH_HTTP_POST, "/ok", post_ok, NULL},
	{CH_HTTP_POST, "/gone", post_gone, NULL},
	{CH_HTTP_POST, "/fails", post_fails, NULL},
	{CH_HTTP_POST, "/busy", post_busy, NULL},
	{CH_HTTP_POST, "/bad-or-good", post_bad_or_good, NULL},
	{CH_HTTP_POST, "/never", post_never, NULL},
	{CH_HTTP_POST, NULL, NULL, NULL}};

static void
set_up(void)
{
	struct ch_http_server_options so = {
		.listen = "127.0.0.1:0", .routes = routes};

	ck_assert_int_eq(ch_net_start(&net, NULL, NULL), 0);
	ck_assert_int_eq(ch_http_server_start(&server, net, &so, NULL), 0);
	now = ch_clock_mono(&ch_clock_real);
}

static void
tear_down(void)
{
	hook_sender_close(sender);
	endpoints_free(&endpoints);
	ch_http_server_stop(server);
	ch_net_stop(net);
}

/* One endpoint at this path, with more keys of its section. */
static void
open_at(const char *path, const char *more)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;

	ch_buf_printf(&text,
		"[a]\nurl = http://127.0.0.1:%d%s\nallow_http = true\n"
		"sign = false\nattempts = 2\nbackoff = 10ms\n"
		"backoff_max = 3s\n%s",
		ch_http_server_port(server), path, more);
	ck_assert_msg(endpoints_parse(ch_buf_view(&text), "e", &endpoints,
			      &err) == CH_OK,
		"%s", err.text);
	sender = hook_sender_open(&endpoints, NULL, &err);
	ck_assert_msg(sender != NULL, "%s", err.text);
	ch_buf_free(&text);
}

static void
send_refused(int key, int32_t attempts, struct ch_time refused_at,
	struct ch_time quota_since)
{
	struct hook_flight *f = hook_sender_take(sender, 0);

	f->delivery = (struct hook_delivery){.id = key,
		.event_id = CH_VIEW("e"),
		.webhook_id = CH_VIEW("e"),
		.type = CH_VIEW("t"),
		.body = key < 66 ? CH_VIEW("{}") : CH_VIEW("\"B\""),
		.attempts = attempts,
		.refused_at = refused_at,
		.quota_since = quota_since};
	f->delivery.key_digest[0] = (uint8_t)key;
	hook_sender_send(sender, f, now, (struct ch_time){0});
}

static void
send_one(int key, int32_t attempts)
{
	send_refused(key, attempts, (struct ch_time){0}, (struct ch_time){0});
}

static struct hook_flight *
next_one(void)
{
	struct ch_mono start = ch_clock_mono(&ch_clock_real);
	struct hook_flight *f;

	while ((f = hook_sender_next(sender, now, wall)) == NULL) {
		struct pollfd fd = {hook_sender_fd(sender), POLLIN, 0};

		ck_assert_msg(ch_mono_ms_since(ch_clock_mono(&ch_clock_real),
				      start) < WAIT_MS,
			"no answer");
		(void)poll(&fd, 1, 100);
	}
	return f;
}

#define INNER "allow_private = true\n"

START_TEST(each_answer_has_its_verdict)
{
	static const struct {
		const char *path;
		int32_t attempts;
		enum hook_verdict want;
		enum failure failure;
	} rows[] = {{"/ok", 0, HOOK_DONE, FAILURE_NONE},
		{"/gone", 0, HOOK_BURY, FAILURE_PERMANENT},
		{"/fails", 0, HOOK_AGAIN, FAILURE_TRANSIENT},
		{"/fails", 1, HOOK_BURY, FAILURE_TRANSIENT},
		{"/busy", 1, HOOK_LATER, FAILURE_QUOTA}};
	struct hook_flight *f;

	open_at(rows[_i].path, INNER);
	send_one(1, rows[_i].attempts);
	f = next_one();
	ck_assert_int_eq((int)f->verdict, (int)rows[_i].want);
	ck_assert_int_eq((int)f->failure, (int)rows[_i].failure);
	ck_assert(ch_view_eq_str(ch_buf_view(&f->response), "said"));
	if (f->verdict == HOOK_AGAIN) /* 7 s were asked, 3 s are the most */
		ck_assert_int_eq(f->wait_ms, 3000);
	hook_sender_done(sender, f);
	ck_assert_uint_eq(hook_sender_in_hand(sender), 0);
}
END_TEST

START_TEST(a_quota_pauses_for_the_time_named)
{
	open_at("/busy", INNER);
	send_one(1, 0);
	hook_sender_done(sender, next_one());
	ck_assert_uint_eq(hook_sender_room(sender, 0, now), 0);
	ck_assert_int_ge(hook_sender_opens_ms(sender, 0, now), 6999);
	now.ns += INT64_C(7001000000);
	ck_assert_uint_eq(hook_sender_room(sender, 0, now), 1);
	send_one(1, 0);
	ck_assert_uint_eq(hook_sender_room(sender, 0, now), 0);
}
END_TEST

START_TEST(no_more_are_in_hand_than_allowed_and_their_keys_are_told)
{
	struct ch_pg_array busy;
	int i;

	open_at("/never", INNER "concurrency = 3\n");
	for (i = 1; i <= 3; i++) {
		ck_assert_uint_eq(hook_sender_room(sender, 0, now),
			(size_t)(4 - i));
		send_one(i, 0);
	}
	ck_assert_uint_eq(hook_sender_room(sender, 0, now), 0);
	ch_pg_array_init(&busy, CH_PG_BYTEA_ARRAY);
	hook_sender_busy(sender, 0, &busy);
	ck_assert_int_eq(busy.count, 3);
	ch_pg_array_free(&busy);
	/* tear_down() ends what is under way */
}
END_TEST

START_TEST(timeouts_of_a_dead_target_open_the_breaker)
{
	struct hook_flight *f;
	int i;

	open_at("/never", INNER "timeout = 100ms\n");
	for (i = 0; i < 3; i++) {
		send_one(1, 0);
		f = next_one();
		ck_assert_int_eq((int)f->verdict, HOOK_LATER);
		ck_assert_int_eq((int)f->failure, FAILURE_OUTAGE);
		hook_sender_done(sender, f);
	}
	ck_assert_int_eq((int)hook_sender_breaker(sender, 0), CH_BREAKER_OPEN);
	ck_assert_uint_eq(hook_sender_room(sender, 0, now), 0);
}
END_TEST

static enum hook_verdict
verdict_of(int key, int64_t refused_at, int64_t quota_since)
{
	struct hook_flight *f;
	enum hook_verdict found;

	now.ns += INT64_C(400000000000); /* no breaker is open so long */
	send_refused(key, 0, (struct ch_time){refused_at},
		(struct ch_time){quota_since});
	f = next_one();
	found = f->verdict;
	hook_sender_done(sender, f);
	return found;
}

START_TEST(a_quota_ends_after_quota_max)
{
	int64_t second = 1000000;

	open_at("/busy", INNER "quota_max = 10s\n");
	ck_assert_int_eq(verdict_of(1, 0, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(1, wall.us, wall.us - 10 * second + 1),
		HOOK_LATER);
	ck_assert_int_eq(verdict_of(1, wall.us, wall.us - 10 * second),
		HOOK_BURY);
}
END_TEST

START_TEST(who_is_refused_while_others_are_taken_spends_attempts)
{
	int64_t before = wall.us - 1;

	open_at("/bad-or-good", INNER);
	ck_assert_int_eq(verdict_of(66, 0, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(66, before, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(1, 0, 0), HOOK_DONE);
	/* it was not refused before, or not before the other was taken */
	ck_assert_int_eq(verdict_of(67, 0, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(1, 0, 0), HOOK_DONE);
	ck_assert_int_eq(verdict_of(67, wall.us, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(1, 0, 0), HOOK_DONE);
	ck_assert_int_eq(verdict_of(67, before, 0), HOOK_AGAIN);
	/* that says nothing of the target: the last word stands */
	ck_assert_int_eq(verdict_of(68, before, 0), HOOK_AGAIN);
	/* an outage of one that is new does */
	ck_assert_int_eq(verdict_of(69, 0, 0), HOOK_LATER);
	ck_assert_int_eq(verdict_of(68, before, 0), HOOK_LATER);
}
END_TEST

START_TEST(a_private_address_is_not_connected_to)
{
	struct hook_flight *f;

	open_at("/ok", "");
	send_one(1, 0);
	f = next_one();
	ck_assert_int_eq((int)f->verdict, HOOK_LATER);
	ck_assert_int_eq((int)f->class, CH_HTTP_CONNECT);
	ck_assert_str_eq(f->reason, "the address is not allowed");
	hook_sender_done(sender, f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hook_sender");
	TCase *cases = tcase_create("hook_sender");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(cases, SUITE_TEST_SECONDS);
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_loop_test(cases, each_answer_has_its_verdict, 0, 5);
	tcase_add_test(cases, a_quota_pauses_for_the_time_named);
	tcase_add_test(cases,
		no_more_are_in_hand_than_allowed_and_their_keys_are_told);
	tcase_add_test(cases, timeouts_of_a_dead_target_open_the_breaker);
	tcase_add_test(cases, a_private_address_is_not_connected_to);
	tcase_add_test(cases, a_quota_ends_after_quota_max);
	tcase_add_test(cases,
		who_is_refused_while_others_are_taken_spends_attempts);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
