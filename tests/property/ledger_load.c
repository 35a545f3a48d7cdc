/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_load: see ledger_load.h.
 *
 * A body is a command without its id, so that it can be sent again under the
 * same id in other words: other spelling, order, white space, traceparent.
 */
#include "ledger_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "ledger_damage.h"
#include "load_bodies.h"

#define AHEAD_ITEMS 700 /* with the books ahead by as much */
#define AGAIN_EVERY 97	/* items: that one is read again */
#define RECENT 512

const int ledger_load_parts[LEDGER_LOAD_STREAMS] = {0, 1, 5};

struct sent {
	struct ch_uuid id;
	char *body; /* members, without braces and id */
};

struct loading {
	struct making m;
	struct sent recent[RECENT];
	size_t sent_count;
	struct ch_buf value;
	int pauses, rates;
	size_t made;
	bool live; /* the clock is the caller's */
};

/* ---- ids and values ---- */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* In one of the spellings; it is also what the body calls its rows. */
static void
spell(struct loading *l, const struct ch_uuid *id, char out[CH_UUID_TEXT_MAX])
{
	__extension__ unsigned __int128 v = 0;
	unsigned how = load_below(&l->m, 10);

	ch_uuid_format(id, out);
	if (how == 0) {
		for (char *p = out; *p != '\0'; p++) {
			if (*p >= 'a' && *p <= 'f')
				*p = (char)(*p - 'a' + 'A');
		}
	} else if (how <= 2) {
		for (int i = 0; i < 16; i++)
			v = v << 8 | id->bytes[i];
		for (int i = 25; i >= 0; i--, v >>= 5)
			out[i] = crockford[(unsigned)v & 31];
		out[26] = '\0';
	}
	(void)snprintf(l->m.default_name, sizeof(l->m.default_name), "%s", out);
}

static void
assemble(struct loading *l, const char *id, const char *body)
{
	ch_buf_clear(&l->value);
	if (load_chance(&l->m, 100))
		ch_buf_printf(&l->value, " {\n%s , \"id\" : \"%s\"}\n", body,
			id);
	else
		ch_buf_printf(&l->value, "{\"id\":\"%s\",%s}", id, body);
}

static struct ch_uuid
new_id(struct loading *l)
{
	int64_t at = l->m.clock - (int64_t)load_below(&l->m, 200000);

	if (load_chance(&l->m, 4))
		at -= (int64_t)2 * 86400 * 1000000;
	if (load_chance(&l->m, 4))
		at += 290000000 + (int64_t)load_below(&l->m, 20000000);
	return ch_uuid_v7((struct ch_time){at}, &l->m.rng);
}

static void
store_sent(struct loading *l, const struct ch_uuid *id)
{
	struct sent *s = &l->recent[l->sent_count++ % RECENT];

	free(s->body);
	s->id = *id;
	s->body = ch_xviewdup(ch_buf_view(&l->m.body));
}

static const struct sent *
pick_sent(struct loading *l)
{
	size_t n = l->sent_count < RECENT ? l->sent_count : RECENT;

	return &l->recent[load_below(&l->m, (unsigned)n)];
}

static bool
date_has_come(const struct making *m)
{
	return m->date.org != NULL && m->clock >= m->date.at;
}

static void
make_new(struct loading *l)
{
	struct ch_uuid id = new_id(l);
	char text[CH_UUID_TEXT_MAX];

	spell(l, &id, text);
	if (date_has_come(&l->m))
		load_keep_date(&l->m);
	else
		load_any(&l->m);
	store_sent(l, &id);
	assemble(l, text, ch_buf_str(&l->m.body));
}

/* A trace is no part of the payload, a reference is. */
static void
add_to_payload(struct making *m)
{
	const char *body = ch_buf_str(&m->body);

	if (load_chance(m, 150) && strstr(body, "traceparent") == NULL)
		ch_buf_adds(&m->body,
			",\"traceparent\":\"00-5bf92f3577b34da6a3ce"
			"929d0e0e4736-10f067aa0ba902b7-01\"");
	else if (load_chance(m, 80) && strstr(body, "\"ref\"") == NULL)
		ch_buf_adds(&m->body, ",\"ref\":\"another\"");
}

/* An id that was used: mostly with the same payload. */
static void
make_again(struct loading *l)
{
	const struct sent *s = pick_sent(l);
	struct ch_uuid id = s->id;
	char text[CH_UUID_TEXT_MAX];

	spell(l, &id, text);
	if (load_chance(&l->m, 700)) {
		ch_buf_clear(&l->m.body);
		ch_buf_adds(&l->m.body, s->body);
		add_to_payload(&l->m);
	} else {
		load_any(&l->m);
	}
	assemble(l, text, ch_buf_str(&l->m.body));
}

static void
make_broken(struct loading *l)
{
	static const char *const broken[] = {"", "[]", "null", "{",
		"{\"id\":1}",
		"{\"id\":\"not-an-id\",\"org\":\"acme\",\"type\":\"group\"}",
		"{\"id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"org\":\"acme\"}",
		("{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"org\":\"acme\",\"type\":"
		 "\"stock.receive\",\"sku\":\"s\",\"qty\":\"1\"}"),
		"{\"id\":\"x\\u0000y\",\"org\":\"acme\"}", "\xff\xfe", "{} {}"};

	ch_buf_clear(&l->value);
	ch_buf_adds(&l->value, LOAD_PICK(&l->m, broken));
}

/* Not remembered: whatever is left of it is never sent again. */
static void
make_damaged(struct loading *l)
{
	struct ch_uuid id = new_id(l);
	char text[CH_UUID_TEXT_MAX];

	spell(l, &id, text);
	load_any(&l->m);
	assemble(l, text, ch_buf_str(&l->m.body));
	ledger_damage(&l->m.rng, &l->value);
}

/* ---- the beginning ---- */

static const unsigned first_accounts =
	LOAD_BASE + LOAD_STAKES + LOAD_SHARDS + 3;

static unsigned
first_account(unsigned k)
{
	if (k < LOAD_BASE)
		return k;
	k -= LOAD_BASE;
	if (k < LOAD_STAKES)
		return LOAD_STAKE + k;
	k -= LOAD_STAKES;
	return k < LOAD_SHARDS ? LOAD_SHARD + k : LOAD_BANK + k - LOAD_SHARDS;
}

static void
open_first(struct making *m, const char *org, unsigned n)
{
	load_open(m, org, "account.open");
	load_put_account(m, "account", n);
	load_string(m, "asset", load_assets[load_asset_of(n)].name);
	if (n == LOAD_WORLD || n == LOAD_MINT || (n >= 10 && n < LOAD_PURSE))
		ch_buf_adds(&m->body, ",\"floor\":null");
	else if (n >= LOAD_SHARD && n < LOAD_BANK)
		ch_buf_printf(&m->body, ",\"floor\":null,\"shards\":%u",
			1 + (n + 2) % 3 * 2); /* 5, 1, 3 */
}

static void
fund_first(struct making *m, const char *org, unsigned n)
{
	const char *amount = n == LOAD_BANK ? "5000000.00"
		: n == LOAD_FULL	    ? "92233720368547758.00"
					    : "5000.00";
	char from[LOAD_NAME];
	char to[LOAD_NAME];

	load_account_name(from, n == LOAD_FULL ? LOAD_MINT : LOAD_WORLD);
	load_account_name(to, n);
	load_open(m, org, "transfer.post");
	ch_buf_printf(&m->body,
		",\"moves\":[{\"from\":\"%s\",\"to\":\"%s\","
		"\"amount\":\"%s\"}]",
		from, to, amount);
}

/* The k-th body of an organisation's beginning. false: there is none. */
static bool
beginning(struct making *m, const char *org, unsigned k)
{
	if (k < 3) {
		load_open(m, org, "asset.define");
		ch_buf_printf(&m->body, ",\"asset\":\"%s\",\"scale\":%s",
			load_assets[k].name, load_assets[k].scale);
		return true;
	}
	k -= 3;
	if (k < first_accounts) {
		open_first(m, org, first_account(k));
		return true;
	}
	k -= first_accounts;
	if (k < first_accounts) {
		unsigned n = first_account(k);

		fund_first(m, org,
			n == LOAD_WORLD || n == LOAD_MINT ||
					(n >= 10 && n < LOAD_BASE)
				? 0
				: n);
		return true;
	}
	k -= first_accounts;
	if (k >= 12)
		return false;
	load_open(m, org, "stock.receive");
	ch_buf_printf(&m->body, ",\"sku\":\"sku-%u\",\"qty\":\"%u\"", k,
		k == 0 ? 50000u : 100u);
	return true;
}

static const unsigned first_bodies = 3 + 2 * first_accounts + 12;

size_t
ledger_load_beginning(void)
{
	return 3 * (size_t)first_bodies;
}

static bool
begins(struct loading *l, size_t i)
{
	struct ch_uuid id;
	char text[CH_UUID_TEXT_MAX];

	if (i >= ledger_load_beginning())
		return false;
	id = new_id(l);
	ch_uuid_format(&id, text);
	(void)beginning(&l->m, load_orgs[i / first_bodies],
		(unsigned)i % first_bodies);
	store_sent(l, &id);
	assemble(l, text, ch_buf_str(&l->m.body));
	return true;
}

/* ---- the whole ---- */

/* Often, and short: a long one shows little else. */
static int
next_set(struct making *m, int set, unsigned sets, unsigned starts)
{
	if (load_below(m, set == 0 ? starts : 400) != 0)
		return set;
	return set != 0 && load_chance(m, 700)
		? 0
		: 1 + (int)load_below(m, sets - 1);
}

static void
tick(struct loading *l)
{
	struct making *m = &l->m;
	int64_t before = m->clock;

	if (l->live)
		return;
	m->clock += load_below(m, 3000);
	if (load_chance(m, 2))
		m->clock += 1000000;
	if (load_below(m, 20000) == 0)
		m->clock += 60000000;
	if (m->date.org != NULL && before < m->date.at && m->clock > m->date.at)
		m->clock = m->date.at;
	if (load_chance(m, 5))
		m->clock -= 50000;
	l->pauses = next_set(m, l->pauses, LEDGER_LOAD_PAUSES, 1500);
	l->rates = next_set(m, l->rates, LEDGER_LOAD_RATES, 3000);
	m->counted = l->rates != 0;
}

void
ledger_load_next(struct loading *l, struct ledger_load_item *item)
{
	unsigned roll = load_below(&l->m, 1000);

	tick(l);
	if (date_has_come(&l->m)) {
		make_new(l);
		roll = 999;
	} else if (begins(l, l->made++))
		roll = 999;
	else if (roll < 70)
		make_again(l);
	else if (roll < 80)
		make_broken(l);
	else if (roll < 100)
		make_damaged(l);
	else
		make_new(l);
	item->value = roll == 75 ? NULL : ch_xviewdup(ch_buf_view(&l->value));
	item->len = roll == 75 ? 0 : l->value.len;
	item->stream = load_below(&l->m, LEDGER_LOAD_STREAMS);
	item->clock = l->m.clock;
	item->pauses = l->pauses;
	item->rates = l->rates;
}

struct loading *
ledger_load_begin(uint64_t seed, int64_t clock)
{
	struct loading *l = ch_xcalloc(1, sizeof(*l));

	ch_rng_seed(&l->m.rng, seed);
	l->m.opened = LOAD_BASE;
	l->m.clock = clock;
	return l;
}

void
ledger_load_clock(struct loading *l, int64_t clock)
{
	l->live = true;
	if (clock > l->m.clock)
		l->m.clock = clock;
}

void
ledger_load_end(struct loading *l)
{
	for (size_t i = 0; i < RECENT; i++)
		free(l->recent[i].body);
	ch_buf_free(&l->m.body);
	ch_buf_free(&l->value);
	free(l);
}

void
ledger_load_make(struct ledger_load *load, uint64_t seed, size_t count)
{
	struct loading *l;
	struct ch_time start;

	(void)ch_time_parse(CH_VIEW("2026-11-20T23:59:00Z"), &start);
	l = ledger_load_begin(seed, start.us);
	load->lowest_day = ch_time_day(start) - 1;
	load->count = count;
	load->items = ch_xcalloc(count, sizeof(*load->items));
	for (size_t i = 0; i < count; i++)
		ledger_load_next(l, &load->items[i]);
	for (size_t i = ledger_load_beginning(); i < count; i++) {
		struct ledger_load_item *item = &load->items[i];
		item->read_again = i % AGAIN_EVERY == 0;
		item->ahead_us = (int64_t)(i / AHEAD_ITEMS % 3) * 7000000;
	}
	ledger_load_end(l);
}

void
ledger_load_free(struct ledger_load *load)
{
	for (size_t i = 0; i < load->count; i++)
		free(load->items[i].value);
	free(load->items);
}
