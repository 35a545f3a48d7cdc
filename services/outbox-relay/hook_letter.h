/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_letter: a webhook's dead letter, replayed: its delivery is pending again,
 * in its old place and under its old id, and the relay sends it.
 *
 * Thread: loop only (command line).
 */
#ifndef RELAY_HOOK_LETTER_H
#define RELAY_HOOK_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/pg.h"
#include "letters.h"

/* Is its target an endpoint? (No topic has a ':' in its name.) */
bool hook_letter_is(const struct letters_row *row);
/* Inside of the transaction that decides the letter; replays: how often it was,
 * with this time. *place is its delivery's. CH_EEXIST: it is on its way
 * already, or another letter stands for it; else as in io/pg.h. */
int hook_letter_back(struct ch_pg *pg, const struct letters_row *row,
	int32_t replays, int64_t *place, struct ch_err *err);

#endif
