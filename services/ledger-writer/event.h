/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: the events that rules leave, written as they happen.
 *
 * One function an aggregate; the catalogue is schema/messages/events.json and
 * docs/protocols/commands.md, section 8. Values are those of the rows right
 * then, so a rule calls this after it has changed them.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_EVENT_H
#define LEDGER_WRITER_EVENT_H

#include "ruling.h"

/* qty: what moved. reservation NULL: left out. */
void event_stock(struct ruling *r, const char *type, const struct sku *sku,
	struct ch_qty qty, const struct reservation *reservation);
/* to: of a capture; NULL: left out. */
void event_hold(struct ruling *r, const char *type, const struct hold *hold,
	const struct account *to);
/* fill NULL: left out; price ptr NULL: left out. */
void event_order(struct ruling *r, const char *type, const struct order *order,
	const struct fill *fill, struct ch_view price);
/* What was recorded; t NULL: a known trade was confirmed. */
void event_trade(struct ruling *r, const struct trade_row *trade,
	const struct account *account, const struct trade_record *t);
void event_pool_deployed(struct ruling *r, const struct market *market);
void event_market_settling(struct ruling *r, const struct market *market);
void event_market_settled(struct ruling *r, const struct market *market);

#endif
