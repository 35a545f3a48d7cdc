/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: see ring.h.
 *
 * A circular array under one mutex. The eventfd holds 1 while the ring is not
 * empty, and for ever after it was closed; it changes only when the ring turns
 * from empty to not empty and back, so that a busy queue costs no system call
 * per item. Invariants, whenever the mutex is free: count <= max_items; the
 * bytes are the sum of the items'; the eventfd is readable exactly when
 * count > 0 or closed.
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "mem.h"

struct slot {
	void *item;
	size_t bytes;
};

struct ch_ring {
	pthread_mutex_t mutex;
	pthread_cond_t not_empty;
	int fd;
	bool closed;
	size_t max_items;
	size_t max_bytes;
	size_t first; /* slot of the oldest item */
	size_t count;
	size_t bytes;
	struct slot slots[];
};

struct ch_ring *
ch_ring_new(size_t max_items, size_t max_bytes)
{
	pthread_condattr_t attr;
	struct ch_ring *r;
	size_t size;
	int fd;

	assert(max_items > 0 && max_items < SIZE_MAX / 2 / sizeof(struct slot));
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return NULL;
	size = sizeof(*r) + max_items * sizeof(struct slot);
	r = ch_xcalloc(1, size);
	r->fd = fd;
	r->max_items = max_items;
	r->max_bytes = max_bytes;
	(void)pthread_mutex_init(&r->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->not_empty, &attr);
	(void)pthread_condattr_destroy(&attr);
	return r;
}

void
ch_ring_free(struct ch_ring *r, void (*free_item)(void *))
{
	void *item;

	if (r == NULL)
		return;
	while ((item = ch_ring_pop(r)) != NULL) {
		if (free_item != NULL)
			free_item(item);
	}
	(void)close(r->fd);
	(void)pthread_cond_destroy(&r->not_empty);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
}

static void
lock(struct ch_ring *r)
{
	int rc = pthread_mutex_lock(&r->mutex);

	assert(rc == 0);
}

static void
unlock(struct ch_ring *r)
{
	int rc = pthread_mutex_unlock(&r->mutex);

	assert(rc == 0);
}

/* The counter is 0 or 1, so neither call can block or fail. */
static void
set_readable(struct ch_ring *r, bool readable)
{
	eventfd_t one;
	int rc = readable ? eventfd_write(r->fd, 1) : eventfd_read(r->fd, &one);

	assert(rc == 0);
}

static int
push_locked(struct ch_ring *r, void *item, size_t bytes)
{
	size_t at = r->first + r->count;

	if (r->closed)
		return CH_ECLOSED;
	if (r->count == r->max_items)
		return CH_EFULL;
	/* Into an empty ring any item may go, or it could never pass. */
	if (r->count > 0 &&
		(bytes > r->max_bytes || r->bytes > r->max_bytes - bytes))
		return CH_EFULL;
	r->slots[at < r->max_items ? at : at - r->max_items] =
		(struct slot){item, bytes};
	r->bytes += bytes;
	if (r->count++ == 0)
		set_readable(r, true);
	(void)pthread_cond_signal(&r->not_empty);
	return 0;
}

int
ch_ring_push(struct ch_ring *r, void *item, size_t bytes)
{
	int rc;

	assert(item != NULL);
	lock(r);
	rc = push_locked(r, item, bytes);
	unlock(r);
	return rc;
}

static void *
pop_locked(struct ch_ring *r)
{
	struct slot s;

	if (r->count == 0)
		return NULL;
	s = r->slots[r->first];
	r->first = r->first + 1 < r->max_items ? r->first + 1 : 0;
	r->bytes -= s.bytes;
	if (--r->count == 0 && !r->closed)
		set_readable(r, false);
	return s.item;
}

void *
ch_ring_pop(struct ch_ring *r)
{
	void *item;

	lock(r);
	item = pop_locked(r);
	unlock(r);
	return item;
}

static struct timespec
deadline_in(int ms)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

void *
ch_ring_pop_wait(struct ch_ring *r, int timeout_ms)
{
	struct timespec deadline = deadline_in(timeout_ms > 0 ? timeout_ms : 0);
	void *item;
	int rc = 0;

	lock(r);
	while (r->count == 0 && !r->closed && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&r->not_empty, &r->mutex,
			&deadline);
	item = pop_locked(r);
	unlock(r);
	return item;
}

size_t
ch_ring_count(struct ch_ring *r)
{
	size_t n;

	lock(r);
	n = r->count;
	unlock(r);
	return n;
}

size_t
ch_ring_bytes(struct ch_ring *r)
{
	size_t n;

	lock(r);
	n = r->bytes;
	unlock(r);
	return n;
}

int
ch_ring_fd(const struct ch_ring *r)
{
	return r->fd;
}

void
ch_ring_close(struct ch_ring *r)
{
	lock(r);
	if (!r->closed) {
		r->closed = true;
		if (r->count == 0)
			set_readable(r, true);
		(void)pthread_cond_broadcast(&r->not_empty);
	}
	unlock(r);
}
