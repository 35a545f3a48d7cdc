/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: see api.h.
 *
 * The ring between the network thread and the desk is the only thing that both
 * touch; a call belongs to whoever holds it.
 */
#include "api.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "api_guard.h"
#include "api_private.h"
#include "base/log.h"
#include "base/ring.h"
#include "outbox_relay_page.h"
#include "params.h"

#define API_WAITING 64
#define BODY_MAX ((size_t)2 << 20)
#define HEAD_MAX 8192 /* an expression of 4 KiB, and a browser's headers */
#define HEAD_LINES_MAX 64
/* What a request holds while it waits: its copy, and the call itself. */
#define CALL_MAX (BODY_MAX + HEAD_MAX + 4096)
#define CONNECTIONS_MAX 64
#define REQUEST_MS 120000 /* letters replayed by name wait for Kafka */
#define STATEMENT_MS 15000
#define CALL_MS 20000
#define LOCK_MS 5000
#define IDLE_MS 60000
#define LOOK_MS 5000
#define PREFIX "/api/v1/"
#define JSON_TYPE "application/json"

struct api {
	const struct ch_runtime *rt;
	struct api_tokens *tokens;
	struct api_guard guard;
	struct ch_http_server *server;
	struct ch_ring *waiting;
	struct api_desk desk; /* the thread's */
	pthread_t thread;
	bool has_thread;
	atomic_bool ending;
};

/* No script, style or frame but our own; nothing is kept by a cache. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; "
	"connect-src 'self'; img-src data:; base-uri 'none'; "
	"form-action 'none'; frame-ancestors 'none'";

#define HEADERS_MAX 8

static void
fill_headers(struct ch_http_header h[HEADERS_MAX], const char *next)
{
	const struct ch_http_header all[] = {
		{"cache-control", CH_VIEW("no-store")},
		{"content-security-policy", CH_VIEW(policy)},
		{"x-content-type-options", CH_VIEW("nosniff")},
		{"x-frame-options", CH_VIEW("DENY")},
		{"referrer-policy", CH_VIEW("no-referrer")},
		{"cross-origin-resource-policy", CH_VIEW("same-origin")},
		{next[0] != '\0' ? "x-next-cursor" : NULL, ch_view_of(next)},
		{NULL, {NULL, 0}}};

	(void)memcpy(h, all, sizeof(all));
}

/* ---- network: taking requests ---- */

static void
reply(struct ch_http_req *req, int status, const char *type,
	struct ch_view body)
{
	struct ch_http_header headers[HEADERS_MAX];

	fill_headers(headers, "");
	ch_http_reply(req,
		&(struct ch_http_response){.status = status,
			.content_type = type,
			.headers = headers,
			.body = body});
}

static void
refuse(struct ch_http_req *req, int status, const char *code, const char *said,
	const char *next)
{
	struct ch_buf body = CH_BUF_INIT;

	api_call_refusal(&body, code, said, next, 0);
	reply(req, status, JSON_TYPE, ch_buf_view(&body));
	ch_buf_free(&body);
}

/* Does the path fit "letters/ * /edit"? *name is what stands for the star. */
static bool
fits(const char *pattern, struct ch_view path, struct ch_view *name)
{
	struct ch_view wanted = ch_view_of(pattern), want, part;

	*name = (struct ch_view){"", 0};
	while (ch_view_split(&wanted, '/', &want)) {
		if (!ch_view_split(&path, '/', &part) || part.len == 0)
			return false;
		if (ch_view_eq_str(want, "*"))
			*name = part;
		else if (!ch_view_eq(want, part))
			return false;
	}
	return path.len == 0;
}

static const struct api_endpoint *
find_in(const struct api_endpoint *e, enum ch_http_method method,
	struct ch_view path, struct ch_view *name)
{
	for (; e->path != NULL; e++)
		if (e->method == method && fits(e->path, path, name))
			return e;
	return NULL;
}

static const struct api_endpoint *
find_endpoint(enum ch_http_method method, struct ch_view path,
	struct ch_view *name)
{
	static const struct api_endpoint *const tables[] = {
		api_letter_endpoints, api_plan_endpoints,
		api_webhook_endpoints};
	const struct api_endpoint *e = NULL;
	size_t i;

	for (i = 0; e == NULL && i < sizeof(tables) / sizeof(*tables); i++)
		e = find_in(tables[i], method, path, name);
	return e;
}

/* Refuses by itself. */
static bool
may_pass(struct api *a, struct ch_http_req *req, bool changes,
	const struct api_bearer **who)
{
	struct api_visitor v = {.changes = changes};
	struct ch_err err = CH_ERR_INIT;
	int status;

	(void)ch_http_req_header(req, "host", &v.host);
	(void)ch_http_req_header(req, "origin", &v.origin);
	(void)ch_http_req_header(req, "authorization", &v.authorization);
	status = api_guard_check(&a->guard, &v, who, &err);
	if (status == 0)
		return true;
	ch_warn("api.refused", CH_I("status", status),
		CH_S("peer", ch_http_req_peer(req)), CH_ERR(&err));
	refuse(req, status, status == 401 ? "no_token" : "forbidden", err.text,
		status == 401 ? "get a token" : "ask as it says");
	return false;
}

static void
take(struct api *a, struct ch_http_req *req, enum ch_http_method method)
{
	const struct api_endpoint *e;
	const struct api_bearer *who = NULL;
	struct ch_view name;
	struct api_call *c;

	if (!may_pass(a, req, method != CH_HTTP_GET, &who))
		return;
	e = find_endpoint(method, ch_http_req_rest(req), &name);
	if (e == NULL) {
		refuse(req, 404, "not_found",
			"there is no such resource, or not by this method",
			"see docs/reference/outbox-relay-api.yaml");
		return;
	}
	if (ch_ring_count(a->waiting) >= API_WAITING) {
		refuse(req, 503, "busy", "64 requests wait already",
			"ask again in a moment");
		return;
	}
	c = api_call_new(e, req, name, who);
	c->ref = ch_http_req_defer(req);
	if (ch_ring_push(a->waiting, c, sizeof(*c) + c->arena.used) != 0)
		api_call_free(c); /* closing: so is the connection */
}

static void
take_get(struct ch_http_req *req, void *ctx)
{
	take(ctx, req, CH_HTTP_GET);
}

static void
take_post(struct ch_http_req *req, void *ctx)
{
	take(ctx, req, CH_HTTP_POST);
}

/* The page itself says nothing; a token is asked for by what it asks. */
static void
send_page(struct api *a, struct ch_http_req *req, const char *type,
	const char *text)
{
	struct api_visitor v = {.changes = false};
	struct ch_err err = CH_ERR_INIT;
	const struct api_bearer *who;
	struct api_guard open = a->guard;
	int status;

	open.read_token = false;
	(void)ch_http_req_header(req, "host", &v.host);
	(void)ch_http_req_header(req, "origin", &v.origin);
	status = api_guard_check(&open, &v, &who, &err);
	if (status != 0)
		refuse(req, status, "forbidden", err.text, "ask as it says");
	else
		reply(req, 200, type, ch_view_of(text));
}

static void
get_html(struct ch_http_req *req, void *ctx)
{
	send_page(ctx, req, "text/html; charset=utf-8",
		outbox_relay_page_console_html);
}

static void
get_css(struct ch_http_req *req, void *ctx)
{
	send_page(ctx, req, "text/css; charset=utf-8",
		outbox_relay_page_console_css);
}

static void
get_js(struct ch_http_req *req, void *ctx)
{
	send_page(ctx, req, "text/javascript; charset=utf-8",
		outbox_relay_page_console_js);
}

/* ---- desk: answering ---- */

/* There is no room for it between the threads: the client must hear of it. */
static void
send_too_large(struct api *a, const struct api_call *c)
{
	struct ch_http_header headers[HEADERS_MAX];
	struct ch_buf body = CH_BUF_INIT;
	char said[96];

	(void)snprintf(said, sizeof(said),
		"the answer of %zu bytes is too large, or others are under way",
		c->out.len);
	api_call_refusal(&body, "too_large", said,
		"ask for fewer letters, or by dlq show", 0);
	ch_warn("api.too_large", CH_S("what", c->endpoint->path),
		CH_S("of", c->name), CH_U("bytes", c->out.len));
	fill_headers(headers, "");
	(void)ch_http_reply_later(a->server, c->ref,
		&(struct ch_http_response){.status = 503,
			.content_type = JSON_TYPE,
			.headers = headers,
			.body = ch_buf_view(&body)});
	ch_buf_free(&body);
}

static void
send_answer(struct api *a, struct api_call *c)
{
	struct ch_http_header headers[HEADERS_MAX];
	struct ch_http_response r = {.status = c->status,
		.content_type = c->content_type,
		.headers = headers,
		.body = ch_buf_view(&c->out)};

	fill_headers(headers, c->next);
	if (c->endpoint->method != CH_HTTP_GET)
		ch_info("api.asked", CH_S("what", c->endpoint->path),
			CH_S("of", c->name), CH_S("actor", c->actor),
			CH_I("status", c->status));
	if (ch_http_reply_later(a->server, c->ref, &r) != CH_OK)
		send_too_large(a, c);
}

/* What only reads is asked again when the connection had broken while nobody
 * asked. */
static int
run_call(struct api_desk *d, struct api_call *c, struct ch_err *err)
{
	bool fresh = !ch_pg_is_up(d->pg) && !c->endpoint->without_database;
	int rc = fresh ? ch_pg_connect(d->pg, err) : CH_OK;

	if (rc == CH_OK)
		rc = c->endpoint->run(d, c, err);
	if (rc != CH_EIO || fresh || c->endpoint->method != CH_HTTP_GET)
		return rc;
	ch_buf_clear(&c->out);
	rc = ch_pg_connect(d->pg, err);
	return rc == CH_OK ? c->endpoint->run(d, c, err) : rc;
}

static void
answer(struct api *a, struct api_call *c)
{
	struct ch_err err = CH_ERR_INIT;
	int rc = api_call_read(c, &err);

	c->now = ch_clock_wall(a->rt->clock);
	if (rc == CH_OK)
		rc = run_call(&a->desk, c, &err);
	if (rc != CH_OK)
		api_call_fail(c, rc, &err);
	(void)ch_pg_rollback(a->desk.pg, NULL);
	send_answer(a, c);
	api_call_free(c);
}

static void *
work(void *ctx)
{
	struct api *a = ctx;
	struct ch_mono asked = ch_clock_mono(a->rt->clock);
	struct api_call *c;
	struct ch_mono now;

	while (!atomic_load(&a->ending)) {
		c = ch_ring_pop_wait(a->waiting, LOOK_MS);
		now = ch_clock_mono(a->rt->clock);
		if (c != NULL) {
			answer(a, c);
			asked = ch_clock_mono(a->rt->clock);
		} else if (ch_mono_ms_since(now, asked) >= IDLE_MS) {
			ch_pg_disconnect(a->desk.pg);
		}
	}
	return NULL;
}

/* ---- open and close ---- */

static int
open_desk(struct api *a, struct ch_err *err)
{
	const struct ch_params *p = a->rt->params;
	bool read_only = a->tokens == NULL;
	struct ch_pg_params params = {
		.conninfo = ch_params_str(p, "api_database_url"),
		.application_name = "outbox-relay api",
		.search_path = ch_params_str(p, "schema"),
		.call_timeout_ms = CALL_MS,
		.statement_timeout_ms = STATEMENT_MS,
		.lock_timeout_ms = LOCK_MS,
		.idle_in_transaction_ms = REQUEST_MS,
		.read_write = !read_only,
		.on_connect = read_only
			? "SET default_transaction_read_only = on"
			: NULL,
	};

	a->desk = (struct api_desk){.rt = a->rt,
		.run = api_run_new(a->rt),
		.two_person = relay_params_two_person(p),
		.rule = relay_params_two_person(p),
		.read_only = read_only};
	a->desk.pg = ch_pg_new(&params, err);
	a->waiting = ch_ring_new(API_WAITING + 1, API_WAITING * CALL_MAX);
	if (a->waiting == NULL)
		return ch_err_errno(err, errno, "api: no queue");
	return a->desk.pg != NULL ? CH_OK : CH_ECONFIG;
}

static int
open_server(struct api *a, struct ch_err *err)
{
	const struct ch_http_route routes[] = {{CH_HTTP_GET, "/", get_html, a},
		{CH_HTTP_GET, "/console.css", get_css, a},
		{CH_HTTP_GET, "/console.js", get_js, a},
		{CH_HTTP_GET, PREFIX, take_get, a},
		{CH_HTTP_POST, PREFIX, take_post, a},
		{CH_HTTP_GET, NULL, NULL, NULL}};
	const struct ch_http_server_options http = {.name = "api",
		.listen = a->guard.listen,
		.routes = routes,
		.max_connections = CONNECTIONS_MAX,
		.max_body = BODY_MAX,
		.max_head = HEAD_MAX,
		.max_headers = HEAD_LINES_MAX,
		.request_timeout_ms = REQUEST_MS};
	int rc = ch_http_server_start(&a->server, a->rt->net, &http, err);

	if (rc != CH_OK)
		return ch_err_wrap(err, "api_listen");
	ch_info("api.listening", CH_I("port", ch_http_server_port(a->server)),
		CH_B("read_only", a->tokens == NULL));
	return CH_OK;
}

static int
open_thread(struct api *a, struct ch_err *err)
{
	int rc = pthread_create(&a->thread, NULL, work, a);

	if (rc != 0)
		return ch_err_errno(err, rc, "api: no thread");
	a->has_thread = true;
	return CH_OK;
}

int
api_open(struct api **out, const struct ch_runtime *rt, struct ch_err *err)
{
	const struct ch_params *p = rt->params;
	const char *tokens = ch_params_str(p, "api_token_file");
	struct api *a;
	int rc = CH_OK;

	*out = NULL;
	if (ch_params_str(p, "api_listen")[0] == '\0')
		return CH_OK;
	a = ch_xcalloc(1, sizeof(*a));
	a->rt = rt;
	if (tokens[0] != '\0')
		rc = api_tokens_read(&a->tokens, tokens, err);
	a->guard = (struct api_guard){.listen = ch_params_str(p, "api_listen"),
		.hosts = ch_params_list(p, "api_hosts", NULL),
		.tokens = a->tokens,
		.read_token = ch_params_bool(p, "api_read_token")};
	if (rc == CH_OK)
		rc = open_desk(a, err);
	if (rc == CH_OK)
		rc = open_server(a, err);
	if (rc == CH_OK)
		rc = open_thread(a, err);
	if (rc == CH_OK)
		*out = a;
	else
		api_close(a);
	return rc;
}

static void
free_call(void *call)
{
	api_call_free(call);
}

/* The desk answers through the server: it ends first. */
static void
end_thread(struct api *a)
{
	atomic_store(&a->ending, true);
	ch_ring_close(a->waiting);
	if (a->has_thread)
		(void)pthread_join(a->thread, NULL);
}

void
api_close(struct api *a)
{
	if (a == NULL)
		return;
	if (a->waiting != NULL)
		end_thread(a);
	ch_http_server_stop(a->server);
	api_run_free(a->desk.run);
	ch_ring_free(a->waiting, free_call);
	ch_pg_free(a->desk.pg);
	api_tokens_free(a->tokens);
	free(a);
}
