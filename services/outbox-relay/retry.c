/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: decisions and the two small indexes behind them.
 *
 * The remembered rows are an open-addressed table of hashes that doubles: 16
 * bytes a row at worst (32 while it grows); none cost
 * nothing. A hash met by chance would pass over a row that was never parked:
 * 64 bits of FNV over distinct ids make that one in 10^13 at a million.
 */
#include "retry.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"

struct blocked {
	int topic;
	struct ch_uuid letter;
};

struct retry {
	struct ch_map *blocked; /* be32 topic, key bytes -> struct blocked */
	uint64_t *rows;		/* 0: free */
	size_t row_count, row_room;
};

enum retry_verdict
retry_decide(enum retry_cause cause, unsigned attempts, bool alone)
{
	switch (cause) {
	case RETRY_OUTAGE:
		return RETRY_AGAIN;
	case RETRY_REFUSED:
		return alone ? RETRY_PARK : RETRY_ALONE;
	case RETRY_TOPIC:
		return attempts + 1 >= RETRY_TOPIC_ATTEMPTS ? RETRY_PARK
							    : RETRY_AGAIN;
	}
	return RETRY_AGAIN;
}

struct retry *
retry_new(void)
{
	struct retry *r = ch_xcalloc(1, sizeof(*r));

	r->blocked = ch_map_new();
	return r;
}

void
retry_free(struct retry *r)
{
	if (r == NULL)
		return;
	ch_map_free(r->blocked, free);
	free(r->rows);
	free(r);
}

void
retry_clear(struct retry *r)
{
	ch_map_free(r->blocked, free);
	r->blocked = ch_map_new();
	free(r->rows);
	r->rows = NULL;
	r->row_count = r->row_room = 0;
}

static void
blocked_key(struct ch_buf *b, int topic, struct ch_view key)
{
	ch_buf_add_be32(b, (uint32_t)topic);
	ch_buf_addv(b, key);
}

void
retry_block(struct retry *r, int topic, struct ch_view key,
	const struct ch_uuid *letter)
{
	struct ch_buf name = CH_BUF_INIT;
	struct blocked *b;

	if (key.ptr == NULL)
		return;
	b = ch_xmalloc(sizeof(*b));
	*b = (struct blocked){topic, *letter};
	blocked_key(&name, topic, key);
	free(ch_map_put(r->blocked, ch_buf_view(&name), b));
	ch_buf_free(&name);
}

void
retry_unblock(struct retry *r, int topic, struct ch_view key)
{
	struct ch_buf name = CH_BUF_INIT;

	blocked_key(&name, topic, key);
	free(ch_map_del(r->blocked, ch_buf_view(&name)));
	ch_buf_free(&name);
}

bool
retry_is_blocked(const struct retry *r, int topic, struct ch_view key,
	struct ch_uuid *letter)
{
	struct ch_buf name = CH_BUF_INIT;
	const struct blocked *b;

	if (key.ptr == NULL || ch_map_count(r->blocked) == 0)
		return false;
	blocked_key(&name, topic, key);
	b = ch_map_get(r->blocked, ch_buf_view(&name));
	ch_buf_free(&name);
	if (b == NULL)
		return false;
	*letter = b->letter;
	return true;
}

size_t
retry_blocked(const struct retry *r)
{
	return ch_map_count(r->blocked);
}

struct each {
	void (*fn)(void *ctx, int topic, struct ch_view key,
		const struct ch_uuid *letter);
	void *ctx;
};

static bool
each_blocked(void *ctx, struct ch_view key, void *value)
{
	const struct each *e = ctx;
	const struct blocked *b = value;

	e->fn(e->ctx, b->topic, (struct ch_view){key.ptr + 4, key.len - 4},
		&b->letter);
	return true;
}

void
retry_each(struct retry *r,
	void (*fn)(void *ctx, int topic, struct ch_view key,
		const struct ch_uuid *letter),
	void *ctx)
{
	ch_map_each(r->blocked, each_blocked, &(struct each){fn, ctx});
}

static uint64_t
row_hash(struct ch_view origin, struct ch_view row_id)
{
	uint64_t h[2] = {ch_hash64(origin.ptr, origin.len),
		ch_hash64(row_id.ptr, row_id.len)};
	uint64_t sum = ch_hash64(h, sizeof(h));

	return sum != 0 ? sum : 1;
}

static bool
row_put(uint64_t *rows, size_t room, uint64_t h)
{
	size_t i = h & (room - 1);

	for (; rows[i] != 0; i = (i + 1) & (room - 1))
		if (rows[i] == h)
			return false;
	rows[i] = h;
	return true;
}

static void
rows_grow(struct retry *r)
{
	size_t room = r->row_room != 0 ? r->row_room * 2 : 64, i;
	uint64_t *rows = ch_xcalloc(room, sizeof(*rows));

	for (i = 0; i < r->row_room; i++)
		if (r->rows[i] != 0)
			row_put(rows, room, r->rows[i]);
	free(r->rows);
	r->rows = rows;
	r->row_room = room;
}

void
retry_remember(struct retry *r, struct ch_view origin, struct ch_view row_id)
{
	if (r->row_count * 2 >= r->row_room)
		rows_grow(r);
	if (row_put(r->rows, r->row_room, row_hash(origin, row_id)))
		r->row_count++;
}

bool
retry_remembers(const struct retry *r, struct ch_view origin,
	struct ch_view row_id)
{
	uint64_t h;
	size_t i;

	if (r->row_count == 0)
		return false;
	h = row_hash(origin, row_id);
	i = h & (r->row_room - 1);
	for (; r->rows[i] != 0; i = (i + 1) & (r->row_room - 1))
		if (r->rows[i] == h)
			return true;
	return false;
}

size_t
retry_remembered(const struct retry *r)
{
	return r->row_count;
}
