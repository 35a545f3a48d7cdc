/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: all look-ups in one round trip; organisations before them, since
 * every other name stands under one. A transfer that is to be reversed names
 * accounts that nobody else may have named: then there is a second one.
 */
#include "names.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ledger_writer_sql.h"

#define ORGS_KEPT 100000

static const struct ch_pg_stmt find_orgs = {
	"find_orgs", ledger_writer_sql_find_orgs};
static const struct ch_pg_stmt make_orgs = {
	"make_orgs", ledger_writer_sql_make_orgs};
static const struct ch_pg_stmt find_assets = {
	"find_assets", ledger_writer_sql_find_assets};
static const struct ch_pg_stmt find_accounts = {
	"find_accounts", ledger_writer_sql_find_accounts};
static const struct ch_pg_stmt find_skus = {
	"find_skus", ledger_writer_sql_find_skus};
static const struct ch_pg_stmt find_holds = {
	"find_holds", ledger_writer_sql_find_holds};
static const struct ch_pg_stmt find_reservations = {
	"find_reservations", ledger_writer_sql_find_reservations};
static const struct ch_pg_stmt find_transfers = {
	"find_transfers", ledger_writer_sql_find_transfers};

void
names_init(struct names *n, struct session *s)
{
	struct command_limits any = {.value_max = SIZE_MAX};
	*n = (struct names){
		.session = s, .orgs = ch_map_new(), .cache = name_cache_new()};
	ch_pg_array_init(&n->org_ids, CH_PG_INT4_ARRAY);
	ch_pg_array_init(&n->texts, CH_PG_TEXT_ARRAY);
	ch_pg_array_init(&n->uuids, CH_PG_UUID_ARRAY);
	ch_pg_array_init(&n->days, CH_PG_DATE_ARRAY);
	command_reader_init(&n->reader, NULL, &any);
}

void
names_free(struct names *n)
{
	ch_map_free(n->orgs, NULL);
	name_cache_free(n->cache);
	ch_pg_array_free(&n->org_ids);
	ch_pg_array_free(&n->texts);
	ch_pg_array_free(&n->uuids);
	ch_pg_array_free(&n->days);
	command_reader_free(&n->reader);
	ch_arena_free(&n->logged);
	free(n->asked);
}

void
names_forget(struct names *n)
{
	ch_map_free(n->orgs, NULL);
	n->orgs = ch_map_new();
	name_cache_clear(n->cache);
}

/* Another server may hold other facts. */
static void
look_at_connection(struct names *n)
{
	if (n->connection == n->session->connections)
		return;
	names_forget(n);
	n->connection = n->session->connections;
}

/* ---- organisations ---- */

static void
learn_org(struct names *n, struct ch_view name, int32_t id)
{
	if (ch_map_count(n->orgs) >= ORGS_KEPT)
		names_forget(n);
	(void)ch_map_put(n->orgs, name, (void *)(intptr_t)id);
}

/* Fills in what is known; the names of the others, sorted, into texts: of all,
 * or of those only that shall be made. */
static size_t
unknown_orgs(struct names *n, struct books *b, bool to_make)
{
	size_t unknown = 0;
	ch_pg_array_clear(&n->texts);
	for (size_t i = 0; i < books_count(b, ROW_ORG); i++) {
		struct org *o = books_org_at(b, i);
		if (o->org_id == 0)
			o->org_id = (int32_t)(intptr_t)ch_map_get(n->orgs,
				o->row.name);
		if (o->org_id != 0 || (to_make && !o->is_wanted))
			continue;
		ch_pg_array_text(&n->texts, o->row.name);
		unknown++;
	}
	return unknown;
}

static int
ask_orgs(struct names *n, const struct ch_pg_stmt *stmt, struct ch_err *err)
{
	struct ch_pg_args a;
	PGresult *res = NULL;
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &n->texts);
	int rc = session_query(n->session, stmt, &a, &res, err);
	for (int i = 0; rc == 0 && i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int32_t id = ch_pg_next_i32(&r);
		struct ch_view name = ch_pg_next_text(&r);
		if (ch_pg_row_ok(&r, err))
			learn_org(n, name, id);
		else
			rc = err->code;
	}
	PQclear(res);
	return rc;
}

static int
resolve_orgs(struct names *n, struct books *b, struct ch_err *err)
{
	if (unknown_orgs(n, b, false) == 0)
		return 0;
	int rc = ask_orgs(n, &find_orgs, err);
	for (int turn = 0; rc == 0 && unknown_orgs(n, b, true) > 0; turn++) {
		if (turn == 5)
			return ch_err_set(err, CH_EIO,
				"an organisation can be neither made nor read");
		rc = ask_orgs(n, &make_orgs, err);
	}
	return rc;
}

/* ---- the others ---- */

static void
ask(struct names *n, struct row *row)
{
	size_t at = (size_t)n->org_ids.count;
	const struct transfer *t = (const void *)row;
	if (at >= n->cap) {
		n->cap = n->cap > 0 ? n->cap * 2 : 256;
		n->asked = ch_xrealloc(n->asked, n->cap, sizeof(*n->asked));
	}
	n->asked[at] = row;
	ch_pg_array_i32(&n->org_ids, row->org->org_id);
	if (row->kind != ROW_TRANSFER) {
		ch_pg_array_text(&n->texts, row->name);
		return;
	}
	ch_pg_array_uuid(&n->uuids, &t->id);
	ch_pg_array_day(&n->days, ch_time_day(ch_uuid_time(&t->id)));
}

/* One kind of rows: which are asked for, and what an answer or the cache
 * says (NULL: each is named a few times and then no more, so none is kept). */
struct kind {
	enum row_kind kind;
	const struct ch_pg_stmt *stmt;
	bool (*unknown)(const struct row *row);
	bool (*cached)(struct names *n, struct books *b, struct row *row);
	void (*found)(struct names *n, struct books *b, struct row *row,
		struct ch_pg_row *r);
};

static bool
find(struct names *n, enum name_kind kind, const struct row *row,
	struct name_fact *out)
{
	return name_cache_find(n->cache, kind, row->org->org_id, row->name,
		out);
}

static void
keep(struct names *n, enum name_kind kind, const struct row *row,
	const struct name_fact *fact)
{
	name_cache_put(n->cache, kind, row->org->org_id, row->name, fact);
}

static bool
asset_unknown(const struct row *row)
{
	return row->state == ROW_WANTED;
}

static bool
asset_cached(struct names *n, struct books *b, struct row *row)
{
	struct name_fact f;
	(void)b;
	if (!find(n, NAME_ASSET, row, &f))
		return false;
	books_load_asset((struct asset *)(void *)row, f.scale);
	return true;
}

static void
asset_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	int scale = ch_pg_next_i32(r);
	(void)b;
	if (r->bad != 0 || row->state != ROW_WANTED)
		return;
	books_load_asset((struct asset *)(void *)row, scale);
	keep(n, NAME_ASSET, row, &(struct name_fact){.scale = scale});
}

static bool
number_unknown(const struct row *row)
{
	return row->number == 0;
}

/* Shards have no name of their own. */
static bool
account_unknown(const struct row *row)
{
	const struct account *a = (const void *)row;
	return row->number == 0 && a->whole == NULL;
}

static bool
account_cached(struct names *n, struct books *b, struct row *row)
{
	struct account *a = (void *)row;
	struct name_fact f;
	if (!find(n, NAME_ACCOUNT, row, &f))
		return false;
	a->place = f.place;
	books_found_account(b, a, f.id, f.text, f.scale, f.shards);
	return true;
}

/* The columns from the number to the shards. */
static void
take_account(struct names *n, struct books *b, struct account *a,
	struct ch_pg_row *r)
{
	struct name_fact f = {.id = ch_pg_next_i64(r)};
	f.text = ch_pg_next_text(r);
	f.scale = ch_pg_next_i32(r);
	f.shards = ch_pg_next_i32(r);
	if (r->bad != 0 || a->row.number != 0)
		return;
	books_found_account(b, a, f.id, f.text, f.scale, f.shards);
	keep(n, NAME_ACCOUNT, &a->row, &f);
}

static void
account_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	take_account(n, b, (struct account *)(void *)row, r);
}

static bool
sku_cached(struct names *n, struct books *b, struct row *row)
{
	struct name_fact f;
	(void)b;
	if (!find(n, NAME_SKU, row, &f))
		return false;
	books_found_sku((struct sku *)(void *)row, f.id);
	return true;
}

static void
sku_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	struct name_fact f = {.id = ch_pg_next_i64(r)};
	(void)b;
	if (r->bad != 0)
		return;
	books_found_sku((struct sku *)(void *)row, f.id);
	keep(n, NAME_SKU, row, &f);
}

static void
hold_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	struct hold *h = (void *)row;
	int64_t id = ch_pg_next_i64(r);
	struct ch_view account = ch_pg_next_text(r);
	if (r->bad != 0)
		return;
	books_found_hold(b, h, id, account);
	take_account(n, b, h->account, r);
}

static void
reservation_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	int64_t id = ch_pg_next_i64(r);
	int64_t sku_id = ch_pg_next_i64(r);
	struct ch_view sku_name = ch_pg_next_text(r);
	(void)n;
	if (r->bad == 0)
		books_found_reservation(b, (struct reservation *)(void *)row,
			id, sku_name, sku_id);
}

static bool
transfer_unknown(const struct row *row)
{
	return ((const struct transfer *)(const void *)row)->fact ==
		TRANSFER_UNKNOWN;
}

/* A record of the log, decoded once for all of its members that are asked for.
 * What the log holds is what was decoded once before. A record that is no
 * command (a fill) can be no transfer either. */
static void
read_logged(struct names *n, struct ch_view value)
{
	struct command_refusal refusal;
	ch_arena_reset(&n->logged, 0);
	n->reader.arena = &n->logged;
	n->is_command = command_decode(&n->reader,
		ch_arena_view(&n->logged, value), &n->command, &refusal);
}

/* NULL: it has no such member. */
static const struct command *
logged_member(const struct names *n, int32_t member)
{
	const struct command *whole = &n->command;
	if (member < 0)
		return whole;
	if (whole->type != COMMAND_GROUP ||
		(size_t)member >= whole->as.group.count)
		return NULL;
	return &whole->as.group.members[member];
}

/* Its moves outlive the record. */
static struct command_move *
keep_moves(struct books *b, const struct transfer_post *post)
{
	struct command_move *kept =
		ch_arena_calloc(&b->arena, post->count, sizeof(*kept));
	for (size_t i = 0; i < post->count; i++)
		kept[i] = (struct command_move){
			.from_name = ch_arena_view(&b->arena,
				post->moves[i].from_name),
			.to_name = ch_arena_view(&b->arena,
				post->moves[i].to_name),
			.amount = ch_arena_view(&b->arena,
				post->moves[i].amount)};
	return kept;
}

static void
transfer_found(struct names *n, struct books *b, struct row *row,
	struct ch_pg_row *r)
{
	struct transfer *t = (void *)row;
	struct ch_view value = ch_pg_next_bytea_null(r);
	if (r->bad != 0)
		return;
	if (value.ptr != NULL)
		read_logged(n, value);
	const struct command *c =
		n->is_command ? logged_member(n, t->member) : NULL;
	if (c == NULL && n->is_command)
		return; /* no such member: as if it were not there */
	if (c != NULL && c->type == COMMAND_TRANSFER_POST)
		books_found_transfer(b, t, keep_moves(b, &c->as.transfer_post),
			c->as.transfer_post.count);
	else
		books_found_transfer(b, t, NULL, 0);
}

static const struct kind kinds[] = {
	{ROW_ASSET, &find_assets, asset_unknown, asset_cached, asset_found},
	{ROW_ACCOUNT, &find_accounts, account_unknown, account_cached,
		account_found},
	{ROW_SKU, &find_skus, number_unknown, sku_cached, sku_found},
	{ROW_HOLD, &find_holds, number_unknown, NULL, hold_found},
	{ROW_RESERVATION, &find_reservations, number_unknown, NULL,
		reservation_found},
	{ROW_TRANSFER, &find_transfers, transfer_unknown, NULL, transfer_found},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Queues the question about one kind's rows that are not known yet; those rows,
 * or NULL when there is nothing to ask. */
static struct row **
ask_kind(struct names *n, struct script *sc, struct books *b,
	const struct kind *k, size_t *result)
{
	struct ch_pg_args a;
	ch_pg_array_clear(&n->org_ids);
	ch_pg_array_clear(&n->texts);
	ch_pg_array_clear(&n->uuids);
	ch_pg_array_clear(&n->days);
	for (size_t i = 0; i < books_count(b, k->kind); i++) {
		struct row *row = b->sets[k->kind].rows[i];
		if (k->unknown(row) &&
			(k->cached == NULL || !k->cached(n, b, row)))
			ask(n, row);
	}
	if (n->org_ids.count == 0)
		return NULL;
	size_t bytes = (size_t)n->org_ids.count * sizeof(struct row *);
	struct row **asked = ch_arena_alloc(&b->arena, bytes);
	memcpy(asked, n->asked, bytes);
	ch_pg_args_clear(&a);
	ch_pg_arg_array(&a, &n->org_ids);
	if (k->kind == ROW_TRANSFER) {
		ch_pg_arg_array(&a, &n->uuids);
		ch_pg_arg_array(&a, &n->days);
	} else {
		ch_pg_arg_array(&a, &n->texts);
	}
	*result = script_add(sc, k->stmt, &a);
	return asked;
}

static int
take_answers(struct names *n, struct row **asked, const struct kind *k,
	struct books *b, const PGresult *res, struct ch_err *err)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct ch_pg_row r = ch_pg_row(res, i);
		int64_t at = ch_pg_next_i64(&r);
		if (r.bad == 0)
			k->found(n, b, asked[at - 1], &r);
		if (!ch_pg_row_ok(&r, err))
			return err->code;
	}
	return 0;
}

static int
ask_round(struct names *n, struct script *sc, struct books *b,
	struct ch_err *err)
{
	struct row **asked[KINDS];
	size_t result[KINDS];
	for (size_t k = 0; k < KINDS; k++)
		asked[k] = ask_kind(n, sc, b, &kinds[k], &result[k]);
	int rc = script_run(sc, err);
	for (size_t k = 0; rc == 0 && k < KINDS; k++)
		if (asked[k] != NULL)
			rc = take_answers(n, asked[k], &kinds[k], b,
				script_result(sc, result[k]), err);
	script_clear(sc);
	return rc;
}

int
names_find(struct names *n, struct script *sc, struct books *b,
	struct ch_err *err)
{
	look_at_connection(n);
	int rc = resolve_orgs(n, b, err);
	size_t accounts = books_count(b, ROW_ACCOUNT);
	if (rc == 0)
		rc = ask_round(n, sc, b, err);
	if (rc == 0 && books_count(b, ROW_ACCOUNT) > accounts)
		rc = ask_round(n, sc, b, err);
	return rc;
}
