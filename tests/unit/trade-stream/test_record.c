/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "ordinal.h"
#include "record.h"
#include "suite.h"

static const char frame_text[] =
	"{\"connection_id\":\"x\",\"payload\":{\"asset\":\"5034164379635780919"
	"9138088836529201104815997551572832995218005287849225766499\",\"condi"
	"tionId\":\"0xFA380ce2bb2b55282cef8a85595580425524eb25846a1d9feaaa3389"
	"41997d1d\",\"outcome\":\"N\\u006f\",\"outcomeIndex\":1,\"price\":0.030,"
	"\"proxyWallet\":\"0xf5848342fc388908f2D25a9012Cc18a0Ad193979\",\"side\""
	":\"SELL\",\"size\":1030.92,\"slug\":\"s\",\"timestamp\":1790272257,"
	"\"title\":\"a \\\"b\\\"\\n\\u5357\",\"transactionHash\":\"0x94cfdfa3bd6"
	"3a11cf2fd697932ee615b6bcfb36f7ee65da9762012e88b6c5bca\"},\"timestamp\""
	":1790272257115,\"topic\":\"activity\",\"type\":\"trades\"}";

static const char *
text_of(json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	ck_assert_msg(text != NULL, "no text %s", name);
	return text;
}

START_TEST(a_record_says_what_the_contract_says)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_buf scratch = CH_BUF_INIT;
	struct frame f;
	struct record *r;
	json_t *root;

	ck_assert_int_eq(frame_decode(&arena, ch_view_of(frame_text), NOW_2100,
				 &f),
		FRAME_TRADE);
	r = record_new(&f.trade, ordinal_trade_id(&f.trade, 0),
		(struct ch_mono){5}, &scratch);
	root = json_loadb(r->value, r->len, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(json_object_size(root), 15);
	ck_assert_uint_eq(strlen(text_of(root, "trade_id")), 64);
	ck_assert_str_eq(r->key, text_of(root, "condition_id"));
	ck_assert_str_eq(r->key,
		"0xfa380ce2bb2b55282cef8a85595580425524eb2584"
		"6a1d9feaaa338941997d1d");
	ck_assert_str_eq(text_of(root, "wallet"),
		"0xf5848342fc388908f2d25a9012cc18a0ad193979");
	ck_assert_str_eq(text_of(root, "price"), "0.030");
	ck_assert_str_eq(text_of(root, "size"), "1030.92");
	ck_assert_str_eq(text_of(root, "side"), "SELL");
	ck_assert_str_eq(text_of(root, "outcome"), "No");
	ck_assert_int_eq(
		json_integer_value(json_object_get(root, "outcome_index")), 1);
	ck_assert_str_eq(text_of(root, "traded_at"),
		"2026-09-24T17:50:57.000000Z");
	ck_assert_str_eq(text_of(root, "sent_at"),
		"2026-09-24T17:50:57.115000Z");
	ck_assert_str_eq(text_of(root, "source"), "trades");
	ck_assert_str_eq(text_of(root, "title"), "a \"b\"\n\xe5\x8d\x97");
	ck_assert_str_eq(text_of(root, "slug"), "s");
	ck_assert_uint_eq(record_bytes(r), sizeof(*r) + r->len);
	json_decref(root);
	free(r);
	ch_buf_free(&scratch);
	ch_arena_free(&arena);
}
END_TEST

SUITE_MAIN("record", a_record_says_what_the_contract_says)
