/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed: the connection to the exchange, on the network thread.
 *
 * It carries out what session.c decides and gives every message to rows.c;
 * neither waits for anything. What the main thread wants to know of it is in
 * atomics.
 *
 * Thread: as each function says.
 */
#ifndef TRADE_STREAM_FEED_H
#define TRADE_STREAM_FEED_H

#include "io/net_thread.h"
#include "rows.h"
#include "session.h"

struct feed_options {
	struct ch_net *net;
	const char *url;
	int connect_timeout_ms;
	struct session_limits limits;
	int64_t queue_trades; /* bounds of rows.queue: half of them must be */
	int64_t queue_bytes;  /* free before a reconnect after an overflow */
	struct rows_options rows;
};

struct feed;

/* Starts to connect. wallets: NULL for all; the caller's, for as long as they
 * are watched. 0, or CH_EINVAL (the url). Thread: main. */
int feed_open(struct feed **out, const struct feed_options *opt,
	const struct walletset *wallets, struct ch_err *err);
/* From its return on, the former set is not looked at any more.
 * Thread: main. */
void feed_watch(struct feed *f, const struct walletset *wallets);
/* Ends the connection for good; feed_is_closed() tells when. Thread: main. */
void feed_close(struct feed *f);
bool feed_is_closed(const struct feed *f);
/* Thread: main. NULL is allowed. */
void feed_free(struct feed *f);

struct feed_status {
	enum session_state state;
	int64_t data_age_ms; /* since a row of any type; -1: none yet */
	int64_t row_age_ms;  /* since a row of a published type; the same */
};

/* Thread: any. */
struct feed_status feed_status(const struct feed *f);

#endif
