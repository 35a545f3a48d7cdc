/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_json: see model_json.h.
 */
#include "model_json.h"

#include <string.h>

const char *
model_json_start(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
		p++;
	return p;
}

/* p: at the opening quote. The byte behind the closing one. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
		p += *p == '\\';
	return p + 1;
}

static const char *
skip_value(const char *p)
{
	int depth = 0;

	if (*p != '"' && *p != '{' && *p != '[') {
		while (strchr(" \t\r\n,]}", *p) == NULL)
			p++;
		return p;
	}
	do {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
	} while (depth > 0);
	return p;
}

/* p: behind a value. The next one's first byte; NULL: it was the last. */
static const char *
next_one(const char *p)
{
	p = model_json_start(p);
	return *p == ',' ? model_json_start(p + 1) : NULL;
}

const char *
model_json_member(const char *object, const char *name)
{
	const char *p = object != NULL ? model_json_start(object + 1) : NULL;
	size_t len = strlen(name);

	while (p != NULL && *p == '"') {
		const char *end = skip_string(p);
		const char *value = model_json_start(model_json_start(end) + 1);

		if ((size_t)(end - p) == len + 2 &&
			memcmp(p + 1, name, len) == 0)
			return value;
		p = next_one(skip_value(value));
	}
	return NULL;
}

const char *
model_json_element(const char *array, size_t i)
{
	const char *p = array != NULL ? model_json_start(array + 1) : NULL;

	if (p != NULL && *p == ']')
		return NULL;
	for (; p != NULL && i > 0; i--)
		p = next_one(skip_value(p));
	return p;
}

size_t
model_json_length(const char *value)
{
	return value != NULL ? (size_t)(skip_value(value) - value) : 0;
}
