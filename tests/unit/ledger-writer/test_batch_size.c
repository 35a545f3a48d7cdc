/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch may hold and leave: it takes no more records when what they ask
 * for is enough, and says which of them are enough when it turns out so.
 */
#include "base/json.h"
#include "one_batch.h"

static int
try(size_t out_most)
{
	struct batch_context context = {
		.number = ++number, .lowest_day = LOWEST, .out_most = out_most};
	struct ch_err err = CH_ERR_INIT;
	int rc;

	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, (struct ch_time){NOW});
	mem_store_load_due(store, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
	rc = batch_decide(&batch, &context, &err);
	if (rc == 0)
		mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
	return rc;
}

static size_t
records_until_full(void (*add_one)(void))
{
	size_t n = 0;

	while (n < 100000 && !batch_full(&batch)) {
		add_one();
		n++;
	}
	ck_assert_uint_lt(n, 100000);
	batch_clear(&batch);
	ck_assert(!batch_full(&batch));
	return n;
}

static void
add_transfer(void)
{
	add("\"type\":\"transfer.post\",\"moves\":[{\"from\":\"a\",\"to\":"
	    "\"b\",\"amount\":\"1\"}]");
}

static void
add_reversal(void)
{
	add("\"type\":\"transfer.reverse\",\"transfer\":"
	    "\"019abcde-0000-7000-8000-%012x/1\"",
		sent);
}

static void
add_shards(void)
{
	add("\"type\":\"group\",\"commands\":[{\"type\":\"account.open\","
	    "\"account\":\"a%u\",\"asset\":\"USD\",\"floor\":null,"
	    "\"shards\":256}]",
		sent);
}

static void
add_closing(void)
{
	add("\"type\":\"account.close\",\"account\":\"a%u\"", sent);
}

static void
add_unreadable(void)
{
	add("\"type\":\"nothing\"");
}

/* By what the record makes it hold: the usual batch is far below. */
START_TEST(a_batch_is_full_of_what_its_records_ask_for)
{
	ck_assert_uint_gt(records_until_full(add_transfer), 4000);
	ck_assert_uint_gt(records_until_full(add_unreadable), 8000);
	ck_assert_uint_lt(records_until_full(add_reversal), 200);
	ck_assert_uint_lt(records_until_full(add_shards), 200);
	ck_assert_uint_lt(records_until_full(add_closing), 200);
}
END_TEST

static void
add_account(const char *name)
{
	add("\"type\":\"account.open\",\"account\":\"%s\",\"asset\":\"USD\"",
		name);
}

static void
add_some(void)
{
	add("\"type\":\"asset.define\",\"asset\":\"USD\",\"scale\":2");
	add_account("a");
	add_account("b");
	add_account("c");
}

/* What came before the cut is not written: it is tried again without the rest,
 * and the last one alone is decided whatever it leaves. */
START_TEST(a_batch_that_leaves_too_much_says_how_much_of_it_is_enough)
{
	add_some();
	ck_assert_int_eq(try(1), CH_EFULL);
	ck_assert_uint_eq(batch.fits, 1);
	batch_reset(&batch);
	ck_assert_int_eq(try(600), CH_EFULL);
	ck_assert_uint_ge(batch.fits, 2);
	ck_assert_uint_lt(batch.fits, 4);
	batch_reset(&batch);
	ck_assert_int_eq(try(0), 0);
	ck_assert_uint_eq(batch.out.log_count, 4);
	batch_clear(&batch);
	add_account("d");
	ck_assert_int_eq(try(1), 0);
	ck_assert_uint_eq(batch.out.log_count, 1);
}
END_TEST

/* As after find_ids.sql: the first is read whatever its size. A command that
 * takes another's id needs no answer. */
START_TEST(a_batch_ends_before_an_answer_that_was_not_read)
{
	struct batch_context context = {.number = 9, .lowest_day = LOWEST};
	struct ch_err err = CH_ERR_INIT;
	unsigned first = sent;

	add_some();
	ck_assert_int_eq(try(0), 0);
	batch_clear(&batch);
	sent = first;
	add_some(); /* again */
	mem_store_load(store, &batch);
	context.decided_at.us = NOW;
	books_id_at(&batch.books, 2)->is_unread = true;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), CH_EFULL);
	ck_assert_uint_eq(batch.fits, 2);
	batch_clear(&batch);
	sent = first;
	add_account("x"); /* in place of the asset */
	mem_store_load(store, &batch);
	books_id_at(&batch.books, 0)->is_unread = true;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	ck_assert_str_eq(batch.out.answers[0].status_name, "key_reused");
}
END_TEST

/* ---- answers ---- */

#define WIDE 1600 /* accounts, and moves of one group */

static void
add_text(struct ch_buf *text)
{
	struct ch_view v = ch_buf_view(text);

	(void)batch_add(&batch, 0,
		&(struct batch_record){
			.offset = sent++, .key = CH_VIEW("k"), .value = v});
	ch_buf_clear(text);
}

static void
begin_group(struct ch_buf *text)
{
	ch_buf_printf(text,
		"{\"id\":\"%08llx-%04llx-7000-8000-%012x\",\"org\":\"acme\","
		"\"type\":\"group\",\"commands\":[",
		(unsigned long long)(NOW / 1000 >> 16),
		(unsigned long long)(NOW / 1000 & 0xffff), sent);
}

/* Accounts a0 to a<WIDE - 1> of an asset whose name is as long in an answer as
 * a name can be, and w. */
static void
open_wide(struct ch_buf *text)
{
	char asset[257];

	for (size_t i = 0; i < 256; i++)
		asset[i] = i % 2 == 0 ? '\\' : '"';
	asset[256] = '\0';
	add("\"type\":\"asset.define\",\"asset\":\"%s\",\"scale\":0", asset);
	add("\"type\":\"account.open\",\"account\":\"w\",\"asset\":\"%s\","
	    "\"floor\":null",
		asset);
	for (size_t i = 0; i < WIDE; i++) {
		if (i % 64 == 0)
			begin_group(text);
		ch_buf_printf(text,
			"%s{\"type\":\"account.open\",\"account\":\"a%zu\","
			"\"asset\":\"%s\"}",
			i % 64 == 0 ? "" : ",", i, asset);
		if (i % 64 == 63 || i == WIDE - 1) {
			ch_buf_adds(text, "]}");
			add_text(text);
		}
	}
	ck_assert_int_eq(try(0), 0);
	batch_clear(&batch);
}

static void
add_wide(struct ch_buf *text)
{
	begin_group(text);
	for (size_t i = 0; i < WIDE; i++)
		ch_buf_printf(text,
			"%s{\"from\":\"w\",\"to\":\"a%zu\",\"amount\":\"1\"}%s",
			i % LEDGER_MOVES_MAX > 0 ? ","
				: i == 0
				? "{\"type\":\"transfer.post\",\"moves\":["
				: ",{\"type\":\"transfer.post\",\"moves\":[",
			i,
			i % LEDGER_MOVES_MAX == LEDGER_MOVES_MAX - 1 ||
					i == WIDE - 1
				? "]}"
				: "");
	ch_buf_adds(text,
		",{\"type\":\"stock.receive\",\"sku\":\"s\","
		"\"qty\":\"7\"}]}");
	add_text(text);
}

static size_t
count_of(struct ch_view in, const char *what)
{
	size_t n = 0;
	const char *at = in.ptr;
	const char *end = in.ptr + in.len;

	while ((at = memmem(at, (size_t)(end - at), what, strlen(what))) !=
		NULL) {
		n++;
		at++;
	}
	return n;
}

/* Kafka would not take it otherwise. The few rows of the last kinds are shown
 * still, and the log has every change. */
START_TEST(an_answer_shows_rows_up_to_a_size_and_says_so)
{
	struct ch_buf text = CH_BUF_INIT;
	struct ch_err err = CH_ERR_INIT;
	struct ch_arena arena = {0};
	const struct log_row *row;

	open_wide(&text);
	add_wide(&text);
	ck_assert_int_eq(try(0), 0);
	row = &batch.out.log[0];
	ck_assert_int_eq(row->status, STATUS_APPLIED);
	ck_assert_uint_lt(row->result.len, LEDGER_ANSWER_ROWS_MAX + 4096);
	ck_assert_uint_gt(row->result.len, LEDGER_ANSWER_ROWS_MAX / 2);
	ck_assert_uint_gt(count_of(row->result, "\"account\":"), 1000);
	ck_assert_uint_lt(count_of(row->result, "\"account\":"), WIDE);
	ck_assert_uint_eq(count_of(row->result, "\"stock\":"), 1);
	ck_assert_uint_eq(
		count_of(row->result, "}],\"truncated\":true,\"seq\":"), 1);
	ck_assert_ptr_nonnull(ch_json_parse(&arena, row->result, 100000, &err));
	ck_assert_ptr_nonnull(row->changes.ptr);
	ck_assert_uint_eq(batch.out.posting_count, 2 * WIDE);
	ch_arena_free(&arena);
	ch_buf_free(&text);
}
END_TEST

FIXTURE_MAIN("batch_size", set_up, tear_down,
	a_batch_is_full_of_what_its_records_ask_for,
	a_batch_that_leaves_too_much_says_how_much_of_it_is_enough,
	a_batch_ends_before_an_answer_that_was_not_read,
	an_answer_shows_rows_up_to_a_size_and_says_so)
