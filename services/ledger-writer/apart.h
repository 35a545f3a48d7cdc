/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apart: partitions that are tried alone, so that a record which no class of
 * error convicts holds its own partition up and no other.
 *
 * A batch that failed too often, whatever for, is void, and each of its
 * partitions is read again and tried alone (partition.alone: how much at once)
 * until what it had then is committed (partition.alone_to). What fails alone is
 * tried in halves, each read again, until the record that stands in the way is
 * the first; that one is tried until it passes.
 *
 * Thread: loop only. Pure.
 */
#ifndef LEDGER_APART_H
#define LEDGER_APART_H

#include <stdbool.h>
#include <stddef.h>

#include "load.h"

struct apart {
	struct load *source; /* empty: nothing is cut */
	size_t at;	     /* 0: those together; n: its part n - 1 */
	bool cut; /* what was taken last is not all that its partition had */
};

void apart_init(struct apart *a, const struct command_limits *limits);
void apart_free(struct apart *a);
bool apart_active(const struct apart *a);
/* Has it records of a partition that is tried alone beside others', or more of
 * them than are tried? */
bool apart_wants(const struct load *l);
/* The load is cut from now on; *now is left empty. */
void apart_begin(struct apart *a, struct load **now);
/* Fills `now`, which is empty, with the next piece: those together, then each
 * partition alone. Left empty: there was no more. */
void apart_take(struct apart *a, struct load *now);
/* Each partition of the load is tried alone from now on. */
void apart_put(const struct load *now);
/* The load in hand is of one partition that is tried alone. */
bool apart_is_alone(const struct load *now);
/* It is committed. True: the rest of what its partition had is to be read
 * again. */
bool apart_passed(const struct apart *a, const struct load *now);
/* It failed. True: its first record alone did. */
bool apart_failed(const struct load *now);
/* Forgets the load: its records will be read again. */
void apart_clear(struct apart *a);

#endif
