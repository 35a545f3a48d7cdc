/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server: see http_server.h. Routing and the life of a connection; the
 * other files are listed in http_server_impl.h.
 *
 * A connection is found by its slot and generation (struct ch_http_ref); the
 * generation rises with each request, so a late answer to a request that has
 * gone finds nothing. Invariant: a struct http_conn lives from accept(2) to
 * LWS_CALLBACK_WSI_DESTROY.
 *
 * Fails: only at the start. Later, a connection that misbehaves is refused or
 * closed by itself.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/http_server_impl.h"

#define OVERFLOW_CONNECTIONS 64
#define TICK_MS 250
#define PING_S 30
#define HANGUP_S 40

static int http_callback(struct lws *wsi, enum lws_callback_reasons reason,
	void *user, void *in, size_t len);
static int listen_callback(struct lws *wsi, enum lws_callback_reasons reason,
	void *user, void *in, size_t len);

static const struct lws_protocols protocols[] = {
	{.name = "ch-http", .callback = http_callback, .rx_buffer_size = 4096},
	{.name = "ch-listen", .callback = listen_callback},
	LWS_PROTOCOL_LIST_TERM};

static const uint32_t backoff_unused[] = {1000};

/* Idle WebSockets are pinged, and dropped when no PONG comes. */
static const lws_retry_bo_t liveness = {
	.retry_ms_table = backoff_unused,
	.retry_ms_table_count = 1,
	.secs_since_valid_ping = PING_S,
	.secs_since_valid_hangup = HANGUP_S,
};

/* ---- references and deadlines ---- */

struct ch_http_ref
ch_http_conn_ref(const struct http_conn *c)
{
	return (struct ch_http_ref){
		(uint64_t)c->generation << 32 | (c->slot + 1)};
}

struct http_conn *
ch_http_conn_find(struct ch_http_server *s, struct ch_http_ref ref)
{
	uint64_t slot = (ref.id & UINT32_MAX) - 1;
	struct http_conn *c;

	if (ref.id == 0 || slot >= s->slot_count)
		return NULL;
	c = s->slots[slot];
	return c != NULL && c->generation == ref.id >> 32 ? c : NULL;
}

void
ch_http_conn_deadline(struct http_conn *c, int64_t ms)
{
	c->deadline.ns =
		ms == 0 ? 0 : ch_clock_mono(&ch_clock_real).ns + ms * 1000000;
}

static void
kill_conn(struct http_conn *c)
{
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* ---- a connection's beginning and end ---- */

static uint32_t
next_generation(struct ch_http_server *s)
{
	if (++s->next_generation == 0)
		s->next_generation = 1;
	return s->next_generation;
}

struct http_conn *
ch_http_conn_new(struct ch_http_server *s, const char *peer)
{
	struct http_conn *c = ch_xcalloc(1, sizeof(*c));

	c->magic = HTTP_CONN_MAGIC;
	c->server = s;
	c->generation = next_generation(s);
	while (s->slots[c->slot] != NULL)
		c->slot++;
	s->slots[c->slot] = c;
	c->overflow =
		atomic_fetch_add(&s->connections, 1) >= s->opt.max_connections;
	c->req.conn = c;
	(void)snprintf(c->peer, sizeof(c->peer), "%s", peer);
	ch_http_conn_deadline(c, s->opt.request_timeout_ms);
	return c;
}

static void
tell_closed(struct http_conn *c)
{
	struct ch_http_ref ref = ch_http_conn_ref(c);

	if (c->stream_closed != NULL)
		c->stream_closed(ref, c->stream_ctx);
	c->stream_closed = NULL;
	if (c->ws != NULL && c->ws->closed != NULL)
		c->ws->closed(ref, c->ws->ctx, c->session_ctx);
	c->ws = NULL;
}

void
ch_http_conn_free(struct http_conn *c)
{
	struct ch_http_server *s = c->server;

	assert(c->magic == HTTP_CONN_MAGIC);
	s->slots[c->slot] = NULL; /* refs are dead before anyone is told */
	atomic_fetch_sub(&s->connections, 1);
	tell_closed(c);
	ch_http_out_free(c);
	ch_arena_free(&c->req.arena);
	ch_buf_free(&c->body);
	c->magic = 0;
	free(c);
}

static void
tick(void *ctx)
{
	struct ch_http_server *s = ctx;
	int64_t now = ch_clock_mono(&ch_clock_real).ns;

	for (uint32_t i = 0; i < s->slot_count; i++) {
		struct http_conn *c = s->slots[i];

		if (c == NULL || c->deadline.ns == 0 || c->deadline.ns > now)
			continue;
		ch_http_conn_deadline(c, s->opt.request_timeout_ms);
		if (c->state != HTTP_DEFERRED && c->state != HTTP_READING) {
			kill_conn(c);
			continue;
		}
		c->close_after = c->close_after || c->state == HTTP_READING;
		ch_http_out_response(c,
			&(struct ch_http_response){
				.status = c->state == HTTP_READING ? 408 : 504,
				.body = CH_VIEW("deadline passed\n")});
		c->state = HTTP_WRITING;
		lws_callback_on_writable(c->wsi);
	}
	ch_net_timer_set(s->tick, TICK_MS);
}

/* ---- requests ---- */

static int
dispatch(struct http_conn *c)
{
	c->req.body = ch_buf_view(&c->body);
	c->state = HTTP_ROUTING;
	c->route->fn(&c->req, c->route->ctx);
	assert(c->state != HTTP_ROUTING); /* the route forgot to answer */
	if (c->state == HTTP_WRITING)
		return ch_http_out_finish(c);
	if (c->state == HTTP_STREAM)
		return ch_http_out_pump(c);
	return 0;
}

static int
refuse_and_close(struct http_conn *c, int status)
{
	c->close_after = true;
	return ch_http_out_refuse(c, status, NULL);
}

static int
request(struct http_conn *c, const char *path, size_t len)
{
	char *uri = NULL, said[HTTP_SAID_MAX];
	int uri_len = 0;
	int64_t body_len;
	int status;

	if (c->state != HTTP_IDLE)
		return -1;
	c->generation = next_generation(c->server);
	atomic_fetch_add(&c->server->requests, 1);
	lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
	ch_http_conn_deadline(c, c->server->opt.request_timeout_ms);
	ch_http_req_begin(c, (struct ch_view){path, len},
		lws_http_get_uri_and_method(c->wsi, &uri, &uri_len));
	if (c->overflow)
		return refuse_and_close(c, 503);
	status = ch_http_req_check_head(c, said);
	if (status != 0) {
		c->close_after = true;
		return ch_http_out_refuse(c, status, said);
	}
	status = ch_http_req_check_body(c, &body_len);
	if (status != 0)
		return refuse_and_close(c, status);
	c->route = ch_http_req_route(c);
	if (c->route == NULL && body_len > 0)
		return refuse_and_close(c, c->req.allowed_else ? 405 : 404);
	if (c->route == NULL)
		return ch_http_out_refuse(c, c->req.allowed_else ? 405 : 404,
			NULL);
	if (body_len < 0 || c->req.method == CH_HTTP_GET ||
		c->req.method == CH_HTTP_DELETE)
		return dispatch(c);
	c->state = HTTP_READING; /* body callbacks follow, also for 0 bytes */
	return 0;
}

static int
body(struct http_conn *c, const void *bytes, size_t len)
{
	if (c->state != HTTP_READING)
		return 0;
	if (c->body.len + len > c->server->opt.max_body)
		return refuse_and_close(c, 413);
	if (len > 0)
		ch_buf_add(&c->body, bytes, len);
	return 0;
}

static int
writable(struct http_conn *c)
{
	switch (c->state) {
	case HTTP_WRITING:
		return ch_http_out_finish(c);
	case HTTP_STREAM:
	case HTTP_SOCKET:
		return ch_http_out_pump(c);
	case HTTP_FLUSHING:
		if (!lws_partial_buffered(c->wsi))
			return -1;
		lws_callback_on_writable(c->wsi);
		return 0;
	case HTTP_IDLE:
	case HTTP_READING:
	case HTTP_ROUTING:
	case HTTP_DEFERRED:
	case HTTP_OPENING:
		return 0;
	}
	return 0;
}

/* ---- WebSockets ---- */

static const struct ch_ws_route *
find_ws_route(struct http_conn *c)
{
	for (size_t i = 0; i < c->server->ws_route_count; i++)
		if (ch_view_eq_str(c->req.path, c->server->ws_routes[i].path))
			return &c->server->ws_routes[i];
	return NULL;
}

/* Returns 0 to go on with the upgrade, 1 when a refusal has been sent. */
static int
confirm_upgrade(struct http_conn *c, const char *kind)
{
	const struct ch_ws_route *r;
	char *uri = NULL;
	int uri_len = 0, status = 404;
	int method = lws_http_get_uri_and_method(c->wsi, &uri, &uri_len);

	if (c->state != HTTP_IDLE || method < 0)
		return -1;
	c->generation = next_generation(c->server);
	atomic_fetch_add(&c->server->requests, 1);
	ch_http_req_begin(c, (struct ch_view){uri, (size_t)uri_len}, method);
	r = find_ws_route(c);
	if (r != NULL && strcasecmp(kind, "websocket") != 0)
		status = 400;
	else if (r != NULL)
		status = r->accept == NULL
			? 0
			: r->accept(&c->req, r->ctx, &c->session_ctx);
	if (c->overflow && status == 0)
		status = 503;
	if (status != 0) {
		(void)refuse_and_close(c, status);
		return -1;
	}
	c->ws = r;
	c->state = HTTP_OPENING;
	ch_http_conn_deadline(c, c->server->opt.request_timeout_ms);
	return 0;
}

static int
established(struct http_conn *c)
{
	if (c->state != HTTP_OPENING)
		return -1;
	c->state = HTTP_SOCKET;
	ch_http_conn_deadline(c, 0);
	ch_http_req_end(c);
	if (c->ws->opened != NULL)
		c->ws->opened(ch_http_conn_ref(c), c->ws->ctx, c->session_ctx);
	if (c->out_head != NULL)
		lws_callback_on_writable(c->wsi);
	return 0;
}

static int
received(struct http_conn *c, const void *bytes, size_t len)
{
	if (c->state != HTTP_SOCKET)
		return -1;
	if (c->body.len + len > c->server->opt.max_message) {
		lws_close_reason(c->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE,
			NULL, 0);
		return -1;
	}
	if (len > 0)
		ch_buf_add(&c->body, bytes, len);
	if (lws_remaining_packet_payload(c->wsi) > 0 ||
		!lws_is_final_fragment(c->wsi))
		return 0;
	if (c->ws->message != NULL)
		c->ws->message(ch_http_conn_ref(c), ch_buf_view(&c->body),
			c->ws->ctx, c->session_ctx);
	ch_buf_clear(&c->body);
	return 0;
}

/* What is no HTTP at all ends up here, in libwebsockets' raw role. */
static int
not_http(struct lws *wsi)
{
	static const char answer[] =
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n";
	unsigned char out[LWS_PRE + sizeof(answer)];

	memcpy(out + LWS_PRE, answer, sizeof(answer) - 1);
	(void)lws_write(wsi, out + LWS_PRE, sizeof(answer) - 1, LWS_WRITE_RAW);
	return -1;
}

static int
http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
	void *in, size_t len)
{
	struct http_conn *c = lws_get_opaque_user_data(wsi);

	(void)user;
	/* libwebsockets tells the listener's end to this protocol too. */
	if (c == NULL || c->magic == HTTP_SERVER_MAGIC)
		return 0;
	assert(c->magic == HTTP_CONN_MAGIC);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return request(c, in, len);
	case LWS_CALLBACK_HTTP_BODY:
		return body(c, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return c->state == HTTP_READING ? dispatch(c) : 0;
	case LWS_CALLBACK_HTTP_WRITEABLE:
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return writable(c);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return confirm_upgrade(c, in);
	case LWS_CALLBACK_ESTABLISHED:
		return established(c);
	case LWS_CALLBACK_RECEIVE:
		return received(c, in, len);
	case LWS_CALLBACK_RAW_RX:
		return not_http(wsi);
	case LWS_CALLBACK_WSI_DESTROY:
		lws_set_opaque_user_data(wsi, NULL);
		ch_http_conn_free(c);
		return 0;
	default:
		return 0;
	}
#pragma GCC diagnostic pop
}

/* ---- start and stop ---- */

static int
listen_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
	void *in, size_t len)
{
	struct ch_http_server *s = lws_get_opaque_user_data(wsi);

	(void)user;
	(void)in;
	(void)len;
	if (s == NULL)
		return 0;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		ch_http_listener_accept(s);
	if (reason == LWS_CALLBACK_WSI_DESTROY) {
		s->listener = NULL;
		s->listen_fd = -1;
	}
	return 0;
}

static void
start_on_thread(void *ctx)
{
	struct ch_http_server *s = ctx;
	struct lws_context_creation_info info;
	lws_adopt_desc_t desc;

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.protocols = protocols;
	info.retry_and_idle_policy = &liveness;
	info.options = LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG;
	s->vhost = ch_net_vhost(s->net, "ch-server", &info);
	if (s->vhost == NULL)
		return;
	memset(&desc, 0, sizeof(desc));
	desc.vh = s->vhost;
	desc.type = LWS_ADOPT_RAW_FILE_DESC;
	desc.fd.filefd = s->listen_fd;
	desc.vh_prot_name = "ch-listen";
	desc.opaque = s;
	s->listener = lws_adopt_descriptor_vhost_via_info(&desc);
	if (s->listener != NULL)
		ch_net_timer_set(s->tick, TICK_MS);
}

static void
close_listener(struct ch_http_server *s)
{
	if (s->listener != NULL) { /* lws closes the fd */
		lws_set_opaque_user_data(s->listener, NULL);
		lws_set_timeout(s->listener, PENDING_TIMEOUT_USER_OK,
			LWS_TO_KILL_SYNC);
	}
	s->listener = NULL;
	s->listen_fd = -1;
}

static void
drain_on_thread(void *ctx)
{
	struct ch_http_server *s = ctx;

	close_listener(s);
	for (uint32_t i = 0; i < s->slot_count; i++) {
		if (s->slots[i] == NULL)
			continue;
		s->slots[i]->close_after = true;
		if (s->slots[i]->state == HTTP_IDLE)
			kill_conn(s->slots[i]);
	}
}

static void
stop_on_thread(void *ctx)
{
	struct ch_http_server *s = ctx;

	close_listener(s);
	for (uint32_t i = 0; i < s->slot_count; i++) {
		struct http_conn *c = s->slots[i];
		struct lws *wsi = c != NULL ? c->wsi : NULL;

		if (c == NULL)
			continue;
		/* lws may still flush and linger: it does so without us. */
		lws_set_opaque_user_data(wsi, NULL);
		ch_http_conn_free(c);
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
	}
	ch_net_timer_free(s->tick);
	ch_net_timer_free(s->accept_again);
}

static void
fill_defaults(struct ch_http_server_options *o)
{
	if (o->max_connections == 0)
		o->max_connections = 1024;
	if (o->max_body == 0)
		o->max_body = 65536;
	if (o->max_head == 0)
		o->max_head = 16384;
	if (o->max_headers == 0)
		o->max_headers = 100;
	if (o->max_message == 0)
		o->max_message = 65536;
	if (o->max_queue == 0)
		o->max_queue = 262144;
	if (o->request_timeout_ms == 0)
		o->request_timeout_ms = 10000;
	if (o->keepalive_ms == 0)
		o->keepalive_ms = 60000;
}

static void
copy_routes(struct ch_http_server *s, const struct ch_http_server_options *opt)
{
	size_t n = 0, w = 0;

	while (opt->routes != NULL && opt->routes[n].path != NULL)
		n++;
	while (opt->ws_routes != NULL && opt->ws_routes[w].path != NULL)
		w++;
	s->routes = ch_xcalloc(n + 1, sizeof(*s->routes));
	s->ws_routes = ch_xcalloc(w + 1, sizeof(*s->ws_routes));
	if (n > 0)
		memcpy(s->routes, opt->routes, n * sizeof(*s->routes));
	if (w > 0)
		memcpy(s->ws_routes, opt->ws_routes, w * sizeof(*s->ws_routes));
	s->route_count = n;
	s->ws_route_count = w;
}

static void
server_free(struct ch_http_server *s)
{
	free(s->name);
	free(s->routes);
	free(s->ws_routes);
	free(s->slots);
	ch_buf_free(&s->scratch);
	free(s);
}

int
ch_http_server_start(struct ch_http_server **out, struct ch_net *net,
	const struct ch_http_server_options *opt, struct ch_err *err)
{
	struct ch_http_server *s = ch_xcalloc(1, sizeof(*s));
	int rc;

	s->magic = HTTP_SERVER_MAGIC;
	s->net = net;
	s->opt = *opt;
	fill_defaults(&s->opt);
	s->name = ch_xstrdup(opt->name != NULL ? opt->name : "http");
	copy_routes(s, opt);
	s->slot_count = s->opt.max_connections + OVERFLOW_CONNECTIONS;
	s->slots = ch_xcalloc(s->slot_count, sizeof(struct http_conn *));
	s->tick = ch_net_timer_new(net, tick, s);
	s->accept_again = ch_net_timer_new(net, ch_http_listener_resume, s);
	rc = ch_http_listener_open(s, err);
	if (rc == 0) {
		rc = ch_net_call_wait(net, start_on_thread, s);
		if (rc == 0 && s->listener == NULL)
			rc = CH_EIO;
		if (rc < 0)
			(void)ch_err_set(err, (enum ch_code)rc,
				"cannot serve on %s: the network thread "
				"refused",
				s->opt.listen);
	}
	if (rc < 0) {
		if (s->listen_fd >= 0)
			close(s->listen_fd);
		free(s->tick);
		free(s->accept_again);
		server_free(s);
		return rc;
	}
	s->opt.listen = NULL; /* the caller's */
	ch_info("http.listen", CH_S("server", s->name), CH_I("port", s->port));
	*out = s;
	return 0;
}

void
ch_http_server_stop(struct ch_http_server *s)
{
	if (s == NULL)
		return;
	(void)ch_net_call_wait(s->net, stop_on_thread, s);
	server_free(s);
}

void
ch_http_server_drain(struct ch_http_server *s)
{
	(void)ch_net_call_wait(s->net, drain_on_thread, s);
}

int
ch_http_server_port(const struct ch_http_server *s)
{
	return s->port;
}

unsigned
ch_http_server_connections(const struct ch_http_server *s)
{
	return atomic_load(&s->connections);
}

uint64_t
ch_http_server_requests(const struct ch_http_server *s)
{
	return atomic_load(&s->requests);
}
