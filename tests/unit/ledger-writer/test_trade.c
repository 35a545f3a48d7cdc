/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trade and route: what a trade must look like, and where a key belongs.
 */
#include "check_suite.h"
#include <stdio.h>
#include <stdlib.h>

#include "route.h"
#include "trade.h"

#define H8 "01234567"
#define H64 H8 H8 H8 H8 H8 H8 H8 H8
#define H40 H8 H8 H8 H8 H8

struct member {
	const char *name;
	const char *value; /* JSON; NULL: left out */
};

static const struct member good[] = {{"trade_id", "\"" H64 "\""},
	{"condition_id", "\"0x" H64 "\""}, {"asset", "\"123456\""},
	{"wallet", "\"0x" H40 "\""}, {"side", "\"BUY\""}, {"price", "\"0.57\""},
	{"size", "\"5e-05\""}, {"outcome", "\"Yes\""},
	{"tx_hash", "\"0x" H64 "\""}, {"traded_at", "\"2026-11-21T10:00:00Z\""},
	{"source", "\"trades\""}, {"title", "\"ignored\""}};

#define MEMBERS (sizeof(good) / sizeof(good[0]))

/* The good trade with one member replaced. */
static bool
decodes_with(const char *name, const char *value, struct trade *t)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct ch_buf b = CH_BUF_INIT;
	for (size_t i = 0; i < MEMBERS; i++) {
		const char *v = name != NULL &&
				ch_view_eq_str(ch_view_of(name), good[i].name)
			? value
			: good[i].value;
		if (v != NULL)
			ch_buf_printf(&b, "%s\"%s\":%s", b.len > 0 ? "," : "{",
				good[i].name, v);
	}
	ch_buf_addc(&b, '}');
	bool ok = trade_decode(&arena, ch_buf_view(&b), t, &err);
	if (!ok) /* the refusal names the field */
		ck_assert_ptr_nonnull(strstr(err.text, name));
	ch_buf_free(&b);
	ch_arena_free(&arena);
	return ok;
}

START_TEST(a_good_trade_is_read_as_sent)
{
	struct ch_arena arena = CH_ARENA_INIT;
	struct trade t = {0};
	ck_assert(decodes_with(NULL, NULL, &t));
	ck_assert_uint_eq(t.trade_id[0], 0x01);
	ck_assert_int_eq(ch_time_day(t.traded_at), 20778);
	ck_assert(decodes_with("outcome", NULL, &t));
	ck_assert_uint_eq(t.outcome.len, 0);
	ck_assert(!trade_decode(&arena, (struct ch_view){NULL, 0}, &t, NULL));
	ck_assert(!trade_decode(&arena, CH_VIEW("[]"), &t, NULL));
	ck_assert(!trade_decode(&arena, CH_VIEW("{"), &t, NULL));
	ch_arena_free(&arena);
}
END_TEST

START_TEST(each_wrong_field_is_refused_by_name)
{
	static const struct member bad[] = {{"trade_id", "\"ab\""},
		{"trade_id", "1"}, {"condition_id", "\"" H64 "\""},
		{"condition_id", "\"0X" H64 "\""}, {"asset", "\"\""},
		{"asset", "\"12a\""}, {"asset", "\"" H64 H8 H8 "\""},
		{"wallet", "\"0x" H64 "\""},
		{"wallet", "\"0xABCDEF67" H8 H8 H8 H8 "\""},
		{"side", "\"buy\""}, {"price", "0.57"}, {"price", "\"-1\""},
		{"price", "\"\""}, {"price", "\"abc\""}, {"price", NULL},
		{"size", "\"1,5\""}, {"size", "null"}, {"tx_hash", "\"0x\""},
		{"traded_at", "\"2026-11-21\""}, {"traded_at", "1790272257"},
		{"source", "\"other\""}, {"outcome", "5"}};
	struct trade t;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!decodes_with(bad[i].name, bad[i].value, &t),
			"%s: %s", bad[i].name, bad[i].value);
}
END_TEST

/* The hashes of Kafka's own UtilsTest, and partitions by its partitioner. */
START_TEST(keys_go_where_javas_partitioner_sends_them)
{
	static const struct {
		const char *key;
		int32_t hash;
	} of[] = {{"21", -973932308}, {"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107}};
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		for (int32_t n = 1; n < 40; n++)
			ck_assert_int_eq(route_of(ch_view_of(of[i].key), n),
				(of[i].hash & 0x7fffffff) % n);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("trade");
	TCase *c = tcase_create("all");
	tcase_add_test(c, a_good_trade_is_read_as_sent);
	tcase_add_test(c, each_wrong_field_is_refused_by_name);
	tcase_add_test(c, keys_go_where_javas_partitioner_sends_them);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return run_made(suite());
}
