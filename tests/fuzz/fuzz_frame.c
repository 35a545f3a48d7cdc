/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_frame: any bytes as a frame of the feed (libFuzzer).
 *
 * Holds what must be true of every input: a trade's fields are within their
 * bounds, its identity can be made, its record is JSON that our own reader
 * takes, and the byte filter never calls a frame unwatched whose wallet the
 * decoder finds in the set.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "filter.h"
#include "frame.h"
#include "ordinal.h"
#include "record.h"

#define NOW ((struct ch_time){INT64_C(4102444000000000)})
#define WATCHED "0xf5848342fc388908f2d25a9012cc18a0ad193979"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_trade(struct ch_arena *arena, const struct trade *t)
{
	struct ch_buf scratch = CH_BUF_INIT;
	struct record *r = record_new(t, ordinal_trade_id(t, 0),
		(struct ch_mono){0}, &scratch);
	const struct ch_json *root = ch_json_parse(arena,
		(struct ch_view){r->value, r->len}, 64, NULL);
	struct ch_view text;

	require(root != NULL && root->count == 15);
	require(ch_json_str(root, "title", &text) &&
		ch_view_eq(text, t->title));
	require(t->asset.len <= ASSET_DIGITS_MAX);
	require(t->title.len <= FRAME_TITLE_MAX &&
		t->slug.len <= FRAME_SLUG_MAX &&
		t->outcome.len <= FRAME_OUTCOME_MAX);
	require(strpbrk(t->price, "eE-+") == NULL);
	require(strpbrk(t->size, "eE-+") == NULL);
	free(r);
	ch_buf_free(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct walletset *set;
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_view text = {(const char *)bytes, size};
	enum trade_source source;
	struct frame f;

	if (set == NULL)
		require(walletset_parse(&set, CH_VIEW(WATCHED), 1, NULL) == 0);
	if (frame_decode(&arena, text, NOW, &f) == FRAME_TRADE) {
		check_trade(&arena, &f.trade);
		require(!walletset_has(set, f.trade.wallet_key) ||
			!filter_is_unwatched(set, text, &source));
	}
	ch_arena_free(&arena);
	return 0;
}
