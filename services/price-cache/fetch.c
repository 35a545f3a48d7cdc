/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch: see fetch.h.
 *
 *	network thread: fetch_send --> HTTP client's thread: on_done, decode
 *	      ^                                                     |
 *	      +---- ready(), fetch_next() <---- mailbox (mutex) <---+
 *
 * The mailbox is a list of its own: when the network thread's queue has no
 * room for the ready() call, the answer still lies there for the next look.
 */
#include "fetch.h"

#include <pthread.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"

struct job { /* one call */
	struct fetch *fetch;
	struct desk_answer answer; /* what fetch_next() gives out */
	struct price_list prices;
	enum lane lane;
	size_t keys;
	struct price **bases; /* MIDPOINTS: the prices known before */
	struct job *prev, *next;
};

struct fetch {
	struct fetch_options opt;
	char *url[UPSTREAMS];
	struct ch_http_client *client;
	pthread_mutex_t mu;
	struct job *mailbox; /* under mu */
};

/* ---- the answers ---- */

static void
job_free(struct job *j)
{
	for (size_t i = 0; j->bases != NULL && i < j->keys; i++)
		free(j->bases[i]);
	free(j->bases);
	price_list_free(&j->prices);
	free(j);
}

static void
call_ready(void *ctx)
{
	struct fetch *f = ctx;

	f->opt.ready(f->opt.ctx);
}

static void
deliver(struct job *j)
{
	struct fetch *f = j->fetch;

	j->answer.prices = &j->prices;
	pthread_mutex_lock(&f->mu);
	DL_APPEND(f->mailbox, j);
	pthread_mutex_unlock(&f->mu);
	(void)ch_net_call(f->opt.net, call_ready, f);
}

struct desk_answer *
fetch_next(struct fetch *f)
{
	struct job *j;

	pthread_mutex_lock(&f->mu);
	j = f->mailbox;
	if (j != NULL)
		DL_DELETE(f->mailbox, j);
	pthread_mutex_unlock(&f->mu);
	return j != NULL ? &j->answer : NULL;
}

void
fetch_done(struct desk_answer *a)
{
	job_free((struct job *)(void *)((char *)a -
		offsetof(struct job, answer)));
}

static int
decode(struct job *j, struct ch_view body, struct ch_err *err)
{
	switch (j->lane) {
	case LANE_OPEN:
	case LANE_CLOSED:
		return price_decode_gamma(&j->prices, body, err);
	case LANE_MIDPOINTS:
		return price_decode_midpoints(&j->prices, body, j->bases,
			j->keys, err);
	case LANE_MARKET:
		return price_decode_clob(&j->prices, body, err);
	case LANES:
		break;
	}
	return ch_err_set(err, CH_EPROTO, "no such lane");
}

static void
fail(struct job *j, enum desk_outcome outcome, enum reason why)
{
	j->answer.outcome = outcome;
	j->answer.reason = why;
}

static bool
is_refused_for_size(const struct job *j, int status)
{
	return status == 413 || status == 414 || status == 422 ||
		(status == 400 && j->lane == LANE_MIDPOINTS);
}

/* An answer came, of whatever status. */
static void
read_status(struct job *j, const struct ch_http_result *r, struct ch_err *err)
{
	bool clob = lane_upstream(j->lane) == UPSTREAM_FALLBACK;

	if (r->status == 200) {
		if (decode(j, r->body, err) != 0)
			fail(j, DESK_FAILED, REASON_MALFORMED);
		return;
	}
	if (r->status == 404 && clob)
		return; /* not there: an answer */
	(void)ch_err_set(err, CH_EIO, "HTTP status %d", r->status);
	if (r->status == 429 || (r->status == 503 && r->retry_after_s >= 0)) {
		fail(j, DESK_LIMITED, REASON_RATE_LIMITED);
		j->answer.retry_after_ms = r->retry_after_s < 0
			? -1
			: r->retry_after_s * INT64_C(1000);
	} else if (is_refused_for_size(j, r->status)) {
		fail(j, DESK_TOO_MANY, REASON_STATUS);
	} else {
		fail(j, DESK_FAILED, REASON_STATUS);
	}
}

static enum reason reason_of(enum ch_http_class class)
{
	switch (class) {
	case CH_HTTP_TIMEOUT:
		return REASON_TIMEOUT;
	case CH_HTTP_TOO_LARGE:
		return REASON_TOO_LARGE;
	case CH_HTTP_CANCELLED:
		return REASON_CANCELLED;
	case CH_HTTP_PROTOCOL:
		return REASON_MALFORMED;
	case CH_HTTP_OK:
	case CH_HTTP_CONNECT:
	case CH_HTTP_TLS:
	case CH_HTTP_OTHER:
		break;
	}
	return REASON_CONNECT;
}

static void
note(const struct job *j, const struct ch_http_result *r,
	const struct ch_err *err)
{
	enum upstream_id u = lane_upstream(j->lane);

	meters_upstream(j->fetch->opt.meters, u, r->class == CH_HTTP_OK,
		r->status, j->answer.reason, r->elapsed_us);
	if (j->answer.outcome == DESK_ANSWERED ||
		j->answer.reason == REASON_CANCELLED)
		return;
	ch_warn("upstream.failed", CH_S("upstream", upstream_name(u)),
		CH_S("lane", lane_name(j->lane)), CH_U("keys", j->keys),
		CH_S("reason", reason_name(j->answer.reason)),
		CH_I("status", r->status), CH_S("error", err->text),
		CH_I("elapsed_us", r->elapsed_us));
}

/* Thread: HTTP client. */
static void
on_done(void *ctx, const struct ch_http_result *r)
{
	struct job *j = ctx;
	struct ch_err err = CH_ERR_INIT;

	if (r->class == CH_HTTP_OK) {
		read_status(j, r, &err);
	} else {
		fail(j, DESK_FAILED, reason_of(r->class));
		(void)ch_err_set(&err, CH_EIO, "%s", r->reason);
	}
	note(j, r, &err);
	deliver(j);
}

/* ---- the calls ---- */

static void
add_gamma_url(struct ch_buf *url, const struct desk_call *call)
{
	char id[MARKET_ID_TEXT + 1];

	ch_buf_adds(url, "/markets?");
	for (size_t i = 0; i < call->count; i++) {
		market_id_format(&call->entries[i]->id, id);
		ch_buf_printf(url, "condition_ids=%s&", id);
	}
	ch_buf_printf(url, "limit=%zu", call->count);
	/* Said plainly: closed markets are not in the other answer. */
	ch_buf_adds(url,
		call->lane == LANE_CLOSED ? "&closed=true" : "&closed=false");
}

static void
add_tokens(struct ch_buf *body, const struct desk_call *call)
{
	ch_buf_addc(body, '[');
	for (size_t i = 0; i < call->count; i++) {
		const struct price *p = call->entries[i]->price;

		for (int o = 0; o < p->count; o++) {
			ch_json_add_comma(body);
			ch_buf_addc(body, '{');
			ch_json_add_member(body, "token_id",
				ch_view_of(p->outcome[o].token));
			ch_buf_addc(body, '}');
		}
	}
	ch_buf_addc(body, ']');
}

static struct job *
job_new(struct fetch *f, const struct desk_call *call)
{
	struct job *j = ch_xcalloc(1, sizeof(*j));

	j->fetch = f;
	j->lane = call->lane;
	j->keys = call->count;
	j->answer = (struct desk_answer){.call = call->id,
		.outcome = DESK_ANSWERED,
		.retry_after_ms = -1};
	if (call->lane != LANE_MIDPOINTS)
		return j;
	j->bases = ch_xcalloc(call->count, sizeof(struct price *));
	for (size_t i = 0; i < call->count; i++)
		j->bases[i] = price_copy(call->entries[i]->price);
	return j;
}

static void
describe(const struct fetch *f, const struct desk_call *call,
	struct ch_buf *url, struct ch_buf *body)
{
	char id[MARKET_ID_TEXT + 1];

	ch_buf_adds(url, f->url[lane_upstream(call->lane)]);
	switch (call->lane) {
	case LANE_OPEN:
	case LANE_CLOSED:
		add_gamma_url(url, call);
		break;
	case LANE_MIDPOINTS:
		ch_buf_adds(url, "/midpoints");
		add_tokens(body, call);
		break;
	case LANE_MARKET:
		market_id_format(&call->entries[0]->id, id);
		ch_buf_printf(url, "/markets/%s", id);
		break;
	case LANES:
		break;
	}
}

void
fetch_send(struct fetch *f, const struct desk_call *call)
{
	static const char *const json[] = {"Content-Type: application/json",
		"Accept: application/json", NULL};
	struct ch_buf url = CH_BUF_INIT;
	struct ch_buf body = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct job *j = job_new(f, call);
	struct ch_http_call http = {
		.headers = json,
		.timeout_ms = f->opt.attempt_ms[lane_upstream(call->lane)],
		.max_body = f->opt.max_body,
		.accept_gzip = true,
		.done = on_done,
		.ctx = j,
	};

	describe(f, call, &url, &body);
	http.method = call->lane == LANE_MIDPOINTS ? "POST" : "GET";
	http.url = ch_buf_str(&url);
	http.body = ch_buf_view(&body);
	if (call->lane != LANE_MIDPOINTS)
		http.headers = json + 1;
	if (ch_http_client_send(f->client, &http, NULL, &err) != 0) {
		fail(j, DESK_FAILED, REASON_BUSY);
		ch_warn("upstream.not_sent", CH_ERR(&err));
		deliver(j);
	}
	ch_buf_free(&url);
	ch_buf_free(&body);
}

/* ---- open and close ---- */

static char *
without_slash(const char *url)
{
	struct ch_view v = ch_view_of(url);

	while (v.len > 0 && v.ptr[v.len - 1] == '/')
		v.len--;
	return ch_xviewdup(v);
}

int
fetch_open(struct fetch **out, const struct fetch_options *opt,
	struct ch_err *err)
{
	struct fetch *f = ch_xcalloc(1, sizeof(*f));
	struct ch_http_client_options http = {
		.user_agent = opt->user_agent,
		.max_in_flight = opt->max_in_flight,
		.max_per_host = opt->max_in_flight,
		.ca_file = opt->ca_file[0] != '\0' ? opt->ca_file : NULL,
	};
	int rc;

	f->opt = *opt;
	pthread_mutex_init(&f->mu, NULL);
	for (int u = 0; u < UPSTREAMS; u++)
		f->url[u] = without_slash(opt->url[u]);
	rc = ch_http_client_new(&f->client, &http, err);
	if (rc != 0) {
		fetch_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

static void
nothing(void *ctx)
{
	(void)ctx;
}

void
fetch_close(struct fetch *f)
{
	struct desk_answer *a;

	if (f == NULL)
		return;
	ch_http_client_free(f->client);
	/* Behind the last ready() that was handed over. */
	(void)ch_net_call_wait(f->opt.net, nothing, NULL);
	while ((a = fetch_next(f)) != NULL)
		fetch_done(a);
	for (int u = 0; u < UPSTREAMS; u++)
		free(f->url[u]);
	pthread_mutex_destroy(&f->mu);
	free(f);
}
