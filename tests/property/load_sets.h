/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sets: the pauses and rate rules that a load's items name by number, as
 * the model takes them.
 *
 * Thread: constants only.
 */
#ifndef TESTS_PROPERTY_LOAD_SETS_H
#define TESTS_PROPERTY_LOAD_SETS_H

#include "ledger_load.h"
#include "serial_model.h"

#define LOAD_SET_PAUSES 2 /* of one set, at most */
#define LOAD_SET_RATES 4

/* What is in force with that item. part and decided_at stay as they are. */
void load_sets_at(const struct ledger_load *l,
	const struct ledger_load_item *item, struct serial_now *now);

#endif
