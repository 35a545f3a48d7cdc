/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_gen: see feed_gen.h.
 *
 * Prices are integers of 1e-10, sizes of 1e-6, printed without trailing zeros,
 * as the venue's JavaScript prints its numbers. Markets and wallets are made
 * from digests of the seed and their number, so they need no table.
 */
#include "feed_gen.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

#define PRICE_ONE INT64_C(10000000000)
#define SIZE_ONE INT64_C(1000000)
#define ASSET_DIGITS 76 /* 76 to 78 */
#define EQUAL_MAKERS 66 /* a third of the rows are makers: 1 row in 200 */

struct feed_gen {
	uint64_t seed;
	unsigned markets;
	unsigned wallets;
	struct ch_rng rng;
	uint64_t transactions;
};

static const char *const subjects[] = {"Will it rain in \"Springfield\"",
	"Bitcoin Up or Down", "Will Malta win", "Élection présidentielle",
	"Fed cut by March?", "Will 南 beat 北"};

struct feed_gen *
feed_gen_new(uint64_t seed, unsigned markets, unsigned wallets)
{
	struct feed_gen *g = ch_xcalloc(1, sizeof(*g));

	g->seed = seed;
	g->markets = markets > 0 ? markets : 1;
	g->wallets = wallets > 1 ? wallets : 2;
	ch_rng_seed(&g->rng, seed);
	return g;
}

void
feed_gen_free(struct feed_gen *g)
{
	free(g);
}

static struct ch_sha256
named(const struct feed_gen *g, const char *kind, uint64_t number)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "%s %llu %llu", kind,
		(unsigned long long)g->seed, (unsigned long long)number);

	return ch_sha256_of((struct ch_view){text, (size_t)n});
}

static void
hash_text(struct ch_sha256 digest, char out[67])
{
	out[0] = '0';
	out[1] = 'x';
	ch_hex_encode(digest.bytes, sizeof(digest.bytes), out + 2);
}

static void
asset_text(const struct feed_gen *g, unsigned market, int outcome, char *out)
{
	struct ch_sha256 a =
		named(g, "asset a", market * 2u + (unsigned)outcome);
	struct ch_sha256 b =
		named(g, "asset b", market * 2u + (unsigned)outcome);
	struct ch_sha256 c =
		named(g, "asset c", market * 2u + (unsigned)outcome);
	size_t digits = ASSET_DIGITS + a.bytes[0] % 3;

	for (size_t i = 0; i < digits; i++) {
		const uint8_t *from = i < 32 ? a.bytes
			: i < 64	     ? b.bytes
					     : c.bytes;

		out[i] = (char)('0' + from[i % 32] % 10);
	}
	out[0] = '1'; /* below 2^256 with 78 digits, and no leading zero */
	out[1] = '0';
	out[digits] = '\0';
}

struct feed_market
feed_gen_market(const struct feed_gen *g, unsigned index)
{
	struct feed_market m = {.outcome = {"Yes", "No"}};
	size_t subject = index % (sizeof(subjects) / sizeof(subjects[0]));

	hash_text(named(g, "condition", index), m.condition);
	asset_text(g, index, 0, m.asset[0]);
	asset_text(g, index, 1, m.asset[1]);
	snprintf(m.title, sizeof(m.title), "%s, round %u?", subjects[subject],
		index);
	snprintf(m.slug, sizeof(m.slug), "market-%u", index);
	return m;
}

void
feed_gen_wallet(const struct feed_gen *g, unsigned index, char out[43])
{
	struct ch_sha256 digest = named(g, "wallet", index);

	out[0] = '0';
	out[1] = 'x';
	ch_hex_encode(digest.bytes, 20, out + 2);
}

/* Mixed case as the checksum's looks; nothing here reads the checksum. */
static void
mix_case(char *wallet)
{
	struct ch_sha256 digest = ch_sha256_of(ch_view_of(wallet));

	for (size_t i = 2; wallet[i] != '\0'; i++) {
		if (digest.bytes[i % 32] & 1)
			wallet[i] = (char)toupper((unsigned char)wallet[i]);
	}
}

static void
decimal_text(int64_t value, int64_t one, char out[24])
{
	char digits[24];
	size_t n = 0;
	size_t at;

	at = (size_t)snprintf(out, 24, "%lld", (long long)(value / one));
	for (int64_t rest = value % one, unit = one / 10; rest > 0;
		unit /= 10) {
		digits[n++] = (char)('0' + rest / unit);
		rest %= unit;
	}
	if (n == 0)
		return;
	out[at++] = '.';
	memcpy(out + at, digits, n);
	out[at + n] = '\0';
}

static int
rows_of_transaction(struct ch_rng *rng)
{
	uint64_t n = ch_rng_below(rng, 6501);
	uint64_t a;
	uint64_t b;

	if (n < 4336)
		return 1;
	if (n < 4336 + 1655)
		return 2;
	if (n < 4336 + 1655 + 286)
		return 3;
	if (n < 4336 + 1655 + 286 + 103)
		return 4;
	a = ch_rng_below(rng, 27);
	b = ch_rng_below(rng, 27);
	return 5 + (int)(a < b ? a : b);
}

/* On a tick of 0.01 or 0.001, more often near the ends, as markets are. */
static int64_t
tick_price(struct ch_rng *rng)
{
	if (ch_rng_chance(rng, 3, 10))
		return (int64_t)(1 + ch_rng_below(rng, 999)) *
			(PRICE_ONE / 1000);
	return (int64_t)(1 + ch_rng_below(rng, 99)) * (PRICE_ONE / 100);
}

static int64_t
some_size(struct ch_rng *rng)
{
	if (ch_rng_chance(rng, 1, 3))
		return (int64_t)(1 + ch_rng_below(rng, 2000)) * SIZE_ONE;
	if (ch_rng_chance(rng, 1, 2))
		return (int64_t)(1 + ch_rng_below(rng, 500000)) * 10000;
	return (int64_t)(1 + ch_rng_below(rng, 5000000000));
}

static void
some_wallet(struct feed_gen *g, char out[43])
{
	feed_gen_wallet(g, (unsigned)ch_rng_below(&g->rng, g->wallets), out);
	mix_case(out);
}

/* A maker: on the other outcome at 1 - p, or on the other side at p. */
static struct feed_row
make_maker(struct feed_gen *g, const struct feed_row *taker, int64_t price,
	int64_t size)
{
	struct feed_row row = *taker;

	some_wallet(g, row.wallet);
	if (ch_rng_chance(&g->rng, 1, 2)) {
		row.outcome = 1 - taker->outcome;
		price = PRICE_ONE - price;
	} else {
		row.sell = !taker->sell;
	}
	decimal_text(price, PRICE_ONE, row.price);
	decimal_text(size, SIZE_ONE, row.size);
	return row;
}

static struct feed_row
make_taker(struct feed_gen *g, struct ch_time at)
{
	struct feed_row row = {.orders_matched = false};

	row.market = (unsigned)ch_rng_below(&g->rng, g->markets);
	row.outcome = (int)ch_rng_below(&g->rng, 2);
	row.sell = ch_rng_chance(&g->rng, 1, 5) != 0;
	some_wallet(g, row.wallet);
	hash_text(named(g, "tx", g->transactions++), row.tx);
	row.sent_ms = at.us / 1000;
	row.traded_s = row.sent_ms / 1000;
	return row;
}

/* A taker that met several makers paid an average: many decimals. */
static int64_t
average_price(struct ch_rng *rng, int64_t price, int rows)
{
	int64_t spread = PRICE_ONE / 1000 - 1;

	if (rows < 3)
		return price;
	return price - (int64_t)ch_rng_below(rng, (uint64_t)spread);
}

int
feed_gen_transaction(struct feed_gen *g, struct ch_time at,
	struct feed_row rows[FEED_ROWS_MAX])
{
	int wanted = rows_of_transaction(&g->rng);
	int64_t price = tick_price(&g->rng);
	int64_t total = wanted == 1 ? some_size(&g->rng) : 0;
	struct feed_row taker = make_taker(g, at);
	int count = 2; /* behind the taker's two rows */

	for (int i = 1; i < wanted && count < FEED_ROWS_MAX - 1; i++) {
		int64_t size = some_size(&g->rng);

		rows[count++] = make_maker(g, &taker, price, size);
		total += size;
		if (!ch_rng_chance(&g->rng, 1, EQUAL_MAKERS))
			continue;
		rows[count] = rows[count - 1];
		count++;
		total += size;
	}
	decimal_text(average_price(&g->rng, price, wanted), PRICE_ONE,
		taker.price);
	decimal_text(total, SIZE_ONE, taker.size);
	rows[1] = taker;
	rows[0] = taker;
	rows[0].orders_matched = true;
	return count;
}

static void
add_market(struct ch_buf *b, const struct feed_market *m, int outcome)
{
	ch_json_add_member(b, "outcome", ch_view_of(m->outcome[outcome]));
	ch_json_add_member_i64(b, "outcomeIndex", outcome);
}

/* The payload's members in alphabetical order, as in every recorded frame. */
static void
add_payload(struct feed_gen *g, const struct feed_row *row, struct ch_buf *b)
{
	struct feed_market m = feed_gen_market(g, row->market);

	ch_buf_addc(b, '{');
	ch_json_add_member(b, "asset", ch_view_of(m.asset[row->outcome]));
	ch_json_add_member(b, "bio", CH_VIEW(""));
	ch_json_add_member(b, "conditionId", ch_view_of(m.condition));
	ch_json_add_member(b, "eventSlug", ch_view_of(m.slug));
	if (ch_rng_chance(&g->rng, 4, 10))
		ch_buf_printf(b, ",\"fee\":0.%04u",
			(unsigned)ch_rng_below(&g->rng, 10000));
	ch_json_add_member(b, "icon", CH_VIEW("icons/round.png"));
	ch_json_add_member(b, "name", CH_VIEW("tr\"ad\\er\n"));
	add_market(b, &m, row->outcome);
	ch_buf_printf(b, ",\"price\":%s", row->price);
	ch_json_add_member(b, "profileImage", CH_VIEW(""));
	ch_json_add_member(b, "proxyWallet", ch_view_of(row->wallet));
	ch_json_add_member(b, "pseudonym", CH_VIEW("Forked-Pricing"));
	ch_json_add_member(b, "side", ch_view_of(row->sell ? "SELL" : "BUY"));
	ch_buf_printf(b, ",\"size\":%s", row->size);
	ch_json_add_member(b, "slug", ch_view_of(m.slug));
	ch_json_add_member_i64(b, "timestamp", row->traded_s);
	ch_json_add_member(b, "title", ch_view_of(m.title));
	ch_json_add_member(b, "transactionHash", ch_view_of(row->tx));
	ch_buf_addc(b, '}');
}

void
feed_gen_frame(struct feed_gen *g, const struct feed_row *row,
	struct ch_buf *out)
{
	ch_buf_adds(out,
		"{\"connection_id\":\"gbeUfq-crWeIKABx0A==\","
		"\"payload\":");
	add_payload(g, row, out);
	ch_buf_printf(out,
		",\"timestamp\":%lld,\"topic\":\"activity\",\"type\":\"%s\"}",
		(long long)row->sent_ms,
		row->orders_matched ? "orders_matched" : "trades");
}
