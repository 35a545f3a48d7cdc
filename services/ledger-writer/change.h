/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change: what an applied command changed, figure by figure, before and after.
 *
 * It stands beside the answer in command_log, for those who ask later (explain):
 * an answer says how rows are after a command, and what they were before could
 * be told from the command only as long as the command adds or takes. A trade
 * sets, a skim takes in proportion, an order's move starts from several states,
 * a page pays whoever holds. Of a command that touches nothing of the kind
 * nothing is written: what money and stock had before follows from it, from its
 * answer and from its postings (ch.command_changes), and the busy path stays as
 * narrow as it was.
 *
 * An array of [kind, name, figure, before, after], each a string; "none": there
 * was no such row, or no such value. Balances are left to the postings.
 *
 * Thread: any; a buffer belongs to one thread.
 */
#ifndef LEDGER_WRITER_CHANGE_H
#define LEDGER_WRITER_CHANGE_H

#include "base/str.h"
#include "books.h"

/* Appends the array of the running command, or nothing, where its answer shows
 * every row (whole). */
void change_write(struct ch_buf *out, const struct books *b, bool whole);

#endif
