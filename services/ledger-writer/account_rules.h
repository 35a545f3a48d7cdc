/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_rules: assets and accounts, and what every rule about money asks of
 * an account and of an amount.
 *
 *	available = balance - held - floor
 *
 * Sums are worked out wider than an int64, so that a shortage anywhere in a
 * command is found before an overflow anywhere, as the precedence asks.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_ACCOUNT_RULES_H
#define LEDGER_WRITER_ACCOUNT_RULES_H

#include "command.h"
#include "ruling.h"

void account_rules_define_asset(struct ruling *r, const struct command *c);
void account_rules_open(struct ruling *r, const struct command *c);
void account_rules_limit(struct ruling *r, const struct command *c);
void account_rules_close(struct ruling *r, const struct command *c);

/* The row of balances that a command of this partition touches: the account
 * itself, or its shard. The account must be there. */
struct account *account_rules_row(const struct ruling *r, struct account *a);
/* Is it there? Refuses when it is not, and when it is closed. field: what the
 * reason begins with, printf style. */
bool account_rules_usable(struct ruling *r, struct account *a,
	struct ch_view name, const char *field, size_t index);
/* Refuses an account with shards. */
void account_rules_whole(struct ruling *r, const struct account *a,
	const char *field);
/* Amounts beyond an int64 are exact up to 10^36 and count as that above it
 * (ch_amount_parse_wide()). */
#define ACCOUNT_RULES_MOST ((ch_wide)1000000000000000000 * 1000000000000000000)
/* Refuses more fraction digits than the asset has; 0 then. */
ch_wide account_rules_amount(struct ruling *r, const struct asset *asset,
	struct ch_view text, const char *field, size_t index);
static inline bool
account_rules_fits(ch_wide v)
{
	return v >= INT64_MIN && v <= INT64_MAX;
}
/* What a payer with a floor has to spend. */
ch_wide account_rules_available(const struct account *row);
/* Text of an amount that may be beyond an int64. */
const char *account_rules_text(ch_wide v, int scale,
	char out[CH_AMOUNT_TEXT_MAX]);

#endif
