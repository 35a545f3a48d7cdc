/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiters: see waiters.h.
 *
 * A wait joins one question and one key; it stands in a list of each. Waiting
 * questions are kept by deadline: there are two budgets only, so a new one goes
 * in near the end and the walk to its place is short.
 */
#include "waiters.h"

#include <assert.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/mem.h"

struct wait {
	struct question *question;
	struct waiters_key *key;
	struct wait *key_prev, *key_next;
	struct wait *next; /* of the question */
};

struct waiters {
	struct question *waiting; /* by deadline */
	struct question *done;	  /* in the order they were done */
	size_t count;		  /* waiting */
};

struct waiters *
waiters_new(void)
{
	return ch_xcalloc(1, sizeof(struct waiters));
}

static void
leave_keys(struct question *q)
{
	while (q->waits != NULL) {
		struct wait *wait = q->waits;

		q->waits = wait->next;
		if (wait->key != NULL)
			DL_DELETE2(wait->key->first, wait, key_prev, key_next);
		free(wait);
	}
	q->pending = 0;
}

void
waiters_close(struct question *q)
{
	leave_keys(q);
	free(q->items);
	free(q);
}

void
waiters_free(struct waiters *w)
{
	struct question *q, *next;

	DL_FOREACH_SAFE(w->waiting, q, next)
	{
		waiters_close(q);
	}
	DL_FOREACH_SAFE(w->done, q, next)
	{
		waiters_close(q);
	}
	free(w);
}

struct question *
waiters_open(void *const *items, size_t count)
{
	struct question *q = ch_xcalloc(1, sizeof(*q));

	q->count = count;
	q->items = ch_xcalloc(count + 1, sizeof(void *));
	memcpy(q->items, items, count * sizeof(void *));
	return q;
}

void
waiters_wait(struct question *q, struct waiters_key *key)
{
	struct wait *wait = ch_xcalloc(1, sizeof(*wait));

	wait->question = q;
	wait->key = key;
	wait->next = q->waits;
	q->waits = wait;
	q->pending++;
	DL_APPEND2(key->first, wait, key_prev, key_next);
}

/* From the end: most deadlines are later than all that wait. */
static void
insert_by_deadline(struct waiters *w, struct question *q)
{
	struct question *after = w->waiting != NULL ? w->waiting->prev : NULL;

	while (after != NULL && after->deadline.ns > q->deadline.ns)
		after = after == w->waiting ? NULL : after->prev;
	if (after == NULL)
		DL_PREPEND(w->waiting, q);
	else
		DL_APPEND_ELEM(w->waiting, after, q);
}

void
waiters_begin(struct waiters *w, struct question *q, struct ch_mono deadline)
{
	assert(q->pending > 0);
	q->deadline = deadline;
	insert_by_deadline(w, q);
	w->count++;
}

static void
finish(struct waiters *w, struct question *q)
{
	DL_DELETE(w->waiting, q);
	w->count--;
	DL_APPEND(w->done, q);
}

void
waiters_settle(struct waiters *w, struct waiters_key *key)
{
	while (key->first != NULL) {
		struct wait *wait = key->first;
		struct question *q = wait->question;

		DL_DELETE2(key->first, wait, key_prev, key_next);
		wait->key = NULL;
		assert(q->pending > 0);
		if (--q->pending == 0)
			finish(w, q);
	}
}

void
waiters_expire(struct waiters *w, struct ch_mono now)
{
	while (w->waiting != NULL && w->waiting->deadline.ns <= now.ns) {
		struct question *q = w->waiting;

		q->late = true;
		leave_keys(q);
		finish(w, q);
	}
}

struct question *
waiters_next(struct waiters *w)
{
	struct question *q = w->done;

	if (q != NULL)
		DL_DELETE(w->done, q);
	return q;
}

bool
waiters_due(const struct waiters *w, struct ch_mono *due)
{
	if (w->waiting == NULL)
		return false;
	*due = w->waiting->deadline;
	return true;
}

size_t
waiters_count(const struct waiters *w)
{
	return w->count;
}
