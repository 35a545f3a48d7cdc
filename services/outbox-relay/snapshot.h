/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: what a stored pg_snapshot sees, asked of a transaction's number
 * in the WAL.
 *
 * "xmin:xmax:xip,..." sees a transaction below xmax that is not in the list.
 * The stream names transactions by 32 bits; the epoch is taken from xmax,
 * since both are of the same time within 2^31 transactions.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_SNAPSHOT_H
#define RELAY_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct snapshot {
	uint64_t xmax; /* 0: sees nothing */
	uint64_t *running;
	size_t count;
};

#define SNAPSHOT_INIT                                                          \
	{                                                                      \
		0, NULL, 0                                                     \
	}

/* Replaces what was there. NULL or text that is no snapshot: sees nothing,
 * and false is returned. */
bool snapshot_read(struct snapshot *s, const char *text);
void snapshot_free(struct snapshot *s);
/* Only of transactions that have committed. */
bool snapshot_sees(const struct snapshot *s, uint32_t xid);

#endif
