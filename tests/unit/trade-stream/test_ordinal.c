/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "ordinal.h"
#include "suite.h"

static struct ch_mono
at_ms(int64_t ms)
{
	return (struct ch_mono){ms * 1000000};
}

static struct trade
some_trade(void)
{
	struct trade t = {.source = TRADE_TRADES, .side = TRADE_BUY};

	memcpy(t.wallet, "0xf5848342fc388908f2d25a9012cc18a0ad193979",
		WALLET_TEXT_MAX);
	memcpy(t.tx,
		"0x94cfdfa3bd63a11cf2fd697932ee615b6bcfb36f7ee65da9762012"
		"e88b6c5bca",
		HASH_TEXT_MAX);
	memcpy(t.condition,
		"0xfa380ce2bb2b55282cef8a85595580425524eb25846a1d9"
		"feaaa338941997d1d",
		HASH_TEXT_MAX);
	t.asset = ch_view_of("12345");
	memcpy(t.price, "0.50", 5);
	memcpy(t.price_key, "0.5", 4);
	memcpy(t.size, "10", 3);
	memcpy(t.size_key, "10", 3);
	return t;
}

static struct ordinal_key
key_number(uint64_t n)
{
	struct ordinal_key key = {{0}};

	memcpy(key.bytes, &n, sizeof(n));
	return key;
}

static struct ordinal_taken
take(struct ordinal_table *t, uint64_t connection, uint64_t key)
{
	struct ordinal_key k = key_number(key);

	return ordinal_take(t, connection, &k, at_ms(1000));
}

START_TEST(equal_fills_of_one_connection_are_numbered)
{
	struct ordinal_table *t = ordinal_new(100, 60000);

	for (uint32_t i = 0; i < 5; i++) {
		struct ordinal_taken a = take(t, 1, 7);

		ck_assert_uint_eq(a.ordinal, i);
		ck_assert(!a.repeated);
	}
	ck_assert_uint_eq(take(t, 1, 8).ordinal, 0);
	ordinal_free(t);
}
END_TEST

START_TEST(a_session_delivered_again_brings_nothing_new)
{
	struct ordinal_table *t = ordinal_new(100, 60000);

	(void)take(t, 1, 7);
	(void)take(t, 1, 7);
	for (uint32_t i = 0; i < 2; i++) {
		struct ordinal_taken again = take(t, 2, 7);

		ck_assert_uint_eq(again.ordinal, i);
		ck_assert(again.repeated);
	}
	ck_assert_uint_eq(take(t, 2, 7).ordinal, 2);
	ck_assert(!take(t, 2, 7).repeated);
	ordinal_free(t);
}
END_TEST

/* Two sockets at once, rows of one fill arriving on both in any order: the
 * number of distinct ids is the larger of the two counts. */
START_TEST(two_connections_merge_as_the_maximum_of_a_multiset)
{
	struct ch_rng rng;

	ch_rng_seed(&rng, suite_seed());
	for (int round = 0; round < 2000; round++) {
		struct ordinal_table *t = ordinal_new(100, 60000);
		uint64_t left[2] = {
			ch_rng_below(&rng, 6), ch_rng_below(&rng, 6)};
		uint64_t largest = left[0] > left[1] ? left[0] : left[1];
		uint64_t fresh = 0;

		while (left[0] + left[1] > 0) {
			size_t c = (size_t)ch_rng_below(&rng, 2);
			struct ordinal_taken a;

			if (left[c] == 0)
				continue;
			left[c]--;
			a = take(t, 1 + c, 7);
			ck_assert_uint_lt(a.ordinal, largest);
			fresh += a.repeated ? 0 : 1;
		}
		ck_assert_uint_eq(fresh, largest);
		ordinal_free(t);
	}
}
END_TEST

START_TEST(the_table_stays_within_its_bounds)
{
	struct ordinal_table *t = ordinal_new(1000, 60000);
	struct ordinal_key key;

	for (uint64_t i = 0; i < 5000; i++)
		(void)take(t, 1, i);
	ck_assert_uint_eq(ordinal_count(t), 1000);
	/* the newest stayed */
	ck_assert_uint_eq(take(t, 1, 4999).ordinal, 1);
	/* the oldest went, and gets the ordinal that it had */
	ck_assert_uint_eq(take(t, 1, 0).ordinal, 0);
	key = key_number(9999);
	(void)ordinal_take(t, 1, &key, at_ms(1000 + 60001));
	ck_assert_uint_eq(ordinal_count(t), 1);
	ordinal_free(t);
}
END_TEST

START_TEST(a_key_that_is_used_is_not_forgotten)
{
	struct ordinal_table *t = ordinal_new(10, 60000);

	for (uint64_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(take(t, 1, 7777).ordinal, i);
		(void)take(t, 1, i);
	}
	ordinal_free(t);
}
END_TEST

START_TEST(an_ordinal_given_back_is_given_out_again)
{
	struct ordinal_table *t = ordinal_new(10, 60000);
	struct ordinal_key key = key_number(7);

	(void)take(t, 1, 7);
	(void)take(t, 1, 7);
	ordinal_give_back(t, 1, &key);
	(void)take(t, 2, 7);
	ck_assert_uint_eq(take(t, 2, 7).ordinal, 1);
	ck_assert(take(t, 1, 7).repeated);
	ck_assert(!take(t, 1, 7).repeated);
	ordinal_free(t);
}
END_TEST

/* Pinned: ids are in the topic and in tables, so this text is a contract. */
START_TEST(the_trade_id_is_the_digest_of_the_documented_text)
{
	static const char text[] =
		"countinghouse.trade.1\n"
		"0x94cfdfa3bd63a11cf2fd697932ee615b6bcfb36f7ee65da9762012e88b6c"
		"5bca\n"
		"0xf5848342fc388908f2d25a9012cc18a0ad193979\n"
		"12345\nBUY\n0.5\n10\ntrades\n1\n";
	struct trade t = some_trade();
	struct ch_sha256 id = ordinal_trade_id(&t, 1);
	struct ch_sha256 expected = ch_sha256_of(ch_view_of(text));

	ck_assert_mem_eq(id.bytes, expected.bytes, CH_SHA256_LEN);
}
END_TEST

START_TEST(each_field_of_the_identity_changes_it)
{
	struct trade base = some_trade();
	struct ordinal_key k = ordinal_key_of(&base);
	struct trade t[7];

	for (size_t i = 0; i < COUNT(t); i++)
		t[i] = base;
	t[0].source = TRADE_ORDERS_MATCHED;
	t[1].side = TRADE_SELL;
	t[2].asset = ch_view_of("12346");
	memcpy(t[3].price_key, "0.6", 4);
	memcpy(t[4].size_key, "11", 3);
	t[5].wallet[41] = '8';
	t[6].tx[65] = 'b';
	for (size_t i = 0; i < COUNT(t); i++) {
		struct ordinal_key other = ordinal_key_of(&t[i]);

		ck_assert_mem_ne(other.bytes, k.bytes, ORDINAL_KEY_LEN);
	}
	/* but not the spelling of a number, nor what is no part of it */
	t[0] = base;
	memcpy(t[0].price, "0.5", 4);
	t[0].title = ch_view_of("another title");
	ck_assert_mem_eq(ordinal_key_of(&t[0]).bytes, k.bytes, ORDINAL_KEY_LEN);
}
END_TEST

SUITE_MAIN("ordinal", equal_fills_of_one_connection_are_numbered,
	a_session_delivered_again_brings_nothing_new,
	two_connections_merge_as_the_maximum_of_a_multiset,
	the_table_stays_within_its_bounds, a_key_that_is_used_is_not_forgotten,
	an_ordinal_given_back_is_given_out_again,
	the_trade_id_is_the_digest_of_the_documented_text,
	each_field_of_the_identity_changes_it)
