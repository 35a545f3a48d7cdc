/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_write: write.h in a simulation: the second half of a batch's
 * transaction. Unique keys are inserted in the order of write.c's tables and
 * of their keys; what is to be committed is kept by the backend (frozen.h).
 */
#include <stdlib.h>

#include "twin_pg.h"
#include "venue.h"
#include "world.h"
#include "write.h"

void
writer_init(struct writer *w, struct session *s, struct name_cache *cache)
{
	*w = (struct writer){.session = s, .cache = cache};
}

void
writer_free(struct writer *w)
{
	(void)w;
}

/* ---- unique keys ---- */

struct key_wish {
	const struct row *row;
	bool is_there;
};

static bool
insert_key(struct ch_pg *pg, void *ctx)
{
	struct key_wish *wish = ctx;
	int had = server_insert_key(&pg->process->world->server, pg->backend,
		wish->row);

	wish->is_there = had < 0;
	return had != 0;
}

static int
insert_row(struct session *s, const struct row *row, struct ch_err *err)
{
	struct key_wish wish = {row, false};
	int rc = twin_pg_wait(s, insert_key, &wish, err);

	if (rc != 0 || !wish.is_there)
		return rc;
	world_count(world_now(),
		row->kind == ROW_ID ? EVENT_ID_CONFLICT : EVENT_CONFLICT);
	return twin_pg_fail(s->pg, "23505", "a unique key is there", err);
}

static int
by_key(const void *a, const void *b)
{
	const struct row *x = *(const struct row *const *)a;
	const struct row *y = *(const struct row *const *)b;

	if (x->org->org_id != y->org->org_id)
		return x->org->org_id < y->org->org_id ? -1 : 1;
	return ch_view_cmp(x->name, y->name);
}

static int
insert_kind(struct session *s, struct batch *b, enum row_kind kind,
	struct ch_err *err)
{
	const struct row_set *set = &b->books.sets[kind];
	const struct row **rows = ch_arena_alloc(&b->out_arena,
		(set->count + 1) * sizeof(struct row *));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->rows[i]->created)
			rows[n++] = set->rows[i];
	}
	qsort(rows, n, sizeof(struct row *), by_key);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = insert_row(s, rows[i], err);
	return rc;
}

/* ---- rows that PostgreSQL does not take ---- */

static bool
holds(struct ch_view text, const char *part)
{
	return text.len > 0 &&
		memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static bool
is_refused(const struct log_row *l)
{
	if (l->timer)
		return holds(l->command, "\"hold\":\"bad");
	return ch_view_eq_str(l->ref, WORLD_POISON) ||
		holds(l->command, "\"fill_id\":\"" VENUE_POISON);
}

static int
insert_log(struct session *s, struct batch *b, struct ch_err *err)
{
	const struct log_row **rows = batch_log_by_key(b);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->out.log_count; i++) {
		struct org org = *rows[i]->org;
		struct row row = {.kind = ROW_ID,
			.org = &org,
			.name = {(const char *)rows[i]->id.bytes, 16}};

		if (is_refused(rows[i]))
			return twin_pg_fail(s->pg, "22003", "out of range",
				err);
		rc = insert_row(s, &row, err);
	}
	return rc;
}

/* ---- all of it ---- */

static int
insert_all(struct session *s, struct batch *b, struct ch_err *err)
{
	int rc = 0;

	for (unsigned k = ROW_ASSET; rc == 0 && k < ROW_ID; k++)
		rc = insert_kind(s, b, (enum row_kind)k, err);
	if (rc == 0)
		rc = twin_pg_copy(s->pg, err);
	if (rc == 0)
		rc = insert_log(s, b, err);
	return rc;
}

/* BUG_PAGE_TWICE: the market's row is written as it was read. */
static void
keep_cursor(struct server *s, struct frozen *f)
{
	struct row_set *set = &f->batch.books.sets[ROW_MARKET];

	for (size_t i = 0; i < set->count; i++) {
		const struct mem_row *m =
			mem_rows_find(mem_store_tables(s->store), set->rows[i]);

		if (m != NULL)
			((struct market *)(void *)set->rows[i])->cursor =
				((const struct market *)(const void *)m->row)
					->cursor;
	}
}

static int
fault(struct session *s, const struct batch *b, struct ch_err *err)
{
	switch (world_refusal(world_now(), b->count)) {
	case REFUSED_ROWS:
		return twin_pg_fail(s->pg, "22P05", "refused once", err);
	case REFUSED_DAY:
		return twin_pg_fail(s->pg, "23514", "no partition", err);
	case REFUSED_NOT:
		break;
	}
	return 0;
}

int
writer_write(struct writer *w, struct script *sc, struct load *l,
	const struct locks *locks, struct ch_err *err)
{
	struct session *s = w->session;
	int rc = twin_pg_enter(s->pg, err);

	(void)sc;
	if (rc == 0)
		rc = twin_pg_step(s, POINT_DECIDED, err);
	if (rc == 0)
		rc = fault(s, &l->batch, err);
	if (rc == 0)
		rc = insert_all(s, &l->batch, err);
	if (rc == 0) {
		s->pg->backend->writes = frozen_new(&l->batch, &locks->context);
		s->pg->backend->writes->begun = s->pg->process->begun;
		if (world_now()->bug == BUG_PAGE_TWICE)
			keep_cursor(&world_now()->server,
				s->pg->backend->writes);
		rc = twin_pg_step(s, POINT_WRITTEN, err);
	}
	twin_pg_leave(s->pg);
	return rc;
}
