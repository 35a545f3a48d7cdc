/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside: see aside.h. A list: what PostgreSQL refuses is rare.
 */
#include "aside.h"

#include <stdlib.h>

#include "base/mem.h"

#define TRIES_ALONE 2

static struct aside_item *
find(const struct aside *a, struct due_ref due)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].due.kind == due.kind &&
			a->items[i].due.number == due.number)
			return &a->items[i];
	return NULL;
}

static struct aside_item *
find_or_add(struct aside *a, struct due_ref due)
{
	struct aside_item *item = find(a, due);
	if (item != NULL)
		return item;
	if (a->count == a->cap) {
		a->cap = a->cap > 0 ? a->cap * 2 : 8;
		a->items = ch_xrealloc(a->items, a->cap, sizeof(*a->items));
	}
	item = &a->items[a->count++];
	*item = (struct aside_item){.due = due};
	return item;
}

const char *
aside_kind_name(enum row_kind kind)
{
	if (kind == ROW_MARKET)
		return "market";
	return kind == ROW_HOLD ? "hold" : "reservation";
}

void
aside_free(struct aside *a)
{
	free(a->items);
	*a = (struct aside){NULL, 0, 0};
}

bool
aside_refused(struct aside *a, struct due_ref due)
{
	return ++find_or_add(a, due)->alone >= TRIES_ALONE;
}

void
aside_passed(struct aside *a, struct due_ref due)
{
	struct aside_item *item = find(a, due);
	if (item != NULL)
		*item = a->items[--a->count];
}

bool
aside_put(struct aside *a, struct due_ref due, struct ch_mono back_at)
{
	struct aside_item *item = find_or_add(a, due);
	bool first = !item->told;
	item->out = true;
	item->told = true;
	item->alone = 0;
	item->back_at = back_at;
	return first;
}

bool
aside_has(const struct aside *a, struct due_ref due)
{
	const struct aside_item *item = find(a, due);
	return item != NULL && item->out;
}

size_t
aside_take_back(struct aside *a, struct ch_mono now)
{
	size_t n = 0;
	for (size_t i = 0; i < a->count; i++) {
		struct aside_item *item = &a->items[i];
		if (!item->out || ch_mono_ms_since(now, item->back_at) < 0)
			continue;
		item->out = false;
		n++;
	}
	return n;
}

int64_t
aside_next(const struct aside *a, enum row_kind kind, size_t *at)
{
	while (*at < a->count) {
		const struct aside_item *item = &a->items[(*at)++];
		if (item->out && item->due.kind == kind)
			return item->due.number;
	}
	return 0;
}

size_t
aside_count(const struct aside *a, enum row_kind kind)
{
	size_t at = 0;
	size_t n = 0;
	while (aside_next(a, kind, &at) != 0)
		n++;
	return n;
}
