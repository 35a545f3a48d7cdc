/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memwatch: how much memory the process holds, and a warning over a limit.
 *
 * Thread: main.
 */
#ifndef CH_DAEMON_MEMWATCH_H
#define CH_DAEMON_MEMWATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define CH_MEMWATCH_EVERY_MS 5000

struct ch_memwatch {
	int64_t limit_bytes; /* 0: none */
	struct ch_mono last;
	bool over; /* the warning is out; it is repeated after going below */
};

/* Resident bytes by /proc/self/statm, or -1. Thread: any. */
int64_t ch_memwatch_rss(void);
/* Looks every CH_MEMWATCH_EVERY_MS, else does nothing. Returns the resident
 * bytes seen, or -1 when it did not look. */
int64_t ch_memwatch_turn(struct ch_memwatch *w, struct ch_mono now);

#endif
