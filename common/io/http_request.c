/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request: reads a parsed request out of libwebsockets.
 *
 * Path and query come decoded; they and the headers asked for are copied into
 * the connection's arena, since libwebsockets drops its header table when the
 * transaction ends. Invariant: what a route sees lives until its function
 * returns. Malformed input is refused by status, never asserted.
 */
#include <assert.h>
#include <string.h>

#include "io/http_server_impl.h"

#define ARENA_KEEP 8192

/* Headers that libwebsockets parses into tokens; others are looked up by
 * name. */
static const struct {
	const char *name;
	enum lws_token_indexes token;
} tokens[] = {
	{"host", WSI_TOKEN_HOST},
	{"accept", WSI_TOKEN_HTTP_ACCEPT},
	{"accept-encoding", WSI_TOKEN_HTTP_ACCEPT_ENCODING},
	{"authorization", WSI_TOKEN_HTTP_AUTHORIZATION},
	{"content-type", WSI_TOKEN_HTTP_CONTENT_TYPE},
	{"if-none-match", WSI_TOKEN_HTTP_IF_NONE_MATCH},
	{"origin", WSI_TOKEN_ORIGIN},
	{"user-agent", WSI_TOKEN_HTTP_USER_AGENT},
	{"x-forwarded-for", WSI_TOKEN_X_FORWARDED_FOR},
};

static const char *const custom[] = {
	"last-event-id", "traceparent", "x-request-id"};

static void
read_query(struct http_conn *c)
{
	struct ch_http_req *q = &c->req;
	int total = lws_hdr_total_length(c->wsi, WSI_TOKEN_HTTP_URI_ARGS);
	char *buf;

	if (total <= 0)
		return;
	buf = ch_arena_alloc(&q->arena, (size_t)total + 1);
	while (q->query_count < HTTP_QUERY_MAX) {
		int n = lws_hdr_copy_fragment(c->wsi, buf, total + 1,
			WSI_TOKEN_HTTP_URI_ARGS, q->query_count);

		if (n < 0)
			break;
		q->query[q->query_count++] = ch_arena_str(&q->arena,
			(struct ch_view){buf, (size_t)n});
	}
}

static bool
is_http10(struct http_conn *c)
{
	char version[12] = "";

	(void)lws_hdr_copy(c->wsi, version, sizeof(version), WSI_TOKEN_HTTP);
	return strcmp(version, "HTTP/1.0") == 0;
}

static bool
known_method(int lws_method, enum ch_http_method *out)
{
	switch (lws_method) {
	case LWSHUMETH_GET:
	case LWSHUMETH_HEAD:
		*out = CH_HTTP_GET;
		return true;
	case LWSHUMETH_POST:
		*out = CH_HTTP_POST;
		return true;
	case LWSHUMETH_PUT:
		*out = CH_HTTP_PUT;
		return true;
	case LWSHUMETH_DELETE:
		*out = CH_HTTP_DELETE;
		return true;
	default:
		return false;
	}
}

void
ch_http_req_begin(struct http_conn *c, struct ch_view path, int lws_method)
{
	struct ch_http_req *q = &c->req;

	q->conn = c;
	q->path = ch_arena_view(&q->arena, path);
	q->rest = (struct ch_view){NULL, 0};
	q->body = (struct ch_view){NULL, 0};
	q->query_count = 0;
	q->head = lws_method == LWSHUMETH_HEAD;
	q->http10 = is_http10(c);
	q->allowed_else = !known_method(lws_method, &q->method);
	c->route = NULL;
	c->close_after = q->http10;
	read_query(c);
}

void
ch_http_req_end(struct http_conn *c)
{
	ch_arena_reset(&c->req.arena, ARENA_KEEP);
	ch_buf_clear(&c->body);
	if (c->body.cap > ARENA_KEEP)
		ch_buf_free(&c->body);
}

static bool
path_matches(const struct ch_http_route *r, struct ch_view path,
	struct ch_view *rest)
{
	struct ch_view want = ch_view_of(r->path);
	bool below = want.len > 1 && want.ptr[want.len - 1] == '/';

	if (below ? !ch_view_starts(path, want) : !ch_view_eq(path, want))
		return false;
	*rest = (struct ch_view){path.ptr + want.len, path.len - want.len};
	return true;
}

const struct ch_http_route *
ch_http_req_route(struct http_conn *c)
{
	struct ch_http_req *q = &c->req;
	bool unknown_method = q->allowed_else;

	q->allowed_else = false;
	for (size_t i = 0; i < c->server->route_count; i++) {
		const struct ch_http_route *r = &c->server->routes[i];
		struct ch_view rest;

		if (!path_matches(r, q->path, &rest))
			continue;
		if (!unknown_method && r->method == q->method) {
			q->rest = rest;
			return r;
		}
		q->allowed_else = true;
	}
	return NULL;
}

int
ch_http_req_check_body(struct http_conn *c, int64_t *body_len)
{
	struct ch_view v;
	char text[24];
	int n;

	*body_len = -1;
	if (lws_hdr_total_length(c->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		return 411;
	if (lws_hdr_total_length(c->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0)
		return 0;
	n = lws_hdr_copy(c->wsi, text, sizeof(text),
		WSI_TOKEN_HTTP_CONTENT_LENGTH);
	v = (struct ch_view){text, n > 0 ? (size_t)n : 0};
	if (ch_view_int(v, 0, INT64_MAX, body_len) < 0 || text[0] == '-' ||
		text[0] == '+')
		return 400;
	if (*body_len > 0 &&
		(c->req.method == CH_HTTP_GET ||
			c->req.method == CH_HTTP_DELETE))
		return 400;
	return (uint64_t)*body_len > c->server->opt.max_body ? 413 : 0;
}

struct head {
	size_t bytes;
	unsigned headers;
	struct lws *wsi;
};

static void
count_custom(const char *name, int len, void *ctx)
{
	struct head *h = ctx;
	int value = lws_hdr_custom_length(h->wsi, name, len);

	h->bytes += (size_t)len + (value > 0 ? (size_t)value : 0);
	h->headers++;
}

/* Others stand for the request line. */
static bool
is_header(enum lws_token_indexes t)
{
	const char *name = (const char *)lws_token_to_string(t);

	return name != NULL && strchr(name, ':') != NULL;
}

/* A header that libwebsockets has a token for counts without its name, which it
 * does not keep. */
static struct head
count_head(struct lws *wsi)
{
	struct head h = {.wsi = wsi};
	enum lws_token_indexes t;

	for (t = WSI_TOKEN_GET_URI; t < WSI_TOKEN_COUNT; t++) {
		int n = lws_hdr_total_length(wsi, t);

		h.bytes += n > 0 ? (size_t)n : 0;
		h.headers += n > 0 && is_header(t);
	}
	(void)lws_hdr_custom_name_foreach(wsi, count_custom, &h);
	return h;
}

int
ch_http_req_check_head(struct http_conn *c, char said[HTTP_SAID_MAX])
{
	const struct ch_http_server_options *opt = &c->server->opt;
	struct head h = count_head(c->wsi);

	if (h.bytes <= opt->max_head && h.headers <= opt->max_headers)
		return 0;
	(void)snprintf(said, HTTP_SAID_MAX,
		"%zu bytes of path, query and headers, and %u headers: send "
		"at most %zu and %u",
		h.bytes, h.headers, opt->max_head, opt->max_headers);
	return 431;
}

struct ch_view
ch_http_req_rest(const struct ch_http_req *req)
{
	return req->rest;
}

bool
ch_http_req_query(const struct ch_http_req *req, const char *name,
	struct ch_view *out)
{
	size_t n = strlen(name);

	for (int i = 0; i < req->query_count; i++) {
		const char *q = req->query[i];

		if (strncmp(q, name, n) != 0 || (q[n] != '=' && q[n] != '\0'))
			continue;
		*out = ch_view_of(q[n] == '=' ? q + n + 1 : q + n);
		return true;
	}
	return false;
}

static bool
custom_header(struct lws *wsi, const char *name, char *buf, int size, int *n)
{
	char with_colon[32];
	int len = snprintf(with_colon, sizeof(with_colon), "%s:", name);

	assert(len > 0 && (size_t)len < sizeof(with_colon));
	if (lws_hdr_custom_length(wsi, with_colon, len) <= 0)
		return false;
	*n = lws_hdr_custom_copy(wsi, buf, size, with_colon, len);
	return *n >= 0;
}

static bool
read_header(struct lws *wsi, const char *name, char *buf, int size, int *n)
{
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		if (strcmp(tokens[i].name, name) != 0)
			continue;
		if (lws_hdr_total_length(wsi, tokens[i].token) == 0)
			return false;
		*n = lws_hdr_copy(wsi, buf, size, tokens[i].token);
		return *n >= 0;
	}
	for (size_t i = 0; i < sizeof(custom) / sizeof(custom[0]); i++)
		if (strcmp(custom[i], name) == 0)
			return custom_header(wsi, name, buf, size, n);
	assert(false); /* a header that http_server.h does not list */
	return false;
}

bool
ch_http_req_header(const struct ch_http_req *req, const char *name,
	struct ch_view *out)
{
	char buf[HTTP_HEADER_MAX];
	int n = 0;

	if (!read_header(req->conn->wsi, name, buf, (int)sizeof(buf), &n))
		return false;
	*out = ch_arena_view(&req->conn->req.arena,
		(struct ch_view){buf, (size_t)n});
	return true;
}

struct ch_view
ch_http_req_body(const struct ch_http_req *req)
{
	return req->body;
}

const char *
ch_http_req_peer(const struct ch_http_req *req)
{
	return req->conn->peer;
}
