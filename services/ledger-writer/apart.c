/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apart: see apart.h.
 */
#include "apart.h"

void
apart_init(struct apart *a, const struct command_limits *limits)
{
	*a = (struct apart){.source = load_new(limits)};
}

void
apart_free(struct apart *a)
{
	load_free(a->source);
}

bool
apart_active(const struct apart *a)
{
	return !load_empty(a->source);
}

void
apart_clear(struct apart *a)
{
	load_clear(a->source);
	a->at = 0;
	a->cut = false;
}

bool
apart_wants(const struct load *l)
{
	for (size_t i = 0; i < l->part_count; i++) {
		const struct load_part *lp = &l->parts[i];
		if (lp->p->alone > 0 &&
			(l->part_count > 1 || lp->records > lp->p->alone))
			return true;
	}
	return false;
}

void
apart_begin(struct apart *a, struct load **now)
{
	struct load *t = a->source;
	a->source = *now;
	*now = t;
	a->at = 0;
	a->cut = false;
}

/* A partition that has turned may stand there twice: what it had before is
 * void. */
static void
take_alone(struct apart *a, const struct load_part *lp, struct load *now)
{
	if (lp->turn != lp->p->turn || lp->p->alone == 0)
		return;
	load_copy_of(now, a->source, lp->p, lp->p->alone);
	a->cut = now->batch.count < lp->records;
}

void
apart_take(struct apart *a, struct load *now)
{
	a->cut = false;
	while (load_empty(now) && a->at <= a->source->part_count) {
		load_clear(now);
		if (a->at == 0)
			load_copy_of(now, a->source, NULL, SIZE_MAX);
		else
			take_alone(a, &a->source->parts[a->at - 1], now);
		a->at++;
	}
	if (load_empty(now))
		apart_clear(a);
}

bool
apart_is_alone(const struct load *now)
{
	return now->part_count == 1 && now->parts[0].p->alone > 0;
}

void
apart_put(const struct load *now)
{
	for (size_t i = 0; i < now->part_count; i++) {
		const struct load_part *lp = &now->parts[i];
		lp->p->alone = lp->records;
		lp->p->alone_to = lp->next_offset;
	}
}

bool
apart_passed(const struct apart *a, const struct load *now)
{
	struct partition *p = now->parts[0].p;
	bool clear = p->next_offset >= p->alone_to;
	p->alone = clear ? 0 : 2 * p->alone;
	p->held = 0;
	p->told = false;
	return a->cut;
}

bool
apart_failed(const struct load *now)
{
	struct partition *p = now->parts[0].p;
	bool first = now->parts[0].records <= 1;
	p->alone = first ? 1 : now->parts[0].records / 2;
	p->held += first;
	return first;
}
