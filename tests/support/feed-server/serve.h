/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: the feed's WebSocket, with its habits and, on command, its faults.
 *
 * Habits (notes/market-feed.md, sections 1.2 and 1.5): the first frame after a
 * subscription is an empty text; a subscription without `action` is accepted
 * and ignored; a malformed one, or one with an object as filter, drops the
 * connection; PING is answered by PONG or by an empty text; frames come in
 * bursts, each 0.3 s. While nobody is subscribed the market stands still, so
 * that a test knows what a client must have seen.
 *
 * Commands, lines appended to the control file:
 *	silence | resume	no data frames, pings answered
 *	mute | unmute		nothing at all is answered
 *	close			closes every connection, after what is queued
 *	malformed | notice | huge | blank	sends such frames
 *	refuse <status> | accept	new connections
 *	rate <n> | send <n>	frames a second; n frames at once
 *	redeliver <n>		a new subscription first gets the last n frames
 *
 * Thread: serve_start and serve_stop main; everything else is on the network
 * thread.
 */
#ifndef FEED_SERVER_SERVE_H
#define FEED_SERVER_SERVE_H

#include <stdio.h>

#include "io/http_server.h"
#include "source.h"

struct serve_options {
	const char *listen;
	const char *control; /* file, or NULL */
	FILE *sent;	     /* a line for each frame sent, or NULL */
	struct source *source;
	int64_t rate;	/* frames a second */
	int64_t frames; /* then silence; 0: no end */
};

struct serve;

int serve_start(struct serve **out, struct ch_net *net,
	const struct serve_options *opt, struct ch_err *err);
int serve_port(const struct serve *s);
void serve_stop(struct serve *s);

#endif
