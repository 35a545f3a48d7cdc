/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed: see feed.h.
 *
 * Every event goes through feed_event(): the session decides, the actions are
 * carried out, the state is shown, the timer is set. A frame only ever
 * postpones the timer, so it is left to come early and be set again: no timer
 * work per frame.
 */
#include "feed.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/ws_client.h"

#define SUBSCRIBE                                                              \
	"{\"action\":\"subscribe\",\"subscriptions\":["                        \
	"{\"topic\":\"activity\",\"type\":\"trades\"},"                        \
	"{\"topic\":\"activity\",\"type\":\"orders_matched\"}]}"
#define PING "PING"

struct feed {
	struct feed_options opt;
	struct ch_ws_client *client;
	struct ch_net_timer *timer;
	struct rows *rows;
	struct session session;
	struct ch_rng rng;
	_Atomic int state;	    /* enum session_state */
	_Atomic int64_t data_at_ns; /* monotonic; 0: never */
	_Atomic int64_t row_at_ns;
};

static struct ch_mono
mono_now(const struct feed *f)
{
	return ch_clock_mono(f->opt.rows.clock);
}

/* Half empty again? A connection made for a full queue would only be closed
 * at once. */
static bool
has_room(const struct feed *f)
{
	struct ch_ring *queue = f->opt.rows.queue;

	return (int64_t)ch_ring_count(queue) * 2 <= f->opt.queue_trades &&
		(int64_t)ch_ring_bytes(queue) * 2 <= f->opt.queue_bytes;
}

static void
say(struct feed *f, struct ch_view text)
{
	int rc = ch_ws_client_send(f->client, text);

	if (rc == 0)
		return;
	ch_warn("feed.send", CH_V("text", text),
		CH_S("code", ch_code_name((enum ch_code)rc)));
	ch_ws_client_close(f->client);
}

static void
act(struct feed *f, unsigned actions)
{
	struct ch_metrics *metrics = f->opt.rows.meters->metrics;

	if (actions & SESSION_DO_CONNECT) {
		ch_metric_add(metrics, TM_CONNECTS, 1);
		(void)ch_ws_client_connect(f->client);
	}
	if (actions & SESSION_DO_SUBSCRIBE)
		say(f, CH_VIEW(SUBSCRIBE));
	if (actions & SESSION_DO_PING)
		say(f, CH_VIEW(PING));
	if (actions & SESSION_DO_CLOSE)
		ch_ws_client_close(f->client);
}

static void
show_state(struct feed *f)
{
	enum session_state state = session_state(&f->session);

	if (atomic_exchange(&f->state, (int)state) == (int)state)
		return;
	ch_metric_set(f->opt.rows.meters->metrics, TM_CONNECTED,
		state == SESSION_SUBSCRIBING || state == SESSION_LIVE);
	ch_info("feed.state", CH_S("state", session_state_name(state)),
		CH_U("connection", f->session.connection));
}

static void
set_timer(struct feed *f)
{
	int64_t due = session_due_ms(&f->session, mono_now(f));

	if (due >= 0)
		ch_net_timer_set(f->timer, due);
}

static void
feed_event(struct feed *f, enum session_event event, int64_t retry_after_ms)
{
	struct session_input in = {.event = event,
		.now = mono_now(f),
		.retry_after_ms = retry_after_ms,
		.room = event == SESSION_TICK && has_room(f)};
	unsigned actions = session_step(&f->session, &in);

	show_state(f);
	act(f, actions);
	if (event != SESSION_DATA && event != SESSION_OTHER)
		set_timer(f);
}

static void
on_timer(void *ctx)
{
	feed_event(ctx, SESSION_TICK, 0);
}

static void
on_opened(void *ctx)
{
	feed_event(ctx, SESSION_OPENED, 0);
}

static void
on_row(struct feed *f, enum trade_source source)
{
	int64_t now = mono_now(f).ns;

	atomic_store(&f->data_at_ns, now);
	if (f->opt.rows.publish[source])
		atomic_store(&f->row_at_ns, now);
}

static void
on_message(void *ctx, struct ch_view text)
{
	struct feed *f = ctx;
	enum trade_source source = TRADE_TRADES;
	enum rows_verdict verdict =
		rows_take(f->rows, f->session.connection, text, &source);

	ch_metric_set(f->opt.rows.meters->metrics, TM_LAST_MESSAGE,
		ch_clock_wall(f->opt.rows.clock).us);
	if (verdict == ROWS_OTHER) {
		feed_event(f, SESSION_OTHER, 0);
		return;
	}
	on_row(f, source);
	feed_event(f, SESSION_DATA, 0);
	if (verdict == ROWS_FULL)
		feed_event(f, SESSION_OVERFLOW, 0);
}

static void
on_closed(void *ctx, const struct ch_ws_closed *why)
{
	struct feed *f = ctx;
	int64_t retry_after_ms =
		why->retry_after_s > 0 ? why->retry_after_s * INT64_C(1000) : 0;
	enum session_reason reason;

	feed_event(f, SESSION_CLOSED, retry_after_ms);
	reason = f->session.reason;
	ch_series_add(f->opt.rows.meters->reconnects[reason], 1);
	CH_LOG_(reason == SESSION_STOPPED ? CH_LOG_INFO : CH_LOG_WARN,
		"feed.closed", CH_S("reason", session_reason_name(reason)),
		CH_U("connection", f->session.connection),
		CH_I("http_status", why->http_status),
		CH_I("close_code", why->close_code),
		CH_S("code", ch_code_name(why->code)),
		CH_S("text", why->reason),
		CH_I("retry_ms", session_due_ms(&f->session, mono_now(f))));
}

static void
start_on_thread(void *ctx)
{
	feed_event(ctx, SESSION_START, 0);
}

static int
open_client(struct feed *f, struct ch_err *err)
{
	struct ch_ws_client_options opt = {
		.url = f->opt.url,
		.connect_timeout_ms = f->opt.connect_timeout_ms,
		.max_message = FRAME_MAX,
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.ctx = f,
	};

	return ch_ws_client_new(&f->client, f->opt.net, &opt, err);
}

int
feed_open(struct feed **out, const struct feed_options *opt,
	const struct walletset *wallets, struct ch_err *err)
{
	struct feed *f = ch_xcalloc(1, sizeof(*f));
	int rc;

	f->opt = *opt;
	rc = open_client(f, err);
	if (rc != 0) {
		free(f);
		return rc;
	}
	ch_rng_seed_system(&f->rng);
	session_init(&f->session, &opt->limits, &f->rng);
	f->rows = rows_new(&opt->rows, wallets);
	f->timer = ch_net_timer_new(opt->net, on_timer, f);
	(void)ch_net_call(opt->net, start_on_thread, f);
	*out = f;
	return 0;
}

struct watch_call {
	struct feed *feed;
	const struct walletset *wallets;
};

static void
watch_on_thread(void *ctx)
{
	struct watch_call *call = ctx;

	rows_watch(call->feed->rows, call->wallets);
}

void
feed_watch(struct feed *f, const struct walletset *wallets)
{
	struct watch_call call = {f, wallets};

	(void)ch_net_call_wait(f->opt.net, watch_on_thread, &call);
}

static void
close_on_thread(void *ctx)
{
	feed_event(ctx, SESSION_STOP, 0);
}

void
feed_close(struct feed *f)
{
	(void)ch_net_call_wait(f->opt.net, close_on_thread, f);
}

bool
feed_is_closed(const struct feed *f)
{
	return atomic_load(&f->state) == SESSION_IDLE;
}

static void
free_timer_on_thread(void *ctx)
{
	struct feed *f = ctx;

	ch_net_timer_free(f->timer);
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	feed_close(f);
	ch_ws_client_free(f->client);
	(void)ch_net_call_wait(f->opt.net, free_timer_on_thread, f);
	rows_free(f->rows);
	free(f);
}

static int64_t
age_ms(const struct feed *f, int64_t at_ns)
{
	if (at_ns == 0)
		return -1;
	return ch_mono_ms_since(mono_now(f), (struct ch_mono){at_ns});
}

struct feed_status
feed_status(const struct feed *f)
{
	return (struct feed_status){
		.state = (enum session_state)atomic_load(&f->state),
		.data_age_ms = age_ms(f, atomic_load(&f->data_at_ns)),
		.row_age_ms = age_ms(f, atomic_load(&f->row_at_ns)),
	};
}
