/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_timers: what a batch settles although nobody asked: holds and
 * reservations that ran out, and pages of settlements.
 *
 * Private to batch*.c. Thread: as batch.h.
 */
#ifndef LEDGER_WRITER_BATCH_TIMERS_H
#define LEDGER_WRITER_BATCH_TIMERS_H

#include "batch_rows.h"

/* Whatever is due among the loaded rows, by deadline, then organisation, then
 * holds before reservations, then name: an order that no split of batches
 * changes. Numbered by the first stream. */
void batch_timers_settle(struct writing *w);
/* One page of batch->pay. */
void batch_timers_pay(struct writing *w);

#endif
