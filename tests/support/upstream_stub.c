/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream-stub: both price APIs on one port, for tests and `make run`.
 *
 *	GET  /markets?condition_ids=a&condition_ids=b&limit=n&closed=true|false
 *	GET  /markets/<condition id>		(CLOB's shape)
 *	POST /midpoints  [{"token_id":"..."},...]
 *	GET  /_control?mode=hang&delay_ms=100&...   sets; always answers counts
 *
 * Markets: of --objects FILE (one Gamma object a line, served byte for byte), else
 * made up from SEED: every id is a market, what it is stands in its first byte:
 * 00 unknown, 01 closed without outcome, 02 resolved, others open. A made-up
 * market's price is a walk in time (--tick-ms), plus `shift` thousandths.
 *
 * mode: ok, hang, close, status (with `status`), 429 (with `retry_after`, -1:
 * none), html, huge (10 MB), truncated, types, nan, empty. With `times` the mode
 * goes back to ok after so many calls. More than 100 ids: 422, as Gamma does.
 *
 * One thread a connection: a stub that hangs must not stop the others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

#define ID_LEN 32
#define ID_TEXT 66
#define TOKEN_MAX 80
#define REQUEST_MAX 1048576
#define IDS_MAX 512
#define GAMMA_LIMIT 100
#define HUGE (10u << 20)
#define NODES_MAX 65536

struct object { /* a market of the file */
	struct ch_view line;
	char id[ID_TEXT + 1];
	bool closed;
	char price[2][32];
	char token[2][TOKEN_MAX];
};

struct control { /* under mu */
	char mode[16];
	int delay_ms, status, retry_after, times, shift;
	uint64_t calls, keys, open, closed, midpoints, markets;
	int flying, flying_most;
};

static struct {
	uint64_t seed;
	int tick_ms;
	FILE *log;
	struct ch_map *objects; /* id -> struct object; NULL: made up */
	struct ch_map *tokens;	/* token -> price text */
	pthread_mutex_t mu;
	struct control control;
} stub = {.seed = 1,
	.tick_ms = 1000,
	.mu = PTHREAD_MUTEX_INITIALIZER,
	.control = {.mode = "ok", .status = 500, .retry_after = -1}};

struct request {
	char *text; /* all of it */
	size_t len;
	struct ch_view method, path, query, body;
};

struct reply {
	int status;
	const char *type;
	int retry_after;
	struct ch_buf body;
};

/* ---- made-up markets ---- */

/* 256 bits as decimal text. */
static void
token_of(const uint8_t id[ID_LEN], int outcome, char out[TOKEN_MAX])
{
	uint8_t n[ID_LEN];
	char digits[TOKEN_MAX];
	int count = 0;

	memcpy(n, id, ID_LEN);
	n[ID_LEN - 1] = (uint8_t)outcome;
	for (bool more = true; more && count < TOKEN_MAX - 1;) {
		unsigned rest = 0;

		more = false;
		for (int i = 0; i < ID_LEN; i++) {
			rest = rest << 8 | n[i];
			n[i] = (uint8_t)(rest / 10);
			rest %= 10;
			more |= n[i] != 0;
		}
		digits[count++] = (char)('0' + rest);
	}
	for (int i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	out[count] = '\0';
}

static void
id_of_token(struct ch_view token, uint8_t id[ID_LEN])
{
	memset(id, 0, ID_LEN);
	for (size_t i = 0; i < token.len; i++) {
		unsigned carry = (unsigned)(token.ptr[i] - '0') & 15u;

		for (int k = ID_LEN - 1; k >= 0; k--) {
			carry += id[k] * 10u;
			id[k] = (uint8_t)carry;
			carry >>= 8;
		}
	}
}

/* In thousandths: a triangle over time whose place and speed are the market's
 * own. The last byte does not count: tokens overwrite it. */
static int
milli_of(const uint8_t id[ID_LEN])
{
	uint64_t h =
		ch_hash64(id, ID_LEN - 1) ^ (stub.seed * 0x9e3779b97f4a7c15u);
	int64_t ms = ch_clock_wall(&ch_clock_real).us / 1000;
	int64_t step = stub.tick_ms > 0 ? ms / stub.tick_ms : 0;
	int64_t at = (int64_t)(h % 1980) + step * (int64_t)(1 + h / 1980 % 3);

	at = (at + stub.control.shift) % 1980;
	return (int)(at < 990 ? 5 + at : 5 + 1979 - at);
}

static bool
is_unknown(const uint8_t id[ID_LEN])
{
	return id[0] == 0;
}

static bool
is_closed(const uint8_t id[ID_LEN])
{
	return id[0] == 1 || id[0] == 2;
}

static void
price_of(const uint8_t id[ID_LEN], int outcome, char out[32])
{
	int milli = milli_of(id);

	if (id[0] == 2) {
		(void)snprintf(out, 32, "%d",
			(id[1] & 1) == (unsigned)outcome ? 1 : 0);
		return;
	}
	(void)snprintf(out, 32, "0.%03d", outcome == 0 ? milli : 1000 - milli);
}

static void
add_made_up_gamma(struct ch_buf *b, const uint8_t id[ID_LEN])
{
	char text[2][32], token[2][TOKEN_MAX];

	for (int o = 0; o < 2; o++) {
		price_of(id, o, text[o]);
		token_of(id, o, token[o]);
	}
	ch_json_add_comma(b);
	ch_buf_printf(b,
		"{\"id\":\"%u\",\"question\":\"Will it be so (%02x)? "
		"\xe2\x80\x9cyes\xe2\x80\x9d\",\"conditionId\":\"0x",
		id[4] * 256u + id[5], id[6]);
	ch_buf_add_hex(b, id, ID_LEN);
	ch_buf_adds(b, "\",\"description\":\"");
	for (int i = 0; i < 60; i++)
		ch_buf_adds(b,
			"This market will resolve to \\u201cYes\\u201d when "
			"it is so.\\n");
	ch_buf_printf(b,
		"\",\"outcomes\":\"[\\\"Yes\\\", \\\"No\\\"]\","
		"\"outcomePrices\":\"[\\\"%s\\\", \\\"%s\\\"]\","
		"\"volume\":\"525.6378150000002\",\"active\":true,"
		"\"closed\":%s,\"acceptingOrders\":%s,"
		"\"clobTokenIds\":\"[\\\"%s\\\", \\\"%s\\\"]\","
		"\"negRisk\":false,\"orderPriceMinTickSize\":0.001,"
		"\"volumeNum\":525.637815,\"umaResolutionStatuses\":\"[]\","
		"\"events\":[{\"id\":\"7\",\"tags\":[{\"id\":1,\"label\":\"x\"}]}]}",
		text[0], text[1], is_closed(id) ? "true" : "false",
		is_closed(id) ? "false" : "true", token[0], token[1]);
}

/* ---- markets of a file ---- */

static bool
pair_in(struct ch_arena *arena, const struct ch_json *m, const char *name,
	struct ch_view out[2])
{
	struct ch_view text;
	const struct ch_json *list;

	if (!ch_json_str(m, name, &text))
		return false;
	list = ch_json_parse(arena, text, 16, NULL);
	if (list == NULL || list->count != 2)
		return false;
	out[0] = list->child->str;
	out[1] = list->child->next->str;
	return true;
}

static void
take_object(struct ch_arena *arena, struct ch_view line)
{
	const struct ch_json *m = ch_json_parse(arena, line, NODES_MAX, NULL);
	struct ch_view id, prices[2], tokens[2];
	struct object *o;

	if (m == NULL || !ch_json_str(m, "conditionId", &id) ||
		id.len != ID_TEXT ||
		!pair_in(arena, m, "outcomePrices", prices) ||
		!pair_in(arena, m, "clobTokenIds", tokens))
		return;
	o = ch_xcalloc(1, sizeof(*o));
	o->line = line;
	(void)ch_view_copy(id, o->id, sizeof(o->id));
	(void)ch_json_bool(m, "closed", &o->closed);
	for (int i = 0; i < 2; i++) {
		(void)ch_view_copy(prices[i], o->price[i], sizeof(o->price[i]));
		(void)ch_view_copy(tokens[i], o->token[i], sizeof(o->token[i]));
		(void)ch_map_put(stub.tokens, ch_view_of(o->token[i]),
			o->price[i]);
	}
	free(ch_map_put(stub.objects, ch_view_of(o->id), o));
}

static void
read_objects(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (f == NULL) {
		fprintf(stderr, "upstream-stub: cannot read %s: %m\n", path);
		exit(EXIT_FAILURE);
	}
	stub.objects = ch_map_new();
	stub.tokens = ch_map_new();
	while ((n = getline(&line, &cap, f)) > 0) {
		struct ch_arena arena = CH_ARENA_INIT;

		take_object(&arena,
			ch_view_trim((struct ch_view){
				ch_xviewdup((struct ch_view){line, (size_t)n}),
				(size_t)n}));
		ch_arena_free(&arena);
	}
	free(line);
	(void)fclose(f);
	fprintf(stderr, "upstream-stub: %zu markets of %s\n",
		ch_map_count(stub.objects), path);
}

/* ---- the two APIs ---- */

static void
add_gamma(struct ch_buf *b, struct ch_view id, bool closed)
{
	uint8_t bytes[ID_LEN];
	const struct object *o;

	if (stub.objects != NULL) {
		o = ch_map_get(stub.objects, id);
		if (o == NULL || o->closed != closed)
			return;
		ch_json_add_comma(b);
		ch_buf_addv(b, o->line);
		return;
	}
	if (id.len != ID_TEXT ||
		!ch_hex_decode((struct ch_view){id.ptr + 2, id.len - 2}, bytes,
			ID_LEN) ||
		is_unknown(bytes) || is_closed(bytes) != closed)
		return;
	add_made_up_gamma(b, bytes);
}

static size_t
serve_gamma(const struct request *r, struct reply *out)
{
	struct ch_view query = r->query, part, ids[IDS_MAX];
	bool closed = false;
	size_t n = 0;

	while (ch_view_split(&query, '&', &part)) {
		if (ch_view_starts(part, CH_VIEW("condition_ids=")) &&
			n < IDS_MAX)
			ids[n++] =
				(struct ch_view){part.ptr + 14, part.len - 14};
		closed |= ch_view_eq_str(part, "closed=true");
	}
	if (n > GAMMA_LIMIT) {
		out->status = 422;
		ch_buf_adds(&out->body,
			"{\"error\":\"expected array length <= 100\"}");
		return n;
	}
	ch_buf_addc(&out->body, '[');
	for (size_t i = 0; i < n; i++)
		add_gamma(&out->body, ids[i], closed);
	ch_buf_addc(&out->body, ']');
	pthread_mutex_lock(&stub.mu);
	*(closed ? &stub.control.closed : &stub.control.open) += 1;
	pthread_mutex_unlock(&stub.mu);
	return n;
}

static void
add_clob_token(struct ch_buf *b, const char *token, const char *name,
	const char *price)
{
	ch_json_add_comma(b);
	ch_buf_printf(b,
		"{\"token_id\":\"%s\",\"outcome\":\"%s\",\"price\":%s,"
		"\"winner\":%s}",
		token, name, price, strcmp(price, "1") == 0 ? "true" : "false");
}

static size_t
serve_clob_market(const struct request *r, struct reply *out)
{
	struct ch_view id = {r->path.ptr + 9, r->path.len - 9};
	uint8_t bytes[ID_LEN] = {0};
	const struct object *o =
		stub.objects != NULL ? ch_map_get(stub.objects, id) : NULL;
	bool made_up = stub.objects == NULL && id.len == ID_TEXT &&
		ch_hex_decode((struct ch_view){id.ptr + 2, id.len - 2}, bytes,
			ID_LEN) &&
		!is_unknown(bytes);

	pthread_mutex_lock(&stub.mu);
	stub.control.markets++;
	pthread_mutex_unlock(&stub.mu);
	if (o == NULL && !made_up) {
		out->status = 404;
		ch_buf_adds(&out->body, "{\"error\":\"market not found\"}");
		return 1;
	}
	ch_buf_printf(&out->body,
		"{\"enable_order_book\":true,\"active\":true,\"closed\":%s,"
		"\"condition_id\":\"%.*s\",\"question\":\"Will it be so?\","
		"\"minimum_tick_size\":0.001,\"tokens\":[",
		(o != NULL ? o->closed : is_closed(bytes)) ? "true" : "false",
		CH_VIEW_ARG(id));
	for (int i = 0; i < 2; i++) {
		char price[32], token[TOKEN_MAX];

		price_of(bytes, i, price);
		token_of(bytes, i, token);
		add_clob_token(&out->body, o != NULL ? o->token[i] : token,
			i == 0 ? "Yes" : "No", o != NULL ? o->price[i] : price);
	}
	ch_buf_adds(&out->body, "]}");
	return 1;
}

static void
add_midpoint(struct ch_buf *b, struct ch_view token)
{
	uint8_t id[ID_LEN];
	char price[32];
	const char *found;

	if (stub.objects != NULL) {
		found = ch_map_get(stub.tokens, token);
	} else {
		id_of_token(token, id);
		price_of(id, id[ID_LEN - 1] & 1, price);
		/* no book for what does not trade */
		found = is_unknown(id) || is_closed(id) ? NULL : price;
	}
	if (found == NULL)
		return;
	ch_json_add_comma(b);
	ch_json_add_string(b, token);
	ch_buf_printf(b, ":\"%s\"", found);
}

static size_t
serve_midpoints(const struct request *r, struct reply *out)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *list =
		ch_json_parse(&arena, r->body, NODES_MAX, NULL);
	size_t n = list != NULL ? list->count : 0;

	if (list == NULL || list->type != CH_JSON_ARRAY || n > 500) {
		out->status = 400;
		ch_buf_adds(&out->body,
			"{\"error\":\"Payload exceeds the limit\"}");
		ch_arena_free(&arena);
		return n;
	}
	ch_buf_addc(&out->body, '{');
	for (const struct ch_json *v = list->child; v != NULL; v = v->next) {
		struct ch_view token;

		if (ch_json_str(v, "token_id", &token))
			add_midpoint(&out->body, token);
	}
	ch_buf_addc(&out->body, '}');
	ch_arena_free(&arena);
	pthread_mutex_lock(&stub.mu);
	stub.control.midpoints++;
	pthread_mutex_unlock(&stub.mu);
	return n / 2;
}

static size_t
serve_api(const struct request *r, struct reply *out)
{
	if (ch_view_eq_str(r->path, "/markets"))
		return serve_gamma(r, out);
	if (ch_view_starts(r->path, CH_VIEW("/markets/")))
		return serve_clob_market(r, out);
	if (ch_view_eq_str(r->path, "/midpoints"))
		return serve_midpoints(r, out);
	out->status = 404;
	return 0;
}

/* ---- the switches ---- */

static void
reset_counts(struct control *c)
{
	c->calls = c->keys = 0;
	c->open = c->closed = c->midpoints = c->markets = 0;
	c->flying_most = c->flying;
}

static void
set_switch(struct ch_view name, struct ch_view value)
{
	struct control *c = &stub.control;
	char text[32];

	(void)ch_view_copy(value, text, sizeof(text));
	if (ch_view_eq_str(name, "mode"))
		(void)ch_view_copy(value, c->mode, sizeof(c->mode));
	else if (ch_view_eq_str(name, "delay_ms"))
		c->delay_ms = (int)strtol(text, NULL, 10);
	else if (ch_view_eq_str(name, "status"))
		c->status = (int)strtol(text, NULL, 10);
	else if (ch_view_eq_str(name, "retry_after"))
		c->retry_after = (int)strtol(text, NULL, 10);
	else if (ch_view_eq_str(name, "times"))
		c->times = (int)strtol(text, NULL, 10);
	else if (ch_view_eq_str(name, "shift"))
		c->shift = (int)strtol(text, NULL, 10);
	else if (ch_view_eq_str(name, "reset"))
		reset_counts(c);
}

static void
serve_control(const struct request *r, struct reply *out)
{
	struct ch_view query = r->query, part;
	const struct control *c = &stub.control;

	pthread_mutex_lock(&stub.mu);
	while (ch_view_split(&query, '&', &part)) {
		struct ch_view name;

		if (ch_view_split(&part, '=', &name))
			set_switch(name, part);
	}
	ch_buf_printf(&out->body,
		"{\"mode\":\"%s\",\"calls\":%llu,\"keys\":%llu,\"open\":%llu,"
		"\"closed\":%llu,\"midpoints\":%llu,\"markets\":%llu,"
		"\"flying_most\":%d}\n",
		c->mode, (unsigned long long)c->calls,
		(unsigned long long)c->keys, (unsigned long long)c->open,
		(unsigned long long)c->closed, (unsigned long long)c->midpoints,
		(unsigned long long)c->markets, c->flying_most);
	pthread_mutex_unlock(&stub.mu);
}

/* The mode of this call, and its delay. */
static struct control
take_mode(void)
{
	struct control now;

	pthread_mutex_lock(&stub.mu);
	stub.control.calls++;
	if (++stub.control.flying > stub.control.flying_most)
		stub.control.flying_most = stub.control.flying;
	now = stub.control;
	if (stub.control.times > 0 && --stub.control.times == 0)
		(void)snprintf(stub.control.mode, sizeof(stub.control.mode),
			"ok");
	pthread_mutex_unlock(&stub.mu);
	return now;
}

/* "0.135" in a string, and price":0.135, become NaN of the same length. */
static void
spoil_prices(char *text)
{
	for (char *p = text; p != NULL && (p = strstr(p, "0.")) != NULL; p += 2)
		if (p - text > 7 &&
			(p[-1] == '"' || memcmp(p - 7, "price\":", 7) == 0))
			memcpy(p, "NaN  ", 5);
}

static void
spoil(const struct control *c, struct reply *out)
{
	struct ch_buf *b = &out->body;

	if (strcmp(c->mode, "status") == 0) {
		out->status = c->status;
	} else if (strcmp(c->mode, "429") == 0) {
		out->status = 429;
		out->retry_after = c->retry_after;
		out->type = "text/html";
		ch_buf_clear(b);
		ch_buf_adds(b, "<html>slow down</html>");
	} else if (strcmp(c->mode, "html") == 0) {
		out->type = "text/html";
		ch_buf_clear(b);
		ch_buf_adds(b, "<!DOCTYPE html><html>Just a moment...</html>");
	} else if (strcmp(c->mode, "truncated") == 0) {
		b->len = b->len / 2;
	} else if (strcmp(c->mode, "types") == 0) {
		ch_buf_clear(b);
		ch_buf_adds(b,
			"[7,null,{\"conditionId\":5,\"outcomes\":{},"
			"\"outcomePrices\":true,\"closed\":\"no\"},[[]]]");
	} else if (strcmp(c->mode, "nan") == 0) {
		spoil_prices(b->ptr);
	} else if (strcmp(c->mode, "empty") == 0) {
		ch_buf_clear(b);
	} else if (strcmp(c->mode, "huge") == 0) {
		ch_buf_clear(b);
		ch_buf_adds(b, "[\"");
		while (b->len < HUGE)
			ch_buf_adds(b,
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		ch_buf_adds(b, "\"]");
	}
}

static void
pause_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
		continue;
}

static void
log_call(const struct request *r, size_t keys, const char *mode)
{
	if (stub.log == NULL)
		return;
	fprintf(stub.log, "%lld %.*s %.*s keys=%zu mode=%s closed=%d\n",
		(long long)ch_clock_wall(&ch_clock_real).us,
		CH_VIEW_ARG(r->method), CH_VIEW_ARG(r->path), keys, mode,
		memmem(r->query.ptr, r->query.len, "closed=true", 11) != NULL);
	fflush(stub.log);
}

/* ---- HTTP ---- */

/* true: the connection may go on. */
static bool
send_reply(int fd, const struct reply *p)
{
	struct ch_buf head = CH_BUF_INIT;
	const char *at;
	size_t left;
	bool ok = true;

	ch_buf_printf(&head,
		"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
		p->status, p->type, p->body.len);
	if (p->retry_after >= 0)
		ch_buf_printf(&head, "Retry-After: %d\r\n", p->retry_after);
	ch_buf_adds(&head, "\r\n");
	ch_buf_addv(&head, ch_buf_view(&p->body));
	for (at = head.ptr, left = head.len; ok && left > 0;) {
		ssize_t n = send(fd, at, left, MSG_NOSIGNAL);

		ok = n > 0;
		at += ok ? n : 0;
		left -= ok ? (size_t)n : 0;
	}
	ch_buf_free(&head);
	return ok;
}

/* Waits until the client gives up. */
static void
hang(int fd)
{
	struct pollfd p = {fd, POLLRDHUP, 0};

	(void)poll(&p, 1, 600000);
}

static bool
answer(int fd, const struct request *r)
{
	struct reply out = {200, "application/json", -1, CH_BUF_INIT};
	struct control c;
	size_t keys;
	bool alive = true;

	if (ch_view_eq_str(r->path, "/_control")) {
		serve_control(r, &out);
		alive = send_reply(fd, &out);
		ch_buf_free(&out.body);
		return alive;
	}
	c = take_mode();
	keys = serve_api(r, &out);
	log_call(r, keys, c.mode);
	pthread_mutex_lock(&stub.mu);
	stub.control.keys += keys;
	pthread_mutex_unlock(&stub.mu);
	pause_ms(c.delay_ms);
	if (strcmp(c.mode, "hang") == 0 || strcmp(c.mode, "close") == 0) {
		if (c.mode[0] == 'h')
			hang(fd);
		alive = false;
	} else {
		spoil(&c, &out);
		alive = send_reply(fd, &out);
	}
	pthread_mutex_lock(&stub.mu);
	stub.control.flying--;
	pthread_mutex_unlock(&stub.mu);
	ch_buf_free(&out.body);
	return alive;
}

static size_t
content_length(struct ch_view head)
{
	const char *p = strcasestr(head.ptr, "content-length:");

	return p != NULL && p < head.ptr + head.len
		? (size_t)strtoul(p + 15, NULL, 10)
		: 0;
}

/* Reads until a whole request is there. false: the client has gone, or asks
 * for too much. */
static bool
read_request(int fd, struct ch_buf *in, struct request *r)
{
	for (;;) {
		char *end = in->len > 0 ? strstr(in->ptr, "\r\n\r\n") : NULL;
		ssize_t n;

		if (end != NULL) {
			struct ch_view head = {
				in->ptr, (size_t)(end - in->ptr)};
			size_t body = content_length(head);

			r->body = (struct ch_view){end + 4, body};
			r->len = head.len + 4 + body;
			if (in->len >= r->len)
				return true;
		}
		if (in->len > REQUEST_MAX)
			return false;
		ch_buf_reserve(in, 65536);
		n = recv(fd, in->ptr + in->len, 65536, 0);
		if (n <= 0)
			return false;
		in->len += (size_t)n;
		in->ptr[in->len] = '\0';
	}
}

static void
split_line(const struct ch_buf *in, struct request *r)
{
	struct ch_view line = {in->ptr, strcspn(in->ptr, "\r\n")};
	struct ch_view target = {"", 0};

	(void)ch_view_split(&line, ' ', &r->method);
	(void)ch_view_split(&line, ' ', &target);
	if (!ch_view_split(&target, '?', &r->path))
		r->path = CH_VIEW("/");
	r->query = target;
	if (r->query.ptr == NULL)
		r->query = CH_VIEW("");
}

static void *
connection_main(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct ch_buf in = CH_BUF_INIT;
	struct request r = {0};

	while (read_request(fd, &in, &r)) {
		split_line(&in, &r);
		if (!answer(fd, &r))
			break;
		memmove(in.ptr, in.ptr + r.len, in.len - r.len);
		in.len -= r.len;
		in.ptr[in.len] = '\0';
	}
	ch_buf_free(&in);
	(void)close(fd);
	return NULL;
}

static int
listen_on(const char *text, const char *port_file)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	const char *colon = strrchr(text, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	FILE *f;

	/* in a container others must reach it: every address, if so asked */
	a.sin_addr.s_addr =
		htonl(strncmp(text, "0.0.0.0:", 8) == 0 ? INADDR_ANY
							: INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)strtol(colon != NULL ? colon + 1 : text,
		NULL, 10));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
		listen(fd, 512) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
		fprintf(stderr, "upstream-stub: cannot listen on %s: %m\n",
			text);
		exit(EXIT_FAILURE);
	}
	if (port_file != NULL) {
		f = fopen(port_file, "we");
		if (f == NULL || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 ||
			fclose(f) != 0)
			exit(EXIT_FAILURE);
	}
	printf("upstream-stub: listening on 127.0.0.1:%d, SEED=%llu\n",
		ntohs(a.sin_port), (unsigned long long)stub.seed);
	fflush(stdout);
	return fd;
}

static const char *
option(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return NULL;
}

int
main(int argc, char **argv)
{
	const char *listen_text = option(argc, argv, "--listen");
	const char *seed = option(argc, argv, "--seed");
	const char *tick = option(argc, argv, "--tick-ms");
	const char *objects = option(argc, argv, "--objects");
	const char *log = option(argc, argv, "--log");
	int fd, on = 1;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		printf("upstream-stub [--listen=127.0.0.1:PORT] [--port-file=F] "
		       "[--seed=N] [--tick-ms=MS] [--objects=JSONL] [--log=F]\n");
		return EXIT_SUCCESS;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	stub.seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
	stub.tick_ms = tick != NULL ? (int)strtol(tick, NULL, 10) : 1000;
	stub.log = log != NULL ? fopen(log, "ae") : NULL;
	if (objects != NULL)
		read_objects(objects);
	fd = listen_on(listen_text != NULL ? listen_text : "127.0.0.1:0",
		option(argc, argv, "--port-file"));
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (client < 0)
			continue;
		(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on,
			sizeof(on));
		if (pthread_create(&thread, NULL, connection_main,
			    (void *)(intptr_t)client) == 0)
			(void)pthread_detach(thread);
		else
			(void)close(client);
	}
}
