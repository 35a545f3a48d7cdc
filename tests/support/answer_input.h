/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_input: bytes as all that a webhook's endpoint sends before it closes
 * the connection, and what must hold of how they are read; for the fuzz target
 * and for the unit test that replays its corpus.
 *
 * The whole way is the real one: hook_sender, its HTTP client, a socket. The
 * endpoint is a listener of our own, turned by this very thread; a sender is
 * opened anew for each input, so that none sees the state of another.
 */
#ifndef TEST_ANSWER_INPUT_H
#define TEST_ANSWER_INPUT_H

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hook_answer.h"
#include "hook_sender.h"

#define ANSWER_BODY_MAX 4096
#define ANSWER_RETRY_MAX_S 3600
#define ANSWER_WAIT_MAX_MS 3000
#define ANSWER_TURNS_MAX 2000 /* of 10 ms */

/* The endpoint's side of one input. */
struct answer_peer {
	struct ch_view bytes;
	int listener, connection, answered;
	int connections;
};

static inline int
answer_listen(void)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
		bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
		listen(fd, 8) != 0)
		abort();
	return fd;
}

static inline int
answer_port(int listener)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	if (getsockname(listener, (struct sockaddr *)&at, &len) != 0)
		abort();
	return ntohs(at.sin_port);
}

/* Kept from one input to the next: they do not change. */
static inline struct endpoints *
answer_endpoints(int *listener)
{
	static struct endpoints endpoints;
	static int fd = -1;
	struct ch_buf text = CH_BUF_INIT;

	if (fd < 0) {
		fd = answer_listen();
		ch_buf_printf(&text,
			"[a]\nurl = http://127.0.0.1:%d/\nallow_http = true\n"
			"allow_private = true\nsign = false\nattempts = 2\n"
			"backoff = 10ms\nbackoff_max = %dms\n",
			answer_port(fd), ANSWER_WAIT_MAX_MS);
		if (endpoints_parse(ch_buf_view(&text), "e", &endpoints,
			    NULL) != CH_OK)
			abort();
		ch_buf_free(&text);
	}
	*listener = fd;
	return &endpoints;
}

/* It answers whoever has asked something, whatever that is. */
static inline void
answer_turn(struct answer_peer *p, int wake)
{
	struct pollfd fds[3] = {{p->listener, POLLIN, 0}, {wake, POLLIN, 0},
		{p->connection, POLLIN, 0}};
	char asked[4096];

	(void)poll(fds, 3, 10);
	if (fds[0].revents != 0 && p->connections++ == 0) {
		p->connection = accept(p->listener, NULL, NULL);
	} else if (fds[2].revents != 0) {
		(void)!recv(p->connection, asked, sizeof(asked), 0);
		(void)!send(p->connection, p->bytes.ptr, p->bytes.len,
			MSG_NOSIGNAL);
		/* a close() could cut off what was sent */
		(void)shutdown(p->connection, SHUT_WR);
		p->answered = p->connection;
		p->connection = -1;
	}
}

static inline struct hook_flight *
answer_get(struct hook_sender *s, struct answer_peer *p, struct ch_mono now)
{
	struct hook_flight *f = hook_sender_take(s, 0);
	int turns;

	f->delivery = (struct hook_delivery){.id = 1,
		.event_id = CH_VIEW("e"),
		.webhook_id = CH_VIEW("e"),
		.type = CH_VIEW("t"),
		.body = CH_VIEW("{}")};
	hook_sender_send(s, f, now, (struct ch_time){0});
	f = NULL;
	for (turns = 0; f == NULL && turns < ANSWER_TURNS_MAX; turns++) {
		answer_turn(p, hook_sender_fd(s));
		f = hook_sender_next(s, now, (struct ch_time){1});
	}
	return f;
}

/* Of a status line, read by another hand; 0: it is none. */
static inline int
answer_line_status(struct ch_view line)
{
	char text[64];
	int status, end = 0;

	snprintf(text, sizeof(text), "%.*s",
		(int)(line.len < 63 ? line.len : 63), line.ptr);
	if (sscanf(text, "HTTP/%*1[0-9].%*1[0-9] %3d%n", &status, &end) == 1 &&
		end == 12)
		return status;
	if (sscanf(text, "HTTP/%*1[0-9] %3d%n", &status, &end) == 1 &&
		end == 10)
		return status;
	return 0;
}

/* The answer's: of the first head that is no 1xx's; 0: there is none. */
static inline int
answer_status(struct ch_view bytes)
{
	struct ch_view line;
	bool begins = true;
	int status = 0;

	while (ch_view_split(&bytes, '\n', &line)) {
		if (begins)
			status = answer_line_status(line);
		if (begins && (status < 100 || status >= 200))
			return status;
		/* for libcurl whatever follows the \r */
		begins = line.len == 0 || line.ptr[0] == '\r';
	}
	return 0;
}

static inline const char *
answer_broken_verdict(const struct hook_flight *f, int64_t opens_ms)
{
	bool answered = f->class == CH_HTTP_OK;

	if ((f->verdict == HOOK_DONE) !=
		(answered && f->status >= 200 && f->status < 300))
		return "done is what was answered with 2xx, and nothing else";
	if (answered && f->status >= 300 && f->status < 400 &&
		f->verdict != HOOK_BURY)
		return "a redirect is a dead letter";
	if (f->verdict == HOOK_AGAIN &&
		(f->wait_ms < 0 || f->wait_ms > ANSWER_WAIT_MAX_MS))
		return "an attempt's wait is within backoff_max";
	if (f->verdict == HOOK_LATER && f->failure != FAILURE_OUTAGE &&
		f->failure != FAILURE_QUOTA)
		return "only an outage or a quota costs no attempt";
	if (opens_ms > (int64_t)ANSWER_RETRY_MAX_S * 1000 + 1)
		return "the breaker opens again within the hour";
	return NULL;
}

static inline const char *
answer_broken_text(const struct hook_flight *f)
{
	char class[HOOK_ANSWER_CLASS_MAX];
	struct ch_buf reason = CH_BUF_INIT;
	const char *broken = NULL, *c;
	int quotes = 0;

	hook_answer_class(f, class);
	hook_answer_reason(f, &reason);
	for (c = ch_buf_str(&reason); *c != '\0'; c++) {
		quotes += *c == '"';
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			broken = "a reason is one line";
	}
	if (!ch_view_is_utf8(ch_buf_view(&reason)) ||
		strlen(ch_buf_str(&reason)) != reason.len || reason.len > 1200)
		broken = "a reason is text that PostgreSQL takes";
	if (f->class == CH_HTTP_OK && quotes != 2)
		broken = "the answer in a reason stands between two quotes";
	if (strncmp(class, "http_", 5) != 0 || strlen(class) > 20)
		broken = "a class has a name";
	ch_buf_free(&reason);
	return broken;
}

static inline const char *
answer_broken_rule(const struct hook_flight *f, struct ch_view bytes,
	int64_t opens_ms)
{
	const char *broken = answer_broken_verdict(f, opens_ms);

	if (f->class == CH_HTTP_CANCELLED)
		return "nobody cancelled it";
	if (f->class == CH_HTTP_OK && f->status != answer_status(bytes))
		return "the status is the one that was sent";
	if (f->retry_after_s < -1 || f->retry_after_s > ANSWER_RETRY_MAX_S)
		return "Retry-After is within the hour";
	if (f->response.len > ANSWER_BODY_MAX ||
		(f->class != CH_HTTP_OK && f->response.len > 0))
		return "of an answer its first bytes are kept";
	return broken != NULL ? broken : answer_broken_text(f);
}

/* Sends one delivery to it; the rule that does not hold. */
static inline const char *
answer_check(const void *bytes, size_t size)
{
	struct answer_peer p = {
		.bytes = {bytes, size}, .connection = -1, .answered = -1};
	struct ch_mono now = {INT64_C(1000000000)};
	struct hook_sender *s =
		hook_sender_open(answer_endpoints(&p.listener), NULL, NULL);
	const char *broken = "each delivery comes back";
	struct hook_flight *f;

	if (s == NULL)
		return "a sender opens";
	f = answer_get(s, &p, now);
	if (f != NULL)
		broken = answer_broken_rule(f, p.bytes,
			hook_sender_opens_ms(s, 0, now));
	if (broken == NULL && p.connections != 1)
		broken = "it is sent once, and no redirect is followed";
	hook_sender_close(s);
	if (p.connection >= 0)
		(void)close(p.connection);
	if (p.answered >= 0)
		(void)close(p.answered);
	return broken;
}

#endif
