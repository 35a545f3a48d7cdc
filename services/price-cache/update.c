/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: see update.h. uthash keeps the order of insertion, so its first
 * element is the one that has waited longest.
 */
#include "update.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

struct update *
update_of(const struct cache_entry *e, bool changed)
{
	struct update *u = ch_xcalloc(1, sizeof(*u));

	u->price = price_copy(e->price);
	u->source = e->source;
	u->as_of = e->as_of;
	u->changed_at = e->changed;
	u->version = e->version;
	u->changed = changed;
	return u;
}

struct update *
update_copy(const struct update *u)
{
	struct update *copy = ch_xmalloc(sizeof(*copy));

	*copy = *u;
	copy->price = price_copy(u->price);
	return copy;
}

void
update_free(void *p)
{
	struct update *u = p;

	if (u == NULL)
		return;
	free(u->price);
	free(u);
}

size_t
update_bytes(const struct update *u)
{
	return sizeof(*u) + sizeof(*u->price) +
		(size_t)u->price->count * sizeof(struct price_outcome);
}

static void
add_array(struct ch_buf *b, const struct update *u, size_t offset)
{
	ch_buf_addc(b, '[');
	for (int i = 0; i < u->price->count; i++) {
		const char *o = (const char *)&u->price->outcome[i];

		ch_json_add_comma(b);
		ch_json_add_string(b, ch_view_of(o + offset));
	}
	ch_buf_addc(b, ']');
}

void
update_add_names(struct ch_buf *b, const struct update *u)
{
	add_array(b, u, offsetof(struct price_outcome, name));
}

void
update_add_prices(struct ch_buf *b, const struct update *u)
{
	add_array(b, u, offsetof(struct price_outcome, text));
}

void
update_add_tokens(struct ch_buf *b, const struct update *u)
{
	add_array(b, u, offsetof(struct price_outcome, token));
}

static void
add_time(struct ch_buf *b, const char *name, struct ch_time t)
{
	char text[CH_TIME_TEXT_MAX];
	size_t n = ch_time_format(t, text);

	ch_json_add_member(b, name, (struct ch_view){text, n});
}

void
update_add_json(struct ch_buf *b, const struct update *u)
{
	char id[MARKET_ID_TEXT + 1];

	market_id_format(&u->price->id, id);
	ch_buf_addc(b, '{');
	ch_json_add_member(b, "condition_id",
		(struct ch_view){id, MARKET_ID_TEXT});
	ch_json_add_member(b, "state",
		ch_view_of(market_state_name(u->price->state)));
	ch_json_add_name(b, "outcomes");
	update_add_names(b, u);
	ch_json_add_name(b, "prices");
	update_add_prices(b, u);
	ch_json_add_member(b, "source", ch_view_of(upstream_name(u->source)));
	add_time(b, "changed_at", u->changed_at);
	add_time(b, "as_of", u->as_of);
	ch_buf_addc(b, '}');
}

/* ---- the table ---- */

struct waiting {
	struct update *update;
	UT_hash_handle hh;
};

struct latest {
	struct waiting *table;
	size_t max;
};

struct latest *
latest_new(size_t max)
{
	struct latest *l = ch_xcalloc(1, sizeof(*l));

	l->max = max;
	return l;
}

struct update *
latest_take(struct latest *l)
{
	struct waiting *w = l->table;
	struct update *u;

	if (w == NULL)
		return NULL;
	u = w->update;
	HASH_DEL(l->table, w);
	free(w);
	return u;
}

void
latest_free(struct latest *l)
{
	struct update *u;

	if (l == NULL)
		return;
	while ((u = latest_take(l)) != NULL)
		update_free(u);
	free(l);
}

bool
latest_put(struct latest *l, struct update *u)
{
	struct waiting *w;
	bool dropped = false;

	HASH_FIND(hh, l->table, &u->price->id, sizeof(struct market_id), w);
	if (w != NULL) {
		bool newer = u->as_of.us >= w->update->as_of.us;
		struct update *old = newer ? w->update : u;

		/* The key stands in the update: out and in again. */
		HASH_DEL(l->table, w);
		if (newer) {
			u->changed |= w->update->changed;
			w->update = u;
		}
		update_free(old);
	} else {
		if (HASH_COUNT(l->table) >= l->max) {
			update_free(latest_take(l));
			dropped = true;
		}
		w = ch_xcalloc(1, sizeof(*w));
		w->update = u;
	}
	/* the analyzer loses the chains of uthash, whose latest_take() frees:
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	HASH_ADD_KEYPTR(hh, l->table, &w->update->price->id,
		sizeof(struct market_id), w);
	return dropped;
}

size_t
latest_count(const struct latest *l)
{
	return HASH_COUNT(l->table);
}
