/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A venue's fill is never lost: what is not applied of it leaves a letter and
 * takes no id, and the letter's record sent again is applied, once. Each case
 * runs whole batches of a topic of commands and one of fills against the
 * in-memory store. SEED= repeats the random one.
 */
#include "check_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "batch.h"
#include "mem_store.h"

#define DAY INT64_C(86400000000)
#define NOW (INT64_C(20778) * DAY) /* 2026-11-21T00:00:00Z */
#define LOWEST 20777
#define COMMANDS 0 /* indices of streams */
#define FILLS 1

static struct mem_store *store;
static struct batch batch;
static int64_t number;
static struct ch_time clock_now;
static struct ch_time record_at; /* of the next fill */
static bool read_again;		 /* after a restart of the partition */
static unsigned sent;

static void
set_up(void)
{
	struct command_limits limits = {.value_max = 4096};

	store = mem_store_new(MEM_STORE_SOUND);
	batch_init(&batch, &limits);
	(void)batch_add_stream(&batch, 1, 0, CH_VIEW("ledger.commands"));
	(void)batch_add_stream(&batch, 2, 0, CH_VIEW("market.fills"));
	batch_mark_fills(&batch, FILLS);
	clock_now.us = NOW;
	record_at = clock_now;
	read_again = false;
}

static void
tear_down(void)
{
	batch_free(&batch);
	mem_store_free(store);
}

static void
add(size_t stream, const char *text)
{
	(void)batch_add(&batch, stream,
		&(struct batch_record){.offset = sent++,
			.has_timestamp = stream == FILLS,
			.timestamp = record_at,
			.read_again = read_again,
			.key = CH_VIEW("k"),
			.value = ch_view_of(text)});
}

static void
add_order(const char *name)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"id\":\"%08llx-%04llx-7000-8000-%012x\",\"org\":\"acme\","
		"\"type\":\"order.place\",\"order\":\"%s\",\"market\":\"m\","
		"\"side\":\"BUY\",\"qty\":\"10\"}",
		(unsigned long long)(clock_now.us / 1000 >> 16),
		(unsigned long long)(clock_now.us / 1000 & 0xffff), sent, name);
	add(COMMANDS, text);
}

/* more: further members, or "". */
static void
add_fill(const char *fill, const char *order, const char *qty, const char *more)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"fill_id\":\"%s\",\"org\":\"acme\",\"order\":\"%s\","
		"\"qty\":\"%s\",\"traded_at\":\"2026-09-01T00:00:00Z\"%s}",
		fill, order, qty, more);
	add(FILLS, text);
}

static void
run(void)
{
	struct batch_context context = {
		.number = ++number, .lowest_day = LOWEST};
	struct ch_err err = CH_ERR_INIT;

	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, clock_now);
	mem_store_load_due(store, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
}

static void
place(const char *order)
{
	batch_clear(&batch);
	add_order(order);
	run();
	ck_assert_uint_eq(batch.out.log_count, 1);
}

/* The one fill of a batch of its own. */
static void
say_fill(const char *fill, const char *order, const char *qty, const char *more)
{
	batch_clear(&batch);
	add_fill(fill, order, qty, more);
	run();
}

/* Its letter and its answer say why, and nothing is logged. */
static void
expect_letter(const char *error_class, const char *reason)
{
	const struct rejected_row *letter = &batch.out.rejected[0];
	const struct answer_row *answer = &batch.out.answers[0];

	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_str_eq(letter->error_class, error_class);
	ck_assert_ptr_nonnull(memmem(letter->reason.ptr, letter->reason.len,
		reason, strlen(reason)));
	ck_assert_ptr_null(letter->sqlstate);
	ck_assert_uint_eq(batch.out.answer_count, 1);
	ck_assert_str_eq(answer->status_name, error_class);
	ck_assert_int_eq(answer->log_seq, letter->log_seq + 1);
	ck_assert_uint_eq(batch.counts.parked_fills, 1);
}

static void
expect_applied(const char *shows)
{
	ck_assert_uint_eq(batch.out.rejected_count, 0);
	ck_assert_uint_eq(batch.out.log_count, 1);
	ck_assert_int_eq(batch.out.log[0].status, STATUS_APPLIED);
	ck_assert_ptr_nonnull(memmem(batch.out.log[0].result.ptr,
		batch.out.log[0].result.len, shows, strlen(shows)));
	ck_assert_uint_eq(batch.counts.parked_fills, 0);
}

START_TEST(a_fill_before_its_order_waits_as_a_letter_and_counts_once)
{
	say_fill("f", "o", "4", "");
	expect_letter("order_not_found", "\"o\" was never placed");
	place("o");
	/* the relay sends it again: the same bytes, at another time or not */
	say_fill("f", "o", "4", "");
	expect_applied("\"filled\":\"4.00000000\"");
	record_at.us += 60000000;
	say_fill("f", "o", "4", "");
	expect_applied("\"confirmed\":true");
}
END_TEST

/* Its letter is there since then; deciding it again cannot count it twice. */
START_TEST(a_fill_that_is_read_again_is_decided_and_leaves_no_second_letter)
{
	read_again = true;
	say_fill("f", "o", "4", "");
	ck_assert_uint_eq(batch.out.rejected_count, 0);
	ck_assert_uint_eq(batch.counts.parked_fills, 0);
	ck_assert_str_eq(batch.out.answers[0].status_name, "order_not_found");
	read_again = false;
	place("o");
	read_again = true;
	say_fill("f", "o", "4", "");
	ck_assert_uint_eq(batch.out.log_count, 1);
	say_fill("f", "o", "4", "");
	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.rejected_count, 0);
}
END_TEST

START_TEST(within_one_batch_the_order_of_reading_decides)
{
	add_fill("f", "o", "4", "");
	add_order("o");
	add_fill("f", "o", "4", "");
	add_fill("f", "o", "4.0", "");
	run();
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_uint_eq(batch.out.log_count, 2);
	ck_assert_uint_eq(batch.counts.duplicates, 1);
	ck_assert_uint_eq(batch.counts.parked_fills, 1);
}
END_TEST

START_TEST(one_trade_fills_two_of_our_orders)
{
	place("bid");
	place("ask");
	say_fill("t", "bid", "4", "");
	expect_applied("\"order\":\"bid\"");
	say_fill("t", "ask", "4", "");
	expect_applied("\"order\":\"ask\"");
	say_fill("t", "ask", "4", ",\"source\":\"backfill\"");
	ck_assert_uint_eq(batch.counts.duplicates, 1);
}
END_TEST

/* The trade is of September, and the log's oldest day is in November. */
START_TEST(the_age_of_the_trade_refuses_nothing_the_age_of_the_record_does)
{
	place("o");
	record_at.us = LOWEST * DAY - 1000;
	say_fill("old", "o", "1", "");
	expect_letter("key_expired", "2026-11-19T23:59:59.999000Z");
	record_at.us = NOW + INT64_C(300001000);
	say_fill("ahead", "o", "1", "");
	expect_letter("key_in_future", "300 s ahead");
	record_at.us = NOW;
	say_fill("old", "o", "1", "");
	expect_applied("\"filled\":\"1.00000000\"");
	say_fill("ahead", "o", "1", "");
	expect_applied("\"filled\":\"2.00000000\"");
}
END_TEST

START_TEST(what_does_not_fit_the_books_is_kept_for_a_person)
{
	place("o");
	say_fill("f", "o", "11", "");
	expect_letter("illegal_order_move", "has 10.00000000 left");
	say_fill("f", "o", "0.000000001", "");
	expect_letter("invalid_amount", "fraction digits");
	say_fill("f", "o", "4", ",\"price\":\"0.50\"");
	expect_applied("\"filled\":\"4.00000000\"");
	say_fill("f", "o", "3", ",\"price\":\"0.5\"");
	expect_letter("fact_mismatch", "another qty");
	say_fill("f", "o", "4", ",\"price\":\"0.51\"");
	expect_letter("fact_mismatch", "another price");
	say_fill("f", "o", "4", "");
	expect_applied("\"confirmed\":true");
}
END_TEST

/* ---- any order, any split ---- */

#define ORDERS 4
#define TRADES 5 /* each fills every order, with 2 of its 10 */
#define REPORTS 3
#define ITEMS (ORDERS + ORDERS * TRADES * REPORTS)

/* What is still to be read: an order (trade -1), or a report of a fill. */
struct item {
	int order;
	int trade;
};

static void
shuffle(struct ch_rng *rng, struct item *items, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t at = (size_t)ch_rng_below(rng, i);
		struct item other = items[at];

		items[at] = items[i - 1];
		items[i - 1] = other;
	}
}

static size_t
make_items(struct item *items)
{
	size_t n = 0;

	for (int order = 0; order < ORDERS; order++) {
		items[n++] = (struct item){order, -1};
		for (int i = 0; i < TRADES * REPORTS; i++)
			items[n++] = (struct item){order, i % TRADES};
	}
	return n;
}

static void
add_item(const struct item *item)
{
	char order[8];
	char trade[8];

	(void)snprintf(order, sizeof(order), "o%d", item->order);
	(void)snprintf(trade, sizeof(trade), "t%d", item->trade);
	if (item->trade < 0)
		add_order(order);
	else
		add_fill(trade, order, sent % 2 == 0 ? "2" : "2.00", "");
}

/* One batch of them. The records of its letters come again: to again, whose
 * count is returned; *counted rises by the fills that were new. */
static size_t
run_items(const struct item *items, size_t n, struct item *again, int *counted)
{
	size_t letters = 0;

	batch_clear(&batch);
	for (size_t i = 0; i < n; i++)
		add_item(&items[i]);
	run();
	for (size_t i = 0; i < batch.out.rejected_count; i++) {
		const struct rejected_row *letter = &batch.out.rejected[i];
		size_t at = 0;

		ck_assert_str_eq(letter->error_class, "order_not_found");
		while (batch.entries[at] != letter->entry)
			at++;
		again[letters++] = items[at];
	}
	for (size_t i = 0; i < batch.out.log_count; i++) {
		const struct log_row *row = &batch.out.log[i];

		ck_assert_int_eq(row->status, STATUS_APPLIED);
		*counted += row->changes.ptr != NULL &&
			ch_view_eq_str(row->type, "order.fill");
	}
	return letters;
}

/* Every report comes at a time of its own, or at that of others. */
static int
play(struct ch_rng *rng)
{
	struct item items[ITEMS];
	struct item again[ITEMS];
	size_t n = make_items(items);
	int counted = 0;

	while (n > 0) {
		size_t letters = 0;

		shuffle(rng, items, n);
		for (size_t at = 0, some; at < n; at += some) {
			some = 1 + (size_t)ch_rng_below(rng, n - at);
			record_at.us += 1000 * (int64_t)ch_rng_below(rng, 3);
			letters += run_items(&items[at], some, &again[letters],
				&counted);
		}
		n = letters;
		memcpy(items, again, n * sizeof(*items));
	}
	return counted;
}

START_TEST(however_they_are_read_each_fill_counts_once)
{
	struct ch_rng rng;
	char *dump;
	size_t whole = 0;

	ch_rng_seed(&rng, suite_seed());
	for (int turn = 0; turn < 50; turn++) {
		tear_down();
		set_up();
		ck_assert_int_eq(play(&rng), ORDERS * TRADES);
		dump = mem_store_dump(store);
		whole = 0;
		for (const char *at = dump;
			(at = strstr(at, "\"filled\"")) != NULL; at++)
			whole += strncmp(at, "\"filled\":1000000000,", 20) == 0;
		ck_assert_msg(whole == ORDERS, "%zu are whole: %s", whole,
			dump);
		free(dump);
	}
}
END_TEST

/* Both are number 1 of partition 0 of their topic. */
START_TEST(two_topics_give_no_place_twice)
{
	char seq[2][32];
	const char *at;

	add_order("o");
	add_fill("f", "o", "1", "");
	run();
	ck_assert_uint_eq(batch.out.log_count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(batch.out.log[i].log_seq, 1);
		at = memmem(batch.out.log[i].result.ptr,
			batch.out.log[i].result.len, "\"seq\":", 6);
		ck_assert_ptr_nonnull(at);
		(void)snprintf(seq[i], sizeof(seq[i]), "%.11s", at);
	}
	ck_assert_str_eq(seq[0], "\"seq\":\"1-1\"");
	ck_assert_str_eq(seq[1], "\"seq\":\"2-1\"");
}
END_TEST

/* A producer's command is answered, and takes its id as ever. */
START_TEST(a_command_leaves_no_letter)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"id\":\"%08llx-%04llx-7000-8000-%012x\",\"org\":\"acme\","
		"\"type\":\"order.fill\",\"order\":\"o\",\"fill\":\"f\","
		"\"qty\":\"1\"}",
		(unsigned long long)(NOW / 1000 >> 16),
		(unsigned long long)(NOW / 1000 & 0xffff), 1U);
	add(COMMANDS, text);
	run();
	ck_assert_uint_eq(batch.out.rejected_count, 0);
	ck_assert_uint_eq(batch.out.log_count, 1);
	ck_assert_int_eq(batch.out.log[0].status, STATUS_ORDER_NOT_FOUND);
}
END_TEST

START_TEST(what_cannot_be_read_has_no_answer)
{
	add(FILLS, "{");
	run();
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_str_eq(batch.out.rejected[0].error_class, "malformed");
	ck_assert_uint_eq(batch.out.answer_count, 0);
	ck_assert_uint_eq(batch.counts.parked_fills, 1);
}
END_TEST

FIXTURE_MAIN("facts", set_up, tear_down,
	a_fill_before_its_order_waits_as_a_letter_and_counts_once,
	a_fill_that_is_read_again_is_decided_and_leaves_no_second_letter,
	within_one_batch_the_order_of_reading_decides,
	one_trade_fills_two_of_our_orders,
	the_age_of_the_trade_refuses_nothing_the_age_of_the_record_does,
	what_does_not_fit_the_books_is_kept_for_a_person,
	however_they_are_read_each_fill_counts_once,
	two_topics_give_no_place_twice, a_command_leaves_no_letter,
	what_cannot_be_read_has_no_answer)
