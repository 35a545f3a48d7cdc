/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: the partition that Java's default partitioner gives a key (murmur2).
 *
 * Producers choose the partition; the writer only counts those that chose
 * another way, because order per owner is promised for this one.
 *
 * Thread: any. Pure.
 */
#ifndef LEDGER_ROUTE_H
#define LEDGER_ROUTE_H

#include <stdint.h>

#include "base/str.h"

int32_t route_of(struct ch_view key, int32_t partitions);

#endif
