/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_sql: see twin_sql.h. Each function stands for the file of its name in
 * services/ledger-writer/sql.
 */
#include "twin_sql.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ledger_writer_sql.h"
#include "twin_trades.h"
#include "world.h"

#define ENDED_MAX 8 /* backends that one statement ends */

static struct server *
server_of(const struct ch_pg *pg)
{
	return &pg->process->world->server;
}

/* ---- arguments ---- */

struct ch_view
twin_sql_arg(const struct ch_pg *pg, int i)
{
	return (struct ch_view){
		pg->args->values[i], (size_t)pg->args->lengths[i]};
}

int64_t
twin_sql_i64(const struct ch_pg *pg, int i)
{
	return (int64_t)ch_be64(pg->args->values[i]);
}

int
twin_sql_part(const struct ch_pg *pg)
{
	return broker_part(&pg->process->world->broker, twin_sql_arg(pg, 0),
		(int)ch_be32(pg->args->values[1]));
}

static bool
among(const struct ch_pg *pg, int i, int32_t value)
{
	struct ch_pg_array_reader r;
	struct ch_view v;

	if (ch_pg_array_open(&r, twin_sql_arg(pg, i)) != 0)
		abort();
	while (ch_pg_array_next(&r, &v)) {
		if ((int32_t)ch_be32(v.ptr) == value)
			return true;
	}
	return false;
}

/* The same of int8; a statement without that argument: nothing. */
static bool
among_i64(const struct ch_pg *pg, int i, int64_t value)
{
	struct ch_pg_array_reader r;
	struct ch_view v;

	if (i >= pg->args->count ||
		ch_pg_array_open(&r, twin_sql_arg(pg, i)) != 0)
		return false;
	while (ch_pg_array_next(&r, &v)) {
		if ((int64_t)ch_be64(v.ptr) == value)
			return true;
	}
	return false;
}

/* ---- results ---- */

static Oid
type_of(char letter)
{
	switch (letter) {
	case '4':
		return CH_PG_INT4;
	case '8':
		return CH_PG_INT8;
	case 'b':
		return CH_PG_BOOL;
	case 'd':
		return CH_PG_DATE;
	case 'z':
		return CH_PG_TIMESTAMPTZ;
	default:
		return CH_PG_TEXT;
	}
}

void
twin_sql_begin(struct ch_pg *pg, const char *types)
{
	PGresAttDesc cols[12] = {{.name = NULL}};
	static char name[] = "c";
	int n = (int)strlen(types);

	for (int i = 0; i < n; i++) {
		cols[i].name = name;
		cols[i].format = 1;
		cols[i].typid = type_of(types[i]);
	}
	pg->result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	if (pg->result == NULL || PQsetResultAttrs(pg->result, n, cols) == 0)
		abort();
}

static void
put(struct ch_pg *pg, int row, int col, const void *bytes, size_t len)
{
	char *copy = ch_xviewdup((struct ch_view){bytes, len});

	if (PQsetvalue(pg->result, row, col, copy, (int)len) == 0)
		abort();
	free(copy);
}

void
twin_sql_put_int(struct ch_pg *pg, int row, int col, int64_t v, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((uint64_t)v >> (8 * (len - 1 - i)));
	put(pg, row, col, bytes, len);
}

static void
put_text(struct ch_pg *pg, int row, int col, struct ch_view v)
{
	put(pg, row, col, v.ptr, v.len);
}

/* ---- claims ---- */

int
twin_sql_claimed_part(const struct ch_pg *pg)
{
	if (pg->stmt == NULL ||
		pg->stmt->sql != ledger_writer_sql_claim_partition)
		return -1;
	return twin_sql_part(pg);
}

/* What the mistakes about a COMMIT in doubt make of the row. */
static void
trust_doubt(struct ch_pg *pg, int part)
{
	struct twin_doubt *d = &pg->doubts[part];
	enum sim_bug bug = pg->process->world->bug;
	struct fence_row *f = &server_of(pg)->fences[part];

	if (bug == BUG_DOUBT_LOST && d->open && f->next_offset == d->new_offset)
		f->next_offset = d->old_offset;
	if (bug == BUG_DOUBT_DONE && d->open && f->next_offset == d->old_offset)
		f->next_offset = d->new_offset;
	d->open = false;
}

static void
tell_claim(struct ch_pg *pg, int part)
{
	const struct fence_row *f = &server_of(pg)->fences[part];
	struct batch_stream stream = {.stream = f->stream};
	int64_t offset = f->next_offset;

	if (pg->process->world->bug == BUG_NO_OFFSET && pg->early_offset >= 0)
		offset = pg->early_offset;
	mem_store_stream(server_of(pg)->store, &stream);
	twin_sql_begin(pg, "8888tt884");
	twin_sql_put_int(pg, 0, 0, f->epoch, 8);
	twin_sql_put_int(pg, 0, 1, offset, 8);
	twin_sql_put_int(pg, 0, 2, stream.next_log_seq, 8);
	twin_sql_put_int(pg, 0, 3, f->stream, 8);
	put_text(pg, 0, 4, CH_VIEW("sim"));
	put_text(pg, 0, 5, CH_VIEW("01000000-0000-0000-0000-000000000000"));
	twin_sql_put_int(pg, 0, 6, 0, 8);
	twin_sql_put_int(pg, 0, 7, -1, 8);
	twin_sql_put_int(pg, 0, 8, -1, 4);
}

bool
twin_sql_waited(struct ch_pg *pg)
{
	struct world *w = pg->process->world;

	if (w->now.us - pg->sent_at <= TWIN_LOCK_TIMEOUT_US)
		return false;
	world_count(w, EVENT_LOCK_TIMEOUT);
	pg->backend->waits_part = 0;
	(void)twin_pg_fail(pg, "55P03", "lock timeout", &pg->err);
	return true;
}

static bool
claim_partition(struct ch_pg *pg)
{
	struct server *s = server_of(pg);
	struct world *w = pg->process->world;
	int part = twin_sql_part(pg);
	struct fence_row *f = &s->fences[part];

	if (!f->exists) {
		twin_sql_begin(pg, "8888tt884");
		return true;
	}
	if (pg->early_offset < 0)
		pg->early_offset = f->next_offset;
	if (!server_take_fence(s, pg->backend, part))
		return twin_sql_waited(pg);
	if (w->now.us - pg->sent_at > 1000000)
		world_count(w, EVENT_CLAIM_WAITED);
	server_claim(s, pg->backend, part);
	trust_doubt(pg, part);
	tell_claim(pg, part);
	server_rollback(s, pg->backend); /* autocommit: it is free again */
	return true;
}

static bool
add_partition(struct ch_pg *pg)
{
	struct server *s = server_of(pg);
	struct fence_row *f = &s->fences[twin_sql_part(pg)];

	if (!f->exists)
		*f = (struct fence_row){
			.exists = true, .stream = s->next_stream++};
	twin_sql_begin(pg, "");
	return true;
}

/* The answer: a row for each backend that was ended. */
static bool
tell_ended(struct ch_pg *pg, const int *pids, int n)
{
	twin_sql_begin(pg, "4b");
	for (int i = 0; i < n; i++) {
		twin_sql_put_int(pg, i, 0, pids[i], 4);
		twin_sql_put_int(pg, i, 1, 1, 1);
	}
	return true;
}

static bool
end_blockers(struct ch_pg *pg)
{
	const struct ch_pg *first = pg->process->pg;
	int pids[ENDED_MAX];
	int n = 0;

	if (first->backend != NULL)
		n = server_end_blockers(server_of(pg), first->backend,
			twin_sql_part(pg), pids, ENDED_MAX);
	return tell_ended(pg, pids, n);
}

static bool
end_stopped(struct ch_pg *pg)
{
	int64_t ms = (int32_t)ch_be32(pg->args->values[0]);
	int pids[ENDED_MAX];

	return tell_ended(pg, pids,
		server_end_stopped(server_of(pg), pg->backend, ms * 1000, pids,
			ENDED_MAX));
}

static bool
nothing(struct ch_pg *pg)
{
	twin_sql_begin(pg, "");
	return true;
}

static bool
ensure_partition(struct ch_pg *pg)
{
	twin_sql_begin(pg, "b");
	twin_sql_put_int(pg, 0, 0, 1, 1);
	return true;
}

/* ---- what is due ---- */

#define DUE_MAX 512

struct due_one {
	const struct row *row;
	const struct mem_row *owner;
};

static int32_t
stream_of(const struct row *row)
{
	return row->kind == ROW_HOLD
		? ((const struct hold *)(const void *)row)->stream
		: ((const struct reservation *)(const void *)row)->stream;
}

static int
by_deadline(const void *a, const void *b)
{
	const struct due_one *x = a;
	const struct due_one *y = b;
	int64_t at = mem_store_deadline(x->row);
	int64_t other = mem_store_deadline(y->row);

	if (at != other)
		return at < other ? -1 : 1;
	return x->row->number < y->row->number ? -1 : 1;
}

/* The first `most` of one stream, by deadline: the lateral subquery. */
static size_t
due_of_stream(const struct ch_pg *pg, const struct mem_list *owners,
	int32_t stream, struct due_one *due)
{
	int64_t until = ch_time_from_pg(twin_sql_i64(pg, 1)).us;
	int64_t most = twin_sql_i64(pg, 2);
	size_t n = 0;

	for (size_t i = 0; i < owners->count; i++) {
		const struct mem_row *m = (const void *)owners->rows[i];

		for (size_t k = 0; k < m->open.count && n < DUE_MAX; k++) {
			const struct row *row = m->open.rows[k];

			if (stream_of(row) == stream &&
				mem_store_deadline(row) <= until &&
				!among_i64(pg, 3, row->number))
				due[n++] = (struct due_one){row, m};
		}
	}
	qsort(due, n, sizeof(*due), by_deadline);
	return most < (int64_t)n ? (size_t)most : n;
}

static void
put_owner(struct ch_pg *pg, int row, const struct mem_row *m)
{
	int col = 0;

	twin_sql_put_int(pg, row, col++,
		server_org_id(server_of(pg), m->row->org->row.name), 4);
	put_text(pg, row, col++, m->row->org->row.name);
	if (m->row->kind == ROW_SKU)
		twin_sql_put_int(pg, row, col++, m->row->number, 8);
	put_text(pg, row, col, m->row->name);
}

static bool
due_owners(struct ch_pg *pg, enum row_kind kind, const char *types)
{
	const struct mem_list *owners =
		&mem_store_tables(server_of(pg)->store)->all[kind];
	const struct mem_row *told[DUE_MAX];
	struct due_one due[DUE_MAX];
	int rows = 0;

	twin_sql_begin(pg, types);
	if (pg->process->world->bug == BUG_SWEEP_SLEEPS)
		return true;
	for (int32_t stream = 1; stream <= SERVER_PARTS; stream++) {
		size_t n = among(pg, 0, stream)
			? due_of_stream(pg, owners, stream, due)
			: 0;

		for (size_t i = 0; i < n; i++) {
			int k = 0;

			while (k < rows && told[k] != due[i].owner)
				k++;
			if (k < rows || rows == DUE_MAX)
				continue;
			told[rows] = due[i].owner;
			put_owner(pg, rows++, due[i].owner);
		}
	}
	return true;
}

static bool
due_skus(struct ch_pg *pg)
{
	return due_owners(pg, ROW_SKU, "4t8t");
}

static bool
due_accounts(struct ch_pg *pg)
{
	return due_owners(pg, ROW_ACCOUNT, "4tt");
}

/* ---- settlements ---- */

static bool
settling_markets(struct ch_pg *pg)
{
	struct server *s = server_of(pg);
	const struct mem_list *all =
		&mem_store_tables(s->store)->all[ROW_MARKET];
	const struct market *oldest = NULL;

	twin_sql_begin(pg, "4tt8t8");
	for (size_t i = 0; i < all->count; i++) {
		const struct market *m =
			(const void *)((const struct mem_row *)(const void *)
					       all->rows[i])
				->row;

		if (m->state == MARKET_SETTLING && among(pg, 0, m->stream) &&
			!among_i64(pg, 1, m->row.number) &&
			(oldest == NULL ||
				m->row.last_at.us < oldest->row.last_at.us))
			oldest = m;
	}
	if (oldest == NULL)
		return true;
	twin_sql_put_int(pg, 0, 0, server_org_id(s, oldest->row.org->row.name),
		4);
	put_text(pg, 0, 1, oldest->row.org->row.name);
	put_text(pg, 0, 2, oldest->row.name);
	twin_sql_put_int(pg, 0, 3, oldest->row.number, 8);
	put_text(pg, 0, 4, oldest->payer->row.name);
	twin_sql_put_int(pg, 0, 5, oldest->cursor, 8);
	return true;
}

static const struct mem_row *
market_numbered(struct server *s, int64_t number)
{
	const struct mem_list *all =
		&mem_store_tables(s->store)->all[ROW_MARKET];

	for (size_t i = 0; i < all->count; i++) {
		const struct mem_row *m = (const void *)all->rows[i];

		if (m->row->number == number)
			return m;
	}
	abort();
}

static bool
page_positions(struct ch_pg *pg)
{
	const struct mem_row *m =
		market_numbered(server_of(pg), twin_sql_i64(pg, 1));
	int rows = 0;

	twin_sql_begin(pg, "tt");
	for (size_t i = 0; i < m->positions.count; i++) {
		const struct position *p = (const void *)m->positions.rows[i];

		if (p->row.number <= twin_sql_i64(pg, 2) ||
			rows >= twin_sql_i64(pg, 3))
			continue;
		put_text(pg, rows, 0, p->account->row.name);
		put_text(pg, rows++, 1, p->outcome);
	}
	return true;
}

/* ---- the table of them ---- */

static const struct {
	const char *sql;
	bool (*run)(struct ch_pg *pg);
} statements[] = {
	{ledger_writer_sql_claim_partition, claim_partition},
	{ledger_writer_sql_add_partition, add_partition},
	{ledger_writer_sql_name_partition, nothing},
	{ledger_writer_sql_start_partition, nothing},
	{ledger_writer_sql_end_blockers, end_blockers},
	{ledger_writer_sql_ensure_partitions, nothing},
	{ledger_writer_sql_missing_rights, nothing},
	{ledger_writer_sql_end_stopped, end_stopped},
	{ledger_writer_sql_ensure_partition, ensure_partition},
	{ledger_writer_sql_has_partition, nothing},
	{ledger_writer_sql_insert_alert, nothing},
	{ledger_writer_sql_due_skus, due_skus},
	{ledger_writer_sql_due_accounts, due_accounts},
	{ledger_writer_sql_orphaned_streams, nothing},
	{ledger_writer_sql_settling_markets, settling_markets},
	{ledger_writer_sql_page_positions, page_positions},
	{ledger_writer_sql_move_offset, twin_trades_move_offset},
	{ledger_writer_sql_draw_number, twin_trades_draw_number},
	{ledger_writer_sql_lowest_day, twin_trades_lowest_day},
	{ledger_writer_sql_insert_trades, twin_trades_insert},
	{ledger_writer_sql_close_batch, twin_trades_close},
};

bool
twin_sql_run(struct ch_pg *pg)
{
	pg->err = (struct ch_err)CH_ERR_INIT;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]);
		i++) {
		if (statements[i].sql == pg->stmt->sql)
			return statements[i].run(pg);
	}
	if (strcmp(pg->stmt->sql, "BEGIN") == 0)
		return twin_trades_begin(pg);
	abort();
}
