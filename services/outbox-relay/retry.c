/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: decisions and the three small indexes behind them.
 *
 * The remembered rows are an open-addressed table of hashes that doubles, 24 to
 * 48 bytes a row; none cost nothing. A hash met by chance would pass over a row
 * that was never parked: 64 bits of FNV over distinct ids make that one in
 * 10^13 at a million.
 */
#include "retry.h"

#include <stdlib.h>

#include <utlist.h>

#include "base/backoff.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"
#include "route.h"

struct hold {
	unsigned rows; /* on trial */
	struct ch_backoff backoff;
	struct ch_mono until;
};

struct rows {
	uint64_t *names; /* hashes; 0: free */
	uint32_t *contents;
	size_t count, room;
};

struct retry {
	struct ch_map *blocked; /* be32 topic, key bytes -> struct retry_key */
	struct retry_key *turn; /* the same: who is asked about next */
	struct ch_map *holds;	/* be32 topic, 'k' key or 'r' row -> hold */
	struct rows rows;
};

/* Between two attempts of a key. */
#define PAUSE_MS 200
#define PAUSE_MAX_MS 10000

static const struct {
	bool trial;    /* refused among others: put on trial */
	bool spends;   /* an attempt, when it was alone */
	bool pauses;   /* its key; else its topic's breaker does */
	unsigned most; /* attempts, then it is parked; 0: no end */
} costs[FAILURES] = {
	[FAILURE_TRANSIENT] = {false, true, true, 0},
	[FAILURE_PERMANENT] = {false, true, false, 3},
	[FAILURE_POISON] = {true, true, true, 1},
	[FAILURE_UNCLEAR] = {true, false, true, 0},
};

struct retry_decision
retry_decide(enum failure f, unsigned attempts, unsigned limit, bool alone)
{
	unsigned most = limit != 0 ? limit : costs[f].most;
	enum retry_verdict pause = costs[f].pauses ? RETRY_LATER : RETRY_AGAIN;

	if (!alone)
		return (struct retry_decision){
			costs[f].trial ? RETRY_TRIAL : RETRY_AGAIN, false};
	if (!costs[f].spends)
		return (struct retry_decision){pause, false};
	if (most != 0 && attempts + 1 >= most)
		return (struct retry_decision){RETRY_PARK, true};
	return (struct retry_decision){pause, true};
}

struct retry *
retry_new(void)
{
	struct retry *r = ch_xcalloc(1, sizeof(*r));

	r->blocked = ch_map_new();
	r->holds = ch_map_new();
	return r;
}

static void
rows_free(struct rows *rows)
{
	free(rows->names);
	free(rows->contents);
	*rows = (struct rows){0};
}

void
retry_free(struct retry *r)
{
	if (r == NULL)
		return;
	ch_map_free(r->blocked, free);
	ch_map_free(r->holds, free);
	rows_free(&r->rows);
	free(r);
}

void
retry_clear(struct retry *r)
{
	ch_map_free(r->blocked, free);
	ch_map_free(r->holds, free);
	r->turn = NULL;
	r->blocked = ch_map_new();
	r->holds = ch_map_new();
	rows_free(&r->rows);
}

static void
blocked_key(struct ch_buf *b, int topic, struct ch_view key)
{
	ch_buf_add_be32(b, (uint32_t)topic);
	ch_buf_addv(b, key);
}

static void
forget_key(struct retry *r, struct retry_key *k)
{
	if (k == NULL)
		return;
	DL_DELETE(r->turn, k);
	free(k);
}

void
retry_block(struct retry *r, int topic, struct ch_view key,
	const struct ch_uuid *letter)
{
	struct ch_buf name = CH_BUF_INIT;
	struct retry_key *k, *old;

	if (key.ptr == NULL)
		return;
	k = ch_xcalloc(1, sizeof(*k) + key.len);
	k->topic = topic;
	k->letter = *letter;
	k->len = key.len;
	memcpy(k->key, key.ptr, key.len);
	DL_PREPEND(r->turn, k);
	blocked_key(&name, topic, key);
	old = ch_map_put(r->blocked, ch_buf_view(&name), k);
	k->released = old != NULL && old->released;
	forget_key(r, old);
	ch_buf_free(&name);
}

void
retry_unblock(struct retry *r, int topic, struct ch_view key)
{
	struct ch_buf name = CH_BUF_INIT;

	blocked_key(&name, topic, key);
	forget_key(r, ch_map_del(r->blocked, ch_buf_view(&name)));
	ch_buf_free(&name);
}

struct retry_key *
retry_blocked_key(const struct retry *r, int topic, struct ch_view key)
{
	struct ch_buf name = CH_BUF_INIT;
	struct retry_key *k;

	if (key.ptr == NULL || ch_map_count(r->blocked) == 0)
		return NULL;
	blocked_key(&name, topic, key);
	k = ch_map_get(r->blocked, ch_buf_view(&name));
	ch_buf_free(&name);
	return k;
}

bool
retry_is_blocked(const struct retry *r, int topic, struct ch_view key,
	struct ch_uuid *letter)
{
	const struct retry_key *k = retry_blocked_key(r, topic, key);

	if (k == NULL)
		return false;
	*letter = k->letter;
	return true;
}

size_t
retry_blocked(const struct retry *r)
{
	return ch_map_count(r->blocked);
}

size_t
retry_next_blocked(struct retry *r, struct retry_key **out, size_t room)
{
	size_t left = ch_map_count(r->blocked), count = 0;

	for (; left > 0 && count < room; left--) {
		struct retry_key *k = r->turn;

		DL_DELETE(r->turn, k);
		DL_APPEND(r->turn, k);
		if (!k->released)
			out[count++] = k;
	}
	return count;
}

/* ---- trials ---- */

static void
hold_name(struct ch_buf *b, const struct event *e)
{
	struct ch_view key = event_key(e);
	char id[EVENT_ID_MAX];

	ch_buf_add_be32(b, (uint32_t)e->topic->number);
	if (key.ptr != NULL) {
		ch_buf_addc(b, 'k');
		ch_buf_addv(b, key);
		return;
	}
	event_id(e, id);
	ch_buf_addc(b, 'r');
	ch_buf_adds(b, id);
}

static struct hold *
hold_of(const struct retry *r, const struct event *e)
{
	struct ch_buf name = CH_BUF_INIT;
	struct hold *h;

	if (ch_map_count(r->holds) == 0)
		return NULL;
	hold_name(&name, e);
	h = ch_map_get(r->holds, ch_buf_view(&name));
	ch_buf_free(&name);
	return h;
}

void
retry_hold(struct retry *r, struct event *e)
{
	struct hold *h = hold_of(r, e);
	struct ch_buf name = CH_BUF_INIT;

	if (e->suspect)
		return;
	e->suspect = true;
	if (h == NULL) {
		h = ch_xcalloc(1, sizeof(*h));
		h->backoff = (struct ch_backoff){
			.base_ms = PAUSE_MS, .cap_ms = PAUSE_MAX_MS};
		hold_name(&name, e);
		ch_map_put(r->holds, ch_buf_view(&name), h);
		ch_buf_free(&name);
	}
	h->rows++;
}

struct ch_mono
retry_pause(struct retry *r, const struct event *e, struct ch_rng *rng,
	struct ch_mono now)
{
	struct hold *h = hold_of(r, e);

	if (h == NULL)
		return now;
	h->until.ns =
		now.ns + ch_backoff_next(&h->backoff, rng) * INT64_C(1000000);
	return h->until;
}

void
retry_free_key(struct retry *r, struct event *e)
{
	struct hold *h = hold_of(r, e);
	struct ch_buf name = CH_BUF_INIT;

	if (!e->suspect || h == NULL)
		return;
	e->suspect = false;
	ch_backoff_reset(&h->backoff);
	h->until = (struct ch_mono){0};
	if (--h->rows > 0)
		return;
	hold_name(&name, e);
	free(ch_map_del(r->holds, ch_buf_view(&name)));
	ch_buf_free(&name);
}

bool
retry_is_held(const struct retry *r, const struct event *e,
	struct ch_mono *until)
{
	const struct hold *h = hold_of(r, e);

	if (h == NULL)
		return false;
	*until = h->until;
	return true;
}

size_t
retry_held(const struct retry *r)
{
	return ch_map_count(r->holds);
}

/* ---- rows ---- */

static uint64_t
row_hash(struct ch_view origin, struct ch_view row_id)
{
	uint64_t h[2] = {ch_hash64(origin.ptr, origin.len),
		ch_hash64(row_id.ptr, row_id.len)};
	uint64_t sum = ch_hash64(h, sizeof(h));

	return sum != 0 ? sum : 1;
}

/* The place of the row, or of its first one, or a free one. */
static size_t
row_place(const struct rows *rows, uint64_t name, const uint32_t *content)
{
	size_t i = name & (rows->room - 1);

	for (; rows->names[i] != 0; i = (i + 1) & (rows->room - 1))
		if (rows->names[i] == name &&
			(content == NULL || rows->contents[i] == *content))
			break;
	return i;
}

static void
row_put(struct rows *rows, uint64_t name, uint32_t content)
{
	size_t i = row_place(rows, name, &content);

	rows->count += rows->names[i] == 0;
	rows->names[i] = name;
	rows->contents[i] = content;
}

static void
rows_grow(struct rows *rows)
{
	struct rows more = {.room = rows->room != 0 ? rows->room * 2 : 64};
	size_t i;

	more.names = ch_xcalloc(more.room, sizeof(*more.names));
	more.contents = ch_xcalloc(more.room, sizeof(*more.contents));
	for (i = 0; i < rows->room; i++)
		if (rows->names[i] != 0)
			row_put(&more, rows->names[i], rows->contents[i]);
	rows_free(rows);
	*rows = more;
}

void
retry_remember(struct retry *r, struct ch_view origin, struct ch_view row_id,
	uint32_t content)
{
	if (r->rows.count * 2 >= r->rows.room)
		rows_grow(&r->rows);
	row_put(&r->rows, row_hash(origin, row_id), content);
}

static bool
has_row(const struct rows *rows, uint64_t name, const uint32_t *content)
{
	return rows->count > 0 &&
		rows->names[row_place(rows, name, content)] != 0;
}

bool
retry_remembers(const struct retry *r, struct ch_view origin,
	struct ch_view row_id, uint32_t content)
{
	return has_row(&r->rows, row_hash(origin, row_id), &content);
}

bool
retry_knows(const struct retry *r, struct ch_view origin, struct ch_view row_id)
{
	return has_row(&r->rows, row_hash(origin, row_id), NULL);
}

size_t
retry_remembered(const struct retry *r)
{
	return r->rows.count;
}
