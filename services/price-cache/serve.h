/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: GET /v1/prices on the public port, and the desk behind it.
 *
 * The desk lives on the network thread, so a price that is in the cache is
 * answered without a hop between threads or a lock. Prices that came from an
 * upstream are handed to the main thread through a bounded ring; when it is
 * full they are dropped there (counted), never waited for.
 *
 * Thread: main, but where it says otherwise.
 */
#ifndef PRICE_CACHE_SERVE_H
#define PRICE_CACHE_SERVE_H

#include "base/ring.h"
#include "fetch.h"
#include "meters.h"
#include "update.h"

#define SERVE_IDS_MAX 100

struct serve;

struct serve_options {
	struct ch_net *net;
	const struct ch_clock *clock;
	struct meters *meters;
	const char *listen;
	unsigned max_connections;
	const char *port_file; /* "": none; the port is written there */
	struct desk_limits desk;
	struct fetch_options fetch; /* net, meters, ready, ctx: serve's */
	struct ch_ring *updates;    /* of struct update; not owned */
};

int serve_open(struct serve **out, const struct serve_options *opt,
	struct ch_err *err);
/* No new connections; requests under way are answered. */
void serve_drain(struct serve *s);
/* Nobody waits any more. Thread: any. */
bool serve_is_idle(const struct serve *s);
int serve_port(const struct serve *s);
/* Gives prices of an earlier life to the cache; takes them all over. */
void serve_restore(struct serve *s, struct update **updates, size_t count);
/* NULL is allowed. */
void serve_close(struct serve *s);

#endif
