/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_rows: see mem_rows.h.
 */
#include "mem_rows.h"

#include <stdlib.h>

#include "base/mem.h"

void
mem_rows_init(struct mem_rows *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned k = 0; k < ROW_KINDS; k++)
		t->maps[k] = ch_map_new();
	t->orgs = ch_map_new();
	t->transfers = ch_map_new();
	t->next_number = 1;
}

static void
free_row(void *p)
{
	struct mem_row *m = p;

	free(m->row);
	free(m->open.rows);
	free(m->positions.rows);
	free(m);
}

void
mem_rows_free(struct mem_rows *t)
{
	for (unsigned k = 0; k < ROW_KINDS; k++) {
		ch_map_free(t->maps[k], free_row);
		free(t->all[k].rows);
	}
	ch_map_free(t->orgs, NULL);
	ch_map_free(t->transfers, NULL);
	ch_arena_free(&t->arena);
	ch_buf_free(&t->key);
}

static struct ch_view
key_of(struct mem_rows *t, const struct org *org, struct ch_view name)
{
	ch_buf_clear(&t->key);
	ch_buf_addv(&t->key, org->row.name);
	ch_buf_addc(&t->key, '/');
	ch_buf_addv(&t->key, name);
	return ch_buf_view(&t->key);
}

struct ch_view
mem_rows_transfer_key(struct mem_rows *t, const struct org *org,
	const struct ch_uuid *id, int32_t member)
{
	(void)key_of(t, org,
		(struct ch_view){(const char *)id->bytes, sizeof(id->bytes)});
	ch_buf_add_be32(&t->key, (uint32_t)member);
	return ch_buf_view(&t->key);
}

struct mem_row *
mem_rows_find(struct mem_rows *t, const struct row *row)
{
	return ch_map_get(t->maps[row->kind], key_of(t, row->org, row->name));
}

static struct org *
stored_org(struct mem_rows *t, const struct org *org)
{
	struct org *stored = ch_map_get(t->orgs, org->row.name);

	if (stored != NULL)
		return stored;
	stored = ch_arena_calloc(&t->arena, 1, sizeof(*stored));
	stored->row.name = ch_arena_view(&t->arena, org->row.name);
	(void)ch_map_put(t->orgs, stored->row.name, stored);
	return stored;
}

size_t
mem_rows_size(enum row_kind kind)
{
	static const size_t sizes[ROW_KINDS] = {
		[ROW_ASSET] = sizeof(struct asset),
		[ROW_ACCOUNT] = sizeof(struct account),
		[ROW_SKU] = sizeof(struct sku),
		[ROW_HOLD] = sizeof(struct hold),
		[ROW_RESERVATION] = sizeof(struct reservation),
		[ROW_TRANSFER] = sizeof(struct transfer),
		[ROW_ORDER] = sizeof(struct order),
		[ROW_FILL] = sizeof(struct fill),
		[ROW_MARKET] = sizeof(struct market),
		[ROW_POSITION] = sizeof(struct position),
		[ROW_TRADE] = sizeof(struct trade_row),
		[ROW_RATE] = sizeof(struct rate_window),
		[ROW_ID] = sizeof(struct known_id)};

	return sizes[kind];
}

struct mem_row *
mem_rows_insert(struct mem_rows *t, const struct row *row)
{
	struct mem_row *m;

	if (mem_rows_find(t, row) != NULL)
		return NULL;
	m = ch_xcalloc(1, sizeof(*m));
	m->row = ch_xcalloc(1, mem_rows_size(row->kind));
	m->row->kind = row->kind;
	m->row->org = stored_org(t, row->org);
	m->row->name = ch_arena_view(&t->arena, row->name);
	m->row->number = t->next_number++;
	m->next_due = INT64_MAX;
	(void)ch_map_put(t->maps[row->kind], key_of(t, row->org, row->name), m);
	mem_list_add(&t->all[row->kind], (struct row *)(void *)m);
	return m;
}

void
mem_list_add(struct mem_list *l, struct row *row)
{
	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 8;
		l->rows = ch_xrealloc(l->rows, l->cap, sizeof(*l->rows));
	}
	l->rows[l->count++] = row;
}

void
mem_list_drop(struct mem_list *l, const struct row *row)
{
	size_t i = 0;

	while (i < l->count && l->rows[i] != row)
		i++;
	if (i < l->count)
		l->rows[i] = l->rows[--l->count];
}

/* ---- columns ---- */

static struct ch_view
text(struct ch_arena *arena, struct ch_view v)
{
	return v.ptr != NULL ? ch_arena_view(arena, v) : v;
}

static void
copy_market(struct market *to, const struct market *from,
	struct ch_arena *arena)
{
	to->asset = text(arena, from->asset);
	to->address = text(arena, from->address);
	to->state = from->state;
	to->payouts = text(arena, from->payouts);
	to->reserved = from->reserved;
	to->paid = from->paid;
	to->unpaid = from->unpaid;
	to->holders = from->holders;
	to->unpaid_holders = from->unpaid_holders;
	to->page = from->page;
	to->cursor = from->cursor;
	to->owed = from->owed;
	to->stream = from->stream;
}

static void
copy_position(struct position *to, const struct position *from)
{
	to->qty = from->qty;
	to->lock = from->lock;
	to->stored_qty = from->qty;
	to->has_belief = from->has_belief;
	to->belief = from->belief;
	to->meta = from->meta;
	to->is_paid = from->is_paid;
	to->paid = from->paid;
}

static void
copy_trade(struct trade_row *to, const struct trade_row *from,
	struct ch_arena *arena)
{
	to->account = text(arena, from->account);
	to->market = text(arena, from->market);
	to->outcome = text(arena, from->outcome);
	to->side = text(arena, from->side);
	to->state = from->state;
	to->skim = from->skim;
	to->qty_after = from->qty_after;
	to->lock_after = from->lock_after;
	to->qty = text(arena, from->qty);
	to->price = text(arena, from->price);
}

static void
copy_order(struct order *to, const struct order *from, struct ch_arena *arena)
{
	to->market = text(arena, from->market);
	to->side = text(arena, from->side);
	to->qty = from->qty;
	to->filled = from->filled;
	to->price = text(arena, from->price);
	to->state = from->state;
}

static void
copy_window(struct rate_window *to, const struct rate_window *from,
	struct ch_arena *arena)
{
	size_t n = from->count - from->first;

	to->stamps = ch_arena_calloc(arena, n + 1, sizeof(int64_t));
	if (n > 0)
		memcpy(to->stamps, from->stamps + from->first,
			n * sizeof(int64_t));
	to->count = n;
	to->cap = n;
	to->first = 0;
	to->rule_id = from->rule_id;
}

static void
copy_account(struct account *to, const struct account *from)
{
	to->balance = from->balance;
	to->held = from->held;
	to->has_floor = from->has_floor;
	to->floor = from->floor;
	to->closed = from->closed;
}

static void
copy_hold(struct hold *to, const struct hold *from)
{
	to->amount = from->amount;
	to->captured = from->captured;
	to->state = from->state;
	to->expires = from->expires;
	to->expires_at = from->expires_at;
	to->stream = from->stream;
}

static void
copy_reservation(struct reservation *to, const struct reservation *from)
{
	to->qty = from->qty;
	to->committed = from->committed;
	to->state = from->state;
	to->expires = from->expires;
	to->expires_at = from->expires_at;
	to->stream = from->stream;
}

void
mem_rows_copy(struct row *to, const struct row *from, struct ch_arena *arena)
{
	void *t = to;
	const void *f = from;

	to->version = from->version;
	to->last_at = from->last_at;
	switch ((unsigned)from->kind) {
	case ROW_ASSET:
		((struct asset *)t)->scale = ((const struct asset *)f)->scale;
		break;
	case ROW_ACCOUNT:
		copy_account(t, f);
		break;
	case ROW_SKU:
		((struct sku *)t)->on_hand = ((const struct sku *)f)->on_hand;
		((struct sku *)t)->reserved = ((const struct sku *)f)->reserved;
		break;
	case ROW_HOLD:
		copy_hold(t, f);
		break;
	case ROW_RESERVATION:
		copy_reservation(t, f);
		break;
	case ROW_TRANSFER:
		((struct transfer *)t)->id = ((const struct transfer *)f)->id;
		((struct transfer *)t)->member =
			((const struct transfer *)f)->member;
		((struct transfer *)t)->reversed_by =
			((const struct transfer *)f)->reversed_by;
		break;
	case ROW_ORDER:
		copy_order(t, f, arena);
		break;
	case ROW_FILL:
		((struct fill *)t)->qty = ((const struct fill *)f)->qty;
		((struct fill *)t)->price =
			text(arena, ((const struct fill *)f)->price);
		break;
	case ROW_MARKET:
		copy_market(t, f, arena);
		break;
	case ROW_POSITION:
		copy_position(t, f);
		break;
	case ROW_TRADE:
		copy_trade(t, f, arena);
		break;
	case ROW_RATE:
		copy_window(t, f, arena);
		break;
	default:
		break;
	}
}
