/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_client: one WebSocket connection to a server, attempt by attempt.
 *
 * ch_ws_client_connect() makes one attempt. Whatever happens to it (refused,
 * unknown name, silent peer, certificate not trusted, upgrade answered 429,
 * dropped later, closed by us), closed() runs exactly once for that attempt,
 * never from inside connect(). When and whether to try again is the owner's
 * policy; calling connect() from closed() is allowed.
 *
 * TLS certificates are always verified. permessage-deflate is never offered.
 *
 * Thread: all callbacks run on the network thread; functions as they say.
 */
#ifndef CH_IO_WS_CLIENT_H
#define CH_IO_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "io/net_thread.h"

struct ch_ws_client;

struct ch_ws_closed {
	bool was_open;	    /* opened() had run */
	int http_status;    /* the upgrade's answer when it was refused, or 0 */
	int retry_after_s;  /* from that answer, 0 to 3600; -1: none */
	int close_code;	    /* the peer's WebSocket close code, or 0 */
	enum ch_code code;  /* CH_ECLOSED (peer or we closed), CH_EIO,
			       CH_ETIMEOUT, CH_EPROTO (a message over the cap,
			       bad upgrade) */
	const char *reason; /* one line, never NULL; until the return */
};

struct ch_ws_client_options {
	const char *url;	 /* ws://host[:port]/path or wss://... */
	const char *subprotocol; /* NULL: none */
	int connect_timeout_ms;	 /* name, TCP, TLS and upgrade; 0: 10000 */
	size_t max_message; /* 0: 1 MiB; a longer one ends the connection */
	size_t max_queue;   /* bytes waiting to be sent; 0: 262144 */
	void (*opened)(void *ctx);
	/* A whole text or binary message, reassembled; until the return.
	 * Not checked for UTF-8: whoever decodes it does that. */
	void (*message)(void *ctx, struct ch_view text);
	void (*closed)(void *ctx, const struct ch_ws_closed *why);
	void *ctx;
};

/* Checks the url (CH_EINVAL), copies the options. No traffic yet.
 * Thread: any. */
int ch_ws_client_new(struct ch_ws_client **out, struct ch_net *net,
	const struct ch_ws_client_options *opt, struct ch_err *err);
/* Starts an attempt; while one is under way it does nothing. 0 or CH_ECLOSED
 * when the network thread stops. Thread: any. */
int ch_ws_client_connect(struct ch_ws_client *c);
/* Queues one text message. 0, CH_EFULL, CH_ECLOSED (not open).
 * Thread: any. */
int ch_ws_client_send(struct ch_ws_client *c, struct ch_view text);
/* Ends the attempt; closed() follows if one was under way. Thread: any. */
void ch_ws_client_close(struct ch_ws_client *c);
/* Closes and frees; closed() may run a last time before it returns.
 * Thread: any but network. NULL is allowed. */
void ch_ws_client_free(struct ch_ws_client *c);

#endif
