/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price: see price.h.
 *
 * Gamma puts JSON arrays inside strings; they are read by the same strict
 * reader as the answer itself. A market is resolved when it is closed and
 * exactly one outcome is worth 1 and every other 0: never by its end date, by
 * what its oracle says, or by prices that are all 0 (old markets have those).
 */
#include "price.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/money.h"

#define INNER_NODES_MAX (PRICE_OUTCOMES_MAX + 1)

static const char *const state_names[] = {"open", "closed", "resolved"};
static const char *const reason_names[REASONS] = {"", "timeout", "connect",
	"http_status", "rate_limited", "malformed", "too_large", "absent",
	"breaker_open", "retry_budget", "busy", "cancelled", "late"};

bool
market_id_parse(struct ch_view text, struct market_id *out)
{
	if (text.len != MARKET_ID_TEXT || text.ptr[0] != '0' ||
		text.ptr[1] != 'x')
		return false;
	return ch_hex_decode((struct ch_view){text.ptr + 2, text.len - 2},
		out->bytes, MARKET_ID_LEN);
}

void
market_id_format(const struct market_id *id, char out[MARKET_ID_TEXT + 1])
{
	out[0] = '0';
	out[1] = 'x';
	ch_hex_encode(id->bytes, MARKET_ID_LEN, out + 2);
}

bool
market_id_eq(const struct market_id *a, const struct market_id *b)
{
	return memcmp(a->bytes, b->bytes, MARKET_ID_LEN) == 0;
}

static uint64_t hash_key = 0x9e3779b97f4a7c15u;

void
market_id_hash_key(uint64_t key)
{
	hash_key = key;
}

uint32_t
market_id_hash(const void *id)
{
	uint64_t words[MARKET_ID_LEN / 8];
	uint64_t h = hash_key;

	memcpy(words, id, sizeof(words));
	for (size_t i = 0; i < MARKET_ID_LEN / 8; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccdu;
		h ^= h >> 29 ^ hash_key;
	}
	return (uint32_t)(h >> 32);
}

const char *
market_state_name(enum market_state s)
{
	return state_names[s];
}

const char *
upstream_name(enum upstream_id u)
{
	return u == UPSTREAM_PRIMARY ? "primary" : "fallback";
}

const char *
reason_name(enum reason r)
{
	return reason_names[r];
}

/* ---- values ---- */

static size_t
size_of(int count)
{
	return sizeof(struct price) +
		(size_t)count * sizeof(struct price_outcome);
}

struct price *
price_new(int count)
{
	struct price *p = ch_xcalloc(1, size_of(count));

	p->count = count;
	return p;
}

struct price *
price_copy(const struct price *p)
{
	struct price *copy = ch_xmalloc(size_of(p->count));

	memcpy(copy, p, size_of(p->count));
	return copy;
}

bool
price_same(const struct price *a, const struct price *b)
{
	if (a->state != b->state || a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (strcmp(a->outcome[i].name, b->outcome[i].name) != 0 ||
			strcmp(a->outcome[i].text, b->outcome[i].text) != 0)
			return false;
	return true;
}

bool
price_has_tokens(const struct price *p)
{
	for (int i = 0; i < p->count; i++)
		if (p->outcome[i].token[0] == '\0')
			return false;
	return p->count > 0;
}

void
price_list_free(struct price_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct price_list){NULL, 0, 0, 0};
}

struct price *
price_list_take(struct price_list *l, const struct market_id *id)
{
	for (size_t i = 0; i < l->count; i++) {
		struct price *p = l->items[i];

		if (!market_id_eq(&p->id, id))
			continue;
		l->items[i] = l->items[--l->count];
		return p;
	}
	return NULL;
}

static void
list_add(struct price_list *l, struct price *p)
{
	if (l->count == l->cap) {
		l->cap = l->cap == 0 ? 16 : 2 * l->cap;
		l->items =
			ch_xrealloc(l->items, l->cap, sizeof(struct price *));
	}
	l->items[l->count++] = p;
}

/* Is it decimal text that says 1, or 0? Plain text has no leading zeros, so
 * the first character is the whole part. */
static bool
text_is(const char *text, char digit)
{
	return text[0] == digit && (text[1] == '\0' || text[1] == '.') &&
		strspn(text + 1, ".0") == strlen(text + 1);
}

bool
price_text_copy(struct ch_view v, char out[PRICE_TEXT_MAX])
{
	int sign, digits;

	if (!ch_decimal_check(v, &sign, &digits) || v.ptr[0] == '-' ||
		ch_view_copy(v, out, PRICE_TEXT_MAX) != 0)
		return false;
	return text_is(out, '1') ||
		(out[0] == '0' && (out[1] == '\0' || out[1] == '.'));
}

static bool
take_token(struct ch_view v, char out[PRICE_TOKEN_MAX])
{
	if (v.len == 0 || ch_view_copy(v, out, PRICE_TOKEN_MAX) != 0)
		return false;
	return strspn(out, "0123456789") == v.len;
}

/* Copies what fits, cut between two characters. */
static void
take_text(struct ch_view v, char *out, size_t size)
{
	size_t fits = 0;

	while (fits < v.len) {
		size_t n = ch_utf8_next(v.ptr + fits, v.len - fits);

		if (n == 0 || fits + n >= size)
			break;
		fits += n;
	}
	(void)ch_view_copy((struct ch_view){v.ptr, fits}, out, size);
}

static enum market_state
state_of(const struct price *p, bool closed)
{
	int ones = 0;
	int zeros = 0;

	for (int i = 0; i < p->count; i++) {
		ones += text_is(p->outcome[i].text, '1') ? 1 : 0;
		zeros += text_is(p->outcome[i].text, '0') ? 1 : 0;
	}
	if (!closed)
		return MARKET_OPEN;
	return ones == 1 && zeros == p->count - 1 && p->count >= 2
		? MARKET_RESOLVED
		: MARKET_CLOSED;
}

/* A string, or a number as it stands. */
static bool
scalar(const struct ch_json *v, struct ch_view *out)
{
	if (v->type != CH_JSON_STRING && v->type != CH_JSON_NUMBER)
		return false;
	*out = v->type == CH_JSON_STRING ? v->str : v->text;
	return true;
}

/* ---- Gamma ---- */

/* The array called name: itself, or inside a string. NULL when it is neither. */
static const struct ch_json *
array_in(struct ch_arena *arena, const struct ch_json *market, const char *name)
{
	const struct ch_json *v = ch_json_get(market, name);

	if (v != NULL && v->type == CH_JSON_STRING)
		v = ch_json_parse(arena, v->str, INNER_NODES_MAX, NULL);
	return v != NULL && v->type == CH_JSON_ARRAY ? v : NULL;
}

static bool
fill_names(struct price *p, const struct ch_json *names)
{
	struct price_outcome *o = p->outcome;

	for (const struct ch_json *n = names->child; n != NULL; n = n->next) {
		if (n->type != CH_JSON_STRING)
			return false;
		take_text(n->str, o++->name, PRICE_NAME_MAX);
	}
	return true;
}

static bool
fill_prices(struct price *p, const struct ch_json *prices)
{
	struct price_outcome *o = p->outcome;
	struct ch_view text;

	for (const struct ch_json *v = prices->child; v != NULL; v = v->next)
		if (!scalar(v, &text) || !price_text_copy(text, o++->text))
			return false;
	return true;
}

/* Tokens only serve the fallback: a market without them still has a price. */
static void
fill_tokens(struct price *p, const struct ch_json *tokens)
{
	struct price_outcome *o = p->outcome;

	if (tokens == NULL || tokens->count != (size_t)p->count)
		return;
	for (const struct ch_json *v = tokens->child; v != NULL; v = v->next) {
		if (v->type != CH_JSON_STRING || !take_token(v->str, o->token))
			o->token[0] = '\0';
		o++;
	}
}

static struct price *
gamma_market(struct ch_arena *arena, const struct ch_json *market)
{
	const struct ch_json *names = array_in(arena, market, "outcomes");
	const struct ch_json *prices = array_in(arena, market, "outcomePrices");
	struct ch_view id, question;
	struct price *p;
	bool closed;

	if (names == NULL || prices == NULL || names->count == 0 ||
		names->count > PRICE_OUTCOMES_MAX ||
		names->count != prices->count ||
		!ch_json_bool(market, "closed", &closed) ||
		!ch_json_str(market, "conditionId", &id))
		return NULL;
	p = price_new((int)names->count);
	if (!market_id_parse(id, &p->id) || !fill_names(p, names) ||
		!fill_prices(p, prices)) {
		free(p);
		return NULL;
	}
	if (ch_json_str(market, "question", &question))
		take_text(question, p->question, PRICE_QUESTION_MAX);
	fill_tokens(p, array_in(arena, market, "clobTokenIds"));
	p->state = state_of(p, closed);
	return p;
}

int
price_decode_gamma(struct price_list *out, struct ch_view body,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *root =
		ch_json_parse(&arena, body, PRICE_NODES_MAX, err);

	if (root == NULL || root->type != CH_JSON_ARRAY) {
		ch_arena_free(&arena);
		if (root == NULL)
			(void)ch_err_wrap(err, "markets");
		else
			(void)ch_err_set(err, CH_EPROTO, "markets: no array");
		return CH_EPROTO;
	}
	for (const struct ch_json *m = root->child; m != NULL; m = m->next) {
		struct price *p = m->type == CH_JSON_OBJECT
			? gamma_market(&arena, m)
			: NULL;

		if (p != NULL)
			list_add(out, p);
		else
			out->bad++;
	}
	ch_arena_free(&arena);
	return 0;
}

/* ---- CLOB ---- */

static bool
clob_outcome(const struct ch_json *token, struct price_outcome *o)
{
	const struct ch_json *price = ch_json_get(token, "price");
	struct ch_view name, id, text;

	if (token->type != CH_JSON_OBJECT || price == NULL ||
		!scalar(price, &text) ||
		!ch_json_str(token, "outcome", &name) ||
		!ch_json_str(token, "token_id", &id))
		return false;
	take_text(name, o->name, PRICE_NAME_MAX);
	return price_text_copy(text, o->text) && take_token(id, o->token);
}

static struct price *
clob_market(const struct ch_json *market)
{
	const struct ch_json *tokens = ch_json_get(market, "tokens");
	struct ch_view id, question;
	struct price *p;
	bool closed;
	int at = 0;

	if (tokens == NULL || tokens->type != CH_JSON_ARRAY ||
		tokens->count == 0 || tokens->count > PRICE_OUTCOMES_MAX ||
		!ch_json_bool(market, "closed", &closed) ||
		!ch_json_str(market, "condition_id", &id))
		return NULL;
	p = price_new((int)tokens->count);
	for (const struct ch_json *t = tokens->child; t != NULL; t = t->next)
		if (!clob_outcome(t, &p->outcome[at++])) {
			free(p);
			return NULL;
		}
	if (!market_id_parse(id, &p->id)) {
		free(p);
		return NULL;
	}
	if (ch_json_str(market, "question", &question))
		take_text(question, p->question, PRICE_QUESTION_MAX);
	p->state = state_of(p, closed);
	return p;
}

static const struct ch_json *
parse_object(struct ch_arena *arena, struct ch_view body, const char *what,
	struct ch_err *err)
{
	const struct ch_json *root =
		ch_json_parse(arena, body, PRICE_NODES_MAX, err);

	if (root == NULL) {
		(void)ch_err_wrap(err, "%s", what);
		return NULL;
	}
	if (root->type == CH_JSON_OBJECT)
		return root;
	(void)ch_err_set(err, CH_EPROTO, "%s: no object", what);
	return NULL;
}

int
price_decode_clob(struct price_list *out, struct ch_view body,
	struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *root = parse_object(&arena, body, "market", err);
	struct price *p;

	if (root == NULL) {
		ch_arena_free(&arena);
		return CH_EPROTO;
	}
	p = clob_market(root);
	if (p != NULL)
		list_add(out, p);
	else
		out->bad++;
	ch_arena_free(&arena);
	return 0;
}

/* NULL when the answer does not hold every token; *bad when it holds one with
 * a price that is none. */
static struct price *
with_midpoints(const struct price *base, const struct ch_json *map, bool *bad)
{
	struct price *p = price_copy(base);

	for (int i = 0; i < p->count; i++) {
		struct price_outcome *o = &p->outcome[i];
		const struct ch_json *v = ch_json_get(map, o->token);
		struct ch_view text;

		if (v != NULL && scalar(v, &text) &&
			price_text_copy(text, o->text))
			continue;
		*bad = v != NULL;
		free(p);
		return NULL;
	}
	/* A book exists only while the market trades. */
	p->state = MARKET_OPEN;
	return p;
}

int
price_decode_midpoints(struct price_list *out, struct ch_view body,
	struct price *const *bases, size_t n, struct ch_err *err)
{
	struct ch_arena arena = CH_ARENA_INIT;
	const struct ch_json *root =
		parse_object(&arena, body, "midpoints", err);

	if (root == NULL) {
		ch_arena_free(&arena);
		return CH_EPROTO;
	}
	for (size_t i = 0; i < n; i++) {
		bool bad = false;
		struct price *p = with_midpoints(bases[i], root, &bad);

		if (p != NULL)
			list_add(out, p);
		out->bad += bad ? 1 : 0;
	}
	ch_arena_free(&arena);
	return 0;
}
