/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absence: does a refusal of the log rest on a row that was not there?
 *
 * A batch locks the rows that are there. One that another batch makes at the
 * same time, with an earlier number, it does not see. What it then writes fails
 * at the row's unique key, and is decided again; what it refuses writes
 * nothing. So, decided in the order of numbers, such a refusal could have
 * another answer, and a replay takes it from the log as it is. It rests on
 * absence, when
 *
 * - its status says so: *_not_found; version_conflict, since a row that is not
 *   there has version 0;
 * - it is a trade.record: a known transaction is answered before all else, and
 *   a market is born by its first trade;
 * - it is a group that failed by such a member, or behind one that makes rows:
 *   what those hold is undone with the group, and its unique key never met.
 *
 * Other refusals rest on rows that were locked: *_exists comes last in the
 * precedence for that reason.
 *
 * Thread: any. Pure.
 */
#ifndef LEDGER_WRITER_ABSENCE_H
#define LEDGER_WRITER_ABSENCE_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"

/* A row of command_log. */
struct absence_row {
	struct ch_view type, status;
	struct ch_view command, result; /* JSON; looked at for groups only */
};

/* false for what was applied. The arena takes what is read of the JSON. */
bool absence_is_ground(const struct absence_row *row, struct ch_arena *arena);

#endif
