/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: see admin.h. Texts pass from the main thread under a mutex that is
 * held for a copy only. Invariant: readiness that the main thread has not
 * refreshed within half of the watchdog's limit counts as not ready.
 */
#include "daemon/admin.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define ADMIN_CONNECTIONS 256
#define LIVE_DEFAULT_MS 15000

struct ch_admin {
	struct ch_http_server *server;
	struct ch_metrics *metrics;
	const struct ch_watchdog *watchdog;
	char *service;
	char *version;
	pthread_mutex_t mu;
	bool ready;	      /* under mu */
	struct ch_buf checks; /* under mu */
	struct ch_buf config; /* under mu */
};

static int64_t
live_limit_ms(const struct ch_admin *a)
{
	int64_t limit = ch_watchdog_limit_ms(a->watchdog);

	return limit > 0 ? limit / 2 : LIVE_DEFAULT_MS;
}

static bool
is_live(const struct ch_admin *a, struct ch_buf *why)
{
	int64_t age = ch_watchdog_age_ms(a->watchdog);
	bool live = age <= live_limit_ms(a);

	ch_buf_printf(why, "%sloop turned %lld ms ago (limit %lld ms)\n",
		live ? "[+]" : "[-]", (long long)age,
		(long long)live_limit_ms(a));
	return live;
}

static void
answer(struct ch_http_req *req, int status, const struct ch_buf *body)
{
	static const struct ch_http_header no_store[] = {
		{"Cache-Control", {"no-store", 8}}, {NULL, {NULL, 0}}};

	ch_http_reply(req,
		&(struct ch_http_response){.status = status,
			.headers = no_store,
			.body = ch_buf_view(body)});
}

static void
get_livez(struct ch_http_req *req, void *ctx)
{
	struct ch_buf text = CH_BUF_INIT;
	bool live = is_live(ctx, &text);

	answer(req, live ? 200 : 503, &text);
	ch_buf_free(&text);
}

static void
get_readyz(struct ch_http_req *req, void *ctx)
{
	struct ch_admin *a = ctx;
	struct ch_buf text = CH_BUF_INIT;
	struct ch_view ignored;
	bool ready = is_live(a, &text);

	pthread_mutex_lock(&a->mu);
	ready = a->ready && ready;
	ch_buf_addv(&text, ch_buf_view(&a->checks));
	pthread_mutex_unlock(&a->mu);
	if (!ch_http_req_query(req, "verbose", &ignored))
		ch_buf_clear(&text);
	ch_buf_printf(&text, "%s\n", ready ? "ready" : "not ready");
	answer(req, ready ? 200 : 503, &text);
	ch_buf_free(&text);
}

static void
get_metrics(struct ch_http_req *req, void *ctx)
{
	struct ch_admin *a = ctx;
	struct ch_buf text = CH_BUF_INIT;

	ch_metrics_render(a->metrics, &text);
	ch_http_reply(req,
		&(struct ch_http_response){.status = 200,
			.content_type = CH_METRICS_CONTENT_TYPE,
			.body = ch_buf_view(&text)});
	ch_buf_free(&text);
}

static void
get_config(struct ch_http_req *req, void *ctx)
{
	struct ch_admin *a = ctx;
	struct ch_buf text = CH_BUF_INIT;

	pthread_mutex_lock(&a->mu);
	ch_buf_addv(&text, ch_buf_view(&a->config));
	pthread_mutex_unlock(&a->mu);
	ch_buf_addc(&text, '\n');
	ch_http_reply(req,
		&(struct ch_http_response){.status = 200,
			.content_type = "application/json",
			.body = ch_buf_view(&text)});
	ch_buf_free(&text);
}

static void
get_root(struct ch_http_req *req, void *ctx)
{
	struct ch_admin *a = ctx;
	struct ch_buf text = CH_BUF_INIT;

	ch_buf_printf(&text,
		"%s %s\n\n/livez\n/readyz?verbose\n/metrics\n"
		"/config\n",
		a->service, a->version);
	answer(req, 200, &text);
	ch_buf_free(&text);
}

static void
admin_free(struct ch_admin *a)
{
	pthread_mutex_destroy(&a->mu);
	ch_buf_free(&a->checks);
	ch_buf_free(&a->config);
	free(a->service);
	free(a->version);
	free(a);
}

int
ch_admin_start(struct ch_admin **out, struct ch_net *net,
	const struct ch_admin_options *opt, struct ch_err *err)
{
	struct ch_admin *a = ch_xcalloc(1, sizeof(*a));
	const struct ch_http_route routes[] = {{CH_HTTP_GET, "/", get_root, a},
		{CH_HTTP_GET, "/livez", get_livez, a},
		{CH_HTTP_GET, "/readyz", get_readyz, a},
		{CH_HTTP_GET, "/metrics", get_metrics, a},
		{CH_HTTP_GET, "/config", get_config, a},
		{CH_HTTP_GET, NULL, NULL, NULL}};
	const struct ch_http_server_options server = {.name = "admin",
		.listen = opt->listen,
		.routes = routes,
		.max_connections = ADMIN_CONNECTIONS};
	int rc;

	a->metrics = opt->metrics;
	a->watchdog = opt->watchdog;
	a->service = ch_xstrdup(opt->service);
	a->version = ch_xstrdup(opt->version);
	pthread_mutex_init(&a->mu, NULL);
	rc = ch_http_server_start(&a->server, net, &server, err);
	if (rc < 0) {
		admin_free(a);
		return ch_err_wrap(err, "admin_listen");
	}
	*out = a;
	return 0;
}

void
ch_admin_stop(struct ch_admin *a)
{
	if (a == NULL)
		return;
	ch_http_server_stop(a->server);
	admin_free(a);
}

struct ch_http_server *
ch_admin_server(struct ch_admin *a)
{
	return a->server;
}

void
ch_admin_publish_ready(struct ch_admin *a, bool ready, struct ch_view text)
{
	pthread_mutex_lock(&a->mu);
	a->ready = ready;
	ch_buf_clear(&a->checks);
	ch_buf_addv(&a->checks, text);
	pthread_mutex_unlock(&a->mu);
}

void
ch_admin_publish_config(struct ch_admin *a, struct ch_view json)
{
	pthread_mutex_lock(&a->mu);
	ch_buf_clear(&a->config);
	ch_buf_addv(&a->config, json);
	pthread_mutex_unlock(&a->mu);
}
