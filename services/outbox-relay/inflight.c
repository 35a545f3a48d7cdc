/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflight: a list of commits, each with its rows.
 *
 *	head                     cursor                 tail   reading
 *	 |                         |                      |       |
 *	[ . wait] [.....] [sent .] [new wait new] [new] ... [new]   [rows...]
 *	 |         '-> all done: one stands for many
 *	 '-> advance() frees                '-> next()
 *
 * A row that is done is freed at once, and neighbours of which nothing is left
 * become one, so that a row which has to wait costs its own bytes only, however
 * many pass it.
 *
 * Invariants: left of a commit counts its rows that are not done, the others'
 * places are NULL; of two neighbours at least one has rows left; every row
 * before the cursor is not NEW; `bytes` is what all blocks together hold.
 * reading_bytes is the share of the commit that is being read.
 * The delivered log_seq of a stream is the largest of its rows in delivered
 * commits: the fence makes a stream's commits follow its log_seq.
 */
#include "inflight.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct commit {
	struct commit *prev, *next;
	uint64_t end_lsn;
	struct ch_time at;
	char *mark;
	struct event **events;
	struct event *only; /* the usual commit has one row */
	size_t count, room, left;
	size_t stands_for; /* commits, and their rows */
	uint64_t rows;
	struct marks marks; /* of rows that are done */
};

struct inflight {
	struct commit *head, *tail, *reading;
	struct commit *interrupted; /* it was read before */
	struct commit *cursor;	    /* NULL: everything was looked at */
	size_t cursor_at;
	size_t events, bytes;
	size_t reading_bytes, interrupted_bytes;
	uint64_t ended;
	void (*done)(void *ctx, const struct event *e); /* or NULL */
	void *done_ctx;
	struct marks marks; /* of delivered commits */
	char *mark;
	struct inflight_position position;
};

struct inflight *
inflight_new(void)
{
	return ch_xcalloc(1, sizeof(struct inflight));
}

static void
commit_free(struct inflight *f, struct commit *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (c->events[i] == NULL)
			continue;
		f->bytes -= c->events[i]->size;
		f->events--;
		event_free(c->events[i]);
	}
	if (c->events != &c->only)
		free(c->events);
	marks_free(&c->marks);
	free(c->mark);
	free(c);
}

void
inflight_clear(struct inflight *f)
{
	struct commit *c;

	inflight_abandon(f);
	while ((c = f->head) != NULL) {
		f->head = c->next;
		commit_free(f, c);
	}
	f->tail = f->cursor = NULL;
	f->cursor_at = 0;
	f->ended = f->position.commits;
}

void
inflight_free(struct inflight *f)
{
	if (f == NULL)
		return;
	inflight_clear(f);
	marks_free(&f->marks);
	free(f->mark);
	free(f);
}

void
inflight_begin(struct inflight *f, struct ch_time at)
{
	struct commit *c = ch_xcalloc(1, sizeof(*c));

	assert(f->reading == NULL);
	c->at = at;
	c->events = &c->only;
	c->room = 1;
	c->stands_for = 1;
	f->reading = c;
	f->reading_bytes = 0;
}

void
inflight_add(struct inflight *f, struct event *e)
{
	struct commit *c = f->reading;
	struct event **grown;

	assert(c != NULL);
	if (c->count == c->room) {
		c->room *= 8;
		if (c->events == &c->only) {
			grown = ch_xcalloc(c->room, sizeof(struct event *));
			grown[0] = c->only;
			c->events = grown;
		} else {
			c->events = ch_xrealloc(c->events, c->room,
				sizeof(struct event *));
		}
	}
	e->commit = c;
	e->place = (uint32_t)c->count;
	e->state = EVENT_NEW;
	c->events[c->count++] = e;
	c->left++;
	c->rows++;
	f->events++;
	f->bytes += e->size;
	f->reading_bytes += e->size;
}

static void
unlink_commit(struct inflight *f, struct commit *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		f->head = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		f->tail = c->prev;
	if (f->cursor == c) {
		f->cursor = c->next;
		f->cursor_at = 0;
	}
}

/* Of both nothing is left: the first stands for the second too. */
static void
join(struct inflight *f, struct commit *c, struct commit *next)
{
	c->end_lsn = next->end_lsn > c->end_lsn ? next->end_lsn : c->end_lsn;
	c->at = next->at;
	c->stands_for += next->stands_for;
	c->rows += next->rows;
	if (next->mark != NULL) {
		free(c->mark);
		c->mark = next->mark;
		next->mark = NULL;
	}
	marks_raise_all(&c->marks, &next->marks);
	unlink_commit(f, next);
	commit_free(f, next);
}

static void
commit_done(struct inflight *f, struct commit *c)
{
	if (c->events != &c->only)
		free(c->events);
	c->events = &c->only;
	c->only = NULL;
	c->count = 0;
	if (c->next != NULL && c->next->left == 0)
		join(f, c, c->next);
	if (c->prev != NULL && c->prev->left == 0)
		join(f, c->prev, c);
}

void
inflight_end(struct inflight *f, uint64_t end_lsn, const char *mark)
{
	struct commit *c = f->reading;
	size_t i;

	assert(c != NULL);
	f->reading = NULL;
	f->ended++;
	c->end_lsn = end_lsn;
	c->mark = mark != NULL ? ch_xstrdup(mark) : NULL;
	if (c->count > 1)
		qsort(c->events, c->count, sizeof(struct event *),
			event_compare);
	for (i = 0; i < c->count; i++)
		c->events[i]->place = (uint32_t)i;
	c->prev = f->tail;
	if (f->tail != NULL)
		f->tail->next = c;
	else
		f->head = c;
	f->tail = c;
	if (f->cursor == NULL) {
		f->cursor = c;
		f->cursor_at = 0;
	}
	if (c->left == 0)
		commit_done(f, c);
}

void
inflight_written(struct inflight *f, struct ch_time at)
{
	assert(f->reading != NULL);
	if (at.us < f->reading->at.us)
		f->reading->at = at;
}

void
inflight_abandon(struct inflight *f)
{
	if (f->reading != NULL)
		commit_free(f, f->reading);
	f->reading = NULL;
}

void
inflight_interrupt(struct inflight *f)
{
	assert(f->interrupted == NULL);
	f->interrupted = f->reading;
	f->interrupted_bytes = f->reading_bytes;
	f->reading = NULL;
}

void
inflight_resume(struct inflight *f)
{
	assert(f->reading == NULL);
	f->reading = f->interrupted;
	f->reading_bytes = f->interrupted_bytes;
	f->interrupted = NULL;
}

bool
inflight_is_reading(const struct inflight *f)
{
	return f->reading != NULL;
}

struct event *
inflight_next(struct inflight *f)
{
	while (f->cursor != NULL) {
		struct commit *c = f->cursor;

		for (; f->cursor_at < c->count; f->cursor_at++)
			if (c->events[f->cursor_at] != NULL &&
				c->events[f->cursor_at]->state == EVENT_NEW)
				return c->events[f->cursor_at];
		f->cursor = c->next;
		f->cursor_at = 0;
	}
	return NULL;
}

static bool
is_before(const struct event *o)
{
	return o->state != EVENT_PARKING && o->state != EVENT_SETTLED;
}

bool
inflight_has_before(const struct inflight *f, const struct event *e)
{
	const struct commit *c;
	const struct event *o;
	size_t i;

	for (c = f->head; c != NULL; c = c->next) {
		for (i = 0; i < c->count; i++) {
			o = c->events[i];
			if (o == e)
				return false;
			if (o != NULL && is_before(o) && o->topic == e->topic &&
				ch_view_eq(event_key(o), event_key(e)))
				return true;
		}
	}
	return false;
}

void
inflight_done(struct inflight *f, struct event *e)
{
	struct commit *c = e->commit;

	assert(c->left > 0 && c->events[e->place] == e);
	if (e->held) {
		e->state = EVENT_SETTLED;
		return;
	}
	if (f->done != NULL)
		f->done(f->done_ctx, e);
	c->events[e->place] = NULL;
	c->left--;
	f->events--;
	f->bytes -= e->size;
	if (e->stream != 0)
		marks_raise(&c->marks, (struct mark){e->stream, e->order});
	event_free(e);
	if (c->left == 0)
		commit_done(f, c);
}

void
inflight_watch(struct inflight *f,
	void (*done)(void *ctx, const struct event *e), void *ctx)
{
	f->done = done;
	f->done_ctx = ctx;
}

void
inflight_hold(struct event *e)
{
	e->held = true;
}

void
inflight_let_go(struct inflight *f, struct event *e)
{
	e->held = false;
	if (e->state == EVENT_SETTLED)
		inflight_done(f, e);
}

static void
make_new(struct inflight *f, bool sent)
{
	struct commit *c;
	size_t i;

	for (c = f->head; c != NULL; c = c->next) {
		for (i = 0; i < c->count; i++) {
			struct event *e = c->events[i];

			if (e == NULL)
				continue;
			if ((e->state == EVENT_SENT && sent) ||
				e->state == EVENT_WAITING)
				e->state = EVENT_NEW;
		}
	}
	f->cursor = f->head;
	f->cursor_at = 0;
}

void
inflight_rewind(struct inflight *f)
{
	make_new(f, true);
}

void
inflight_wake(struct inflight *f)
{
	make_new(f, false);
}

void
inflight_wake_if(struct inflight *f, bool (*may)(void *ctx, struct event *e),
	void *ctx)
{
	struct commit *c, *first = NULL;
	size_t i, first_at = 0;
	bool passed = false; /* the cursor */

	for (c = f->head; c != NULL; c = c->next) {
		for (i = 0; i < c->count; i++) {
			struct event *e = c->events[i];

			passed |= c == f->cursor && i >= f->cursor_at;
			if (e == NULL || e->state != EVENT_WAITING ||
				!may(ctx, e))
				continue;
			e->state = EVENT_NEW;
			if (first == NULL && !passed) {
				first = c;
				first_at = i;
			}
		}
		passed |= c == f->cursor;
	}
	if (first == NULL)
		return;
	f->cursor = first;
	f->cursor_at = first_at;
}

void
inflight_delivered_set(struct inflight *f, int32_t stream, int64_t seq)
{
	marks_raise(&f->marks, (struct mark){stream, seq});
}

void
inflight_unmark(struct inflight *f)
{
	free(f->mark);
	f->mark = NULL;
	f->position.mark = NULL;
}

void
inflight_forget(struct inflight *f)
{
	inflight_unmark(f);
	marks_clear(&f->marks);
	f->position.lsn = 0;
}

static void
pass(struct inflight *f, struct commit *c)
{
	marks_raise_all(&f->marks, &c->marks);
	if (c->end_lsn > f->position.lsn)
		f->position.lsn = c->end_lsn;
	if (c->mark != NULL) {
		free(f->mark);
		f->mark = c->mark;
		c->mark = NULL;
		f->position.mark = f->mark;
	}
	f->position.commits += c->stands_for;
	f->position.events += c->rows;
}

bool
inflight_advance(struct inflight *f)
{
	struct commit *c;
	bool moved = false;

	while ((c = f->head) != NULL && c->left == 0) {
		unlink_commit(f, c);
		pass(f, c);
		commit_free(f, c);
		moved = true;
	}
	return moved;
}

void
inflight_position_at(struct inflight *f, uint64_t lsn)
{
	if (f->reading != NULL)
		return;
	if (f->tail != NULL && f->tail->end_lsn < lsn)
		f->tail->end_lsn = lsn;
	if (f->tail == NULL && f->position.lsn < lsn)
		f->position.lsn = lsn;
}

const struct inflight_position *
inflight_position(const struct inflight *f)
{
	return &f->position;
}

uint64_t
inflight_ended(const struct inflight *f)
{
	return f->ended;
}

const struct marks *
inflight_marks(const struct inflight *f)
{
	return &f->marks;
}

size_t
inflight_events(const struct inflight *f)
{
	return f->events;
}

size_t
inflight_bytes(const struct inflight *f)
{
	return f->bytes;
}

size_t
inflight_whole_bytes(const struct inflight *f)
{
	return f->reading != NULL ? f->bytes - f->reading_bytes : f->bytes;
}

bool
inflight_is_empty(const struct inflight *f)
{
	return f->head == NULL && f->reading == NULL;
}

static bool
time_of(const struct commit *c, struct ch_time *at)
{
	if (c == NULL)
		return false;
	*at = c->at;
	return true;
}

bool
inflight_oldest(const struct inflight *f, struct ch_time *at)
{
	return time_of(f->head != NULL ? f->head : f->reading, at);
}

bool
inflight_newest(const struct inflight *f, struct ch_time *at)
{
	return time_of(f->reading != NULL ? f->reading : f->tail, at);
}
