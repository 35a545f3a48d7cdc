/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin_copy: io/pg_copy.h in a simulation: only COPY rejected comes here, from
 * trades.c; what write.c copies is in twin_write.c.
 *
 * Thread: one.
 */
#ifndef TESTS_SIM_TWIN_COPY_H
#define TESTS_SIM_TWIN_COPY_H

#include <stdint.h>

#define TWIN_COPY_COLUMNS 17

/* One row, each column in the form that its type has. */
struct twin_copied {
	int64_t ints[TWIN_COPY_COLUMNS];
	char texts[TWIN_COPY_COLUMNS][64]; /* cut; NULL: "" */
};

#endif
