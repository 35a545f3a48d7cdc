/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: a bounded queue of pointers between threads.
 *
 * Bounded by count and by bytes. A full ring refuses (CH_EFULL): the producer
 * decides what that means. The reader can sleep on an eventfd that is readable
 * while the ring is not empty, in its own poll loop, or wait with a timeout.
 *
 * Thread: push and pop from any thread.
 */
#ifndef CH_BASE_RING_H
#define CH_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ch_ring;

/* NULL, with errno set, when no eventfd is to be had. max_items > 0. */
struct ch_ring *ch_ring_new(size_t max_items, size_t max_bytes);
/* free_item, when given, frees what is left. */
void ch_ring_free(struct ch_ring *r, void (*free_item)(void *));
/* 0, CH_EFULL, or CH_ECLOSED. bytes is what the item counts for; an item of
 * more than max_bytes still goes into an empty ring, or it would never pass.
 * item is not NULL; on failure it stays the caller's. */
int ch_ring_push(struct ch_ring *r, void *item, size_t bytes);
/* The oldest item, or NULL when empty (or closed and empty). */
void *ch_ring_pop(struct ch_ring *r);
/* As pop, waiting at most timeout_ms. */
void *ch_ring_pop_wait(struct ch_ring *r, int timeout_ms);
size_t ch_ring_count(struct ch_ring *r);
size_t ch_ring_bytes(struct ch_ring *r);
/* Readable while the ring is not empty, and for good once it is closed. Only
 * to be polled: the ring reads and writes it itself. */
int ch_ring_fd(const struct ch_ring *r);
/* Refuses further pushes and wakes readers; what is inside can be popped. */
void ch_ring_close(struct ch_ring *r);

#endif
