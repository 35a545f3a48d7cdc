/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_input: bytes as the headers of a record, and what must hold of how
 * they are read; for the fuzz target and for the unit test that replays its
 * corpus.
 *
 *	input	{ name length (1 byte), name, value length (2, big-endian;
 *		0xffff: null), value }
 *
 * What is cut short ends the input. A name ends at its first NUL, as it does
 * behind librdkafka.
 */
#ifndef TEST_DIALECT_INPUT_H
#define TEST_DIALECT_INPUT_H

#include <string.h>

#include "dialect.h"

static inline size_t
input_header(struct ch_view *rest, struct ch_arena *arena,
	struct message_header *out)
{
	size_t name, value;

	if (rest->len < 3)
		return 0;
	name = (unsigned char)rest->ptr[0];
	if (rest->len < 3 + name)
		return 0;
	value = ch_be16(rest->ptr + 1 + name);
	out->name = ch_arena_str(arena, (struct ch_view){rest->ptr + 1, name});
	out->value = (struct ch_view){NULL, 0};
	if (value == 0xffff)
		value = 0;
	else if (rest->len < 3 + name + value)
		return 0;
	else /* a copy of its own, so that the sanitizer sees its end */
		out->value = ch_arena_view(arena,
			(struct ch_view){rest->ptr + 3 + name, value});
	rest->ptr += 3 + name + value;
	rest->len -= 3 + name + value;
	return 1;
}

static inline bool
input_is_plain(struct ch_view v, const char *more)
{
	for (size_t i = 0; i < v.len; i++)
		if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') ||
			    (v.ptr[i] >= 'A' && v.ptr[i] <= 'Z') ||
			    (v.ptr[i] >= '0' && v.ptr[i] <= '9') ||
			    (v.ptr[i] != '\0' &&
				    strchr(more, v.ptr[i]) != NULL)))
			return false;
	return true;
}

/* The rule that does not hold; NULL: all do. */
static inline const char *
input_broken_rule(const struct dialect_origin *o)
{
	if (o->dialect < DIALECT_UNKNOWN || o->dialect >= DIALECTS)
		return "a dialect";
	if (o->topic.ptr != NULL &&
		(o->topic.len == 0 || o->topic.len > 249 ||
			!input_is_plain(o->topic, "._-")))
		return "a topic is a legal name";
	if (o->dialect == DIALECT_UNKNOWN &&
		(o->topic.ptr != NULL || o->part != -1 || o->offset != -1))
		return "who has no dialect names no origin";
	if (o->part < -1 || o->offset < -1 || o->timestamp_ms < -1)
		return "numbers are in range";
	if (o->attempts < 1 || o->replays < 0 ||
		o->replays > DIALECT_REPLAYS_MAX)
		return "counts are in range";
	if (o->class.len == 0 || o->class.len > DIALECT_CLASS_MAX ||
		!input_is_plain(o->class, "_$-"))
		return "a class is a plain name";
	if (o->reason.len > DIALECT_REASON_MAX || !ch_view_is_utf8(o->reason) ||
		(o->reason.len > 0 &&
			memchr(o->reason.ptr, '\0', o->reason.len) != NULL))
		return "a reason is text that PostgreSQL takes";
	return NULL;
}

/* Reads the input; the rule that does not hold. */
static inline const char *
input_check(const void *bytes, size_t size)
{
	struct ch_view rest = {bytes, size};
	struct ch_arena arena = CH_ARENA_INIT;
	struct message_header *headers =
		ch_arena_calloc(&arena, size / 3 + 1, sizeof(*headers));
	struct dialect_origin o;
	const char *broken;
	size_t n = 0;

	while (input_header(&rest, &arena, &headers[n]))
		n++;
	dialect_read(headers, n, &arena, &o);
	broken = input_broken_rule(&o);
	ch_arena_free(&arena);
	return broken;
}

#endif
