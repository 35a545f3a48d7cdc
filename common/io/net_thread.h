/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_thread: the one thread on which all of libwebsockets runs.
 *
 * One libwebsockets context for the whole process: the admin server, a
 * service's HTTP, SSE and WebSocket servers and every ch_ws_client live on it,
 * so health is answered while the main thread waits on a disk. Code called
 * from here must never block (no SQL, no disk, no waiting for Kafka).
 *
 * "Thread: network" in a header means: only inside callbacks that this thread
 * makes, or inside a function that ch_net_call() runs.
 */
#ifndef CH_IO_NET_THREAD_H
#define CH_IO_NET_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ch_net;
struct ch_net_timer;
struct lws_context;

struct ch_net_options {
	unsigned max_fds; /* sockets in all; 0: 4096, at most RLIMIT_NOFILE */
	unsigned call_queue; /* ch_net_call()s that may wait; 0: 16384 */
	const char *ca_file; /* extra CA bundle (PEM) for clients; NULL: the
				 system's */
};

/* Starts the thread. opt may be NULL. Thread: any. */
int ch_net_start(struct ch_net **out, const struct ch_net_options *opt,
	struct ch_err *err);
/* Closes every connection (their closed() callbacks run), joins the thread and
 * frees it. Free servers and clients before. NULL is allowed.
 * Thread: any but network. */
void ch_net_stop(struct ch_net *net);

/* Runs fn(ctx) soon on the network thread, in the order of the calls.
 * 0, CH_EFULL (queue full: fn will not run) or CH_ECLOSED. Thread: any. */
int ch_net_call(struct ch_net *net, void (*fn)(void *ctx), void *ctx);
/* As ch_net_call(), returning after fn returned; runs it at once when already
 * on the network thread. */
int ch_net_call_wait(struct ch_net *net, void (*fn)(void *ctx), void *ctx);
bool ch_net_on_thread(const struct ch_net *net);

/* A timer that runs fn(ctx) on the network thread. Thread: network, but
 * ch_net_timer_new() any. Owner frees it. */
struct ch_net_timer *ch_net_timer_new(struct ch_net *net, void (*fn)(void *ctx),
	void *ctx);
/* (Re)starts it: once, after delay_ms >= 0. */
void ch_net_timer_set(struct ch_net_timer *t, int64_t delay_ms);
void ch_net_timer_cancel(struct ch_net_timer *t);
void ch_net_timer_free(struct ch_net_timer *t);

/* ---- for the modules of common/io that speak libwebsockets ---- */

struct lws_vhost;
struct lws_context_creation_info;

/* The vhost called name, made of info at the first call. Thread: network. */
struct lws_vhost *ch_net_vhost(struct ch_net *net, const char *name,
	struct lws_context_creation_info *info);
struct lws_context *ch_net_lws(struct ch_net *net);
const char *ch_net_ca_file(const struct ch_net *net);
/* What libwebsockets complained about last ("" when nothing since the last
 * call): the only place where it says why TLS failed. Thread: network. */
const char *ch_net_last_complaint(void);
/* A thread that posts calls and may outlive ch_net_stop() holds the object:
 * calls then answer CH_ECLOSED. Thread: any. */
void ch_net_hold(struct ch_net *net);
void ch_net_release(struct ch_net *net);

#endif
