/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: see serve.h.
 *
 * Every event (a request, an upstream's answer, the timer) ends in pump(): the
 * questions that are done are answered, the calls that are due are made, the
 * timer is set to what comes next.
 */
#include "serve.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_server.h"

#define HEARTBEAT_MS 500
#define STORE_AGAIN_US INT64_C(30000000) /* an unchanged price, to the table */
#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"

struct serve {
	struct serve_options opt;
	struct ch_http_server *server;
	struct fetch *fetch;
	/* Thread: network */
	struct desk *desk;
	struct ch_net_timer *timer;
	struct answer answer;
	bool closing;
	atomic_size_t waiting;
};

static struct moment
moment_now(const struct serve *s)
{
	return (struct moment){
		ch_clock_mono(s->opt.clock), ch_clock_wall(s->opt.clock)};
}

/* ---- answering ---- */

static void
count_answer(struct serve *s, const struct question *q, struct moment now)
{
	static const enum served of[] = {SERVED_HIT, SERVED_MISS,
		SERVED_COALESCED, SERVED_STALE, SERVED_ERROR};
	static const char *const names[] = {
		"hit", "miss", "coalesced", "stale", "error"};
	struct meters *m = s->opt.meters;
	const struct answer *a = &s->answer;
	const char *result = answer_result(a, q);

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		if (strcmp(names[i], result) == 0)
			ch_series_add(m->served[of[i]], 1);
	for (int i = 0; i < CACHE_MISSING; i++)
		ch_series_add(m->ids[i], a->count[i]);
	if (a->waited)
		ch_series_observe(m->request_time,
			(now.mono.ns - q->asked.ns) / 1000);
	if (a->oldest_ms >= 0)
		ch_series_observe(m->served_age, a->oldest_ms * 1000);
}

/* Of the answer rendered last. */
static void
fill_headers(const struct answer *a, struct ch_http_header h[6])
{
	h[0] = (struct ch_http_header){
		"cache-control", ch_view_of(a->cache_control)};
	h[1] = (struct ch_http_header){"etag", ch_view_of(a->etag)};
	h[2] = (struct ch_http_header){"age", ch_view_of(a->age)};
	h[3] = (struct ch_http_header){
		"cache-status", ch_view_of(a->cache_status)};
	h[4] = (struct ch_http_header){NULL, {NULL, 0}};
}

static void
render(struct serve *s, const struct question *q, struct moment now)
{
	ch_buf_clear(&s->answer.body);
	answer_render(&s->answer, s->desk, q, now);
	count_answer(s, q, now);
}

static void
answer_later(struct serve *s, struct question *q, struct moment now)
{
	struct ch_http_header headers[6];
	struct ch_http_response r = {
		.status = 200, .content_type = JSON_TYPE, .headers = headers};
	struct ch_http_ref ref = {q->ref};

	if (q->ref == 0)
		return;
	render(s, q, now);
	fill_headers(&s->answer, headers);
	r.body = ch_buf_view(&s->answer.body);
	(void)ch_http_reply_later(s->server, ref, &r);
}

static void
pump(struct serve *s)
{
	struct moment now = moment_now(s);
	struct desk_call call;
	struct question *q;
	int64_t due;

	while (desk_next_call(s->desk, &call, now))
		fetch_send(s->fetch, &call);
	while ((q = desk_next_done(s->desk)) != NULL) {
		answer_later(s, q, now);
		desk_close(s->desk, q);
	}
	atomic_store(&s->waiting, desk_waiting(s->desk));
	due = desk_due_ms(s->desk, now);
	if (due < 0 || due > HEARTBEAT_MS)
		due = HEARTBEAT_MS;
	if (!s->closing)
		ch_net_timer_set(s->timer, due);
}

static void
on_timer(void *ctx)
{
	struct serve *s = ctx;

	desk_tick(s->desk, moment_now(s));
	meters_show(s->opt.meters, s->desk);
	if (s->server != NULL)
		ch_metric_set(s->opt.meters->metrics, PM_CONNECTIONS,
			ch_http_server_connections(s->server));
	pump(s);
}

static void
on_answers(void *ctx)
{
	struct serve *s = ctx;
	struct desk_answer *a;

	if (s->closing)
		return;
	while ((a = fetch_next(s->fetch)) != NULL) {
		desk_answer(s->desk, a, moment_now(s));
		fetch_done(a);
	}
	pump(s);
}

static void
on_received(void *ctx, struct cache_entry *e, bool changed)
{
	struct serve *s = ctx;
	struct update *u;

	if (changed)
		ch_metric_add(s->opt.meters->metrics, PM_UPDATES, 1);
	else if (e->as_of.us - e->stored.us < STORE_AGAIN_US)
		return;
	u = update_of(e, changed);
	e->stored = e->as_of;
	if (ch_ring_push(s->opt.updates, u, update_bytes(u)) == 0)
		return;
	ch_series_add(s->opt.meters->dropped_ring, 1);
	e->stored.us = 0; /* the next confirmation tells it */
	update_free(u);
}

/* ---- requests ---- */

static void
refuse(struct serve *s, struct ch_http_req *req, int status, const char *title,
	const char *detail)
{
	static const struct ch_http_header retry[] = {{"retry-after", {"1", 1}},
		{"cache-control", {"no-store", 8}}, {NULL, {NULL, 0}}};
	struct ch_buf body = CH_BUF_INIT;
	struct ch_http_response r = {.status = status,
		.content_type = PROBLEM_TYPE,
		.headers = status == 503 ? retry : retry + 1};

	ch_series_add(s->opt.meters->served[status == 503 ? SERVED_BUSY
							  : SERVED_REFUSED],
		1);
	answer_problem(&body, status, title, detail);
	r.body = ch_buf_view(&body);
	ch_http_reply(req, &r);
	ch_buf_free(&body);
}

static void
answer_now(struct serve *s, struct ch_http_req *req, struct question *q,
	struct moment now)
{
	struct ch_http_header headers[6];
	struct ch_http_response r = {
		.status = 200, .content_type = JSON_TYPE, .headers = headers};
	struct ch_view etag;

	render(s, q, now);
	fill_headers(&s->answer, headers);
	r.body = ch_buf_view(&s->answer.body);
	if (ch_http_req_header(req, "if-none-match", &etag) &&
		answer_matches(etag, s->answer.etag)) {
		r.status = 304;
		r.body = (struct ch_view){"", 0};
		ch_series_add(s->opt.meters->not_modified, 1);
	}
	ch_http_reply(req, &r);
}

static void
get_prices(struct ch_http_req *req, void *ctx)
{
	struct serve *s = ctx;
	struct market_id ids[SERVE_IDS_MAX];
	char detail[ANSWER_DETAIL_MAX];
	struct ch_view text = {"", 0};
	struct moment now = moment_now(s);
	uint64_t renewals = desk_counts(s->desk)->background;
	struct question *q;
	size_t count;

	(void)ch_http_req_query(req, "ids", &text);
	if (answer_parse_ids(text, SERVE_IDS_MAX, ids, &count, detail) !=
		IDS_OK) {
		refuse(s, req, 400, "Bad Request", detail);
		return;
	}
	q = desk_ask(s->desk, ids, count, now);
	if (q == NULL) {
		refuse(s, req, 503, "Service Unavailable",
			"too many requests wait for the upstreams; try again");
		return;
	}
	if (q->pending == 0) {
		answer_now(s, req, q, now);
		desk_close(s->desk, q);
		if (desk_counts(s->desk)->background == renewals)
			return; /* nothing to do for the pump */
	} else {
		q->ref = ch_http_req_defer(req).id;
	}
	pump(s);
}

/* ---- open and close ---- */

static void
open_on_thread(void *ctx)
{
	struct serve *s = ctx;
	uint64_t seed;

	ch_rng_secure(&seed, sizeof(seed));
	s->desk = desk_new(&s->opt.desk, seed, on_received, s,
		ch_clock_mono(s->opt.clock));
	ch_net_timer_set(s->timer, HEARTBEAT_MS);
}

static int
open_server(struct serve *s, struct ch_err *err)
{
	const struct ch_http_route routes[] = {
		{CH_HTTP_GET, "/v1/prices", get_prices, s},
		{CH_HTTP_GET, NULL, NULL, NULL}};
	struct ch_http_server_options http = {
		.name = "prices",
		.listen = s->opt.listen,
		.routes = routes,
		.max_connections = s->opt.max_connections,
		/* The desk's own budget ends first. */
		.request_timeout_ms = (int)s->opt.desk.budget_ms + 5000,
	};

	return ch_http_server_start(&s->server, s->opt.net, &http, err);
}

static int
write_port(const struct serve *s, struct ch_err *err)
{
	FILE *f;

	ch_info("serve.listening", CH_I("port", serve_port(s)));
	if (s->opt.port_file[0] == '\0')
		return 0;
	f = fopen(s->opt.port_file, "we");
	if (f == NULL || fprintf(f, "%d\n", serve_port(s)) < 0 ||
		fclose(f) != 0)
		return ch_err_set(err, CH_ECONFIG,
			"public_port_file: cannot write %s: %m",
			s->opt.port_file);
	return 0;
}

int
serve_open(struct serve **out, const struct serve_options *opt,
	struct ch_err *err)
{
	struct serve *s = ch_xcalloc(1, sizeof(*s));
	int rc;

	s->opt = *opt;
	s->opt.fetch.net = opt->net;
	s->opt.fetch.meters = opt->meters;
	s->opt.fetch.ready = on_answers;
	s->opt.fetch.ctx = s;
	s->timer = ch_net_timer_new(opt->net, on_timer, s);
	rc = fetch_open(&s->fetch, &s->opt.fetch, err);
	if (rc == 0)
		rc = ch_net_call_wait(opt->net, open_on_thread, s);
	if (rc == 0)
		rc = open_server(s, err);
	if (rc == 0)
		rc = write_port(s, err);
	if (rc != 0) {
		serve_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
serve_drain(struct serve *s)
{
	ch_http_server_drain(s->server);
}

bool
serve_is_idle(const struct serve *s)
{
	return atomic_load(&s->waiting) == 0;
}

int
serve_port(const struct serve *s)
{
	return ch_http_server_port(s->server);
}

struct restore_call {
	struct serve *serve;
	struct update **updates;
	size_t count;
};

static void
restore_on_thread(void *ctx)
{
	struct restore_call *call = ctx;
	struct moment now = moment_now(call->serve);

	for (size_t i = 0; i < call->count; i++) {
		struct update *u = call->updates[i];

		desk_restore(call->serve->desk, u->price, u->source, u->as_of,
			now);
		u->price = NULL;
	}
}

void
serve_restore(struct serve *s, struct update **updates, size_t count)
{
	struct restore_call call = {s, updates, count};

	(void)ch_net_call_wait(s->opt.net, restore_on_thread, &call);
	for (size_t i = 0; i < count; i++)
		update_free(updates[i]);
}

static void
close_on_thread(void *ctx)
{
	struct serve *s = ctx;

	s->closing = true;
	ch_net_timer_free(s->timer);
}

void
serve_close(struct serve *s)
{
	if (s == NULL)
		return;
	(void)ch_net_call_wait(s->opt.net, close_on_thread, s);
	ch_http_server_stop(s->server);
	fetch_close(s->fetch);
	desk_free(s->desk);
	ch_buf_free(&s->answer.body);
	free(s);
}
