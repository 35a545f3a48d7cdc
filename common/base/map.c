/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: see map.h.
 *
 * An entry and its key are one allocation. uthash keeps the entries in a list
 * in the order they were added, which a replaced value does not change, and
 * that is what iteration follows. Memory that is not there aborts in mem.c.
 *
 * Keys come from the network: the hash starts from a random number of this
 * process, so that nobody outside can choose keys that collide. The order of
 * iteration does not depend on it.
 */
#include "map.h"

#include <pthread.h>
#include <stdlib.h>

#include "mem.h"
#include "rng.h"

#define uthash_malloc(n) ch_xmalloc(n)
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	void *value;
	size_t len;
	char key[];
};

struct ch_map {
	struct entry *entries;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

static void
draw_secret(void)
{
	ch_rng_secure(secret, sizeof(secret));
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes a step, each folded in by a full multiplication (the principle
 * of wyhash). */
static unsigned
hash(struct ch_view key)
{
	uint64_t h = secret[0] ^ key.len;
	size_t left = key.len;
	uint64_t eight;

	for (; left >= sizeof(eight); left -= sizeof(eight)) {
		memcpy(&eight, key.ptr + (key.len - left), sizeof(eight));
		h = mix(h ^ eight, secret[1] | 1);
	}
	if (left > 0) {
		eight = 0;
		memcpy(&eight, key.ptr + (key.len - left), left);
		h = mix(h ^ eight, secret[1] | 1);
	}
	h = mix(h, UINT64_C(0x9e3779b97f4a7c15));
	return (unsigned)h;
}

struct ch_map *
ch_map_new(void)
{
	(void)pthread_once(&once, draw_secret);
	return ch_xcalloc(1, sizeof(struct ch_map));
}

void
ch_map_free(struct ch_map *m, void (*free_value)(void *))
{
	struct entry *e;

	if (m == NULL)
		return;
	e = m->entries;
	HASH_CLEAR(hh, m->entries); /* the table; the entries stay a list */
	while (e != NULL) {
		struct entry *next = e->hh.next;

		if (free_value != NULL)
			free_value(e->value);
		free(e);
		e = next;
	}
	free(m);
}

size_t
ch_map_count(const struct ch_map *m)
{
	return HASH_COUNT(m->entries);
}

/* NOLINTBEGIN(readability-function-size): uthash is macros */
static struct entry *
find(const struct ch_map *m, struct ch_view key, unsigned hashed)
{
	const char *bytes = key.len > 0 ? key.ptr : "";
	struct entry *e;

	HASH_FIND_BYHASHVALUE(hh, m->entries, bytes, key.len, hashed, e);
	return e;
}

void *
ch_map_get(const struct ch_map *m, struct ch_view key)
{
	struct entry *e = find(m, key, hash(key));

	return e != NULL ? e->value : NULL;
}

void *
ch_map_put(struct ch_map *m, struct ch_view key, void *value)
{
	unsigned hashed = hash(key);
	struct entry *e = find(m, key, hashed);

	if (e != NULL) {
		void *before = e->value;

		e->value = value;
		return before;
	}
	e = ch_xcalloc(1, sizeof(*e) + key.len + 1);
	e->value = value;
	e->len = key.len;
	if (key.len > 0)
		memcpy(e->key, key.ptr, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->entries, e->key, e->len, hashed, e);
	return NULL;
}

void *
ch_map_del(struct ch_map *m, struct ch_view key)
{
	struct entry *e = find(m, key, hash(key));
	void *value;

	if (e == NULL)
		return NULL;
	value = e->value;
	HASH_DELETE(hh, m->entries, e);
	free(e);
	return value;
}

/* NOLINTEND(readability-function-size) */

void
ch_map_each(struct ch_map *m,
	bool (*fn)(void *ctx, struct ch_view key, void *value), void *ctx)
{
	struct entry *e;
	struct entry *next;

	HASH_ITER(hh, m->entries, e, next)
	{
		if (!fn(ctx, (struct ch_view){e->key, e->len}, e->value))
			return;
	}
}
