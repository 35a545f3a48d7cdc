/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price: what an upstream's answer says about markets.
 *
 * A price is kept as the exact decimal text that came, between 0 and 1; none
 * passes through a double. A market that cannot be read whole (no price, an
 * unknown type, "NaN", lists of unequal length) is counted as bad and left
 * out; an answer that is no JSON of the agreed shape is refused whole.
 *
 * Thread: any. Pure.
 */
#ifndef PRICE_CACHE_PRICE_H
#define PRICE_CACHE_PRICE_H

#include "base/err.h"
#include "price_cache.h"

#define PRICE_OUTCOMES_MAX 32
#define PRICE_NAME_MAX 64      /* bytes with the NUL; longer ones are cut */
#define PRICE_TEXT_MAX 24      /* "0." and 21 digits; longer is bad */
#define PRICE_TOKEN_MAX 79     /* up to 78 digits */
#define PRICE_QUESTION_MAX 256 /* longer ones are cut */
#define PRICE_NODES_MAX 400000 /* JSON values in one answer */

struct price_outcome {
	char name[PRICE_NAME_MAX];
	char text[PRICE_TEXT_MAX];
	char token[PRICE_TOKEN_MAX]; /* "" when the upstream named none */
};

/* Immutable once made; one allocation. */
struct price {
	struct market_id id;
	enum market_state state;
	char question[PRICE_QUESTION_MAX]; /* "" when not told */
	int count;
	struct price_outcome outcome[];
};

/* All zero but its count; free() it. */
struct price *price_new(int count);
struct price *price_copy(const struct price *p); /* free() it */
/* Same state, outcomes and prices? (The question may differ.) */
bool price_same(const struct price *a, const struct price *b);
bool price_has_tokens(const struct price *p);
/* Plain decimal text from 0 to 1; false when it is none, or too long. */
bool price_text_copy(struct ch_view text, char out[PRICE_TEXT_MAX]);

struct price_list {
	struct price **items;
	size_t count, cap;
	size_t bad; /* markets in the answer that could not be read */
};

void price_list_free(struct price_list *l);
/* Takes the price of that market out of the list, or NULL. */
struct price *price_list_take(struct price_list *l, const struct market_id *id);

/* Gamma: an array of market objects; outcomes, outcomePrices and clobTokenIds
 * are arrays inside strings. All of these: 0, or CH_EPROTO (nothing is added). */
int price_decode_gamma(struct price_list *out, struct ch_view body,
	struct ch_err *err);
/* CLOB GET /markets/<id>: one object with tokens[]. */
int price_decode_clob(struct price_list *out, struct ch_view body,
	struct ch_err *err);
/* CLOB /midpoints: token -> price; each base whose tokens are all there gives
 * a price with the base's names. */
int price_decode_midpoints(struct price_list *out, struct ch_view body,
	struct price *const *bases, size_t n, struct ch_err *err);

#endif
