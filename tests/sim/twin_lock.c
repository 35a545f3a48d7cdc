/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_lock: lock.h in a simulation: the first half of a batch's transaction,
 * in the order of lock.c (queue(), read_answers()), whose SQL cannot run here.
 * The rows are twin_lock_rows'.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "lock.h"
#include "twin_lock_rows.h"
#include "twin_pg.h"
#include "world.h"

#define AHEAD_US INT64_C(10000000) /* as in lock.c */
#define PAUSE_TYPES 8
#define DUE_MAX 256 /* of each kind */

void
locks_init(struct locks *k, struct session *s)
{
	*k = (struct locks){.session = s};
}

void
locks_free(struct locks *k)
{
	aside_free(&k->rows.aside);
	ch_arena_free(&k->arena);
}

/* ---- waiting for a lock ---- */

static bool
take_pause_lock(struct ch_pg *pg, void *ctx)
{
	(void)ctx;
	return server_take_pause_lock(&pg->process->world->server, pg->backend);
}

static bool
take_fence(struct ch_pg *pg, void *ctx)
{
	return server_take_fence(&pg->process->world->server, pg->backend,
		*(const int *)ctx);
}

static void
draw_number(struct taking *t)
{
	struct proc *p = t->s->pg->process;

	if (t->world->bug != BUG_OLD_NUMBER || p->kept_number == 0)
		p->kept_number = ++t->server->number;
	t->k->context.number = p->kept_number;
	if (t->k->theirs.us == 0)
		t->k->theirs = t->world->now;
	t->k->context.lowest_day = world_lowest_day(t->world);
}

/* lock_windows() of lock.c: a second round trip, with another number. */
static int
lock_windows(struct taking *t)
{
	int rc;

	batch_want_rates(&t->l->batch, t->k->context.rates,
		t->k->context.rate_count);
	rc = twin_lock_rates(t);
	if (rc == 0 && books_count(t->books, ROW_RATE) > 0) {
		mem_store_load_ids(t->server->store, t->books);
		draw_number(t);
	}
	return rc;
}

/* ---- what is due ---- */

/* A copy of the stored row, as the script's answer holds one. */
struct due_row {
	struct row *row;
	struct row *owner;
};

static int
by_deadline(const void *a, const void *b)
{
	const struct due_row *x = a;
	const struct due_row *y = b;
	int64_t at = mem_store_deadline(x->row);
	int64_t other = mem_store_deadline(y->row);

	if (at != other)
		return at < other ? -1 : 1;
	return (x->row->number > y->row->number) -
		(x->row->number < y->row->number);
}

static void
list_due_of(struct taking *t, struct due_list *list, struct row *owner,
	const struct mem_row *m)
{
	for (size_t k = 0; k < m->open.count && list->count < DUE_MAX; k++) {
		const struct row *row = m->open.rows[k];
		size_t size = mem_rows_size(row->kind);
		struct row *copy;

		if (mem_store_deadline(row) > t->due_until ||
			twin_lock_is_aside(t, row))
			continue;
		copy = ch_arena_alloc(&t->k->arena, size);
		memcpy(copy, row, size);
		list->rows[list->count++] = (struct due_row){copy, owner};
	}
}

/* lock_due_holds.sql, lock_due.sql */
static void
list_due(struct taking *t, struct due_list *list, enum row_kind owners)
{
	list->rows =
		ch_arena_alloc(&t->k->arena, DUE_MAX * sizeof(*list->rows));
	list->count = 0;
	for (size_t i = 0; i < books_count(t->books, owners); i++) {
		struct row *owner = t->books->sets[owners].rows[i];
		const struct mem_row *m = twin_lock_stored(t, owner);

		if (m != NULL && owner->state == ROW_LOADED)
			list_due_of(t, list, owner, m);
	}
	qsort(list->rows, list->count, sizeof(*list->rows), by_deadline);
	if ((int64_t)list->count > t->due_max)
		list->count = (size_t)t->due_max;
}

/* As far as it can be known in the script: some seconds ahead. */
static void
read_due(struct taking *t)
{
	list_due(t, &t->due[0], ROW_ACCOUNT);
	list_due(t, &t->due[1], ROW_SKU);
}

/* lock_rows_load_due(): accounts' holds, then SKUs' reservations. */
static void
load_due(struct taking *t, int64_t at)
{
	struct lock_rows *rows = &t->k->rows;

	rows->due_first = (struct due_ref){ROW_HOLD, 0};
	for (unsigned turn = 0; turn < 2; turn++) {
		const struct due_list *list = &t->due[turn];

		for (size_t i = 0; i < list->count; i++) {
			const struct row *row = list->rows[i].row;

			if (mem_store_deadline(row) > at)
				break;
			if (t->world->bug == BUG_TIMER_DROPPED &&
				!server_is_bad(row) &&
				world_one_in(t->world, 3))
				continue;
			if (rows->due_first.number == 0)
				rows->due_first = (struct due_ref){
					row->kind, row->number};
			mem_store_load_due_row(t->books, list->rows[i].owner,
				row);
		}
		if (t->due_max == 1 && rows->due_first.number != 0)
			return;
	}
}

/* load_due() of lock.c: is more due than a load with commands settles? */
static bool
is_cut(const struct taking *t, int64_t at)
{
	bool sweeps = load_empty(t->l) && t->l->pay == NULL;

	for (unsigned turn = 0; !sweeps && turn < 2; turn++) {
		const struct due_list *list = &t->due[turn];

		if (list->count > 0 && (int64_t)list->count >= t->due_max &&
			mem_store_deadline(list->rows[list->count - 1].row) <=
				at)
			return true;
	}
	return false;
}

/* settle_due() of lock.c: asks once more when the time of the decision is later
 * than was foreseen. */
static int
settle_due(struct taking *t, int64_t at)
{
	int rc = 0;

	if (at > t->due_until) {
		t->due_until = at;
		rc = twin_pg_enter(t->s->pg, t->err);
		if (rc == 0)
			read_due(t);
		twin_pg_leave(t->s->pg);
	}
	t->due_is_cut = rc == 0 && is_cut(t, at);
	if (rc == 0 && !t->due_is_cut)
		load_due(t, at);
	return rc;
}

bool
locks_set_aside(struct locks *k, struct due_ref due, struct ch_mono back_at)
{
	world_count(world_now(), EVENT_SET_ASIDE);
	return aside_put(&k->rows.aside, due, back_at);
}

/* ---- pauses and rates ---- */

static void
read_pauses(struct taking *t, int set)
{
	struct serial_now now = {.decided_at = 0};
	struct batch_pause *p;
	struct ch_view *types;

	server_pauses(set, &now);
	if (now.pause_count == 0)
		return;
	p = ch_arena_calloc(&t->k->arena, 1, sizeof(*p));
	types = ch_arena_calloc(&t->k->arena, PAUSE_TYPES, sizeof(*types));
	p->scope = ch_view_of(now.pauses[0].scope);
	p->types = types;
	p->type_count = now.pauses[0].type_count;
	p->reason = CH_VIEW("a simulation");
	for (size_t i = 0; i < p->type_count; i++)
		types[i] = ch_view_of(now.pauses[0].types[i]);
	t->k->context.pauses = p;
	t->k->context.pause_count = 1;
}

/* ---- the transaction ---- */

/* locks_queue_fences(): each part, ascending; a row that is not as it should be
 * is found by the client when all is done. */
static int
take_fences(struct taking *t)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->l->part_count; i++) {
		const struct load_part *lp = &t->l->parts[i];
		struct batch_stream *stream = &t->l->batch.streams[i];
		int part = broker_part(&t->world->broker,
			ch_view_of(lp->p->topic), lp->p->part);

		rc = twin_pg_wait(t->s, take_fence, &part, t->err);
		if (rc != 0)
			break;
		if (!server_move_offset(t->server, t->s->pg->backend, part,
			    lp->p->epoch, lp->p->next_offset,
			    lp->next_offset >= 0 ? lp->next_offset
						 : lp->p->next_offset)) {
			if (t->fenced == NULL)
				t->fenced = lp->p;
			continue;
		}
		mem_store_stream(t->server->store, stream);
		stream->next_log_seq += t->server->log_seq_kept[stream->stream];
		rc = twin_pg_step(t->s, POINT_FENCE, t->err);
	}
	return rc;
}

/* queue() of lock.c, as the server runs it. */
static int
run_script(struct taking *t, bool rows)
{
	int early = t->server->pauses;
	int rc = twin_pg_enter(t->s->pg, t->err);

	if (rc == 0)
		server_begin(t->server, t->s->pg->backend);
	if (rc == 0 && rows)
		rc = twin_pg_wait(t->s, take_pause_lock, NULL, t->err);
	if (rc == 0 && rows)
		rc = twin_pg_step(t->s, POINT_PAUSE_LOCK, t->err);
	if (rc == 0 && rows)
		read_pauses(t,
			t->world->bug == BUG_STALE_PAUSE ? early
							 : t->server->pauses);
	if (rc == 0 && rows)
		world_rates(t->world, &t->k->context);
	if (rc == 0)
		rc = take_fences(t);
	if (rc == 0 && rows)
		rc = twin_lock_rows(t);
	if (rc == 0 && rows)
		read_due(t);
	if (rc == 0 && rows)
		mem_store_load_ids(t->server->store, t->books);
	if (rc == 0 && rows)
		rc = twin_pg_step(t->s, POINT_ROWS, t->err);
	if (rc == 0)
		draw_number(t);
	if (rc == 0)
		rc = twin_pg_step(t->s, POINT_LOCKED, t->err);
	twin_pg_leave(t->s->pg);
	return rc;
}

static bool
clock_is_wrong(struct locks *k, struct ch_time before, struct ch_time after,
	struct ch_err *err)
{
	bool is_wrong = locks_clock_is_wrong(k, before, after, err);

	if (is_wrong)
		world_count(world_now(), EVENT_CLOCK_WRONG);
	return is_wrong;
}

static struct ch_time
time_of_decision(struct taking *t, struct ch_time clock)
{
	struct ch_time at =
		clock.us > t->k->not_before.us ? clock : t->k->not_before;

	return t->world->bug == BUG_TIME_BACK
		? clock
		: batch_decided_at(&t->l->batch, at);
}

/* read_answers() of lock.c. */
static enum lock_end
read_answers(struct taking *t)
{
	struct ch_time clock = ch_clock_wall(t->s->rt->clock);
	int rc = 0;

	if (t->fenced != NULL) {
		t->k->fenced = t->fenced;
		world_count(t->world, EVENT_FENCED);
		return LOCK_FENCED;
	}
	if (!t->again && t->k->context.rate_count > 0) {
		rc = twin_pg_enter(t->s->pg, t->err);
		if (rc == 0)
			rc = lock_windows(t);
		twin_pg_leave(t->s->pg);
	}
	if (rc != 0)
		return LOCK_FAILED;
	if (clock_is_wrong(t->k, t->began, clock, t->err))
		return LOCK_CLOCK;
	if (!t->again) {
		t->k->context.decided_at = time_of_decision(t, clock);
		if (settle_due(t, t->k->context.decided_at.us) != 0)
			return LOCK_FAILED;
		if (t->due_is_cut) {
			world_count(t->world, EVENT_DUE_FIRST);
			return LOCK_DUE;
		}
		books_close_lookup(t->books);
	}
	if (!t->again && books_missing(t->books) == 0)
		return LOCK_HELD;
	world_count(t->world, EVENT_OWNER_MADE);
	(void)ch_err_set(t->err, CH_EFENCED, "an owner is not locked");
	return LOCK_AGAIN;
}

static struct taking
begin(struct locks *k, struct load *l, struct ch_err *err)
{
	struct world *w = world_now();

	ch_arena_reset(&k->arena, 65536);
	k->context = (struct batch_context){0};
	k->fenced = NULL;
	k->theirs.us = 0;
	return (struct taking){.k = k,
		.s = k->session,
		.world = w,
		.server = &w->server,
		.l = l,
		.books = &l->batch.books,
		.err = err,
		.began = ch_clock_wall(k->session->rt->clock),
		.locks = true,
		.loads = true};
}

enum lock_end
locks_take(struct locks *k, struct script *sc, struct load *l, int64_t due_max,
	struct ch_err *err)
{
	struct taking t = begin(k, l, err);

	(void)sc;
	t.due_max = due_max;
	t.due_until = t.began.us + AHEAD_US;
	return run_script(&t, true) == 0 ? read_answers(&t) : LOCK_FAILED;
}

enum lock_end
locks_take_fence(struct locks *k, struct script *sc, struct load *l,
	struct ch_err *err)
{
	struct taking t = begin(k, l, err);
	struct ch_time clock;

	(void)sc;
	if (run_script(&t, false) != 0)
		return LOCK_FAILED;
	clock = ch_clock_wall(k->session->rt->clock);
	k->fenced = t.fenced;
	if (t.fenced != NULL)
		return LOCK_FENCED;
	if (clock_is_wrong(k, t.began, clock, err))
		return LOCK_CLOCK;
	k->context.decided_at = batch_decided_at(&l->batch, clock);
	books_close_lookup(&l->batch.books);
	return LOCK_HELD;
}

bool
locks_clock_is_right(struct locks *k, struct ch_err *err)
{
	struct ch_time at = ch_clock_wall(k->session->rt->clock);

	k->theirs = world_now()->now;
	return !clock_is_wrong(k, at, at, err);
}
