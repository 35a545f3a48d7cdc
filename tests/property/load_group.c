/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_group: see load_bodies.h.
 *
 * A kind group's members are all likely to be applied, but for one of them now
 * and then; a wild one's are any bodies at all.
 */
#include <stdio.h>
#include <string.h>

#include "load_bodies.h"

/* Of a thousand. */
static const struct {
	load_body *body;
	unsigned weight;
	bool member; /* may be one */
} bodies[] = {
	{load_transfer, 272, true},
	{load_flood, 5, true},
	{load_edge_transfer, 20, true},
	{load_reverse, 45, true},
	{load_place, 105, true},
	{load_capture, 75, true},
	{load_void, 20, true},
	{load_receive, 50, true},
	{load_adjust, 25, true},
	{load_reserve, 80, true},
	{load_commit, 38, true},
	{load_release, 20, true},
	{load_open_account, 40, true},
	{load_limit, 20, true},
	{load_close, 30, true},
	{load_define, 10, true},
	{load_order, 20, true},
	{load_order_move, 30, true},
	{load_fill, 50, true},
	{load_trade, 85, true},
	{load_pool, 8, true},
	{load_settle, 14, false},
	{load_group, 45, false},
	{load_odd, 20, true},
	{load_edge, 30, false},
};

void
load_any(struct making *m)
{
	const size_t count = sizeof(bodies) / sizeof(bodies[0]);
	size_t i = 0;
	unsigned sum = 0;
	unsigned roll;

	for (size_t k = 0; k < count; k++)
		sum += bodies[k].weight;
	roll = load_below(m, sum);
	while (roll >= bodies[i].weight)
		roll -= bodies[i++].weight;
	if (m->group_org != NULL && !bodies[i].member && !load_chance(m, 50))
		i = 0; /* else: refused as it is read */
	bodies[i].body(m);
}

/* ---- kind members ---- */

static void
kind_transfer(struct making *m)
{
	unsigned from = LOAD_WORLD;
	unsigned to = load_chance(m, 500)
		? load_below(m, 10)
		: LOAD_STAKE + load_below(m, LOAD_STAKES);
	char name[LOAD_NAME];

	load_open(m, m->group_org, "transfer.post");
	load_account_name(name, from);
	ch_buf_printf(&m->body, ",\"moves\":[{\"from\":\"%s\"", name);
	load_account_name(name, load_chance(m, 50) ? LOAD_SHARD : to);
	ch_buf_printf(&m->body, ",\"to\":\"%s\",\"amount\":\"%u.%02u\"}]", name,
		load_below(m, 60), 1 + load_below(m, 99));
	load_remember(&m->transfers, m->group_org, m->default_name, 0, 0, 0);
	load_extras(m);
}

static void
kind_place(struct making *m)
{
	load_open(m, m->group_org, "hold.place");
	load_put_account(m, "from", LOAD_WORLD);
	ch_buf_printf(&m->body, ",\"amount\":\"%u\"", 1 + load_below(m, 30));
	ch_buf_printf(&m->body, ",\"expected_version\":{\"hold\":{\"%s\":0}}",
		m->default_name);
	load_time(m, "expires_at", m->clock + 5000000);
	load_remember(&m->holds, m->group_org, m->default_name, LOAD_WORLD, 0,
		0);
}

/* Mostly what was placed just before, perhaps in this group. */
static void
kind_capture(struct making *m)
{
	const struct load_thing *h = m->holds.count > 0
		? &m->holds.things[(m->holds.count - 1) % LOAD_RING]
		: NULL;

	if (h == NULL || h->org != m->group_org || h->a != LOAD_WORLD) {
		kind_place(m);
		return;
	}
	load_open(m, m->group_org, "hold.capture");
	load_string(m, "hold", h->name);
	load_put_account(m, "to", load_below(m, 10));
	if (load_chance(m, 300))
		load_string(m, "amount", "1.00");
	ch_buf_printf(&m->body, ",\"expected_version\":{\"hold\":{\"%s\":%u}}",
		h->name, load_chance(m, 970) ? 1 : load_below(m, 3));
}

/* A name of its own: its versions are known. */
static void
kind_account(struct making *m)
{
	char name[LOAD_NAME];

	load_account_name(name, LOAD_TMP + m->tmp);
	if (load_chance(m, 500) || m->tmp == 0) {
		load_account_name(name, LOAD_TMP + ++m->tmp);
		load_open(m, m->group_org, "account.open");
		load_string(m, "account", name);
		load_string(m, "asset", "USD");
		ch_buf_printf(&m->body,
			",\"expected_version\":{\"account\":{\"%s\":0}}", name);
		return;
	}
	load_open(m, m->group_org, "account.limit");
	load_string(m, "account", name);
	ch_buf_printf(&m->body, ",\"floor\":\"-%u\"", load_below(m, 50));
	if (load_chance(m, 600))
		ch_buf_printf(&m->body,
			",\"expected_version\":{\"account\":{\"%s\":1}}", name);
}

static void
kind_stock(struct making *m)
{
	bool up = load_chance(m, 700);

	load_open(m, m->group_org, up ? "stock.receive" : "stock.reserve");
	ch_buf_printf(&m->body, ",\"sku\":\"sku-%u\",\"qty\":\"%u\"",
		load_below(m, 10), up ? 1 + load_below(m, 20) : 1);
	if (!up)
		load_remember(&m->reservations, m->group_org, m->default_name,
			0, 0, 0);
}

static void
kind_order(struct making *m)
{
	load_open(m, m->group_org, "order.place");
	ch_buf_printf(&m->body,
		",\"market\":\"m-%u\",\"side\":\"BUY\",\"qty\":"
		"\"%u\"",
		m->markets, 6 + load_below(m, 10));
	load_remember(&m->orders, m->group_org, m->default_name, 0, 0, 0);
}

static load_body *const kinds[] = {kind_transfer, kind_transfer, kind_transfer,
	kind_transfer, kind_place, kind_capture, kind_capture, kind_capture,
	kind_account, kind_account, kind_stock, kind_stock, kind_stock,
	kind_order};

/* ---- groups ---- */

static unsigned
size_of_group(struct making *m)
{
	unsigned roll = load_below(m, 100);

	if (roll < 60)
		return 1 + load_below(m, 3);
	if (roll < 95)
		return 4 + load_below(m, 6);
	return roll < 99 ? 10 + load_below(m, 20) : 60 + load_below(m, 6);
}

static void
members(struct making *m, struct ch_buf *all, const char *id)
{
	unsigned count = size_of_group(m);
	bool kind = load_chance(m, 750);
	unsigned wild = load_chance(m, 250) ? load_below(m, count) : count;

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(m->default_name, sizeof(m->default_name),
			"%.60s/%u", id, i);
		if (kind && i != wild)
			LOAD_PICK(m, kinds)(m);
		else
			load_any(m);
		ch_buf_adds(all, i > 0 ? ",{" : "{");
		ch_buf_addv(all, ch_buf_view(&m->body));
		ch_buf_addc(all, '}');
	}
}

void
load_group(struct making *m)
{
	struct ch_buf all = CH_BUF_INIT;
	const char *org = load_org(m);
	char id[LOAD_NAME];

	if (m->group_org != NULL) { /* a group in a group: it is refused */
		load_odd(m);
		return;
	}
	(void)snprintf(id, sizeof(id), "%.60s", m->default_name);
	m->group_org = org;
	members(m, &all, id);
	m->group_org = NULL;
	(void)snprintf(m->default_name, sizeof(m->default_name), "%s", id);
	load_open(m, org, "group");
	ch_buf_adds(&m->body, ",\"commands\":[");
	ch_buf_addv(&m->body, ch_buf_view(&all));
	ch_buf_addc(&m->body, ']');
	load_extras(m);
	if (load_chance(m, 100))
		load_remember(&m->transfers, org, id, 0, 0, 0);
	ch_buf_free(&all);
}
