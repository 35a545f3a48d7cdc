/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which refusals a replay takes from the log as they are: those that could have
 * another answer, had the batch seen what another one made at the same time.
 * The groups and trades are of histories that tests/sim has found.
 */
#include <check.h>

#include "absence.h"
#include "check_suite.h"

static bool
is_ground(const char *type, const char *status, const char *command,
	const char *result)
{
	struct absence_row row = {ch_view_of(type), ch_view_of(status),
		ch_view_of(command), ch_view_of(result)};
	struct ch_arena arena = {0};
	bool ground = absence_is_ground(&row, &arena);

	ch_arena_free(&arena);
	return ground;
}

static bool
group_is_ground(const char *members, const char *failed)
{
	char command[512];
	char result[512];

	(void)snprintf(command, sizeof(command),
		"{\"type\":\"group\",\"commands\":[%s]}", members);
	(void)snprintf(result, sizeof(result),
		"{\"status\":\"group_failed\",\"failed\":{%s},\"balances\":[]}",
		failed);
	return is_ground("group", "group_failed", command, result);
}

START_TEST(a_status_that_says_so)
{
	ck_assert(is_ground("hold.void", "hold_not_found", "", ""));
	ck_assert(is_ground("account.close", "version_conflict", "", ""));
	ck_assert(!is_ground("transfer.post", "insufficient_funds", "", ""));
	ck_assert(!is_ground("stock.receive", "overflow", "", ""));
	ck_assert(!is_ground("hold.place", "hold_exists", "", ""));
	ck_assert(!is_ground("hold.place", "_not_found", "", ""));
}
END_TEST

START_TEST(a_trade_whose_transaction_may_be_known)
{
	ck_assert(is_ground("trade.record", "insufficient_funds", "", ""));
	ck_assert(is_ground("trade.record", "market_settled", "", ""));
	ck_assert(!is_ground("trade.record", "applied", "", ""));
}
END_TEST

START_TEST(a_group_that_failed_by_such_a_member)
{
	ck_assert(group_is_ground("{\"type\":\"hold.void\"}",
		"\"index\":0,\"status\":\"hold_not_found\""));
	ck_assert(group_is_ground("{\"type\":\"transfer.post\"},"
				  "{\"type\":\"trade.record\"}",
		"\"index\":1,\"status\":\"insufficient_funds\""));
	ck_assert(!group_is_ground("{\"type\":\"transfer.post\"},"
				   "{\"type\":\"trade.record\"}",
		"\"index\":0,\"status\":\"insufficient_funds\""));
}
END_TEST

/* Its own stock.receive made the SKU; so did another batch, with more in it. */
START_TEST(a_group_that_failed_behind_a_member_that_makes_rows)
{
	static const char *const makers[] = {"asset.define", "account.open",
		"hold.place", "stock.receive", "stock.reserve", "order.place",
		"trade.record", "pool.deploy"};

	for (size_t i = 0; i < COUNT(makers); i++) {
		char members[128];

		(void)snprintf(members, sizeof(members),
			"{\"type\":\"%s\"},{\"type\":\"stock.adjust\"}",
			makers[i]);
		ck_assert(group_is_ground(members,
			"\"index\":1,\"status\":\"out_of_stock\""));
	}
	ck_assert(!group_is_ground("{\"type\":\"stock.adjust\"},"
				   "{\"type\":\"transfer.post\"}",
		"\"index\":1,\"status\":\"insufficient_funds\""));
	/* it failed before it made any */
	ck_assert(!group_is_ground("{\"type\":\"stock.receive\"},"
				   "{\"type\":\"transfer.post\"}",
		"\"index\":0,\"status\":\"overflow\""));
}
END_TEST

SUITE_MAIN("absence", a_status_that_says_so,
	a_trade_whose_transaction_may_be_known,
	a_group_that_failed_by_such_a_member,
	a_group_that_failed_behind_a_member_that_makes_rows)
