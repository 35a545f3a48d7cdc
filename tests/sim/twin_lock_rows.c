/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_lock_rows: kind by kind, in one order.
 *
 * A row is read when it is locked: so does the server, whose statements follow
 * one another while the client waits for all of them.
 */
#include <stdlib.h>

#include "twin_lock_rows.h"
#include "twin_pg.h"
#include "world.h"

/* ---- waiting for a row ---- */

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

static int
lock_row(struct taking *t, struct mem_row *m, bool shared)
{
	struct row_wish wish = {m, shared};

	if (!t->locks)
		return 0;
	return twin_pg_wait(t->s, take_row, &wish, t->err);
}

/* ---- rows, kind by kind ---- */

struct mem_row *
twin_lock_stored(struct taking *t, const struct row *row)
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
	struct mem_row *m = twin_lock_stored(t, row);
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

bool
twin_lock_is_aside(const struct taking *t, const struct row *row)
{
	return aside_has(&t->k->rows.aside,
		(struct due_ref){row->kind, row->number});
}

static void
mark_aside(const struct taking *t, struct row *row)
{
	if (row->kind == ROW_HOLD)
		((struct hold *)(void *)row)->set_aside =
			twin_lock_is_aside(t, row);
	else
		((struct reservation *)(void *)row)->set_aside =
			twin_lock_is_aside(t, row);
}

/* Holds and reservations, by name: one that was made since discovery has an
 * owner that is not locked (made_since() of lock_rows.c). */
static int
lock_owned(struct taking *t, enum row_kind kind)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < books_count(t->books, kind); i++) {
		struct row *row = t->books->sets[kind].rows[i];
		struct mem_row *m = twin_lock_stored(t, row);

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
		struct mem_row *m = twin_lock_stored(t, &market->row);

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
		const struct mem_row *m = twin_lock_stored(t, &a->row);

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

int
twin_lock_rows(struct taking *t)
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

static int
by_rate_key(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a;
	const struct row *y = *(struct row *const *)b;

	if (x->org->org_id != y->org->org_id)
		return x->org->org_id < y->org->org_id ? -1 : 1;
	return ch_view_cmp(x->name, y->name);
}

int
twin_lock_rates(struct taking *t)
{
	struct row_set *set = &t->books->sets[ROW_RATE];
	struct row **all =
		ch_arena_alloc(&t->k->arena, (set->count + 1) * sizeof(*all));
	int rc = 0;

	for (size_t i = 0; i < set->count; i++)
		all[i] = set->rows[i];
	qsort(all, set->count, sizeof(*all), by_rate_key);
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = lock_and_load(t, all[i]);
	return rc;
}
