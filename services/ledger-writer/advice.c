/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advice: see advice.h. What a refusal by the books has in common (the id is
 * taken for good, so a mended command needs a new one) stands in NEW_ID.
 */
#include "advice.h"

#include "ledger.h"

#define NEW_ID                                                                 \
	"; this id keeps its answer for good, so the mended command "          \
	"needs a new one"
#define SAME_ID "; the id is still free: the same record may be sent again"

static const char *const texts[STATUS_COUNT] = {
	[STATUS_INVALID] =
		"mend the producer (the reason above), then send "
		"the command again under the same id, or `outbox-relay dlq "
		"replay <letter>` when the ledger was at fault",
	[STATUS_KEY_EXPIRED] =
		"key_expired: the day of this id is not kept "
		"any more, so nobody can say whether it was "
		"applied then: see the archive of that day, then "
		"send the command under a new id",
	[STATUS_KEY_IN_FUTURE] = "set the producer's clock right" SAME_ID,
	[STATUS_KEY_REUSED] =
		"another command has this id (see what took it): "
		"send this one under a new id, and find out why the "
		"producer makes ids twice",
	[STATUS_SUPERSEDED] =
		"its first answer stands (ledger-writer explain <id>): "
		"where the intention was not sent again since, under this or "
		"another id, its producer may do so now" SAME_ID,
	[STATUS_TRADING_PAUSED] = "wait for the pause to end (SELECT * FROM "
				  "ch.pauses)" SAME_ID,
	[STATUS_RATE_LIMITED] = "wait until `reset`, or change the rule "
				"(ch.set_rate_rule)" SAME_ID,
	[STATUS_ASSET_NOT_FOUND] = "define the asset" NEW_ID,
	[STATUS_ACCOUNT_NOT_FOUND] =
		"open the account, or correct its name" NEW_ID,
	[STATUS_HOLD_NOT_FOUND] =
		"the hold was not there when this was "
		"decided: was its hold.place refused, or sent "
		"later under another key?" NEW_ID,
	[STATUS_SKU_NOT_FOUND] = "receive stock of the SKU first" NEW_ID,
	[STATUS_RESERVATION_NOT_FOUND] = "the reservation was not there when "
					 "this was decided: was its "
					 "stock.reserve refused, or sent later "
					 "under another key?" NEW_ID,
	[STATUS_TRANSFER_NOT_FOUND] =
		"explain the transfer that it reverses: refused, of another "
		"organisation, or of a day that is not kept any more: then "
		"post the opposite of what its archive says" NEW_ID,
	[STATUS_ORDER_NOT_FOUND] =
		"place the order first; then a venue's fill is replayed from "
		"its letter, and a producer's command needs a new id",
	[STATUS_MARKET_NOT_FOUND] =
		"the market has neither trade nor pool yet" NEW_ID,
	[STATUS_ACCOUNT_CLOSED] =
		"the account is closed for good: use another" NEW_ID,
	[STATUS_MARKET_SETTLED] = "the market is settled or being settled: "
				  "nothing more is taken for it",
	[STATUS_VERSION_UNSUPPORTED] = "an account with shards has no version: "
				       "leave expected_version out" NEW_ID,
	[STATUS_VERSION_CONFLICT] = "read the row's version again and decide "
				    "anew" NEW_ID,
	[STATUS_ACCOUNT_SHARDED] =
		"use an account without shards for this" NEW_ID,
	[STATUS_ASSET_MISMATCH] = "the accounts have different assets" NEW_ID,
	[STATUS_INVALID_AMOUNT] = "the amount has more fraction digits than "
				  "its asset" NEW_ID,
	[STATUS_HOLD_CAPTURED] = "the hold was captured before; explain the "
				 "command that did it (ch.statement)",
	[STATUS_HOLD_VOIDED] =
		"the hold was voided before: place a new one" NEW_ID,
	[STATUS_HOLD_EXPIRED] =
		"the hold ran out before: place a new one" NEW_ID,
	[STATUS_RESERVATION_COMMITTED] = "the reservation was committed before",
	[STATUS_RESERVATION_RELEASED] = "the reservation was released before: "
					"reserve anew" NEW_ID,
	[STATUS_RESERVATION_EXPIRED] = "the reservation ran out before: "
				       "reserve anew" NEW_ID,
	[STATUS_ALREADY_REVERSED] = "nothing: the transfer was reversed before",
	[STATUS_NOT_REVERSIBLE] = "only a transfer.post can be reversed; of a "
				  "group name the member: <id>/<index>" NEW_ID,
	[STATUS_ILLEGAL_ORDER_MOVE] = "the order had moved on (its state is in "
				      "ch_read.orders): nothing to do unless "
				      "the venue says otherwise",
	[STATUS_FACT_MISMATCH] = "the ledger knows this fact with other "
				 "figures: compare both with the venue or the "
				 "chain; one of the reports is wrong",
	[STATUS_NOT_EMPTY] =
		"empty the account first (balance and held)" NEW_ID,
	[STATUS_AMOUNT_EXCEEDS_HOLD] = "capture at most what is held" NEW_ID,
	[STATUS_INSUFFICIENT_FUNDS] =
		"bring money in, or lower the amount" NEW_ID,
	[STATUS_OUT_OF_STOCK] = "receive stock, or lower the quantity" NEW_ID,
	[STATUS_OVERFLOW] =
		"no balance can be that large: correct the amount" NEW_ID,
	[STATUS_ASSET_EXISTS] = "nothing: the asset is defined",
	[STATUS_ACCOUNT_EXISTS] = "nothing: the account is open",
	[STATUS_HOLD_EXISTS] = "choose another name for the hold" NEW_ID,
	[STATUS_RESERVATION_EXISTS] =
		"choose another name for the reservation" NEW_ID,
	[STATUS_ORDER_EXISTS] = "choose another name for the order" NEW_ID,
	[STATUS_POOL_EXISTS] = "nothing: the pool is deployed, the answer has "
			       "its address",
	[STATUS_GROUP_FAILED] = "mend the member that `failed` names; nothing "
				"of the group was applied" NEW_ID,
	[STATUS_APPLIED] = "nothing: it is done",
};

const char *
advice_of(struct ch_view status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (ch_view_eq_str(status, ledger_statuses[i].name))
			return texts[i];
	return "nothing: the answer that the id has was given again";
}
