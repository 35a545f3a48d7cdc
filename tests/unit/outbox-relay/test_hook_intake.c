/* SPDX-License-Identifier: Apache-2.0 */
/* hook_intake: statements are bounded, and an event is held until the last. */
#include "check_suite.h"

#include "base/mem.h"
#include "hook_intake.h"
#include "rows.h"

#define BIG 3000000

static struct endpoints endpoints;
static struct inflight *inflight;
static struct hook_intake in;

/* Five endpoints want stock, one of them prices too. */
static void
set_up(void)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	int i;

	for (i = 0; i < 5; i++)
		ch_buf_printf(&text,
			"[e%d]\nurl = https://h.example/\nsign = false\n"
			"aggregatetype = stock%s\n",
			i, i == 2 ? ", price" : "");
	ck_assert_msg(endpoints_parse(ch_buf_view(&text), "e", &endpoints,
			      &err) == CH_OK,
		"%s", err.text);
	ch_buf_free(&text);
	inflight = inflight_new();
	hook_intake_init(&in, &endpoints, inflight);
}

static void
tear_down(void)
{
	hook_intake_free(&in);
	inflight_free(inflight);
	endpoints_free(&endpoints);
}

static struct event *
take(int64_t seq, const char *type, size_t bytes)
{
	char *payload = ch_xmalloc(bytes + 1);
	struct event *e;

	memset(payload, 'x', bytes);
	payload[bytes] = '\0';
	inflight_begin(inflight, (struct ch_time){seq});
	inflight_add(inflight, outbox_row(seq, type, "k", payload));
	inflight_end(inflight, (uint64_t)seq, NULL);
	free(payload);
	e = inflight_next(inflight);
	ck_assert_ptr_nonnull(e);
	e->state = EVENT_SENT;
	hook_intake_take(&in, e);
	inflight_done(inflight, e);
	return e;
}

static void
expect_fill(size_t rows)
{
	struct hook_rows *r = hook_intake_fill(&in);

	ck_assert_uint_eq(r->count, rows);
	ck_assert_uint_lt(r->bytes, HOOK_INTAKE_BYTES + BIG + 100);
}

static bool
is_held(void)
{
	(void)inflight_advance(inflight);
	return !inflight_is_empty(inflight);
}

START_TEST(a_large_event_goes_out_a_few_rows_at_a_time)
{
	(void)take(1, "stock", BIG);
	(void)take(2, "price", 10);
	expect_fill(2);
	ck_assert_uint_eq(hook_intake_done(&in), 0x03);
	ck_assert(is_held());
	expect_fill(2);
	ck_assert_uint_eq(hook_intake_done(&in), 0x0c);
	ck_assert(is_held());
	expect_fill(2); /* its last one, and the other event's */
	ck_assert_uint_eq(hook_intake_done(&in), 0x14);
	ck_assert(!is_held());
	ck_assert_uint_eq(in.count, 0);
}
END_TEST

START_TEST(what_failed_is_filled_once_more)
{
	(void)take(1, "stock", BIG);
	expect_fill(2);
	hook_intake_undone(&in);
	expect_fill(2);
	ck_assert_uint_eq(hook_intake_done(&in), 0x03);
	expect_fill(2);
	hook_intake_undone(&in);
	expect_fill(2);
	ck_assert_uint_eq(hook_intake_done(&in), 0x0c);
	ck_assert(is_held());
}
END_TEST

START_TEST(rows_are_bounded_too)
{
	size_t left = 5 * 333, n;
	int64_t seq;

	for (seq = 1; seq <= 333; seq++)
		(void)take(seq, "stock", 10);
	for (; left > 0; left -= n) {
		n = left < HOOK_INTAKE_ROWS ? left : HOOK_INTAKE_ROWS;
		ck_assert(is_held());
		expect_fill(n);
		(void)hook_intake_done(&in);
	}
	ck_assert(!is_held());
}
END_TEST

START_TEST(what_was_dropped_is_done_by_nobody)
{
	(void)take(1, "stock", 10);
	expect_fill(5);
	hook_intake_drop(&in);
	ck_assert_uint_eq(hook_intake_done(&in), 0);
	ck_assert_uint_eq(in.count, 0);
}
END_TEST

START_TEST(what_nobody_wants_is_not_held)
{
	(void)take(1, "order", 10);
	ck_assert_uint_eq(in.count, 0);
	ck_assert(!is_held());
}
END_TEST

FIXTURE_MAIN("hook_intake", set_up, tear_down,
	a_large_event_goes_out_a_few_rows_at_a_time,
	what_failed_is_filled_once_more, rows_are_bounded_too,
	what_was_dropped_is_done_by_nobody, what_nobody_wants_is_not_held)
