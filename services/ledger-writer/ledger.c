/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: the tables of command types and statuses, see ledger.h.
 *
 * They are the C side of schema/messages: tests/unit/ledger-writer holds both
 * against each other, so that a name is never spelled in two ways.
 */
#include "ledger.h"

const struct command_type_row command_types[COMMAND_TYPES] = {
	[COMMAND_ASSET_DEFINE] = {"asset.define", false},
	[COMMAND_ACCOUNT_OPEN] = {"account.open", false},
	[COMMAND_ACCOUNT_LIMIT] = {"account.limit", false},
	[COMMAND_ACCOUNT_CLOSE] = {"account.close", false},
	[COMMAND_TRANSFER_POST] = {"transfer.post", false},
	[COMMAND_TRANSFER_REVERSE] = {"transfer.reverse", false},
	[COMMAND_HOLD_PLACE] = {"hold.place", false},
	[COMMAND_HOLD_CAPTURE] = {"hold.capture", true},
	[COMMAND_HOLD_VOID] = {"hold.void", true},
	[COMMAND_STOCK_RECEIVE] = {"stock.receive", true},
	[COMMAND_STOCK_ADJUST] = {"stock.adjust", true},
	[COMMAND_STOCK_RESERVE] = {"stock.reserve", false},
	[COMMAND_RESERVATION_COMMIT] = {"reservation.commit", true},
	[COMMAND_RESERVATION_RELEASE] = {"reservation.release", true},
	[COMMAND_GROUP] = {"group", false},
	[COMMAND_ORDER_PLACE] = {"order.place", false},
	[COMMAND_ORDER_ACCEPT] = {"order.accept", true},
	[COMMAND_ORDER_FILL] = {"order.fill", true},
	[COMMAND_ORDER_CANCEL] = {"order.cancel", false},
	[COMMAND_ORDER_LOST] = {"order.lost", true},
	[COMMAND_TRADE_RECORD] = {"trade.record", false},
	[COMMAND_POOL_DEPLOY] = {"pool.deploy", false},
	[COMMAND_MARKET_SETTLE] = {"market.settle", false},
};

const struct ledger_status_row ledger_statuses[STATUS_COUNT] = {
	[STATUS_INVALID] = {"invalid", false},
	[STATUS_KEY_EXPIRED] = {"key_expired", false},
	[STATUS_KEY_IN_FUTURE] = {"key_in_future", false},
	[STATUS_KEY_REUSED] = {"key_reused", false},
	[STATUS_SUPERSEDED] = {"superseded", false},
	[STATUS_TRADING_PAUSED] = {"trading_paused", false},
	[STATUS_RATE_LIMITED] = {"rate_limited", false},
	[STATUS_ASSET_NOT_FOUND] = {"asset_not_found", true},
	[STATUS_ACCOUNT_NOT_FOUND] = {"account_not_found", true},
	[STATUS_HOLD_NOT_FOUND] = {"hold_not_found", true},
	[STATUS_SKU_NOT_FOUND] = {"sku_not_found", true},
	[STATUS_RESERVATION_NOT_FOUND] = {"reservation_not_found", true},
	[STATUS_TRANSFER_NOT_FOUND] = {"transfer_not_found", true},
	[STATUS_ORDER_NOT_FOUND] = {"order_not_found", true},
	[STATUS_MARKET_NOT_FOUND] = {"market_not_found", true},
	[STATUS_ACCOUNT_CLOSED] = {"account_closed", true},
	[STATUS_MARKET_SETTLED] = {"market_settled", true},
	[STATUS_VERSION_UNSUPPORTED] = {"version_unsupported", true},
	[STATUS_VERSION_CONFLICT] = {"version_conflict", true},
	[STATUS_ACCOUNT_SHARDED] = {"account_sharded", true},
	[STATUS_ASSET_MISMATCH] = {"asset_mismatch", true},
	[STATUS_INVALID_AMOUNT] = {"invalid_amount", true},
	[STATUS_HOLD_CAPTURED] = {"hold_captured", true},
	[STATUS_HOLD_VOIDED] = {"hold_voided", true},
	[STATUS_HOLD_EXPIRED] = {"hold_expired", true},
	[STATUS_RESERVATION_COMMITTED] = {"reservation_committed", true},
	[STATUS_RESERVATION_RELEASED] = {"reservation_released", true},
	[STATUS_RESERVATION_EXPIRED] = {"reservation_expired", true},
	[STATUS_ALREADY_REVERSED] = {"already_reversed", true},
	[STATUS_NOT_REVERSIBLE] = {"not_reversible", true},
	[STATUS_ILLEGAL_ORDER_MOVE] = {"illegal_order_move", true},
	[STATUS_FACT_MISMATCH] = {"fact_mismatch", true},
	[STATUS_NOT_EMPTY] = {"not_empty", true},
	[STATUS_AMOUNT_EXCEEDS_HOLD] = {"amount_exceeds_hold", true},
	[STATUS_INSUFFICIENT_FUNDS] = {"insufficient_funds", true},
	[STATUS_OUT_OF_STOCK] = {"out_of_stock", true},
	[STATUS_OVERFLOW] = {"overflow", true},
	[STATUS_ASSET_EXISTS] = {"asset_exists", true},
	[STATUS_ACCOUNT_EXISTS] = {"account_exists", true},
	[STATUS_HOLD_EXISTS] = {"hold_exists", true},
	[STATUS_RESERVATION_EXISTS] = {"reservation_exists", true},
	[STATUS_ORDER_EXISTS] = {"order_exists", true},
	[STATUS_POOL_EXISTS] = {"pool_exists", true},
	[STATUS_GROUP_FAILED] = {"group_failed", true},
	[STATUS_APPLIED] = {"applied", true},
};

enum command_type
command_type_of(struct ch_view name)
{
	unsigned t = 0;

	while (t < COMMAND_TYPES &&
		!ch_view_eq_str(name, command_types[t].name))
		t++;
	return (enum command_type)t;
}
