/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read from upstream answers, made up ones and, where they are there,
 * the real Gamma objects of ../shared/data.
 */
#include <unistd.h>

#include "base/mem.h"
#include "price.h"
#include "suite.h"

#define ID "0xd1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e6"
#define REAL_PAGE "../shared/data/gamma-markets-page-original.json"
#define REAL_XZ "../shared/data/gamma-markets-objects-4500.jsonl.xz"

static struct price_list
gamma_of(const char *body, int want)
{
	struct price_list l = {NULL, 0, 0, 0};
	struct ch_err err = CH_ERR_INIT;
	int rc = price_decode_gamma(&l, ch_view_of(body), &err);

	ck_assert_msg(rc == want, "%d: %s for %.80s", rc, err.text, body);
	return l;
}

static char *
market_with(const char *outcomes, const char *prices, const char *closed)
{
	struct ch_buf b = CH_BUF_INIT;

	ch_buf_printf(&b,
		"[{\"conditionId\":\"" ID "\",\"question\":\"q\xc3\xa9?\","
		"\"outcomes\":%s,\"outcomePrices\":%s,\"closed\":%s,"
		"\"clobTokenIds\":\"[\\\"12\\\",\\\"34\\\"]\"}]",
		outcomes, prices, closed);
	return b.ptr;
}

static void
check_market(const char *outcomes, const char *prices, const char *closed,
	int state)
{
	char *body = market_with(outcomes, prices, closed);
	struct price_list l = gamma_of(body, 0);

	if (state < 0) {
		ck_assert_msg(l.count == 0 && l.bad == 1, "%s", body);
	} else {
		ck_assert_msg(l.count == 1 && l.bad == 0, "%s", body);
		ck_assert_msg((int)l.items[0]->state == state, "%s", body);
	}
	price_list_free(&l);
	free(body);
}

#define YN "\"[\\\"Yes\\\",\\\"No\\\"]\""
#define P(a, b) "\"[\\\"" a "\\\",\\\"" b "\\\"]\""

START_TEST(a_market_is_read_from_arrays_inside_strings)
{
	char *body = market_with(YN, P("0.135", "0.865"), "false");
	struct price_list l = gamma_of(body, 0);
	const struct price *p;

	ck_assert_uint_eq(l.count, 1);
	p = l.items[0];
	ck_assert_int_eq(p->count, 2);
	ck_assert_str_eq(p->outcome[0].name, "Yes");
	ck_assert_str_eq(p->outcome[0].text, "0.135");
	ck_assert_str_eq(p->outcome[1].text, "0.865");
	ck_assert_str_eq(p->outcome[1].token, "34");
	ck_assert_str_eq(p->question, "q\xc3\xa9?");
	ck_assert(price_has_tokens(p));
	price_list_free(&l);
	free(body);
}
END_TEST

START_TEST(only_a_closed_market_with_one_winner_is_resolved)
{
	check_market(YN, P("0.5", "0.5"), "false", MARKET_OPEN);
	check_market(YN, P("1", "0"), "false", MARKET_OPEN);
	check_market(YN, P("1", "0"), "true", MARKET_RESOLVED);
	check_market(YN, P("0", "1.000"), "true", MARKET_RESOLVED);
	check_market(YN, P("0", "0"), "true", MARKET_CLOSED);
	check_market(YN, P("1", "1"), "true", MARKET_CLOSED);
	check_market(YN, P("0.5", "0.5"), "true", MARKET_CLOSED);
	check_market(YN, P("0.9999", "0.0001"), "true", MARKET_CLOSED);
	check_market("[\"only\"]", "[\"1\"]", "true", MARKET_CLOSED);
	check_market("[\"a\",\"b\",\"c\"]", "[0,1,0]", "true", MARKET_RESOLVED);
	check_market("[\"a\",\"b\",\"c\"]", "[0.5,1,0]", "true", MARKET_CLOSED);
}
END_TEST

START_TEST(what_is_no_price_is_bad)
{
	static const char *const bad[] = {P("NaN", "0.5"), P("0.5", "1.5"),
		P("-0.1", "0.5"), P("", "0.5"), P("1e-3", "0.5"),
		P("0x1", "0.5"), P("00.5", "0.5"), P(".5", "0.5"),
		P("0.5", "1.0000000001"), P(" 0.5", "0.5"), "null", "true",
		"\"0\"", "{}", "\"[\\\"0.5\\\"]\"", "\"[\"", "\"\"",
		"[\"0.5\",null]", "[[0.5],0.5]", "[0.5,0.5,0.5]",
		P("0.1234567890123456789012345678901234567890", "0.5"),
		"[2e0,0.5]"};

	for (size_t i = 0; i < COUNT(bad); i++)
		check_market(YN, bad[i], "false", -1);
	check_market("\"[]\"", "\"[]\"", "false", -1);
	check_market("\"[1,2]\"", P("0.5", "0.5"), "false", -1);
	check_market("null", P("0.5", "0.5"), "false", -1);
	check_market(YN, P("0.5", "0.5"), "\"false\"", -1);
	check_market(YN, P("0.5", "0.5"), "null", -1);
}
END_TEST

START_TEST(an_answer_that_is_not_the_agreed_shape_is_refused_whole)
{
	static const char *const wrong[] = {"", "<html>", "{}", "null", "7",
		"[{\"conditionId\":", "[NaN]", "[1,]", "[1] 2", "\"[]\"",
		"\xff\xfe", "[{\"a\":1,\"a\":2}]"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct price_list l = gamma_of(wrong[i], CH_EPROTO);

		ck_assert_uint_eq(l.count, 0);
		price_list_free(&l);
	}
}
END_TEST

START_TEST(wrong_elements_do_not_hide_the_good_ones)
{
	char *good = market_with(YN, P("0.2", "0.8"), "false");
	struct ch_buf b = CH_BUF_INIT;
	struct price_list l;

	good[strlen(good) - 1] = '\0';
	ch_buf_printf(&b, "%s,7,null,{},[],{\"conditionId\":\"0x1\"}]", good);
	l = gamma_of(b.ptr, 0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert_uint_eq(l.bad, 5);
	price_list_free(&l);
	ch_buf_free(&b);
	free(good);
}
END_TEST

START_TEST(a_long_name_is_cut_between_characters)
{
	struct ch_buf names = CH_BUF_INIT;
	struct price_list l;
	char *body;

	ch_buf_adds(&names, "[\"");
	for (int i = 0; i < 100; i++)
		ch_buf_adds(&names, "\xe2\x82\xac");
	ch_buf_adds(&names, "\",\"No\"]");
	body = market_with(names.ptr, P("0.2", "0.8"), "false");
	l = gamma_of(body, 0);
	ck_assert_uint_eq(strlen(l.items[0]->outcome[0].name), 63);
	ck_assert(ch_view_is_utf8(ch_view_of(l.items[0]->outcome[0].name)));
	price_list_free(&l);
	free(body);
	ch_buf_free(&names);
}
END_TEST

#define CLOB(tokens)                                                           \
	"{\"condition_id\":\"" ID "\",\"closed\":true,"                        \
	"\"question\":\"q\",\"tokens\":" tokens "}"

START_TEST(the_fallbacks_shape_is_read_too)
{
	struct price_list l = {NULL, 0, 0, 0};
	static const char good[] =
		CLOB("[{\"token_id\":\"12\",\"outcome\":\"Yes\",\"price\":1},"
		     "{\"token_id\":\"34\",\"outcome\":\"No\",\"price\":0}]");
	static const char *const bad[] = {CLOB("[]"), CLOB("null"),
		CLOB("[{\"token_id\":\"\",\"outcome\":\"Y\",\"price\":1}]"),
		CLOB("[{\"token_id\":\"1\",\"outcome\":\"Y\",\"price\":2}]"),
		CLOB("[{\"token_id\":1,\"outcome\":\"Y\",\"price\":1}]"),
		CLOB("[7]"), "{}"};

	ck_assert_int_eq(price_decode_clob(&l, CH_VIEW(good), NULL), 0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert_int_eq((int)l.items[0]->state, MARKET_RESOLVED);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(
			price_decode_clob(&l, ch_view_of(bad[i]), NULL), 0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert_uint_eq(l.bad, COUNT(bad));
	ck_assert_int_eq(price_decode_clob(&l, CH_VIEW("[]"), NULL), CH_EPROTO);
	price_list_free(&l);
}
END_TEST

START_TEST(midpoints_take_the_names_of_the_price_before)
{
	char *body = market_with(YN, P("0.2", "0.8"), "false");
	struct price_list base = gamma_of(body, 0);
	struct price_list l = {NULL, 0, 0, 0};

	ck_assert_int_eq(
		price_decode_midpoints(&l,
			CH_VIEW("{\"34\":\"0.75\",\"12\":\"0.25\",\"99\":\"x\"}"),
			base.items, 1, NULL),
		0);
	ck_assert_uint_eq(l.count, 1);
	ck_assert_str_eq(l.items[0]->outcome[0].name, "Yes");
	ck_assert_str_eq(l.items[0]->outcome[0].text, "0.25");
	price_list_free(&l);
	/* one token missing: absent; one that is no price: bad */
	ck_assert_int_eq(price_decode_midpoints(&l,
				 CH_VIEW("{\"12\":\"0.25\"}"), base.items, 1,
				 NULL),
		0);
	ck_assert_uint_eq(l.count + l.bad, 0);
	ck_assert_int_eq(price_decode_midpoints(&l,
				 CH_VIEW("{\"12\":\"NaN\",\"34\":\"0.5\"}"),
				 base.items, 1, NULL),
		0);
	ck_assert_uint_eq(l.bad, 1);
	ck_assert_int_eq(price_decode_midpoints(&l, CH_VIEW("[]"), base.items,
				 1, NULL),
		CH_EPROTO);
	price_list_free(&l);
	price_list_free(&base);
	free(body);
}
END_TEST

START_TEST(ids_are_read_strictly)
{
	static const char *const bad[] = {"", "0x", "0x12",
		"d1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e6",
		"0xd1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e",
		ID "0",
		"0xg1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e6",
		"0Xd1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e6",
		" xd1d3b82669fe1caf09358fa0691a4549855fe507f6c8de49ce99a371428094e6"};
	struct market_id id;
	char text[MARKET_ID_TEXT + 1];

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!market_id_parse(ch_view_of(bad[i]), &id), "%s",
			bad[i]);
	ck_assert(market_id_parse(
		CH_VIEW("0xD1D3B82669FE1CAF09358FA0691A4549855FE507F6C8DE49CE99A371428094E6"),
		&id));
	market_id_format(&id, text);
	ck_assert_str_eq(text, ID);
}
END_TEST

/* ---- real data ---- */

static struct ch_buf
read_all(const char *path, bool xz)
{
	struct ch_buf b = CH_BUF_INIT;
	char chunk[16384];
	size_t n;
	char command[256];
	FILE *f;

	(void)snprintf(command, sizeof(command), "xz -dc %s", path);
	/* lint: no xz library for the sake of one file of a test */
	f = xz ? popen(command, "r") /* lint: allow popen, see above */
	       : fopen(path, "r");
	if (f == NULL)
		return b;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		ch_buf_add(&b, chunk, n);
	(void)(xz ? pclose(f) : fclose(f));
	return b;
}

START_TEST(every_real_object_is_read)
{
	struct ch_buf lines = CH_BUF_INIT;
	struct ch_view rest, line;
	size_t seen = 0;

	if (access(REAL_XZ, R_OK) != 0) {
		printf("real Gamma objects are not there (%s): not read\n",
			REAL_XZ);
		return;
	}
	lines = read_all(REAL_XZ, true);
	rest = ch_buf_view(&lines);
	while (ch_view_split(&rest, '\n', &line)) {
		struct price_list l = {NULL, 0, 0, 0};
		struct ch_buf body = CH_BUF_INIT;

		if (line.len == 0)
			continue;
		ch_buf_printf(&body, "[%.*s]", CH_VIEW_ARG(line));
		ck_assert_int_eq(
			price_decode_gamma(&l, ch_buf_view(&body), NULL), 0);
		seen++;
		/* all are open, have two outcomes and two tokens */
		ck_assert_uint_eq(l.count, 1);
		ck_assert_int_eq((int)l.items[0]->state, MARKET_OPEN);
		ck_assert_int_eq(l.items[0]->count, 2);
		ck_assert(price_has_tokens(l.items[0]));
		price_list_free(&l);
		ch_buf_free(&body);
	}
	ck_assert_uint_eq(seen, 4500);
	ch_buf_free(&lines);
}
END_TEST

START_TEST(a_real_page_is_read)
{
	struct ch_buf text = CH_BUF_INIT;
	struct price_list l = {NULL, 0, 0, 0};
	const char *from;

	if (access(REAL_PAGE, R_OK) != 0) {
		printf("the real Gamma page is not there (%s): not read\n",
			REAL_PAGE);
		return;
	}
	text = read_all(REAL_PAGE, false);
	from = strstr(text.ptr, "\"markets\":") + 10;
	while (text.len > 0 && text.ptr[text.len - 1] != ']')
		text.len--;
	ck_assert_int_eq(price_decode_gamma(&l,
				 (struct ch_view){from,
					 text.len - (size_t)(from - text.ptr)},
				 NULL),
		0);
	ck_assert_uint_eq(l.count, 25);
	ck_assert_uint_eq(l.bad, 0);
	ck_assert_str_eq(l.items[0]->outcome[0].text, "0.135");
	price_list_free(&l);
	ch_buf_free(&text);
}
END_TEST

/* Bytes changed at random must never do harm; sanitizer builds see the rest. */
START_TEST(broken_answers_do_no_harm)
{
	char *good = market_with(YN, P("0.2", "0.8"), "false");
	size_t n = strlen(good);
	struct ch_rng rng;

	ch_rng_seed(&rng, suite_seed());
	for (int i = 0; i < 20000; i++) {
		struct price_list l = {NULL, 0, 0, 0};
		char *copy = ch_xmalloc(n);
		size_t len = 1 + ch_rng_below(&rng, n);

		memcpy(copy, good, n);
		for (uint64_t k = ch_rng_below(&rng, 4); k > 0; k--)
			copy[ch_rng_below(&rng, n)] =
				(char)ch_rng_below(&rng, 256);
		if (ch_rng_chance(&rng, 1, 2))
			len = n;
		(void)price_decode_gamma(&l, (struct ch_view){copy, len}, NULL);
		(void)price_decode_clob(&l, (struct ch_view){copy, len}, NULL);
		price_list_free(&l);
		free(copy);
	}
	free(good);
}
END_TEST

SUITE_MAIN("price", a_market_is_read_from_arrays_inside_strings,
	only_a_closed_market_with_one_winner_is_resolved,
	what_is_no_price_is_bad,
	an_answer_that_is_not_the_agreed_shape_is_refused_whole,
	wrong_elements_do_not_hide_the_good_ones,
	a_long_name_is_cut_between_characters, the_fallbacks_shape_is_read_too,
	midpoints_take_the_names_of_the_price_before, ids_are_read_strictly,
	every_real_object_is_read, a_real_page_is_read,
	broken_answers_do_no_harm)
