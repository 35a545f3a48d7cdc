/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_names: names.h in a simulation: names to numbers, unlocked. What was
 * read is kept in the real name_cache.h, by the rules of names.c.
 */
#include "names.h"

#include "twin_pg.h"
#include "world.h"

void
names_init(struct names *n, struct session *s)
{
	*n = (struct names){.session = s, .cache = name_cache_new()};
}

void
names_free(struct names *n)
{
	name_cache_free(n->cache);
}

void
names_forget(struct names *n)
{
	name_cache_clear(n->cache);
}

/* look_at_connection() of names.c. */
static void
look_at_connection(struct names *n)
{
	if (n->connection == n->session->connections)
		return;
	names_forget(n);
	n->connection = n->session->connections;
}

/* ---- what was met lately ---- */

static bool
find(struct names *n, enum name_kind kind, const struct row *row,
	struct name_fact *out)
{
	return name_cache_find(n->cache, kind, row->org->org_id, row->name,
		out);
}

static void
find_cached(struct names *n, struct books *b)
{
	struct name_fact f;

	for (size_t i = 0; i < books_count(b, ROW_ASSET); i++) {
		struct asset *a = books_asset_at(b, i);

		if (a->row.state == ROW_WANTED &&
			find(n, NAME_ASSET, &a->row, &f))
			books_load_asset(a, f.scale);
	}
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++) {
		struct account *a = books_account_at(b, i);

		if (a->row.number == 0 && a->whole == NULL &&
			find(n, NAME_ACCOUNT, &a->row, &f))
			books_found_account(b, a, f.id, f.text, f.scale,
				f.shards);
	}
	for (size_t i = 0; i < books_count(b, ROW_SKU); i++) {
		struct sku *k = books_sku_at(b, i);

		if (k->row.number == 0 && find(n, NAME_SKU, &k->row, &f))
			books_found_sku(k, f.id);
	}
}

static void
keep(struct names *n, enum name_kind kind, const struct row *row,
	const struct name_fact *f)
{
	name_cache_put(n->cache, kind, row->org->org_id, row->name, f);
}

static void
keep_found(struct names *n, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ASSET); i++) {
		const struct asset *a = books_asset_at(b, i);

		if (row_is_there(&a->row))
			keep(n, NAME_ASSET, &a->row,
				&(struct name_fact){.scale = a->scale});
	}
	for (size_t i = 0; i < books_count(b, ROW_ACCOUNT); i++) {
		const struct account *a = books_account_at(b, i);

		if (a->row.number != 0 && a->whole == NULL)
			keep(n, NAME_ACCOUNT, &a->row,
				&(struct name_fact){.id = a->row.number,
					.text = a->asset->row.name,
					.scale = a->asset->scale,
					.shards = a->shards});
	}
	for (size_t i = 0; i < books_count(b, ROW_SKU); i++) {
		const struct sku *k = books_sku_at(b, i);

		if (k->row.number != 0)
			keep(n, NAME_SKU, &k->row,
				&(struct name_fact){.id = k->row.number});
	}
}

/* ---- the tables ---- */

/* As ask_round() of names.c. */
static void
ask_round(struct names *n, struct server *s, struct books *b)
{
	for (size_t i = 0; i < books_count(b, ROW_ORG); i++) {
		struct org *o = books_org_at(b, i);

		o->org_id = server_org_id(s, o->row.name);
	}
	find_cached(n, b);
	mem_store_discover(s->store, b);
	for (size_t i = 0; i < books_count(b, ROW_ORG); i++) {
		struct org *o = books_org_at(b, i);

		o->org_id = server_org_id(s, o->row.name);
	}
	for (size_t i = 0; i < books_count(b, ROW_ASSET); i++)
		mem_store_load_row(s->store, b, &books_asset_at(b, i)->row);
	keep_found(n, b);
}

int
names_find(struct names *n, struct script *sc, struct books *b,
	struct ch_err *err)
{
	struct server *s = &n->session->pg->process->world->server;
	size_t accounts = books_count(b, ROW_ACCOUNT);
	int rc = twin_pg_enter(n->session->pg, err);

	(void)sc;
	n->session->pg->process->begun = s->log_count;
	look_at_connection(n);
	if (rc == 0)
		ask_round(n, s, b);
	if (rc == 0 && books_count(b, ROW_ACCOUNT) > accounts) {
		rc = twin_pg_step(n->session, POINT_NAMES, err);
		if (rc == 0)
			ask_round(n, s, b);
	}
	if (rc == 0)
		rc = twin_pg_step(n->session, POINT_NAMES, err);
	twin_pg_leave(n->session->pg);
	return rc;
}
