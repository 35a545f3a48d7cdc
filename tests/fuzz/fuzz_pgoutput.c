/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pgoutput: any bytes as a frame of a replication stream, and as a
 * message of the output plugin (libFuzzer).
 *
 * Holds: every view lies in the input, counts are within the arrays, and the
 * values of a row, whatever they are, become an event or are refused; those of
 * an application's row, under every kind of column, a whole message too.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "event.h"
#include "message.h"
#include "pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
require_within(struct ch_view v, struct ch_view input)
{
	require(v.ptr == NULL || v.len == 0 ||
		(v.ptr >= input.ptr && v.ptr + v.len <= input.ptr + input.len));
}

static void
check_row(const struct pgoutput_message *m)
{
	struct ch_view fields[EVENT_FIELDS_MAX] = {{NULL, 0}};
	char id[EVENT_ID_MAX];

	for (int i = 0; i < m->count && i < EVENT_FIELDS_MAX; i++)
		fields[i] = m->values[i].bytes;
	for (int s = 0; s < EVENT_SOURCES; s++) {
		struct event *e = event_new((enum event_source)s, fields, NULL);

		if (e == NULL)
			continue;
		event_id(e, id);
		(void)event_key(e);
		(void)event_time(e);
		event_free(e);
	}
}

/* One column of each kind: the values of any row are read as theirs. */
static struct contract *
application(void)
{
	static const uint32_t types[] = {2950, 1043, 25, 3802, 23, 17, 16, 20,
		21, 1082, 1114, 1184, 114};
	static const char *const names[] = {"id", "aggregatetype",
		"aggregateid", "payload", "a", "b", "c", "d", "e", "f", "g",
		"h", "i"};
	static const char *const placed[] = {"a:partition", "a:header",
		"b:header", "c:envelope", "d:header", "e:envelope", "f:header",
		"f:envelope", "g:header", "g:envelope", "h:header",
		"h:envelope", "b:envelope", "i:envelope", NULL};
	static struct contract *c;
	struct pgoutput_column columns[13];
	const struct contract_options opt = {.table = "public.outbox",
		.id = "id",
		.key = "aggregateid",
		.payload = "payload",
		.route_by = "aggregatetype",
		.type = "aggregateid",
		.prefix = "outbox.event.",
		.regex = "(?<routedByValue>.*)",
		.replacement = "outbox.event.${routedByValue}",
		.placements = placed,
		.value = CONTRACT_JSON,
		.context = "x",
		.run_id = "y",
		.cloudevents = "z"};

	if (c != NULL)
		return c;
	for (int i = 0; i < 13; i++)
		columns[i] = (struct pgoutput_column){
			ch_view_of(names[i]), types[i], -1};
	c = contract_new(&opt, NULL);
	require(c != NULL && contract_learn(c, columns, 13, NULL) == CH_OK);
	return c;
}

static void
check_contract(const struct pgoutput_message *m)
{
	const struct contract_origin from = {1, {1}, 2, 3};
	static struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view fields[13];
	struct message out;
	struct event *e;

	if (m->count != 13)
		return;
	for (int i = 0; i < 13; i++)
		fields[i] = m->values[i].bytes;
	e = contract_event(application(), fields, &from, NULL);
	if (e == NULL)
		return;
	require(message_of(e, &arena, &out, NULL) == CH_OK);
	require(out.header_count == 17 || out.header_count == 18);
	event_free(e);
	ch_arena_reset(&arena, 65536);
}

static void
check_message(struct ch_view body)
{
	static struct pgoutput_message m;

	if (pgoutput_read(body, &m, NULL) < 0 || m.kind == PGOUTPUT_OTHER)
		return;
	if (m.kind == PGOUTPUT_RELATION) {
		require(m.count >= 0 && m.count <= PGOUTPUT_COLUMNS_MAX);
		require_within(m.schema, body);
		require_within(m.table, body);
		for (int i = 0; i < m.count; i++)
			require_within(m.columns[i].name, body);
	}
	if (m.kind == PGOUTPUT_INSERT) {
		require(m.count >= 0 && m.count <= PGOUTPUT_COLUMNS_MAX);
		for (int i = 0; i < m.count; i++)
			require_within(m.values[i].bytes, body);
		check_row(&m);
		check_contract(&m);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct ch_view input = {(const char *)bytes, size};
	struct pgoutput_frame f;

	check_message(input);
	if (pgoutput_frame_read(input, &f, NULL) == 0 &&
		f.kind == PGOUTPUT_XLOG_DATA) {
		require_within(f.body, input);
		check_message(f.body);
	}
	return 0;
}
