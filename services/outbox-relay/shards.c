/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shards: session locks, and a look at who has which.
 *
 * Nothing is agreed on: each member sees the same locks and wants a share that
 * depends on them alone. Who has fewer than fair takes at once; what is left
 * over goes, one at a time, to whoever has fair and looks first; and a member
 * gives only when none is free and another one has fewer than fair, so that two
 * never wait for each other.
 *
 *	mine  [read] [read] [read] [left] [left]   the last `leaving` are not read
 */
#include "shards.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "outbox_relay_sql.h"

struct shards {
	char *slot;
	int32_t of;
	int32_t mine[SHARDS_MAX];
	struct queue_part part;
	size_t leaving;
	uint64_t choices, chosen[SHARDS_MAX]; /* when each was, last */
};

static const struct ch_pg_stmt join_stmt = {
	"relay_shards_join", outbox_relay_sql_shards_join};
static const struct ch_pg_stmt others_stmt = {
	"relay_shards_others", outbox_relay_sql_shards_others};
static const struct ch_pg_stmt leave_stmt = {
	"relay_shards_leave", outbox_relay_sql_shards_leave};
static const struct ch_pg_stmt look_stmt = {
	"relay_shards_look", outbox_relay_sql_shards_look};
static const struct ch_pg_stmt take_stmt = {
	"relay_shards_take", outbox_relay_sql_shards_take};
static const struct ch_pg_stmt give_stmt = {
	"relay_shard_give", outbox_relay_sql_shard_give};

struct shards *
shards_new(const char *slot, int32_t of)
{
	struct shards *s = ch_xcalloc(1, sizeof(*s));

	s->slot = ch_xstrdup(slot);
	s->of = of;
	s->part = (struct queue_part){.of = of, .shards = s->mine};
	return s;
}

void
shards_free(struct shards *s)
{
	if (s == NULL)
		return;
	free(s->slot);
	free(s);
}

void
shards_lose(struct shards *s)
{
	s->part.count = s->leaving = 0;
}

const struct queue_part *
shards_part(const struct shards *s)
{
	return &s->part;
}

struct queue_part
shards_read(const struct shards *s)
{
	struct queue_part part = s->part;

	part.count -= s->leaving;
	return part;
}

static void
args_begin(const struct shards *s, struct ch_pg_args *args)
{
	ch_pg_args_clear(args);
	ch_pg_arg_str(args, s->slot);
	ch_pg_arg_i32(args, s->of);
}

/* ---- joining ---- */

/* 0: nobody cuts it otherwise. */
static int
find_others(const struct shards *s, struct ch_pg *pg, int32_t *of,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int rc;

	*of = 0;
	args_begin(s, &args);
	ch_pg_arg_i32(&args, SHARDS_MAX);
	rc = ch_pg_query(pg, &others_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	if (PQntuples(res) > 0)
		(void)ch_pg_get_i32(res, 0, 0, of);
	PQclear(res);
	return CH_OK;
}

int
shards_join(struct shards *s, struct ch_pg *pg, bool *joined,
	struct ch_err *err)
{
	struct ch_pg_args args;
	PGresult *res;
	int32_t other;
	int rc;

	shards_lose(s);
	*joined = false;
	args_begin(s, &args);
	rc = ch_pg_query(pg, &join_stmt, &args, &res, err);
	if (rc != CH_OK)
		return rc;
	(void)ch_pg_get_bool(res, 0, 0, joined);
	PQclear(res);
	/* a member first, then a look: of two who begin at once one sees the
	 * other at least */
	rc = *joined ? find_others(s, pg, &other, err) : CH_OK;
	if (rc != CH_OK || !*joined || other == 0)
		return rc;
	*joined = false;
	args_begin(s, &args);
	rc = ch_pg_query(pg, &leave_stmt, &args, NULL, err);
	if (rc != CH_OK)
		return rc;
	return ch_err_set(err, CH_EEXIST,
		"other relays of slot %s share the table with shards = %" PRId32
		", this one has %" PRId32 ": stop them, or set the same",
		s->slot, other, s->of);
}

/* ---- the share ---- */

int32_t
shards_wish(const struct shards_view *v)
{
	int32_t members = v->members > 0 ? v->members : 1;
	int32_t fair = v->of / members, most = fair + (v->of % members != 0);

	if (v->free > 0 && v->mine < fair)
		return fair - v->mine < v->free ? fair - v->mine : v->free;
	if (v->free > 0 && v->least >= fair && v->mine < most)
		return 1;
	if (v->mine > most)
		return most - v->mine;
	if (v->free == 0 && v->mine > fair && v->least < fair)
		return -1;
	return 0;
}

static int
look(struct shards *s, struct ch_pg *pg, struct shards_view *v,
	struct ch_err *err)
{
	struct ch_pg_args args;
	struct ch_pg_row row;
	PGresult *res;
	int rc;

	args_begin(s, &args);
	rc = ch_pg_query(pg, &look_stmt, &args, &res, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "look at the shards");
	row = ch_pg_row(res, 0);
	*v = (struct shards_view){.of = s->of, .mine = (int32_t)s->part.count};
	v->members = ch_pg_next_i32(&row);
	v->least = ch_pg_next_i32(&row);
	v->free = ch_pg_next_i32(&row);
	rc = ch_pg_row_ok(&row, err) ? CH_OK : CH_EPROTO;
	PQclear(res);
	return rc;
}

static int
take(struct shards *s, struct ch_pg *pg, int32_t count, struct ch_err *err)
{
	struct ch_pg_array mine;
	struct ch_pg_args args;
	PGresult *res;
	int rc, row;

	queue_part_shards(&s->part, &mine);
	args_begin(s, &args);
	ch_pg_arg_array(&args, &mine);
	ch_pg_arg_i32(&args, count);
	rc = ch_pg_query(pg, &take_stmt, &args, &res, err);
	ch_pg_array_free(&mine);
	if (rc != CH_OK)
		return ch_err_wrap(err, "take shards");
	for (row = 0; row < PQntuples(res); row++) {
		int32_t shard = -1;

		(void)ch_pg_get_i32(res, row, 0, &shard);
		s->mine[s->part.count++] = shard;
		ch_info("relay.shard_taken", CH_I("shard", shard),
			CH_I("of", s->of));
	}
	PQclear(res);
	return CH_OK;
}

int
shards_balance(struct shards *s, struct ch_pg *pg, size_t *taken,
	size_t *surplus, struct ch_err *err)
{
	size_t before = s->part.count;
	struct shards_view v;
	int32_t wish;
	int rc = look(s, pg, &v, err);

	*taken = *surplus = 0;
	if (rc != CH_OK)
		return rc;
	wish = shards_wish(&v);
	if (wish >= 0)
		shards_stay(s); /* what is taken comes behind */
	if (wish > 0)
		rc = take(s, pg, wish, err);
	else
		*surplus = (size_t)-wish;
	*taken = s->part.count - before;
	return rc;
}

/* ---- giving ---- */

static void
swap(int32_t *a, int32_t *b)
{
	int32_t was = *a;

	*a = *b;
	*b = was;
}

void
shards_leave(struct shards *s, size_t count, shards_taken_fn *taken, void *ctx)
{
	size_t i;

	s->choices++;
	for (s->leaving = 0; s->leaving < count && s->leaving < s->part.count;
		s->leaving++) {
		size_t end = s->part.count - s->leaving, best = 0;

		for (i = 1; i < end; i++) {
			int32_t a = s->mine[i], b = s->mine[best];
			bool none = taken(ctx, a) == 0;

			if (none != (taken(ctx, b) == 0)
					? none
					: s->chosen[a] < s->chosen[b])
				best = i;
		}
		swap(&s->mine[best], &s->mine[end - 1]);
		s->chosen[s->mine[end - 1]] = s->choices;
	}
}

void
shards_stay(struct shards *s)
{
	s->leaving = 0;
}

size_t
shards_leaving(const struct shards *s)
{
	return s->leaving;
}

size_t
shards_undone(const struct shards *s, shards_taken_fn *taken, void *ctx)
{
	size_t i, rows = 0;

	for (i = s->part.count - s->leaving; i < s->part.count; i++)
		rows += taken(ctx, s->mine[i]);
	return rows;
}

bool
shards_find_left(struct shards *s, shards_taken_fn *taken, void *ctx)
{
	size_t i;

	for (i = s->part.count - s->leaving; i < s->part.count; i++) {
		if (taken(ctx, s->mine[i]) > 0)
			continue;
		swap(&s->mine[i], &s->mine[s->part.count - 1]);
		return true;
	}
	return false;
}

int
shards_give(struct shards *s, struct ch_pg *pg, struct ch_err *err)
{
	int32_t shard = s->mine[s->part.count - 1];
	struct ch_pg_args args;
	int rc;

	args_begin(s, &args);
	ch_pg_arg_i32(&args, shard);
	rc = ch_pg_query(pg, &give_stmt, &args, NULL, err);
	if (rc != CH_OK)
		return ch_err_wrap(err, "give up a shard");
	s->part.count--;
	s->leaving--;
	ch_info("relay.shard_given", CH_I("shard", shard), CH_I("of", s->of));
	return CH_OK;
}
