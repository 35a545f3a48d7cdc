/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meanings of semantics.md, one test each: gates and their order, the
 * precedence, boundaries of time, what takes an id. Each case runs whole
 * batches against the in-memory store.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "batch.h"
#include "mem_store.h"

#define DAY INT64_C(86400000000)
#define NOW (INT64_C(20778) * DAY) /* 2026-11-21T00:00:00Z */

static struct mem_store *store;
static struct batch batch;
static struct batch_context context;
static struct ch_time clock_now;
static struct batch_pause pause_row;
static struct ch_view paused_type;

static void
set_up(void)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};

	store = mem_store_new(MEM_STORE_SOUND);
	batch_init(&batch, &limits);
	(void)batch_add_stream(&batch, 1, 0, CH_VIEW("ledger.commands"));
	context = (struct batch_context){.lowest_day = 20777};
	clock_now.us = NOW;
}

static void
tear_down(void)
{
	batch_free(&batch);
	mem_store_free(store);
}

/* A command's text: id from the clock and n; body without braces. */
static char *
text_of(unsigned n, const char *body)
{
	static char text[4096];
	int64_t ms = clock_now.us / 1000;

	(void)snprintf(text, sizeof(text),
		"{\"id\":\"%08llx-%04llx-7000-8000-"
		"%012x\",\"org\":\"acme\",%s}",
		(unsigned long long)(ms >> 16),
		(unsigned long long)(ms & 0xffff), n, body);
	return text;
}

static void
add(const char *text)
{
	(void)batch_add(&batch, 0,
		&(struct batch_record){.offset = (int64_t)batch.count,
			.key = CH_VIEW("acme/x"),
			.value = ch_view_of(text)});
}

static void
load(void)
{
	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, clock_now);
	mem_store_load_due(store, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
}

static void
decide(void)
{
	struct ch_err err = CH_ERR_INIT;

	context.number++;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
}

static void
run(void)
{
	load();
	decide();
	mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
}

/* One command, one batch; its answer. */
static const char *
say_text(const char *text)
{
	static char *answer;
	struct ch_view result = {NULL, 0};

	batch_clear(&batch);
	add(text);
	run();
	if (batch.out.answer_count > 0)
		result = batch.out.answers[batch.out.answer_count - 1].result;
	else if (batch.out.log_count > 0)
		result = batch.out.log[batch.out.log_count - 1].result;
	free(answer);
	answer = ch_xviewdup(result);
	return answer;
}

static const char *
say(unsigned n, const char *body)
{
	return say_text(text_of(n, body));
}

static void
expect(const char *answer, const char *part)
{
	ck_assert_msg(strstr(answer, part) != NULL, "\"%s\" not in %s", part,
		answer);
}

static void
expect_status(const char *answer, const char *status)
{
	char part[64];

	(void)snprintf(part, sizeof(part), "\"status\":\"%s\"", status);
	expect(answer, part);
}

#define DEFINE(a, s)                                                           \
	"\"type\":\"asset.define\",\"asset\":\"" a "\",\"scale\":" s
#define OPEN(a, more)                                                          \
	"\"type\":\"account.open\",\"account\":\"" a "\",\"asset\":\"USD\"" more
#define MOVE(f, t, a)                                                          \
	"{\"from\":\"" f "\",\"to\":\"" t "\",\"amount\":\"" a "\"}"
#define POST(moves) "\"type\":\"transfer.post\",\"moves\":[" moves "]"
#define RECEIVE(k, q)                                                          \
	"\"type\":\"stock.receive\",\"sku\":\"" k "\",\"qty\":\"" q "\""
#define RESERVE(k, q, more)                                                    \
	"\"type\":\"stock.reserve\",\"sku\":\"" k "\",\"qty\":\"" q "\"" more
#define COMMIT(r, more)                                                        \
	"\"type\":\"reservation.commit\",\"reservation\":\"" r "\"" more
#define RELEASE(r) "\"type\":\"reservation.release\",\"reservation\":\"" r "\""
#define NAMED(r) ",\"reservation\":\"" r "\""
#define UNTIL(t) ",\"expires_at\":\"2026-11-21T" t "Z\""

/* World (no floor) and a (100.00), b (0.00), floors of zero. */
static void
open_accounts(void)
{
	static const char *const bodies[] = {DEFINE("USD", "2"),
		DEFINE("EUR", "2"), OPEN("world", ",\"floor\":null"),
		OPEN("a", ""), OPEN("b", ""), POST(MOVE("world", "a", "100"))};

	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		expect_status(say(900 + i, bodies[i]), "applied");
}

/* ---- gates ---- */

/* The books' time may be ahead of the clock's: it never goes back. */
START_TEST(an_id_is_too_new_by_the_clock_and_known_by_the_books)
{
	char taken[4096];

	clock_now.us = NOW + 10 * DAY;
	(void)snprintf(taken, sizeof(taken), "%s",
		text_of(1, DEFINE("USD", "2")));
	expect_status(say_text(taken), "applied");
	context.ahead_us = 10 * DAY; /* the clock is set right */
	expect(say_text(taken), "\"duplicate\":true");
	expect_status(say(1, DEFINE("USD", "3")), "key_reused");
	expect_status(say(2, DEFINE("EUR", "2")), "key_in_future");
	clock_now.us = NOW + LEDGER_FUTURE_US;
	expect_status(say(3, DEFINE("EUR", "2")), "applied");
	clock_now.us = NOW + LEDGER_FUTURE_US + 1000;
	expect_status(say(4, DEFINE("JPY", "0")), "key_in_future");
}
END_TEST

START_TEST(a_stored_answer_comes_again_marked)
{
	char *first = ch_xstrdup(say(1, DEFINE("USD", "2")));
	const char *again = say(1, DEFINE("USD", "2"));

	ck_assert_int_eq(strncmp(first, again, strlen(first) - 1), 0);
	ck_assert_str_eq(again + strlen(first) - 1, ",\"duplicate\":true}");
	ck_assert_str_eq(batch.out.answers[0].status_name, "duplicate");
	free(first);
}
END_TEST

START_TEST(a_refusal_by_the_books_is_sticky)
{
	expect_status(say(1, OPEN("a", "")), "asset_not_found");
	expect_status(say(2, DEFINE("USD", "2")), "applied");
	expect(say(1, OPEN("a", "")), ",\"duplicate\":true}");
	expect_status(say(1, OPEN("a", "")), "asset_not_found");
	expect_status(say(1, OPEN("b", "")), "key_reused");
	expect_status(say(3, OPEN("a", "")), "applied");
}
END_TEST

START_TEST(a_refusal_for_now_takes_no_id)
{
	open_accounts();
	paused_type = CH_VIEW("transfer.post");
	pause_row = (struct batch_pause){
		CH_VIEW("acme"), &paused_type, 1, CH_VIEW("audit")};
	context.pauses = &pause_row;
	context.pause_count = 1;
	expect_status(say(1, POST(MOVE("a", "b", "1"))), "trading_paused");
	expect(say(1, POST(MOVE("a", "b", "1"))), "acme is paused: audit");
	/* a stored answer wins over the pause; a reused id, too */
	expect(say(905, POST(MOVE("world", "a", "100"))), "\"duplicate\":true");
	expect_status(say(905, POST(MOVE("world", "a", "1"))), "key_reused");
	pause_row.scope = CH_VIEW("beta");
	expect_status(say(1, POST(MOVE("a", "b", "1"))), "applied");
}
END_TEST

/* The same command, in a record that was decided before a restart. */
static const char *
say_again(const char *text)
{
	static char *answer;

	batch_clear(&batch);
	(void)batch_add(&batch, 0,
		&(struct batch_record){.offset = 7,
			.read_again = true,
			.value = ch_view_of(text)});
	run();
	free(answer);
	answer = batch.out.answer_count > 0
		? ch_xviewdup(batch.out.answers[0].result)
		: NULL;
	return answer;
}

START_TEST(what_is_read_again_is_decided_only_once)
{
	open_accounts();
	/* refused for now, the first time */
	expect_status(say_again(text_of(1, POST(MOVE("a", "b", "1")))),
		"superseded");
	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.posting_count, 0);
	/* the id is free */
	expect_status(say(1, POST(MOVE("a", "b", "1"))), "applied");
	/* and what took it then is a duplicate */
	expect(say_again(text_of(1, POST(MOVE("a", "b", "1")))),
		"\"duplicate\":true");
	expect_status(say_again(text_of(1, POST(MOVE("a", "b", "2")))),
		"key_reused");
	/* its letter is there already; an answer is owed all the same */
	expect_status(say_again(text_of(2, "\"type\":\"no.such\"")), "invalid");
	ck_assert_uint_eq(batch.out.rejected_count, 0);
	(void)say_again("{");
	ck_assert_uint_eq(batch.out.rejected_count, 0);
	ck_assert_uint_eq(batch.out.answer_count, 0);
	(void)say_text("{");
	ck_assert_uint_eq(batch.out.rejected_count, 1);
}
END_TEST

START_TEST(a_pause_of_everybody_spares_facts)
{
	expect_status(say(1, RECEIVE("k", "5")), "applied");
	expect_status(say(2, RESERVE("k", "2", NAMED("r"))), "applied");
	paused_type = CH_VIEW("reservation.commit");
	pause_row = (struct batch_pause){
		CH_VIEW("trading"), &paused_type, 1, CH_VIEW("audit")};
	context.pauses = &pause_row;
	context.pause_count = 1;
	expect_status(say(3, COMMIT("r", "")), "applied");
	paused_type = CH_VIEW("stock.reserve");
	expect_status(say(4, RESERVE("k", "2", "")), "trading_paused");
	expect_status(say(5, RECEIVE("k", "5")), "applied");
}
END_TEST

START_TEST(an_id_may_be_300_seconds_ahead_and_no_more)
{
	char *text;

	clock_now.us = NOW + 300000000;
	text = text_of(1, DEFINE("USD", "2"));
	clock_now.us = NOW;
	expect_status(say_text(text), "applied");
	clock_now.us = NOW + 300001000;
	text = text_of(1, DEFINE("EUR", "2"));
	clock_now.us = NOW;
	expect_status(say_text(text), "key_in_future");
	ck_assert_uint_eq(batch.out.log_count, 0);
}
END_TEST

START_TEST(an_id_of_a_dropped_day_is_expired)
{
	char *text;

	clock_now.us = NOW - DAY;
	text = text_of(1, DEFINE("USD", "2"));
	clock_now.us = NOW;
	expect_status(say_text(text), "applied");
	clock_now.us = NOW - DAY - 1000;
	text = text_of(1, DEFINE("EUR", "2"));
	clock_now.us = NOW;
	expect_status(say_text(text), "key_expired");
}
END_TEST

START_TEST(an_unreadable_record_is_rejected_and_answered)
{
	expect_status(say(1, "\"type\":\"hold.place\""), "invalid");
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_uint_eq(batch.out.answer_count, 1);
	ck_assert_str_eq(batch.out.rejected[0].error_class, "invalid");
	ck_assert_int_eq(batch.out.rejected[0].pos, 0);
	ck_assert_int_eq(batch.out.answers[0].pos, 1);
	ck_assert_int_eq(batch.out.answers[0].log_seq,
		batch.out.rejected[0].log_seq + 1);
	(void)say_text("{");
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_uint_eq(batch.out.answer_count, 0);
	/* no document, but it says whose it is */
	expect(say_text(text_of(1,
		       "\"type\":\"asset.define\",\"ref\":\"\\u0000"
		       "\"")),
		"\"type\":\"asset.define\",\"status\":\"invalid\",\"reason"
		"\":\"not valid JSON at byte ");
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_str_eq(batch.out.rejected[0].error_class, "malformed");
	/* repaired, the same id is decided anew */
	expect_status(say(1, DEFINE("USD", "2")), "applied");
}
END_TEST

START_TEST(a_parked_command_changes_nothing)
{
	struct ch_err err = CH_ERR_INIT;

	batch_clear(&batch);
	add(text_of(1, DEFINE("USD", "2")));
	batch_park(&batch, 0, "22003", CH_VIEW("out of range"));
	batch_reset(&batch);
	context.decided_at = clock_now;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.rejected_count, 1);
	ck_assert_str_eq(batch.out.rejected[0].error_class, "poison");
	ck_assert_str_eq(batch.out.rejected[0].sqlstate, "22003");
	ck_assert_uint_eq(batch.out.answer_count, 1);
	ck_assert_int_eq((int)batch.out.answers[0].status, STATUS_INVALID);
}
END_TEST

static const struct ch_view limited_type = {"asset.define", 12};
static const struct rate_rule one_a_minute = {.rule_id = 7,
	.name = {"defines", 7},
	.by_actor = true,
	.types = &limited_type,
	.type_count = 1,
	.most = 1,
	.window_us = INT64_C(60000000),
	.shares = 1};

START_TEST(the_rate_gate_stands_behind_the_pause)
{
	paused_type = CH_VIEW("asset.define");
	pause_row = (struct batch_pause){
		CH_VIEW("acme"), &paused_type, 1, CH_VIEW("audit")};
	mem_store_rates(store, &one_a_minute, 1);
	context.rates = &one_a_minute;
	context.rate_count = 1;
	context.pauses = &pause_row;
	context.pause_count = 1;
	expect_status(say(1, DEFINE("USD", "2")), "trading_paused");
	context.pause_count = 0;
	expect(say(1, DEFINE("USD", "2")), "\"remaining\":0");
	expect_status(say(2, DEFINE("EUR", "2")), "rate_limited");
	/* a stored answer wins over the limit, and counts no second time */
	expect_status(say(1, DEFINE("USD", "2")), "applied");
	clock_now.us += INT64_C(59999999);
	expect_status(say(3, DEFINE("EUR", "2")), "rate_limited");
	clock_now.us += 1;
	expect_status(say(4, DEFINE("EUR", "2")), "applied");
}
END_TEST

static size_t
windows_made(void)
{
	size_t made = 0;

	for (size_t i = 0; i < books_count(&batch.books, ROW_RATE); i++)
		made += books_rate_at(&batch.books, i)->row.created;
	return made;
}

/* Another batch may make it at this moment, unseen: so the answer, which names
 * the rule, is decided again when the row is there already. */
START_TEST(a_refused_command_makes_the_windows_that_are_not_there)
{
	struct rate_rule rules[] = {one_a_minute, one_a_minute};

	rules[1].rule_id = 8;
	rules[1].name = CH_VIEW("burst");
	rules[1].most = 5;
	mem_store_rates(store, rules, 1);
	context.rates = rules;
	context.rate_count = 1;
	expect_status(say(1, DEFINE("USD", "2")), "applied");
	mem_store_rates(store, rules, 2);
	context.rate_count = 2;
	/* but a dry run makes nothing */
	expect_status(say(2, DEFINE("EUR", "2") ",\"dry_run\":true"),
		"rate_limited");
	ck_assert_uint_eq(windows_made(), 0);
	expect_status(say(2, DEFINE("EUR", "2")), "rate_limited");
	ck_assert_uint_eq(windows_made(), 1);
}
END_TEST

/* A fill that was answered rate_limited would be lost: its offset moves on. */
START_TEST(no_rate_rule_refuses_a_fact)
{
	static const struct ch_view receive = {"stock.receive", 13};
	static struct rate_rule rule;
	rule = one_a_minute;
	rule.types = &receive;
	mem_store_rates(store, &rule, 1);
	context.rates = &rule;
	context.rate_count = 1;
	for (unsigned n = 1; n <= 3; n++) {
		const char *answer = say(n, RECEIVE("mug", "1"));
		expect_status(answer, "applied");
		ck_assert_ptr_null(strstr(answer, "\"remaining\""));
	}
}
END_TEST

/* ---- money ---- */

START_TEST(a_dip_below_the_floor_is_refused)
{
	open_accounts();
	expect_status(
		say(1, POST(MOVE("b", "a", "5") "," MOVE("a", "b", "50"))),
		"insufficient_funds");
	expect_status(
		say(2, POST(MOVE("a", "b", "50") "," MOVE("b", "a", "5"))),
		"applied");
}
END_TEST

START_TEST(a_result_shows_each_row_once_after_all_moves)
{
	open_accounts();
	expect(say(1, POST(MOVE("a", "b", "50.5") "," MOVE("b", "a", "5"))),
		"\"balances\":[{\"account\":\"a\",\"asset\":\"USD\",\"balance\":"
		"\"54.50\",\"held\":\"0.00\",\"version\":3},{\"account\":\"b\","
		"\"asset\":\"USD\",\"balance\":\"45.50\",\"held\":\"0.00\","
		"\"version\":2}]");
	ck_assert_uint_eq(batch.out.posting_count, 4);
	ck_assert_int_eq(batch.out.postings[2].leg, 2);
	ck_assert_int_eq(batch.out.postings[2].amount.minor, -500);
	ck_assert_int_eq(batch.out.postings[2].balance_after.minor, 4550);
}
END_TEST

START_TEST(precedence_goes_over_all_moves)
{
	open_accounts();
	expect_status(say(1,
			      "\"type\":\"account.open\",\"account\":\"e\","
			      "\"asset\":\"EUR\""),
		"applied");
	/* insufficient first, invalid amount second, unknown account last */
	expect_status(say(2,
			      POST(MOVE("b", "a", "5") "," MOVE("a", "b",
				      "0.001") "," MOVE("a", "nobody", "1"))),
		"account_not_found");
	expect_status(say(3,
			      POST(MOVE("b", "a", "5") "," MOVE("a", "b",
				      "0.001") "," MOVE("a", "e", "1"))),
		"asset_mismatch");
	expect_status(
		say(4, POST(MOVE("b", "a", "5") "," MOVE("a", "b", "0.001"))),
		"invalid_amount");
	expect_status(
		say(5,
			POST(MOVE("a", "e", "1")) ",\"expected_version\":{"
						  "\"account\":{\"a\":7}}"),
		"version_conflict");
	/* an overflow before a shortage: the shortage is the answer */
	expect_status(say(6,
			      POST(MOVE("world", "a",
				      "92233720368547758.07") "," MOVE("b", "a",
				      "5"))),
		"insufficient_funds");
	expect_status(say(7, POST(MOVE("world", "a", "92233720368547758.07"))),
		"overflow");
}
END_TEST

#define REVERSE(t) "\"type\":\"transfer.reverse\",\"transfer\":\"" t "\""

/* 2026-11-20 is the lowest day: the first id is of the moment before. */
START_TEST(a_transfer_of_a_dropped_day_is_not_reversed_and_the_days_are_named)
{
	const char *answer;

	open_accounts();
	answer = say(1, REVERSE("01a1f640-bbff-7000-8000-000000000001/3"));
	expect_status(answer, "transfer_not_found");
	expect(answer,
		"is of 2026-11-19, and the log is kept from 2026-11-20 on");
	expect(answer, "post the opposite");
	answer = say(2, REVERSE("01a1f640-bc00-7000-8000-000000000001"));
	expect_status(answer, "transfer_not_found");
	expect(answer, "was never sent, or was refused");
}
END_TEST

START_TEST(amounts_beyond_an_int64_are_judged_by_funds_first)
{
	open_accounts();
	expect_status(
		say(1, POST(MOVE("a", "b", "99999999999999999999999999"))),
		"insufficient_funds");
	expect_status(
		say(2, POST(MOVE("world", "b", "99999999999999999999999999"))),
		"overflow");
}
END_TEST

/* What one move brings in, a later one of the same command may ask more than:
 * a shortage, however far beyond an int64 both are. */
START_TEST(a_shortage_is_found_behind_an_overflow_of_any_size)
{
	open_accounts();
	expect_status(say(1,
			      POST(MOVE("world", "b",
				      "92233720368547758.08") "," MOVE("b", "a",
				      "99999999999999999999999999"))),
		"insufficient_funds");
	expect_status(
		say(2,
			POST(MOVE("world", "b",
				"1000000000000000000000000000000") "," MOVE("b",
				"a", "1000000000000000000000000000000.01"))),
		"insufficient_funds");
	expect_status(
		say(3,
			POST(MOVE("world", "b",
				"1000000000000000000000000000000.01") "," MOVE("b",
				"a", "1000000000000000000000000000000"))),
		"overflow");
	/* both stand for 10^36 minor units: the first pays for the second */
	expect_status(
		say(4,
			POST(MOVE("world", "b",
				"10000000000000000000000000000000000") "," MOVE("b",
				"a",
				"9999999999999999999999999999999999999999"))),
		"overflow");
	expect_status(
		say(5,
			POST(MOVE("world", "b",
				"9999999999999999999999999999999999.99") "," MOVE("b",
				"a", "10000000000000000000000000000000000"))),
		"insufficient_funds");
}
END_TEST

#define LARGEST "9999999999999999999999999999999999999999"

/* The most moves of the largest amounts: all but the last into one account. */
START_TEST(sums_of_the_largest_amounts_stay_exact)
{
	char body[4096] = "\"type\":\"transfer.post\",\"moves\":[";

	open_accounts();
	for (unsigned i = 1; i < LEDGER_MOVES_MAX; i++) {
		size_t len = strlen(body);

		(void)snprintf(body + len, sizeof(body) - len, "%s,",
			MOVE("world", "a", LARGEST));
	}
	(void)snprintf(body + strlen(body), 128, "%s]",
		MOVE("a", "world", LARGEST));
	expect_status(say(1, body), "overflow");
}
END_TEST

START_TEST(both_sides_can_overflow)
{
	open_accounts();
	expect_status(say(1, OPEN("sink", ",\"floor\":null")), "applied");
	expect_status(
		say(2, POST(MOVE("world", "sink", "92233720368547658.08"))),
		"applied");
	expect_status(say(3, POST(MOVE("world", "b", "0.01"))), "overflow");
	expect_status(say(4, POST(MOVE("a", "sink", "99.99"))), "applied");
	expect_status(say(5, POST(MOVE("a", "sink", "0.01"))), "overflow");
}
END_TEST

START_TEST(a_negative_floor_is_credit)
{
	open_accounts();
	expect_status(say(1, OPEN("c", ",\"floor\":\"-10\"")), "applied");
	expect_status(say(2, POST(MOVE("c", "b", "10.01"))),
		"insufficient_funds");
	expect_status(say(3, POST(MOVE("c", "b", "10"))), "applied");
	expect_status(say(4, OPEN("d", ",\"floor\":\"-0.001\"")),
		"invalid_amount");
	expect_status(say(5, OPEN("a", ",\"floor\":\"-0.001\"")),
		"invalid_amount");
	expect_status(say(6, OPEN("a", "")), "account_exists");
}
END_TEST

START_TEST(versions_are_expected_of_named_rows)
{
	open_accounts();
	expect_status(say(1,
			      POST(MOVE("a", "b",
				      "1")) ",\"expected_version\":{"
					    "\"account\":{\"a\":2,\"b\":1}}"),
		"applied");
	expect(say(2,
		       POST(MOVE("a", "b", "1")) ",\"expected_version\":{"
						 "\"account\":{\"a\":2}}"),
		"\\\"a\\\" has version 3, 2 is expected");
	expect_status(say(3,
			      OPEN("n",
				      ",\"expected_version\":{\"account\":{"
				      "\"n\":1}}")),
		"version_conflict");
	expect_status(say(4,
			      OPEN("n",
				      ",\"expected_version\":{\"account\":{"
				      "\"n\":0}}")),
		"applied");
}
END_TEST

START_TEST(a_dry_run_changes_nothing_and_takes_no_id)
{
	const char *dry = POST(MOVE("a", "b", "1")) ",\"dry_run\":true";

	open_accounts();
	expect(say(1, dry), "\"balance\":\"99.00\"");
	expect(say(1, dry), "\"dry_run\":true");
	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.posting_count, 0);
	expect_status(say(1, POST(MOVE("a", "b", "1"))), "applied");
	/* with a known id it is another payload */
	expect_status(say(1, dry), "key_reused");
}
END_TEST

START_TEST(a_closed_account_takes_part_in_nothing)
{
	open_accounts();
	batch_clear(&batch);
	expect_status(say(11, "\"type\":\"account.close\",\"account\":\"b\""),
		"applied");
	expect_status(say(12, POST(MOVE("a", "nobody", "1"))),
		"account_not_found");
	expect_status(say(13, POST(MOVE("a", "b", "1"))), "account_closed");
	expect(say(14, OPEN("b", "")), "a name is never opened again");
}
END_TEST

/* ---- stock ---- */

/* The defect that shops have: two lines of one batch, each checked against
 * the same untouched quantity. */
START_TEST(lines_of_one_batch_see_each_other)
{
	expect_status(say(1, RECEIVE("k", "10")), "applied");
	batch_clear(&batch);
	add(text_of(2, RESERVE("k", "8", "")));
	add(text_of(3, RESERVE("k", "5", "")));
	add(text_of(4, RESERVE("k", "2", "")));
	run();
	expect_status(batch.out.log[0].result.ptr, "applied");
	expect_status(batch.out.log[1].result.ptr, "out_of_stock");
	expect_status(batch.out.log[2].result.ptr, "applied");
}
END_TEST

START_TEST(a_part_commit_gives_the_rest_back)
{
	expect_status(say(1, RECEIVE("k", "10")), "applied");
	expect_status(say(2, RESERVE("k", "5", NAMED("r"))), "applied");
	expect_status(say(3, COMMIT("r", ",\"qty\":\"6\"")),
		"amount_exceeds_hold");
	expect(say(4, COMMIT("r", ",\"qty\":\"2\"")),
		"\"stock\":[{\"sku\":\"k\","
		"\"on_hand\":\"8\",\"reserved\":\"0\",\"version\":3}],"
		"\"reservations\":[{\"reservation\":\"r\",\"sku\":\"k\",\"qty\":"
		"\"5\",\"state\":\"committed\"}]");
	ck_assert_uint_eq(batch.out.event_count, 1);
	expect(batch.out.events[0].payload.ptr, "\"qty\":\"2\"");
	expect_status(say(5, COMMIT("r", "")), "reservation_committed");
	expect_status(say(6, RELEASE("r")), "reservation_committed");
	expect_status(say(7, RESERVE("k", "1", NAMED("r"))),
		"reservation_exists");
	expect_status(say(8, RESERVE("k", "9", NAMED("r"))), "out_of_stock");
}
END_TEST

START_TEST(a_reservation_is_due_at_its_deadline)
{
	expect_status(say(1, RECEIVE("k", "10")), "applied");
	expect_status(say(2, RESERVE("k", "5", NAMED("r") UNTIL("00:00:01"))),
		"applied");
	expect_status(
		say(3, RESERVE("k", "5", NAMED("s") UNTIL("00:00:01.000001"))),
		"applied");
	clock_now.us = NOW + 1000000;
	expect_status(say(4, COMMIT("s", "")), "applied");
	ck_assert_uint_eq(batch.counts.timers, 1);
	ck_assert(batch.out.log[0].timer);
	expect(batch.out.log[0].result.ptr, "\"type\":\"reservation.expire\"");
	ck_assert_str_eq(batch.out.events[0].type, "reservation.expired");
	expect_status(say(5, COMMIT("r", "")), "reservation_expired");
	expect_status(say(6, RESERVE("k", "1", NAMED("t") UNTIL("00:00:01"))),
		"reservation_expired");
}
END_TEST

START_TEST(what_is_due_is_settled_before_the_stock_is_looked_at)
{
	expect_status(say(1, RECEIVE("k", "3")), "applied");
	expect_status(say(2, RESERVE("k", "3", UNTIL("00:00:01"))), "applied");
	expect_status(say(3, RESERVE("k", "1", "")), "out_of_stock");
	clock_now.us = NOW + 1000000;
	expect_status(say(4, RESERVE("k", "3", "")), "applied");
	ck_assert_uint_eq(batch.counts.timers, 1);
}
END_TEST

START_TEST(a_reservation_set_aside_is_expired_and_left_alone)
{
	expect_status(say(1, RECEIVE("k", "3")), "applied");
	expect_status(say(2, RESERVE("k", "3", NAMED("r") UNTIL("00:00:01"))),
		"applied");
	clock_now.us = NOW + 1000000;
	batch_clear(&batch);
	add(text_of(3, COMMIT("r", "")));
	load();
	books_reservation_at(&batch.books, 0)->set_aside = true;
	decide();
	ck_assert_uint_eq(batch.counts.timers, 0);
	expect_status(batch.out.log[0].result.ptr, "reservation_expired");
}
END_TEST

START_TEST(a_sweep_settles_without_commands)
{
	expect_status(say(1, RECEIVE("k", "3")), "applied");
	expect_status(say(2, RESERVE("k", "1", NAMED("b") UNTIL("00:00:01"))),
		"applied");
	expect_status(say(3, RESERVE("k", "1", NAMED("a") UNTIL("00:00:01"))),
		"applied");
	clock_now.us = NOW + 5000000;
	batch_clear(&batch);
	(void)books_sku(&batch.books, books_org(&batch.books, CH_VIEW("acme")),
		CH_VIEW("k"));
	run();
	ck_assert_uint_eq(batch.out.log_count, 2);
	/* equal deadlines: by name */
	expect(batch.out.log[0].result.ptr, "\"reservation\":\"a\"");
	ck_assert_int_eq(memcmp(batch.out.log[0].record_key.ptr, "acme/k", 6),
		0);
	ck_assert_int_ne(batch.out.log[0].id.bytes[15],
		batch.out.log[1].id.bytes[15]);
}
END_TEST

/* ---- time, retries ---- */

START_TEST(time_never_goes_back_on_a_row)
{
	expect_status(say(1, RECEIVE("k", "3")), "applied");
	clock_now.us = NOW - 5000000;
	expect(say(2, RECEIVE("k", "3")), "2026-11-21T00:00:00.000000Z");
}
END_TEST

START_TEST(a_batch_decided_again_gives_the_same)
{
	char *first;

	open_accounts();
	expect_status(say(1, RECEIVE("k", "3")), "applied");
	batch_clear(&batch);
	add(text_of(2, POST(MOVE("a", "b", "1"))));
	add(text_of(3, OPEN("new", "")));
	add(text_of(4, POST(MOVE("a", "new", "1"))));
	add(text_of(5, RESERVE("k", "1", NAMED("r"))));
	add(text_of(6, COMMIT("r", "")));
	load();
	decide();
	first = ch_xviewdup(batch.out.log[4].result);
	batch_reset(&batch);
	ck_assert_uint_eq(batch.out.log_count, 0);
	run();
	ck_assert_uint_eq(batch.out.log_count, 5);
	ck_assert_str_eq(first, batch.out.log[4].result.ptr);
	free(first);
	expect(say(7, POST(MOVE("new", "b", "1"))), "\"balance\":\"2.00\"");
}
END_TEST

START_TEST(the_log_is_sorted_by_its_key)
{
	const struct log_row **rows;

	batch_clear(&batch);
	add(text_of(9, DEFINE("A", "0")));
	add(text_of(3, DEFINE("B", "0")));
	add(text_of(7, DEFINE("C", "0")));
	run();
	rows = batch_log_by_key(&batch);
	ck_assert_int_eq(rows[0]->pos, 1);
	ck_assert_int_eq(rows[1]->pos, 2);
	ck_assert_int_eq(rows[2]->pos, 0);
}
END_TEST

START_TEST(an_id_spelled_as_ulid_is_the_same_id)
{
	clock_now.us = NOW + DAY / 2;
	expect_status(
		say_text("{\"id\":\"01a1fd8c-67be-7f60-8a1b-000000000001\","
			 "\"org\":\"acme\"," RECEIVE("k", "1") "}"),
		"applied");
	expect(say_text(
		       "{\"id\":\"01M7YRRSXYFXG8M6R000000001\",\"org\":\"acme\"," RECEIVE(
			       "k", "1") "}"),
		"\"duplicate\":true");
	/* another organisation's ids are its own */
	expect_status(say_text("{\"id\":\"01M7YRRSXYFXG8M6R000000001\",\"org\":"
			       "\"beta\"," RECEIVE("k", "2") "}"),
		"applied");
}
END_TEST

static TCase *
gates(void)
{
	TCase *c = tcase_create("gates");

	tcase_add_test(c, an_id_is_too_new_by_the_clock_and_known_by_the_books);
	tcase_add_test(c, a_stored_answer_comes_again_marked);
	tcase_add_test(c, a_refusal_by_the_books_is_sticky);
	tcase_add_test(c, a_refusal_for_now_takes_no_id);
	tcase_add_test(c, what_is_read_again_is_decided_only_once);
	tcase_add_test(c, a_pause_of_everybody_spares_facts);
	tcase_add_test(c, an_id_may_be_300_seconds_ahead_and_no_more);
	tcase_add_test(c, an_id_of_a_dropped_day_is_expired);
	tcase_add_test(c, an_unreadable_record_is_rejected_and_answered);
	tcase_add_test(c, a_parked_command_changes_nothing);
	tcase_add_test(c, the_rate_gate_stands_behind_the_pause);
	tcase_add_test(c,
		a_refused_command_makes_the_windows_that_are_not_there);
	tcase_add_test(c, no_rate_rule_refuses_a_fact);
	tcase_add_test(c, an_id_spelled_as_ulid_is_the_same_id);
	return c;
}

static TCase *
money(void)
{
	TCase *c = tcase_create("money");

	tcase_add_test(c, a_dip_below_the_floor_is_refused);
	tcase_add_test(c, a_result_shows_each_row_once_after_all_moves);
	tcase_add_test(c, precedence_goes_over_all_moves);
	tcase_add_test(c,
		a_transfer_of_a_dropped_day_is_not_reversed_and_the_days_are_named);
	tcase_add_test(c, amounts_beyond_an_int64_are_judged_by_funds_first);
	tcase_add_test(c, a_shortage_is_found_behind_an_overflow_of_any_size);
	tcase_add_test(c, sums_of_the_largest_amounts_stay_exact);
	tcase_add_test(c, both_sides_can_overflow);
	tcase_add_test(c, a_negative_floor_is_credit);
	tcase_add_test(c, versions_are_expected_of_named_rows);
	tcase_add_test(c, a_dry_run_changes_nothing_and_takes_no_id);
	tcase_add_test(c, a_closed_account_takes_part_in_nothing);
	return c;
}

static TCase *
stock(void)
{
	TCase *c = tcase_create("stock");

	tcase_add_test(c, lines_of_one_batch_see_each_other);
	tcase_add_test(c, a_part_commit_gives_the_rest_back);
	tcase_add_test(c, a_reservation_is_due_at_its_deadline);
	tcase_add_test(c, what_is_due_is_settled_before_the_stock_is_looked_at);
	tcase_add_test(c, a_reservation_set_aside_is_expired_and_left_alone);
	tcase_add_test(c, a_sweep_settles_without_commands);
	tcase_add_test(c, time_never_goes_back_on_a_row);
	tcase_add_test(c, a_batch_decided_again_gives_the_same);
	tcase_add_test(c, the_log_is_sorted_by_its_key);
	return c;
}

int
main(void)
{
	Suite *s = suite_create("decide");
	TCase *cases[] = {gates(), money(), stock()};
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcase_add_checked_fixture(cases[i], set_up, tear_down);
		suite_add_tcase(s, cases[i]);
	}
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
