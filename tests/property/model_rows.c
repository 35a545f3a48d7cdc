/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_rows: see model_rows.h.
 */
#include "model_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_text.h"

#define VALUES(type) offsetof(struct type, v), sizeof(((struct type *)NULL)->v)

/* values_size 0: nothing of it changes. */
static const struct kind {
	enum row_kind kind;
	size_t size, values_at, values_size;
} kinds[] = {
	{ROW_ASSET, sizeof(struct asset), 0, 0},
	{ROW_ACCOUNT, sizeof(struct account), 0, 0},
	{ROW_BALANCE, sizeof(struct balance), VALUES(balance)},
	{ROW_SKU, sizeof(struct sku), VALUES(sku)},
	{ROW_HOLD, sizeof(struct hold), VALUES(hold)},
	{ROW_RESERVATION, sizeof(struct reservation), VALUES(reservation)},
	{ROW_ORDER, sizeof(struct order), VALUES(order)},
	{ROW_FILL, sizeof(struct fill), 0, 0},
	{ROW_MARKET, sizeof(struct market), VALUES(market)},
	{ROW_POSITION, sizeof(struct position), VALUES(position)},
	{ROW_TRADE, sizeof(struct trade), VALUES(trade)},
	{ROW_REVERSAL, sizeof(struct reversal), 0, 0},
	{ROW_WINDOW, sizeof(struct window), 0, 0},
	{ROW_KNOWN, sizeof(struct known), 0, 0},
};

static const struct kind *
kind_of(enum row_kind kind)
{
	const struct kind *k = kinds;

	while (k->kind != kind)
		k++;
	return k;
}

static char *
values_of(struct row *row)
{
	return (char *)row + kind_of(row->kind)->values_at;
}

/* ---- found by name ---- */

static uint64_t
hash_of(enum row_kind kind, const char *org, const char *name)
{
	uint64_t h = 14695981039346656037ULL ^ (unsigned)kind;

	for (; *org != '\0'; org++)
		h = (h ^ (unsigned char)*org) * 1099511628211ULL;
	for (h *= 31; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211ULL;
	return h ^ h >> 29;
}

void *
model_find(const struct serial_model *m, enum row_kind kind, const char *org,
	const char *name)
{
	struct row *r = m->slots[hash_of(kind, org, name) % m->slot_count];

	while (r != NULL &&
		(r->kind != kind || strcmp(r->name, name) != 0 ||
			strcmp(r->org, org) != 0))
		r = r->chain;
	return r;
}

static void
insert(struct serial_model *m, struct row *row)
{
	struct row **slot = &m->slots[hash_of(row->kind, row->org, row->name) %
		m->slot_count];

	row->chain = *slot;
	*slot = row;
}

static void
take_out(struct serial_model *m, struct row *row)
{
	struct row **at = &m->slots[hash_of(row->kind, row->org, row->name) %
		m->slot_count];

	while (*at != row)
		at = &(*at)->chain;
	*at = row->chain;
	m->count--;
}

static void
rehash(struct serial_model *m, size_t slot_count)
{
	struct row **old = m->slots;
	size_t old_count = m->slot_count;

	m->slots = model_need(calloc(slot_count, sizeof(struct row *)));
	m->slot_count = slot_count;
	for (size_t i = 0; i < old_count; i++) {
		struct row *next;

		for (struct row *r = old[i]; r != NULL; r = next) {
			next = r->chain;
			insert(m, r);
		}
	}
	free(old);
}

static struct row *
new_row(enum row_kind kind, const char *org, const char *name)
{
	struct row *row = model_need(calloc(1, kind_of(kind)->size));

	row->kind = kind;
	row->org = model_need(strdup(org));
	row->name = model_need(strdup(name));
	return row;
}

void *
model_make(struct serial_model *m, enum row_kind kind, const char *org,
	const char *name)
{
	struct row *row = new_row(kind, org, name);

	if (m->count++ > m->slot_count)
		rehash(m, m->slot_count * 2);
	insert(m, row);
	return row;
}

/* ---- owners ---- */

void
model_add(struct row_list *list, struct row *row)
{
	if (list->count == list->cap) {
		list->cap = list->cap > 0 ? list->cap * 2 : 4;
		list->rows = model_need(realloc(list->rows,
			list->cap * sizeof(struct row *)));
	}
	list->rows[list->count++] = row;
}

/* Changes are taken back last first, so the row is the last of each list. */
static void
leave_owner(struct row *row)
{
	if (row->kind == ROW_HOLD) {
		((struct hold *)(void *)row)->account->holds.count--;
	} else if (row->kind == ROW_RESERVATION) {
		((struct reservation *)(void *)row)->sku->reservations.count--;
	} else if (row->kind == ROW_POSITION) {
		struct position *p = (struct position *)(void *)row;

		p->account->positions.count--;
		p->market->positions.count--;
	}
}

struct balance *
model_balance(const struct account *a, int part)
{
	return a->balances[a->shards > 0 ? part % a->shards : 0];
}

bool
model_is_closed(const struct account *a)
{
	return a->balances[0]->v.closed;
}

char *
model_joined(const char *a, const char *b)
{
	size_t n = strlen(a) + strlen(b) + sizeof(MODEL_JOINT);
	char *s = model_need(malloc(n));

	(void)snprintf(s, n, "%s" MODEL_JOINT "%s", a, b);
	return s;
}

/* ---- a life ---- */

static void
free_row(struct row *row)
{
	if (row->kind == ROW_ACCOUNT) {
		struct account *a = (struct account *)(void *)row;

		for (int i = 0; i < (a->shards > 0 ? a->shards : 1); i++)
			free_row(&a->balances[i]->row);
		free(a->balances);
		free(a->holds.rows);
		free(a->positions.rows);
	} else if (row->kind == ROW_SKU) {
		free(((struct sku *)(void *)row)->reservations.rows);
	} else if (row->kind == ROW_MARKET) {
		free(((struct market *)(void *)row)->positions.rows);
	} else if (row->kind == ROW_WINDOW) {
		free(((struct window *)(void *)row)->stamps);
	} else if (row->kind == ROW_KNOWN) {
		free(((struct known *)(void *)row)->result);
	}
	free(row->org);
	free(row->name);
	free(row);
}

struct serial_model *
serial_model_new(bool auto_expire)
{
	struct serial_model *m = model_need(calloc(1, sizeof(*m)));

	m->auto_expire = auto_expire;
	rehash(m, 4096);
	return m;
}

void
serial_model_free(struct serial_model *m)
{
	for (size_t i = 0; i < m->slot_count; i++) {
		struct row *next;

		for (struct row *r = m->slots[i]; r != NULL; r = next) {
			next = r->chain;
			free_row(r);
		}
	}
	free(m->slots);
	free(m->changes);
	free(m->settled.rows);
	free(m);
}

/* ---- a step ---- */

void
model_begin(struct serial_model *m)
{
	m->steps++;
	m->change_count = 0;
}

static void
note(struct serial_model *m, struct row *row, void *image)
{
	if (m->change_count == m->change_cap) {
		m->change_cap = m->change_cap > 0 ? m->change_cap * 2 : 64;
		m->changes = model_need(realloc(m->changes,
			m->change_cap * sizeof(struct change)));
	}
	m->changes[m->change_count++] = (struct change){row, image};
	row->step = m->steps;
}

static void
first_stamp(struct row *row, int64_t at)
{
	if (kind_of(row->kind)->values_size > 0)
		*(struct stamp *)(void *)values_of(row) = (struct stamp){1, at};
}

void *
model_create(struct serial_model *m, enum row_kind kind, const char *org,
	const char *name, int64_t at)
{
	struct row *row = model_make(m, kind, org, name);

	first_stamp(row, at);
	note(m, row, NULL);
	return row;
}

struct balance *
model_create_balance(struct serial_model *m, struct account *a, int64_t at)
{
	struct row *row = new_row(ROW_BALANCE, a->row.org, a->row.name);

	first_stamp(row, at);
	note(m, row, NULL);
	((struct balance *)(void *)row)->account = a;
	return (struct balance *)(void *)row;
}

bool
model_touch(struct serial_model *m, struct row *row, int64_t at)
{
	size_t size = kind_of(row->kind)->values_size;
	struct stamp *stamp = (struct stamp *)(void *)values_of(row);
	bool forward = stamp->last_at <= at;
	void *image;

	if (row->step == m->steps)
		return true;
	image = model_need(malloc(size));
	memcpy(image, values_of(row), size);
	note(m, row, image);
	stamp->version++;
	stamp->last_at = at;
	return forward;
}

void
model_keep(struct serial_model *m)
{
	for (size_t i = 0; i < m->change_count; i++)
		free(m->changes[i].image);
	m->change_count = 0;
}

static void
take_back(struct serial_model *m, const struct change *c)
{
	if (c->image != NULL) {
		memcpy(values_of(c->row), c->image,
			kind_of(c->row->kind)->values_size);
		free(c->image);
		c->row->step = 0;
	} else if (c->row->kind != ROW_BALANCE) { /* goes with its account */
		leave_owner(c->row);
		take_out(m, c->row);
		free_row(c->row);
	}
}

void
model_take_back(struct serial_model *m)
{
	while (m->change_count > 0)
		take_back(m, &m->changes[--m->change_count]);
}
