/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: see mem.h.
 *
 * An arena is a list of blocks, the newest first; only the newest is filled.
 *
 *	head -> [block | object | object | free ...] -> [block | objects] ->
 *NULL
 *
 * Blocks double in size up to BLOCK_MAX, so that an arena of a few kilobytes
 * is one block, and a large one few. An object larger than the next block gets
 * a block of its size. After a reset the arena fills the block it kept without
 * asking the system. When compiled for AddressSanitizer, free parts of blocks
 * are poisoned, so that use after a reset is found like use after free.
 */
#include "mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>

#include "log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN 16u
#define BLOCK_FIRST ((size_t)16 * 1024)
#define BLOCK_MAX ((size_t)1024 * 1024)

struct ch_arena_block {
	struct ch_arena_block *older;
	size_t size; /* of bytes[] */
	size_t used;
	alignas(ALIGN) unsigned char bytes[];
};

static _Noreturn void
out_of_memory(size_t n)
{
	ch_error("mem.exhausted", CH_U("bytes", n));
	abort();
}

void *
ch_xmalloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory(n);
	return p;
}

void *
ch_xcalloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory(count);
	return p;
}

void *
ch_xrealloc(void *p, size_t count, size_t size)
{
	void *q;

	if (count == 0 || size == 0)
		count = size = 1;
	q = reallocarray(p, count, size);
	if (q == NULL)
		out_of_memory(count);
	return q;
}

char *
ch_xstrdup(const char *s)
{
	return ch_xviewdup(ch_view_of(s));
}

char *
ch_xviewdup(struct ch_view v)
{
	char *s = ch_xmalloc(v.len + 1);

	if (v.len > 0)
		memcpy(s, v.ptr, v.len);
	s[v.len] = '\0';
	return s;
}

static void
add_block(struct ch_arena *a, size_t n)
{
	struct ch_arena_block *block;
	size_t size = BLOCK_FIRST;

	if (a->head != NULL)
		size = a->head->size < BLOCK_MAX ? a->head->size * 2
						 : BLOCK_MAX;
	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	block = ch_xmalloc(sizeof(*block) + size);
	block->older = a->head;
	block->size = size;
	block->used = 0;
	POISON(block->bytes, size);
	a->head = block;
	a->held += size;
}

void *
ch_arena_alloc(struct ch_arena *a, size_t n)
{
	struct ch_arena_block *block = a->head;
	size_t room;
	void *p;

	if (n > SIZE_MAX / 2)
		out_of_memory(n);
	room = n > 0 ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
	if (block == NULL || block->size - block->used < room) {
		add_block(a, room);
		block = a->head;
	}
	p = block->bytes + block->used;
	UNPOISON(p, n);
	block->used += room;
	a->used += room;
	return p;
}

void *
ch_arena_calloc(struct ch_arena *a, size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory(count);
	p = ch_arena_alloc(a, n);
	memset(p, 0, n);
	return p;
}

struct ch_view
ch_arena_view(struct ch_arena *a, struct ch_view v)
{
	return (struct ch_view){ch_arena_str(a, v), v.len};
}

char *
ch_arena_str(struct ch_arena *a, struct ch_view v)
{
	char *s = ch_arena_alloc(a, v.len + 1);

	if (v.len > 0)
		memcpy(s, v.ptr, v.len);
	s[v.len] = '\0';
	return s;
}

void
ch_arena_reset(struct ch_arena *a, size_t keep)
{
	struct ch_arena_block *kept = NULL;
	struct ch_arena_block *block = a->head;

	while (block != NULL) {
		struct ch_arena_block *older = block->older;
		bool better = block->size <= keep &&
			(kept == NULL || block->size > kept->size);

		if (better) {
			free(kept);
			kept = block;
		} else {
			free(block);
		}
		block = older;
	}
	*a = (struct ch_arena)CH_ARENA_INIT;
	if (kept == NULL)
		return;
	kept->older = NULL;
	kept->used = 0;
	POISON(kept->bytes, kept->size);
	a->head = kept;
	a->held = kept->size;
}

void
ch_arena_free(struct ch_arena *a)
{
	ch_arena_reset(a, 0);
}
