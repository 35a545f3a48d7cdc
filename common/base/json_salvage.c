/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_salvage: see json_salvage.h.
 *
 * One pass without recursion. Where a string ends is found by its quotes and
 * backslashes alone; only strings that matter are then given to the strict
 * reader. What lies between tokens is passed over, but remembered in `before`:
 * a name needs its '{' or ',' directly before it, so that the halves of a
 * string that was cut by a stray quote are hardly ever taken for members.
 */
#include "json_salvage.h"

#include <assert.h>

struct find {
	const char *name;
	const struct ch_json *value; /* NULL: not met, or not to be read */
	bool met;
};

struct scan {
	const char *at;
	const char *end;
	struct ch_arena *arena;
	size_t depth;
	char before; /* the last token's last byte */
	struct find finds[CH_JSON_SALVAGE_MAX];
	size_t find_count;
};

static void
skip_space(struct scan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\n' || *s->at == '\t' ||
			*s->at == '\r'))
		s->at++;
}

static void
skip_byte_order_mark(struct scan *s)
{
	if (s->end - s->at >= 3 && memcmp(s->at, "\xef\xbb\xbf", 3) == 0)
		s->at += 3;
}

/* The string at s->at with its quotes; without the second where the text ends
 * before it. */
static struct ch_view
take_quoted(struct scan *s)
{
	const char *start = s->at++;

	while (s->at < s->end && *s->at != '"')
		s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
	if (s->at < s->end)
		s->at++;
	s->before = '"';
	return (struct ch_view){start, (size_t)(s->at - start)};
}

/* Is the next token this byte, or (0) the end of the text? */
static bool
next_is(struct scan *s, char byte)
{
	skip_space(s);
	if (s->at == s->end)
		return byte == '\0';
	return byte != '\0' && *s->at == byte;
}

/* Which of the names a string is, if any. Few have an escape in it. */
static struct find *
find_of(struct scan *s, struct ch_view quoted)
{
	struct ch_view name = {quoted.ptr + 1, quoted.len - 2};
	const struct ch_json *v;

	if (memchr(name.ptr, '\\', name.len) != NULL) {
		v = ch_json_parse(s->arena, quoted, 1, NULL);
		if (v == NULL)
			return NULL;
		name = v->str;
	}
	for (size_t i = 0; i < s->find_count; i++) {
		if (ch_view_eq_str(name, s->finds[i].name))
			return &s->finds[i];
	}
	return NULL;
}

/* The value at s->at, where it is a proper string with nothing odd behind. */
static const struct ch_json *
take_text(struct scan *s)
{
	const struct ch_json *v;

	if (!next_is(s, '"'))
		return NULL;
	v = ch_json_parse(s->arena, take_quoted(s), 1, NULL);
	return next_is(s, ',') || next_is(s, '}') || next_is(s, '\0') ? v
								      : NULL;
}

static void
take_member(struct scan *s)
{
	struct ch_view quoted = take_quoted(s);
	const struct ch_json *v;
	struct find *f;

	if (!next_is(s, ':'))
		return;
	s->before = *s->at++;
	f = find_of(s, quoted);
	if (f == NULL)
		return;
	v = take_text(s);
	if (f->met &&
		(v == NULL || f->value == NULL ||
			!ch_view_eq(v->str, f->value->str)))
		v = NULL;
	f->value = v;
	f->met = true;
}

static void
take_token(struct scan *s)
{
	char c = *s->at;

	if (c == '"' && s->depth == 1 &&
		(s->before == '{' || s->before == ',')) {
		take_member(s);
		return;
	}
	if (c == '"') {
		(void)take_quoted(s);
		return;
	}
	s->depth += c == '{' || c == '[';
	s->depth -= c == '}' || c == ']';
	s->before = c;
	s->at++;
}

static const struct ch_json *
object_of(const struct scan *s, const char *start)
{
	struct ch_json *object = ch_arena_calloc(s->arena, 1, sizeof(*object));
	const struct ch_json **link = &object->child;

	object->type = CH_JSON_OBJECT;
	object->text = (struct ch_view){start, (size_t)(s->at - start)};
	for (size_t i = 0; i < s->find_count; i++) {
		struct ch_json *member;

		if (s->finds[i].value == NULL)
			continue;
		member = ch_arena_alloc(s->arena, sizeof(*member));
		*member = *s->finds[i].value;
		member->name = ch_view_of(s->finds[i].name);
		*link = member;
		link = &member->next;
		object->count++;
	}
	return object;
}

const struct ch_json *
ch_json_salvage(struct ch_arena *arena, struct ch_view input,
	const char *const *names)
{
	const char *text = input.ptr != NULL ? input.ptr : "";
	struct scan s = {.at = text, .end = text + input.len, .arena = arena};
	const char *start;

	for (; names[s.find_count] != NULL; s.find_count++) {
		assert(s.find_count < CH_JSON_SALVAGE_MAX);
		s.finds[s.find_count].name = names[s.find_count];
	}
	skip_byte_order_mark(&s);
	if (!next_is(&s, '{'))
		return NULL;
	start = s.at;
	do {
		skip_space(&s);
		if (s.at < s.end)
			take_token(&s);
	} while (s.at < s.end && s.depth > 0);
	return object_of(&s, start);
}
