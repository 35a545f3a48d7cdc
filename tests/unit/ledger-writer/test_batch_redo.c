/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of the log decided again: the same answers under the numbers that the
 * log gives, and what a refusal, an absence or a changed book may do to it.
 *
 * Commands are decided by batch_decide() on one store, then what the log has of
 * them by batch_redo() on another.
 */
#include "check_suite.h"
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "batch.h"
#include "batch_redo.h"
#include "mem_store.h"

#define NOW (INT64_C(20778) * INT64_C(86400000000)) /* 2026-11-21T00:00:00Z */
#define MOST 16

static struct mem_store *store, *again;
static struct batch batch;
static struct batch_context context;
static struct ch_time clock_now;
static unsigned ids;

/* What was decided first: the log's rows, and the records behind them. */
static struct logged {
	char *text; /* NULL: a timer's */
	char *result;
	enum ledger_status status;
	struct batch_place place;
} rows[MOST];
static size_t row_count;
static char *texts[MOST];
static size_t text_count;

static const struct ch_view posts = {"transfer.post", 13};
static const struct rate_rule three_a_minute = {.rule_id = 7,
	.name = {"posts", 5},
	.by_actor = true,
	.types = &posts,
	.type_count = 1,
	.most = 3,
	.window_us = INT64_C(60000000),
	.shares = 1};

static void
forget(void)
{
	for (size_t i = 0; i < row_count; i++) {
		free(rows[i].text);
		free(rows[i].result);
	}
	for (size_t i = 0; i < text_count; i++)
		free(texts[i]);
	row_count = 0;
	text_count = 0;
}

static void
set_up(void)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};

	store = mem_store_new(MEM_STORE_SOUND);
	again = mem_store_new(MEM_STORE_SOUND);
	batch_init(&batch, &limits);
	(void)batch_add_stream(&batch, 1, 0, CH_VIEW("ledger.commands"));
	context = (struct batch_context){
		.lowest_day = 20777, .rates = &three_a_minute, .rate_count = 1};
	mem_store_rates(store, &three_a_minute, 1);
	mem_store_rates(again, &three_a_minute, 1);
	clock_now.us = NOW;
	ids = 0;
}

static void
tear_down(void)
{
	forget();
	batch_free(&batch);
	mem_store_free(store);
	mem_store_free(again);
}

/* ---- deciding ---- */

/* One more command of the next batch. */
static void
say(const char *body)
{
	struct ch_buf b = CH_BUF_INIT;
	int64_t ms = clock_now.us / 1000;

	ch_buf_printf(&b,
		"{\"id\":\"%08llx-%04llx-7000-8000-%012x\",\"org\":\"acme\","
		"\"type\":%s}",
		(unsigned long long)(ms >> 16),
		(unsigned long long)(ms & 0xffff), ++ids, body);
	texts[text_count++] = ch_xviewdup(ch_buf_view(&b));
	ch_buf_free(&b);
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
load(struct mem_store *s)
{
	mem_store_load(s, &batch);
	mem_store_load_due(s, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
}

static void
keep(const struct log_row *l)
{
	struct logged *row = &rows[row_count++];
	bool applied = l->status == STATUS_APPLIED;

	row->text = l->timer ? NULL : ch_xviewdup(l->entry->record.value);
	row->result = ch_xviewdup(l->result);
	row->status = l->status;
	row->place = (struct batch_place){
		applied ? STOOD_APPLIED : STOOD_REFUSED, l->pos, l->log_seq};
}

/* Decides what was said, as one batch. */
static void
decide(void)
{
	struct ch_err err = CH_ERR_INIT;

	batch_clear(&batch);
	for (size_t i = 0; i < text_count; i++)
		add(texts[i]);
	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, clock_now);
	load(store);
	context.number++;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	for (size_t i = 0; i < batch.out.log_count; i++)
		keep(&batch.out.log[i]);
	mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
}

/* The log's rows of that batch, decided on the other store. */
static void
redo(void)
{
	struct batch_place places[MOST];
	const struct batch_place *timers = NULL;
	size_t n = 0;

	batch_clear(&batch);
	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].text != NULL) {
			places[n++] = rows[i].place;
			add(rows[i].text);
		} else if (timers == NULL) {
			timers = &rows[i].place;
		}
	}
	load(again);
	batch_redo(&batch, &context, timers, places);
	mem_store_commit(again, &batch, &context);
	/* where answers were, the log has no numbers */
	const char *problem = mem_store_problem(again);
	ck_assert_msg(problem == NULL ||
			strncmp(problem, "log_seq moved", 13) == 0,
		"%s", problem);
}

static void
same_rows(void)
{
	ck_assert_uint_eq(batch.out.log_count, row_count);
	ck_assert_uint_eq(batch.out.answer_count, 0);
	for (size_t i = 0; i < row_count; i++) {
		const struct log_row *l = &batch.out.log[i];
		char *result = ch_xviewdup(l->result);

		ck_assert_int_eq(l->pos, rows[i].place.pos);
		ck_assert_int_eq(l->log_seq, rows[i].place.log_seq);
		ck_assert_int_eq((int)l->status, (int)rows[i].status);
		ck_assert_str_eq(result, rows[i].result);
		free(result);
	}
}

static void
same_books(void)
{
	char *first = mem_store_dump(store);
	char *second = mem_store_dump(again);

	ck_assert_str_eq(first, second);
	free(first);
	free(second);
}

/* Decided and redone, all alike. */
static void
both(void)
{
	decide();
	redo();
	same_rows();
	same_books();
	forget();
}

#define POST(from, to, amount, more)                                           \
	"\"transfer.post\",\"moves\":[{\"from\":\"" from "\",\"to\":\"" to     \
	"\",\"amount\":\"" amount "\"}]" more
#define OPEN(name, more)                                                       \
	"\"account.open\",\"account\":\"" name "\",\"asset\":\"USD\"" more

/* World (no floor), a with 100.00, b with nothing. */
static void
open_accounts(void)
{
	say("\"asset.define\",\"asset\":\"USD\",\"scale\":2");
	say(OPEN("world", ",\"floor\":null"));
	say(OPEN("a", ""));
	say(OPEN("b", ""));
	say(POST("world", "a", "100", ""));
	both();
}

/* ---- what it gives ---- */

START_TEST(numbers_are_given_and_not_counted)
{
	open_accounts();
	/* a dry run takes a number between, and is not in the log */
	say(POST("a", "b", "1", ""));
	say(POST("a", "b", "2", ",\"dry_run\":true"));
	say("\"hold.place\""); /* cannot be read: two rows elsewhere */
	say(POST("a", "b", "4", ""));
	decide();
	ck_assert_uint_eq(row_count, 2);
	ck_assert_int_eq(rows[1].place.pos, rows[0].place.pos + 4);
	redo();
	same_rows();
	same_books();
}
END_TEST

START_TEST(a_timer_has_its_own_place)
{
	open_accounts();
	say("\"hold.place\",\"from\":\"a\",\"amount\":\"5\",\"hold\":\"h\","
	    "\"expires_at\":\"2026-11-21T00:00:01Z\"");
	both();
	clock_now.us += 1000000;
	say(POST("a", "b", "100", "")); /* all of it again */
	decide();
	ck_assert_uint_eq(row_count, 2);
	ck_assert_ptr_null(rows[0].text);
	redo();
	same_rows();
	same_books();
}
END_TEST

START_TEST(a_refusal_comes_again_without_effect_but_on_windows)
{
	open_accounts();
	for (int i = 0; i < 2; i++) {
		say(POST("b", "a", "1", ",\"actor\":\"x\""));
		decide();
		ck_assert_int_eq((int)rows[0].status,
			(int)STATUS_INSUFFICIENT_FUNDS);
		redo();
		same_rows();
		same_books();
		forget();
	}
	/* both counted them: the third passes, and the fourth does not */
	say(POST("a", "b", "1", ",\"actor\":\"x\""));
	say(POST("a", "b", "1", ",\"actor\":\"x\""));
	decide();
	ck_assert_uint_eq(row_count, 1);
	ck_assert_uint_eq(batch.out.answer_count, 1);
	redo();
	same_rows();
	same_books();
}
END_TEST

/* Money that only the second store has. */
static void
enrich(void)
{
	int64_t number = context.number;

	say(POST("world", "b", "50", ""));
	batch_clear(&batch);
	add(texts[0]);
	load(again);
	batch_redo(&batch, &context, NULL,
		&(struct batch_place){STOOD_APPLIED, 0, 1000});
	ck_assert_uint_eq(batch.out.log_count, 1);
	mem_store_commit(again, &batch, &context);
	context.number = number;
	forget();
}

START_TEST(a_refusal_that_would_be_applied_now_is_an_answer_and_no_more)
{
	char *before;
	char *after;

	open_accounts();
	enrich();
	before = mem_store_dump(again);
	say(POST("b", "a", "1", ""));
	decide();
	ck_assert_int_eq((int)rows[0].status, (int)STATUS_INSUFFICIENT_FUNDS);
	redo();
	ck_assert_uint_eq(batch.out.log_count, 0);
	ck_assert_uint_eq(batch.out.posting_count, 0);
	ck_assert_uint_eq(batch.out.answer_count, 1);
	ck_assert_int_eq((int)batch.out.answers[0].status, (int)STATUS_APPLIED);
	ck_assert_int_eq(batch.out.answers[0].log_seq, rows[0].place.log_seq);
	/* but for the window that counts it */
	after = mem_store_dump(again);
	ck_assert_uint_eq(batch.out.event_count, 0);
	ck_assert_ptr_nonnull(strstr(before, "\"balance\":5000"));
	ck_assert_ptr_nonnull(strstr(after, "\"balance\":5000"));
	ck_assert_ptr_nonnull(strstr(after, "\"balance\":10000"));
	free(before);
	free(after);
}
END_TEST

START_TEST(what_was_applied_and_a_gate_refuses_now_is_an_answer)
{
	open_accounts();
	for (int i = 0; i < 3; i++)
		say(POST("a", "b", "1", ",\"actor\":\"x\""));
	decide();
	ck_assert_uint_eq(row_count, 3);
	/* the rule was tighter then, as if a change of it had been lost */
	struct rate_rule tighter = three_a_minute;
	tighter.most = 2;
	context.rates = &tighter;
	mem_store_rates(again, &tighter, 1);
	redo();
	ck_assert_uint_eq(batch.out.log_count, 2);
	ck_assert_uint_eq(batch.out.answer_count, 1);
	ck_assert_int_eq((int)batch.out.answers[0].status,
		(int)STATUS_RATE_LIMITED);
	ck_assert_int_eq(batch.out.answers[0].pos, rows[2].place.pos);
}
END_TEST

START_TEST(what_was_applied_and_the_books_refuse_now_is_a_refusal)
{
	open_accounts();
	say(POST("world", "b", "50", ""));
	decide();
	forget();
	say(POST("b", "a", "50", "")); /* the other store has no such money */
	decide();
	redo();
	ck_assert_uint_eq(batch.out.log_count, 1);
	ck_assert_int_eq((int)batch.out.log[0].status,
		(int)STATUS_INSUFFICIENT_FUNDS);
	ck_assert_int_eq(batch.out.log[0].log_seq, rows[0].place.log_seq);
	ck_assert_uint_eq(batch.out.posting_count, 0);
}
END_TEST

START_TEST(what_rests_on_absence_is_only_counted)
{
	open_accounts();
	say(POST("a", "nobody", "1", ",\"actor\":\"x\""));
	decide();
	ck_assert_int_eq((int)rows[0].status, (int)STATUS_ACCOUNT_NOT_FOUND);
	rows[0].place.stood = STOOD_ABSENT;
	redo();
	ck_assert_uint_eq(batch.out.log_count + batch.out.answer_count, 0);
	same_books(); /* windows included */
}
END_TEST

START_TEST(what_cannot_be_read_is_not_even_counted)
{
	char *before = mem_store_dump(again);
	char *after;

	batch_clear(&batch);
	add("{");
	context.decided_at = clock_now;
	load(again);
	batch_redo(&batch, &context, NULL,
		&(struct batch_place){STOOD_ABSENT, 0, 1});
	ck_assert_uint_eq(batch.out.log_count + batch.out.answer_count +
			batch.out.rejected_count,
		0);
	mem_store_commit(again, &batch, &context);
	after = mem_store_dump(again);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
}
END_TEST

FIXTURE_MAIN("batch_redo", set_up, tear_down, numbers_are_given_and_not_counted,
	a_timer_has_its_own_place,
	a_refusal_comes_again_without_effect_but_on_windows,
	a_refusal_that_would_be_applied_now_is_an_answer_and_no_more,
	what_was_applied_and_a_gate_refuses_now_is_an_answer,
	what_was_applied_and_the_books_refuse_now_is_a_refusal,
	what_rests_on_absence_is_only_counted,
	what_cannot_be_read_is_not_even_counted)
