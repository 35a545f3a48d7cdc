/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_cache: see name_cache.h.
 *
 * A generation is a block of entries, one behind the other, and an open
 * addressing table of their places in it (in units of 8 bytes, plus one: 0 is
 * a free slot). Entries are never taken out, so probing needs no tombstones.
 */
#include "name_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

#define SLOTS ((size_t)1 << 18)
#define FILLED_MAX (SLOTS / 2)
#define UNIT 8
#define TEXT_MAX 256 /* a longer name is asked for each time */

#define FORGOTTEN UINT8_MAX /* in place of an entry's kind */

struct entry {
	uint64_t hash;
	int64_t id;
	uint64_t place;
	int32_t org_id;
	uint16_t name_len;
	uint16_t text_len;
	int8_t scale;
	int16_t shards;
	uint8_t kind;
	char bytes[]; /* the name, then the text */
};

struct generation {
	char *block; /* NULL until it is needed */
	uint32_t *slots;
	size_t used; /* bytes of block */
	size_t count;
};

struct name_cache {
	struct generation young, old;
	char text[TEXT_MAX]; /* of the name that is promoted */
};

static void
drop(struct generation *g)
{
	free(g->block);
	free(g->slots);
	*g = (struct generation){NULL, NULL, 0, 0};
}

struct name_cache *
name_cache_new(void)
{
	return ch_xcalloc(1, sizeof(struct name_cache));
}

void
name_cache_clear(struct name_cache *c)
{
	drop(&c->young);
	drop(&c->old);
}

void
name_cache_free(struct name_cache *c)
{
	if (c == NULL)
		return;
	name_cache_clear(c);
	free(c);
}

static uint64_t
hash_of(enum name_kind kind, int32_t org_id, struct ch_view name)
{
	uint64_t h = ch_hash64(name.ptr, name.len);

	h ^= ((uint64_t)(uint32_t)org_id << 8 | (uint64_t)kind) *
		UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static struct entry *
entry_at(const struct generation *g, uint32_t slot)
{
	return (struct entry *)(void *)(g->block + (slot - 1) * (size_t)UNIT);
}

static bool
is_named(const struct entry *e, uint64_t hash, enum name_kind kind,
	int32_t org_id, struct ch_view name)
{
	return e->hash == hash && e->kind == (uint8_t)kind &&
		e->org_id == org_id && e->name_len == name.len &&
		memcmp(e->bytes, name.ptr, name.len) == 0;
}

/* The slot that holds the name, or the free one where it belongs. The block
 * must be there. */
static uint32_t *
find_slot(const struct generation *g, uint64_t hash, enum name_kind kind,
	int32_t org_id, struct ch_view name)
{
	size_t i = (size_t)hash & (SLOTS - 1);

	while (g->slots[i] != 0 &&
		!is_named(entry_at(g, g->slots[i]), hash, kind, org_id, name))
		i = (i + 1) & (SLOTS - 1);
	return &g->slots[i];
}

static struct entry *
find_in(const struct generation *g, uint64_t hash, enum name_kind kind,
	int32_t org_id, struct ch_view name)
{
	uint32_t *slot;

	if (g->block == NULL)
		return NULL;
	slot = find_slot(g, hash, kind, org_id, name);
	return *slot != 0 ? entry_at(g, *slot) : NULL;
}

static size_t
size_of(size_t name_len, size_t text_len)
{
	size_t n = sizeof(struct entry) + name_len + text_len;

	return (n + UNIT - 1) / UNIT * UNIT;
}

/* Sees to it that the young generation holds one entry more. */
static void
make_room(struct name_cache *c, size_t bytes)
{
	struct generation *g = &c->young;

	if (g->block != NULL &&
		(g->used + bytes > NAME_CACHE_BYTES ||
			g->count >= FILLED_MAX)) {
		drop(&c->old);
		c->old = *g;
		*g = (struct generation){NULL, NULL, 0, 0};
	}
	if (g->block == NULL) {
		g->block = ch_xmalloc(NAME_CACHE_BYTES);
		g->slots = ch_xcalloc(SLOTS, sizeof(*g->slots));
	}
}

static void
add(struct name_cache *c, uint64_t hash, enum name_kind kind, int32_t org_id,
	struct ch_view name, const struct name_fact *f)
{
	struct generation *g = &c->young;
	size_t bytes = size_of(name.len, f->text.len);
	struct entry *e;

	make_room(c, bytes);
	*find_slot(g, hash, kind, org_id, name) =
		(uint32_t)(g->used / UNIT) + 1;
	e = (struct entry *)(void *)(g->block + g->used);
	*e = (struct entry){.hash = hash,
		.id = f->id,
		.place = f->place,
		.org_id = org_id,
		.name_len = (uint16_t)name.len,
		.text_len = (uint16_t)f->text.len,
		.scale = (int8_t)f->scale,
		.shards = (int16_t)f->shards,
		.kind = (uint8_t)kind};
	memcpy(e->bytes, name.ptr, name.len);
	if (f->text.len > 0)
		memcpy(e->bytes + name.len, f->text.ptr, f->text.len);
	g->used += bytes;
	g->count++;
}

static struct name_fact
fact_of(const struct entry *e)
{
	return (struct name_fact){.id = e->id,
		.text = {e->bytes + e->name_len, e->text_len},
		.scale = e->scale,
		.shards = e->shards,
		.place = e->place};
}

/* The name is met again: the young generation takes it over. */
static struct entry *
promote(struct name_cache *c, struct entry *e, struct ch_view name)
{
	struct name_fact f = fact_of(e);
	uint64_t hash = e->hash;
	enum name_kind kind = (enum name_kind)e->kind;
	int32_t org_id = e->org_id;

	/* adding may forget the generation that e is in */
	memcpy(c->text, f.text.ptr, f.text.len);
	f.text.ptr = c->text;
	add(c, hash, kind, org_id, name, &f);
	return find_in(&c->young, hash, kind, org_id, name);
}

bool
name_cache_find(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, struct name_fact *out)
{
	uint64_t hash = hash_of(kind, org_id, name);
	struct entry *e = find_in(&c->young, hash, kind, org_id, name);

	if (e == NULL) {
		e = find_in(&c->old, hash, kind, org_id, name);
		if (e == NULL)
			return false;
		e = promote(c, e, name);
	}
	*out = fact_of(e);
	return true;
}

void
name_cache_put(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, const struct name_fact *fact)
{
	uint64_t hash = hash_of(kind, org_id, name);
	struct entry *e;

	if (name.len > TEXT_MAX || fact->text.len > TEXT_MAX)
		return;
	e = find_in(&c->young, hash, kind, org_id, name);
	if (e == NULL)
		add(c, hash, kind, org_id, name, fact);
	else
		e->place = fact->place;
}

void
name_cache_move(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name, uint64_t place)
{
	uint64_t hash = hash_of(kind, org_id, name);
	struct entry *e = find_in(&c->young, hash, kind, org_id, name);

	if (e == NULL)
		e = find_in(&c->old, hash, kind, org_id, name);
	if (e != NULL)
		e->place = place;
}

/* Its place stays taken, so that others that were put behind it are found. */
static void
forget_in(struct generation *g, uint64_t hash, enum name_kind kind,
	int32_t org_id, struct ch_view name)
{
	struct entry *e = find_in(g, hash, kind, org_id, name);

	if (e != NULL)
		e->kind = FORGOTTEN;
}

void
name_cache_forget(struct name_cache *c, enum name_kind kind, int32_t org_id,
	struct ch_view name)
{
	uint64_t hash = hash_of(kind, org_id, name);

	forget_in(&c->young, hash, kind, org_id, name);
	forget_in(&c->old, hash, kind, org_id, name);
}

size_t
name_cache_count(const struct name_cache *c)
{
	return c->young.count + c->old.count;
}
