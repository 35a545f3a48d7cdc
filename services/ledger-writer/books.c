/* SPDX-License-Identifier: Apache-2.0 */
/*
 * books: see books.h.
 *
 * A set is an array of rows in the order of naming, for those who read it, and
 * an open-addressing table of the same pointers (a power of two, at most half
 * full, linear probing), for those who name. Rows are never taken out before
 * books_clear(), so pointers are stable and probing needs no tombstones.
 *
 * In every struct the facts come first and the values last: a reset empties
 * what stands from `values` on, so that a row that turns out to be absent
 * holds nothing of an attempt that was rolled back.
 *
 * Undo: books_begin() starts a generation; the first touch of a row in it
 * stores the row's image. The list of images is also that of touched rows.
 */
#include "books.h"

#include <assert.h>
#include <stdlib.h>

#define KEEP_BYTES ((size_t)1 << 20)
#define SLOTS_FIRST 256

/* What differs between kinds. */
static const struct kind {
	size_t size;
	size_t values; /* offset of the first value; size: none */
} kinds[ROW_KINDS] = {
	[ROW_ORG] = {sizeof(struct org), sizeof(struct org)},
	[ROW_ASSET] = {sizeof(struct asset), sizeof(struct asset)},
	[ROW_ACCOUNT] = {sizeof(struct account),
		offsetof(struct account, balance)},
	[ROW_SKU] = {sizeof(struct sku), offsetof(struct sku, on_hand)},
	[ROW_HOLD] = {sizeof(struct hold), offsetof(struct hold, amount)},
	[ROW_RESERVATION] = {sizeof(struct reservation),
		offsetof(struct reservation, qty)},
	[ROW_TRANSFER] = {sizeof(struct transfer),
		offsetof(struct transfer, reversed_by)},
	[ROW_ORDER] = {sizeof(struct order), offsetof(struct order, market)},
	[ROW_FILL] = {sizeof(struct fill), offsetof(struct fill, qty)},
	[ROW_MARKET] = {sizeof(struct market), offsetof(struct market, asset)},
	[ROW_POSITION] = {sizeof(struct position),
		offsetof(struct position, qty)},
	[ROW_TRADE] = {sizeof(struct trade_row),
		offsetof(struct trade_row, account)},
	[ROW_RATE] = {sizeof(struct rate_window),
		offsetof(struct rate_window, stamps)},
	[ROW_ID] = {sizeof(struct known_id), sizeof(struct known_id)},
};

struct undo {
	struct row *row;
	union {
		struct asset asset;
		struct account account;
		struct sku sku;
		struct hold hold;
		struct reservation reservation;
		struct transfer transfer;
		struct order order;
		struct fill fill;
		struct market market;
		struct position position;
		struct trade_row trade;
		struct rate_window rate;
	} image;
};

/* ---- sets ---- */

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static uint64_t
hash_of(const struct org *org, struct ch_view name)
{
	uint64_t h = ch_hash64(name.ptr, name.len);

	return mix(h ^ (org != NULL ? org->row.hash : 0));
}

/* The slot that holds the row, or the free one where it belongs. */
static struct row **
find_slot(const struct row_set *set, const struct org *org, struct ch_view name,
	uint64_t hash)
{
	size_t mask = set->slot_count - 1;
	size_t i = (size_t)hash & mask;

	for (; set->slots[i] != NULL; i = (i + 1) & mask) {
		const struct row *row = set->slots[i];

		if (row->hash == hash && row->org == org &&
			ch_view_eq(row->name, name))
			break;
	}
	return &set->slots[i];
}

static void
grow_slots(struct row_set *set)
{
	set->slot_count =
		set->slot_count > 0 ? set->slot_count * 2 : SLOTS_FIRST;
	free(set->slots);
	set->slots = ch_xcalloc(set->slot_count, sizeof(struct row *));
	for (size_t i = 0; i < set->count; i++) {
		struct row *row = set->rows[i];

		*find_slot(set, row->org, row->name, row->hash) = row;
	}
}

static void
append(struct row_set *set, struct row *row)
{
	if (set->count == set->cap) {
		set->cap = set->cap > 0 ? set->cap * 2 : SLOTS_FIRST;
		set->rows =
			ch_xrealloc(set->rows, set->cap, sizeof(*set->rows));
	}
	set->rows[set->count++] = row;
}

/* The row called name, or a new one whose struct is zero; *made tells which. */
static void *
intern(struct books *b, enum row_kind kind, struct org *org,
	struct ch_view name, bool *made)
{
	struct row_set *set = &b->sets[kind];
	uint64_t hash = hash_of(org, name);
	struct row **slot;
	struct row *row;

	if (set->count * 2 >= set->slot_count)
		grow_slots(set);
	slot = find_slot(set, org, name, hash);
	*made = *slot == NULL;
	if (!*made)
		return *slot;
	row = ch_arena_calloc(&b->arena, 1, kinds[kind].size);
	row->org = org;
	row->name = ch_arena_view(&b->arena, name);
	row->hash = hash;
	row->kind = kind;
	row->state = ROW_WANTED;
	*slot = row;
	append(set, row);
	return row;
}

/* For kinds that have no more facts than their name. */
static void *
named(struct books *b, enum row_kind kind, struct org *org, struct ch_view name)
{
	bool made;

	return intern(b, kind, org, name, &made);
}

static void
clear_set(struct row_set *set)
{
	set->count = 0;
	/* one huge batch must not make every later one clear its table */
	if (set->slot_count > (size_t)1 << 16) {
		free(set->slots);
		set->slots = NULL;
		set->slot_count = 0;
	} else if (set->slot_count > 0) {
		memset(set->slots, 0, set->slot_count * sizeof(*set->slots));
	}
}

static void
free_set(struct row_set *set)
{
	free(set->rows);
	free(set->slots);
	*set = (struct row_set){NULL, 0, 0, NULL, 0};
}

/* ---- life of the books ---- */

void
books_init(struct books *b)
{
	memset(b, 0, sizeof(*b));
}

void
books_free(struct books *b)
{
	for (unsigned k = 0; k < ROW_KINDS; k++)
		free_set(&b->sets[k]);
	free(b->undo);
	ch_buf_free(&b->key);
	ch_arena_free(&b->arena);
	books_init(b);
}

void
books_clear(struct books *b)
{
	for (unsigned k = 0; k < ROW_KINDS; k++)
		if (b->sets[k].count > 0)
			clear_set(&b->sets[k]);
	b->undo_count = 0;
	b->undo_mark = 0;
	ch_arena_reset(&b->arena, KEEP_BYTES);
}

/* Is it a row whose facts are all that there is of it? */
static bool
is_fact(const struct row *row)
{
	const struct account *a = (const void *)row;

	if (row->kind == ROW_ASSET)
		return row->state == ROW_LOADED && !row->created;
	return row->kind == ROW_ACCOUNT && a->shards > 0 && row->number > 0 &&
		!row->created;
}

/* What this batch itself made of a row's facts. */
static void
forget_own_facts(struct row *row)
{
	struct account *a = (void *)row;
	struct transfer *t = (void *)row;

	if (row->kind == ROW_TRANSFER && t->fact_is_ours) {
		t->fact = TRANSFER_UNKNOWN;
		t->fact_is_ours = false;
	}
	if (!row->created)
		return;
	row->number = 0;
	if (row->kind == ROW_ACCOUNT) {
		a->asset = NULL;
		a->shards = 0;
	}
}

static void
want_again(struct row *row)
{
	const struct kind *kind = &kinds[row->kind];

	forget_own_facts(row);
	row->state = ROW_WANTED;
	row->created = false;
	row->dirty = false;
	row->version = 0;
	memset((char *)row + kind->values, 0, kind->size - kind->values);
}

void
books_reset(struct books *b)
{
	for (unsigned k = ROW_ASSET; k < ROW_KINDS; k++) {
		for (size_t i = 0; i < b->sets[k].count; i++) {
			struct row *row = b->sets[k].rows[i];

			if (!is_fact(row))
				want_again(row);
		}
	}
	b->undo_count = 0;
}

/* ---- naming ---- */

/* Names put together with NULs, which no name holds. */
static struct ch_view
key_of(struct books *b, const struct ch_view *parts, size_t n)
{
	ch_buf_clear(&b->key);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			ch_buf_addc(&b->key, '\0');
		ch_buf_addv(&b->key, parts[i]);
	}
	return ch_buf_view(&b->key);
}

struct org *
books_org(struct books *b, struct ch_view name)
{
	return named(b, ROW_ORG, NULL, name);
}

struct asset *
books_asset(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_ASSET, org, name);
}

struct account *
books_account(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_ACCOUNT, org, name);
}

struct sku *
books_sku(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_SKU, org, name);
}

struct hold *
books_hold(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_HOLD, org, name);
}

struct reservation *
books_reservation(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_RESERVATION, org, name);
}

static struct ch_view
transfer_key(struct books *b, const struct ch_uuid *id, int32_t member)
{
	ch_buf_clear(&b->key);
	ch_buf_add(&b->key, id->bytes, sizeof(id->bytes));
	ch_buf_add_be32(&b->key, (uint32_t)member);
	return ch_buf_view(&b->key);
}

struct transfer *
books_transfer(struct books *b, struct org *org, const struct ch_uuid *id,
	int32_t member)
{
	struct transfer *t =
		named(b, ROW_TRANSFER, org, transfer_key(b, id, member));

	t->id = *id;
	t->member = member;
	return t;
}

static struct row *
find(const struct books *b, enum row_kind kind, const struct org *org,
	struct ch_view key)
{
	const struct row_set *set = &b->sets[kind];

	if (set->count == 0)
		return NULL;
	return *find_slot(set, org, key, hash_of(org, key));
}

struct account *
books_find_account(struct books *b, struct org *org, struct ch_view name)
{
	return (struct account *)(void *)find(b, ROW_ACCOUNT, org, name);
}

struct transfer *
books_find_transfer(struct books *b, struct org *org, const struct ch_uuid *id,
	int32_t member)
{
	return (struct transfer *)(void *)find(b, ROW_TRANSFER, org,
		transfer_key(b, id, member));
}

struct order *
books_order(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_ORDER, org, name);
}

struct fill *
books_fill(struct books *b, struct order *order, struct ch_view name)
{
	struct ch_view parts[] = {order->row.name, name};
	struct fill *f =
		named(b, ROW_FILL, order->row.org, key_of(b, parts, 2));

	f->order = order;
	f->fill_name = (struct ch_view){
		f->row.name.ptr + f->row.name.len - name.len, name.len};
	return f;
}

struct market *
books_market(struct books *b, struct org *org, struct ch_view name)
{
	return named(b, ROW_MARKET, org, name);
}

struct position *
books_position(struct books *b, struct account *account, struct market *market,
	struct ch_view outcome)
{
	struct ch_view parts[] = {account->row.name, market->row.name, outcome};
	bool made;
	struct position *p = intern(b, ROW_POSITION, account->row.org,
		key_of(b, parts, 3), &made);

	if (!made)
		return p;
	p->account = account;
	p->market = market;
	p->outcome = (struct ch_view){
		p->row.name.ptr + p->row.name.len - outcome.len, outcome.len};
	p->next = account->positions;
	account->positions = p;
	return p;
}

struct trade_row *
books_trade(struct books *b, struct org *org, struct ch_view tx)
{
	return named(b, ROW_TRADE, org, tx);
}

struct rate_window *
books_rate(struct books *b, struct org *org, int32_t rule_id,
	struct ch_view subject)
{
	uint8_t id[4] = {(uint8_t)(rule_id >> 24), (uint8_t)(rule_id >> 16),
		(uint8_t)(rule_id >> 8), (uint8_t)rule_id};
	struct ch_view parts[] = {{(const char *)id, sizeof(id)}, subject};
	struct rate_window *w = named(b, ROW_RATE, org, key_of(b, parts, 2));

	w->rule_id = rule_id;
	w->subject = (struct ch_view){
		w->row.name.ptr + w->row.name.len - subject.len, subject.len};
	return w;
}

struct known_id *
books_id(struct books *b, struct org *org, const struct ch_uuid *id)
{
	struct ch_view bytes = {(const char *)id->bytes, sizeof(id->bytes)};
	struct known_id *k = named(b, ROW_ID, org, bytes);

	k->id = *id;
	k->day = ch_time_day(ch_uuid_time(id));
	return k;
}

/* ---- accounts with shards ---- */

struct account *
books_shard(struct books *b, struct account *whole, int i)
{
	uint8_t place[2] = {(uint8_t)(i >> 8), (uint8_t)i};
	struct ch_view parts[] = {
		whole->row.name, {(const char *)place, sizeof(place)}};
	bool made;
	struct account *a = intern(b, ROW_ACCOUNT, whole->row.org,
		key_of(b, parts, 2), &made);

	assert(i >= 0 && i < whole->shards);
	a->whole = whole;
	a->shard = i;
	a->asset = whole->asset;
	a->row.number = whole->row.number;
	return a;
}

static void
want_shards_of(struct books *b, struct account *a, const int32_t *parts,
	size_t n)
{
	for (int i = 0; a->all_shards && i < a->shards; i++)
		(void)books_shard(b, a, i);
	for (size_t i = 0; i < n; i++)
		(void)books_shard(b, a, parts[i] % a->shards);
}

void
books_want_shards(struct books *b, const int32_t *parts, size_t n)
{
	size_t count = b->sets[ROW_ACCOUNT].count; /* shards have none */

	for (size_t i = 0; i < count; i++) {
		struct account *a = books_account_at(b, i);

		if (a->shards > 0 && a->row.number > 0)
			want_shards_of(b, a, parts, n);
	}
}

/* ---- discovery and loading ---- */

void
books_found_account(struct books *b, struct account *a, int64_t number,
	struct ch_view asset_name, int scale, int shards)
{
	assert(number > 0 && shards >= 0 && shards <= LEDGER_SHARDS_MAX);
	a->row.number = number;
	a->shards = shards;
	a->asset = books_asset(b, a->row.org, asset_name);
	if (!row_is_there(&a->asset->row))
		books_load_asset(a->asset, scale);
	if (shards > 0)
		a->row.state = ROW_LOADED;
}

void
books_found_sku(struct sku *s, int64_t number)
{
	assert(number > 0);
	s->row.number = number;
}

void
books_found_hold(struct books *b, struct hold *h, int64_t number,
	struct ch_view account_name)
{
	assert(number > 0);
	h->row.number = number;
	h->account = books_account(b, h->row.org, account_name);
}

void
books_found_reservation(struct books *b, struct reservation *r, int64_t number,
	struct ch_view sku_name, int64_t sku_number)
{
	assert(number > 0);
	r->row.number = number;
	r->sku = books_sku(b, r->row.org, sku_name);
	books_found_sku(r->sku, sku_number);
}

void
books_found_transfer(struct books *b, struct transfer *t,
	struct command_move *moves, size_t count)
{
	struct transfer_post post = {moves, count};

	t->fact = moves != NULL ? TRANSFER_POSTED : TRANSFER_OTHER;
	t->moves = moves;
	t->move_count = count;
	books_moves(b, t->row.org, &post);
}

void
books_loaded(struct row *row)
{
	assert(row->state == ROW_WANTED);
	row->state = ROW_LOADED;
}

void
books_load_asset(struct asset *a, int scale)
{
	assert(scale >= 0 && scale <= CH_SCALE_MAX);
	a->scale = scale;
	a->row.state = ROW_LOADED;
}

void
books_load_id(struct books *b, struct known_id *k,
	const struct ch_sha256 *payload_hash, struct ch_view result)
{
	k->payload_hash = *payload_hash;
	k->is_unread = result.ptr == NULL;
	k->result = ch_arena_view(&b->arena, result);
	books_loaded(&k->row);
}

void
books_close_lookup(struct books *b)
{
	for (unsigned k = ROW_ASSET; k < ROW_KINDS; k++) {
		for (size_t i = 0; i < b->sets[k].count; i++) {
			struct row *row = b->sets[k].rows[i];

			if (row->state == ROW_WANTED && row->number == 0)
				row->state = ROW_ABSENT;
		}
	}
}

size_t
books_missing(const struct books *b)
{
	size_t n = 0;

	for (unsigned k = ROW_ASSET; k < ROW_KINDS; k++)
		for (size_t i = 0; i < b->sets[k].count; i++)
			n += b->sets[k].rows[i]->state == ROW_WANTED;
	return n;
}

struct ch_time
books_last_at(const struct books *b)
{
	struct ch_time at = {0};

	for (unsigned k = ROW_ASSET; k < ROW_ID; k++) {
		for (size_t i = 0; i < b->sets[k].count; i++) {
			const struct row *row = b->sets[k].rows[i];

			if (row->state == ROW_LOADED && row->last_at.us > at.us)
				at = row->last_at;
		}
	}
	return at;
}

/* ---- changing ---- */

void
books_begin(struct books *b)
{
	b->undo_count = 0;
	b->undo_mark++;
}

void
books_keep(struct books *b)
{
	b->undo_count = 0;
}

void
books_undo(struct books *b)
{
	books_undo_to(b, 0);
}

void
books_undo_to(struct books *b, size_t count)
{
	while (b->undo_count > count) {
		struct undo *u = &b->undo[--b->undo_count];

		memcpy(u->row, &u->image, kinds[u->row->kind].size);
	}
}

/* Keeps the row's image; false when this command has touched it already. */
static bool
remember(struct books *b, struct row *row)
{
	struct undo *u;

	if (row->undo_mark == b->undo_mark)
		return false;
	if (b->undo_count == b->undo_cap) {
		b->undo_cap = b->undo_cap > 0 ? b->undo_cap * 2 : 64;
		b->undo = ch_xrealloc(b->undo, b->undo_cap, sizeof(*b->undo));
	}
	u = &b->undo[b->undo_count++];
	u->row = row;
	memcpy(&u->image, row, kinds[row->kind].size);
	row->undo_mark = b->undo_mark;
	return true;
}

void
books_touch(struct books *b, struct row *row, struct ch_time at)
{
	assert(row->state == ROW_LOADED);
	if (!remember(b, row))
		return;
	row->version++;
	row->last_at = at;
	row->dirty = true;
}

void
books_create(struct books *b, struct row *row, struct ch_time at)
{
	assert(row->state == ROW_ABSENT);
	(void)remember(b, row);
	row->state = ROW_LOADED;
	row->created = true;
	row->made = ++b->made;
	row->dirty = true;
	row->version = 1;
	row->last_at = at;
}

size_t
books_touched_count(const struct books *b)
{
	return b->undo_count;
}

const struct row *
books_touched(const struct books *b, size_t i)
{
	return b->undo[i].row;
}

const struct row *
books_touched_before(const struct books *b, size_t i)
{
	return (const void *)&b->undo[i].image;
}
