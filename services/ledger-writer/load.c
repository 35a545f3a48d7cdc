/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: keeping a batch's streams sorted while partitions come and go.
 *
 * A batch wants its streams in ascending order before the first record; a
 * partition claimed meanwhile may sort in between. Then the load is rebuilt:
 * rare (a rebalance), and at most one batch's records are decoded again.
 */
#include "load.h"

#include <stdlib.h>

#include "base/mem.h"

struct load *
load_new(const struct command_limits *limits)
{
	struct load *l = ch_xcalloc(1, sizeof(*l));
	batch_init(&l->batch, limits);
	return l;
}

void
load_free(struct load *l)
{
	if (l == NULL)
		return;
	batch_free(&l->batch);
	free(l->parts);
	free(l);
}

void
load_part_moved(const struct load_part *lp)
{
	if (lp->next_offset < 0)
		return;
	lp->p->next_offset = lp->next_offset;
	lp->p->leader_epoch = lp->leader_epoch;
}

void
load_clear(struct load *l)
{
	batch_clear(&l->batch);
	batch_clear_streams(&l->batch);
	l->part_count = 0;
	l->pay = NULL;
	l->pay_cursor = 0;
	l->pay_last = false;
}

static size_t
append_part(struct load *l, struct partition *p)
{
	if (l->part_count == l->part_cap) {
		l->part_cap = l->part_cap > 0 ? l->part_cap * 2 : 16;
		l->parts =
			ch_xrealloc(l->parts, l->part_cap, sizeof(*l->parts));
	}
	l->parts[l->part_count++] = (struct load_part){p, p->turn, -1, -1, 0};
	size_t at = batch_add_stream(&l->batch, p->stream, p->part,
		ch_view_of(p->topic));
	batch_bind_stream(&l->batch, at, p->org_len);
	if (p->kind == TOPIC_FILLS)
		batch_mark_fills(&l->batch, at);
	return at;
}

static size_t
find_part(const struct load *l, const struct partition *p)
{
	for (size_t i = 0; i < l->part_count; i++)
		if (l->parts[i].p == p && l->parts[i].turn == p->turn)
			return i;
	return SIZE_MAX;
}

static void
put(struct load *l, size_t at, const struct batch_record *r)
{
	batch_add(&l->batch, at, r);
	l->parts[at].next_offset = r->offset + 1;
	l->parts[at].leader_epoch = r->leader_epoch;
	l->parts[at].records++;
}

/* Parts of `from` that are still good, and `extra`, in order of streams. */
static void
take_parts(struct load *to, const struct load *from, struct partition *extra)
{
	for (size_t i = 0; i < from->part_count; i++) {
		const struct load_part *lp = &from->parts[i];
		if (lp->turn != lp->p->turn)
			continue;
		if (extra != NULL && extra->stream < lp->p->stream) {
			append_part(to, extra);
			extra = NULL;
		}
		append_part(to, lp->p);
	}
	if (extra != NULL)
		append_part(to, extra);
}

static void
take_entries(struct load *to, const struct load *from, size_t first,
	size_t last)
{
	for (size_t i = first; i < last; i++) {
		const struct batch_entry *e = from->batch.entries[i];
		const struct load_part *lp = &from->parts[e->stream];
		if (lp->turn != lp->p->turn)
			continue;
		put(to, find_part(to, lp->p), &e->record);
	}
}

static void
rebuild(struct load **l, struct partition *extra)
{
	struct load *fresh = load_new(&(*l)->batch.reader.limits);
	take_parts(fresh, *l, extra);
	take_entries(fresh, *l, 0, (*l)->batch.count);
	load_free(*l);
	*l = fresh;
}

void
load_add(struct load **l, struct partition *p, const struct batch_record *r)
{
	size_t at = find_part(*l, p);
	if (at == SIZE_MAX) {
		if ((*l)->part_count == 0 ||
			(*l)->parts[(*l)->part_count - 1].p->stream < p->stream)
			append_part(*l, p);
		else
			rebuild(l, p);
		at = find_part(*l, p);
	}
	put(*l, at, r);
}

/* Only the partitions of the copied entries take part: each part is fenced. */
void
load_copy(struct load *to, const struct load *from, size_t first, size_t last)
{
	for (size_t i = 0; i < from->part_count; i++) {
		const struct load_part *lp = &from->parts[i];
		bool used = false;
		for (size_t e = first; e < last && !used; e++)
			used = from->batch.entries[e]->stream == i;
		if (used && lp->turn == lp->p->turn)
			append_part(to, lp->p);
	}
	take_entries(to, from, first, last);
}

static bool
is_of(const struct load_part *lp, const struct partition *only)
{
	return lp->turn == lp->p->turn && lp->records > 0 &&
		(only != NULL ? lp->p == only : lp->p->alone == 0);
}

void
load_copy_of(struct load *to, const struct load *from,
	const struct partition *only, size_t most)
{
	for (size_t i = 0; i < from->part_count; i++)
		if (is_of(&from->parts[i], only))
			append_part(to, from->parts[i].p);
	for (size_t i = 0; i < from->batch.count && to->batch.count < most;
		i++) {
		const struct batch_entry *e = from->batch.entries[i];
		const struct load_part *lp = &from->parts[e->stream];
		if (is_of(lp, only))
			put(to, find_part(to, lp->p), &e->record);
	}
}

bool
load_is_good(const struct load *l)
{
	for (size_t i = 0; i < l->part_count; i++)
		if (l->parts[i].turn != l->parts[i].p->turn)
			return false;
	return true;
}

void
load_filter(struct load **l, struct load **spare)
{
	load_copy(*spare, *l, 0, (*l)->batch.count);
	struct load *t = *l;
	*l = *spare;
	*spare = t;
	load_clear(t);
}

bool
load_take_lowest(struct load *l, const struct partitions *ps)
{
	struct partition *least = NULL;
	for (size_t i = 0; i < ps->count; i++) {
		struct partition *p = ps->items[i];
		if (p->state == PARTITION_OWNED && p->kind == TOPIC_COMMANDS &&
			(least == NULL || p->stream < least->stream))
			least = p;
	}
	if (least != NULL)
		append_part(l, least);
	return least != NULL;
}

static int
by_number(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;
	return (x->number > y->number) - (x->number < y->number);
}

void
load_fill_page(struct load *l)
{
	struct books *b = &l->batch.books;
	struct market *m = l->pay;
	size_t most = books_count(b, ROW_POSITION);
	struct position **all;
	size_t n = 0;
	if (m == NULL || !row_is_there(&m->row) ||
		m->state != MARKET_SETTLING || m->cursor != l->pay_cursor)
		return;
	all = ch_arena_alloc(&b->arena, (most + 1) * sizeof(*all));
	for (size_t i = 0; i < most; i++) {
		struct position *p = books_position_at(b, i);
		if (p->market == m && row_is_there(&p->row) &&
			p->row.number > m->cursor)
			all[n++] = p;
	}
	qsort(all, n, sizeof(*all), by_number);
	l->batch.pay = (struct market_page){m, all, n, l->pay_last};
}
