/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint: the file of endpoints, what it means, and how it is refused. */
#include "check_suite.h"

#include <stdlib.h>
#include <unistd.h>

#include "endpoint.h"

#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static char folder[] = "/tmp/ch-endpoint-XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert(fputs(text, f) >= 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	put("one", KEY "\n");
	put("two", KEY "\n\n" KEY "\n");
	put("three", KEY "\n" KEY "\n" KEY "\n");
	put("bad", "whsec_short\n");
	put("url", "https://hooks.example/T/secret\n");
	put("headers", "Authorization: GenieKey k\nX-A: b\n");
	put("template", "{\"text\": \"{{alert}}\"}\n");
	put("broken", "{\"text\": {{alert}}}\n");
	put("empty", "\n");
}

static void
tear_down(void)
{
	static const char *const names[] = {"one", "two", "three", "bad", "url",
		"headers", "template", "broken", "empty"};
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		(void)unlink(names[i]);
	(void)rmdir(folder);
}

static struct endpoints
parse(const char *text)
{
	struct ch_err err = CH_ERR_INIT;
	struct endpoints e;

	ck_assert_msg(endpoints_parse(ch_view_of(text), "e.conf", &e, &err) ==
			CH_OK,
		"%s", err.text);
	return e;
}

START_TEST(an_endpoint_has_what_its_section_says_and_defaults)
{
	struct endpoints e = parse("# a comment\n\n[billing]\n"
				   "url = https://billing.example/hooks\n"
				   "aggregatetype = order, payment.*\n"
				   "secret_file = two\r\n"
				   "[chat]\nurl_file = url\nsign = false\n"
				   "header_file = headers\n"
				   "template_file = template\n"
				   "policy = skip\ntimeout = 2s\nattempts = 3\n"
				   "concurrency=64\nbackoff = 10ms\n"
				   "backoff_max = 1m\nallow_private = true\n");
	const struct endpoint *a = &e.items[0], *b = &e.items[1];

	ck_assert_uint_eq(e.count, 2);
	ck_assert_str_eq(a->target, "webhook:billing");
	ck_assert_uint_eq(a->key_count, 2);
	ck_assert(a->blocks && !a->allow_private && !a->allow_http);
	ck_assert_int_eq(a->timeout_ms, 15000);
	ck_assert_int_eq(a->concurrency, 4);
	ck_assert_int_eq((int)a->body, ENDPOINT_STANDARD);
	ck_assert_str_eq(b->url, "https://hooks.example/T/secret");
	ck_assert_str_eq(b->headers[1], "X-A: b");
	ck_assert_ptr_nonnull(b->template);
	ck_assert(!b->blocks && b->allow_private && b->key_count == 0);
	ck_assert_int_eq(b->backoff_max_ms, 60000);
	ck_assert_int_eq(b->attempts, 3);
	endpoints_free(&e);
}
END_TEST

START_TEST(filters_choose_by_both_patterns)
{
	struct endpoints e =
		parse("[a]\nurl = https://a.example\nsign = false\n"
		      "aggregatetype = order, pay*nt.*\n"
		      "type = *.done, x\n");
	static const struct {
		const char *aggregatetype, *type;
		bool want;
	} rows[] = {{"order", "x", true}, {"order", "y", false},
		{"orders", "x", false}, {"payment.card", "a.done", true},
		{"payment.", ".done", true}, {"paynt.", "x", true},
		{"payment", "x", false}, {"", "x", false},
		{"order", "a.done.not", false}, {"order", "a.done.done", true}};
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		ck_assert_msg(endpoint_wants(&e.items[0],
				      ch_view_of(rows[i].aggregatetype),
				      ch_view_of(rows[i].type)) == rows[i].want,
			"%s %s", rows[i].aggregatetype, rows[i].type);
	endpoints_free(&e);
}
END_TEST

START_TEST(a_comma_at_the_end_is_no_pattern)
{
	struct ch_buf text = CH_BUF_INIT;
	struct endpoints e;
	int i;

	ch_buf_adds(&text,
		"[a]\nurl = https://a.example\nsign = false\n"
		"type = x,\naggregatetype = ");
	for (i = 0; i < ENDPOINT_PATTERNS_MAX; i++)
		ch_buf_printf(&text, "t%d,", i);
	ch_buf_addc(&text, '\n');
	e = parse(ch_buf_str(&text));
	ck_assert_str_eq(e.items[0].types[0], "x");
	ck_assert_ptr_null(e.items[0].types[1]);
	ck_assert_str_eq(e.items[0].aggregatetypes[ENDPOINT_PATTERNS_MAX - 1],
		"t31");
	ck_assert_ptr_null(e.items[0].aggregatetypes[ENDPOINT_PATTERNS_MAX]);
	ck_assert(!endpoint_wants(&e.items[0], CH_VIEW("t0"), CH_VIEW("")));
	endpoints_free(&e);
	ch_buf_free(&text);
}
END_TEST

#define GOOD "[a]\nurl = https://a.example\n"

START_TEST(a_mistake_is_refused_with_its_line_and_the_next_step)
{
	static const struct {
		const char *text, *said;
	} rows[] = {{"", "no endpoint"}, {"url = x\n", "e.conf:1"},
		{"[A]\n", "e.conf:1: \"[A]\""}, {"[a\n", "e.conf:1"},
		{"[a]\n[b]\n", "where do its events go"},
		{GOOD, "secret_file = \"\" is missing"},
		{GOOD "secret_file = one\n[a]\n",
			"e.conf:4: [a] is there twice"},
		{GOOD "nobody = 1\n", "e.conf:3: \"nobody\""},
		{GOOD "timeout\n", "neither [name] nor"},
		{GOOD "timeout = \n", "has no value"},
		{GOOD "url = https://b\n", "twice, first in line 2"},
		{GOOD "sign = false\ntimeout = 2h\n", "from e.conf:4"},
		{GOOD "sign = false\nconcurrency = 65\n", "from e.conf:4"},
		{GOOD "sign = false\nattempts = many\n", "\"many\""},
		{GOOD "sign = false\nbackoff = 2h\nbackoff_max = 1h\n", "from"},
		{GOOD "sign = false\npolicy = wait\n", "block|skip"},
		{GOOD "sign = false\nsecret_file = one\n",
			"take one of them out"},
		{GOOD "secret_file = nofile\n", "is no file that is there"},
		{GOOD "secret_file = three\n", "at most two"},
		{GOOD "secret_file = bad\n", "openssl rand"},
		{GOOD "secret_file = empty\n", "is an empty file"},
		{GOOD "sign = false\ntemplate_file = broken\n",
			"between quotes"},
		{GOOD "sign = false\nheader_file = one\n", "Name: value"},
		{"[a]\nurl = http://a.example\nsign = false\n", "allow_http"},
		{"[a]\nurl = ftp://a.example\nsign = false\n", "scheme"},
		{"[a]\nurl = https://u:whsec_short@a.example\nsign = false\n",
			"header_file"},
		{"[a]\nurl = https://a.example:99999/\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://a.example:0/\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://a.example:x/\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://a.example:/\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://?a.example\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://a%2eb/\nsign = false\n", "host or port"},
		{"[a]\nurl = https://a{1,2}.example\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://m\xc3\xbcller.example/\nsign = false\n",
			"host or port"},
		{"[a]\nurl = https://[::1/\nsign = false\n", "host or port"},
		{"[a]\nurl = https://[::1]x/\nsign = false\n", "host or port"},
		{"[a]\nurl_file = bad\nsign = false\n", "holds no URL"}};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct ch_err err = CH_ERR_INIT;
		struct endpoints e;
		int rc = endpoints_parse(ch_view_of(rows[i].text), "e.conf", &e,
			&err);

		ck_assert_msg(rc == CH_ECONFIG &&
				strstr(err.text, rows[i].said) != NULL,
			"%s: %s", rows[i].text, err.text);
		ck_assert_ptr_null(e.items);
		ck_assert_ptr_null(strstr(err.text, "whsec_short"));
	}
}
END_TEST

START_TEST(headers_that_break_a_request_are_refused)
{
	static const char *const lines[] = {": v", "X-A", "X-A:", "X A: v",
		"X-A : v", "Content-Length: 5", "transfer-encoding: chunked",
		"Content-Type: text/plain", "Webhook-Id: 1",
		"webhook-signature: v1,x"};
	size_t i;

	for (i = 0; i < COUNT(lines); i++) {
		struct ch_err err = CH_ERR_INIT;
		struct endpoints e;

		put("headers", lines[i]);
		ck_assert_msg(endpoints_parse(CH_VIEW(GOOD "sign = false\n"
							   "header_file = "
							   "headers\n"),
				      "e.conf", &e, &err) == CH_ECONFIG &&
				strstr(err.text, "Name: value") != NULL,
			"%s: %s", lines[i], err.text);
	}
}
END_TEST

START_TEST(there_is_an_end_to_endpoints)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct endpoints e;
	int i;

	for (i = 0; i < ENDPOINTS_MAX; i++)
		ch_buf_printf(&text,
			"[e%d]\nurl = https://a.example\nsign = false\n", i);
	ck_assert_int_eq(endpoints_parse(ch_buf_view(&text), "e", &e, &err),
		CH_OK);
	endpoints_free(&e);
	ch_buf_adds(&text, "[more]\nurl = https://a.example\nsign = false\n");
	ck_assert_int_eq(endpoints_parse(ch_buf_view(&text), "e", &e, &err),
		CH_ECONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "64 endpoints"));
	ck_assert_int_eq(endpoints_read("no-such-file", &e, &err), CH_ECONFIG);
	ch_buf_free(&text);
}
END_TEST

FIXTURE_MAIN("endpoint", set_up, tear_down,
	an_endpoint_has_what_its_section_says_and_defaults,
	filters_choose_by_both_patterns, a_comma_at_the_end_is_no_pattern,
	a_mistake_is_refused_with_its_line_and_the_next_step,
	headers_that_break_a_request_are_refused, there_is_an_end_to_endpoints)
