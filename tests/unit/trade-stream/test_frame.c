/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/hex.h"
#include "base/json.h"
#include "feed_gen.h"
#include "frame.h"
#include "suite.h"

#define REAL_FRAMES "../shared/data/rtds-envelopes-7.jsonl"

/* Member values of one good frame; a case replaces one of them. */
static const struct {
	const char *name;
	const char *value;
} good[] = {
	{"asset",
		"\"503416437963578091991380888365292011048159975515728329952"
		"18005287849225766499\""},
	{"conditionId",
		"\"0xfa380ce2bb2b55282cef8a85595580425524eb25846a1d9fea"
		"aa338941997d1d\""},
	{"outcome", "\"No\""},
	{"outcomeIndex", "1"},
	{"price", "0.03"},
	{"proxyWallet", "\"0xf5848342fc388908f2D25a9012Cc18a0Ad193979\""},
	{"side", "\"BUY\""},
	{"size", "1030.92"},
	{"slug", "\"unl-and-mal\""},
	{"timestamp", "1790272257"},
	{"title", "\"Will Malta win?\""},
	{"transactionHash",
		"\"0x94cfdfa3bd63a11cf2fd697932ee615b6bcfb36f7ee65d"
		"a9762012e88b6c5bca\""},
};

static struct ch_arena arena = CH_ARENA_INIT;

/* The good frame with member `name` set to value, or left out (NULL). */
static void
build(struct ch_buf *b, const char *name, const char *value)
{
	ch_buf_clear(b);
	ch_buf_adds(b, "{\"connection_id\":\"x\",\"payload\":{\"bio\":\"\"");
	for (size_t i = 0; i < COUNT(good); i++) {
		const char *v = good[i].value;

		if (name != NULL && strcmp(name, good[i].name) == 0)
			v = value;
		if (v != NULL)
			ch_buf_printf(b, ",\"%s\":%s", good[i].name, v);
	}
	ch_buf_adds(b,
		"},\"timestamp\":1790272257115,\"topic\":\"activity\","
		"\"type\":\"trades\"}");
}

static struct frame
decode(struct ch_view text)
{
	struct frame f;

	ch_arena_reset(&arena, 1 << 20);
	(void)frame_decode(&arena, text, NOW_2100, &f);
	return f;
}

static struct frame
decode_with(const char *name, const char *value)
{
	static struct ch_buf b = CH_BUF_INIT;

	build(&b, name, value);
	return decode(ch_buf_view(&b));
}

static struct frame
decode_text(const char *text)
{
	return decode(ch_view_of(text));
}

START_TEST(a_recorded_frame_is_read_field_by_field)
{
	struct frame f = decode_with(NULL, NULL);
	const struct trade *t = &f.trade;

	ck_assert_int_eq(f.kind, FRAME_TRADE);
	ck_assert_int_eq(t->source, TRADE_TRADES);
	ck_assert_int_eq(t->side, TRADE_BUY);
	ck_assert_str_eq(t->wallet,
		"0xf5848342fc388908f2d25a9012cc18a0ad193979");
	ck_assert_int_eq(t->wallet_key[0], 0xf5);
	ck_assert_int_eq(t->wallet_key[19], 0x79);
	ck_assert_str_eq(t->price, "0.03");
	ck_assert_str_eq(t->size, "1030.92");
	ck_assert_uint_eq(t->asset.len, 77);
	ck_assert_int_eq(t->outcome_index, 1);
	ck_assert(ch_view_eq_str(t->outcome, "No"));
	ck_assert(ch_view_eq_str(t->title, "Will Malta win?"));
	ck_assert(ch_view_eq_str(t->slug, "unl-and-mal"));
	ck_assert_int_eq(t->traded_at.us, INT64_C(1790272257000000));
	ck_assert_int_eq(t->sent_at.us, INT64_C(1790272257115000));
	ck_assert(!f.cut);
}
END_TEST

START_TEST(numbers_may_come_in_strings_and_keep_their_text)
{
	struct frame f = decode_with("price", "\"0.50\"");

	ck_assert_int_eq(f.kind, FRAME_TRADE);
	ck_assert_str_eq(f.trade.price, "0.50");
	ck_assert_str_eq(f.trade.price_key, "0.5");
	f = decode_with("price", "5e-05");
	ck_assert_str_eq(f.trade.price, "0.00005");
	f = decode_with("size", "\"31.612200\"");
	ck_assert_int_eq(f.kind, FRAME_TRADE);
	ck_assert_str_eq(f.trade.size, "31.612200");
	ck_assert_str_eq(f.trade.size_key, "31.6122");
	f = decode_with("timestamp", "\"1790272257\"");
	ck_assert_int_eq(f.trade.traded_at.us, INT64_C(1790272257000000));
	f = decode_with("outcomeIndex", "999");
	ck_assert_int_eq(f.trade.outcome_index, OUTCOME_INDEX_NONE);
}
END_TEST

START_TEST(each_wrong_field_is_refused_with_its_reason)
{
	static const struct {
		const char *name;
		const char *value; /* NULL: left out */
		enum frame_reason reason;
	} cases[] = {
		{"proxyWallet", NULL, FRAME_BAD_WALLET},
		{"proxyWallet", "1", FRAME_BAD_WALLET},
		{"proxyWallet", "null", FRAME_BAD_WALLET},
		{"proxyWallet", "\"\"", FRAME_BAD_WALLET},
		{"proxyWallet", "\"0x12\"", FRAME_BAD_WALLET},
		{"proxyWallet",
			"\"0Xf5848342fc388908f2D25a9012Cc18a0Ad193979\"",
			FRAME_BAD_WALLET},
		{"proxyWallet",
			"\"0xg5848342fc388908f2D25a9012Cc18a0Ad193979\"",
			FRAME_BAD_WALLET},
		{"proxyWallet",
			"\"0xf5848342fc388908f2D25a9012Cc18a0Ad1939790\"",
			FRAME_BAD_WALLET},
		{"conditionId", NULL, FRAME_BAD_CONDITION},
		{"conditionId", "\"0xfa\"", FRAME_BAD_CONDITION},
		{"transactionHash", NULL, FRAME_BAD_TX},
		{"transactionHash", "{}", FRAME_BAD_TX},
		{"asset", NULL, FRAME_BAD_ASSET},
		{"asset", "12", FRAME_BAD_ASSET},
		{"asset", "\"\"", FRAME_BAD_ASSET},
		{"asset", "\"0\"", FRAME_BAD_ASSET},
		{"asset", "\"012\"", FRAME_BAD_ASSET},
		{"asset", "\"-1\"", FRAME_BAD_ASSET},
		{"asset", "\"1e5\"", FRAME_BAD_ASSET},
		{"asset",
			"\"1157920892373161954235709850086879078532699846656"
			"40564039457584007913129639936\"",
			FRAME_BAD_ASSET},
		{"asset",
			"\"1000000000000000000000000000000000000000000000000"
			"000000000000000000000000000000\"",
			FRAME_BAD_ASSET},
		{"side", NULL, FRAME_BAD_SIDE},
		{"side", "\"buy\"", FRAME_BAD_SIDE},
		{"side", "\"BUY \"", FRAME_BAD_SIDE},
		{"side", "0", FRAME_BAD_SIDE},
		{"price", NULL, FRAME_BAD_PRICE},
		{"price", "null", FRAME_BAD_PRICE},
		{"price", "[0.5]", FRAME_BAD_PRICE},
		{"price", "-0.1", FRAME_BAD_PRICE},
		{"price", "-0", FRAME_BAD_PRICE},
		{"price", "1.01", FRAME_BAD_PRICE},
		{"price", "1e400", FRAME_BAD_PRICE},
		{"price", "1e-400", FRAME_BAD_PRICE},
		{"price", "1e99999999999999999999", FRAME_BAD_PRICE},
		{"price", "\"\"", FRAME_BAD_PRICE},
		{"price", "\"NaN\"", FRAME_BAD_PRICE},
		{"price", "\"0,5\"", FRAME_BAD_PRICE},
		{"price", "\" 0.5\"", FRAME_BAD_PRICE},
		{"price", "\"0x1\"", FRAME_BAD_PRICE},
		{"size", NULL, FRAME_BAD_SIZE},
		{"size", "0", FRAME_BAD_SIZE},
		{"size", "0.0000001", FRAME_BAD_SIZE},
		{"size", "1.2345678", FRAME_BAD_SIZE},
		{"size", "9223372036854.775808", FRAME_BAD_SIZE},
		{"size", "1e400", FRAME_BAD_SIZE},
		{"size", "-5", FRAME_BAD_SIZE},
		{"size", "true", FRAME_BAD_SIZE},
		{"timestamp", NULL, FRAME_BAD_TRADE_TIME},
		{"timestamp", "1790272257000", FRAME_BAD_TRADE_TIME},
		{"timestamp", "1790272257.5", FRAME_BAD_TRADE_TIME},
		{"timestamp", "1.79e9", FRAME_BAD_TRADE_TIME},
		{"timestamp", "0", FRAME_BAD_TRADE_TIME},
		{"timestamp", "-1790272257", FRAME_BAD_TRADE_TIME},
		{"timestamp", "\"2026-09-24\"", FRAME_BAD_TRADE_TIME},
		{"timestamp", "99999999999999999999", FRAME_BAD_TRADE_TIME},
		{"outcome", "7", FRAME_BAD_OUTCOME},
		{"outcomeIndex", "-1", FRAME_BAD_OUTCOME},
		{"outcomeIndex", "1000", FRAME_BAD_OUTCOME},
		{"outcomeIndex", "0.5", FRAME_BAD_OUTCOME},
		{"title", "7", FRAME_BAD_TEXT},
		{"slug", "{}", FRAME_BAD_TEXT},
		{"price", "NaN", FRAME_NOT_JSON},
		{"price", "Infinity", FRAME_NOT_JSON},
		{"price", ".5", FRAME_NOT_JSON},
		{"price", "0x1", FRAME_NOT_JSON},
		{"title", "\"\\ud800\"", FRAME_NOT_JSON},
		{"title", "\"\\u0000\"", FRAME_NOT_JSON},
		{"title", "\"\xff\xfe\"", FRAME_NOT_JSON},
		{"title", "\"\xc0\xaf\"", FRAME_NOT_JSON},
		{"title", "\"a\nb\"", FRAME_NOT_JSON},
		{"side", "\"BUY\",\"side\":\"SELL\"", FRAME_NOT_JSON},
		{"side", "\"BUY\",\"s\\u0069de\":\"SELL\"", FRAME_NOT_JSON},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = decode_with(cases[i].name, cases[i].value);

		ck_assert_msg(f.kind == FRAME_REFUSED &&
				f.reason == cases[i].reason,
			"case %zu, %s = %s: %s %s", i, cases[i].name,
			cases[i].value != NULL ? cases[i].value : "(absent)",
			frame_kind_name(f.kind), frame_reason_name(f.reason));
	}
}
END_TEST

START_TEST(the_limits_themselves_are_accepted)
{
	static const struct {
		const char *name;
		const char *value;
	} cases[] = {
		{"price", "0"},
		{"price", "1"},
		{"price", "1.0"},
		{"price", "0.00000000000000000000000000000000000001"},
		{"size", "0.000001"},
		{"size", "9223372036854.775807"},
		{"size", "1e3"},
		{"asset", "\"1\""},
		{"asset",
			"\"1157920892373161954235709850086879078532699846656"
			"40564039457584007913129639935\""},
		{"outcomeIndex", "0"},
		{"outcomeIndex", "999"},
		{"outcomeIndex", NULL},
		{"outcome", NULL},
		{"outcome", "null"},
		{"title", NULL},
		{"slug", "null"},
		{"title", "\"\""},
		{"title", "\"\\ud83d\\ude00 \\\"x\\\"\""},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = decode_with(cases[i].name, cases[i].value);

		ck_assert_msg(f.kind == FRAME_TRADE, "%s = %s: %s",
			cases[i].name,
			cases[i].value != NULL ? cases[i].value : "(absent)",
			frame_reason_name(f.reason));
	}
}
END_TEST

START_TEST(a_trade_from_the_future_is_refused)
{
	struct ch_buf b = CH_BUF_INIT;
	struct frame f;
	struct ch_time now = {INT64_C(1790272257000000)};

	build(&b, NULL, NULL);
	ch_arena_reset(&arena, 0);
	now.us -= FRAME_FUTURE_S * INT64_C(1000000);
	ck_assert_int_eq(frame_decode(&arena, ch_buf_view(&b), now, &f),
		FRAME_TRADE);
	now.us -= 1000000;
	ck_assert_int_eq(frame_decode(&arena, ch_buf_view(&b), now, &f),
		FRAME_REFUSED);
	ck_assert_int_eq(f.reason, FRAME_BAD_TRADE_TIME);
	ch_buf_free(&b);
}
END_TEST

START_TEST(long_texts_are_cut_at_a_whole_character)
{
	struct ch_buf v = CH_BUF_INIT;
	struct frame f;

	ch_buf_addc(&v, '"');
	for (int i = 0; i < FRAME_TITLE_MAX; i++)
		ch_buf_adds(&v, "\xe5\x8d\x97"); /* three bytes */
	ch_buf_addc(&v, '"');
	f = decode_with("title", ch_buf_str(&v));
	ck_assert_int_eq(f.kind, FRAME_TRADE);
	ck_assert(f.cut);
	ck_assert_uint_eq(f.trade.title.len, FRAME_TITLE_MAX / 3 * 3);
	ck_assert(ch_view_is_utf8(f.trade.title));
	ch_buf_free(&v);
}
END_TEST

START_TEST(frames_that_are_no_trades_are_told_apart)
{
	static const struct {
		const char *text;
		enum frame_kind kind;
		enum frame_reason reason;
	} cases[] = {
		{"", FRAME_KEEPALIVE, FRAME_OK},
		{" \r\n\t", FRAME_KEEPALIVE, FRAME_OK},
		{"PONG", FRAME_KEEPALIVE, FRAME_OK},
		{"PING\n", FRAME_KEEPALIVE, FRAME_OK},
		{"pong", FRAME_REFUSED, FRAME_NOT_JSON},
		{"{\"message\":\"Forbidden\"}", FRAME_NOTICE, FRAME_OK},
		{"{}", FRAME_NOTICE, FRAME_OK},
		{"{\"topic\":\"comments\",\"type\":\"comment_created\"}",
			FRAME_IGNORED, FRAME_OK},
		{"{\"topic\":\"activity\",\"type\":\"splits\"}", FRAME_IGNORED,
			FRAME_OK},
		{"{\"topic\":\"activity\"}", FRAME_IGNORED, FRAME_OK},
		{"{\"topic\":7,\"type\":\"trades\"}", FRAME_IGNORED, FRAME_OK},
		{"{\"topic\":\"activity\",\"type\":\"trades\"}", FRAME_REFUSED,
			FRAME_NO_PAYLOAD},
		{"{\"topic\":\"activity\",\"type\":\"trades\",\"payload\":[]}",
			FRAME_REFUSED, FRAME_NO_PAYLOAD},
		{"{\"topic\":\"activity\",\"type\":\"trades\",\"payload\":{}}",
			FRAME_REFUSED, FRAME_BAD_SENT_TIME},
		{"{\"topic\":\"activity\",\"type\":\"trades\",\"payload\":{},"
		 "\"timestamp\":1790272257}",
			FRAME_REFUSED, FRAME_BAD_SENT_TIME},
		{"[]", FRAME_REFUSED, FRAME_NOT_OBJECT},
		{"7", FRAME_REFUSED, FRAME_NOT_OBJECT},
		{"null", FRAME_REFUSED, FRAME_NOT_OBJECT},
		{"{", FRAME_REFUSED, FRAME_NOT_JSON},
		{"{}x", FRAME_REFUSED, FRAME_NOT_JSON},
		{"{\"topic\":\"a\",\"topic\":\"b\"}", FRAME_REFUSED,
			FRAME_NOT_JSON},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = decode_text(cases[i].text);

		ck_assert_msg(f.kind == cases[i].kind &&
				f.reason == cases[i].reason,
			"'%s': %s %s", cases[i].text, frame_kind_name(f.kind),
			frame_reason_name(f.reason));
	}
}
END_TEST

START_TEST(orders_matched_rows_carry_their_source)
{
	struct ch_buf b = CH_BUF_INIT;
	char *type;
	struct frame f;

	build(&b, NULL, NULL);
	type = strstr(b.ptr, "\"trades\"}");
	b.len = (size_t)(type - b.ptr);
	ch_buf_adds(&b, "\"orders_matched\"}");
	f = decode(ch_buf_view(&b));
	ck_assert_int_eq(f.kind, FRAME_TRADE);
	ck_assert_int_eq(f.trade.source, TRADE_ORDERS_MATCHED);
	ch_buf_free(&b);
}
END_TEST

START_TEST(every_truncation_of_a_frame_is_refused)
{
	struct ch_buf b = CH_BUF_INIT;

	build(&b, NULL, NULL);
	for (size_t n = 1; n < b.len; n++) {
		struct frame f = decode((struct ch_view){b.ptr, n});

		ck_assert_msg(f.kind == FRAME_REFUSED &&
				f.reason == FRAME_NOT_JSON,
			"%zu bytes", n);
	}
	ch_buf_free(&b);
}
END_TEST

START_TEST(deep_wide_and_huge_frames_are_refused)
{
	struct ch_buf b = CH_BUF_INIT;
	struct frame f;

	for (int i = 0; i < 20000; i++)
		ch_buf_addc(&b, '[');
	f = decode(ch_buf_view(&b));
	ck_assert_int_eq(f.reason, FRAME_NOT_JSON);
	ch_buf_clear(&b);
	ch_buf_adds(&b, "{\"topic\":[0");
	for (int i = 0; i < 20000; i++)
		ch_buf_adds(&b, ",0");
	ch_buf_adds(&b, "]}");
	f = decode(ch_buf_view(&b));
	ck_assert_int_eq(f.reason, FRAME_NOT_JSON);
	ch_buf_clear(&b);
	ch_buf_adds(&b, "{\"topic\":\"");
	for (int i = 0; i < 1 << 20; i++)
		ch_buf_addc(&b, 'x');
	ch_buf_adds(&b, "\"}");
	f = decode(ch_buf_view(&b));
	ck_assert_int_eq(f.reason, FRAME_TOO_LARGE);
	ch_buf_free(&b);
}
END_TEST

static void
assert_row(const struct feed_gen *g, const struct feed_row *row,
	const struct frame *f)
{
	struct feed_market m = feed_gen_market(g, row->market);
	const struct trade *t = &f->trade;

	ck_assert_msg(f->kind == FRAME_TRADE, "%s",
		frame_reason_name(f->reason));
	ck_assert_int_eq(t->source == TRADE_ORDERS_MATCHED,
		row->orders_matched);
	ck_assert_str_eq(t->condition, m.condition);
	ck_assert(ch_view_eq_str(t->asset, m.asset[row->outcome]));
	ck_assert(ch_view_eq_str(t->outcome, m.outcome[row->outcome]));
	ck_assert(ch_view_eq_str(t->title, m.title));
	ck_assert_int_eq(strcasecmp(t->wallet, row->wallet), 0);
	ck_assert_str_eq(t->price, row->price);
	ck_assert_str_eq(t->price_key, row->price);
	ck_assert_str_eq(t->size, row->size);
	ck_assert_str_eq(t->tx, row->tx);
	ck_assert_int_eq(t->side == TRADE_SELL, row->sell);
	ck_assert_int_eq(t->outcome_index, row->outcome);
	ck_assert_int_eq(t->traded_at.us, row->traded_s * 1000000);
	ck_assert_int_eq(t->sent_at.us, row->sent_ms * 1000);
}

START_TEST(generated_frames_are_read_back_exactly)
{
	struct feed_gen *g = feed_gen_new(suite_seed(), 50, 200);
	struct feed_row rows[FEED_ROWS_MAX];
	struct ch_buf b = CH_BUF_INIT;

	for (int i = 0; i < 2000; i++) {
		int n = feed_gen_transaction(g,
			(struct ch_time){INT64_C(1790272257115000)}, rows);

		for (int r = 0; r < n; r++) {
			struct frame f;

			ch_buf_clear(&b);
			feed_gen_frame(g, &rows[r], &b);
			f = decode(ch_buf_view(&b));
			assert_row(g, &rows[r], &f);
		}
	}
	ch_buf_free(&b);
	feed_gen_free(g);
}
END_TEST

/* What a mutant may be: anything, but if it is still a trade, its fields are
 * within their bounds. */
static void
assert_sane(const struct frame *f)
{
	const struct trade *t = &f->trade;
	uint8_t bytes[32];

	if (f->kind != FRAME_TRADE)
		return;
	ck_assert_uint_eq(strlen(t->wallet), 42);
	ck_assert(ch_hex_decode(ch_view_of(t->tx + 2), bytes, 32));
	ck_assert(ch_hex_decode(ch_view_of(t->condition + 2), bytes, 32));
	ck_assert(t->asset.len > 0 && t->asset.len <= ASSET_DIGITS_MAX);
	ck_assert(t->title.len <= FRAME_TITLE_MAX);
	ck_assert(ch_view_is_utf8(t->title) && ch_view_is_utf8(t->outcome) &&
		ch_view_is_utf8(t->slug));
	ck_assert(t->outcome_index >= 0 &&
		t->outcome_index <= OUTCOME_INDEX_NONE);
	ck_assert(strpbrk(t->price, "eE-+") == NULL && t->price[0] != '\0');
	ck_assert(strpbrk(t->size, "eE-+") == NULL && t->size[0] != '\0');
}

static void
mutate(struct ch_rng *rng, struct ch_buf *b)
{
	static const char bytes[] = "\"{}[]:,\\0189.eE-+xX \n\xff\x80nul";
	int changes = 1 + (int)ch_rng_below(rng, 4);

	while (changes-- > 0 && b->len > 1) {
		size_t at = (size_t)ch_rng_below(rng, b->len);
		size_t n;

		switch (ch_rng_below(rng, 4)) {
		case 0:
			b->ptr[at] = bytes[ch_rng_below(rng, sizeof(bytes))];
			break;
		case 1:
			b->ptr[at] ^= (char)(1 << ch_rng_below(rng, 8));
			break;
		case 2: /* cut a piece out */
			n = (size_t)ch_rng_below(rng, b->len - at);
			memmove(b->ptr + at, b->ptr + at + n, b->len - at - n);
			b->len -= n;
			break;
		default: /* say a piece again */
			n = (size_t)ch_rng_below(rng, b->len - at);
			n = n > 64 ? 64 : n;
			ch_buf_reserve(b, n);
			memmove(b->ptr + at + n, b->ptr + at, b->len - at);
			b->len += n;
			break;
		}
	}
}

START_TEST(mutated_frames_do_no_harm)
{
	uint64_t seed = suite_seed();
	struct feed_gen *g = feed_gen_new(seed, 5, 20);
	struct feed_row rows[FEED_ROWS_MAX];
	struct ch_buf b = CH_BUF_INIT;
	struct ch_rng rng;
	int trades = 0;

	ch_rng_seed(&rng, seed);
	for (int i = 0; i < 40000; i++) {
		struct frame f;
		char *copy;

		(void)feed_gen_transaction(g,
			(struct ch_time){INT64_C(1790272257115000)}, rows);
		ch_buf_clear(&b);
		feed_gen_frame(g, &rows[i % 2], &b);
		mutate(&rng, &b);
		/* an exact allocation, so that asan sees one byte too far */
		copy = malloc(b.len > 0 ? b.len : 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, b.ptr, b.len);
		f = decode((struct ch_view){copy, b.len});
		assert_sane(&f);
		trades += f.kind == FRAME_TRADE ? 1 : 0;
		free(copy);
	}
	ck_assert_int_gt(trades, 100); /* the mutants were not all garbage */
	ck_assert_int_lt(trades, 39900);
	ch_buf_free(&b);
	feed_gen_free(g);
}
END_TEST

/* The real frames, where they are at hand. */
START_TEST(real_frames_are_trades)
{
	char line[4096];
	FILE *file = fopen(REAL_FRAMES, "r");
	int n = 0;

	if (file == NULL) {
		printf("note: no " REAL_FRAMES ", only generated frames "
		       "were read\n");
		return;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		struct frame f = decode(ch_view_trim(ch_view_of(line)));

		ck_assert_msg(f.kind == FRAME_TRADE, "line %d: %s", n + 1,
			frame_reason_name(f.reason));
		ck_assert_ptr_nonnull(strstr(line, f.trade.tx));
		ck_assert_ptr_nonnull(strcasestr(line, f.trade.wallet));
		n++;
	}
	fclose(file);
	ck_assert_int_eq(n, 7);
}
END_TEST

SUITE_MAIN("frame", a_recorded_frame_is_read_field_by_field,
	numbers_may_come_in_strings_and_keep_their_text,
	each_wrong_field_is_refused_with_its_reason,
	the_limits_themselves_are_accepted, a_trade_from_the_future_is_refused,
	long_texts_are_cut_at_a_whole_character,
	frames_that_are_no_trades_are_told_apart,
	orders_matched_rows_carry_their_source,
	every_truncation_of_a_frame_is_refused,
	deep_wide_and_huge_frames_are_refused,
	generated_frames_are_read_back_exactly, mutated_frames_do_no_harm,
	real_frames_are_trades)
