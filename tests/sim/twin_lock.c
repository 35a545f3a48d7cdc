/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_lock: lock.h in a simulation: the first half of a batch's transaction,
 * in the order of lock.c and lock_rows.c (queue(), read_answers(),
 * lock_rows_queue(), loaders[]), whose SQL cannot run here.
 *
 * A row is read when it is locked: so does the server, whose statements follow
 * one another while the client waits for all of them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "lock.h"
#include "twin_pg.h"
#include "world.h"

#define AHEAD_US INT64_C(10000000) /* as in lock.c */
#define PAUSE_TYPES 8
#define DUE_MAX 256 /* of each kind */

struct due_row;
struct due_list {
	struct due_row *rows; /* by deadline */
	size_t count;
};

struct taking {
	struct locks *k;
	struct session *s;
	struct world *world;
	struct server *server;
	struct load *l;
	struct books *books;
	struct ch_err *err;
	struct ch_time began;
	int64_t due_max, due_until;
	struct due_list due[2]; /* holds, reservations */
	bool due_is_cut;
	bool locks, loads; /* both, unless BUG_DECIDES_UNLOCKED */
	bool again;	   /* a row names an owner that is not locked */
	struct partition *fenced;
};

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

struct row_wish {
	struct mem_row *m;
	bool shared;
};

static bool
take_row(struct ch_pg *pg, void *ctx)
{
	const struct row_wish *wish = ctx;

	return server_take_row(&pg->process->world->server, pg->backend,
		wish->m, wish->shared);
}

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

static int
lock_row(struct taking *t, struct mem_row *m, bool shared)
{
	struct row_wish wish = {m, shared};

	if (!t->locks)
		return 0;
	return twin_pg_wait(t->s, take_row, &wish, t->err);
}

/* ---- rows, kind by kind ---- */

static struct mem_row *
stored(struct taking *t, const struct row *row)
{
	return mem_rows_find(mem_store_tables(t->server->store), row);
}

static void
load(struct taking *t, struct row *row)
{
	if (t->loads)
		mem_store_load_row(t->server->store, t->books, row);
}

static int
lock_and_load(struct taking *t, struct row *row)
{
	struct mem_row *m = stored(t, row);
	int rc = m != NULL ? lock_row(t, m, false) : 0;

	if (rc == 0 && m != NULL)
		load(t, row);
	return rc;
}

static int
by_account(const void *a, const void *b)
{
	const struct account *x = *(struct account *const *)a;
	const struct account *y = *(struct account *const *)b;

	if (x->row.number != y->row.number)
		return x->row.number < y->row.number ? -1 : 1;
	return x->shard - y->shard;
}

static int
by_number(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static int
lock_balances(struct taking *t)
{
	size_t n = books_count(t->books, ROW_ACCOUNT);
	struct account **all =
		ch_arena_alloc(&t->k->arena, (n + 1) * sizeof(*all));
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct account *a = books_account_at(t->books, i);

		if (a->row.number != 0 && a->shards == 0)
			all[count++] = a;
	}
	qsort(all, count, sizeof(*all), by_account);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = lock_and_load(t, &all[i]->row);
		if (all[i]->whole != NULL) /* shards have its number */
			all[i]->row.number = all[i]->whole->row.number;
		if (rc == 0 && i % 3 == 1 && t->locks)
			rc = twin_pg_step(t->s, POINT_ROWS, t->err);
	}
	return rc;
}

static int
lock_stock(struct taking *t)
{
	size_t n = books_count(t->books, ROW_SKU);
	struct sku **all = ch_arena_alloc(&t->k->arena, (n + 1) * sizeof(*all));
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (books_sku_at(t->books, i)->row.number != 0)
			all[count++] = books_sku_at(t->books, i);
	}
	qsort(all, count, sizeof(*all), by_number);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = lock_and_load(t, &all[i]->row);
	return rc;
}

/* BUG_OWNER_UNLOCKED: the row made since is decided on, its owner with it. */
static void
trust_hold(struct taking *t, struct hold *h, const struct hold *stored)
{
	const struct account *owner = stored->account;

	books_found_hold(t->books, h, stored->row.number, owner->row.name);
	if (h->account->row.number == 0)
		books_found_account(t->books, h->account, owner->row.number,
			owner->asset->row.name, owner->asset->scale,
			owner->shards);
	load(t, &h->account->row);
}

static void
trust_reservation(struct taking *t, struct reservation *r,
	const struct reservation *stored)
{
	books_found_reservation(t->books, r, stored->row.number,
		stored->sku->row.name, stored->sku->row.number);
	load(t, &r->sku->row);
}

static void
trust_owner(struct taking *t, struct row *row, const struct mem_row *m)
{
	if (row->kind == ROW_HOLD)
		trust_hold(t, (void *)row, (const void *)m->row);
	else
		trust_reservation(t, (void *)row, (const void *)m->row);
	load(t, row);
}

static bool
is_aside(const struct taking *t, const struct row *row)
{
	return aside_has(&t->k->rows.aside,
		(struct due_ref){row->kind, row->number});
}

static void
mark_aside(const struct taking *t, struct row *row)
{
	if (row->kind == ROW_HOLD)
		((struct hold *)(void *)row)->set_aside = is_aside(t, row);
	else
		((struct reservation *)(void *)row)->set_aside =
			is_aside(t, row);
}

/* Holds and reservations, by name: one that was made since discovery has an
 * owner that is not locked (made_since() of lock_rows.c). */
static int
lock_owned(struct taking *t, enum row_kind kind)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < books_count(t->books, kind); i++) {
		struct row *row = t->books->sets[kind].rows[i];
		struct mem_row *m = stored(t, row);

		if (m == NULL)
			continue;
		rc = lock_row(t, m, false);
		if (rc != 0 || !t->loads)
			continue;
		if (row->number == m->row->number)
			load(t, row);
		else if (t->world->bug == BUG_OWNER_UNLOCKED)
			trust_owner(t, row, m);
		else
			t->again = true;
		mark_aside(t, row);
	}
	return rc;
}

static int
lock_named(struct taking *t, enum row_kind kind)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < books_count(t->books, kind); i++)
		rc = lock_and_load(t, t->books->sets[kind].rows[i]);
	return rc;
}

/* Looked for, without a lock of their own: fills, reversals. */
static void
find_named(struct taking *t, enum row_kind kind)
{
	for (size_t i = 0; i < books_count(t->books, kind); i++)
		load(t, t->books->sets[kind].rows[i]);
}

static int
lock_orders(struct taking *t)
{
	if (t->world->bug != BUG_ORDER_UNLOCKED)
		return lock_named(t, ROW_ORDER);
	find_named(t, ROW_ORDER);
	return 0;
}

static int
lock_markets(struct taking *t)
{
	size_t n = books_count(t->books, ROW_MARKET);
	bool shared = true;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		shared = shared && !books_market_at(t->books, i)->wants_change;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct market *market = books_market_at(t->books, i);
		struct mem_row *m = stored(t, &market->row);

		if (m == NULL)
			continue;
		rc = lock_row(t, m, shared);
		if (rc != 0 || !t->loads)
			continue;
		load(t, &market->row);
		/* too_weak() of lock_rows.c: its first trade writes it */
		if (shared && market->asset.len == 0) {
			market->wants_change = true;
			t->again = true;
		}
	}
	if (rc == 0 && t->loads)
		mem_store_load_holdings(t->server->store, t->books);
	return rc;
}

static int
lock_positions(struct taking *t)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < books_count(t->books, ROW_POSITION);
		i++) {
		struct position *p = books_position_at(t->books, i);

		if (p->account->row.number != 0 && p->account->shards == 0)
			rc = lock_and_load(t, &p->row);
	}
	return rc;
}

/* load_locked() of lock_rows.c: a market that only a skim names lends its
 * name. */
static int
lock_locked_of(struct taking *t, struct account *a, const struct mem_row *m)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->positions.count; i++) {
		const struct position *from =
			(const void *)m->positions.rows[i];
		struct market *market;

		if (from->lock.minor == 0)
			continue;
		market = books_market(t->books, a->row.org,
			from->market->row.name);
		if (market->row.state == ROW_WANTED && t->loads) {
			market->row.number = from->market->row.number;
			books_loaded(&market->row);
		}
		rc = lock_and_load(t,
			&books_position(t->books, a, market, from->outcome)
				 ->row);
	}
	return rc;
}

static int
lock_locked(struct taking *t)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < books_count(t->books, ROW_ACCOUNT);
		i++) {
		struct account *a = books_account_at(t->books, i);
		const struct mem_row *m = stored(t, &a->row);

		if (a->wants_locks && a->row.number != 0 && a->shards == 0 &&
			m != NULL)
			rc = lock_locked_of(t, a, m);
	}
	return rc;
}

/* In the order of enum lock_statement; what is due comes later, since the
 * owners' locks cover it. */
static int
lock_all(struct taking *t)
{
	int rc = lock_balances(t);

	if (rc == 0)
		rc = lock_stock(t);
	if (rc == 0 && t->locks)
		rc = twin_pg_step(t->s, POINT_ROWS, t->err);
	if (rc == 0)
		find_named(t, ROW_TRANSFER);
	if (rc == 0)
		rc = lock_owned(t, ROW_HOLD);
	if (rc == 0)
		rc = lock_owned(t, ROW_RESERVATION);
	if (rc == 0)
		rc = lock_orders(t);
	if (rc == 0)
		find_named(t, ROW_FILL);
	if (rc == 0)
		rc = lock_markets(t);
	if (rc == 0)
		rc = lock_positions(t);
	if (rc == 0)
		rc = lock_locked(t);
	if (rc == 0)
		rc = lock_named(t, ROW_TRADE);
	return rc;
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

static int
by_rate_key(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;

	if (x->org->org_id != y->org->org_id)
		return x->org->org_id < y->org->org_id ? -1 : 1;
	return ch_view_cmp(x->name, y->name);
}

/* lock_windows() of lock.c: a second round trip, with another number. */
static int
lock_windows(struct taking *t)
{
	struct row_set *set = &t->books->sets[ROW_RATE];
	struct row **all;
	int rc = 0;

	batch_want_rates(&t->l->batch, t->k->context.rates,
		t->k->context.rate_count);
	all = ch_arena_alloc(&t->k->arena, (set->count + 1) * sizeof(*all));
	for (size_t i = 0; i < set->count; i++)
		all[i] = set->rows[i];
	qsort(all, set->count, sizeof(*all), by_rate_key);
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = lock_and_load(t, all[i]);
	if (rc == 0 && set->count > 0) {
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
	return by_number(&x->row, &y->row);
}

static void
list_due_of(struct taking *t, struct due_list *list, struct row *owner,
	const struct mem_row *m)
{
	for (size_t k = 0; k < m->open.count && list->count < DUE_MAX; k++) {
		const struct row *row = m->open.rows[k];
		size_t size = mem_rows_size(row->kind);
		struct row *copy;

		if (mem_store_deadline(row) > t->due_until || is_aside(t, row))
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
		const struct mem_row *m = stored(t, owner);

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

static int
take_rows(struct taking *t)
{
	int rc;

	if (t->world->bug != BUG_DECIDES_UNLOCKED)
		return lock_all(t);
	t->locks = false;
	rc = lock_all(t);
	if (rc == 0)
		rc = twin_pg_step(t->s, POINT_ROWS, t->err);
	t->locks = true;
	t->loads = false;
	if (rc == 0)
		rc = lock_all(t);
	t->loads = true;
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
		rc = take_rows(t);
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
