/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings: what one run of one check found, on its way from the statement
 * that looked to the statement that writes it down.
 *
 * All of a check's statements answer with the same columns: break key,
 * organisation, subject, expected, found, difference (decimal text), low, high.
 * At most FINDINGS_MAX are taken in one run; then `cut` is set, and nothing is
 * concluded from what is absent.
 *
 * Thread: belongs to one thread.
 */
#ifndef RECONCILER_FINDINGS_H
#define RECONCILER_FINDINGS_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/pg.h"

#define FINDINGS_MAX 1000

struct findings {
	struct ch_pg_array key, org, subject, expected, found, difference;
	struct ch_pg_array low, high;
	int32_t count;
	bool cut;
	/* What absence says: keys that were looked at again, and, once a
	 * whole sweep is done, everything not seen since it began. */
	struct ch_pg_array again;
	bool swept;
	struct ch_time swept_since;
};

void findings_init(struct findings *f);
void findings_free(struct findings *f);
void findings_clear(struct findings *f);
/* Nothing follows from what is absent: the run did not come to its end. */
void findings_only_present(struct findings *f);
/* Takes all rows. CH_EPROTO when the columns are others. */
int findings_take(struct findings *f, const PGresult *res, struct ch_err *err);

#endif
