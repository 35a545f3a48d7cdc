/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rests: see model_rests.h.
 */
#include "model_rests.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model_text.h"

/* What stands directly in the outermost braces, those included. */
struct token {
	int kind; /* '"' a string, END the text's end; else the byte itself */
	size_t at, len;
};
#define END (-1)

static size_t
string_length(const char *p, size_t len)
{
	size_t n = 1;

	while (n < len && p[n] != '"')
		n += p[n] == '\\' ? 2 : 1;
	return n < len ? n + 1 : len;
}

/* Returns their number; the last one is the end. */
static size_t
split(const char *value, size_t len, struct token *tokens)
{
	size_t count = 0;
	size_t step;
	int depth = 0;

	for (size_t at = 0; at < len; at += step) {
		char c = value[at];
		bool outside = depth <= 1;

		step = c == '"' ? string_length(value + at, len - at) : 1;
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			continue;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		if (outside || depth <= 1)
			tokens[count++] =
				(struct token){(unsigned char)c, at, step};
		if (depth <= 0)
			break;
	}
	tokens[count] = (struct token){END, len, 0};
	return count + 1;
}

static json_t *
string_of(const char *value, const struct token *t)
{
	return json_loadb(value + t->at, t->len, JSON_DECODE_ANY, NULL);
}

/* A name that stands twice is known only if it is the same text each time. */
static void
note_member(json_t *rests, const char *value, const struct token *name)
{
	json_t *key = string_of(value, name);
	json_t *text = NULL;
	const json_t *before;

	if (json_is_string(key)) {
		before = json_object_get(rests, json_string_value(key));
		if (name[2].kind == '"' &&
			(name[3].kind == ',' || name[3].kind == '}' ||
				name[3].kind == END))
			text = string_of(value, &name[2]);
		if (text == NULL ||
			(before != NULL && !json_equal(before, text)))
			(void)json_object_set_new(rests, json_string_value(key),
				json_null());
		else
			(void)json_object_set(rests, json_string_value(key),
				text);
	}
	json_decref(text);
	json_decref(key);
}

json_t *
model_rests_of(const char *value, size_t len)
{
	struct token *tokens = model_need(calloc(len + 4, sizeof(*tokens)));
	json_t *rests = model_need(json_object());
	size_t count;

	if (len >= 3 && memcmp(value, "\xef\xbb\xbf", 3) == 0) {
		value += 3;
		len -= 3;
	}
	count = split(value, len, tokens);
	for (size_t i = 1; tokens[0].kind == '{' && i + 1 < count; i++) {
		if (tokens[i].kind == '"' && tokens[i + 1].kind == ':' &&
			(tokens[i - 1].kind == '{' ||
				tokens[i - 1].kind == ','))
			note_member(rests, value, &tokens[i]);
	}
	free(tokens);
	return rests;
}

/* A document has at most 16384 values, and 32 levels of arrays and objects. */
static void
measure(const json_t *v, int level, int *deepest, int *values)
{
	const char *name;
	json_t *member;
	size_t i;

	(*values)++;
	level += json_is_array(v) || json_is_object(v);
	*deepest = level > *deepest ? level : *deepest;
	json_array_foreach (v, i, member)
		measure(member, level, deepest, values);
	json_object_foreach ((json_t *)(uintptr_t)v, name, member)
		measure(member, level, deepest, values);
}

bool
model_is_document(const json_t *root)
{
	int deepest = 0;
	int values = 0;

	if (!json_is_object(root))
		return false;
	measure(root, 0, &deepest, &values);
	return deepest <= 32 && values <= 16384;
}
