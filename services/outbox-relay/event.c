/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: packing rows, and what can be asked of them.
 *
 * Invariants: the fixed-size fields named in `sizes` have exactly that size,
 * the needed ones are never null; so the accessors read without checks. A row
 * that breaks this means that the table is not the one this build knows: an
 * error for the whole stream, never a row passed over.
 */
#include "event.h"

#include <stdlib.h>

#include <inttypes.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/uuid.h"

struct layout {
	const char *table;
	int count;
	const char *names[EVENT_FIELDS_MAX];
	int8_t sizes[EVENT_FIELDS_MAX]; /* 0: any */
	bool needed[EVENT_FIELDS_MAX];
};

#define RESULT_LAYOUT(name)                                                    \
	{                                                                      \
		name, RESULT_FIELDS,                                           \
			{"stream", "log_seq", "decided_at", "record_key",      \
				"result", "traceparent"},                      \
			{4, 8, 8},                                             \
		{                                                              \
			true, true, true, false, true                          \
		}                                                              \
	}

static const struct layout layouts[EVENT_SOURCES] = {
	[EVENT_COMMAND_LOG] = RESULT_LAYOUT("command_log"),
	[EVENT_ANSWERS] = RESULT_LAYOUT("answers"),
	[EVENT_REJECTED] = {"rejected", REJECTED_FIELDS,
		{"stream", "log_seq", "decided_at", "letter_id", "topic",
			"part", "src_offset", "record_key", "value",
			"header_names", "header_values", "error_class",
			"reason", "sqlstate"},
		{4, 8, 8, 16, 0, 4, 8},
		{true, true, true, true, true, true, true, false, false, true,
			true, true, true, false}},
	[EVENT_OUTBOX] = {"outbox", OUTBOX_FIELDS,
		{"seq", "id", "created_at", "aggregatetype", "aggregateid",
			"type", "payload", "traceparent"},
		{8, 16, 8}, {true, true, true, true, true, true}},
	[EVENT_RETRY] = {"outbox_retry", WAITED_FIELDS,
		{"retry_id", "topic", "waits_since", "part", "record_key",
			"value", "header_names", "header_values", "source",
			"row_id", "blocked_by"},
		{8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 16},
		{true, true, true, false, false, false, true, true, true, true,
			true}},
	[EVENT_APPLICATION] = {"application", WAITED_FIELDS,
		{"number", "topic", "at", "part", "record_key", "value",
			"header_names", "header_values", "source", "row_id",
			"blocked_by"},
		{8, 0, 8, 4},
		{true, true, true, false, false, false, true, true, true,
			true}},
};

int
event_source_of(struct ch_view table, enum event_source *out)
{
	int s;

	for (s = 0; s < EVENT_SOURCES; s++) {
		if (ch_view_eq_str(table, layouts[s].table)) {
			*out = (enum event_source)s;
			return CH_OK;
		}
	}
	return CH_ENOTFOUND;
}

const char *const *
event_columns(enum event_source s, int *count)
{
	*count = layouts[s].count;
	return layouts[s].names;
}

static int
check_field(const struct layout *l, int i, struct ch_view v, struct ch_err *err)
{
	if (v.ptr == NULL && l->needed[i])
		return ch_err_set(err, CH_EPROTO, "%s.%s is null", l->table,
			l->names[i]);
	if (v.ptr != NULL && l->sizes[i] != 0 && v.len != (size_t)l->sizes[i])
		return ch_err_set(err, CH_EPROTO,
			"%s.%s has %zu bytes, not %d: another type than this "
			"build knows",
			l->table, l->names[i], v.len, l->sizes[i]);
	if (v.len > INT32_MAX)
		return ch_err_set(err, CH_EPROTO, "%s.%s has %zu bytes",
			l->table, l->names[i], v.len);
	return CH_OK;
}

/* Is it a message already? Then its fields have the places of outbox_retry. */
static bool
event_is_finished(const struct event *e)
{
	return e->source == EVENT_RETRY || e->source == EVENT_APPLICATION;
}

struct event *
event_new(enum event_source s, const struct ch_view *fields, struct ch_err *err)
{
	const struct layout *l = &layouts[s];
	size_t size = sizeof(struct event);
	struct event *e;
	char *p;
	int i;

	for (i = 0; i < l->count; i++) {
		if (check_field(l, i, fields[i], err) != CH_OK)
			return NULL;
		size += fields[i].len;
	}
	if (size > UINT32_MAX) {
		ch_err_set(err, CH_EPROTO, "a row of %zu bytes", size);
		return NULL;
	}
	e = ch_xmalloc(size);
	*e = (struct event){.source = (uint8_t)s, .size = (uint32_t)size};
	p = e->bytes;
	for (i = 0; i < l->count; i++) {
		e->lens[i] =
			fields[i].ptr != NULL ? (int32_t)fields[i].len : -1;
		if (fields[i].ptr != NULL && fields[i].len > 0) {
			memcpy(p, fields[i].ptr, fields[i].len);
			p += fields[i].len;
		}
	}
	if (s == EVENT_OUTBOX || event_is_finished(e)) {
		e->order = (int64_t)ch_be64(event_field(e, OUTBOX_SEQ).ptr);
	} else {
		e->stream = (int32_t)ch_be32(event_field(e, RESULT_STREAM).ptr);
		e->order = (int64_t)ch_be64(event_field(e, RESULT_LOG_SEQ).ptr);
	}
	return e;
}

void
event_free(struct event *e)
{
	free(e);
}

struct ch_view
event_field(const struct event *e, int place)
{
	const char *p = e->bytes;
	int i;

	if (e->lens[place] < 0)
		return (struct ch_view){NULL, 0};
	for (i = 0; i < place; i++)
		p += e->lens[i] > 0 ? e->lens[i] : 0;
	return (struct ch_view){p, (size_t)e->lens[place]};
}

void
event_id(const struct event *e, char out[EVENT_ID_MAX])
{
	struct ch_uuid u;

	if (e->source == EVENT_COMMAND_LOG || e->source == EVENT_ANSWERS) {
		(void)snprintf(out, EVENT_ID_MAX, "%" PRId32 "-%" PRId64,
			e->stream, e->order);
		return;
	}
	if (event_is_finished(e)) {
		if (ch_view_copy(event_field(e, WAITED_ROW), out,
			    EVENT_ID_MAX) != CH_OK)
			(void)snprintf(out, EVENT_ID_MAX, "retry-%" PRId64,
				e->order);
		return;
	}
	memcpy(u.bytes,
		event_field(e,
			e->source == EVENT_OUTBOX ? OUTBOX_ID : REJECTED_LETTER)
			.ptr,
		sizeof(u.bytes));
	ch_uuid_format(&u, out);
}

static void
add_content(struct ch_sha256_run *run, const struct event *e, int place)
{
	struct ch_view v = event_field(e, place);
	char len[4];

	ch_put_be32(len, (uint32_t)e->lens[place]);
	ch_sha256_add(run, len, sizeof(len));
	if (v.len > 0)
		ch_sha256_add(run, v.ptr, v.len);
}

uint32_t
event_content(const struct event *e)
{
	struct ch_sha256_run *run;
	struct ch_sha256 d;

	if (!event_is_finished(e))
		return 0;
	run = ch_sha256_begin();
	add_content(run, e, WAITED_KEY);
	add_content(run, e, WAITED_VALUE);
	d = ch_sha256_end(run);
	return ch_be32((const char *)d.bytes);
}

struct ch_view
event_key(const struct event *e)
{
	if (e->source == EVENT_OUTBOX)
		return event_field(e, OUTBOX_AGGREGATE);
	if (event_is_finished(e))
		return event_field(e, WAITED_KEY);
	return event_field(e,
		e->source == EVENT_REJECTED ? REJECTED_KEY : RESULT_KEY);
}

struct ch_view
event_origin(const struct event *e)
{
	if (event_is_finished(e))
		return event_field(e, WAITED_SOURCE);
	return ch_view_of(layouts[e->source].table);
}

struct ch_time
event_time(const struct event *e)
{
	/* the same place in all layouts */
	return ch_time_from_pg((int64_t)ch_be64(event_field(e, RESULT_AT).ptr));
}

int
event_compare(const void *a, const void *b)
{
	const struct event *x = *(struct event *const *)a;
	const struct event *y = *(struct event *const *)b;

	/* the outbox (stream 0) before the log; both lists are independent */
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}
