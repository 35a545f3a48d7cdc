/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_damage: a command's value made unreadable, or nearly so, as wires and
 * producers do it: cut off, followed by more, a byte lost or changed, members
 * that stand twice, text that is no UTF-8, a document beyond every limit. Some
 * of it can still be read, and is then a command like any other.
 *
 * Thread: belongs to one thread.
 */
#ifndef TESTS_PROPERTY_LEDGER_DAMAGE_H
#define TESTS_PROPERTY_LEDGER_DAMAGE_H

#include "base/rng.h"
#include "base/str.h"

/* value: a JSON object's text. */
void ledger_damage(struct ch_rng *rng, struct ch_buf *value);

#endif
