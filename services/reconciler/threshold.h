/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threshold: what a break leads to: nothing, an alert, or a pause; and whose
 * requests the pause refuses.
 *
 * A threshold is "never" or an amount in minor units (whole units for stock,
 * rows for log_seq): a difference above it pauses. Surplus and deficit count
 * alike: both say that the books do not tell the truth.
 *
 * The scope is the organisation of the break. What belongs to none (the log of
 * a partition), or concerns more organisations at once than the limit, pauses
 * "trading": everybody.
 *
 * Thread: any; a struct belongs to one thread. Pure.
 */
#ifndef RECONCILER_THRESHOLD_H
#define RECONCILER_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define THRESHOLD_SCOPES_MAX 64
#define THRESHOLD_ORG_MAX 256 /* bytes */
#define THRESHOLD_EVERYBODY "trading"

enum threshold_action { THRESHOLD_OK, THRESHOLD_ALERT, THRESHOLD_PAUSE };

struct threshold {
	bool never;
	int64_t above; /* minor units, >= 0 */
};

/* "never", or a whole number >= 0. CH_ECONFIG. */
int threshold_parse(const char *text, struct threshold *out,
	struct ch_err *err);
/* difference: |found - expected|, saturated. 0 is a break too when it was
 * found as one (a row is missing): an alert. */
enum threshold_action threshold_weigh(const struct threshold *t, bool found,
	int64_t difference);

/* Organisations whose breaks pause. */
struct scopes {
	size_t limit; /* <= THRESHOLD_SCOPES_MAX; more of them: everybody */
	size_t count;
	bool everybody;
	char orgs[THRESHOLD_SCOPES_MAX][THRESHOLD_ORG_MAX];
};

void scopes_init(struct scopes *s, size_t limit);
/* org "": none of its own. */
void scopes_add(struct scopes *s, struct ch_view org);
/* The scope that a break of org leads to, once all were added. NULL: org was
 * not added. */
const char *scopes_of(const struct scopes *s, struct ch_view org);

#endif
