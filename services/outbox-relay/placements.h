/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placements: which columns go to which place of the record, by the texts
 * "<column>:header|envelope|partition[:<alias>]".
 *
 * Failure: a text that is none of these, or two values of one name in the
 * envelope, are refused when they are read.
 *
 * Thread: belongs to one thread. Pure.
 */
#ifndef RELAY_PLACEMENTS_H
#define RELAY_PLACEMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "column.h"

enum place { PLACE_HEADER, PLACE_ENVELOPE, PLACE_PARTITION };

struct placement {
	struct column column; /* its name; where it is finds who has a table */
	enum place place;
	char *alias;
};

struct placements {
	struct placement *all;
	size_t count;
	bool envelope; /* has one */
};

/* list ends with NULL, and may be NULL. CH_ECONFIG. What was read so far is
 * freed by placements_free(), which zeroes suffice for. */
int placements_read(struct placements *out, const char *const *list,
	struct ch_err *err);
void placements_free(struct placements *p);

#endif
