/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_rules: pools, and the settlement of a market.
 *
 * A settlement sets its whole total aside, then pays page by page. With X the
 * exact sum of units * price over the positions so far, a holder gets
 * floor(X after) - floor(X before) minor units: so the pages need no more than
 * X between them, all holders together get floor(X of all), and each is within
 * one minor unit of his own product.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_MARKET_RULES_H
#define LEDGER_WRITER_MARKET_RULES_H

#include "command.h"
#include "ruling.h"

void market_rules_deploy(struct ruling *r, const struct command *c);
void market_rules_settle(struct ruling *r, const struct command *c);

/* The next page: positions with numbers above the market's cursor, ascending,
 * all rows there. last: no more follow. */
struct market_page {
	struct market *market;
	struct position **positions;
	size_t count;
	bool last;
};
void market_rules_pay(struct ruling *r, const struct market_page *page);

#endif
