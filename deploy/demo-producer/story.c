/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story: see story.h.
 *
 * A turn is a row of a table: a weight in 1,000 and a function. The opening
 * turns (assets, accounts, first money, first stock) come once, in order; on
 * books that were kept from an earlier run they are refused or add to what is
 * there, which is part of the story. What was sent lately is kept in a ring,
 * so that duplicates are old enough to have been decided.
 *
 * Fails only by running out of memory, which aborts.
 */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

#define USERS 200
#define SKUS 40
#define RECENT 4096 /* records kept for duplicates */
#define SHELF 1024  /* open reservations kept */
#define LIFETIME_US INT64_C(20000000)

struct shelf_item {
	char reservation[STORY_ID_MAX];
	int sku;
	int64_t ready_us; /* not ended before this time */
};

struct story {
	struct ch_rng rng;
	uint64_t turn;
	struct story_record recent[RECENT];
	uint64_t recent_count;
	struct shelf_item shelf[SHELF];
	size_t shelf_count;
};

static const char *const kind_names[] = {
	"fresh", "duplicate", "key_reused", "malformed"};

const char *
story_kind_name(enum story_kind k)
{
	return kind_names[k];
}

struct story *
story_new(uint64_t seed)
{
	struct story *s = ch_xcalloc(1, sizeof(*s));

	ch_rng_seed(&s->rng, seed);
	return s;
}

void
story_free(struct story *s)
{
	free(s);
}

static void
key_of(struct story_record *r, const char *org, const char *owner)
{
	snprintf(r->org, sizeof(r->org), "%s", org);
	snprintf(r->key, sizeof(r->key), "%s/%s", org, owner);
}

/* {"id":…,"org":…,"type":…,<rest>} with an id of its own. */
static void __attribute__((format(printf, 5, 6)))
compose(struct story *s, struct ch_time now, struct story_record *r,
	const char *type, const char *fmt, ...)
{
	struct ch_uuid id = ch_uuid_v7(now, &s->rng);
	va_list ap;
	int n;

	ch_uuid_format(&id, r->id);
	r->kind = STORY_FRESH;
	n = snprintf(r->value, sizeof(r->value),
		"{\"id\":\"%s\",\"org\":\"%s\",\"type\":\"%s\",", r->id, r->org,
		type);
	va_start(ap, fmt);
	n += vsnprintf(r->value + n, sizeof(r->value) - (size_t)n, fmt, ap);
	va_end(ap);
	r->value_len = (size_t)n;
}

static void
user_name(char out[24], uint64_t n)
{
	snprintf(out, 24, "user:%03u", (unsigned)(n % USERS));
}

static void
sku_name(char out[24], int n)
{
	if (n == 0)
		snprintf(out, 24, "console");
	else
		snprintf(out, 24, "item-%02d", n);
}

/* --- the opening ------------------------------------------------------- */

static void
open_account(struct story *s, struct ch_time now, struct story_record *r,
	const char *name, const char *floor)
{
	/* all in the partition of the asset's definition, so behind it */
	key_of(r, "market", "house");
	compose(s, now, r, "account.open",
		"\"actor\":\"demo\",\"account\":\"%s\",\"asset\":\"USDC\","
		"\"floor\":%s}",
		name, floor);
}

static void
receive(struct story *s, struct ch_time now, struct story_record *r, int sku,
	unsigned qty)
{
	char name[24];

	sku_name(name, sku);
	key_of(r, "shop", name);
	compose(s, now, r, "stock.receive",
		"\"actor\":\"warehouse\",\"sku\":\"%s\",\"qty\":\"%u\"}", name,
		qty);
}

static void
pay(struct story *s, struct ch_time now, struct story_record *r,
	const char *from, const char *to, uint64_t cents)
{
	key_of(r, "market", from);
	compose(s, now, r, "transfer.post",
		"\"actor\":\"%s\",\"moves\":[{\"from\":\"%s\",\"to\":\"%s\","
		"\"amount\":\"%llu.%02llu\"}]}",
		from, from, to, (unsigned long long)(cents / 100),
		(unsigned long long)(cents % 100));
}

#define OPENING (2 + USERS + USERS + SKUS)

static void
opening(struct story *s, struct ch_time now, struct story_record *r)
{
	uint64_t n = s->turn;
	char user[24];

	if (n == 0) {
		key_of(r, "market", "house");
		compose(s, now, r, "asset.define",
			"\"actor\":\"demo\",\"asset\":\"USDC\",\"scale\":6}");
	} else if (n == 1) {
		open_account(s, now, r, "house", "null");
	} else if (n < 2 + USERS) {
		user_name(user, n - 2);
		open_account(s, now, r, user, "\"0\"");
	} else if (n < 2 + 2 * USERS) {
		user_name(user, n - 2 - USERS);
		pay(s, now, r, "house", user, 100000);
	} else {
		receive(s, now, r, (int)(n - 2 - 2 * USERS), 5000);
	}
}

/* --- the turns --------------------------------------------------------- */

static void
user_pays_house(struct story *s, struct ch_time now, struct story_record *r)
{
	char user[24];

	user_name(user, ch_rng_next(&s->rng));
	pay(s, now, r, user, "house", 1 + ch_rng_below(&s->rng, 900));
}

static void
house_pays_user(struct story *s, struct ch_time now, struct story_record *r)
{
	char user[24];

	user_name(user, ch_rng_next(&s->rng));
	pay(s, now, r, "house", user, 1 + ch_rng_below(&s->rng, 1000));
}

static void
user_pays_user(struct story *s, struct ch_time now, struct story_record *r)
{
	char from[24], to[24];
	uint64_t a = ch_rng_below(&s->rng, USERS);

	user_name(from, a);
	user_name(to, a + 1 + ch_rng_below(&s->rng, USERS - 1));
	pay(s, now, r, from, to, 1 + ch_rng_below(&s->rng, 500));
}

static void
user_overspends(struct story *s, struct ch_time now, struct story_record *r)
{
	char user[24];

	user_name(user, ch_rng_next(&s->rng));
	pay(s, now, r, user, "house", UINT64_C(900000000000));
}

static void
reserve(struct story *s, struct ch_time now, struct story_record *r, int sku,
	uint64_t qty)
{
	struct shelf_item *item;
	char name[24], expires[CH_TIME_TEXT_MAX];

	ch_time_format((struct ch_time){now.us + LIFETIME_US}, expires);
	sku_name(name, sku);
	key_of(r, "shop", name);
	compose(s, now, r, "stock.reserve",
		"\"actor\":\"web\",\"sku\":\"%s\",\"qty\":\"%llu\","
		"\"expires_at\":\"%s\"}",
		name, (unsigned long long)qty, expires);
	if (s->shelf_count == SHELF || ch_rng_chance(&s->rng, 1, 20))
		return; /* left to expire */
	item = &s->shelf[s->shelf_count++];
	memcpy(item->reservation, r->id, sizeof(item->reservation));
	item->sku = sku;
	item->ready_us = now.us + 200000;
}

static void
reserve_console(struct story *s, struct ch_time now, struct story_record *r)
{
	reserve(s, now, r, 0, 1 + ch_rng_below(&s->rng, 3));
}

static void
reserve_item(struct story *s, struct ch_time now, struct story_record *r)
{
	reserve(s, now, r, 1 + (int)ch_rng_below(&s->rng, SKUS - 1),
		1 + ch_rng_below(&s->rng, 3));
}

static void
reserve_too_much(struct story *s, struct ch_time now, struct story_record *r)
{
	char name[24];

	sku_name(name, (int)ch_rng_below(&s->rng, SKUS));
	key_of(r, "shop", name);
	compose(s, now, r, "stock.reserve",
		"\"actor\":\"bot\",\"sku\":\"%s\",\"qty\":\"1000000000\"}",
		name);
}

static void
end_reservation(struct story *s, struct ch_time now, struct story_record *r)
{
	size_t at = s->shelf_count ? ch_rng_below(&s->rng, s->shelf_count) : 0;
	struct shelf_item item;
	char name[24];

	if (s->shelf_count == 0 || s->shelf[at].ready_us > now.us) {
		reserve_console(s, now, r);
		return;
	}
	item = s->shelf[at];
	s->shelf[at] = s->shelf[--s->shelf_count];
	sku_name(name, item.sku);
	key_of(r, "shop", name);
	compose(s, now, r,
		ch_rng_chance(&s->rng, 3, 4) ? "reservation.commit"
					     : "reservation.release",
		"\"actor\":\"web\",\"reservation\":\"%s\"}", item.reservation);
}

static void
restock(struct story *s, struct ch_time now, struct story_record *r)
{
	int sku = ch_rng_chance(&s->rng, 3, 4)
		? 0
		: (int)ch_rng_below(&s->rng, SKUS);

	receive(s, now, r, sku, 20 + (unsigned)ch_rng_below(&s->rng, 60));
}

/* One that was sent a while ago: not among the last 512. */
static const struct story_record *
earlier(struct story *s)
{
	uint64_t kept = s->recent_count < RECENT ? s->recent_count : RECENT;

	if (kept <= 512)
		return NULL;
	return &s->recent[(s->recent_count - 512 -
				  ch_rng_below(&s->rng, kept - 512) - 1) %
		RECENT];
}

static void
send_again(struct story *s, struct ch_time now, struct story_record *r)
{
	const struct story_record *old = earlier(s);

	if (old == NULL) {
		user_pays_user(s, now, r);
		return;
	}
	*r = *old;
	r->kind = STORY_DUPLICATE;
}

static void
reuse_id(struct story *s, struct ch_time now, struct story_record *r)
{
	const struct story_record *old = earlier(s);

	if (old == NULL) {
		user_pays_user(s, now, r);
		return;
	}
	*r = *old;
	r->kind = STORY_KEY_REUSED;
	/* one more member before the closing brace */
	r->value_len += (size_t)snprintf(r->value + r->value_len - 1,
				sizeof(r->value) - r->value_len + 1,
				",\"ref\":\"changed\"}") -
		1;
}

static void
malformed(struct story *s, struct ch_time now, struct story_record *r)
{
	static const char *const values[] = {
		"not json at all",
		"{\"id\":\"",
		"{\"org\":\"shop\",\"type\":\"stock.receive\"}",
		"[1,2,3]",
		("{\"id\":1,\"org\":\"shop\",\"type\":\"stock.receive\","
		 "\"sku\":\"console\",\"qty\":5}"),
	};

	(void)now;
	key_of(r, "shop", "console");
	r->kind = STORY_MALFORMED;
	r->id[0] = '\0';
	r->value_len = (size_t)snprintf(r->value, sizeof(r->value), "%s",
		values[ch_rng_below(&s->rng,
			sizeof(values) / sizeof(values[0]))]);
}

static const struct {
	unsigned weight; /* of 1,000 */
	void (*act)(struct story *, struct ch_time, struct story_record *);
} turns[] = {
	{170, house_pays_user}, /* hot account, payer */
	{170, user_pays_house}, /* hot account, payee */
	{170, reserve_console}, /* hot SKU */
	{190, end_reservation}, /* mostly the hot SKU's */
	{30, restock},
	{130, user_pays_user},
	{70, reserve_item},
	{20, user_overspends},	/* insufficient_funds */
	{20, reserve_too_much}, /* out_of_stock */
	{20, send_again},
	{5, reuse_id},
	{5, malformed},
};

static void
remember(struct story *s, const struct story_record *r)
{
	if (r->kind != STORY_FRESH)
		return;
	s->recent[s->recent_count++ % RECENT] = *r;
}

void
story_next(struct story *s, struct ch_time now, struct story_record *out)
{
	uint64_t draw = ch_rng_below(&s->rng, 1000);
	size_t i = 0;

	if (s->turn < OPENING) {
		opening(s, now, out);
	} else {
		while (draw >= turns[i].weight)
			draw -= turns[i++].weight;
		turns[i].act(s, now, out);
	}
	s->turn++;
	remember(s, out);
}
