/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_trades: see twin_trades.h. What the transaction writes is kept by the
 * backend until its COMMIT, as in twin_write.c.
 */
#include "twin_trades.h"

#include <stdlib.h>

#include "twin_copy.h"
#include "twin_sql.h"
#include "world.h"

static struct server *
server_of(const struct ch_pg *pg)
{
	return &pg->process->world->server;
}

static struct frozen *
writes_of(struct ch_pg *pg)
{
	if (pg->backend->writes == NULL)
		pg->backend->writes = frozen_new_trades();
	return pg->backend->writes;
}

/* ---- the fence ---- */

bool
twin_trades_begin(struct ch_pg *pg)
{
	server_begin(server_of(pg), pg->backend);
	twin_sql_begin(pg, "");
	return true;
}

bool
twin_trades_move_offset(struct ch_pg *pg)
{
	struct server *s = server_of(pg);
	int part = twin_sql_part(pg);
	struct batch_stream stream = {.stream = s->fences[part].stream};

	if (!server_take_fence(s, pg->backend, part))
		return twin_sql_waited(pg);
	twin_sql_begin(pg, "48z");
	if (!server_move_offset(s, pg->backend, part, twin_sql_i64(pg, 2),
		    twin_sql_i64(pg, 3), twin_sql_i64(pg, 4)))
		return true;
	mem_store_stream(s->store, &stream);
	twin_sql_put_int(pg, 0, 0, stream.stream, 4);
	twin_sql_put_int(pg, 0, 1,
		stream.next_log_seq + s->log_seq_kept[stream.stream], 8);
	twin_sql_put_int(pg, 0, 2, ch_time_to_pg(stream.last_at), 8);
	return true;
}

bool
twin_trades_draw_number(struct ch_pg *pg)
{
	struct server *s = server_of(pg);

	twin_sql_begin(pg, "8z");
	twin_sql_put_int(pg, 0, 0, ++s->number, 8);
	twin_sql_put_int(pg, 0, 1, ch_time_to_pg(s->world->now), 8);
	writes_of(pg)->context.number = s->number;
	return true;
}

bool
twin_trades_lowest_day(struct ch_pg *pg)
{
	twin_sql_begin(pg, "d");
	twin_sql_put_int(pg, 0, 0,
		world_lowest_day(pg->process->world) - CH_DAYS_1970_TO_2000, 4);
	return true;
}

/* ---- trades_public ---- */

static struct ch_view
next_of(struct ch_pg_array_reader *r)
{
	struct ch_view v;

	if (!ch_pg_array_next(r, &v))
		abort();
	return v;
}

enum { IDS, TIMES, SIZES, STREAMS, OFFSETS, COLUMNS };

/* The next row; false: there is none. */
static bool
next_trade(struct ch_pg_array_reader cols[COLUMNS], struct public_trade *t,
	bool *is_poison)
{
	struct ch_view v;
	char size[8];

	if (!ch_pg_array_next(&cols[IDS], &v))
		return false;
	t->number = tape_number(v);
	t->traded_at =
		ch_time_from_pg((int64_t)ch_be64(next_of(&cols[TIMES]).ptr)).us;
	(void)snprintf(size, sizeof(size), "%d", TAPE_POISON);
	*is_poison = ch_view_eq_str(next_of(&cols[SIZES]), size);
	t->stream = (int32_t)ch_be32(next_of(&cols[STREAMS]).ptr);
	t->offset = (int64_t)ch_be64(next_of(&cols[OFFSETS]).ptr);
	return true;
}

/* ON CONFLICT DO NOTHING, which waits for whoever has just inserted it. */
static bool
insert_one(struct ch_pg *pg, const struct public_trade *t)
{
	char key[64];
	int had;

	(void)snprintf(key, sizeof(key), "trade/%u/%lld", t->number,
		(long long)t->traded_at);
	had = server_insert_name(server_of(pg), pg->backend, key,
		server_has_trade(server_of(pg), t));
	if (had == 0)
		return false;
	if (had < 0) {
		world_count(pg->process->world, EVENT_PRINT_KNOWN);
		if (pg->process->world->bug != BUG_PRINT_TWICE)
			return true;
	}
	frozen_add_trade(writes_of(pg), t);
	return true;
}

static void
refuse(struct ch_pg *pg, const char *sqlstate, const char *why)
{
	(void)twin_pg_fail(pg, sqlstate, why, &pg->err);
}

static bool
was_refused(struct ch_pg *pg, size_t rows)
{
	switch (world_refusal(pg->process->world, rows)) {
	case REFUSED_ROWS:
		refuse(pg, "22P05", "refused once");
		return true;
	case REFUSED_DAY:
		refuse(pg, "23514", "no partition");
		return true;
	case REFUSED_NOT:
		break;
	}
	return false;
}

/* One that has to wait goes on behind what it has inserted so far, since its
 * own keys are no conflict. */
bool
twin_trades_insert(struct ch_pg *pg)
{
	static const int columns[COLUMNS] = {0, 1, 7, 11, 12};
	struct ch_pg_array_reader cols[COLUMNS];
	struct public_trade t;
	bool is_poison;
	size_t row = 0;

	for (int i = 0; i < COLUMNS; i++) {
		if (ch_pg_array_open(&cols[i], twin_sql_arg(pg, columns[i])) !=
			0)
			abort();
	}
	while (next_trade(cols, &t, &is_poison)) {
		if (row++ < pg->script.rows_done)
			continue;
		if (is_poison) {
			refuse(pg, "22003", "out of range");
			return true;
		}
		if (!insert_one(pg, &t))
			return twin_sql_waited(pg);
		pg->script.rows_done = row;
	}
	pg->script.rows_done = 0;
	if (!was_refused(pg, row))
		twin_sql_begin(pg, "");
	return true;
}

/* ---- letters, and what is numbered ---- */

void
twin_trades_letter(struct ch_pg *pg, const struct twin_copied *row)
{
	struct frozen *f = writes_of(pg);

	frozen_add_letter(f,
		&(struct outcome){.kind = OUTCOME_REJECTED,
			.stream = (int32_t)row->ints[0],
			.log_seq = row->ints[1],
			.pos = (int32_t)row->ints[3],
			.part = (int32_t)row->ints[7],
			.offset = row->ints[8],
			.topic = row->texts[6],
			.error_class = row->texts[14],
			.is_poison = row->texts[16][0] != '\0',
			.result = ""});
}

bool
twin_trades_close(struct ch_pg *pg)
{
	struct server *s = server_of(pg);
	struct frozen *f = writes_of(pg);
	struct ch_pg_array_reader topics, parts, seqs;
	struct ch_view topic;

	if (ch_pg_array_open(&topics, twin_sql_arg(pg, 0)) != 0 ||
		ch_pg_array_open(&parts, twin_sql_arg(pg, 1)) != 0 ||
		ch_pg_array_open(&seqs, twin_sql_arg(pg, 2)) != 0)
		abort();
	while (ch_pg_array_next(&topics, &topic)) {
		int part = broker_part(&s->world->broker, topic,
			(int)ch_be32(next_of(&parts).ptr));

		frozen_add_stream(f, s->fences[part].stream,
			(int64_t)ch_be64(next_of(&seqs).ptr));
	}
	f->context.decided_at = ch_time_from_pg(twin_sql_i64(pg, 3));
	twin_sql_begin(pg, "");
	return true;
}
