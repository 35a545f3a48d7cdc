/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mistakes: those of bug.h that sit in the deciding half, as functions that the
 * linker puts before real ones (--wrap). Without their bug they do nothing else
 * than those.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_MISTAKES_H
#define TESTS_SIM_MISTAKES_H

#include "batch_rows.h"
#include "ruling.h"

void __wrap_order_rules_fill(struct ruling *r, const struct command *c);
void __wrap_trade_rules_record(struct ruling *r, const struct command *c);
void __wrap_batch_rows_rejected(struct writing *w, const struct batch_entry *e);

#endif
