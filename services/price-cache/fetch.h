/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch: makes the desk's calls to the upstreams.
 *
 * The HTTP client's thread makes the calls and reads the answers, so that a big
 * JSON costs the network thread nothing. Every call that was handed over gives
 * exactly one answer in fetch_next(), also when it could not be made.
 *
 * Thread: as each function says.
 */
#ifndef PRICE_CACHE_FETCH_H
#define PRICE_CACHE_FETCH_H

#include "desk.h"
#include "io/net_thread.h"
#include "meters.h"

struct fetch;

struct fetch_options {
	struct ch_net *net;
	const char *url[UPSTREAMS]; /* base, without the path; "" : none */
	int attempt_ms[UPSTREAMS];
	size_t max_body;
	unsigned max_in_flight;
	const char *user_agent;
	const char *ca_file; /* "": the system's */
	struct meters *meters;
	/* An answer waits in fetch_next(). Thread: network. */
	void (*ready)(void *ctx);
	void *ctx;
};

/* Thread: main. */
int fetch_open(struct fetch **out, const struct fetch_options *opt,
	struct ch_err *err);
/* Copies what it needs. Thread: network. */
void fetch_send(struct fetch *f, const struct desk_call *call);
/* The next answer, whose prices are the caller's (desk_answer() empties them;
 * then give the answer back with fetch_done()). Thread: network. */
struct desk_answer *fetch_next(struct fetch *f);
void fetch_done(struct desk_answer *a);
/* Cancels what is under way. No ready() afterwards. Thread: main. */
void fetch_close(struct fetch *f);

#endif
