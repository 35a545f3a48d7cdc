/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log keeps of a command's changes: figures before and after, of each
 * kind of row, and nothing where they follow from the answer. Each case runs
 * whole batches against the in-memory store.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "batch.h"
#include "check_suite.h"
#include "mem_store.h"

#define DAY INT64_C(86400000000)
#define NOW (INT64_C(20778) * DAY) /* 2026-11-21T00:00:00Z */

static struct mem_store *store;
static struct batch batch;
static struct batch_context context;
static unsigned sent;

static void
id_of(unsigned n, char id[CH_UUID_TEXT_MAX])
{
	int64_t ms = NOW / 1000;

	(void)snprintf(id, CH_UUID_TEXT_MAX, "%08llx-%04llx-7000-8000-%012x",
		(unsigned long long)(ms >> 16),
		(unsigned long long)(ms & 0xffff), n);
}

static char *
text_of(const char *body)
{
	static char text[4096];
	char id[CH_UUID_TEXT_MAX];

	id_of(++sent, id);
	(void)snprintf(text, sizeof(text),
		"{\"id\":\"%s\",\"org\":\"acme\",%s}", id, body);
	return text;
}

static void
decide(void)
{
	struct ch_err err = CH_ERR_INIT;
	struct ch_time now = {NOW};

	mem_store_load(store, &batch);
	context.decided_at = batch_decided_at(&batch, now);
	mem_store_load_due(store, &batch, context.decided_at);
	ck_assert_uint_eq(books_missing(&batch.books), 0);
	context.number++;
	ck_assert_int_eq(batch_decide(&batch, &context, &err), 0);
	mem_store_commit(store, &batch, &context);
	ck_assert_ptr_null(mem_store_problem(store));
}

static void
add(const char *body)
{
	(void)batch_add(&batch, 0,
		&(struct batch_record){.offset = (int64_t)batch.count,
			.key = CH_VIEW("acme/x"),
			.value = ch_view_of(text_of(body))});
}

static const struct log_row *
last_row(void)
{
	ck_assert_uint_gt(batch.out.log_count, 0);
	return &batch.out.log[batch.out.log_count - 1];
}

/* One command, one batch: with that status it leaves these changes. */
static void
leaves(const char *body, enum ledger_status status, const char *changes)
{
	const struct log_row *row;

	batch_clear(&batch);
	add(body);
	decide();
	row = last_row();
	ck_assert_msg(row->status == status, "%s: %.*s", body,
		CH_VIEW_ARG(row->result));
	if (changes == NULL)
		ck_assert_msg(row->changes.ptr == NULL, "%s: %.*s", body,
			CH_VIEW_ARG(row->changes));
	else
		ck_assert_msg(ch_view_eq_str(row->changes, changes),
			"%s:\n%.*s\nis not\n%s", body,
			CH_VIEW_ARG(row->changes), changes);
}

static void
applied(const char *body, const char *changes)
{
	leaves(body, STATUS_APPLIED, changes);
}

#define T(type) "\"type\":\"" type "\","
#define OPEN(name, more)                                                       \
	T("account.open") "\"account\":\"" name "\",\"asset\":\"USD\"" more
#define MOVE(from, to, amount)                                                 \
	T("transfer.post")                                                     \
	"\"moves\":[{\"from\":\"" from "\",\"to\":\"" to                       \
	"\",\"amount\":\"" amount "\"}]"
#define ORDER(type, more) T(type) "\"order\":\"o\"" more
#define FILL(name, qty)                                                        \
	ORDER("order.fill", ",\"fill\":\"" name "\",\"qty\":\"" qty "\"")
#define TRADE(market, tx, position, lock, more)                                \
	T("trade.record")                                                      \
	"\"account\":\"a\",\"market\":\"" market                               \
	"\",\"outcome\":\"yes\",\"side\":\"BUY\",\"tx\":\"" tx                 \
	"\",\"position\":\"" position "\",\"lock\":\"" lock "\"" more

static void
set_up(void)
{
	struct command_limits limits = {.value_max = (size_t)64 * 1024};

	sent = 0;
	store = mem_store_new(MEM_STORE_SOUND);
	batch_init(&batch, &limits);
	(void)batch_add_stream(&batch, 1, 0, CH_VIEW("ledger.commands"));
	context = (struct batch_context){.lowest_day = 20777};
	applied(T("asset.define") "\"asset\":\"USD\",\"scale\":2",
		"[[\"asset\",\"USD\",\"scale\",\"none\",\"2\"]]");
	applied(OPEN("bank", ",\"floor\":null"),
		"[[\"account\",\"bank\",\"state\",\"none\",\"open\"],"
		"[\"account\",\"bank\",\"held\",\"none\",\"0.00\"]]");
	applied(OPEN("a", ""),
		"[[\"account\",\"a\",\"state\",\"none\",\"open\"],"
		"[\"account\",\"a\",\"floor\",\"none\",\"0.00\"],"
		"[\"account\",\"a\",\"held\",\"none\",\"0.00\"]]");
	applied(MOVE("bank", "a", "50"), NULL);
}

static void
tear_down(void)
{
	batch_free(&batch);
	mem_store_free(store);
}

START_TEST(money_and_stock_follow_from_their_answers)
{
	applied(T("hold.place") "\"from\":\"a\",\"amount\":\"5\",\"hold\":\"h\"",
		NULL);
	applied(T("hold.capture") "\"hold\":\"h\",\"to\":\"bank\"", NULL);
	applied(T("stock.receive") "\"sku\":\"s\",\"qty\":\"5\"", NULL);
	applied(T("stock.reserve") "\"sku\":\"s\",\"qty\":\"2\"", NULL);
}
END_TEST

START_TEST(the_terms_of_an_account)
{
	applied(T("account.limit") "\"account\":\"a\",\"floor\":\"-7\"",
		"[[\"account\",\"a\",\"floor\",\"0.00\",\"-7.00\"]]");
	applied(T("account.limit") "\"account\":\"a\",\"floor\":null",
		"[[\"account\",\"a\",\"floor\",\"-7.00\",\"none\"]]");
	applied(MOVE("a", "bank", "50"), NULL);
	applied(T("account.close") "\"account\":\"a\"",
		"[[\"account\",\"a\",\"state\",\"open\",\"closed\"]]");
}
END_TEST

START_TEST(an_account_with_shards_is_told_once)
{
	applied(OPEN("fees", ",\"floor\":null,\"shards\":3"),
		"[[\"account\",\"fees\",\"state\",\"none\",\"open\"],"
		"[\"account\",\"fees\",\"shards\",\"none\",\"3\"]]");
	applied(MOVE("a", "fees", "1"), NULL);
	applied(MOVE("fees", "a", "1"), NULL);
	applied(T("account.close") "\"account\":\"fees\"",
		"[[\"account\",\"fees\",\"state\",\"open\",\"closed\"]]");
}
END_TEST

START_TEST(each_move_of_an_order)
{
	applied(ORDER("order.place",
			",\"market\":\"m\",\"side\":\"BUY\",\"qty\":\"3\""),
		"[[\"order\",\"o\",\"state\",\"none\",\"placed\"],"
		"[\"order\",\"o\",\"filled\",\"none\",\"0.00000000\"]]");
	applied(ORDER("order.accept", ""),
		"[[\"order\",\"o\",\"state\",\"placed\",\"pending\"]]");
	applied(FILL("f", "1"),
		"[[\"order\",\"o\",\"state\",\"pending\",\"partial\"],"
		"[\"order\",\"o\",\"filled\",\"0.00000000\",\"1.00000000\"]]");
	applied(FILL("f", "1"), NULL); /* known: nothing is changed */
	applied(ORDER("order.lost", ""),
		"[[\"order\",\"o\",\"state\",\"partial\",\"lost\"]]");
	applied(ORDER("order.cancel", ""),
		"[[\"order\",\"o\",\"state\",\"lost\",\"cancelled\"]]");
	leaves(ORDER("order.accept", ""), STATUS_ILLEGAL_ORDER_MOVE, NULL);
	applied(FILL("g", "2"),
		"[[\"order\",\"o\",\"state\",\"cancelled\",\"filled\"],"
		"[\"order\",\"o\",\"filled\",\"1.00000000\",\"3.00000000\"]]");
}
END_TEST

START_TEST(a_trade_sets_and_a_skim_takes_of_every_lock)
{
	applied(TRADE("m", "t1", "1", "3", ""),
		"[[\"account\",\"a\",\"held\",\"0.00\",\"3.00\"],"
		"[\"position\",\"a/m/yes\",\"qty\",\"none\",\"1.00000000\"],"
		"[\"position\",\"a/m/yes\",\"lock\",\"none\",\"3.00\"],"
		"[\"market\",\"m\",\"state\",\"none\",\"open\"],"
		"[\"market\",\"m\",\"asset\",\"none\",\"USD\"],"
		"[\"trade\",\"t1\",\"state\",\"none\",\"recorded\"]]");
	applied(TRADE("n", "t2", "2", "3",
			",\"skim\":{\"amount\":\"2\",\"to\":\"bank\"},"
			"\"belief\":{\"belief\":\"0.5\",\"meta\":\"0.25\"}"),
		"[[\"account\",\"a\",\"held\",\"3.00\",\"5.88\"],"
		"[\"position\",\"a/m/yes\",\"lock\",\"3.00\",\"2.88\"],"
		"[\"position\",\"a/n/yes\",\"qty\",\"none\",\"2.00000000\"],"
		"[\"position\",\"a/n/yes\",\"lock\",\"none\",\"3.00\"],"
		"[\"position\",\"a/n/yes\",\"belief\",\"none\",\"0.50000000\"],"
		"[\"position\",\"a/n/yes\",\"meta\",\"none\",\"0.25000000\"],"
		"[\"market\",\"n\",\"state\",\"none\",\"open\"],"
		"[\"market\",\"n\",\"asset\",\"none\",\"USD\"],"
		"[\"trade\",\"t2\",\"state\",\"none\",\"recorded\"]]");
	applied(TRADE("n", "t2", "2", "3",
			",\"skim\":{\"amount\":\"2\",\"to\":\"bank\"},"
			"\"belief\":{\"belief\":\"0.5\",\"meta\":\"0.25\"},"
			"\"settled\":true"),
		"[[\"trade\",\"t2\",\"state\",\"recorded\",\"confirmed\"]]");
	leaves(TRADE("m", "t3", "1", "99", ""), STATUS_INSUFFICIENT_FUNDS,
		NULL);
}
END_TEST

START_TEST(a_pool_and_a_settlement)
{
	applied(TRADE("m", "t1", "4", "1", ""),
		"[[\"account\",\"a\",\"held\",\"0.00\",\"1.00\"],"
		"[\"position\",\"a/m/yes\",\"qty\",\"none\",\"4.00000000\"],"
		"[\"position\",\"a/m/yes\",\"lock\",\"none\",\"1.00\"],"
		"[\"market\",\"m\",\"state\",\"none\",\"open\"],"
		"[\"market\",\"m\",\"asset\",\"none\",\"USD\"],"
		"[\"trade\",\"t1\",\"state\",\"none\",\"recorded\"]]");
	applied(T("pool.deploy") "\"market\":\"m\",\"address\":\"0x1\"",
		"[[\"market\",\"m\",\"address\",\"none\",\"0x1\"]]");
	leaves(T("pool.deploy") "\"market\":\"m\",\"address\":\"0x2\"",
		STATUS_POOL_EXISTS, NULL);
	applied(T("market.settle") "\"market\":\"m\",\"from\":\"bank\","
				   "\"payouts\":{\"yes\":\"1\"}",
		"[[\"account\",\"bank\",\"held\",\"0.00\",\"4.00\"],"
		"[\"market\",\"m\",\"state\",\"open\",\"settling\"],"
		"[\"market\",\"m\",\"reserved\",\"0.00\",\"4.00\"]]");
}
END_TEST

/* As the earlier commands of the same batch left the rows; a group is one
 * command, and one that fails has changed nothing. */
START_TEST(what_was_before_is_what_the_command_met)
{
	batch_clear(&batch);
	add(ORDER("order.place",
		",\"market\":\"m\",\"side\":\"BUY\",\"qty\":\"3\""));
	add(FILL("f", "1"));
	add(T("group") "\"commands\":[{" FILL("g", "1") "},{" FILL("h",
		"1") "},{" T("hold.place") "\"from\":\"a\",\"amount\":\"5\","
					   "\"hold\":\"k\"}]");
	decide();
	ck_assert_uint_eq(batch.out.log_count, 3);
	ck_assert(ch_view_eq_str(batch.out.log[1].changes,
		"[[\"order\",\"o\",\"state\",\"placed\",\"partial\"],"
		"[\"order\",\"o\",\"filled\",\"0.00000000\",\"1.00000000\"]]"));
	ck_assert(ch_view_eq_str(batch.out.log[2].changes,
		"[[\"order\",\"o\",\"state\",\"partial\",\"filled\"],"
		"[\"order\",\"o\",\"filled\",\"1.00000000\",\"3.00000000\"],"
		"[\"account\",\"a\",\"held\",\"0.00\",\"5.00\"],"
		"[\"hold\",\"k\",\"state\",\"none\",\"held\"]]"));
	leaves(T("group") "\"commands\":[{" T(
		       "account.limit") "\"account\":\"a\",\"floor\":null},"
					"{" ORDER("order.accept", "") "}]",
		STATUS_GROUP_FAILED, NULL);
}
END_TEST

START_TEST(a_reversal_names_its_transfer)
{
	char body[256];
	char changes[256];
	char id[CH_UUID_TEXT_MAX];

	applied(MOVE("a", "bank", "1"), NULL);
	id_of(sent, id);
	(void)snprintf(body, sizeof(body),
		T("transfer.reverse") "\"transfer\":\"%s\"", id);
	(void)snprintf(changes, sizeof(changes),
		"[[\"transfer\",\"%s\",\"state\",\"posted\",\"reversed\"]]",
		id);
	applied(body, changes);
}
END_TEST

FIXTURE_MAIN("change", set_up, tear_down,
	money_and_stock_follow_from_their_answers, the_terms_of_an_account,
	an_account_with_shards_is_told_once, each_move_of_an_order,
	a_trade_sets_and_a_skim_takes_of_every_lock, a_pool_and_a_settlement,
	what_was_before_is_what_the_command_met, a_reversal_names_its_transfer)
