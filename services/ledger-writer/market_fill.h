/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_fill: a record of market.fills, read as the order.fill that it is.
 *
 * A venue's word, not a producer's command: it has no id, so it gets one of
 * its own (UUIDv7 of the fill's time and "fill/<org>/<fill id>"), and the same
 * fill delivered again is a duplicate, with its quantity written "4" or "4.00". Members that say no more than where the
 * fill came from are not looked at and do not count.
 *
 * Ownership and thread: as command.h.
 */
#ifndef LEDGER_WRITER_MARKET_FILL_H
#define LEDGER_WRITER_MARKET_FILL_H

#include "command.h"

/* As command_decode(). */
bool market_fill_decode(struct command_reader *r, struct ch_view value,
	struct command *out, struct command_refusal *refusal);

#endif
