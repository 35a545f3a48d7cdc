/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_thread: see net_thread.h.
 *
 * The thread turns lws_service() and, after each turn, runs the calls that
 * other threads have queued. lws_cancel_service() is libwebsockets' only
 * thread-safe function: it ends the poll(2) in lws_service().
 *
 * Invariant: lws objects are only touched by this thread. Fails: when the
 * context cannot be made (CH_EIO at start). A queue that is full refuses.
 */
#include "io/net_thread.h"

#include <assert.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"

#define CALL_QUEUE_DEFAULT 16384
#define CALLS_PER_TURN 1024
#define VHOSTS_MAX 4
#define FDS_MAX (1 << 20)
#define SERV_BUF 16384
#define HEADER_BYTES 16384
#define COMPLAINT_MAX 200

struct call {
	void (*fn)(void *ctx);
	void *ctx;
};

struct ch_net {
	pthread_t thread;
	struct lws_context *lws; /* network thread's */
	char *ca_file;
	unsigned max_fds;

	pthread_mutex_t mu;
	pthread_cond_t started;
	struct call *calls; /* ring, under mu */
	size_t head, count, size;
	bool wake_sent;	 /* a cancel is on its way, under mu */
	bool closed;	 /* refuses calls, under mu */
	int start_state; /* 0 not yet, 1 up, -1 failed, under mu */
	unsigned refs;	 /* under mu */
	atomic_bool stop;

	struct vhost_slot {
		const char *name;
		struct lws_vhost *vhost;
	} vhosts[VHOSTS_MAX];
};

struct ch_net_timer {
	lws_sorted_usec_list_t sul; /* first: the callback casts back */
	struct ch_net *net;
	void (*fn)(void *ctx);
	void *ctx;
};

static _Thread_local char complaint[COMPLAINT_MAX];

static void
keep_complaint(int level, const char *line)
{
	struct ch_view v = ch_view_trim(ch_view_of(line));
	const char *text;

	(void)level;
	v.len = v.len < COMPLAINT_MAX - 1 ? v.len : COMPLAINT_MAX - 1;
	memcpy(complaint, v.ptr, v.len);
	complaint[v.len] = '\0';
	/* "[2026/11/21 10:00:00:1234] E: text" */
	text = strstr(complaint, "] ");
	ch_debug("net.lws", CH_S("text", text != NULL ? text + 2 : complaint));
}

const char *
ch_net_last_complaint(void)
{
	static _Thread_local char out[COMPLAINT_MAX];
	const char *text = strstr(complaint, ": ");

	memcpy(out, text != NULL ? text + 2 : complaint,
		strlen(text != NULL ? text + 2 : complaint) + 1);
	complaint[0] = '\0';
	return out;
}

/* libwebsockets' tables grow with RLIMIT_NOFILE; an "unlimited" one of 2^30
 * would take gigabytes. */
static unsigned
fd_limit(unsigned wanted)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur <= FDS_MAX)
		return 0;
	return wanted != 0 ? wanted : 65536;
}

static struct lws_context *
make_context(unsigned max_fds)
{
	struct lws_context_creation_info info;

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
		LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.pt_serv_buf_size = SERV_BUF;
	info.max_http_header_data = HEADER_BYTES;
	info.fd_limit_per_thread = fd_limit(max_fds);
	info.timeout_secs = 60; /* servers and clients set their own, shorter */
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	return lws_create_context(&info);
}

/* Takes up to CALLS_PER_TURN calls at once, so that the lock is short and
 * sockets get their turn. Returns whether more are waiting. */
static bool
run_calls(struct ch_net *net)
{
	struct call batch[CALLS_PER_TURN / 16];
	size_t done = 0;

	while (done < CALLS_PER_TURN) {
		size_t n = 0;

		pthread_mutex_lock(&net->mu);
		while (n < sizeof(batch) / sizeof(batch[0]) && net->count > 0) {
			batch[n++] = net->calls[net->head];
			net->head = (net->head + 1) % net->size;
			net->count--;
		}
		if (n == 0)
			net->wake_sent = false;
		pthread_mutex_unlock(&net->mu);
		if (n == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			batch[i].fn(batch[i].ctx);
		done += n;
	}
	return true;
}

static void
started(struct ch_net *net, int state)
{
	pthread_mutex_lock(&net->mu);
	net->start_state = state;
	pthread_cond_broadcast(&net->started);
	pthread_mutex_unlock(&net->mu);
}

static void *
net_main(void *arg)
{
	struct ch_net *net = arg;

	pthread_setname_np(pthread_self(), "network");
	net->lws = make_context(net->max_fds);
	started(net, net->lws != NULL ? 1 : -1);
	if (net->lws == NULL)
		return NULL;
	while (!atomic_load(&net->stop)) {
		/* A negative timeout does not wait at all. */
		bool more = run_calls(net);

		if (lws_service(net->lws, more ? -1 : 0) < 0)
			break;
	}
	pthread_mutex_lock(&net->mu);
	net->closed = true;
	pthread_mutex_unlock(&net->mu);
	while (run_calls(net))
		;
	lws_context_destroy(net->lws);
	return NULL;
}

void
ch_net_hold(struct ch_net *net)
{
	pthread_mutex_lock(&net->mu);
	net->refs++;
	pthread_mutex_unlock(&net->mu);
}

void
ch_net_release(struct ch_net *net)
{
	unsigned left;

	pthread_mutex_lock(&net->mu);
	left = --net->refs;
	pthread_mutex_unlock(&net->mu);
	if (left > 0)
		return;
	pthread_mutex_destroy(&net->mu);
	pthread_cond_destroy(&net->started);
	free(net->calls);
	free(net->ca_file);
	free(net);
}

static struct ch_net *
net_new(const struct ch_net_options *opt)
{
	struct ch_net *net = ch_xcalloc(1, sizeof(*net));

	net->size = opt->call_queue != 0 ? opt->call_queue : CALL_QUEUE_DEFAULT;
	net->calls = ch_xcalloc(net->size, sizeof(*net->calls));
	net->ca_file = opt->ca_file != NULL ? ch_xstrdup(opt->ca_file) : NULL;
	net->max_fds = opt->max_fds;
	net->refs = 1;
	pthread_mutex_init(&net->mu, NULL);
	pthread_cond_init(&net->started, NULL);
	return net;
}

int
ch_net_start(struct ch_net **out, const struct ch_net_options *opt,
	struct ch_err *err)
{
	static const struct ch_net_options none;
	struct ch_net *net = net_new(opt != NULL ? opt : &none);
	int rc;

	lws_set_log_level(LLL_ERR | LLL_WARN, keep_complaint);
	rc = pthread_create(&net->thread, NULL, net_main, net);
	if (rc != 0) {
		ch_net_release(net);
		return ch_err_errno(err, rc, "cannot start the network thread");
	}
	pthread_mutex_lock(&net->mu);
	while (net->start_state == 0)
		pthread_cond_wait(&net->started, &net->mu);
	pthread_mutex_unlock(&net->mu);
	if (net->start_state < 0) {
		pthread_join(net->thread, NULL);
		ch_net_release(net);
		return ch_err_set(err, CH_EIO,
			"libwebsockets cannot make its context; look at the "
			"debug log (log_level=debug) and at ulimit -n");
	}
	*out = net;
	return 0;
}

void
ch_net_stop(struct ch_net *net)
{
	if (net == NULL)
		return;
	assert(!ch_net_on_thread(net));
	atomic_store(&net->stop, true);
	lws_cancel_service(net->lws);
	pthread_join(net->thread, NULL);
	ch_net_release(net);
}

bool
ch_net_on_thread(const struct ch_net *net)
{
	return pthread_equal(pthread_self(), net->thread) != 0;
}

int
ch_net_call(struct ch_net *net, void (*fn)(void *ctx), void *ctx)
{
	int rc = 0;

	pthread_mutex_lock(&net->mu);
	if (net->closed)
		rc = CH_ECLOSED;
	else if (net->count == net->size)
		rc = CH_EFULL;
	else {
		net->calls[(net->head + net->count) % net->size] =
			(struct call){fn, ctx};
		net->count++;
		/* Under the lock: the context lives while closed is false. */
		if (!net->wake_sent)
			lws_cancel_service(net->lws);
		net->wake_sent = true;
	}
	pthread_mutex_unlock(&net->mu);
	return rc;
}

struct sync_call {
	void (*fn)(void *ctx);
	void *ctx;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool done;
};

static void
run_sync(void *ctx)
{
	struct sync_call *c = ctx;

	c->fn(c->ctx);
	pthread_mutex_lock(&c->mu);
	c->done = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->mu);
}

int
ch_net_call_wait(struct ch_net *net, void (*fn)(void *ctx), void *ctx)
{
	struct sync_call c = {fn, ctx, PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER, false};
	int rc;

	if (ch_net_on_thread(net)) {
		fn(ctx);
		return 0;
	}
	rc = ch_net_call(net, run_sync, &c);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c.mu);
	while (!c.done)
		pthread_cond_wait(&c.cond, &c.mu);
	pthread_mutex_unlock(&c.mu);
	return 0;
}

static void
timer_fired(lws_sorted_usec_list_t *sul)
{
	struct ch_net_timer *t =
		lws_container_of(sul, struct ch_net_timer, sul);

	t->fn(t->ctx);
}

struct ch_net_timer *
ch_net_timer_new(struct ch_net *net, void (*fn)(void *ctx), void *ctx)
{
	struct ch_net_timer *t = ch_xcalloc(1, sizeof(*t));

	t->net = net;
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

void
ch_net_timer_set(struct ch_net_timer *t, int64_t delay_ms)
{
	assert(ch_net_on_thread(t->net));
	/* A delay of 0 would cancel it in libwebsockets' terms. */
	lws_sul_schedule(t->net->lws, 0, &t->sul, timer_fired,
		delay_ms > 0 ? delay_ms * LWS_US_PER_MS : 1);
}

void
ch_net_timer_cancel(struct ch_net_timer *t)
{
	assert(ch_net_on_thread(t->net));
	lws_sul_cancel(&t->sul);
}

void
ch_net_timer_free(struct ch_net_timer *t)
{
	if (t == NULL)
		return;
	ch_net_timer_cancel(t);
	free(t);
}

struct lws_vhost *
ch_net_vhost(struct ch_net *net, const char *name,
	struct lws_context_creation_info *info)
{
	struct vhost_slot *slot = net->vhosts;

	assert(ch_net_on_thread(net));
	for (; slot < net->vhosts + VHOSTS_MAX && slot->name != NULL; slot++)
		if (strcmp(slot->name, name) == 0)
			return slot->vhost;
	assert(slot < net->vhosts + VHOSTS_MAX);
	info->vhost_name = name;
	info->gid = (gid_t)-1;
	info->uid = (uid_t)-1;
	slot->vhost = lws_create_vhost(net->lws, info);
	slot->name = slot->vhost != NULL ? name : NULL;
	return slot->vhost;
}

struct lws_context *
ch_net_lws(struct ch_net *net)
{
	return net->lws;
}

const char *
ch_net_ca_file(const struct ch_net *net)
{
	return net->ca_file;
}
