/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: building records of events.
 *
 * Why header names are copied: librdkafka wants them with a NUL behind, and
 * they stand in the row without one. Values stay where they are.
 *
 * Why a result's id has a digest of its value: after a restore, or a failover to
 * a standby that lagged, a place in the log is given to another result. Who
 * drops repeated ids shall drop what is equal, and nothing else; and the relay
 * can say so of a row alone, whenever and from wherever it is read.
 */
#include "message.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/uuid.h"

#define BYTEA_OID 17

static struct ch_view
number_text(struct ch_arena *arena, int64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	return ch_arena_view(arena, ch_view_of(text));
}

static void
add(struct message *m, const char *name, struct ch_view value)
{
	m->headers[m->header_count++] = (struct message_header){name, value};
}

static void
add_optional(struct message *m, const char *name, struct ch_view value)
{
	if (value.ptr != NULL)
		add(m, name, value);
}

static struct ch_view
id_of(const struct event *e, struct ch_arena *arena)
{
	char text[EVENT_ID_MAX];

	event_id(e, text);
	return ch_arena_view(arena, ch_view_of(text));
}

static struct ch_view
result_id(const struct event *e, struct ch_arena *arena)
{
	struct ch_view value = event_field(e, RESULT_TEXT);
	char place[EVENT_ID_MAX], text[EVENT_ID_MAX + 20];

	event_id(e, place);
	(void)snprintf(text, sizeof(text), "%s-%016" PRIx64, place,
		ch_hash64(value.ptr, value.len));
	return ch_arena_view(arena, ch_view_of(text));
}

static void
result_message(const struct event *e, struct ch_arena *arena, struct message *m)
{
	m->key = event_field(e, RESULT_KEY);
	m->value = event_field(e, RESULT_TEXT);
	m->headers = ch_arena_calloc(arena, 3, sizeof(*m->headers));
	add(m, "id", result_id(e, arena));
	add(m, "ch_seq", id_of(e, arena));
	add_optional(m, "traceparent", event_field(e, RESULT_TRACEPARENT));
}

static void
outbox_message(const struct event *e, struct ch_arena *arena, struct message *m)
{
	m->key = event_field(e, OUTBOX_AGGREGATE);
	m->value = event_field(e, OUTBOX_PAYLOAD);
	m->headers = ch_arena_calloc(arena, 2, sizeof(*m->headers));
	add(m, "id", id_of(e, arena));
	add_optional(m, "traceparent", event_field(e, OUTBOX_TRACEPARENT));
}

/* One-dimensional bytea[] in binary, for header names and values. */
struct message_array {
	struct ch_view rest;
	int32_t left;
};

/* CH_EPROTO when the bytes are no such array. */
static int
array_open(struct message_array *a, struct ch_view bytes)
{
	uint32_t dims;

	*a = (struct message_array){{NULL, 0}, 0};
	if (bytes.ptr == NULL || bytes.len < 12)
		return CH_EPROTO;
	dims = ch_be32(bytes.ptr);
	if (ch_be32(bytes.ptr + 8) != BYTEA_OID || dims > 1)
		return CH_EPROTO;
	if (dims == 0)
		return bytes.len == 12 ? CH_OK : CH_EPROTO;
	if (bytes.len < 20)
		return CH_EPROTO;
	a->left = (int32_t)ch_be32(bytes.ptr + 12);
	a->rest = (struct ch_view){bytes.ptr + 20, bytes.len - 20};
	/* each element has at least its length */
	if (a->left < 0 || (size_t)a->left > a->rest.len / 4)
		return CH_EPROTO;
	return CH_OK;
}

/* false at the end; false with left > 0 when broken. */
static bool
array_next(struct message_array *a, struct ch_view *out)
{
	int32_t len;

	if (a->left <= 0 || a->rest.len < 4)
		return false;
	len = (int32_t)ch_be32(a->rest.ptr);
	if (len < -1 || (len > 0 && (size_t)len > a->rest.len - 4))
		return false;
	*out = (struct ch_view){
		len < 0 ? NULL : a->rest.ptr + 4, len < 0 ? 0 : (size_t)len};
	a->rest.ptr += 4 + out->len;
	a->rest.len -= 4 + out->len;
	a->left--;
	return true;
}

/* Does a name belong to what a dead-letter queue adds? */
static bool
header_is_ours(struct ch_view name)
{
	static const char *const ours[] = {"ch_error_class", "ch_attempts",
		"ch_replay_count", "ch_letter_id", NULL};
	int i;

	for (i = 0; ours[i] != NULL; i++)
		if (ch_view_eq_str(name, ours[i]))
			return true;
	return ch_view_starts(name, CH_VIEW("__connect.errors."));
}

int32_t
message_replay_count(struct ch_view names, struct ch_view values)
{
	struct message_array n, v;
	struct ch_view name, value;
	int64_t count = 0;

	if (array_open(&n, names) != CH_OK || array_open(&v, values) != CH_OK)
		return 0;
	while (array_next(&n, &name) && array_next(&v, &value))
		if (ch_view_eq_str(name, "ch_replay_count"))
			ch_view_int(value, 0, 1000000, &count);
	return (int32_t)count;
}

int
message_headers_of(struct ch_view names, struct ch_view values, size_t more,
	bool strip, struct ch_arena *arena, struct message *out,
	struct ch_err *err)
{
	struct message_array n, v;
	struct ch_view name, value;

	if (array_open(&n, names) != CH_OK || array_open(&v, values) != CH_OK ||
		n.left != v.left)
		return ch_err_set(err, CH_EPROTO,
			"the header arrays are broken or differ in length");
	out->headers = NULL;
	out->header_count = 0;
	if (n.left > MESSAGE_HEADERS_MAX)
		return ch_err_set(err, CH_ERANGE,
			"%" PRId32 " headers, at most %d are sent", n.left,
			MESSAGE_HEADERS_MAX);
	out->headers = ch_arena_calloc(arena, (size_t)n.left + more,
		sizeof(*out->headers));
	out->header_count = 0;
	while (array_next(&n, &name) && array_next(&v, &value))
		if (!strip || !header_is_ours(name))
			add(out, ch_arena_str(arena, name), value);
	if (n.left > 0 || v.left > 0)
		return ch_err_set(err, CH_EPROTO,
			"a header array is cut short");
	return CH_OK;
}

static struct ch_view
be_text(const struct event *e, int place, struct ch_arena *arena)
{
	struct ch_view v = event_field(e, place);
	int64_t n =
		v.len == 4 ? (int32_t)ch_be32(v.ptr) : (int64_t)ch_be64(v.ptr);

	return number_text(arena, n);
}

static void
add_connect_headers(const struct event *e, struct ch_arena *arena,
	struct message *m)
{
	add(m, "__connect.errors.topic", event_field(e, REJECTED_TOPIC));
	add(m, "__connect.errors.partition", be_text(e, REJECTED_PART, arena));
	add(m, "__connect.errors.offset", be_text(e, REJECTED_OFFSET, arena));
	add(m, "__connect.errors.connector.name", CH_VIEW("ledger-writer"));
	add(m, "__connect.errors.task.id", be_text(e, REJECTED_PART, arena));
	add(m, "__connect.errors.stage", CH_VIEW("TASK_PUT"));
	add(m, "__connect.errors.class.name", CH_VIEW("ledger-writer"));
	add(m, "__connect.errors.exception.class.name",
		event_field(e, REJECTED_CLASS));
	add(m, "__connect.errors.exception.message",
		event_field(e, REJECTED_REASON));
	add(m, "__connect.errors.exception.stacktrace",
		event_field(e, REJECTED_SQLSTATE));
}

#define REJECTED_ADDED 14

static int
rejected_message(const struct event *e, struct ch_arena *arena,
	struct message *m, struct ch_err *err)
{
	struct ch_view names = event_field(e, REJECTED_HEADER_NAMES);
	struct ch_view values = event_field(e, REJECTED_HEADER_VALUES);
	int rc;

	m->key = event_field(e, REJECTED_KEY);
	m->value = event_field(e, REJECTED_VALUE);
	m->part = (int32_t)ch_be32(event_field(e, REJECTED_PART).ptr);
	rc = message_headers_of(names, values, REJECTED_ADDED, true, arena, m,
		err);
	if (rc != CH_OK)
		return rc;
	add_connect_headers(e, arena, m);
	add(m, "ch_error_class", event_field(e, REJECTED_CLASS));
	add(m, "ch_attempts", CH_VIEW("1"));
	add(m, "ch_replay_count",
		number_text(arena, message_replay_count(names, values)));
	add(m, "ch_letter_id", id_of(e, arena));
	return CH_OK;
}

/* It was a message already when it was put aside or read. */
static int
finished_message(const struct event *e, struct ch_arena *arena,
	struct message *m, struct ch_err *err)
{
	struct ch_view part = event_field(e, WAITED_PART);

	m->key = event_field(e, WAITED_KEY);
	m->value = event_field(e, WAITED_VALUE);
	m->placed = part.ptr != NULL;
	if (m->placed)
		m->part = (int32_t)ch_be32(part.ptr);
	return message_headers_of(event_field(e, WAITED_HEADER_NAMES),
		event_field(e, WAITED_HEADER_VALUES), 0, false, arena, m, err);
}

int
message_of(const struct event *e, struct ch_arena *arena, struct message *out,
	struct ch_err *err)
{
	*out = (struct message){.part = MESSAGE_BY_KEY};
	switch ((enum event_source)e->source) {
	case EVENT_COMMAND_LOG:
	case EVENT_ANSWERS:
		result_message(e, arena, out);
		return CH_OK;
	case EVENT_OUTBOX:
		outbox_message(e, arena, out);
		return CH_OK;
	case EVENT_REJECTED:
		return rejected_message(e, arena, out, err);
	case EVENT_RETRY:
	case EVENT_APPLICATION:
		return finished_message(e, arena, out, err);
	case EVENT_SOURCES:
		break;
	}
	return ch_err_set(err, CH_EPROTO, "an event without a source");
}
