/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server: HTTP/1.1, server-sent events and WebSockets on a port.
 *
 * A table of routes; each request is parsed whole (path, query, the headers
 * below, body up to a cap) and given to its route on the network thread. The
 * route answers at once, or defers: it keeps a struct ch_http_ref, a plain
 * value that stays safe when the client goes away, and answers later from any
 * thread. An answer for a client that has gone is dropped without harm.
 *
 *	static void
 *	get_prices(struct ch_http_req *req, void *ctx)
 *	{
 *		struct ch_view ids;
 *
 *		if (!ch_http_req_query(req, "ids", &ids))
 *			return refuse(req);
 *		...
 *		struct ch_http_ref ref = ch_http_req_defer(req);
 *	}
 *
 * The server itself answers 400 (malformed, or a GET with a body), 404, 405
 * (with Allow), 408, 411 (chunked request body), 413, 431 (over max_head or
 * max_headers), 503 (over max_connections) and 504 (deferred over the
 * deadline). Request line and headers may have 16 KiB and 100 query arguments
 * or so; beyond, and for a NUL in the path, libwebsockets closes the connection
 * without an answer.
 * HEAD is served by GET routes. Keep-alive is on; a second request sent before
 * a deferred first one was answered may be dropped with its connection. No
 * compression, no TLS: put a proxy in front, or listen on loopback. Idle
 * WebSockets are pinged every 30 s and dropped when no PONG comes within 10 s.
 *
 * Thread: as each function says. One server = one listening address.
 */
#ifndef CH_IO_HTTP_SERVER_H
#define CH_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "io/net_thread.h"

struct ch_http_server;
struct ch_http_req; /* valid only inside the route's function */

/* One request, stream or WebSocket: a value, never dangling. id 0 is none. */
struct ch_http_ref {
	uint64_t id;
};

enum ch_http_method {
	CH_HTTP_GET, /* HEAD too */
	CH_HTTP_POST,
	CH_HTTP_PUT,
	CH_HTTP_DELETE
};

struct ch_http_route {
	enum ch_http_method method;
	const char *path; /* "/v1/prices" exactly; "/v1/prices/" with the '/'
			     at its end: everything below it */
	void (*fn)(struct ch_http_req *req, void *ctx);
	void *ctx;
};

/* WebSocket route. All callbacks: Thread: network. */
struct ch_ws_route {
	const char *path; /* exact */
	/* May the upgrade go on? Read the request (query, headers) here; no
	 * answer may be sent. Returns 0, or the HTTP status to refuse with.
	 * *session_ctx is handed to the other callbacks. May be NULL. */
	int (*accept)(struct ch_http_req *req, void *ctx, void **session_ctx);
	void (*opened)(struct ch_http_ref ref, void *ctx, void *session_ctx);
	/* A whole text or binary message, at most max_message bytes; not
	 * checked for UTF-8. */
	void (*message)(struct ch_http_ref ref, struct ch_view text, void *ctx,
		void *session_ctx);
	/* Exactly once for each accept() that returned 0. */
	void (*closed)(struct ch_http_ref ref, void *ctx, void *session_ctx);
	void *ctx;
};

/* Is it a listen address in one of the forms below? No name is resolved. */
int ch_http_listen_check(const char *listen, struct ch_err *err);

struct ch_http_server_options {
	const char *name;   /* for the log: "admin", "api" */
	const char *listen; /* "127.0.0.1:9100", "[::1]:9100", ":9100" (all
			       addresses), port 0: the kernel picks one */
	const struct ch_http_route *routes;  /* ends with path NULL; copied */
	const struct ch_ws_route *ws_routes; /* the same; may be NULL */
	unsigned max_connections;	     /* 0: 1024; more get 503 */
	size_t max_body;		     /* 0: 65536; more get 413 */
	size_t max_head;	/* path, query and headers, decoded; 0: 16 KiB;
				 more get 431 */
	unsigned max_headers;	/* 0: 100; more get 431 */
	size_t max_message;	/* WebSocket message in; 0: 65536 */
	size_t max_queue;	/* bytes waiting to be sent to one stream or
				     WebSocket; 0: 262144 */
	int request_timeout_ms; /* reading a request and, once deferred,
				     answering it; 0: 10000 */
	int keepalive_ms;	/* idle connection; 0: 60000 */
	bool reuse_port;	/* several processes on one port */
};

/* Listens; returns once the socket is bound. Thread: any. */
int ch_http_server_start(struct ch_http_server **out, struct ch_net *net,
	const struct ch_http_server_options *opt, struct ch_err *err);
/* Closes the listening socket and all connections; closed() callbacks run.
 * NULL is allowed. Afterwards no callback runs. Thread: any but network. */
void ch_http_server_stop(struct ch_http_server *s);
/* Stops to accept, lets requests in flight end; what is left is closed by
 * ch_http_server_stop(). Thread: any. */
void ch_http_server_drain(struct ch_http_server *s);
/* The port really used. Thread: any. */
int ch_http_server_port(const struct ch_http_server *s);
/* Open connections, and requests seen since the start. Thread: any. */
unsigned ch_http_server_connections(const struct ch_http_server *s);
uint64_t ch_http_server_requests(const struct ch_http_server *s);

/* ---- reading a request. Thread: network, inside the route's function ---- */

/* The path after the route's prefix. */
struct ch_view ch_http_req_rest(const struct ch_http_req *req);
/* First query argument of that name, percent-decoded; false if missing.
 * "?verbose" gives true and an empty value. */
bool ch_http_req_query(const struct ch_http_req *req, const char *name,
	struct ch_view *out);
/* Known headers: "host" "accept" "authorization" "content-type"
 * "if-none-match" "last-event-id" "origin" "user-agent" "x-forwarded-for"
 * "x-request-id" "traceparent" "accept-encoding". false if missing. */
bool ch_http_req_header(const struct ch_http_req *req, const char *name,
	struct ch_view *out);
struct ch_view ch_http_req_body(const struct ch_http_req *req);
const char *ch_http_req_peer(const struct ch_http_req *req); /* IP address */

/* ---- answering ---- */

struct ch_http_header {
	const char *name; /* lower case, no colon */
	struct ch_view value;
};

struct ch_http_response {
	int status;
	const char *content_type; /* NULL: "text/plain; charset=utf-8" */
	const struct ch_http_header *headers; /* ends with name NULL, or NULL */
	struct ch_view body;		      /* copied */
};

/* Answers now. Thread: network, inside the route's function. */
void ch_http_reply(struct ch_http_req *req, const struct ch_http_response *r);

/* Answer later: keep the value, leave the function, then call
 * ch_http_reply_later() once. Thread: network, inside the route's function. */
struct ch_http_ref ch_http_req_defer(struct ch_http_req *req);
/* 0 (queued, or the client has gone), CH_EFULL (the network thread's queue has
 * no room: the client will get 504). Thread: any. */
int ch_http_reply_later(struct ch_http_server *s, struct ch_http_ref ref,
	const struct ch_http_response *r);

/* Begins an endless answer (server-sent events): headers go out now, the body
 * by ch_http_send(). closed(ctx, ref) runs once on the network thread when it
 * is over, whoever ended it. A HEAD request is answered at once: the ref is 0
 * and closed() does not run. Thread: network, inside the route's function. */
struct ch_http_ref ch_http_req_stream(struct ch_http_req *req,
	const struct ch_http_response *head,
	void (*closed)(struct ch_http_ref ref, void *ctx), void *ctx);

/* Sends bytes on a stream, or one text message on a WebSocket. Copied.
 * 0; CH_EFULL: over max_queue (a slow reader) and nothing was queued: drop it
 * or ch_http_close(); CH_ECLOSED: it has gone. On the network thread the answer
 * is exact; from other threads 0 means handed over, and CH_EFULL may also mean
 * that the network thread's queue is full. Thread: any. */
int ch_http_send(struct ch_http_server *s, struct ch_http_ref ref,
	struct ch_view bytes);
/* Ends a stream or WebSocket after what is queued was sent. Thread: any. */
void ch_http_close(struct ch_http_server *s, struct ch_http_ref ref);

#endif
