/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_locks: what an account has at stake, and how a skim makes all of it
 * smaller.
 *
 * Thread: belongs to the model's.
 */
#ifndef TESTS_PROPERTY_MODEL_LOCKS_H
#define TESTS_PROPERTY_MODEL_LOCKS_H

#include "model_rows.h"

struct scaled {
	struct position *position;
	int64_t lock; /* after the skim */
	big rest;     /* lock * (balance - skim) mod balance */
};
struct locks {
	struct scaled *list; /* in byte order of market, then outcome */
	size_t count;
	big before, after; /* sums */
};

/* All locks of the account when skim of its balance leaves; 0: as they are.
 * skim <= balance. */
void model_locks_scale(struct locks *l, const struct account *a, big skim);
void model_locks_free(struct locks *l);
/* What that position's will be. NULL: 0. */
int64_t model_locks_of(const struct locks *l, const struct position *p);

#endif
