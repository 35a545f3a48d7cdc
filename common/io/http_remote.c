/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_remote: answers that come after the route has returned, from any
 * thread.
 *
 * On the network thread they act at once; from elsewhere they are copied into
 * a job for it. Bounded: by the network thread's queue, and by
 * HANDED_OVER_MAX bytes under way; over that the caller gets CH_EFULL. A
 * reference whose connection has gone is no error.
 */
#include <stdlib.h>

#include "io/http_server_impl.h"

#define HANDED_OVER_MAX ((size_t)64 << 20)

enum job_kind { JOB_REPLY, JOB_SEND, JOB_CLOSE };

struct job {
	struct ch_http_server *server;
	struct ch_http_ref ref;
	enum job_kind kind;
	struct ch_http_response r; /* its texts point into arena */
	struct ch_arena arena;
	size_t bytes;
};

static int
do_reply(struct ch_http_server *s, struct ch_http_ref ref,
	const struct ch_http_response *r)
{
	struct http_conn *c = ch_http_conn_find(s, ref);

	if (c == NULL || c->state != HTTP_DEFERRED)
		return 0;
	ch_http_out_response(c, r);
	c->state = HTTP_WRITING;
	ch_http_conn_deadline(c, s->opt.request_timeout_ms);
	lws_callback_on_writable(c->wsi);
	return 0;
}

static int
do_send(struct ch_http_server *s, struct ch_http_ref ref, struct ch_view bytes)
{
	struct http_conn *c = ch_http_conn_find(s, ref);

	return c == NULL ? CH_ECLOSED : ch_http_out_bytes(c, bytes);
}

static void
do_close(struct ch_http_server *s, struct ch_http_ref ref)
{
	struct http_conn *c = ch_http_conn_find(s, ref);

	if (c == NULL || (c->state != HTTP_STREAM && c->state != HTTP_SOCKET))
		return;
	c->ending = true;
	ch_http_conn_deadline(c, s->opt.request_timeout_ms);
	lws_callback_on_writable(c->wsi);
}

static void
run_job(void *ctx)
{
	struct job *j = ctx;

	switch (j->kind) {
	case JOB_REPLY:
		(void)do_reply(j->server, j->ref, &j->r);
		break;
	case JOB_SEND:
		(void)do_send(j->server, j->ref, j->r.body);
		break;
	case JOB_CLOSE:
		do_close(j->server, j->ref);
		break;
	}
	atomic_fetch_sub(&j->server->handed_over, j->bytes);
	ch_arena_free(&j->arena);
	free(j);
}

static const struct ch_http_header *
copy_headers(struct ch_arena *a, const struct ch_http_header *from)
{
	struct ch_http_header *to;
	size_t n = 0;

	if (from == NULL)
		return NULL;
	while (from[n].name != NULL)
		n++;
	to = ch_arena_calloc(a, n + 1, sizeof(*to));
	for (size_t i = 0; i < n; i++) {
		to[i].name = ch_arena_str(a, ch_view_of(from[i].name));
		to[i].value = ch_arena_view(a, from[i].value);
	}
	return to;
}

static int
hand_over(struct ch_http_server *s, struct ch_http_ref ref, enum job_kind kind,
	const struct ch_http_response *r)
{
	struct job *j;
	size_t bytes = r->body.len;
	int rc;

	if (atomic_fetch_add(&s->handed_over, bytes) + bytes >
		HANDED_OVER_MAX) {
		atomic_fetch_sub(&s->handed_over, bytes);
		return CH_EFULL;
	}
	j = ch_xcalloc(1, sizeof(*j));
	j->server = s;
	j->ref = ref;
	j->kind = kind;
	j->bytes = bytes;
	j->r.status = r->status;
	if (r->content_type != NULL)
		j->r.content_type =
			ch_arena_str(&j->arena, ch_view_of(r->content_type));
	j->r.headers = copy_headers(&j->arena, r->headers);
	j->r.body = ch_arena_view(&j->arena, r->body);
	rc = ch_net_call(s->net, run_job, j);
	if (rc < 0) {
		atomic_fetch_sub(&s->handed_over, bytes);
		ch_arena_free(&j->arena);
		free(j);
	}
	return rc;
}

int
ch_http_reply_later(struct ch_http_server *s, struct ch_http_ref ref,
	const struct ch_http_response *r)
{
	if (ch_net_on_thread(s->net))
		return do_reply(s, ref, r);
	return hand_over(s, ref, JOB_REPLY, r);
}

int
ch_http_send(struct ch_http_server *s, struct ch_http_ref ref,
	struct ch_view bytes)
{
	if (ch_net_on_thread(s->net))
		return do_send(s, ref, bytes);
	return hand_over(s, ref, JOB_SEND,
		&(struct ch_http_response){.body = bytes});
}

void
ch_http_close(struct ch_http_server *s, struct ch_http_ref ref)
{
	if (ch_net_on_thread(s->net))
		do_close(s, ref);
	else
		(void)hand_over(s, ref, JOB_CLOSE,
			&(struct ch_http_response){.status = 0});
}
