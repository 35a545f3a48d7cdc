/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: allocation that cannot fail, and arenas freed in one call.
 *
 * Running out of memory aborts the process with a log line: every service may
 * be killed at any time anyway, and its books stay right. An arena serves one
 * batch or one request: many small objects, one ch_arena_reset().
 *
 * Thread: the x-functions any; an arena belongs to one thread.
 */
#ifndef CH_BASE_MEM_H
#define CH_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "str.h"

void *ch_xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *ch_xcalloc(size_t count, size_t size)
	__attribute__((malloc, returns_nonnull));
void *ch_xrealloc(void *p, size_t count, size_t size)
	__attribute__((returns_nonnull));
char *ch_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *ch_xviewdup(struct ch_view v) __attribute__((malloc, returns_nonnull));

struct ch_arena_block;

struct ch_arena {
	struct ch_arena_block *head; /* newest block */
	size_t used;		     /* bytes handed out since the last reset */
	size_t held;		     /* bytes held from the system */
};

#define CH_ARENA_INIT                                                          \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

/* Aligned to 16, not zeroed. */
void *ch_arena_alloc(struct ch_arena *a, size_t n)
	__attribute__((malloc, returns_nonnull));
void *ch_arena_calloc(struct ch_arena *a, size_t count, size_t size)
	__attribute__((malloc, returns_nonnull));
struct ch_view ch_arena_view(struct ch_arena *a, struct ch_view v); /* copy */
char *ch_arena_str(struct ch_arena *a, struct ch_view v); /* copy with NUL */
/* Frees all objects; keeps one block, the largest of at most keep bytes, for
 * the next use. */
void ch_arena_reset(struct ch_arena *a, size_t keep);
void ch_arena_free(struct ch_arena *a);

#endif
