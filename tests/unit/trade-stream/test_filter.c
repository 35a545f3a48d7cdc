/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_gen.h"
#include "filter.h"
#include "suite.h"

#define A "0xf5848342fc388908f2d25a9012cc18a0ad193979"
#define B "0x09bed1976600971fd9f9db454a9c302c7a559c32"
#define TAIL ",\"topic\":\"activity\",\"type\":\"trades\"}"

static struct walletset *
set_of(const char *text)
{
	struct walletset *set = NULL;

	ck_assert_int_eq(walletset_parse(&set, ch_view_of(text), 7, NULL), 0);
	return set;
}

static bool
unwatched(const struct walletset *set, const char *text)
{
	enum trade_source source;

	return filter_is_unwatched(set, ch_view_of(text), &source);
}

START_TEST(only_frames_of_other_wallets_are_thrown_out)
{
	struct walletset *set = set_of(A);

	ck_assert(unwatched(set,
		"{\"payload\":{\"proxyWallet\":\"" B "\"}" TAIL));
	ck_assert(!unwatched(set,
		"{\"payload\":{\"proxyWallet\":\"" A "\"}" TAIL));
	walletset_free(set);
}
END_TEST

START_TEST(whatever_is_not_clear_is_left_to_the_decoder)
{
	static const char *const cases[] = {
		"",
		"PONG",
		"{}",
		"{\"proxyWallet\":\"0x12\"}",
		"{\"proxyWallet\":\"0x",
		"{\"proxyWallet\": \"" B "\"" TAIL,
		/* two wallets */
		"{\"x\":{\"proxyWallet\":\"" B "\"},\"proxyWallet\":\"" A
		"\"" TAIL,
		"{\"proxyWallet\":\"" B "\",\"y\":{\"proxyWallet\":\"" A
		"\"}" TAIL,
		/* an escaped name beside a plain one */
		"{\"proxyWallet\":\"" B
		"\",\"name\":\"\\\"proxyWallet\\\":\"" TAIL,
		/* not a hex digit */
		"{\"proxyWallet\":\"0xg9bed1976600971fd9f9db454a9c302c7a559c32\"" TAIL,
		/* longer than a wallet */
		"{\"proxyWallet\":\"" B "0\"" TAIL,
		/* another topic, another type */
		"{\"proxyWallet\":\"" B
		"\",\"topic\":\"comments\",\"type\":\"trades\"}",
		"{\"proxyWallet\":\"" B
		"\",\"topic\":\"activity\",\"type\":\"splits\"}",
	};
	struct walletset *set = set_of(A);

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(!unwatched(set, cases[i]), "%s", cases[i]);
	walletset_free(set);
}
END_TEST

/* The filter and the decoder must agree on every generated frame. */
START_TEST(the_filter_agrees_with_the_decoder)
{
	struct feed_gen *g = feed_gen_new(suite_seed(), 20, 40);
	struct feed_row rows[FEED_ROWS_MAX];
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf b = CH_BUF_INIT;
	struct ch_buf wallets = CH_BUF_INIT;
	struct walletset *set;
	int thrown = 0;
	int kept = 0;

	for (unsigned i = 0; i < 10; i++) {
		char wallet[43];

		feed_gen_wallet(g, i, wallet);
		ch_buf_printf(&wallets, "%s\n", wallet);
	}
	set = set_of(ch_buf_str(&wallets));
	for (int i = 0; i < 3000; i++) {
		int n = feed_gen_transaction(g,
			(struct ch_time){INT64_C(1790272257115000)}, rows);

		for (int r = 0; r < n; r++) {
			enum trade_source source = TRADE_SOURCES;
			struct frame f;
			bool out;

			ch_buf_clear(&b);
			feed_gen_frame(g, &rows[r], &b);
			ch_arena_reset(&arena, 1 << 20);
			ck_assert_int_eq(frame_decode(&arena, ch_buf_view(&b),
						 NOW_2100, &f),
				FRAME_TRADE);
			out = filter_is_unwatched(set, ch_buf_view(&b),
				&source);
			ck_assert(out ==
				!walletset_has(set, f.trade.wallet_key));
			if (out)
				ck_assert_int_eq(source, f.trade.source);
			thrown += out ? 1 : 0;
			kept += out ? 0 : 1;
		}
	}
	ck_assert_int_gt(thrown, 1000);
	ck_assert_int_gt(kept, 500);
	walletset_free(set);
	ch_arena_free(&arena);
	ch_buf_free(&b);
	ch_buf_free(&wallets);
	feed_gen_free(g);
}
END_TEST

SUITE_MAIN("filter", only_frames_of_other_wallets_are_thrown_out,
	whatever_is_not_clear_is_left_to_the_decoder,
	the_filter_agrees_with_the_decoder)
