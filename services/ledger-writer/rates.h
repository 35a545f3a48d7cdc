/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates: limits on how many commands an actor, or an organisation, may send in
 * a sliding window.
 *
 * A window is the list of the times of the commands that it counted; a command
 * at t passes when fewer than the limit lie in (t - window, t]. The windows are
 * rows like any other, changed under the same locks in the same transaction,
 * so that the limit is exact over restarts, and a replay counts the same.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef LEDGER_WRITER_RATES_H
#define LEDGER_WRITER_RATES_H

#include "command.h"
#include "ruling.h"

struct rate_rule {
	int32_t rule_id;
	struct ch_view name;
	struct ch_view org; /* len 0: every organisation */
	bool by_actor;	    /* false: of the whole organisation, in shares */
	const struct ch_view *types;
	size_t type_count;
	int64_t most;
	int64_t window_us;
	int32_t shares; /* 1 with by_actor */
};

/* How many of the command's parts the rule counts: itself, or its members; of
 * facts none, whatever its types say. */
int64_t rates_weight(const struct rate_rule *rule, const struct command *c);
/* The window that the rule keeps for this command: WANTED when it is new.
 * part: of the record's partition within its topic. */
struct rate_window *rates_window(struct books *b, const struct rate_rule *rule,
	const struct command *c, int32_t part);
/*
 * The gate: false when a rule refuses (ruling_refuse()). Otherwise the command
 * is counted, and windows that are not there yet are made, empty where nothing
 * is counted; a dry run does neither. r->rate tells the tightest rule that applies.
 */
bool rates_pass(struct ruling *r, const struct rate_rule *rules, size_t n,
	const struct command *c);

#endif
