/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade_load: an array in arrival order; small parts of it are taken off the
 * front as they are committed.
 */
#include "trade_load.h"

#include <stdlib.h>

#include "base/mem.h"

#define KEEP_BYTES ((size_t)4 << 20)

struct trade_load *
trade_load_new(size_t value_max)
{
	struct trade_load *t = ch_xcalloc(1, sizeof(*t));
	t->value_max = value_max;
	return t;
}

void
trade_load_free(struct trade_load *t)
{
	if (t == NULL)
		return;
	ch_arena_free(&t->arena);
	free(t->parts);
	free(t->entries);
	free(t);
}

void
trade_load_clear(struct trade_load *t)
{
	ch_arena_reset(&t->arena, KEEP_BYTES);
	t->part_count = 0;
	t->count = 0;
	t->bytes = 0;
}

static size_t
part_of(struct trade_load *t, struct partition *p)
{
	for (size_t i = 0; i < t->part_count; i++)
		if (t->parts[i].p == p && t->parts[i].turn == p->turn)
			return i;
	if (t->part_count == t->part_cap) {
		t->part_cap = t->part_cap > 0 ? t->part_cap * 2 : 8;
		t->parts =
			ch_xrealloc(t->parts, t->part_cap, sizeof(*t->parts));
	}
	t->parts[t->part_count] = (struct load_part){p, p->turn, -1, -1, 0};
	return t->part_count++;
}

static struct ch_view
keep(struct trade_load *t, struct ch_view v)
{
	t->bytes += v.len;
	return v.ptr != NULL ? ch_arena_view(&t->arena, v) : v;
}

static void
decode(struct trade_load *t, struct trade_entry *e)
{
	struct ch_err err = CH_ERR_INIT;
	if (e->record.value.len > t->value_max) {
		e->error_class = "oversize";
		e->reason = CH_VIEW("the value is larger than record_bytes");
	} else if (!trade_decode(&t->arena, e->record.value, &e->trade, &err)) {
		e->error_class = "invalid";
		e->reason = ch_arena_view(&t->arena, ch_view_of(err.text));
	}
}

void
trade_load_add(struct trade_load *t, struct partition *p,
	const struct batch_record *r)
{
	if (t->count == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 256;
		t->entries =
			ch_xrealloc(t->entries, t->cap, sizeof(*t->entries));
	}
	struct trade_entry *e = &t->entries[t->count++];
	*e = (struct trade_entry){.part = part_of(t, p), .record = *r};
	e->record.key = keep(t, r->key);
	e->record.value = keep(t, r->value);
	struct batch_header *headers = ch_arena_calloc(&t->arena,
		r->header_count + 1, sizeof(*headers));
	for (size_t i = 0; i < r->header_count; i++) {
		headers[i].name = keep(t, r->headers[i].name);
		headers[i].value = keep(t, r->headers[i].value);
	}
	e->record.headers = headers;
	decode(t, e);
}

/* Memory and `bytes` are given back when the load is empty, which the bound on
 * a load makes soon enough. */
void
trade_load_drop(struct trade_load *t, size_t n)
{
	size_t kept = 0;
	for (size_t i = n; i < t->count; i++) {
		const struct load_part *lp = &t->parts[t->entries[i].part];
		if (lp->turn == lp->p->turn)
			t->entries[kept++] = t->entries[i];
	}
	t->count = kept;
	if (kept == 0)
		trade_load_clear(t);
}

static int
by_stream(const void *a, const void *b)
{
	const struct load_part *x = a;
	const struct load_part *y = b;
	return (x->p->stream > y->p->stream) - (x->p->stream < y->p->stream);
}

size_t
trade_load_parts(const struct trade_load *t, size_t n, struct load_part *out)
{
	size_t count = 0;
	for (size_t p = 0; p < t->part_count; p++) {
		struct load_part lp = t->parts[p];
		for (size_t i = 0; i < n; i++) {
			if (t->entries[i].part != p)
				continue;
			lp.next_offset = t->entries[i].record.offset + 1;
			lp.leader_epoch = t->entries[i].record.leader_epoch;
			lp.records++;
		}
		if (lp.records > 0)
			out[count++] = lp;
	}
	qsort(out, count, sizeof(*out), by_stream);
	return count;
}
