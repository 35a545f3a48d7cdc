/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trades and settlements over whole batches against the in-memory store: what
 * a stake may do, and what a settlement needs to know of its market.
 */
#include "one_batch.h"

static void
run(void)
{
	struct batch_context context = {
		.number = ++number, .lowest_day = LOWEST};
	struct ch_err err = CH_ERR_INIT;

	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, (struct ch_time){NOW});
	mem_store_load_due(store, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
}

static void
expect(size_t i, enum ledger_status status)
{
	ck_assert_uint_lt(i, batch.out.log_count);
	ck_assert_str_eq(ledger_statuses[batch.out.log[i].status].name,
		ledger_statuses[status].name);
}

static void
open_stake(const char *floor, const char *less)
{
	add("\"type\":\"asset.define\",\"asset\":\"USD\",\"scale\":2");
	add("\"type\":\"account.open\",\"account\":\"w\",\"asset\":\"USD\","
	    "\"floor\":null");
	add("\"type\":\"account.open\",\"account\":\"a\",\"asset\":\"USD\","
	    "\"floor\":\"%s\"",
		floor);
	add("\"type\":\"transfer.post\",\"moves\":[{\"from\":\"a\",\"to\":"
	    "\"w\",\"amount\":\"%s\"}]",
		less);
	run();
	expect(3, STATUS_APPLIED);
	batch_clear(&batch);
}

static void
add_trade(const char *tx, const char *outcome, const char *position,
	const char *lock, const char *more)
{
	add("\"type\":\"trade.record\",\"account\":\"a\",\"market\":\"m\","
	    "\"outcome\":\"%s\",\"side\":\"BUY\",\"tx\":\"%s\","
	    "\"position\":\"%s\",\"lock\":\"%s\"%s",
		outcome, tx, position, lock, more);
}

static void
add_settle(const char *from, const char *payouts, const char *more)
{
	add("\"type\":\"market.settle\",\"market\":\"m\",\"from\":\"%s\","
	    "\"payouts\":{%s}%s",
		from, payouts, more);
}

/* ---- stakes ---- */

START_TEST(a_stake_below_zero_trades_unless_it_is_skimmed)
{
	open_stake("-9.00", "5.00");
	add_trade("t1", "yes", "1", "4.01", "");
	add_trade("t2", "yes", "1", "4.00", "");
	add_trade("t3", "yes", "0", "0",
		",\"skim\":{\"amount\":\"0.01\",\"to\":\"w\"}");
	add_trade("t4", "yes", "0", "0", "");
	run();
	expect(0, STATUS_INSUFFICIENT_FUNDS);
	expect(1, STATUS_APPLIED);
	expect(2, STATUS_INSUFFICIENT_FUNDS);
	expect(3, STATUS_APPLIED);
}
END_TEST

/* ---- settlements ---- */

/* Units of the table and of the batch, of the outcomes that each pays; a market
 * that nobody settles is asked nothing. */
START_TEST(each_settlement_knows_the_units_of_what_it_pays)
{
	open_stake("-0.01", "0.01");
	add("\"type\":\"transfer.post\",\"moves\":[{\"from\":\"w\",\"to\":"
	    "\"a\",\"amount\":\"100\"}]");
	add_trade("t1", "yes", "3", "0", "");
	add_trade("t2", "no", "5", "0", "");
	run();
	batch_clear(&batch);
	add_trade("t3", "yes", "4", "0", "");
	add_settle("w", "\"maybe\":\"1\"", ",\"dry_run\":true");
	add_settle("a", "\"yes\":\"1\",\"no\":\"20\"", "");
	add_settle("a", "\"yes\":\"1\",\"no\":\"2\"", "");
	add_settle("a", "\"yes\":\"1\"", "");
	run();
	ck_assert_uint_eq(batch.out.answer_count, 1);
	expect(0, STATUS_APPLIED);
	expect(1, STATUS_INSUFFICIENT_FUNDS); /* 4 + 100 of 100.00 - 0.01 */
	expect(2, STATUS_APPLIED);	      /* 4 + 10 */
	expect(3, STATUS_MARKET_SETTLED);
	ck_assert_int_eq(books_market_at(&batch.books, 0)->reserved.minor,
		1400);
}
END_TEST

FIXTURE_MAIN("trading", set_up, tear_down,
	a_stake_below_zero_trades_unless_it_is_skimmed,
	each_settlement_knows_the_units_of_what_it_pays)
