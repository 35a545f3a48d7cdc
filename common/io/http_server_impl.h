/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server_impl: what the files of http_server share: http_server.c
 * (routing, the life of a connection), http_listener.c (accepting),
 * http_request.c (reading), http_response.c (writing), http_remote.c (answers
 * from other threads). Nobody else includes it.
 *
 * Thread: network, for everything here.
 *
 *	IDLE -> READING -> ROUTING -> WRITING -> IDLE	(keep-alive)
 *	  |		      |-> DEFERRED -> WRITING
 *	  |		      `-> STREAM
 *	  `-> OPENING -> SOCKET				(WebSocket)
 *	any -> FLUSHING -> gone
 */
#ifndef CH_IO_HTTP_SERVER_IMPL_H
#define CH_IO_HTTP_SERVER_IMPL_H

#include <libwebsockets.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/http_server.h"

#define HTTP_CONN_MAGIC 0x48747470u
#define HTTP_SERVER_MAGIC 0x48747473u
#define HTTP_QUERY_MAX 128
#define HTTP_HEADER_MAX 2048
#define HTTP_SAID_MAX 128

enum http_state {
	HTTP_IDLE,     /* waits for a request */
	HTTP_READING,  /* has the headers, reads the body */
	HTTP_ROUTING,  /* the route's function runs */
	HTTP_DEFERRED, /* the route will answer later */
	HTTP_WRITING,  /* the answer is in out, waits for the socket */
	HTTP_STREAM,   /* endless answer */
	HTTP_OPENING,  /* WebSocket accepted, upgrade under way */
	HTTP_SOCKET,   /* WebSocket open */
	HTTP_FLUSHING  /* closes when what was written has gone */
};

struct http_out {
	struct http_out *next;
	size_t len;
	unsigned char bytes[]; /* LWS_PRE of room, then len bytes */
};

struct ch_http_req {
	struct http_conn *conn;
	struct ch_arena arena;
	struct ch_view path;
	struct ch_view rest;
	struct ch_view body;
	const char *query[HTTP_QUERY_MAX]; /* "name=value", decoded */
	int query_count;
	enum ch_http_method method;
	bool head;
	bool http10;
	bool allowed_else; /* the path is known, under other methods */
};

struct http_conn {
	unsigned magic; /* first here and in the server: see http_callback() */
	struct ch_http_server *server;
	struct lws *wsi;
	uint32_t slot;
	uint32_t generation; /* rises with each request: old refs are dead */
	enum http_state state;
	bool overflow; /* over max_connections: gets a 503 */
	bool close_after;
	bool ending; /* stream or socket: close when the queue is empty */
	struct ch_mono deadline; /* ns 0: none */
	char peer[64];

	struct ch_http_req req;
	const struct ch_http_route *route;
	struct ch_buf body; /* request body, or WebSocket message */

	struct http_out *out_head, *out_tail;
	size_t out_bytes;

	void (*stream_closed)(struct ch_http_ref ref, void *ctx);
	void *stream_ctx;
	const struct ch_ws_route *ws;
	void *session_ctx;
};

struct ch_http_server {
	unsigned magic;
	struct ch_net *net;
	struct ch_http_server_options opt; /* defaults filled in */
	char *name;
	struct ch_http_route *routes;
	size_t route_count;
	struct ch_ws_route *ws_routes;
	size_t ws_route_count;

	struct lws_vhost *vhost;
	struct lws *listener;
	int listen_fd;
	int port;
	struct ch_net_timer *tick;	   /* deadlines */
	struct ch_net_timer *accept_again; /* after EMFILE */

	struct http_conn **slots;
	uint32_t slot_count;
	uint32_t next_generation;
	struct ch_buf scratch; /* LWS_PRE of room, then the answer */
	char date[64];
	int64_t date_s;

	atomic_uint connections;
	atomic_ullong requests;
	atomic_size_t handed_over; /* bytes in jobs of other threads */
};

/* http_server.c */
struct http_conn *ch_http_conn_find(struct ch_http_server *s,
	struct ch_http_ref ref);
struct ch_http_ref ch_http_conn_ref(const struct http_conn *c);
void ch_http_conn_deadline(struct http_conn *c, int64_t ms); /* 0: none */
struct http_conn *ch_http_conn_new(struct ch_http_server *s, const char *peer);
void ch_http_conn_free(struct http_conn *c); /* its callbacks run */

/* http_listener.c */
int ch_http_listener_open(struct ch_http_server *s, struct ch_err *err);
void ch_http_listener_accept(struct ch_http_server *s);
void ch_http_listener_resume(void *server); /* after a pause: a timer's call */

/* http_request.c */
void ch_http_req_begin(struct http_conn *c, struct ch_view path,
	int lws_method);
void ch_http_req_end(struct http_conn *c);
const struct ch_http_route *ch_http_req_route(struct http_conn *c);
/* 0 go on, or the status to refuse it with. *body_len: -1 none. */
int ch_http_req_check_body(struct http_conn *c, int64_t *body_len);
/* 0 go on, or 431 and what is too much. */
int ch_http_req_check_head(struct http_conn *c, char said[HTTP_SAID_MAX]);

/* http_response.c: each returns what the lws callback has to return. */
void ch_http_out_free(struct http_conn *c);
/* Renders r into the connection's queue. */
void ch_http_out_response(struct http_conn *c,
	const struct ch_http_response *r);
int ch_http_out_bytes(struct http_conn *c, struct ch_view bytes);
/* Writes the rendered answer and ends the transaction. */
int ch_http_out_finish(struct http_conn *c);
/* Writes what waits on a stream or WebSocket. */
int ch_http_out_pump(struct http_conn *c);
/* said: what it says beside the status; NULL: nothing. */
int ch_http_out_refuse(struct http_conn *c, int status, const char *said);

#endif
