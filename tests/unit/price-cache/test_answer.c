/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"
#include "base/json.h"
#include "desk_world.h"
#include "update.h"

static char detail[ANSWER_DETAIL_MAX];
static struct market_id ids[100];
static size_t count;

static enum ids_problem
parse(const char *text)
{
	return answer_parse_ids(ch_view_of(text), 100, ids, &count, detail);
}

START_TEST(ids_are_a_list_of_at_most_100)
{
	struct ch_buf b = CH_BUF_INIT;
	char id[MARKET_ID_TEXT + 1];

	ck_assert_int_eq((int)parse(""), IDS_EMPTY);
	ck_assert_int_eq((int)parse(","), IDS_MALFORMED);
	ck_assert_int_eq((int)parse("abc"), IDS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(detail, "\"abc\" (number 1)"));
	for (unsigned n = 0; n < 101; n++) {
		struct market_id m = id_of(n);

		market_id_format(&m, id);
		ch_buf_printf(&b, "%s%s", n > 0 ? "," : "", id);
		if (n == 99) {
			ck_assert_int_eq((int)parse(b.ptr), IDS_OK);
			ck_assert_uint_eq(count, 100);
		}
	}
	ck_assert_int_eq((int)parse(b.ptr), IDS_TOO_MANY);
	ch_buf_clear(&b);
	ch_buf_printf(&b, "%s,%s,%s", id, id, id);
	ck_assert_int_eq((int)parse(b.ptr), IDS_OK);
	ck_assert_uint_eq(count, 1);
	ch_buf_adds(&b, ",");
	ck_assert_int_eq((int)parse(b.ptr), IDS_MALFORMED);
	ch_buf_free(&b);
}
END_TEST

START_TEST(a_problem_is_json_whatever_the_client_sent)
{
	struct ch_buf b = CH_BUF_INIT;
	struct ch_arena arena = CH_ARENA_INIT;

	ck_assert_int_eq((int)parse("\"\x01\xff}\\"), IDS_MALFORMED);
	answer_problem(&b, 400, "Bad Request", detail);
	ck_assert_ptr_nonnull(ch_json_parse(&arena, ch_buf_view(&b), 100,
		NULL));
	ch_arena_free(&arena);
	ch_buf_free(&b);
}
END_TEST

START_TEST(etags_match_as_lists_do)
{
	ck_assert(answer_matches(CH_VIEW("\"a\""), "\"a\""));
	ck_assert(answer_matches(CH_VIEW("\"b\", W/\"a\""), "\"a\""));
	ck_assert(answer_matches(CH_VIEW("*"), "\"a\""));
	ck_assert(!answer_matches(CH_VIEW("\"b\""), "\"a\""));
	ck_assert(!answer_matches(CH_VIEW("a"), "\"a\""));
	ck_assert(!answer_matches(CH_VIEW(""), "\"a\""));
}
END_TEST

static struct answer
render_at(struct desk *d, const struct market_id *which, size_t n, int64_t now)
{
	struct answer a = {.body = CH_BUF_INIT};
	struct question *q = desk_ask(d, which, n, at_ms(now));

	ck_assert_uint_eq(q->pending, 0);
	answer_render(&a, d, q, at_ms(now));
	desk_close(d, q);
	return a;
}

/* The body, and with it the ETag, stays while nothing changes. */
START_TEST(headers_say_how_good_the_answer_is)
{
	struct desk_limits limits = world_limits();
	struct desk *d =
		desk_new(&limits, 1, world_received, NULL, at_ms(0).mono);
	struct market_id one = id_of(1);
	struct price_list l = {NULL, 0, 0, 0};
	struct desk_call call;
	struct desk_answer told;
	struct answer a, b;
	struct question *q = desk_ask(d, &one, 1, at_ms(0));

	(void)q;
	ck_assert(desk_next_call(d, &call, at_ms(2)));
	world_add(&l, world_price(one, 250, MARKET_OPEN, true));
	told = (struct desk_answer){
		call.id, DESK_ANSWERED, REASON_NONE, -1, &l};
	desk_answer(d, &told, at_ms(10));
	desk_close(d, desk_next_done(d));
	a = render_at(d, &one, 1, 100);
	b = render_at(d, &one, 1, 1900);
	ck_assert_str_eq(a.etag, b.etag);
	ck_assert_str_eq(a.cache_status, "price-cache; hit; ttl=1");
	ck_assert_str_eq(b.cache_status, "price-cache; hit; ttl=0");
	ck_assert_str_eq(a.cache_control,
		"public, max-age=1, stale-while-revalidate=2");
	ck_assert_str_eq(a.age, "0");
	ck_assert_str_eq(b.age, "1");
	ck_assert_ptr_nonnull(strstr(a.body.ptr,
		"\"prices\":[\"0.250\",\"0.750\"]"));
	ch_buf_free(&a.body);
	ch_buf_free(&b.body);
	desk_free(d);
}
END_TEST

START_TEST(pinned_answers_may_be_kept_for_good)
{
	struct desk_limits limits = world_limits();
	struct desk *d =
		desk_new(&limits, 1, world_received, NULL, at_ms(0).mono);
	struct market_id one = id_of(1);
	struct answer a;

	desk_restore(d, world_price(one, 1, MARKET_RESOLVED, true),
		UPSTREAM_FALLBACK, at_ms(-5000).wall, at_ms(0));
	a = render_at(d, &one, 1, 100);
	ck_assert_str_eq(a.cache_control,
		"public, max-age=31536000, immutable");
	ck_assert_ptr_nonnull(strstr(a.body.ptr, "\"status\":\"pinned\""));
	ck_assert_ptr_nonnull(strstr(a.body.ptr, "\"source\":\"fallback\""));
	ch_buf_free(&a.body);
	desk_free(d);
}
END_TEST

static struct update *
update_at(unsigned n, int milli, int64_t now)
{
	struct update *u = calloc(1, sizeof(*u));

	u->price = world_price(id_of(n), milli, MARKET_OPEN, true);
	u->as_of = at_ms(now).wall;
	return u;
}

START_TEST(only_the_latest_update_of_a_market_waits)
{
	struct latest *l = latest_new(3);
	struct update *u;

	ck_assert(!latest_put(l, update_at(1, 100, 0)));
	ck_assert(!latest_put(l, update_at(1, 200, 5)));
	ck_assert(!latest_put(l, update_at(1, 300, 1))); /* older */
	ck_assert(!latest_put(l, update_at(2, 1, 0)));
	ck_assert(!latest_put(l, update_at(3, 1, 0)));
	ck_assert_uint_eq(latest_count(l), 3);
	ck_assert(latest_put(l, update_at(4, 1, 0))); /* 1 is dropped */
	u = latest_take(l);
	ck_assert(market_id_eq(&u->price->id,
		&(struct market_id){{0x11, [31] = 2}}));
	update_free(u);
	latest_free(l);
	l = latest_new(2);
	(void)latest_put(l, update_at(1, 100, 0));
	(void)latest_put(l, update_at(1, 200, 5));
	u = latest_take(l);
	ck_assert_str_eq(u->price->outcome[0].text, "0.200");
	update_free(u);
	ck_assert_ptr_null(latest_take(l));
	latest_free(l);
}
END_TEST

SUITE_MAIN("answer", ids_are_a_list_of_at_most_100,
	a_problem_is_json_whatever_the_client_sent, etags_match_as_lists_do,
	headers_say_how_good_the_answer_is, pinned_answers_may_be_kept_for_good,
	only_the_latest_update_of_a_market_waits)
