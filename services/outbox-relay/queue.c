/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: pages that are taken, in the order of reading.
 *
 *	first                                  last
 *	 |                                      |
 *	[done] [done, waits, done] [done] ... [in flight]
 *	 |      '-> DELETE, twice a second      |
 *	 '-> DELETE                             '-> one commit of inflight
 *
 * An event's order is its row's place among all that was ever read, from ORDERS
 * on, which no other source comes to: so it says whose row is done. In the table
 * a row is known by its number and its id together: a number alone may begin
 * anew (TRUNCATE ... RESTART IDENTITY) while a page waits to be deleted.
 */
#include "queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "contract_rows.h"
#include "io/pg_rows.h"
#include "outbox_relay_sql.h"
#include "page.h"

#define OWN_COLUMNS 3 /* behind the table's: number, id, shard */
#define ORDERS (INT64_C(1) << 62)
#define PART_MS 500

enum row_state { ROW_UNDONE, ROW_DONE, ROW_DELETED };

struct row {
	int64_t number;
	char *id; /* NULL: null */
	int32_t shard;
	enum row_state state;
};

struct taken {
	struct taken *next;
	uint64_t first;	   /* place of its first row */
	size_t count;	   /* rows */
	size_t left, done; /* of them: not done; done and not deleted */
	struct row rows[];
};

struct queue {
	struct queue_options opt; /* its texts are not kept */
	char *table, *id, *key, *order_by, *time;
	bool timeless;	     /* the last page had no such column */
	char *read, *delete; /* NULL: not looked at yet */
	struct taken *first, **last;
	size_t taken, done; /* rows; those of them that may be deleted */
	size_t whole;	    /* pages of which all may */
	size_t of[QUEUE_SHARDS_MAX];
	struct ch_mono parts_at; /* deleted last of other pages */
	uint64_t rows, deleted;
	struct page page; /* that is read */
};

static const int32_t only_shard[] = {0};
const struct queue_part queue_whole = {1, only_shard, 1};

static const struct ch_pg_stmt look_stmt = {
	"relay_queue_look", outbox_relay_sql_queue_look};

void
queue_part_shards(const struct queue_part *part, struct ch_pg_array *out)
{
	size_t i;

	ch_pg_array_init(out, CH_PG_INT4_ARRAY);
	for (i = 0; i < part->count; i++)
		ch_pg_array_i32(out, part->shards[i]);
}

struct queue *
queue_new(const struct queue_options *opt)
{
	struct queue *q = ch_xcalloc(1, sizeof(*q));

	q->opt = *opt;
	q->table = ch_xstrdup(opt->table);
	q->id = ch_xstrdup(opt->id);
	q->key = ch_xstrdup(opt->key);
	q->order_by = ch_xstrdup(opt->order_by);
	q->time = ch_xstrdup(opt->time);
	q->last = &q->first;
	page_init(&q->page);
	return q;
}

static void
free_taken(struct taken *p)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		free(p->rows[i].id);
	free(p);
}

static void
drop_page(struct queue *q, struct taken **at)
{
	struct taken *p = *at;

	*at = p->next;
	if (q->last == &p->next)
		q->last = at;
	free_taken(p);
}

void
queue_clear(struct queue *q)
{
	while (q->first != NULL)
		drop_page(q, &q->first);
	q->taken = q->done = q->whole = 0;
	memset(q->of, 0, sizeof(q->of));
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	queue_clear(q);
	free(q->table);
	free(q->id);
	free(q->key);
	free(q->order_by);
	free(q->time);
	free(q->read);
	free(q->delete);
	free(q);
}

/* ---- may it be? ---- */

struct look {
	bool is_table, may_use, may_read, may_delete, hidden;
	bool has_id, has_key, has_order, is_number, is_set, is_indexed;
	bool is_hashed;
	char order_type[64], role[64];
};

static int
check_rights(const struct queue *q, const struct look *l, struct ch_err *err)
{
	if (!l->is_table)
		return ch_err_set(err, CH_ECONFIG,
			"%s is no table: name the table itself, rows of which "
			"can be deleted",
			q->table);
	if (!l->may_use || !l->may_read || !l->may_delete)
		return ch_err_set(err, CH_ECONFIG,
			"role %s may not %s %s, and polling deletes what it "
			"has delivered: GRANT SELECT, DELETE ON %s TO \"%s\" "
			"(and USAGE on its schema), or run install.sql with "
			"-v poll=1",
			l->role,
			l->may_read && l->may_use ? "DELETE" : "SELECT",
			q->table, q->table, l->role);
	if (l->hidden)
		return ch_err_set(err, CH_ECONFIG,
			"row-level security may hide rows of %s from role %s: "
			"ALTER ROLE \"%s\" BYPASSRLS",
			q->table, l->role, l->role);
	return CH_OK;
}

static int
check_order(const struct queue *q, const struct look *l, struct ch_err *err)
{
	if (q->order_by[0] == '\0' || !l->has_order)
		return ch_err_set(err, CH_ECONFIG,
			"polling needs a column of %s that is oldest first, "
			"and outbox_order_by = \"%s\" names none: ALTER TABLE "
			"%s ADD seq bigint GENERATED ALWAYS AS IDENTITY "
			"UNIQUE, and set outbox_order_by = seq",
			q->table, q->order_by, q->table);
	if (!l->is_number || !l->is_set)
		return ch_err_set(err, CH_ECONFIG,
			"%s.%s (outbox_order_by) is %s%s: a time is not the "
			"order in which rows of a key were written, and a null "
			"has no place; name an integer or bigint that a "
			"sequence fills, NOT NULL",
			q->table, q->order_by, l->order_type,
			l->is_set ? "" : " and may be null");
	if (!l->is_indexed)
		return ch_err_set(err, CH_ECONFIG,
			"%s.%s (outbox_order_by) has no unique index, so each "
			"page would sort the table: CREATE UNIQUE INDEX "
			"CONCURRENTLY ON %s (%s)",
			q->table, q->order_by, q->table, q->order_by);
	return CH_OK;
}

static int
check_columns(const struct queue *q, const struct look *l, struct ch_err *err)
{
	if (!l->has_id || !l->has_key)
		return ch_err_set(err, CH_ECONFIG,
			"table %s has no column \"%s\", which %s names: name "
			"another",
			q->table, l->has_id ? q->key : q->id,
			l->has_id ? "outbox_key" : "outbox_id");
	if (q->opt.shared && !l->is_hashed)
		return ch_err_set(err, CH_ECONFIG,
			"%s.%s (outbox_key) cannot be shared out by its hash, "
			"which knows text, varchar, uuid and integers: set "
			"shards = 1",
			q->table, q->key);
	if (!q->opt.first_whole)
		return ch_err_set(err, CH_ECONFIG,
			"outbox_snapshot = no_data, and polling cannot tell "
			"rows of before: delete those that shall not be sent, "
			"and set initial");
	return CH_OK;
}

static int
read_look(struct queue *q, const PGresult *res, struct look *l,
	struct ch_err *err)
{
	struct ch_pg_row row = ch_pg_row(res, 0);
	bool *flags[] = {&l->is_table, &l->may_use, &l->may_read,
		&l->may_delete, &l->hidden, &l->has_id, &l->has_key,
		&l->has_order};
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		*flags[i] = ch_pg_next_bool(&row);
	ch_view_copy(ch_pg_next_text(&row), l->order_type,
		sizeof(l->order_type));
	l->is_number = ch_pg_next_bool(&row);
	l->is_set = ch_pg_next_bool(&row);
	l->is_indexed = ch_pg_next_bool(&row);
	l->is_hashed = ch_pg_next_bool(&row);
	ch_view_copy(ch_pg_next_text(&row), l->role, sizeof(l->role));
	free(q->read);
	q->read = ch_xviewdup(ch_pg_next_text(&row));
	free(q->delete);
	q->delete = ch_xviewdup(ch_pg_next_text(&row));
	return ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
}

int
queue_check(struct queue *q, struct ch_pg *pg, struct ch_err *err)
{
	struct ch_pg_args args;
	struct look l;
	PGresult *res;
	int rc;

	ch_pg_args_clear(&args);
	ch_pg_arg_str(&args, q->table);
	ch_pg_arg_str(&args, q->order_by);
	ch_pg_arg_str(&args, q->id);
	ch_pg_arg_str(&args, q->key);
	rc = ch_pg_query(pg, &look_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) == 1)
		rc = read_look(q, res, &l, err);
	else
		rc = ch_err_set(err, CH_ECONFIG,
			"there is no table %s: set outbox_table to "
			"<schema>.<table>",
			q->table);
	PQclear(res);
	if (rc == CH_OK)
		rc = check_rights(q, &l, err);
	if (rc == CH_OK)
		rc = check_columns(q, &l, err);
	return rc == CH_OK ? check_order(q, &l, err) : rc;
}

/* ---- reading ---- */

bool
queue_has_room(const struct queue *q)
{
	return q->taken + PAGE_ROWS <= QUEUE_TAKEN_MAX;
}

/* A page on its way into f. */
struct taking {
	struct queue *q;
	struct taken *p;
	struct inflight *f;
	struct ch_time now;
	int rc;
	struct ch_err *err;
};

static struct event *
row_event(struct taking *t, const PGresult *res, int columns, struct ch_time at)
{
	struct queue *q = t->q;
	struct taken *p = t->p;
	const struct contract_origin from = {
		.number = ORDERS + (int64_t)(p->first + p->count), .at = at};
	struct row *row = &p->rows[p->count];

	if (p->count == 0)
		t->rc = contract_rows_learn(q->opt.contract, res, columns,
			t->err);
	if (t->rc == CH_OK &&
		(!ch_pg_get_i64(res, 0, columns, &row->number) ||
			!ch_pg_get_i32(res, 0, columns + 2, &row->shard) ||
			row->shard < 0 || row->shard >= QUEUE_SHARDS_MAX))
		t->rc = ch_err_set(t->err, CH_EPROTO, "a row without a number");
	return t->rc == CH_OK ? contract_rows_event(q->opt.contract, res, 0,
					columns, &from, t->err)
			      : NULL;
}

static bool
take_row(void *ctx, const PGresult *res)
{
	struct taking *t = ctx;
	struct taken *p = t->p;
	int columns = PQnfields(res) - OWN_COLUMNS;
	int time = contract_rows_time(res, columns, t->q->time);
	struct ch_time at = ch_pg_get_past(res, 0, time, t->now);
	struct event *e = row_event(t, res, columns, at);
	struct ch_view id;

	if (e == NULL) {
		t->rc = t->rc != CH_OK ? t->rc : CH_EPROTO;
		return false;
	}
	inflight_add(t->f, e);
	inflight_written(t->f, at);
	t->q->timeless = time < 0;
	id = ch_pg_value(res, 0, columns + 1);
	p->rows[p->count++].id = id.ptr != NULL ? ch_xviewdup(id) : NULL;
	return page_take(&t->q->page, e->size);
}

static int
ask(struct taking *t, struct ch_pg *pg, const struct queue_part *part,
	int64_t *found, struct ch_err *err)
{
	/* never prepared: a plan for these very arrays hashes them, and the
	 * table may change its columns */
	const struct ch_pg_stmt read = {"", t->q->read};
	struct ch_pg_row_sink sink = {.take = take_row, .ctx = t};
	struct ch_pg_array taken, shards;
	struct ch_pg_args args;
	const struct taken *p;
	size_t i;
	int rc;

	ch_pg_array_init(&taken, CH_PG_INT8_ARRAY);
	for (p = t->q->first; p != NULL; p = p->next)
		for (i = 0; i < p->count; i++)
			if (p->rows[i].state != ROW_DELETED)
				ch_pg_array_i64(&taken, p->rows[i].number);
	queue_part_shards(part, &shards);
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &taken);
	ch_pg_arg_i32(&args, part->of);
	ch_pg_arg_array(&args, &shards);
	ch_pg_arg_i64(&args, t->q->page.ask);
	rc = ch_pg_rows(pg, &read, &args, &sink, err);
	ch_pg_array_free(&taken);
	ch_pg_array_free(&shards);
	PQclear(sink.end);
	*found = sink.found;
	return rc == CH_OK ? t->rc : rc;
}

static struct taken *
new_taken(const struct queue *q)
{
	struct taken *p = ch_xcalloc(1,
		sizeof(*p) + (size_t)q->page.ask * sizeof(p->rows[0]));

	p->first = q->rows;
	return p;
}

static void
keep(struct queue *q, struct taken *p, struct inflight *f)
{
	size_t i;

	p->left = p->count;
	for (i = 0; i < p->count; i++)
		q->of[p->rows[i].shard]++;
	*q->last = p;
	q->last = &p->next;
	q->taken += p->count;
	q->rows += p->count;
	inflight_end(f, 0, NULL);
}

int
queue_read(struct queue *q, struct ch_pg *pg, const struct queue_part *part,
	struct inflight *f, struct ch_time now, struct ch_err *err)
{
	struct taking t = {q, new_taken(q), f, now, CH_OK, err};
	int64_t found;
	int rc;

	inflight_begin(f, now);
	page_begin(&q->page);
	rc = ask(&t, pg, part, &found, err);
	if (rc == CH_OK && t.p->count > 0) {
		keep(q, t.p, f);
		return page_end(&q->page, found);
	}
	inflight_abandon(f);
	free_taken(t.p);
	if (rc == CH_OK)
		return 0;
	page_init(&q->page);
	return ch_err_wrap(err, "read table %s", q->table);
}

/* ---- deleting ---- */

void
queue_done(void *queue, const struct event *e)
{
	struct queue *q = queue;
	struct taken *p = q->first;
	uint64_t place;

	if (e->source != EVENT_APPLICATION || e->order < ORDERS)
		return;
	place = (uint64_t)(e->order - ORDERS);
	while (p != NULL && place >= p->first + p->count)
		p = p->next;
	if (p == NULL || place < p->first)
		return;
	p->rows[place - p->first].state = ROW_DONE;
	p->done++;
	q->done++;
	if (--p->left == 0)
		q->whole++;
}

static bool
parts_are_due(const struct queue *q, struct ch_mono now)
{
	return ch_mono_ms_since(now, q->parts_at) >= PART_MS;
}

bool
queue_has_delivered(const struct queue *q, struct ch_mono now)
{
	return q->whole > 0 || (q->done > 0 && parts_are_due(q, now));
}

static int
ask_delete(struct queue *q, struct ch_pg *pg, const struct taken *p,
	struct ch_err *err)
{
	const struct ch_pg_stmt stmt = {"", q->delete};
	struct ch_pg_array numbers, ids;
	struct ch_pg_args args;
	PGresult *res;
	size_t i;
	int rc;

	ch_pg_array_init(&numbers, CH_PG_INT8_ARRAY);
	ch_pg_array_init(&ids, CH_PG_TEXT_ARRAY);
	for (i = 0; i < p->count; i++) {
		if (p->rows[i].state != ROW_DONE)
			continue;
		ch_pg_array_i64(&numbers, p->rows[i].number);
		if (p->rows[i].id != NULL)
			ch_pg_array_text(&ids, ch_view_of(p->rows[i].id));
		else
			ch_pg_array_null(&ids);
	}
	ch_pg_args_clear(&args);
	ch_pg_arg_array(&args, &numbers);
	ch_pg_arg_array(&args, &ids);
	rc = ch_pg_query(pg, &stmt, &args, &res, err);
	ch_pg_array_free(&numbers);
	ch_pg_array_free(&ids);
	if (rc != CH_OK)
		return ch_err_wrap(err, "delete %zu delivered rows of table %s",
			p->done, q->table);
	CH_FAILPOINT("relay.after_delete");
	q->deleted += (uint64_t)ch_pg_affected(res);
	PQclear(res);
	return CH_OK;
}

static int
delete_done(struct queue *q, struct ch_pg *pg, struct taken *p,
	struct ch_err *err)
{
	int rc = ask_delete(q, pg, p, err);
	size_t i;

	if (rc != CH_OK)
		return rc;
	for (i = 0; i < p->count; i++) {
		if (p->rows[i].state != ROW_DONE)
			continue;
		p->rows[i].state = ROW_DELETED;
		q->of[p->rows[i].shard]--;
	}
	q->taken -= p->done;
	q->done -= p->done;
	p->done = 0;
	q->whole -= p->left == 0;
	return CH_OK;
}

int
queue_delete(struct queue *q, struct ch_pg *pg, struct ch_mono now,
	struct ch_err *err)
{
	bool parts = parts_are_due(q, now);
	struct taken **at = &q->first;
	int rc = CH_OK;

	if (queue_has_delivered(q, now))
		CH_FAILPOINT("relay.before_delete");
	while (rc == CH_OK && *at != NULL) {
		struct taken *p = *at;

		if (p->done > 0 && (p->left == 0 || parts))
			rc = delete_done(q, pg, p, err);
		if (p->left == 0 && p->done == 0)
			drop_page(q, at);
		else
			at = &p->next;
	}
	if (parts)
		q->parts_at = now;
	return rc;
}

bool
queue_has_time(const struct queue *q)
{
	return !q->timeless;
}

size_t
queue_taken(const struct queue *q)
{
	return q->taken;
}

size_t
queue_taken_of(const struct queue *q, int32_t shard)
{
	return q->of[shard];
}

size_t
queue_undone(const struct queue *q)
{
	return q->taken - q->done;
}

uint64_t
queue_rows(const struct queue *q)
{
	return q->rows;
}

uint64_t
queue_deleted(const struct queue *q)
{
	return q->deleted;
}
