/* SPDX-License-Identifier: Apache-2.0 */
/* What a webhook is made of: signature, body, headers, what answers mean. */
#include "check_suite.h"

#include "failure.h"
#include "hook_request.h"
#include "signature.h"
#include "template.h"

static struct signature_key
key_of(const char *text)
{
	struct ch_err err = CH_ERR_INIT;
	struct signature_key key;

	ck_assert_msg(signature_key_read(ch_view_of(text), &key, &err) == CH_OK,
		"%s", err.text);
	return key;
}

/* Of the specification's own libraries. */
#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNED "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

START_TEST(the_published_vector_is_signed_as_published)
{
	struct signature_key keys[2] = {
		key_of(KEY), key_of("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")};
	struct ch_view id = CH_VIEW("msg_p5jXN8AQM9LWM0D4loKWxJek");
	struct ch_view body = CH_VIEW("{\"test\": 2432232314}");
	struct ch_buf out = CH_BUF_INIT;

	signature_add(&out, keys, 1, id, 1614265330, body);
	ck_assert_str_eq(ch_buf_str(&out), SIGNED);
	ch_buf_clear(&out);
	signature_add(&out, keys, 2, id, 1614265330, body);
	ck_assert(ch_view_starts(ch_buf_view(&out), CH_VIEW(SIGNED " v1,")));
	ck_assert_uint_eq(out.len, 2 * strlen(SIGNED) + 1);
	ch_buf_free(&out);
}
END_TEST

START_TEST(what_is_no_key_is_refused_without_being_repeated)
{
	static const char *const wrong[] = {"", "whsec_", "MfKQ9r8GKYqrTwjU",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_c2hvcnQ=",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw extra",
		"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
	struct signature_key key;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		struct ch_err err = CH_ERR_INIT;

		ck_assert_int_eq(signature_key_read(ch_view_of(wrong[i]), &key,
					 &err),
			CH_EINVAL);
		ck_assert_ptr_null(strstr(err.text, "MfKQ"));
	}
}
END_TEST

/* ---- templates ---- */

static void
expect_filled(const char *text, const char *payload, const char *want)
{
	struct ch_err err = CH_ERR_INIT;
	struct template *t = template_new(ch_view_of(text), &err);
	struct template_event e = {.id = CH_VIEW("i-1"),
		.type = CH_VIEW("break.found"),
		.aggregatetype = CH_VIEW("fleet.alerts"),
		.key = CH_VIEW("k\"1"),
		.time = CH_VIEW("2026-11-29T00:00:00Z"),
		.payload = ch_view_of(payload)};
	struct ch_buf out = CH_BUF_INIT;

	ck_assert_msg(t != NULL, "%s", err.text);
	template_fill(t, &e, &out);
	ck_assert_str_eq(ch_buf_str(&out), want);
	ch_buf_free(&out);
	template_free(t);
}

START_TEST(a_template_is_filled_and_nothing_breaks_out_of_it)
{
	expect_filled("{\"text\": \"{{alert}} {{ detail.n }}\"}",
		"{\"alert\": \"a\\\"b\\n\", \"detail\": {\"n\": 1.50}}",
		"{\"text\": \"a\\\"b\\n 1.50\"}");
	expect_filled("{\"a\":\"{{$id}} {{$type}} {{$key}} {{$time}}\"}", "x",
		"{\"a\":\"i-1 break.found k\\\"1 2026-11-29T00:00:00Z\"}");
	expect_filled("{\"a\":\"{{detail}}|{{none}}|{{detail.x.y}}\"}",
		"{\"detail\": {\"q\": \"{{alert}}\"}}",
		"{\"a\":\"{\\\"q\\\": \\\"{{alert}}\\\"}||\"}");
	expect_filled("{\"a\":\"{{$payload}}\"}", "no \"JSON\"",
		"{\"a\":\"no \\\"JSON\\\"\"}");
	expect_filled("{\"a\":\"{{x}}\"}", "no JSON", "{\"a\":\"\"}");
}
END_TEST

START_TEST(a_template_with_a_mistake_is_refused)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {{"{\"a\":\"{{alert\"}", "byte 6"},
		{"{\"a\":\"{{$nobody}}\"}", "$aggregatetype"},
		{"{\"a\":\"{{}}\"}", "neither a field"},
		{"{\"a\":{{alert}}}", "between quotes"}, {"plain", "no JSON"}};
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		struct ch_err err = CH_ERR_INIT;

		ck_assert_ptr_null(template_new(ch_view_of(wrong[i].text),
			&err));
		ck_assert_msg(strstr(err.text, wrong[i].said) != NULL, "%s: %s",
			wrong[i].text, err.text);
	}
}
END_TEST

/* ---- requests ---- */

static bool
has_header(const struct hook_request *r, const char *line)
{
	size_t i;

	for (i = 0; r->headers[i] != NULL; i++)
		if (strcmp(r->headers[i], line) == 0)
			return true;
	return false;
}

static void
build(struct endpoint *e, struct hook_delivery *d, struct ch_arena *arena,
	struct hook_request *out)
{
	static char type[] = "application/json", extra[] = "Authorization: k";

	e->content_type = type;
	e->headers[0] = extra;
	hook_request_of(e, d, (struct ch_time){1614265330 * INT64_C(1000000)},
		arena, out);
}

START_TEST(a_request_is_signed_over_what_is_sent)
{
	struct endpoint e = {.body = ENDPOINT_PAYLOAD,
		.keys = {key_of(KEY)},
		.key_count = 1};
	struct hook_delivery d = {
		.webhook_id = CH_VIEW("msg_p5jXN8AQM9LWM0D4loKWxJek"),
		.type = CH_VIEW("order.paid"),
		.body = CH_VIEW("{\"test\": 2432232314}")};
	struct ch_arena arena = CH_ARENA_INIT;
	struct hook_request r;

	build(&e, &d, &arena, &r);
	ck_assert(ch_view_eq(r.body, d.body));
	ck_assert(has_header(&r, "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek"));
	ck_assert(has_header(&r, "webhook-timestamp: 1614265330"));
	ck_assert(has_header(&r, "webhook-signature: " SIGNED));
	ck_assert(has_header(&r, "webhook-event-type: order.paid"));
	ck_assert(has_header(&r, "Content-Type: application/json"));
	ck_assert(has_header(&r, "Authorization: k"));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(the_standard_body_says_type_time_and_data)
{
	static const struct {
		const char *payload, *want;
	} rows[] = {{"{\"a\": 1}",
			    "{\"type\":\"t\",\"timestamp\":"
			    "\"1970-01-01T00:00:00.000000Z\",\"data\":"
			    "{\"a\": 1}}"},
		{"not \"JSON\"",
			"{\"type\":\"t\",\"timestamp\":"
			"\"1970-01-01T00:00:00.000000Z\",\"data\":"
			"\"not \\\"JSON\\\"\"}"},
		{NULL,
			"{\"type\":\"t\",\"timestamp\":"
			"\"1970-01-01T00:00:00.000000Z\",\"data\":null}"}};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct endpoint e = {.body = ENDPOINT_STANDARD};
		struct hook_delivery d = {.webhook_id = CH_VIEW("1"),
			.type = CH_VIEW("t"),
			.body = ch_view_of(rows[i].payload)};
		struct ch_arena arena = CH_ARENA_INIT;
		struct hook_request r;

		build(&e, &d, &arena, &r);
		ck_assert_msg(ch_view_eq_str(r.body, rows[i].want), "%.*s",
			CH_VIEW_ARG(r.body));
		ch_arena_free(&arena);
	}
}
END_TEST

START_TEST(an_id_with_a_full_stop_is_signed_as_its_digest)
{
	/* else "a" at 1614265330 of "1.x" could be told as "a.1614265330" at 1
	 * of "x" */
	struct endpoint e = {.body = ENDPOINT_PAYLOAD,
		.keys = {key_of(KEY)},
		.key_count = 1};
	struct hook_delivery d = {.webhook_id = CH_VIEW("a.1"),
		.type = CH_VIEW("t"),
		.body = CH_VIEW("x")};
	struct ch_arena arena = CH_ARENA_INIT;
	struct hook_request r;

	build(&e, &d, &arena, &r);
	ck_assert(has_header(&r,
		"webhook-id: "
		"4a5f06ec672e3c2321239ec81dd50afa"
		"8a8059e0a55fb93607ac1e43a2bae990"));
	ch_arena_free(&arena);
}
END_TEST

/* More than base/json.h reads: deep, long, a name twice, half a pair. */
START_TEST(any_json_of_postgres_stands_in_the_body_as_it_is)
{
	struct ch_buf deep = CH_BUF_INIT, numbers = CH_BUF_INIT;
	struct endpoint e = {.body = ENDPOINT_STANDARD};
	struct ch_arena arena = CH_ARENA_INIT;
	struct hook_request r;
	size_t i;

	for (i = 0; i < 5000; i++)
		ch_buf_adds(&deep, i % 2 == 0 ? "[" : "{\"a\": ");
	ch_buf_addc(&deep, '1');
	for (i = 5000; i-- > 0;)
		ch_buf_adds(&deep, i % 2 == 0 ? "]" : "}");
	ch_buf_addc(&numbers, '[');
	for (i = 0; i < 200000; i++)
		ch_buf_adds(&numbers, "1, ");
	ch_buf_adds(&numbers, "1]");
	const char *const rows[] = {ch_buf_str(&deep), ch_buf_str(&numbers),
		"{\"a\": 1, \"a\": 2}", "\"\\ud800\"", "\"\\u0000\""};

	for (i = 0; i < COUNT(rows); i++) {
		struct hook_delivery d = {.webhook_id = CH_VIEW("1"),
			.type = CH_VIEW("t"),
			.body = ch_view_of(rows[i])};

		build(&e, &d, &arena, &r);
		ck_assert_msg(r.body.len > d.body.len &&
				memcmp(r.body.ptr + r.body.len - d.body.len - 1,
					d.body.ptr, d.body.len) == 0,
			"%.40s", rows[i]);
	}
	ch_arena_free(&arena);
	ch_buf_free(&deep);
	ch_buf_free(&numbers);
}
END_TEST

START_TEST(no_id_or_type_breaks_a_header)
{
	struct endpoint e = {.body = ENDPOINT_STANDARD};
	struct hook_delivery d = {.webhook_id = CH_VIEW("a\r\nX-Evil: 1"),
		.type = CH_VIEW("t\r\nX-Evil: 1"),
		.traceparent = CH_VIEW("0\n")};
	struct ch_arena arena = CH_ARENA_INIT;
	struct hook_request r;
	size_t i;

	build(&e, &d, &arena, &r);
	for (i = 0; r.headers[i] != NULL; i++) {
		ck_assert_ptr_null(strpbrk(r.headers[i], "\r\n"));
		if (strncmp(r.headers[i], "webhook-id: ", 12) == 0)
			ck_assert_uint_eq(strlen(r.headers[i]), 12 + 64);
	}
	ck_assert_uint_eq(i, 4);
	ch_arena_free(&arena);
}
END_TEST

/* ---- what answers mean ---- */

START_TEST(answers_mean_what_the_table_says)
{
	static const struct {
		enum ch_http_class class;
		int status;
		enum failure want;
	} rows[] = {{CH_HTTP_OK, 200, FAILURE_NONE},
		{CH_HTTP_OK, 204, FAILURE_NONE},
		{CH_HTTP_OK, 302, FAILURE_PERMANENT},
		{CH_HTTP_OK, 400, FAILURE_POISON},
		{CH_HTTP_OK, 401, FAILURE_PERMANENT},
		{CH_HTTP_OK, 404, FAILURE_PERMANENT},
		{CH_HTTP_OK, 408, FAILURE_TRANSIENT},
		{CH_HTTP_OK, 410, FAILURE_PERMANENT},
		{CH_HTTP_OK, 413, FAILURE_POISON},
		{CH_HTTP_OK, 422, FAILURE_POISON},
		{CH_HTTP_OK, 429, FAILURE_QUOTA},
		{CH_HTTP_OK, 500, FAILURE_TRANSIENT},
		{CH_HTTP_OK, 501, FAILURE_PERMANENT},
		{CH_HTTP_OK, 502, FAILURE_OUTAGE},
		{CH_HTTP_OK, 503, FAILURE_OUTAGE},
		{CH_HTTP_OK, 599, FAILURE_TRANSIENT},
		{CH_HTTP_OK, 777, FAILURE_TRANSIENT},
		{CH_HTTP_CONNECT, 0, FAILURE_OUTAGE},
		{CH_HTTP_TLS, 0, FAILURE_OUTAGE},
		{CH_HTTP_TIMEOUT, 200, FAILURE_OUTAGE},
		{CH_HTTP_PROTOCOL, 0, FAILURE_OUTAGE},
		{CH_HTTP_PROTOCOL, 200, FAILURE_TRANSIENT},
		{CH_HTTP_OTHER, 0, FAILURE_TRANSIENT},
		{CH_HTTP_TOO_LARGE, 200, FAILURE_TRANSIENT}};
	static const enum failure kafka[] = {[CH_KAFKA_OK] = FAILURE_NONE,
		[CH_KAFKA_TRANSIENT] = FAILURE_TRANSIENT,
		[CH_KAFKA_OUTAGE] = FAILURE_OUTAGE,
		[CH_KAFKA_PERMANENT] = FAILURE_POISON,
		[CH_KAFKA_TOPIC] = FAILURE_PERMANENT,
		[CH_KAFKA_FATAL] = FAILURE_OUTAGE};
	static const struct {
		rd_kafka_resp_err_t code;
		enum failure want;
	} codes[] = {{RD_KAFKA_RESP_ERR_NO_ERROR, FAILURE_NONE},
		{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, FAILURE_POISON},
		{RD_KAFKA_RESP_ERR_INVALID_RECORD, FAILURE_POISON},
		{RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD,
			FAILURE_TRANSIENT},
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, FAILURE_DENIED},
		{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, FAILURE_PERMANENT},
		{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, FAILURE_OUTAGE},
		{RD_KAFKA_RESP_ERR__TRANSPORT, FAILURE_OUTAGE},
		{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, FAILURE_OUTAGE},
		{RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, FAILURE_QUOTA},
		{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, FAILURE_QUOTA},
		{RD_KAFKA_RESP_ERR__QUEUE_FULL, FAILURE_QUOTA},
		{RD_KAFKA_RESP_ERR_UNKNOWN, FAILURE_UNCLEAR},
		{(rd_kafka_resp_err_t)12345, FAILURE_TRANSIENT}};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		ck_assert_msg(failure_of_http(rows[i].class, rows[i].status) ==
				rows[i].want,
			"%d", rows[i].status);
	for (i = 0; i < COUNT(kafka); i++)
		ck_assert_int_eq(
			(int)failure_of_kafka(RD_KAFKA_RESP_ERR__APPLICATION,
				(enum ch_kafka_class)i),
			(int)kafka[i]);
	for (i = 0; i < COUNT(codes); i++)
		ck_assert_msg(failure_of_kafka(codes[i].code,
				      ch_kafka_error_class(codes[i].code)) ==
				codes[i].want,
			"%s", rd_kafka_err2name(codes[i].code));
	ck_assert_str_eq(failure_name(FAILURE_QUOTA), "quota");
}
END_TEST

SUITE_MAIN("webhook", the_published_vector_is_signed_as_published,
	what_is_no_key_is_refused_without_being_repeated,
	a_template_is_filled_and_nothing_breaks_out_of_it,
	a_template_with_a_mistake_is_refused,
	a_request_is_signed_over_what_is_sent,
	the_standard_body_says_type_time_and_data,
	an_id_with_a_full_stop_is_signed_as_its_digest,
	any_json_of_postgres_stands_in_the_body_as_it_is,
	no_id_or_type_breaks_a_header, answers_mean_what_the_table_says)
