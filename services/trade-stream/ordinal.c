/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinal: see ordinal.h.
 *
 * A hash table of keys, threaded by a list in order of last sighting: its head
 * is what is forgotten next. A key keeps the largest count of any connection
 * (`known`) and the running counts of the two newest connections.
 */
#include "ordinal.h"

#include <stdio.h>
#include <stdlib.h>

/* A key is part of a digest: any four of its bytes are a good hash. */
#define HASH_FUNCTION(ptr, len, hash) memcpy(&(hash), (ptr), sizeof(hash))
#include <uthash.h>
#include <utlist.h>

#include "base/mem.h"

#define CONNECTIONS 2
/* Longest text: prefix, 66 + 42 + 78 + 4 + 40 + 40 + 14 + 10, separators. */
#define CONTENT_MAX 400

struct count {
	uint64_t connection; /* 0: unused */
	uint32_t rows;
};

struct entry {
	struct ordinal_key key;
	uint32_t known;
	struct count counts[CONNECTIONS]; /* newest first */
	struct ch_mono seen;
	struct entry *prev;
	struct entry *next;
	UT_hash_handle hh;
};

struct ordinal_table {
	struct entry *by_key;
	struct entry *oldest; /* list by `seen` */
	size_t max_keys;
	int64_t window_ms;
};

struct ordinal_table *
ordinal_new(size_t max_keys, int64_t window_ms)
{
	struct ordinal_table *t = ch_xcalloc(1, sizeof(*t));

	t->max_keys = max_keys;
	t->window_ms = window_ms;
	return t;
}

static void
forget(struct ordinal_table *t, struct entry *e)
{
	DL_DELETE(t->oldest, e);
	/* the analyzer loses the chains of uthash:
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	HASH_DEL(t->by_key, e);
	free(e);
}

void
ordinal_free(struct ordinal_table *t)
{
	if (t == NULL)
		return;
	while (t->oldest != NULL)
		forget(t, t->oldest);
	free(t);
}

size_t
ordinal_count(const struct ordinal_table *t)
{
	return HASH_COUNT(t->by_key);
}

static void
forget_old(struct ordinal_table *t, struct ch_mono now)
{
	while (t->oldest != NULL &&
		ch_mono_ms_since(now, t->oldest->seen) > t->window_ms)
		forget(t, t->oldest);
}

static struct entry *
find_or_add(struct ordinal_table *t, const struct ordinal_key *key)
{
	struct entry *e;

	HASH_FIND(hh, t->by_key, key->bytes, ORDINAL_KEY_LEN, e);
	if (e != NULL) {
		DL_DELETE(t->oldest, e);
	} else {
		if (ordinal_count(t) >= t->max_keys)
			forget(t, t->oldest);
		e = ch_xcalloc(1, sizeof(*e));
		e->key = *key;
		HASH_ADD(hh, t->by_key, key, ORDINAL_KEY_LEN, e);
	}
	DL_APPEND(t->oldest, e);
	return e;
}

/* The running count of a connection; a newcomer takes the older one's place. */
static struct count *
count_of(struct entry *e, uint64_t connection)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		if (e->counts[i].connection == connection)
			return &e->counts[i];
	}
	memmove(&e->counts[1], &e->counts[0],
		(CONNECTIONS - 1) * sizeof(e->counts[0]));
	e->counts[0] = (struct count){.connection = connection};
	return &e->counts[0];
}

struct ordinal_taken
ordinal_take(struct ordinal_table *t, uint64_t connection,
	const struct ordinal_key *key, struct ch_mono now)
{
	struct ordinal_taken taken;
	struct count *count;
	struct entry *e;

	forget_old(t, now);
	e = find_or_add(t, key);
	e->seen = now;
	count = count_of(e, connection);
	taken.ordinal = count->rows++;
	taken.repeated = taken.ordinal < e->known;
	if (!taken.repeated)
		e->known = count->rows;
	return taken;
}

/* A row that was not repeated was the one that raised `known`. */
void
ordinal_give_back(struct ordinal_table *t, uint64_t connection,
	const struct ordinal_key *key)
{
	struct entry *e;

	HASH_FIND(hh, t->by_key, key->bytes, ORDINAL_KEY_LEN, e);
	if (e == NULL)
		return;
	count_of(e, connection)->rows--;
	e->known--;
}

/* Every field of the identity but the ordinal; no field holds a newline. */
static size_t
write_content(const struct trade *trade, char out[CONTENT_MAX])
{
	int n = snprintf(out, CONTENT_MAX,
		"countinghouse.trade.1\n%s\n%s\n%.*s\n%s\n%s\n%s\n%s\n",
		trade->tx, trade->wallet, CH_VIEW_ARG(trade->asset),
		trade_side_name(trade->side), trade->price_key, trade->size_key,
		trade_source_name(trade->source));

	return (size_t)n;
}

struct ordinal_key
ordinal_key_of(const struct trade *trade)
{
	char text[CONTENT_MAX];
	size_t n = write_content(trade, text);
	struct ch_sha256 digest = ch_sha256_of((struct ch_view){text, n});
	struct ordinal_key key;

	memcpy(key.bytes, digest.bytes, sizeof(key.bytes));
	return key;
}

struct ch_sha256
ordinal_trade_id(const struct trade *trade, uint32_t ordinal)
{
	char text[CONTENT_MAX];
	size_t n = write_content(trade, text);

	n += (size_t)snprintf(text + n, sizeof(text) - n, "%u\n",
		(unsigned)ordinal);
	return ch_sha256_of((struct ch_view){text, n});
}
