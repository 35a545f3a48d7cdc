/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result: the JSON of answers, exactly as it leaves.
 *
 * An answer is written once, when the command is decided, and stored; the
 * relay publishes the stored text. Fields stand in one fixed order, amounts
 * are printed with their asset's scale, times with six digits.
 * docs/protocols/commands.md section 1 is the list of its members.
 *
 * Thread: any; a buffer belongs to one thread.
 */
#ifndef LEDGER_WRITER_RESULT_H
#define LEDGER_WRITER_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "ruling.h"

struct result_head {
	struct ch_view id; /* as sent */
	struct ch_view org;
	struct ch_view type; /* len 0: left out */
	bool dry_run;
	int32_t stream; /* with log_seq it names this answer alone */
	int64_t log_seq;
};

/* Appends the answer to what was ruled: the touched rows of its books, when it
 * was applied. False: they are more than LEDGER_ANSWER_ROWS_MAX bytes, so that
 * some are left out ("truncated":true). */
bool result_write(struct ch_buf *out, const struct result_head *h,
	const struct ruling *r);

/* Appends the stored answer with "duplicate":true before its last brace. */
void result_write_duplicate(struct ch_buf *out, struct ch_view stored);

#endif
