/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: bytes to pointer, over uthash.
 *
 * Keys are copied, values are not owned. Insertion order is kept by
 * iteration. For structures on a hot path use uthash in place instead.
 *
 * Thread: a map belongs to one thread.
 */
#ifndef CH_BASE_MAP_H
#define CH_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

struct ch_map;

struct ch_map *ch_map_new(void);
/* free_value, when given, is called for every value. */
void ch_map_free(struct ch_map *m, void (*free_value)(void *));
size_t ch_map_count(const struct ch_map *m);
void *ch_map_get(const struct ch_map *m, struct ch_view key);
/* Returns the value that was there before, or NULL. value is not NULL. */
void *ch_map_put(struct ch_map *m, struct ch_view key, void *value);
/* Takes the key out and returns its value, or NULL. */
void *ch_map_del(struct ch_map *m, struct ch_view key);
/* Calls fn for each entry in insertion order until it returns false; fn may
 * delete the entry it is called for. */
void ch_map_each(struct ch_map *m,
	bool (*fn)(void *ctx, struct ch_view key, void *value), void *ctx);

#endif
