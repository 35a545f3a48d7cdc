/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_locks: see model_locks.h.
 */
#include "model_locks.h"

#include <stdlib.h>
#include <string.h>

#include "model_text.h"

static int
by_name(const void *a, const void *b)
{
	const struct position *x = ((const struct scaled *)a)->position;
	const struct position *y = ((const struct scaled *)b)->position;
	int order = strcmp(x->market->row.name, y->market->row.name);

	return order != 0 ? order : strcmp(x->outcome, y->outcome);
}

/* The next one that gets a unit: the largest rest, the first of equal ones. */
static struct scaled *
largest_rest(struct locks *l)
{
	struct scaled *best = &l->list[0];

	for (size_t i = 1; i < l->count; i++) {
		if (l->list[i].rest > best->rest)
			best = &l->list[i];
	}
	return best;
}

static void
scale(struct locks *l, big balance, big skim)
{
	big left = balance - skim;
	big sum = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct scaled *s = &l->list[i];

		s->rest = s->lock * left % balance;
		s->lock = (int64_t)(s->lock * left / balance);
		sum += s->lock;
	}
	l->after = l->before * left / balance;
	for (; sum < l->after; sum++) {
		struct scaled *s = largest_rest(l);

		s->lock++;
		s->rest = -1; /* one unit each */
	}
}

void
model_locks_scale(struct locks *l, const struct account *a, big skim)
{
	l->count = a->positions.count;
	l->list = model_need(calloc(l->count + 1, sizeof(struct scaled)));
	l->before = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct position *p =
			(struct position *)(void *)a->positions.rows[i];

		l->list[i] = (struct scaled){p, p->v.lock, 0};
		l->before += p->v.lock;
	}
	if (l->count > 1)
		qsort(l->list, l->count, sizeof(struct scaled), by_name);
	l->after = l->before;
	if (skim > 0)
		scale(l, a->balances[0]->v.balance, skim);
}

void
model_locks_free(struct locks *l)
{
	free(l->list);
}

int64_t
model_locks_of(const struct locks *l, const struct position *p)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->list[i].position == p)
			return l->list[i].lock;
	}
	return 0;
}
