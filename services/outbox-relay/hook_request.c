/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_request: see hook_request.h.
 *
 * Ids and types come from an application's rows: what is no plain word is not
 * put into a header as it is.
 */
#include "hook_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "json_text.h"

#define WORD_MAX 255

static bool
is_word(struct ch_view v)
{
	size_t i;

	for (i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
			return false;
	return v.len > 0 && v.len <= WORD_MAX;
}

/* An id with other bytes stands there as its digest: stable, too. So does one
 * with a full stop, which stands between id, time and body in what is signed: the
 * end of such an id could be taken for a time. */
static struct ch_view
id_of(const struct hook_delivery *d, struct ch_arena *arena)
{
	struct ch_sha256 digest;
	char text[CH_SHA256_LEN * 2 + 1];

	if (is_word(d->webhook_id) &&
		memchr(d->webhook_id.ptr, '.', d->webhook_id.len) == NULL)
		return d->webhook_id;
	digest = ch_sha256_of(d->webhook_id);
	ch_hex_encode(digest.bytes, sizeof(digest.bytes), text);
	return ch_arena_view(arena, ch_view_of(text));
}

static struct ch_view
keep(struct ch_arena *arena, struct ch_buf *b)
{
	struct ch_view v = ch_arena_view(arena, ch_buf_view(b));

	ch_buf_free(b);
	return v;
}

/* The payload where it is JSON, else a JSON string of it. */
static void
add_payload(struct ch_buf *b, struct ch_view payload)
{
	if (payload.ptr == NULL)
		ch_buf_adds(b, "null");
	else if (json_text_is(payload))
		ch_buf_addv(b, payload);
	else
		ch_json_add_string(b, payload);
}

static struct ch_view
body_of(const struct endpoint *e, const struct hook_delivery *d,
	struct ch_view id, struct ch_arena *arena)
{
	struct ch_buf b = CH_BUF_INIT;
	char time[CH_TIME_TEXT_MAX];

	if (e->template == NULL && e->body == ENDPOINT_PAYLOAD)
		return d->body.ptr != NULL ? d->body : CH_VIEW("");
	ch_time_format(d->at, time);
	if (e->template != NULL) {
		template_fill(e->template,
			&(struct template_event){.id = id,
				.type = d->type,
				.aggregatetype = d->aggregatetype,
				.key = d->key,
				.time = ch_view_of(time),
				.payload = d->body},
			&b);
		return keep(arena, &b);
	}
	ch_buf_addc(&b, '{');
	ch_json_add_member(&b, "type", d->type);
	ch_json_add_member(&b, "timestamp", ch_view_of(time));
	ch_json_add_name(&b, "data");
	add_payload(&b, d->body);
	ch_buf_addc(&b, '}');
	return keep(arena, &b);
}

static const char *
header(struct ch_arena *arena, const char *name, struct ch_view value)
{
	struct ch_buf b = CH_BUF_INIT;
	char *line;

	ch_buf_printf(&b, "%s: ", name);
	ch_buf_addv(&b, value);
	line = ch_arena_str(arena, ch_buf_view(&b));
	ch_buf_free(&b);
	return line;
}

void
hook_request_of(const struct endpoint *e, const struct hook_delivery *d,
	struct ch_time now, struct ch_arena *arena, struct hook_request *out)
{
	struct ch_buf signature = CH_BUF_INIT;
	struct ch_view id = id_of(d, arena);
	int64_t seconds = now.us / 1000000;
	char number[24];
	size_t n = 0, i;

	out->body = body_of(e, d, id, arena);
	(void)snprintf(number, sizeof(number), "%" PRId64, seconds);
	out->headers[n++] =
		header(arena, "Content-Type", ch_view_of(e->content_type));
	out->headers[n++] = header(arena, "webhook-id", id);
	out->headers[n++] =
		header(arena, "webhook-timestamp", ch_view_of(number));
	if (e->key_count > 0) {
		signature_add(&signature, e->keys, e->key_count, id, seconds,
			out->body);
		out->headers[n++] = header(arena, "webhook-signature",
			ch_buf_view(&signature));
	}
	if (is_word(d->type))
		out->headers[n++] =
			header(arena, "webhook-event-type", d->type);
	if (is_word(d->traceparent))
		out->headers[n++] =
			header(arena, "traceparent", d->traceparent);
	for (i = 0; e->headers[i] != NULL; i++)
		out->headers[n++] = e->headers[i];
	out->headers[n] = NULL;
	ch_buf_free(&signature);
}
