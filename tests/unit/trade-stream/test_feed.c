/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed without Kafka: a WebSocket server of our own on the same network
 * thread, the test as the main thread. Meant to be run with BUILD=tsan too.
 */
#include <poll.h>
#include <stdatomic.h>

#include "base/hex.h"
#include "base/log.h"
#include "feed.h"
#include "feed_gen.h"
#include "io/http_server.h"
#include "record.h"
#include "suite.h"

#define WALLETS 20
#define BURST 50
#define BURST_MS 5
#define DEADLINE_MS 60000

struct bench {
	struct ch_net *net;
	struct ch_http_server *server;
	struct ch_net_timer *timer;
	struct ch_http_ref client; /* network thread */
	struct feed_gen *gen;	   /* network thread */
	atomic_int subscribed;
	atomic_int quiet;
	struct ch_metrics *metrics;
	struct meters meters;
	struct ch_ring *queue;
	struct feed *feed;
	char url[64];
};

static void
on_opened(struct ch_http_ref ref, void *ctx, void *session_ctx)
{
	struct bench *b = ctx;

	(void)session_ctx;
	b->client = ref;
}

static void
on_message(struct ch_http_ref ref, struct ch_view text, void *ctx,
	void *session_ctx)
{
	struct bench *b = ctx;

	(void)session_ctx;
	if (ch_view_eq_str(text, "PING"))
		(void)ch_http_send(b->server, ref, CH_VIEW("PONG"));
	else
		atomic_fetch_add(&b->subscribed, 1);
}

static void
on_closed(struct ch_http_ref ref, void *ctx, void *session_ctx)
{
	struct bench *b = ctx;

	(void)session_ctx;
	if (b->client.id == ref.id)
		b->client.id = 0;
}

static void
on_timer(void *ctx)
{
	struct bench *b = ctx;
	struct feed_row rows[FEED_ROWS_MAX];
	struct ch_buf text = CH_BUF_INIT;

	ch_net_timer_set(b->timer, BURST_MS);
	if (b->client.id == 0 || atomic_load(&b->quiet))
		return;
	for (int i = 0; i < BURST; i++) {
		int n = feed_gen_transaction(b->gen,
			ch_clock_wall(&ch_clock_real), rows);

		for (int r = 0; r < n; r++) {
			ch_buf_clear(&text);
			feed_gen_frame(b->gen, &rows[r], &text);
			(void)ch_http_send(b->server, b->client,
				ch_buf_view(&text));
		}
	}
	ch_buf_free(&text);
}

static void
start_timer(void *ctx)
{
	on_timer(ctx);
}

static void
free_timer(void *ctx)
{
	struct bench *b = ctx;

	ch_net_timer_free(b->timer);
}

static void
open_server(struct bench *b)
{
	const struct ch_ws_route ws[] = {
		{"/", NULL, on_opened, on_message, on_closed, b},
		{.path = NULL}};
	const struct ch_http_route none[] = {{.path = NULL}};
	struct ch_http_server_options opt = {.name = "feed",
		.listen = "127.0.0.1:0",
		.routes = none,
		.ws_routes = ws,
		.max_queue = 64 << 20};

	ck_assert_int_eq(ch_net_start(&b->net, NULL, NULL), 0);
	ck_assert_int_eq(ch_http_server_start(&b->server, b->net, &opt, NULL),
		0);
	snprintf(b->url, sizeof(b->url), "ws://127.0.0.1:%d/",
		ch_http_server_port(b->server));
	b->timer = ch_net_timer_new(b->net, on_timer, b);
}

static void
open_bench(struct bench *b, int64_t queue_trades)
{
	static const struct ch_metric_desc *const tables[] = {
		trade_stream_metrics, NULL};
	struct feed_options opt = {.limits = {100, 1000, 500, 10, 50},
		.queue_trades = queue_trades,
		.queue_bytes = 64 << 20};

	ch_log_init("test", CH_LOG_ERROR, false);
	*b = (struct bench){.gen = feed_gen_new(suite_seed(), 10, WALLETS)};
	open_server(b);
	b->metrics = ch_metrics_new("trade-stream", tables);
	meters_init(&b->meters, b->metrics);
	b->queue = ch_ring_new((size_t)queue_trades, 64 << 20);
	opt.net = b->net;
	opt.url = b->url;
	opt.rows = (struct rows_options){.clock = &ch_clock_real,
		.meters = &b->meters,
		.queue = b->queue,
		.publish = {[TRADE_TRADES] = true},
		.identity_window_ms = 60000,
		.identity_keys = 1000};
	ck_assert_int_eq(feed_open(&b->feed, &opt, NULL, NULL), 0);
	ck_assert_int_eq(ch_net_call(b->net, start_timer, b), 0);
}

static void
close_bench(struct bench *b)
{
	feed_close(b->feed);
	feed_free(b->feed);
	ck_assert_int_eq(ch_net_call_wait(b->net, free_timer, b), 0);
	ch_http_server_stop(b->server);
	ch_net_stop(b->net);
	ch_ring_free(b->queue, free);
	ch_metrics_free(b->metrics);
	feed_gen_free(b->gen);
}

/* Asked in every turn of a wait, so it also gives the processor away. */
static bool
is_late(struct ch_mono began)
{
	(void)poll(NULL, 0, 1);
	return ch_mono_ms_since(ch_clock_mono(&ch_clock_real), began) >
		DEADLINE_MS;
}

static struct walletset *
one_wallet(const struct bench *b, unsigned index)
{
	struct walletset *set = NULL;
	char wallet[43];

	feed_gen_wallet(b->gen, index, wallet);
	ck_assert_int_eq(walletset_parse(&set, ch_view_of(wallet), index, NULL),
		0);
	return set;
}

/* Takes what is queued; every record must be of that wallet. */
static int
take_all(struct bench *b, const char *wallet)
{
	char member[64];
	struct record *r;
	int n = 0;

	snprintf(member, sizeof(member), "\"wallet\":\"%s\"", wallet);
	while ((r = ch_ring_pop(b->queue)) != NULL) {
		ck_assert(memmem(r->value, r->len, member, strlen(member)) !=
			NULL);
		free(r);
		n++;
	}
	return n;
}

/* From the moment that feed_watch() returns, nothing is judged by the former
 * set: it is freed at once, and only the new wallet's rows come. */
START_TEST(sets_are_exchanged_under_load)
{
	struct walletset *set = NULL;
	struct bench b;

	open_bench(&b, 100000);
	for (unsigned i = 0; i < 50; i++) {
		struct ch_mono began = ch_clock_mono(&ch_clock_real);
		struct walletset *fresh = one_wallet(&b, i % WALLETS);
		struct record *r;
		char wallet[43];

		feed_watch(b.feed, fresh);
		walletset_free(set);
		set = fresh;
		while ((r = ch_ring_pop(b.queue)) != NULL)
			free(r); /* may be of the former one */
		feed_gen_wallet(b.gen, i % WALLETS, wallet);
		for (int n = 0; n < 3; n += take_all(&b, wallet))
			ck_assert_msg(!is_late(began), "no row of %s", wallet);
	}
	close_bench(&b);
	walletset_free(set);
}
END_TEST

START_TEST(a_silent_server_is_left_and_found_again)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	struct bench b;
	int before;

	open_bench(&b, 1000000);
	while (feed_status(b.feed).state != SESSION_LIVE)
		ck_assert(!is_late(began));
	atomic_store(&b.quiet, 1);
	before = atomic_load(&b.subscribed);
	/* the first may have been on its way */
	while (atomic_load(&b.subscribed) < before + 2)
		ck_assert(!is_late(began));
	ck_assert_int_ge(feed_status(b.feed).data_age_ms, 500);
	atomic_store(&b.quiet, 0);
	while (feed_status(b.feed).state != SESSION_LIVE)
		ck_assert(!is_late(began));
	close_bench(&b);
}
END_TEST

/* 16 rows of room: the feed closes, loses what it counts, and does not come
 * back before there is room. */
START_TEST(a_full_queue_ends_the_connection_until_there_is_room)
{
	struct ch_mono began = ch_clock_mono(&ch_clock_real);
	struct ch_series *full;
	struct record *r;
	struct bench b;
	int connections;

	open_bench(&b, 16);
	full = b.meters.reconnects[SESSION_FULL];
	while (ch_series_value(full) == 0)
		ck_assert(!is_late(began));
	ck_assert_int_ge(ch_series_value(b.meters.dropped), 1);
	ck_assert_uint_eq(ch_ring_count(b.queue), 16);
	connections = atomic_load(&b.subscribed);
	while ((r = ch_ring_pop(b.queue)) != NULL)
		free(r);
	while (atomic_load(&b.subscribed) == connections)
		ck_assert(!is_late(began));
	close_bench(&b);
}
END_TEST

SUITE_MAIN("feed", sets_are_exchanged_under_load,
	a_silent_server_is_left_and_found_again,
	a_full_queue_ends_the_connection_until_there_is_room)
