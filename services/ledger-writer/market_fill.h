/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_fill: a record of market.fills, read as the order.fill that it is.
 *
 * A venue's word, not a producer's command. What it names is known by the books
 * (order and fill id: order_rules.h), for ever; the id that it gets here names
 * one report of it: UUIDv7 of the record's time in Kafka (of the trade's where
 * the record has none) and of all that counts, "4" and "4.00" being the same.
 * So the age of a trade closes no gate, and a letter sent again is young.
 * Members that say no more than where the fill came from do not count.
 *
 * Ownership and thread: as command.h.
 */
#ifndef LEDGER_WRITER_MARKET_FILL_H
#define LEDGER_WRITER_MARKET_FILL_H

#include "command.h"

/* As command_decode(); r->record_at is the record's time. */
bool market_fill_decode(struct command_reader *r, struct ch_view value,
	struct command *out, struct command_refusal *refusal);

#endif
