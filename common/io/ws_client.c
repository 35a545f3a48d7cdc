/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_client: see ws_client.h.
 *
 *	IDLE -> RESOLVING -> CONNECTING -> OPEN -> IDLE (closed() runs)
 *
 * Names are resolved on a thread of their own, since getaddrinfo(3) blocks and
 * this thread answers health checks. The addresses are tried in order within
 * the one connect deadline.
 *
 * libwebsockets tells the end of an attempt in four different ways, depending
 * on what failed; some failures only destroy the socket object, some only
 * return NULL. So an attempt ends in exactly one place, attempt_over(), which
 * is reached from the object's destruction and from a NULL return.
 * Invariant: closed() runs once per attempt, and c->wsi is NULL before it.
 */
#include "io/ws_client.h"

#include <assert.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ADDRESSES_MAX 8
#define REASON_MAX 256
#define RETRY_AFTER_MAX_S 3600
#define RETRY_POST_MS 10
#define RX_BUFFER 4096
#define CLOSE_WAIT_MS 1000 /* for the peer's close frame */

enum ws_state { WS_IDLE, WS_RESOLVING, WS_CONNECTING, WS_OPEN };

struct ws_out {
	struct ws_out *next;
	struct ch_ws_client *client;
	size_t len;
	unsigned char bytes[];
};

/* Belongs to the resolver's thread until it is posted back. */
struct resolve {
	struct ch_net *net;
	struct ch_ws_client *client; /* network thread: NULL when given up */
	char host[256];
	char port[8];
	char addresses[ADDRESSES_MAX][64];
	int count;
	int rc;
};

struct ch_ws_client {
	struct ch_net *net;
	struct ch_ws_client_options opt;
	char *subprotocol;
	char host[256];
	char host_header[264];
	char *path;
	uint16_t port;
	bool tls;

	/* network thread only */
	enum ws_state state;
	struct lws *wsi;
	struct resolve *resolve;
	char addresses[ADDRESSES_MAX][64];
	int address_count, address_next;
	struct ch_net_timer *deadline;
	bool in_connect; /* inside lws_client_connect_via_info() */
	bool closing;	 /* asked for by the owner */
	bool ending;	 /* our close frame is on its way */
	enum lws_close_status close_status; /* what it says */
	bool was_open;
	struct ch_ws_closed end;
	char reason[REASON_MAX];
	struct ch_buf message;
	struct ws_out *out_head, *out_tail;

	/* any thread */
	atomic_bool freeing;
	atomic_bool open;
	atomic_size_t queued;
};

static int ws_callback(struct lws *wsi, enum lws_callback_reasons reason,
	void *user, void *in, size_t len);

static const struct lws_protocols protocols[] = {
	{.name = "ch-ws-client",
		.callback = ws_callback,
		.rx_buffer_size = RX_BUFFER},
	LWS_PROTOCOL_LIST_TERM};

/* The owner watches the age of the data; no pings of libwebsockets' own. */
static const uint32_t retry_unused[] = {1000};
static const lws_retry_bo_t no_pings = {
	.retry_ms_table = retry_unused, .retry_ms_table_count = 1};

/* ---- the end of an attempt ---- */

static void
note_failure(struct ch_ws_client *c, enum ch_code code, const char *reason)
{
	if (c->reason[0] != '\0')
		return; /* the first one is the cause */
	c->end.code = code;
	(void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

static void
drop_queue(struct ch_ws_client *c)
{
	while (c->out_head != NULL) {
		struct ws_out *o = c->out_head;

		c->out_head = o->next;
		atomic_fetch_sub(&c->queued, o->len);
		free(o);
	}
	c->out_tail = NULL;
}

static void
finish(struct ch_ws_client *c)
{
	struct ch_ws_closed end = c->end;
	char reason[REASON_MAX];

	assert(c->wsi == NULL && c->resolve == NULL);
	ch_net_timer_cancel(c->deadline);
	drop_queue(c);
	ch_buf_free(&c->message);
	memcpy(reason, c->reason, sizeof(reason));
	end.was_open = c->was_open;
	end.reason = reason;
	c->state = WS_IDLE;
	if (c->opt.closed != NULL)
		c->opt.closed(c->opt.ctx, &end);
}

static void connect_next(struct ch_ws_client *c);

static void
attempt_over(struct ch_ws_client *c)
{
	bool refused = c->end.http_status != 0 || c->was_open || c->closing ||
		c->end.code == CH_ETIMEOUT;

	atomic_store(&c->open, false);
	if (c->state == WS_CONNECTING && !refused &&
		c->address_next < c->address_count) {
		c->reason[0] = '\0';
		connect_next(c);
		return;
	}
	if (c->closing)
		note_failure(c, CH_ECLOSED, "closed by us");
	note_failure(c, c->was_open ? CH_ECLOSED : CH_EIO,
		c->was_open ? "connection lost" : "no connection");
	finish(c);
}

/* ---- connecting ---- */

static struct lws_vhost *
client_vhost(struct ch_ws_client *c)
{
	struct lws_context_creation_info info;

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.client_ssl_ca_filepath = ch_net_ca_file(c->net);
	info.retry_and_idle_policy = &no_pings;
	info.ka_time = 30;
	info.ka_interval = 10;
	info.ka_probes = 3;
	return ch_net_vhost(c->net, "ch-client", &info);
}

static void
connect_next(struct ch_ws_client *c)
{
	struct lws_client_connect_info i;
	struct lws *wsi;

	memset(&i, 0, sizeof(i));
	i.context = ch_net_lws(c->net);
	i.vhost = client_vhost(c);
	i.address = c->addresses[c->address_next++];
	i.port = c->port;
	i.path = c->path;
	i.host = c->host_header;
	i.origin = NULL;
	i.ssl_connection = c->tls ? LCCSCF_USE_SSL : 0;
	i.alpn = "http/1.1";
	i.protocol = c->subprotocol;
	i.local_protocol_name = protocols[0].name;
	i.opaque_user_data = c;
	i.pwsi = &c->wsi;
	i.retry_and_idle_policy = &no_pings;
	(void)ch_net_last_complaint();
	c->in_connect = true;
	wsi = i.vhost != NULL ? lws_client_connect_via_info(&i) : NULL;
	c->in_connect = false;
	if (wsi != NULL && c->wsi != NULL)
		return;
	/* It failed inside: destroyed already, or there was no callback. */
	c->wsi = NULL;
	note_failure(c, CH_EIO,
		i.vhost == NULL ? "no TLS context: is the CA file readable?"
				: "cannot connect");
	attempt_over(c);
}

static void
add_address(struct resolve *r, const struct addrinfo *ai)
{
	if (r->count < ADDRESSES_MAX &&
		getnameinfo(ai->ai_addr, ai->ai_addrlen, r->addresses[r->count],
			sizeof(r->addresses[0]), NULL, 0, NI_NUMERICHOST) == 0)
		r->count++;
}

static void
look_up(struct resolve *r, int flags)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags};
	struct addrinfo *list = NULL;

	r->rc = getaddrinfo(r->host, r->port, &hints, &list);
	for (struct addrinfo *ai = r->rc == 0 ? list : NULL; ai != NULL;
		ai = ai->ai_next)
		add_address(r, ai);
	if (r->rc == 0)
		freeaddrinfo(list);
}

static void
resolved(void *ctx)
{
	struct resolve *r = ctx;
	struct ch_ws_client *c = r->client;

	if (c != NULL) {
		c->resolve = NULL;
		c->state = WS_CONNECTING;
		memcpy(c->addresses, r->addresses, sizeof(c->addresses));
		c->address_count = r->count;
		c->address_next = 0;
		if (r->rc != 0 || r->count == 0) {
			char text[REASON_MAX];

			(void)snprintf(text, sizeof(text), "%.120s: %s",
				c->host,
				r->rc != 0 ? gai_strerror(r->rc)
					   : "no address");
			note_failure(c, CH_EIO, text);
			attempt_over(c);
		} else
			connect_next(c);
	}
	free(r);
}

static void *
resolve_main(void *arg)
{
	struct resolve *r = arg;
	struct ch_net *net = r->net;
	int rc;

	pthread_setname_np(pthread_self(), "resolver");
	look_up(r, AI_ADDRCONFIG);
	while ((rc = ch_net_call(net, resolved, r)) == CH_EFULL)
		(void)poll(NULL, 0, RETRY_POST_MS);
	if (rc < 0)
		free(r); /* the network thread has ended */
	ch_net_release(net);
	return NULL;
}

static void
start_resolving(struct ch_ws_client *c)
{
	struct resolve *r = ch_xcalloc(1, sizeof(*r));
	pthread_t thread;

	r->net = c->net;
	r->client = c;
	memcpy(r->host, c->host, sizeof(r->host));
	(void)snprintf(r->port, sizeof(r->port), "%u", (unsigned)c->port);
	c->state = WS_RESOLVING;
	c->resolve = r;
	look_up(r, AI_NUMERICHOST);
	if (r->rc == 0) {
		resolved(r);
		return;
	}
	ch_net_hold(c->net);
	if (pthread_create(&thread, NULL, resolve_main, r) == 0) {
		pthread_detach(thread);
		return;
	}
	ch_net_release(c->net);
	r->rc = EAI_MEMORY;
	resolved(r);
}

static void
do_connect(void *ctx)
{
	struct ch_ws_client *c = ctx;

	if (c->state != WS_IDLE)
		return;
	memset(&c->end, 0, sizeof(c->end));
	c->end.retry_after_s = -1;
	c->reason[0] = '\0';
	c->was_open = false;
	c->closing = false;
	c->ending = false;
	c->close_status = LWS_CLOSE_STATUS_NORMAL;
	ch_net_timer_set(c->deadline, c->opt.connect_timeout_ms);
	start_resolving(c);
}

static void
give_up_resolving(struct ch_ws_client *c)
{
	c->resolve->client = NULL;
	c->resolve = NULL;
	attempt_over(c);
}

static void
deadline_passed(void *ctx)
{
	struct ch_ws_client *c = ctx;
	char text[REASON_MAX];

	if (c->state == WS_IDLE || (c->state == WS_OPEN && !c->ending))
		return;
	if (c->state == WS_OPEN) { /* the peer does not answer our close */
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK,
			LWS_TO_KILL_ASYNC);
		return;
	}
	(void)snprintf(text, sizeof(text), "not open within %d ms (%s)",
		c->opt.connect_timeout_ms,
		c->state == WS_RESOLVING ? "looking up the name"
					 : "connecting");
	c->reason[0] = '\0';
	note_failure(c, CH_ETIMEOUT, text);
	if (c->state == WS_RESOLVING)
		give_up_resolving(c);
	else if (c->wsi != NULL)
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK,
			LWS_TO_KILL_ASYNC);
}

/* ---- libwebsockets' callbacks ---- */

static int
clamp_seconds(const char *text)
{
	int64_t n;

	if (ch_view_int(ch_view_trim(ch_view_of(text)), 0, INT64_MAX, &n) < 0)
		return -1;
	return n > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int)n;
}

/* The server answered the upgrade with something else: its headers can be
 * read now, and only now. */
static void
read_refusal(struct ch_ws_client *c, struct lws *wsi)
{
	char text[32] = "";

	c->end.http_status = (int)lws_http_client_http_response(wsi);
	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_RETRY_AFTER) >
		0)
		c->end.retry_after_s = clamp_seconds(text);
}

static void
connection_error(struct ch_ws_client *c, struct lws *wsi, const char *text)
{
	const char *complaint = ch_net_last_complaint();
	int status = (int)lws_http_client_http_response(wsi);
	char reason[REASON_MAX];
	bool answered = status >= 100 && status <= 999 && status != 101;

	if (answered)
		c->end.http_status = status;
	if (answered)
		(void)snprintf(reason, sizeof(reason),
			"upgrade answered with status %d", status);
	else
		(void)snprintf(reason, sizeof(reason), "%.100s%s%.120s",
			text != NULL ? text : "connection failed",
			c->tls && complaint[0] != '\0' ? "; " : "",
			c->tls ? complaint : "");
	note_failure(c, answered ? CH_EPROTO : CH_EIO, reason);
}

/* Returns what makes lws close. */
static int
end_socket(struct ch_ws_client *c, enum lws_close_status status)
{
	c->ending = true;
	atomic_store(&c->open, false);
	ch_net_timer_set(c->deadline, CLOSE_WAIT_MS);
	lws_close_reason(c->wsi, status, NULL, 0);
	return -1;
}

/* Never returns -1: libwebsockets 4.3.5's client parser then leaves its
 * receive buffer full and, until the close is over, writes what the peer
 * sends behind the buffer's end. The close is begun from writable(). For the
 * same reason LWS_SERVER_OPTION_VALIDATE_UTF8 stays off: its refusal leaves the
 * parser in that state without asking us. */
static int
received(struct ch_ws_client *c, const void *bytes, size_t len)
{
	if (c->closing || c->ending)
		return 0;
	if (c->message.len + len > c->opt.max_message) {
		note_failure(c, CH_EPROTO, "message over max_message");
		c->close_status = LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE;
		c->closing = true;
		c->ending = true;
		atomic_store(&c->open, false);
		ch_net_timer_set(c->deadline, CLOSE_WAIT_MS);
		lws_callback_on_writable(c->wsi);
		return 0;
	}
	if (len > 0)
		ch_buf_add(&c->message, bytes, len);
	if (lws_remaining_packet_payload(c->wsi) > 0 ||
		!lws_is_final_fragment(c->wsi))
		return 0;
	if (c->opt.message != NULL)
		c->opt.message(c->opt.ctx, ch_buf_view(&c->message));
	ch_buf_clear(&c->message);
	return 0;
}

static int
writable(struct ch_ws_client *c)
{
	struct ws_out *o = c->out_head;
	int n;

	if (o == NULL && c->closing)
		return end_socket(c, c->close_status);
	if (o == NULL)
		return 0;
	c->out_head = o->next;
	if (c->out_head == NULL)
		c->out_tail = NULL;
	n = lws_write(c->wsi, o->bytes + LWS_PRE, o->len, LWS_WRITE_TEXT);
	atomic_fetch_sub(&c->queued, o->len);
	free(o);
	if (c->out_head != NULL || c->closing)
		lws_callback_on_writable(c->wsi);
	return n < 0 ? -1 : 0;
}

static void
established(struct ch_ws_client *c)
{
	c->state = WS_OPEN;
	c->was_open = true;
	c->reason[0] = '\0';
	ch_net_timer_cancel(c->deadline);
	atomic_store(&c->open, true);
	if (c->closing)
		lws_callback_on_writable(c->wsi);
	else if (c->opt.opened != NULL)
		c->opt.opened(c->opt.ctx);
}

static void
peer_close(struct ch_ws_client *c, const unsigned char *in, size_t len)
{
	char text[REASON_MAX];

	if (len < 2) {
		note_failure(c, CH_ECLOSED, "closed by the peer");
		return;
	}
	c->end.close_code = in[0] << 8 | in[1];
	(void)snprintf(text, sizeof(text), "closed by the peer: code %d %.*s",
		c->end.close_code, (int)(len - 2 < 123 ? len - 2 : 123),
		(const char *)in + 2);
	note_failure(c, CH_ECLOSED, text);
}

static void
destroyed(struct ch_ws_client *c, struct lws *wsi)
{
	lws_set_opaque_user_data(wsi, NULL);
	if (c->wsi != NULL && c->wsi != wsi)
		return;
	c->wsi = NULL;
	if (!c->in_connect)
		attempt_over(c);
}

static int
ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
	void *in, size_t len)
{
	struct ch_ws_client *c = lws_get_opaque_user_data(wsi);

	(void)user;
	if (c == NULL)
		return 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
		read_refusal(c, wsi);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		connection_error(c, wsi, in);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		established(c);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return received(c, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return writable(c);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		peer_close(c, in, len);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		destroyed(c, wsi);
		return 0;
	default:
		return 0;
	}
#pragma GCC diagnostic pop
}

/* ---- the owner's calls ---- */

static void
do_close(void *ctx)
{
	struct ch_ws_client *c = ctx;

	if (c->state == WS_IDLE || c->closing)
		return;
	c->closing = true;
	if (c->state == WS_RESOLVING)
		give_up_resolving(c);
	else if (c->wsi != NULL && c->state == WS_OPEN) {
		c->ending = true;
		ch_net_timer_set(c->deadline, CLOSE_WAIT_MS);
		lws_callback_on_writable(c->wsi);
	} else if (c->wsi != NULL)
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK,
			LWS_TO_KILL_ASYNC);
}

static void
do_free(void *ctx)
{
	struct ch_ws_client *c = ctx;
	struct lws *wsi = c->wsi;

	atomic_store(&c->freeing, true); /* closed() cannot connect again */
	if (c->state == WS_RESOLVING) {
		c->closing = true;
		give_up_resolving(c);
	} else if (wsi != NULL) {
		/* Ends here for us, whatever lws still has to flush. */
		c->closing = true;
		lws_set_opaque_user_data(wsi, NULL);
		c->wsi = NULL;
		attempt_over(c);
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
	}
	ch_net_timer_free(c->deadline);
	c->deadline = NULL;
}

static void
do_send(void *ctx)
{
	struct ws_out *o = ctx;
	struct ch_ws_client *c = o->client;

	if (c->state != WS_OPEN || c->closing || c->wsi == NULL) {
		atomic_fetch_sub(&c->queued, o->len);
		free(o);
		return;
	}
	if (c->out_tail != NULL)
		c->out_tail->next = o;
	else
		c->out_head = o;
	c->out_tail = o;
	lws_callback_on_writable(c->wsi);
}

/* host[:port]/path, host may be [v6]. */
static int
split_url(struct ch_ws_client *c, const char *url)
{
	struct ch_view rest = ch_view_of(url), host, port = {NULL, 0};
	size_t authority;
	int64_t n = 0;

	assert(url != NULL);
	c->tls = ch_view_starts(rest, CH_VIEW("wss://"));
	if (!c->tls && !ch_view_starts(rest, CH_VIEW("ws://")))
		return CH_EINVAL;
	rest.ptr += c->tls ? 6 : 5;
	rest.len -= c->tls ? 6 : 5;
	authority = strcspn(rest.ptr, "/?#");
	host = (struct ch_view){rest.ptr, authority};
	if (memchr(host.ptr, '@', host.len) != NULL || host.len == 0)
		return CH_EINVAL;
	if (ch_view_copy(host, c->host_header, sizeof(c->host_header)) < 0)
		return CH_EINVAL;
	if (host.ptr[0] == '[') {
		const char *end = memchr(host.ptr, ']', host.len);

		if (end == NULL)
			return CH_EINVAL;
		port = (struct ch_view){
			end + 1, host.len - (size_t)(end + 1 - host.ptr)};
		host = (struct ch_view){
			host.ptr + 1, (size_t)(end - host.ptr) - 1};
	} else {
		const char *colon = memchr(host.ptr, ':', host.len);

		if (colon != NULL) {
			port = (struct ch_view){
				colon, host.len - (size_t)(colon - host.ptr)};
			host.len = (size_t)(colon - host.ptr);
		}
	}
	n = c->tls ? 443 : 80;
	if (port.len > 0 &&
		(port.ptr[0] != ':' ||
			ch_view_int((struct ch_view){port.ptr + 1,
					    port.len - 1},
				1, 65535, &n) < 0))
		return CH_EINVAL;
	c->port = (uint16_t)n;
	c->path = ch_xstrdup(rest.ptr[authority] == '/' ? rest.ptr + authority
							: "/");
	return host.len > 0 ? ch_view_copy(host, c->host, sizeof(c->host))
			    : CH_EINVAL;
}

int
ch_ws_client_new(struct ch_ws_client **out, struct ch_net *net,
	const struct ch_ws_client_options *opt, struct ch_err *err)
{
	struct ch_ws_client *c = ch_xcalloc(1, sizeof(*c));

	c->net = net;
	c->opt = *opt;
	if (split_url(c, opt->url) < 0) {
		free(c->path);
		free(c);
		return ch_err_set(err, CH_EINVAL,
			"\"%s\" is no WebSocket URL (ws://host:port/path or "
			"wss://...)",
			opt->url);
	}
	if (c->opt.connect_timeout_ms == 0)
		c->opt.connect_timeout_ms = 10000;
	if (c->opt.max_message == 0)
		c->opt.max_message = 1 << 20;
	if (c->opt.max_queue == 0)
		c->opt.max_queue = 262144;
	c->opt.url = NULL; /* the caller's */
	c->subprotocol =
		opt->subprotocol != NULL ? ch_xstrdup(opt->subprotocol) : NULL;
	c->deadline = ch_net_timer_new(net, deadline_passed, c);
	*out = c;
	return 0;
}

int
ch_ws_client_connect(struct ch_ws_client *c)
{
	if (atomic_load(&c->freeing))
		return CH_ECLOSED;
	return ch_net_call(c->net, do_connect, c);
}

int
ch_ws_client_send(struct ch_ws_client *c, struct ch_view text)
{
	struct ws_out *o;
	int rc = 0;

	if (!atomic_load(&c->open))
		return CH_ECLOSED;
	if (atomic_fetch_add(&c->queued, text.len) + text.len >
		c->opt.max_queue) {
		atomic_fetch_sub(&c->queued, text.len);
		return CH_EFULL;
	}
	o = ch_xmalloc(sizeof(*o) + LWS_PRE + text.len);
	o->next = NULL;
	o->client = c;
	o->len = text.len;
	if (text.len > 0)
		memcpy(o->bytes + LWS_PRE, text.ptr, text.len);
	if (ch_net_on_thread(c->net))
		do_send(o);
	else
		rc = ch_net_call(c->net, do_send, o);
	if (rc < 0) {
		atomic_fetch_sub(&c->queued, text.len);
		free(o);
	}
	return rc;
}

void
ch_ws_client_close(struct ch_ws_client *c)
{
	if (!atomic_load(&c->freeing))
		(void)ch_net_call(c->net, do_close, c);
}

void
ch_ws_client_free(struct ch_ws_client *c)
{
	if (c == NULL)
		return;
	assert(!ch_net_on_thread(c->net)); /* calls may still be queued */
	(void)ch_net_call_wait(c->net, do_free, c);
	free(c->deadline);
	free(c->path);
	free(c->subprotocol);
	ch_buf_free(&c->message);
	free(c);
}
