/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_money: see load_bodies.h. Assets, accounts, transfers, holds.
 */
#include <stdio.h>
#include <string.h>

#include "load_bodies.h"

/* ---- assets and accounts ---- */

void
load_define(struct making *m)
{
	static const char *const scales[] = {
		"0", "8", "9", "-1", "\"2\"", "2.0", "3", "0", "8", "3"};

	load_open(m, load_org(m), "asset.define");
	ch_buf_printf(&m->body, ",\"asset\":\"A%u\",\"scale\":%s",
		load_below(m, 30), LOAD_PICK(m, scales));
	load_extras(m);
}

/* A short-lived one, its name opened before or not; or one with shards. */
static unsigned
account_to_open(struct making *m)
{
	unsigned roll = load_below(m, 100);

	if (roll < 40 && load_chance(m, 600))
		return LOAD_TMP + ++m->tmp;
	if (roll < 40)
		return load_tmp(m);
	if (roll < 50)
		return LOAD_SHARD + load_below(m, 2 * LOAD_SHARDS);
	return roll < 75 ? m->opened : load_below(m, m->opened);
}

void
load_open_account(struct making *m)
{
	static const char *const floors[] = {"", "", ",\"floor\":\"-100\"",
		",\"floor\":null", ",\"floor\":\"0.000\"", ",\"floor\":\"5\"",
		",\"floor\":\"-9223372036854775808\"",
		",\"floor\":\"-99999999999999999999\"", ",\"floor\":\"-0\""};
	static const char *const shards[] = {",\"floor\":null,\"shards\":3",
		",\"floor\":null,\"shards\":1",
		",\"floor\":null,\"shards\":256",
		",\"floor\":null,\"shards\":7", ",\"shards\":2",
		",\"floor\":\"0\",\"shards\":2", ",\"floor\":null,\"shards\":0",
		",\"floor\":null,\"shards\":257",
		",\"floor\":null,\"shards\":\"2\"",
		",\"floor\":null,\"shards\":null"};
	unsigned n = account_to_open(m);
	bool sharded = n >= LOAD_SHARD;
	char name[LOAD_NAME];

	load_account_name(name, n);
	load_open(m, load_org(m), "account.open");
	load_string(m, "account", name);
	load_string(m, "asset",
		load_chance(m, 60) ? "NONE"
				   : load_assets[load_asset_of(n)].name);
	if (sharded || load_chance(m, 20))
		ch_buf_adds(&m->body, LOAD_PICK(m, shards));
	else if (n < LOAD_TMP || load_chance(m, 150))
		ch_buf_adds(&m->body, LOAD_PICK(m, floors));
	if (load_chance(m, 200))
		load_wish(m, "account", name, load_chance(m, 700) ? 1 : 3);
	load_extras(m);
	if (n == m->opened)
		m->opened += load_chance(m, 200);
}

void
load_limit(struct making *m)
{
	static const char *const edges[] = {"null", "\"0\"", "\"-0.00\"",
		"\"0.001\"", "\"-92233720368547758.08\"",
		"\"-92233720368547758.09\"", "\"92233720368547758.07\"",
		"\"99999999999999999999\"", "5", "\"\""};
	unsigned n = load_chance(m, 300) ? load_tmp(m) : load_account(m);
	char name[LOAD_NAME];

	/* the free accounts pay for everything: they stay so */
	if (n == LOAD_WORLD || (n >= 10 && n < LOAD_BASE))
		n = 2 + load_below(m, 8);
	load_account_name(name, n);
	load_open(m, load_org(m), "account.limit");
	load_string(m, "account", name);
	if (load_chance(m, 300))
		ch_buf_printf(&m->body, ",\"floor\":%s", LOAD_PICK(m, edges));
	else
		ch_buf_printf(&m->body, ",\"floor\":\"%s%u\"",
			load_chance(m, 700) ? "-" : "", load_below(m, 300));
	if (load_chance(m, n >= LOAD_SHARD ? 500 : 100))
		load_wish(m, "account", name, 6);
	load_extras(m);
}

void
load_close(struct making *m)
{
	unsigned n = load_chance(m, 850) ? load_tmp(m) : load_account(m);
	char name[LOAD_NAME];

	if (load_chance(m, 60))
		n = LOAD_SHARD + load_below(m, 2 * LOAD_SHARDS);
	load_account_name(name, n);
	load_open(m, load_org(m), "account.close");
	load_string(m, "account", name);
	if (load_chance(m, n >= LOAD_SHARD ? 300 : 100))
		load_wish(m, "account", name, 4);
	load_extras(m);
}

/* ---- transfers ---- */

static void
remember_transfer(struct making *m, const char *org)
{
	load_remember(&m->transfers, org, m->default_name, 0, 0, 0);
}

/* Balances that stand exactly at a limit: a purse that holds 0 or few ones,
 * and vaults of which two full ones do not fit into a third. */
void
load_edge_transfer(struct making *m)
{
	bool purse = load_chance(m, 500);
	unsigned from = purse ? 13 + load_below(m, 2) : 10 + load_below(m, 3);
	unsigned to =
		purse ? 27 - from : 10 + (from - 10 + 1 + load_below(m, 2)) % 3;

	load_open(m,
		load_chance(m, 900) && m->group_org == NULL ? load_orgs[0]
							    : load_org(m),
		"transfer.post");
	ch_buf_printf(&m->body,
		",\"moves\":[{\"from\":\"user:%u\",\"to\":"
		"\"user:%u\",\"amount\":\"%s\"}]",
		from, to, purse ? "1" : "61234567890.12345678");
}

/* Moves that hand on what no account can hold: each takes a little less or
 * more than the one before brought in. */
void
load_flood(struct making *m)
{
	static const char *const floods[] = {"92233720368547758.08",
		"18446744073709551616", "12676506002282294014967032053.76",
		"999999999999999999999999999999.99",
		"1000000000000000000000000000000",
		"9999999999999999999999999999999999.99",
		"10000000000000000000000000000000000",
		"9999999999999999999999999999999999999999"};
	unsigned moves = 2 + load_below(m, 4);
	const char *most = LOAD_PICK(m, floods);
	char name[LOAD_NAME];

	load_open(m, load_org(m), "transfer.post");
	ch_buf_adds(&m->body, ",\"moves\":[");
	for (unsigned i = 0; i < moves; i++) {
		load_account_name(name, i == 0 ? LOAD_WORLD : 1 + i);
		ch_buf_printf(&m->body, "%s{\"from\":\"%s\"", i > 0 ? "," : "",
			name);
		load_account_name(name, load_chance(m, 100) ? 0 : 2 + i);
		ch_buf_printf(&m->body, ",\"to\":\"%s\",\"amount\":\"%s\"}",
			name, most);
		if (load_chance(m, 400))
			most = LOAD_PICK(m, floods);
	}
	ch_buf_addc(&m->body, ']');
	load_extras(m);
}

static void
pick_pair(struct making *m, unsigned *from, unsigned *to)
{
	*from = load_chance(m, 250) ? LOAD_WORLD : load_account(m);
	*to = load_account(m);
	if (load_chance(m, 400))
		*(load_chance(m, 500) ? from : to) = 0;
	if (load_asset_of(*from) != load_asset_of(*to) && !load_chance(m, 30))
		*to = *from == 0		    ? LOAD_WORLD
			: load_asset_of(*from) == 0 ? 0
						    : *from;
}

static void
add_move(struct making *m, unsigned from, unsigned to, bool first)
{
	char name[LOAD_NAME];

	load_account_name(name, from);
	ch_buf_printf(&m->body, "%s{\"from\":\"%s\"", first ? "" : ",", name);
	load_account_name(name, to);
	ch_buf_printf(&m->body, ",\"to\":\"%s\",\"amount\":\"", name);
	load_amount(m, load_asset_of(from), from == LOAD_WORLD ? 200 : 60);
	ch_buf_adds(&m->body, "\"}");
}

void
load_transfer(struct making *m)
{
	unsigned moves = load_chance(m, 850) ? 1 : 1 + load_below(m, 5);
	const char *org = load_org(m);
	unsigned from = 0;
	unsigned to = 0;
	char name[LOAD_NAME];

	if (load_chance(m, 5))
		moves = 31 + load_below(m, 3); /* 33 are too many */
	load_open(m, org, "transfer.post");
	ch_buf_adds(&m->body, ",\"moves\":[");
	for (unsigned i = 0; i < moves; i++) {
		pick_pair(m, &from, &to);
		add_move(m, from, to, i == 0);
	}
	ch_buf_addc(&m->body, ']');
	if (load_chance(m, 50)) {
		load_account_name(name,
			load_chance(m, 800) ? to : load_below(m, 20));
		load_wish(m, "account", name, load_chance(m, 500) ? 3 : 40);
	}
	load_extras(m);
	remember_transfer(m, org);
}

/* Of anything: transfers, other commands, members of groups, what is still to
 * come, twice; and what is no name of a transfer. */
void
load_reverse(struct making *m)
{
	static const char *const odd[] = {"", "x", "/", "/0",
		"01a1fd8c-67be-7f60-8a1b-000000000007",
		"01a1fd8c-67be-7f60-8a1b-000000000007/x",
		"01a1fd8c-67be-7f60-8a1b-000000000007/",
		"01a1fd8c-67be-7f60-8a1b-000000000007/01",
		"01a1fd8c-67be-7f60-8a1b-000000000007/-1",
		"01a1fd8c-67be-7f60-8a1b-000000000007/64",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV/63"};
	const struct load_thing *t = load_recall(m, &m->transfers);
	char name[LOAD_NAME];

	/* a group's name is that of its first member: "<id>/0" */
	(void)snprintf(name, sizeof(name), "%s", t->name);
	if (load_chance(m, 60)) {
		char *slash = strchr(name, '/');

		if (slash != NULL && load_chance(m, 500))
			*slash = '\0';
		else if (slash == NULL)
			(void)snprintf(name, sizeof(name), "%.60s/%u", t->name,
				load_below(m, 64));
	}
	load_open(m, t->org, "transfer.reverse");
	load_string(m, "transfer",
		load_chance(m, 30) ? LOAD_PICK(m, odd) : name);
	if (load_chance(m, 10))
		ch_buf_adds(&m->body, ",\"expected_version\":{}");
	if (load_chance(m, 10))
		load_wish(m, "account", "hot", 9); /* it names none */
	load_extras(m);
	if (load_chance(m, 350)) /* once more, soon */
		load_remember(&m->transfers, t->org, name, 0, 0, 0);
	else if (load_chance(m, 450))
		remember_transfer(m, t->org);
}

/* ---- holds ---- */

void
load_place(struct making *m)
{
	const char *org = load_org(m);
	unsigned from = load_chance(m, 150) ? LOAD_WORLD : load_account(m);
	char name[LOAD_NAME];

	/* what may run out no more keeps a purse from its edge */
	if (from >= 10 && from < LOAD_BASE && load_chance(m, 900))
		from = 0;
	load_open(m, org, "hold.place");
	load_put_account(m, "from", from);
	ch_buf_adds(&m->body, ",\"amount\":\"");
	load_amount(m, load_asset_of(from), 60);
	ch_buf_addc(&m->body, '"');
	if (load_chance(m, 800))
		load_deadline(m);
	(void)snprintf(name, sizeof(name), "%s", m->default_name);
	if (load_chance(m, 400)) {
		(void)snprintf(name, sizeof(name), "h:%u", load_below(m, 2500));
		load_string(m, "hold", name);
	}
	load_remember(&m->holds, org, name, from, 0, 0);
	if (load_chance(m, 30))
		load_wish(m, "hold", name, 2);
	else if (load_chance(m, 30)) {
		load_account_name(name, from);
		load_wish(m, "account", name, 30);
	}
	load_extras(m);
}

/* To anybody: closed, with shards, of another asset, the payer itself. */
static unsigned
payee_of(struct making *m, unsigned payer)
{
	unsigned to = load_account(m);

	if (load_chance(m, 60))
		return payer;
	if (load_chance(m, 120))
		return load_tmp(m);
	if (load_asset_of(to) != load_asset_of(payer) && !load_chance(m, 80))
		return load_asset_of(payer) == 0 ? 0 : payer;
	return to;
}

void
load_capture(struct making *m)
{
	const struct load_thing *h = load_recall(m, &m->holds);

	load_open(m, h->org, "hold.capture");
	load_string(m, "hold", h->name);
	load_put_account(m, "to", payee_of(m, h->a));
	if (load_chance(m, 450)) {
		ch_buf_adds(&m->body, ",\"amount\":\"");
		load_amount(m, load_asset_of(h->a), 40);
		ch_buf_addc(&m->body, '"');
	}
	if (load_chance(m, 50))
		load_wish(m, "hold", h->name, 3);
	load_extras(m);
	if (load_chance(m, 60))
		remember_transfer(m, h->org); /* it is none */
}

void
load_void(struct making *m)
{
	const struct load_thing *h = load_recall(m, &m->holds);

	load_open(m, h->org, "hold.void");
	load_string(m, "hold", h->name);
	if (load_chance(m, 50))
		load_wish(m, "hold", h->name, 3);
	load_extras(m);
}
