/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_making: see load_making.h.
 */
#include "load_making.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const char *const load_orgs[3] = {"acme", "b\xc3\xa9ta", "c\\\"orp"};
const struct load_asset load_assets[3] = {
	{"USD", "2"}, {"BTC", "8"}, {"YEN", "0"}};

/* ---- dice ---- */

unsigned
load_below(struct making *m, unsigned n)
{
	return (unsigned)ch_rng_below(&m->rng, n);
}

bool
load_chance(struct making *m, unsigned in_thousand)
{
	return load_below(m, 1000) < in_thousand;
}

/* ---- what was named before ---- */

void
load_remember(struct load_ring *r, const char *org, const char *name,
	unsigned a, unsigned b, unsigned c)
{
	struct load_thing *t = &r->things[r->count++ % LOAD_RING];

	t->org = org;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	t->a = a;
	t->b = b;
	t->c = c;
}

const struct load_thing *
load_recall(struct making *m, const struct load_ring *r)
{
	static const struct load_thing none = {"acme", "nothing", 0, 0, 0};
	unsigned n = r->count < LOAD_RING ? (unsigned)r->count : LOAD_RING;
	unsigned back;

	if (n == 0 || load_chance(m, 20))
		return &none;
	back = load_below(m, load_chance(m, 500) && n > 8 ? 8 : n);
	return &r->things[(r->count - 1 - back) % LOAD_RING];
}

/* ---- names ---- */

const char *
load_org(struct making *m)
{
	if (m->group_org != NULL)
		return m->group_org;
	return load_orgs[load_chance(m, 700) ? 0 : load_below(m, 3)];
}

void
load_account_name(char out[LOAD_NAME], unsigned n)
{
	if (n == 0)
		(void)snprintf(out, LOAD_NAME, "hot");
	else if (n == LOAD_WORLD)
		(void)snprintf(out, LOAD_NAME, "world");
	else if (n < LOAD_TMP)
		(void)snprintf(out, LOAD_NAME, "user:%u", n);
	else if (n < LOAD_STAKE)
		(void)snprintf(out, LOAD_NAME, "tmp:%u", n - LOAD_TMP);
	else if (n < LOAD_SHARD)
		(void)snprintf(out, LOAD_NAME, "stake:%u", n - LOAD_STAKE);
	else if (n < LOAD_BANK)
		(void)snprintf(out, LOAD_NAME, "shard:%u", n - LOAD_SHARD);
	else
		(void)snprintf(out, LOAD_NAME, "%s",
			n == LOAD_BANK		 ? "bank"
				: n == LOAD_FULL ? "full"
						 : "mint");
}

unsigned
load_asset_of(unsigned account)
{
	if (account == LOAD_SHARD + 1)
		return 1;
	if (account >= LOAD_TMP)
		return 0;
	return account % 15 < 10 ? 0 : account % 15 < 13 ? 1 : 2;
}

unsigned
load_tmp(struct making *m)
{
	unsigned back = load_below(m, 12);

	return LOAD_TMP + (m->tmp > back ? m->tmp - back : 0);
}

unsigned
load_account(struct making *m)
{
	unsigned roll = load_below(m, 1000);
	unsigned n;

	if (roll < 40)
		return load_tmp(m);
	if (roll < 120)
		return LOAD_STAKE + load_below(m, LOAD_STAKES);
	if (roll < 150)
		return LOAD_SHARD + load_below(m, LOAD_SHARDS);
	if (roll < 160)
		return m->opened + load_below(m, 5);
	n = roll < 700 ? load_below(m, 10) : load_below(m, m->opened);
	return n == LOAD_PURSE ? 0 : n;
}

/* ---- pieces of a body ---- */

static void
add_escaped(struct ch_buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			ch_buf_addc(b, '\\');
		ch_buf_addc(b, *s);
	}
}

void
load_open(struct making *m, const char *org, const char *type)
{
	ch_buf_clear(&m->body);
	if (m->group_org == NULL) {
		ch_buf_adds(&m->body, "\"org\":\"");
		add_escaped(&m->body, org);
		ch_buf_adds(&m->body, "\",");
	}
	ch_buf_printf(&m->body, "\"type\":\"%s\"", type);
}

void
load_extras(struct making *m)
{
	static const char *const kept[] = {",\"ref\":\"inv-77\"",
		",\"meta\":{\"a\":[1,2,{\"b\":null}],\"c\":\"x\"}",
		",\"reason\":\"because\"", ",\"meta\":null",
		",\"reason\":\"two\\nlines \\u00e9\""};

	if (load_chance(m, 40))
		ch_buf_adds(&m->body, LOAD_PICK(m, kept));
	if (m->group_org != NULL)
		return;
	if (load_chance(m, 150))
		ch_buf_printf(&m->body, ",\"actor\":\"user:%u\"",
			load_below(m, 4));
	else if (load_chance(m, 10))
		ch_buf_adds(&m->body, ",\"actor\":\"\"");
	if (load_chance(m, 35))
		ch_buf_printf(&m->body, ",\"dry_run\":%s",
			load_chance(m, 850) ? "true" : "false");
	if (load_chance(m, 20))
		ch_buf_adds(&m->body,
			",\"traceparent\":\"00-4bf92f3577b34da6a3ce"
			"929d0e0e4736-00f067aa0ba902b7-01\"");
}

void
load_string(struct making *m, const char *name, const char *value)
{
	ch_buf_printf(&m->body, ",\"%s\":\"%s\"", name, value);
}

void
load_put_account(struct making *m, const char *member, unsigned account)
{
	char name[LOAD_NAME];

	load_account_name(name, account);
	load_string(m, member, name);
}

void
load_time(struct making *m, const char *name, int64_t us)
{
	char text[CH_TIME_TEXT_MAX];

	(void)ch_time_format((struct ch_time){us}, text);
	if (load_chance(m, 300))
		memcpy(text + 23, "Z", 2); /* milliseconds */
	load_string(m, name, text);
}

void
load_deadline(struct making *m)
{
	unsigned roll = load_below(m, 100);
	int64_t in = (int64_t)load_below(m, 8000000);

	if (roll < 4)
		in = -1000;
	else if (roll < 25) /* as one of the next commands is decided */
		in = (int64_t)load_below(m, 6000);
	load_time(m, "expires_at", m->clock + in);
}

void
load_amount(struct making *m, unsigned asset, unsigned most)
{
	static const char *const edges[] = {"0.001", "1.50", "1.5", "1",
		"92233720368547758.07", "92233720368547758.08",
		"9223372036854775807", "9223372036854775808",
		"1000000000000000000000000000000", "0.00000001", "0.000000001",
		"0", "-1", "0.00", "007", "1e3", "", "1.", ".5", "+1", " 1",
		"46116860184273879.03",
		"99999999999999999999999999999999999999999", "1.10"};

	if (load_chance(m, 35))
		ch_buf_adds(&m->body, LOAD_PICK(m, edges));
	else if (asset == 0)
		ch_buf_printf(&m->body, "%u.%02u", load_below(m, most),
			1 + load_below(m, 99));
	else if (asset == 1)
		ch_buf_printf(&m->body, "0.%08u", 1 + load_below(m, 99999));
	else
		ch_buf_printf(&m->body, "%u", 1 + load_below(m, most));
}

void
load_qty(struct making *m, unsigned most)
{
	static const char *const edges[] = {"9223372036854775807",
		"9223372036854775808", "0", "-3", "1.0", "1.5", "x",
		"9223372036854775000", "100000000000000000000"};

	if (load_chance(m, 25))
		ch_buf_adds(&m->body, LOAD_PICK(m, edges));
	else
		ch_buf_printf(&m->body, "%u", 1 + load_below(m, most));
}

void
load_wish(struct making *m, const char *kind, const char *name, unsigned most)
{
	ch_buf_printf(&m->body, ",\"expected_version\":{\"%s\":{\"%s\":%u}}",
		kind, name, load_below(m, most));
}
