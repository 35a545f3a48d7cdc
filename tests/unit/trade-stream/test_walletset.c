/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "suite.h"
#include "walletset.h"

#define A "0xf5848342fc388908f2d25a9012cc18a0ad193979"
#define A_MIXED "0xf5848342fc388908f2D25a9012Cc18a0Ad193979"
#define B "0x09bed1976600971fd9f9db454a9c302c7a559c32"
#define ZERO "0x0000000000000000000000000000000000000000"

static bool
has(const struct walletset *set, const char *wallet)
{
	uint8_t key[WALLET_LEN];

	ck_assert(ch_hex_decode(ch_view_of(wallet + 2), key, WALLET_LEN));
	return walletset_has(set, key);
}

static struct walletset *
parse(const char *text)
{
	struct walletset *set = NULL;
	struct ch_err err = CH_ERR_INIT;

	ck_assert_msg(walletset_parse(&set, ch_view_of(text), 1, &err) == 0,
		"%s", err.text);
	return set;
}

START_TEST(wallets_are_found_whatever_their_case)
{
	struct walletset *set = parse("# watched\n\n" A_MIXED
				      "  # a maker\r\n\t" B "\n" A "\n");

	ck_assert_uint_eq(walletset_count(set), 2);
	ck_assert(has(set, A));
	ck_assert(has(set, A_MIXED));
	ck_assert(has(set, B));
	ck_assert(!has(set, "0x09bed1976600971fd9f9db454a9c302c7a559c33"));
	ck_assert(!has(set, ZERO));
	walletset_free(set);
}
END_TEST

START_TEST(the_zero_address_can_be_a_member)
{
	struct walletset *set = parse(ZERO "\n" ZERO);

	ck_assert_uint_eq(walletset_count(set), 1);
	ck_assert(has(set, ZERO));
	ck_assert(!has(set, A));
	walletset_free(set);
}
END_TEST

START_TEST(a_wrong_line_is_named)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{A "\n0x12\n", "line 2: '0x12'"},
		{"# x\n\n" A " " B, "line 3"},
		{"f5848342fc388908f2d25a9012cc18a0ad193979ff", "line 1"},
		{A "\n\xff\xfe", "line 2"},
		{"", "names no wallet"},
		{"# nothing\n\n", "names no wallet"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct walletset *set = NULL;
		struct ch_err err = CH_ERR_INIT;

		ck_assert_int_eq(walletset_parse(&set,
					 ch_view_of(cases[i].text), 1, &err),
			CH_EINVAL);
		ck_assert_ptr_null(set);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL,
			"'%s' does not say '%s'", err.text, cases[i].says);
	}
}
END_TEST

START_TEST(a_large_set_holds_its_members_and_no_others)
{
	struct ch_buf b = CH_BUF_INIT;
	struct ch_rng rng;
	uint64_t seed = suite_seed();
	struct walletset *set;
	uint8_t key[WALLET_LEN];
	int strangers = 0;

	ch_rng_seed(&rng, seed);
	for (int i = 0; i < 50000; i++) {
		for (size_t k = 0; k < WALLET_LEN; k++)
			key[k] = (uint8_t)ch_rng_below(&rng, 256);
		ch_buf_adds(&b, "0x");
		ch_buf_add_hex(&b, key, WALLET_LEN);
		ch_buf_addc(&b, '\n');
	}
	set = parse(ch_buf_str(&b));
	ck_assert_uint_eq(walletset_count(set), 50000);
	ch_rng_seed(&rng, seed);
	for (int i = 0; i < 100000; i++) {
		for (size_t k = 0; k < WALLET_LEN; k++)
			key[k] = (uint8_t)ch_rng_below(&rng, 256);
		if (i < 50000)
			ck_assert(walletset_has(set, key));
		else
			strangers += walletset_has(set, key) ? 1 : 0;
	}
	ck_assert_int_eq(strangers, 0);
	walletset_free(set);
	ch_buf_free(&b);
}
END_TEST

SUITE_MAIN("walletset", wallets_are_found_whatever_their_case,
	the_zero_address_can_be_a_member, a_wrong_line_is_named,
	a_large_set_holds_its_members_and_no_others)
