/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_text: see model_text.h.
 */
#include "model_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_decimal.h"
#include "model_time.h"

void *
model_need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void
put_bytes(struct text *t, const char *s, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		t->cap = (t->len + n + 1) * 2;
		t->p = model_need(realloc(t->p, t->cap));
	}
	memcpy(t->p + t->len, s, n);
	t->len += n;
	t->p[t->len] = '\0';
}

void
model_put(struct text *t, const char *s)
{
	put_bytes(t, s, strlen(s));
}

void
model_put_string(struct text *t, const char *s)
{
	char piece[8];

	put_bytes(t, "\"", 1);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			(void)snprintf(piece, sizeof(piece), "\\%c", c);
		else if (c >= '\b' && c <= '\r' && c != '\v')
			(void)snprintf(piece, sizeof(piece), "\\%c",
				"btnvfr"[c - '\b']);
		else if (c < 0x20)
			(void)snprintf(piece, sizeof(piece), "\\u%04x", c);
		else
			memcpy(piece, (char[]){(char)c, '\0'}, 2);
		model_put(t, piece);
	}
	put_bytes(t, "\"", 1);
}

void
model_put_name(struct text *t, const char *name)
{
	if (t->len > 0 && strchr("{[", t->p[t->len - 1]) == NULL)
		put_bytes(t, ",", 1);
	model_put_string(t, name);
	put_bytes(t, ":", 1);
}

void
model_put_member(struct text *t, const char *name, const char *value)
{
	model_put_name(t, name);
	model_put_string(t, value);
}

void
model_put_number(struct text *t, const char *name, int64_t value)
{
	char s[32];

	model_put_name(t, name);
	(void)snprintf(s, sizeof(s), "%lld", (long long)value);
	model_put(t, s);
}

void
model_put_decimal(struct text *t, const char *name, int64_t value, int scale)
{
	char s[64];

	model_decimal_print(s, sizeof(s), value, scale);
	model_put_member(t, name, s);
}

void
model_put_time(struct text *t, const char *name, int64_t us)
{
	char s[64];

	model_time_print(s, us);
	model_put_member(t, name, s);
}
