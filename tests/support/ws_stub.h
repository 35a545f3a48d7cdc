/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_stub: a WebSocket server over plain sockets that misbehaves on demand,
 * for what libwebsockets cannot be made to do. One connection at a time, on a
 * thread of its own. Shares no code with common/io/ws_client.c.
 */
#ifndef WS_STUB_H
#define WS_STUB_H

#include <stdbool.h>

enum ws_stub_mode {
	WS_STUB_SILENT,	     /* accepts and never says a word */
	WS_STUB_TOO_MANY,    /* answers 429 with Retry-After: 7 */
	WS_STUB_CLOSE_FIRST, /* closes before it answers */
	WS_STUB_GARBAGE,     /* answers with bytes that are no HTTP */
	WS_STUB_DROP,	     /* opens, sends "hello", cuts the connection */
	WS_STUB_CLOSE_FRAME, /* opens, sends a close frame with code 1001 */
	WS_STUB_FRAGMENTS,   /* opens, sends 12,000 bytes in 3 fragments with
				a ping in between, then "end" */
	WS_STUB_HUGE,	     /* opens, sends a message of 100,000 bytes */
	WS_STUB_FLOOD,	     /* opens, sends a message of 64 MiB, deaf to what
				the client says, until it is cut off */
	WS_STUB_FLOOD_FF,    /* the same, each byte 0xff: no UTF-8 */
	WS_STUB_ECHO	     /* opens, sends every text message back */
};

struct ws_stub;

struct ws_stub *ws_stub_start(enum ws_stub_mode mode);
int ws_stub_port(const struct ws_stub *s);
int ws_stub_accepted(const struct ws_stub *s); /* connections so far */
void ws_stub_stop(struct ws_stub *s);

#endif
