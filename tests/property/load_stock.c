/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_stock: see load_bodies.h.
 */
#include <stdio.h>

#include "load_bodies.h"

static void
add_sku(struct making *m, char name[LOAD_NAME])
{
	(void)snprintf(name, LOAD_NAME, "sku-%u",
		load_chance(m, 500) ? 0 : load_below(m, 24));
	load_string(m, "sku", name);
}

static void
add_qty(struct making *m, const char *member, unsigned most)
{
	ch_buf_printf(&m->body, ",\"%s\":\"", member);
	load_qty(m, most);
	ch_buf_addc(&m->body, '"');
}

void
load_receive(struct making *m)
{
	char sku[LOAD_NAME];

	load_open(m, load_org(m), "stock.receive");
	add_sku(m, sku);
	add_qty(m, "qty", 40);
	if (load_chance(m, 60))
		load_wish(m, "sku", sku, 6);
	load_extras(m);
}

void
load_adjust(struct making *m)
{
	static const char *const edges[] = {"0", "-0", "1.5", "+3", "--1",
		"9223372036854775807", "-9223372036854775808",
		"-99999999999999999999", "99999999999999999999"};
	char sku[LOAD_NAME];

	load_open(m, load_org(m), "stock.adjust");
	add_sku(m, sku);
	if (load_chance(m, 80))
		load_string(m, "delta", LOAD_PICK(m, edges));
	else
		ch_buf_printf(&m->body, ",\"delta\":\"%s%u\"",
			load_chance(m, 600) ? "-" : "", 1 + load_below(m, 60));
	if (load_chance(m, 40))
		load_wish(m, "sku", sku, 6);
	load_extras(m);
}

void
load_reserve(struct making *m)
{
	const char *org = load_org(m);
	char sku[LOAD_NAME];
	char name[LOAD_NAME];

	load_open(m, org, "stock.reserve");
	add_sku(m, sku);
	add_qty(m, "qty", 8);
	if (load_chance(m, 600))
		load_deadline(m);
	(void)snprintf(name, sizeof(name), "%s", m->default_name);
	if (load_chance(m, 500)) {
		(void)snprintf(name, sizeof(name), "r:%u", load_below(m, 2500));
		load_string(m, "reservation", name);
	}
	load_remember(&m->reservations, org, name, 0, 0, 0);
	if (load_chance(m, 40))
		ch_buf_printf(&m->body,
			",\"expected_version\":{\"sku\":{\"%s\":"
			"%u},\"reservation\":{\"%s\":%u}}",
			sku, load_below(m, 4), name, load_below(m, 2));
	load_extras(m);
}

static void
end_one(struct making *m, const char *type, bool part)
{
	const struct load_thing *r = load_recall(m, &m->reservations);

	load_open(m, r->org, type);
	load_string(m, "reservation", r->name);
	if (part)
		add_qty(m, "qty", 6);
	if (load_chance(m, 50))
		load_wish(m, "reservation", r->name, 3);
	load_extras(m);
}

void
load_commit(struct making *m)
{
	end_one(m, "reservation.commit", load_chance(m, 400));
}

void
load_release(struct making *m)
{
	end_one(m, "reservation.release", false);
}
