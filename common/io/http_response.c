/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_response: renders answers and writes them.
 *
 * An answer is one buffer, headers and body together, written by one
 * lws_write(): half of the system calls of the documented way. What the socket
 * does not take, libwebsockets keeps and sends on. Streams and WebSockets have
 * a queue of buffers, bounded by max_queue.
 *
 * Invariant: header values cannot hold line breaks (they become spaces), so
 * text from outside cannot forge headers.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/http_server_impl.h"

#define WRITE_TIMEOUT_MS 30000
#define PUMP_MAX 32

static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
};

static const char *
status_text(int status)
{
	for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]);
		i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "Status";
}

static const char *
date_now(struct ch_http_server *s)
{
	int64_t now = ch_clock_wall(&ch_clock_real).us / 1000000;
	time_t t = (time_t)now;
	struct tm tm;

	if (now == s->date_s)
		return s->date;
	s->date_s = now;
	gmtime_r(&t, &tm);
	(void)strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT",
		&tm);
	return s->date;
}

static void
add_value(struct ch_buf *b, struct ch_view v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		ch_buf_addc(b, c < 0x20 || c == 0x7f ? ' ' : v.ptr[i]);
	}
}

static void
add_allow(struct http_conn *c, struct ch_buf *b)
{
	static const char *const names[] = {
		"GET, HEAD", "POST", "PUT", "DELETE"};
	const char *sep = "Allow: ";

	for (size_t i = 0; i < c->server->route_count; i++) {
		const struct ch_http_route *r = &c->server->routes[i];
		struct ch_view want = ch_view_of(r->path);
		bool below = want.len > 1 && want.ptr[want.len - 1] == '/';

		if (below ? !ch_view_starts(c->req.path, want)
			  : !ch_view_eq(c->req.path, want))
			continue;
		ch_buf_printf(b, "%s%s", sep, names[r->method]);
		sep = ", ";
	}
	ch_buf_adds(b, "\r\n");
}

/* Everything up to the empty line. body_len < 0: chunked, no end known. */
static void
add_head(struct http_conn *c, struct ch_buf *b,
	const struct ch_http_response *r, int64_t body_len)
{
	bool no_body = r->status == 204 || r->status == 304;

	ch_buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status,
		status_text(r->status), date_now(c->server));
	if (!no_body)
		ch_buf_printf(b, "Content-Type: %s\r\n",
			r->content_type != NULL ? r->content_type
						: "text/plain; charset=utf-8");
	if (body_len >= 0 && !no_body)
		ch_buf_printf(b, "Content-Length: %lld\r\n",
			(long long)body_len);
	else if (!no_body && !c->req.http10)
		ch_buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (r->status == 405)
		add_allow(c, b);
	for (const struct ch_http_header *h = r->headers;
		h != NULL && h->name != NULL; h++) {
		ch_buf_printf(b, "%s: ", h->name);
		add_value(b, h->value);
		ch_buf_adds(b, "\r\n");
	}
	if (c->close_after)
		ch_buf_adds(b, "Connection: close\r\n");
	ch_buf_adds(b, "\r\n");
}

static struct http_out *
out_new(size_t len)
{
	struct http_out *o = ch_xmalloc(sizeof(*o) + LWS_PRE + len);

	o->next = NULL;
	o->len = len;
	return o;
}

static void
out_push(struct http_conn *c, struct http_out *o)
{
	if (c->out_tail != NULL)
		c->out_tail->next = o;
	else
		c->out_head = o;
	c->out_tail = o;
	c->out_bytes += o->len;
}

static struct http_out *
out_pop(struct http_conn *c)
{
	struct http_out *o = c->out_head;

	c->out_head = o->next;
	if (c->out_head == NULL)
		c->out_tail = NULL;
	c->out_bytes -= o->len;
	return o;
}

void
ch_http_out_free(struct http_conn *c)
{
	while (c->out_head != NULL)
		free(out_pop(c));
}

static void
render(struct http_conn *c, const struct ch_http_response *r)
{
	struct ch_buf *b = &c->server->scratch;

	ch_buf_clear(b);
	ch_buf_reserve(b, LWS_PRE + 512 + r->body.len);
	b->len = LWS_PRE;
	add_head(c, b, r, (int64_t)r->body.len);
	if (!c->req.head && r->status != 204 && r->status != 304)
		ch_buf_addv(b, r->body);
}

void
ch_http_out_response(struct http_conn *c, const struct ch_http_response *r)
{
	struct ch_buf *b = &c->server->scratch;
	struct http_out *o;

	render(c, r);
	o = out_new(b->len - LWS_PRE);
	memcpy(o->bytes + LWS_PRE, b->ptr + LWS_PRE, o->len);
	out_push(c, o);
}

static int
write_all(struct http_conn *c, unsigned char *bytes, size_t len,
	enum lws_write_protocol how)
{
	int n = lws_write(c->wsi, bytes, len, how);

	return n < 0 ? -1 : 0;
}

/* The answer has been handed to libwebsockets. */
static int
end_transaction(struct http_conn *c)
{
	struct lws *wsi = c->wsi;

	ch_http_req_end(c);
	if (c->close_after) {
		if (!lws_partial_buffered(wsi))
			return -1;
		c->state = HTTP_FLUSHING;
		ch_http_conn_deadline(c, WRITE_TIMEOUT_MS);
		lws_callback_on_writable(wsi);
		return 0;
	}
	c->state = HTTP_IDLE;
	ch_http_conn_deadline(c,
		lws_partial_buffered(wsi) ? WRITE_TIMEOUT_MS
					  : c->server->opt.keepalive_ms);
	if (lws_http_transaction_completed(wsi) != 0)
		return -1;
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
	return 0;
}

int
ch_http_out_finish(struct http_conn *c)
{
	struct http_out *o = out_pop(c);
	int rc = write_all(c, o->bytes + LWS_PRE, o->len,
		LWS_WRITE_HTTP_HEADERS);

	free(o);
	return rc < 0 ? rc : end_transaction(c);
}

int
ch_http_out_refuse(struct http_conn *c, int status, const char *said)
{
	char text[64 + HTTP_SAID_MAX];
	int n = snprintf(text, sizeof(text), "%d %s%s%s\n", status,
		status_text(status), said != NULL ? ": " : "",
		said != NULL ? said : "");
	struct ch_http_response r = {
		.status = status, .body = {text, n > 0 ? (size_t)n : 0}};

	ch_http_out_response(c, &r);
	return ch_http_out_finish(c);
}

void
ch_http_reply(struct ch_http_req *req, const struct ch_http_response *r)
{
	struct http_conn *c = req->conn;

	assert(c->state == HTTP_ROUTING && c->out_head == NULL);
	ch_http_out_response(c, r);
	c->state = HTTP_WRITING;
}

struct ch_http_ref
ch_http_req_defer(struct ch_http_req *req)
{
	struct http_conn *c = req->conn;

	assert(c->state == HTTP_ROUTING);
	c->state = HTTP_DEFERRED;
	ch_http_conn_deadline(c, c->server->opt.request_timeout_ms);
	return ch_http_conn_ref(c);
}

struct ch_http_ref
ch_http_req_stream(struct ch_http_req *req, const struct ch_http_response *head,
	void (*closed)(struct ch_http_ref ref, void *ctx), void *ctx)
{
	struct http_conn *c = req->conn;
	struct ch_buf *b = &c->server->scratch;
	struct http_out *o;

	assert(c->state == HTTP_ROUTING);
	c->close_after = true;
	if (req->head) {
		ch_http_reply(req, head);
		return (struct ch_http_ref){0};
	}
	ch_buf_clear(b);
	ch_buf_reserve(b, 512);
	add_head(c, b, head, -1);
	o = out_new(b->len);
	memcpy(o->bytes + LWS_PRE, b->ptr, b->len);
	out_push(c, o);
	c->state = HTTP_STREAM;
	c->stream_closed = closed;
	c->stream_ctx = ctx;
	ch_http_conn_deadline(c, 0);
	if (head->body.len > 0)
		(void)ch_http_out_bytes(c, head->body);
	return ch_http_conn_ref(c);
}

int
ch_http_out_bytes(struct http_conn *c, struct ch_view bytes)
{
	bool chunked = c->state == HTTP_STREAM && !c->req.http10;
	char size[24] = "";
	size_t head = 0;
	struct http_out *o;

	if (c->ending ||
		(c->state != HTTP_STREAM && c->state != HTTP_SOCKET &&
			c->state != HTTP_OPENING))
		return CH_ECLOSED;
	if (c->out_bytes + bytes.len > c->server->opt.max_queue)
		return CH_EFULL;
	if (chunked && bytes.len == 0)
		return 0; /* an empty chunk would end the stream */
	if (chunked)
		head = (size_t)snprintf(size, sizeof(size), "%zx\r\n",
			bytes.len);
	o = out_new(head + bytes.len + (chunked ? 2 : 0));
	memcpy(o->bytes + LWS_PRE, size, head);
	if (bytes.len > 0)
		memcpy(o->bytes + LWS_PRE + head, bytes.ptr, bytes.len);
	if (chunked)
		memcpy(o->bytes + LWS_PRE + head + bytes.len, "\r\n", 2);
	out_push(c, o);
	lws_callback_on_writable(c->wsi);
	return 0;
}

static int
end_stream(struct http_conn *c)
{
	unsigned char last[LWS_PRE + 5];

	if (c->state == HTTP_SOCKET) {
		lws_close_reason(c->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	memcpy(last + LWS_PRE, "0\r\n\r\n", 5);
	if (!c->req.http10 &&
		write_all(c, last + LWS_PRE, 5, LWS_WRITE_HTTP_HEADERS) < 0)
		return -1;
	if (!lws_partial_buffered(c->wsi))
		return -1;
	c->state = HTTP_FLUSHING;
	ch_http_conn_deadline(c, WRITE_TIMEOUT_MS);
	lws_callback_on_writable(c->wsi);
	return 0;
}

int
ch_http_out_pump(struct http_conn *c)
{
	enum lws_write_protocol how = c->state == HTTP_SOCKET
		? LWS_WRITE_TEXT
		: LWS_WRITE_HTTP_HEADERS;

	for (int i = 0; i < PUMP_MAX && c->out_head != NULL; i++) {
		struct http_out *o;
		int rc;

		if (lws_partial_buffered(c->wsi) ||
			lws_send_pipe_choked(c->wsi))
			break;
		o = out_pop(c);
		rc = write_all(c, o->bytes + LWS_PRE, o->len, how);
		free(o);
		if (rc < 0)
			return -1;
	}
	if (c->out_head != NULL) {
		lws_callback_on_writable(c->wsi);
		return 0;
	}
	return c->ending ? end_stream(c) : 0;
}
