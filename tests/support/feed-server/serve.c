/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: see serve.h.
 *
 * The file of frames sent gets a line {"conn", "frame"} for each frame and
 * connection that took it, the frame as it went out.
 */
#include "serve.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define CLIENTS 32
#define BURST_MS 300
#define CONTROL_MS 20
#define LAST_MAX 4096 /* frames kept for redeliver */
#define HUGE_BYTES 100000
#define QUEUE_BYTES (256u << 20)
#define NODES_MAX 64

struct client {
	struct ch_http_ref ref; /* id 0: free */
	uint64_t number;
	bool trades;
	bool orders;
	unsigned pings;
};

struct serve {
	struct serve_options opt;
	struct ch_net *net;
	struct ch_http_server *server;
	struct ch_net_timer *burst;
	struct ch_net_timer *control;
	struct client clients[CLIENTS];
	uint64_t connections;
	struct ch_buf frame;
	long control_at; /* bytes of the control file that were read */
	char *last[LAST_MAX];
	uint64_t sent;
	int64_t owed; /* thousandths of a frame */
	int64_t redeliver;
	int refuse;
	bool silent;
	bool mute;
};

static const char *const malformed[] = {"{", "[]", "nul", "\xff\xfe",
	"{\"topic\":\"activity\",\"type\":\"trades\"}",
	"{\"topic\":\"activity\",\"topic\":\"activity\"}",
	"{\"payload\":{\"price\":NaN},\"topic\":\"activity\",\"type\":\"trades\"}",
	("{\"payload\":{\"price\":1e400},\"timestamp\":1790272257115,"
	 "\"topic\":\"activity\",\"type\":\"trades\"}"),
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};

static bool
is_subscribed(const struct client *c)
{
	return c->ref.id != 0 && (c->trades || c->orders);
}

static void
send_text(struct serve *s, struct client *c, struct ch_view text)
{
	if (!s->mute)
		(void)ch_http_send(s->server, c->ref, text);
}

static void
note_sent(struct serve *s, const struct client *c, struct ch_view frame)
{
	if (s->opt.sent == NULL)
		return;
	fprintf(s->opt.sent, "{\"conn\":%llu,\"frame\":%.*s}\n",
		(unsigned long long)c->number, CH_VIEW_ARG(frame));
}

static void
send_frame(struct serve *s, struct client *c, struct ch_view frame)
{
	static const char orders[] = "\"type\":\"orders_matched\"}";
	bool is_orders = frame.len >= sizeof(orders) - 1 &&
		memcmp(frame.ptr + frame.len - (sizeof(orders) - 1), orders,
			sizeof(orders) - 1) == 0;

	if (!is_subscribed(c) || !(is_orders ? c->orders : c->trades))
		return;
	if (ch_http_send(s->server, c->ref, frame) == 0)
		note_sent(s, c, frame);
}

static bool
anybody_listens(const struct serve *s)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (is_subscribed(&s->clients[i]))
			return true;
	}
	return false;
}

static bool
send_next(struct serve *s)
{
	char **kept = &s->last[s->sent % LAST_MAX];

	if (s->opt.frames > 0 && s->sent >= (uint64_t)s->opt.frames)
		return false;
	if (!source_next(s->opt.source, ch_clock_wall(&ch_clock_real),
		    &s->frame))
		return false;
	for (int i = 0; i < CLIENTS; i++)
		send_frame(s, &s->clients[i], ch_buf_view(&s->frame));
	free(*kept);
	*kept = ch_xviewdup(ch_buf_view(&s->frame));
	s->sent++;
	return true;
}

static void
send_many(struct serve *s, int64_t n)
{
	while (n-- > 0 && anybody_listens(s) && send_next(s))
		continue;
	if (s->opt.sent != NULL)
		fflush(s->opt.sent);
}

static void
on_burst(void *ctx)
{
	struct serve *s = ctx;

	ch_net_timer_set(s->burst, BURST_MS);
	if (s->silent || s->mute || !anybody_listens(s))
		return;
	s->owed += s->opt.rate * BURST_MS;
	send_many(s, s->owed / 1000);
	s->owed %= 1000;
}

static void
redeliver(struct serve *s, struct client *c)
{
	uint64_t n = (uint64_t)s->redeliver;

	if (n > s->sent)
		n = s->sent;
	if (n > LAST_MAX)
		n = LAST_MAX;
	for (uint64_t i = s->sent - n; i < s->sent; i++)
		send_frame(s, c, ch_view_of(s->last[i % LAST_MAX]));
	if (s->opt.sent != NULL)
		fflush(s->opt.sent);
}

/* ---- what clients say ---- */

static bool
subscribe_one(struct client *c, const struct ch_json *one)
{
	struct ch_view topic;
	struct ch_view type;

	if (one->type != CH_JSON_OBJECT || one->count != 2 ||
		!ch_json_str(one, "topic", &topic) ||
		!ch_json_str(one, "type", &type) ||
		!ch_view_eq_str(topic, "activity"))
		return false;
	c->trades |=
		ch_view_eq_str(type, "trades") || ch_view_eq_str(type, "*");
	c->orders |= ch_view_eq_str(type, "orders_matched") ||
		ch_view_eq_str(type, "*");
	return c->trades || c->orders;
}

/* false: drop the connection. */
static bool
subscribe(struct client *c, struct ch_view text)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *root =
		ch_json_parse(&arena, text, NODES_MAX, NULL);
	const struct ch_json *list = ch_json_get(root, "subscriptions");
	struct ch_view action;
	bool ok = root != NULL && root->type == CH_JSON_OBJECT;

	if (ok && ch_json_get(root, "action") == NULL) {
		ch_arena_free(&arena);
		return true; /* accepted, and silently ignored */
	}
	ok = ok && root->count == 2 && ch_json_str(root, "action", &action) &&
		ch_view_eq_str(action, "subscribe") && list != NULL &&
		list->type == CH_JSON_ARRAY && list->count > 0;
	for (const struct ch_json *one = ok ? list->child : NULL; one != NULL;
		one = one->next)
		ok = ok && subscribe_one(c, one);
	ch_arena_free(&arena);
	return ok;
}

static struct client *
client_of(struct serve *s, struct ch_http_ref ref)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (s->clients[i].ref.id == ref.id)
			return &s->clients[i];
	}
	return NULL;
}

static int
on_accept(struct ch_http_req *req, void *ctx, void **session_ctx)
{
	struct serve *s = ctx;

	(void)req;
	(void)session_ctx;
	if (s->refuse == 0 && client_of(s, (struct ch_http_ref){0}) == NULL)
		return 503;
	return s->refuse;
}

static void
on_opened(struct ch_http_ref ref, void *ctx, void *session_ctx)
{
	struct serve *s = ctx;
	struct client *c = client_of(s, (struct ch_http_ref){0});

	(void)session_ctx;
	if (c == NULL) {
		ch_http_close(s->server, ref);
		return;
	}
	*c = (struct client){.ref = ref, .number = ++s->connections};
	ch_info("feed.client", CH_U("conn", c->number));
}

static void
on_message(struct ch_http_ref ref, struct ch_view text, void *ctx,
	void *session_ctx)
{
	struct serve *s = ctx;
	struct client *c = client_of(s, ref);

	(void)session_ctx;
	if (c == NULL)
		return;
	if (ch_view_eq_str(text, "PING")) {
		send_text(s, c,
			c->pings++ % 2 == 0 ? CH_VIEW("PONG") : CH_VIEW(""));
		return;
	}
	if (!subscribe(c, text)) {
		ch_warn("feed.bad_subscribe", CH_V("text", text));
		ch_http_close(s->server, ref);
		return;
	}
	if (!is_subscribed(c))
		return;
	send_text(s, c, CH_VIEW(""));
	if (!s->silent && !s->mute)
		redeliver(s, c);
}

static void
on_closed(struct ch_http_ref ref, void *ctx, void *session_ctx)
{
	struct serve *s = ctx;
	struct client *c = client_of(s, ref);

	(void)session_ctx;
	if (c != NULL)
		c->ref.id = 0;
}

/* ---- what the test says ---- */

static void
send_to_all(struct serve *s, struct ch_view text)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (s->clients[i].ref.id != 0)
			send_text(s, &s->clients[i], text);
	}
}

static void
send_malformed(struct serve *s)
{
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		send_to_all(s, ch_view_of(malformed[i]));
}

static void
send_huge(struct serve *s)
{
	struct ch_buf b = CH_BUF_INIT;

	for (int i = 0; i < HUGE_BYTES; i++)
		ch_buf_addc(&b, 'x');
	send_to_all(s, ch_buf_view(&b));
	ch_buf_free(&b);
}

static void
close_all(struct serve *s)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (s->clients[i].ref.id != 0)
			ch_http_close(s->server, s->clients[i].ref);
	}
}

static bool
obey_number(struct serve *s, struct ch_view word, struct ch_view rest)
{
	int64_t n;

	if (ch_view_int(rest, 0, 1000000000, &n) != 0)
		return false;
	if (ch_view_eq_str(word, "rate"))
		s->opt.rate = n;
	else if (ch_view_eq_str(word, "send"))
		send_many(s, n);
	else if (ch_view_eq_str(word, "redeliver"))
		s->redeliver = n;
	else if (ch_view_eq_str(word, "refuse"))
		s->refuse = (int)n;
	else
		return false;
	return true;
}

static bool
obey_switch(struct serve *s, struct ch_view word)
{
	if (ch_view_eq_str(word, "silence"))
		s->silent = true;
	else if (ch_view_eq_str(word, "resume"))
		s->silent = false;
	else if (ch_view_eq_str(word, "mute"))
		s->mute = true;
	else if (ch_view_eq_str(word, "unmute"))
		s->mute = false;
	else if (ch_view_eq_str(word, "accept"))
		s->refuse = 0;
	else
		return false;
	return true;
}

static bool
obey_send(struct serve *s, struct ch_view word)
{
	if (ch_view_eq_str(word, "close"))
		close_all(s);
	else if (ch_view_eq_str(word, "malformed"))
		send_malformed(s);
	else if (ch_view_eq_str(word, "huge"))
		send_huge(s);
	else if (ch_view_eq_str(word, "blank"))
		send_to_all(s, CH_VIEW(" \n"));
	else if (ch_view_eq_str(word, "notice"))
		send_to_all(s, CH_VIEW("{\"message\":\"update not found\"}"));
	else
		return false;
	return true;
}

static void
obey(struct serve *s, struct ch_view line)
{
	struct ch_view word;

	if (!ch_view_split(&line, ' ', &word))
		return;
	if (!obey_switch(s, word) && !obey_send(s, word) &&
		!obey_number(s, word, ch_view_trim(line)))
		ch_error("feed.unknown_command", CH_V("word", word));
	else
		ch_info("feed.done", CH_V("command", word));
}

/* Whole lines that were appended since the last look. */
static void
on_control(void *ctx)
{
	struct serve *s = ctx;
	FILE *file = fopen(s->opt.control, "r");
	char line[256];

	ch_net_timer_set(s->control, CONTROL_MS);
	if (file == NULL)
		return;
	(void)fseek(file, s->control_at, SEEK_SET);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strchr(line, '\n') == NULL)
			break;
		s->control_at = ftell(file);
		obey(s, ch_view_trim(ch_view_of(line)));
	}
	fclose(file);
}

/* ---- start and stop ---- */

static void
start_timers(void *ctx)
{
	struct serve *s = ctx;

	ch_net_timer_set(s->burst, BURST_MS);
	if (s->opt.control != NULL)
		ch_net_timer_set(s->control, CONTROL_MS);
}

static void
free_timers(void *ctx)
{
	struct serve *s = ctx;

	ch_net_timer_free(s->burst);
	ch_net_timer_free(s->control);
}

int
serve_start(struct serve **out, struct ch_net *net,
	const struct serve_options *opt, struct ch_err *err)
{
	struct serve *s = ch_xcalloc(1, sizeof(*s));
	const struct ch_ws_route routes[] = {
		{"/", on_accept, on_opened, on_message, on_closed, s},
		{"/ws", on_accept, on_opened, on_message, on_closed, s},
		{.path = NULL}};
	const struct ch_http_route none[] = {{.path = NULL}};
	struct ch_http_server_options http = {.name = "feed",
		.listen = opt->listen,
		.routes = none,
		.ws_routes = routes,
		.max_queue = QUEUE_BYTES};
	int rc;

	s->opt = *opt;
	s->net = net;
	rc = ch_http_server_start(&s->server, net, &http, err);
	if (rc != 0) {
		free(s);
		return rc;
	}
	s->burst = ch_net_timer_new(net, on_burst, s);
	s->control = ch_net_timer_new(net, on_control, s);
	(void)ch_net_call_wait(net, start_timers, s);
	*out = s;
	return 0;
}

int
serve_port(const struct serve *s)
{
	return ch_http_server_port(s->server);
}

void
serve_stop(struct serve *s)
{
	if (s == NULL)
		return;
	(void)ch_net_call_wait(s->net, free_timers, s);
	ch_http_server_stop(s->server);
	for (int i = 0; i < LAST_MAX; i++)
		free(s->last[i]);
	ch_buf_free(&s->frame);
	free(s);
}
