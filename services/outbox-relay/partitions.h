/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partitions: the time partitions of an application's table, where install.sql
 * was asked for them: the leader makes those of the time ahead. It drops none;
 * that is a timer's to ask for (docs/alone.md).
 * relay_partitions_missing says how many of them are not there.
 *
 * Failure: one that cannot be made is told in the log and tried again at the
 * next look; rows of its time go to the table's rest meanwhile, and are
 * delivered from there. A lost connection is an error.
 * Thread: loop only.
 */
#ifndef RELAY_PARTITIONS_H
#define RELAY_PARTITIONS_H

#include "relay.h"

/* Looks every ten minutes, else does nothing. */
int partitions_turn(struct relay *r, struct ch_err *err);

#endif
