/* SPDX-License-Identifier: Apache-2.0 */
/*
 * states: the lifecycles of holds, reservations, orders, markets and trades,
 * and their names, which are the same in tables, answers and events. Which
 * moves are allowed is with the rules (money_rules.c, stock_rules.c,
 * order_rules.c, trade_rules.c).
 *
 * Thread: constants only.
 */
#ifndef LEDGER_WRITER_STATES_H
#define LEDGER_WRITER_STATES_H

#include <stdbool.h>

#include "base/str.h"

enum hold_state { HOLD_HELD, HOLD_CAPTURED, HOLD_VOIDED, HOLD_EXPIRED };
enum reservation_state {
	RESERVATION_RESERVED,
	RESERVATION_COMMITTED,
	RESERVATION_RELEASED,
	RESERVATION_EXPIRED
};
enum order_state {
	ORDER_PLACED,
	ORDER_PENDING,
	ORDER_PARTIAL,
	ORDER_FILLED,
	ORDER_CANCELLED,
	ORDER_LOST
};
enum market_state { MARKET_OPEN, MARKET_SETTLING, MARKET_SETTLED };
enum trade_state { TRADE_RECORDED, TRADE_CONFIRMED };

const char *hold_state_name(enum hold_state s);
const char *reservation_state_name(enum reservation_state s);
const char *order_state_name(enum order_state s);
const char *market_state_name(enum market_state s);
const char *trade_state_name(enum trade_state s);
/* false for any other text. */
bool hold_state_of(struct ch_view name, enum hold_state *out);
bool reservation_state_of(struct ch_view name, enum reservation_state *out);
bool order_state_of(struct ch_view name, enum order_state *out);
bool market_state_of(struct ch_view name, enum market_state *out);
bool trade_state_of(struct ch_view name, enum trade_state *out);

#endif
