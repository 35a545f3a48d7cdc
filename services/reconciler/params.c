/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the table of what an operator may set. Invariants have no row: a
 * check cannot be switched off, only whether it pauses.
 */
#include "params.h"

#include "checks.h"
#include "daemon/client_check.h"
#include "daemon/client_params.h"
#include "threshold.h"

#define PAUSE_HELP                                                             \
	" above which requests are paused, or never; a break is an alert "     \
	"in any case"

const struct ch_param reconciler_params[] = {
	CH_CLIENT_DATABASE(CH_PARAM_REQUIRED, ""), CH_CLIENT_PASSFILE,
	CH_CLIENT_SCHEMA("the books"),
	CH_CLIENT_ID("reconciler", 63, "application name towards PostgreSQL"),
	{.name = "actor",
		.type = CH_PARAM_STRING,
		.def = "reconciler",
		.min = 1,
		.max = 128,
		.help = "who pauses, in audit_events and pauses"},
	{.name = "interval",
		.type = CH_PARAM_DURATION,
		.def = "1s",
		.min = 50,
		.max = 60000,
		.help = "from the start of one round of checks to the next"},
	{.name = "round_budget",
		.type = CH_PARAM_DURATION,
		.def = "300ms",
		.min = 10,
		.max = 10000,
		.help = "how long one check may go on in one round; a table "
			"that takes longer is swept over several"},
	{.name = "fold_every",
		.type = CH_PARAM_DURATION,
		.def = "5s",
		.min = 50,
		.max = 600000,
		.help = "how often new postings are added to the verified "
			"sums"},
	{.name = "full_every",
		.type = CH_PARAM_DURATION,
		.def = "10m",
		.min = 100,
		.max = 604800000,
		.help = "pause between two full verifications, which sum "
			"every posting anew; the first begins at the start"},
	{.name = "stale_after",
		.type = CH_PARAM_DURATION,
		.def = "60s",
		.min = 500,
		.max = 86400000,
		.help = "a check that has not looked at everything for so "
			"long makes this process not ready; more than a sweep "
			"of your largest table takes"},
	{.name = "statement_timeout",
		.type = CH_PARAM_DURATION,
		.def = "3s",
		.min = 100,
		.max = 60000,
		.help = "longest statement; one that takes longer is made "
			"smaller"},
	{.name = "pause_transfers",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "difference of a transfer, in minor units," PAUSE_HELP},
	{.name = "pause_balances",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "difference of a balance, in minor units," PAUSE_HELP},
	{.name = "pause_floors",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "how far below a floor, in minor units," PAUSE_HELP},
	{.name = "pause_held",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "difference of what an account holds, in minor "
			"units," PAUSE_HELP},
	{.name = "pause_stock",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "difference of stock, in units," PAUSE_HELP},
	{.name = "pause_orders",
		.type = CH_PARAM_STRING,
		.def = "never",
		.min = 1,
		.max = 20,
		.help = "difference of an order and its fills, in 1e-8 "
			"units," PAUSE_HELP},
	{.name = "pause_markets",
		.type = CH_PARAM_STRING,
		.def = "0",
		.min = 1,
		.max = 20,
		.help = "difference of what a market paid, in minor "
			"units," PAUSE_HELP},
	{.name = "pause_log_seq",
		.type = CH_PARAM_STRING,
		.def = "never",
		.min = 1,
		.max = 20,
		.help = "rows missing in one gap of the log" PAUSE_HELP
			"; such a pause stops trading for everybody"},
	{.name = "pause_orgs",
		.type = CH_PARAM_INT,
		.def = "3",
		.min = 0,
		.max = THRESHOLD_SCOPES_MAX,
		.help = "with such breaks in more organisations at once, "
			"trading is paused for everybody"},
	{.name = NULL}};

int
reconciler_params_check(const struct ch_params *p, struct ch_err *err)
{
	struct threshold t;

	for (int i = 0; i < CHECKS; i++) {
		const char *name = checks[i].pause_param;
		if (threshold_parse(ch_params_str(p, name), &t, err) != 0)
			return ch_err_wrap(err, "%s (from %s)", name,
				ch_params_origin(p, name));
	}
	return ch_client_check_database(p, "passfile", err);
}
