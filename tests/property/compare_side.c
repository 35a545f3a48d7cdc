/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_side: see compare_side.h.
 */
#include "compare_side.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *const channel_names[CHANNELS] = {"answer", "posting", "event",
	"timer", "timer's posting", "timer's event"};

void
side_add(struct side *s, enum channel channel, char *text)
{
	struct lines *l = &s->channels[channel];

	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 64;
		l->texts = ch_xrealloc(l->texts, l->cap, sizeof(*l->texts));
	}
	l->texts[l->count++] = text;
}

void
side_problem(struct side *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (s->problem[0] == '\0')
		(void)vsnprintf(s->problem, sizeof(s->problem), format, args);
	va_end(args);
}

void
side_empty(struct side *s)
{
	for (unsigned k = 0; k < CHANNELS; k++) {
		for (size_t i = 0; i < s->channels[k].count; i++)
			free(s->channels[k].texts[i]);
		s->channels[k].count = 0;
	}
}

void
side_free(struct side *s)
{
	side_empty(s);
	for (unsigned k = 0; k < CHANNELS; k++)
		free(s->channels[k].texts);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort(struct lines *l)
{
	if (l->count > 1)
		qsort(l->texts, l->count, sizeof(char *), compare_lines);
}

bool
side_differ(struct side *a, struct side *b, char *out, size_t size)
{
	for (unsigned k = 0; k < CHANNELS; k++) {
		struct lines *x = &a->channels[k];
		struct lines *y = &b->channels[k];
		size_t most = x->count > y->count ? x->count : y->count;

		if (k >= TIMERS) {
			sort(x);
			sort(y);
		}
		for (size_t i = 0; i < most; i++) {
			const char *p = i < x->count ? x->texts[i] : "(none)";
			const char *q = i < y->count ? y->texts[i] : "(none)";

			if (strcmp(p, q) == 0)
				continue;
			(void)snprintf(out, size,
				"%s:\n  core:  %s\n  model: %s",
				channel_names[k], p, q);
			return true;
		}
	}
	return false;
}

void
side_cut(char *text, const char *start)
{
	char *at = strstr(text, start);
	char *end;

	if (at == NULL)
		return;
	for (end = at + strlen(start); *end != '"'; end++)
		end += *end == '\\';
	end++;
	if (start[0] != ',' && *end == ',')
		end++;
	memmove(at, end, strlen(end) + 1);
}
