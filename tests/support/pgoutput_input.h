/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgoutput_input: bytes as a frame of a replication stream, and as a message of
 * the output plugin, and what must hold of how they are read; for the fuzz
 * target and for the unit test that replays its corpus.
 *
 * Every view that is kept lies in the input, and the values of a row, whatever
 * they are, become an event or are refused; those of an application's row, under
 * every kind of column, a whole message too.
 */
#ifndef TEST_PGOUTPUT_INPUT_H
#define TEST_PGOUTPUT_INPUT_H

#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "event.h"
#include "message.h"
#include "pgoutput.h"

/* The first rule that did not hold, of the input that is being read. */
static const char *pgoutput_broken;

static inline void
pgoutput_require(bool ok, const char *rule)
{
	if (!ok && pgoutput_broken == NULL)
		pgoutput_broken = rule;
}

static inline void
pgoutput_require_within(struct ch_view v, struct ch_view input)
{
	pgoutput_require(v.ptr == NULL || v.len == 0 ||
			(v.ptr >= input.ptr &&
				v.ptr + v.len <= input.ptr + input.len),
		"every view lies in the input");
}

static inline void
pgoutput_check_row(const struct pgoutput_message *m)
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
static inline struct contract *
pgoutput_application(void)
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
			ch_view_of(names[i]), types[i], -1, {"", 0}};
	c = contract_new(&opt, NULL);
	pgoutput_require(c != NULL &&
			contract_learn(c, columns, 13, NULL) == CH_OK,
		"the application's table is known");
	return c;
}

static inline void
pgoutput_check_contract(const struct pgoutput_message *m)
{
	const struct contract_origin from = {1, {1}, 2, 3};
	static struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view fields[13];
	struct message out = {.header_count = 0};
	struct event *e;

	if (m->count != 13)
		return;
	for (int i = 0; i < 13; i++)
		fields[i] = m->values[i].bytes;
	e = contract_event(pgoutput_application(), fields, &from, NULL);
	if (e == NULL)
		return;
	pgoutput_require(message_of(e, &arena, &out, NULL) == CH_OK,
		"what became an event becomes a message");
	pgoutput_require(out.header_count == 17 || out.header_count == 18,
		"each placement has its header");
	event_free(e);
	ch_arena_reset(&arena, 65536);
}

static inline int
pgoutput_kept(const struct pgoutput_message *m)
{
	return m->count < PGOUTPUT_COLUMNS_MAX ? m->count
					       : PGOUTPUT_COLUMNS_MAX;
}

static inline void
pgoutput_check_message(struct ch_view body)
{
	static struct pgoutput_message m;

	if (pgoutput_read(body, &m, NULL) < 0 || m.kind == PGOUTPUT_OTHER)
		return;
	if (m.kind == PGOUTPUT_RELATION) {
		pgoutput_require(m.count >= 0, "counts are no less than none");
		pgoutput_require_within(m.schema, body);
		pgoutput_require_within(m.table, body);
		for (int i = 0; i < pgoutput_kept(&m); i++)
			pgoutput_require_within(m.columns[i].name, body);
	}
	if (m.kind == PGOUTPUT_INSERT) {
		pgoutput_require(m.count >= 0, "counts are no less than none");
		for (int i = 0; i < pgoutput_kept(&m); i++)
			pgoutput_require_within(m.values[i].bytes, body);
		pgoutput_check_row(&m);
		pgoutput_check_contract(&m);
	}
}

/* Reads it both ways; the rule that does not hold. */
static inline const char *
pgoutput_check(const void *bytes, size_t size)
{
	struct ch_view input = {bytes, size};
	struct pgoutput_frame f;

	pgoutput_broken = NULL;
	pgoutput_check_message(input);
	if (pgoutput_frame_read(input, &f, NULL) == 0 &&
		f.kind == PGOUTPUT_XLOG_DATA) {
		pgoutput_require_within(f.body, input);
		pgoutput_check_message(f.body);
	}
	return pgoutput_broken;
}

#endif
